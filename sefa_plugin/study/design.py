"""What a study asks: its clips, which directions they show, and what of it a browser is given."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Optional

import msgspec
from msgspec import Meta, Struct

from ..reading.json_file import parsed, read_bounded

NAME, CLIPS = "study.json", "clips"  # in the folder of a study
MOST = 1 << 26  # bytes of the file

Id = Annotated[str, Meta(pattern="^[0-9a-f]{12}$")]
File = Annotated[str, Meta(pattern=r"^[0-9a-f]{12}\.mp4$")]


class StudyError(ValueError):
    """A study cannot be made or read; one line."""


class Run(Struct, frozen=True):
    """A run whose clips are shown.

    Attributes:
        path: its folder, relative to that of the study.
        called: the method, in tables: the name of the folder.
        network, digest: the network.
    """

    path: str
    called: str
    network: str
    digest: str


class Shown(Struct, frozen=True):
    """A direction that is shown.

    Attributes:
        run: place of its run in the study.
        label, index: as in the names of files.
        direction: SHA-256 of its vector.
        layers: rows of ws that it changes.
    """

    run: int
    label: str
    index: int
    direction: str
    layers: tuple[int, ...]


class Clip(Struct, frozen=True):
    """A clip.

    Attributes:
        files: as in the run (first the low end), and turned round.
        seconds: how long it plays.
        direction: the place of what it shows in the study; None of one that was made to be caught by.
        made: of one that was made: ``still``, without any change, or ``obvious``.
    """

    files: tuple[File, File]
    seconds: float
    direction: Optional[int] = None
    made: Literal["", "still", "obvious"] = ""


class Item(Struct, frozen=True):
    """A question: what one clip changes, or which of two changes one thing more cleanly.

    ``catch`` is the right answer where one is known: ``nothing``, ``change``, or the place of a clip, ``0`` or ``1``.
    """

    id: Id
    clips: Annotated[tuple[Clip, ...], Meta(min_length=1, max_length=2)]
    catch: str = ""

    @property
    def kind(self) -> str:
        """``one`` clip, or a ``pair``."""
        return "one" if len(self.clips) == 1 else "pair"


class Study(Struct, frozen=True):
    """A whole study, as its file has it.

    Attributes:
        id: of all that determines it.
        seed: of the orders.
        repeats: the share of items that are asked twice.
        texts: see ``texts``.
    """

    id: Id
    seed: int
    repeats: float
    runs: tuple[Run, ...]
    directions: tuple[Shown, ...]
    items: tuple[Item, ...]
    texts: dict[str, str]
    format: Literal["sefa_study"] = "sefa_study"
    version: Literal[1] = 1

    def item(self, id: str) -> Item | None:
        """The item of an id."""
        return next((item for item in self.items if item.id == id), None)

    def title(self, direction: int) -> str:
        """A direction in tables: its method where there are several, its label and its number."""
        shown = self.directions[direction]
        run = f"{self.runs[shown.run].called} " if len(self.runs) > 1 else ""
        return f"{run}{shown.label}:{shown.index}"

    def public(self) -> dict[str, object]:
        """What a browser needs. Nothing in it says what a clip shows, or which file is turned round.

        Items are in the order of their ids, and the two files of a clip in that of their names, which say nothing.
        """
        return {
            "id": self.id,
            "seed": self.seed,
            "repeats": self.repeats,
            "texts": self.texts,
            "items": [
                {
                    "id": item.id,
                    "clips": [sorted(clip.files) for clip in item.clips],
                    "twice": not item.catch,
                }
                for item in sorted(self.items, key=lambda item: item.id)
            ],
        }

    def data(self) -> bytes:
        """The study as a file has it."""
        return msgspec.json.format(msgspec.json.encode(self), indent=1) + b"\n"


def load(folder: Path) -> Study:
    """The study of a folder.

    Raises:
        StudyError: there is none, or its file cannot be read.
    """
    path = folder / NAME
    try:
        study: Study = parsed(read_bounded(path, MOST), Study)
    except FileNotFoundError:
        raise StudyError(f"{folder}: holds no study (no {NAME}); `sefa study` makes one") from None
    except OSError as error:
        raise StudyError(f"{path}: {error.strerror or error}") from None
    except ValueError as error:
        raise StudyError(f"{path}: is no study that can be read: {error}") from None
    shown = {clip.direction for item in study.items for clip in item.clips} - {None}
    if any(not 0 <= place < len(study.directions) for place in shown if place is not None) or any(
        not 0 <= one.run < len(study.runs) for one in study.directions
    ):
        raise StudyError(f"{path}: names directions or runs that it does not have")
    return study
