"""The positions that a card's large picture steps through: cells of its sheet, and frames of its clip."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import PurePosixPath
from typing import Any, Optional

from msgspec import Struct
from msgspec import field as checked

from ...reading.json_file import fitting
from ..record import Entry
from .sheets import Pictures

MOST = 121  # positions of a slider
_DIGITS = 4  # of a distance


@dataclass(frozen=True)
class Cells:
    """The cells of a sheet, in pixels of its file.

    Attributes:
        left, top, size, step: as those of ``Pictures``.
        at: the distance of each column.
    """

    left: int
    top: int
    size: tuple[int, int]
    step: tuple[int, int]
    at: Sequence[float]


@dataclass(frozen=True)
class Clip:
    """The frames of a clip, whose subjects stand side by side.

    Attributes:
        frames: for each position of the slider the number of a frame.
        fps: frames per second.
        limit: frames of this width or more (pixels) were reduced, 0 if none was.
    """

    frames: Sequence[int]
    fps: float
    limit: int


@dataclass(frozen=True)
class Play:
    """What is played with on a card.

    Attributes:
        rows: labels of the subjects.
        at: distances along the slider, ascending.
        down: of a plane those along the second slider, one for each row of cells; else ().
        cells, clip: where the pictures are; at least one is there.
    """

    rows: Sequence[str]
    at: Sequence[float]
    down: Sequence[float] = ()
    cells: Cells | None = None
    clip: Clip | None = None

    @property
    def data(self) -> dict[str, Any]:
        """As JSON, for the script of the page."""
        return asdict(self)


@dataclass(frozen=True)
class Made:
    """An output of a card: its path, its entry in the record, and where the pictures of a sheet are."""

    name: str
    entry: Entry
    pictures: Pictures | None = field(default=None, compare=False)


class _Film(Struct):
    low: float = 0
    high: float = 0
    fps: float = 30
    max_width: Optional[int] = None
    captions: bool = False


class _Shown(Struct):
    direction: str = ""
    subjects: tuple[str, ...] = ()
    look: dict[str, Any] = checked(default_factory=dict)
    film: _Film = checked(default_factory=_Film)
    sheet: tuple[tuple[float, ...], ...] = ()

    @property
    def pictures(self) -> tuple[object, ...]:
        """Equal where the same pictures are shown."""
        return self.direction, self.subjects, self.look, self.film.low, self.film.high


def play_of(sheet: Made | None, clip: Made | None) -> Play | None:
    """What can be played with: both, where they show the same subjects over the same range, or else the sheet.

    None where the record does not say at which distances pictures are, and for clips that are no MP4.
    """
    cells = _cells(sheet) if sheet else None
    if clip and PurePosixPath(clip.name).suffix == ".mp4":
        shown = _shown(clip.entry)
        first = {round(at, _DIGITS): frame for frame, at in reversed(list(enumerate(clip.entry.distances)))}
        at = _thinned(sorted(first))
        if cells is None or sheet is None:
            fits = not shown.film.captions  # how high a picture is without them is not known
        else:
            fits = shown.pictures == _shown(sheet.entry).pictures
        if shown.subjects and len(at) > 1 and fits:
            frames = Clip([first[one] for one in at], shown.film.fps, shown.film.max_width or 0)
            return Play(shown.subjects, at, cells=cells, clip=frames)
    if cells and sheet and sheet.pictures:
        return Play(sheet.pictures.rows, cells.at, cells=cells)
    return None


def play_of_plane(sheet: Made) -> Play | None:
    """Likewise, for a sheet of two directions: a slider for each."""
    cells = _cells(sheet)
    down = _shown(sheet.entry).sheet[1:]
    if cells is None or sheet.pictures is None or not down or len(down[0]) != len(sheet.pictures.rows):
        return None
    return Play((), cells.at, [round(at, _DIGITS) for at in down[0]], cells)


def _cells(sheet: Made) -> Cells | None:
    held, at = sheet.pictures, [round(at, _DIGITS) for at in sheet.entry.distances]
    if held is None or len(at) != len(held.columns) or len(at) < 2 or sorted(set(at)) != at:
        return None
    return Cells(held.left, held.top, held.size, held.step, at)


def _shown(entry: Entry) -> _Shown:
    try:
        shown: _Shown = fitting(entry.settings, _Shown)
    except ValueError:  # of another version
        return _Shown()
    return shown


def _thinned(at: list[float]) -> list[float]:
    """At most ``MOST``, evenly, with both ends and 0."""
    step = max(1, -(-len(at) // (MOST - 2)))
    return [one for place, one in enumerate(at) if place % step == 0 or one == 0 or place == len(at) - 1]
