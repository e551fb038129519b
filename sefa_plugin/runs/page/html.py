"""The page: one HTML file that opens from disk, with the pictures and videos that lie beside it."""

from __future__ import annotations

import base64
import hashlib
import mimetypes
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import numpy as np

from ...media.effect import heat_picture
from ...system.whole_files import whole_file
from .playing import Play
from .sheets import Sheet

if TYPE_CHECKING:
    from jinja2 import Template


@dataclass(frozen=True)
class Star:
    """A direction that can have a star: label of its set, number, digest of its vector, rows, whether it has one."""

    set: str
    index: int
    direction: str
    layers: Sequence[int] = ()
    starred: bool = False


@dataclass(frozen=True)
class Card:
    """One direction, or another output.

    Attributes:
        anchor: fit for an id, ``all-dir00``.
        title, name: ``Direction 3``, and its name or ``''``.
        words, where: what it changes and where, as measured.
        facts: pairs of a term and its value; those that everybody reads.
        details: likewise; those that are shown when asked for.
        command: makes it again.
        place: the folder where it runs, in words, where that is not the place of the page's command.
        heat: a grey PNG in base64, ``''`` where there is none.
        sheet: its sheet, None where there is none.
        video: path relative to the page, ``''`` where there is none.
        play: what its large picture steps through, None where it has none.
        star: None for what is no direction.
        shots, clips: pictures and videos, as pairs of a path and a caption.
        files: paths of other files.
    """

    anchor: str
    title: str
    name: str = ""
    words: Sequence[str] = ()
    where: str = ""
    facts: Sequence[tuple[str, str]] = ()
    details: Sequence[tuple[str, str]] = ()
    command: str = ""
    place: str = ""
    heat: str = ""
    sheet: Sheet | None = None
    video: str = ""
    play: Play | None = None
    star: Star | None = None
    shots: Sequence[tuple[str, str]] = ()
    clips: Sequence[tuple[str, str]] = ()
    files: Sequence[str] = ()

    @property
    def called(self) -> str:
        """Title and name."""
        return f"{self.title}: {self.name}" if self.name else self.title


@dataclass(frozen=True)
class Section:
    """One group of layers."""

    anchor: str
    title: str
    text: str
    cards: Sequence[Card]


@dataclass(frozen=True)
class Matrix:
    """The changes of attribute scores by each direction of one group.

    Attributes:
        anchor: fit for an id, ``scores-all``.
        title, text: what is measured, and how.
        attributes: columns.
        rows: for each direction its anchor on the page ('' where it has no card), its number, and its name or ''.
        values: for each row and attribute a change in standard deviations; finite.
        sure: for each value whether it is significant.
        files: paths relative to the page.
    """

    anchor: str
    title: str
    text: str
    attributes: Sequence[str]
    rows: Sequence[tuple[str, str, str]]
    values: Sequence[Sequence[float]]
    sure: Sequence[Sequence[bool]]
    files: Sequence[str] = ()

    @property
    def limit(self) -> float:
        """The change that has the fullest colour; at least one standard deviation."""
        return max([1.0, *(abs(value) for row in self.values for value in row)])


def write_page(
    path: str | os.PathLike[str],
    *,
    title: str,
    facts: Sequence[tuple[str, str]],
    sections: Sequence[Section],
    unedited: Sheet | None = None,
    command: str = "",
    place: str = "",
    busy: bool = False,
    matrices: Sequence[Matrix] = (),
    naming: str = "",
    single: bool = False,
) -> None:
    """Write the page; it appears whole or not at all.

    Args:
        path: ``index.html`` in the folder that all paths are relative to.
        title, facts: of the network and the run.
        unedited: the sheet of the unedited pictures.
        command: of the whole run.
        place: the folder where the commands of the page run, in words; '' where it is not known.
        busy: whether the run is not finished; the page then shows that.
        matrices: tables of scores.
        naming: the command that reads the stars of the page.
        single: whether pictures and videos are inside the page, and it links to no file.

    Raises:
        OSError: the place cannot be written, or a picture not be read; an older page stays.
    """
    folder = Path(path).parent
    text = _template().render(
        source=(lambda name: _inside(folder, name)) if single else _link,
        single=single,
        naming=naming,
        title=title,
        facts=facts,
        sections=sections,
        unedited=unedited,
        command=command,
        place=place,
        busy=busy,
        matrices=matrices,
    )
    with whole_file(path) as part:
        part.write_bytes(text.encode("utf-8", "replace"))


@lru_cache(maxsize=1)
def _template() -> Template:
    """``page.html.j2``, which escapes all inserted text, with the style and the script of the page."""
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    held = {name: files(__package__).joinpath(name).read_text("utf-8") for name in ("page.css", "page.js")}
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters.update(link=_link, plain=asdict)
    environment.globals.update(
        style=Markup(held["page.css"]),
        script=Markup(held["page.js"]),
        script_digest=base64.b64encode(hashlib.sha256(held["page.js"].encode()).digest()).decode(),
        # Red, green and blue of the map's colours at equal steps from 0 to 255.
        heat_colours=(heat_picture(np.array([[0, 64, 128, 192, 255]]))[0].T / 255).round(3).tolist(),
    )
    return environment.from_string(files(__package__).joinpath("page.html.j2").read_text("utf-8"))


def _link(path: str) -> str:
    """A path as the address of the file; as bytes, since a file's name need not be valid text."""
    return quote(os.fsencode(path.replace("\\", "/")))


def _inside(folder: Path, path: str) -> str:
    """The content of a file as an address."""
    kind = mimetypes.guess_type(f"x{Path(path).suffix.lower()}")[0] or "application/octet-stream"
    return f"data:{kind};base64,{base64.b64encode((folder / path).read_bytes()).decode('ascii')}"
