"""The clips of a run's directions, as frames: read, turned round, or made to catch those who do not look."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from msgspec import Meta, Struct

from ..media.frame_store import FrameList
from ..media.mp4 import read_mp4
from ..media.pictures import as_rgb
from ..reading.json_file import fitting
from ..runs.command_line import from_outputs
from ..runs.record import NAME, Entry, digest_of, read_record
from .design import NAME as STUDY
from .design import Run, Shown, StudyError

DARKEST = 0.15  # of an obvious clip, whose pictures get dark and light again: a share of their brightness


class _Film(Struct):
    fps: Annotated[float, Meta(ge=0.1, le=1000)]
    loop: Literal["pingpong", "once"]
    video: Literal["mp4", "gif", "png"]


class _Settings(Struct):
    """What is used of the settings of a video of one direction."""

    subjects: tuple[str, ...]
    look: dict[str, object]
    direction: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
    index: Annotated[int, Meta(ge=0)]
    label: Annotated[str, Meta(max_length=200)]
    layers: tuple[int, ...]
    film: _Film
    projected: str = ""


@dataclass(frozen=True)
class Source:
    """A video of one direction, in the folder of its run.

    Attributes:
        path: the file, or the folder of PNGs.
        sha256: its digest.
        shown: the direction.
        distances: of each frame.
        fps, loop: as it was made.
        kind: ``mp4``, ``gif`` or ``png``.
        sight: all that two methods must share to be compared: whose pictures, and how they are looked at.
    """

    path: Path
    sha256: str
    shown: Shown
    distances: tuple[float, ...]
    fps: float
    loop: str
    kind: str
    sight: tuple[object, ...]

    @property
    def seconds(self) -> float:
        """How long it plays."""
        return len(self.distances) / self.fps

    def read(self, frames: FrameList) -> None:
        """Append its frames, uint8 RGB ``[H, W, 3]``.

        Raises:
            StudyError: the file cannot be read, or has not as many frames as its record says.
            VideoError: there is no ffmpeg, or it cannot read the file.
        """
        try:
            reading = {"mp4": read_mp4, "gif": _of_gif, "png": _of_folder}[self.kind](self.path)
            for frame in reading:
                frames.append(frame)
        except (OSError, ValueError) as error:
            raise StudyError(f"{self.path}: cannot be read as a video ({error!s:.100})") from None
        if len(frames) != len(self.distances):
            held = f"has {len(frames)} frames, its record says {len(self.distances)}"
            raise StudyError(f"{self.path}: {held}; make it again with --overwrite")

    def turned(self) -> list[int]:
        """The places of its frames, beginning at the high end."""
        count = len(self.distances)
        if self.loop == "once":
            return list(range(count))[::-1]
        high = int(np.argmax(self.distances))
        return [(high + place) % count for place in range(count)]


def found_in(folder: Path, place: int, beside: Path) -> tuple[Run, list[Source]]:
    """The run of a folder, and the videos of its directions by label and number.

    Args:
        folder: of the run.
        place: of the run in the study.
        beside: the folder of the study.

    Raises:
        StudyError: there is no run, or it has no such videos.
        OSError: a video cannot be read.
    """
    try:
        head, outputs = read_record(folder / NAME)
    except FileNotFoundError:
        instead = "make one with gen_sefa.py --outdir"
        if (folder / STUDY).is_file():
            instead = f"it holds a study; type the folders of its runs, with --outdir {folder}"
        raise StudyError(f"{folder}: is no folder of a run (no {NAME}); {instead}") from None
    except ValueError as error:
        raise StudyError(f"{folder / NAME}: cannot be read: {error}") from None
    sources = [one for name, entry in outputs.items() if (one := _source(folder, name, entry, place)) is not None]
    if not sources:
        raise StudyError(f"{folder}: holds no clip of a direction; make some with `sefa render --outdir {folder}`")
    network = head.get("network")
    about = {key: str(value) for key, value in network.items()} if isinstance(network, dict) else {}
    path = from_outputs(str(folder.resolve()), beside.resolve())
    run = Run(path, folder.resolve().name, about.get("name", ""), about.get("digest", ""))
    return run, sorted(sources, key=lambda one: (one.shown.label, one.shown.index, one.path.name))


def _source(folder: Path, name: str, entry: Entry, place: int) -> Source | None:
    """The video of an entry of a record; None for an output of another kind."""
    try:
        held: _Settings = fitting(entry.settings, _Settings)
    except ValueError:
        return None
    path = folder / name
    if entry.begun or not entry.distances:
        return None
    digest = digest_of(path)
    if digest != entry.sha256:
        raise StudyError(f"{path}: is not the file that its run has made; make it again with --overwrite")
    return Source(
        path,
        digest,
        Shown(place, held.label, held.index, held.direction, held.layers),
        tuple(map(float, entry.distances)),
        held.film.fps,
        held.film.loop,
        held.film.video,
        (held.subjects, held.projected, tuple(sorted((key, str(value)) for key, value in held.look.items()))),
    )


def _of_gif(path: Path) -> Iterator[np.ndarray]:
    from PIL import Image, ImageSequence

    with Image.open(path, formats=["GIF"]) as picture:
        for frame in ImageSequence.Iterator(picture):
            yield np.asarray(frame.convert("RGB"))


def _of_folder(path: Path) -> Iterator[np.ndarray]:
    from PIL import Image

    for file in sorted(path.glob("frame*.png")):
        with Image.open(file, formats=["PNG"]) as picture:
            yield as_rgb(np.asarray(picture.convert("RGBA" if "A" in picture.getbands() else "RGB")))


def still(frames: FrameList, distances: Sequence[float]) -> np.ndarray:
    """The frame that is nearest to the unedited pictures."""
    return frames[int(np.argmin(np.abs(distances)))]


def darkening(frame: np.ndarray, count: int, first: int = 0) -> Iterator[np.ndarray]:
    """A frame that gets dark and light again in ``count`` frames, beginning with the one of number ``first``."""
    for place in range(first, first + count):
        dark = (1 - np.cos(2 * np.pi * place / count)) / 2  # 0 to 1 and back
        yield np.rint(frame * (1 - (1 - DARKEST) * dark)).astype(np.uint8)


def name_of(*parts: object) -> str:
    """Twelve digits that say nothing about what they are made of."""
    return hashlib.sha256("\n".join(map(str, parts)).encode()).hexdigest()[:12]
