"""Directions and the file that they are kept in, to which later ranges and names are added.

A file is changed only under the lock of its folder and is read again first, so that names and ranges that a person or
another run has added meanwhile are kept.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from ..system.regular_files import open_regular
from ..system.whole_files import alone_in
from .directions import Directions
from .file import DirectionsFileError


def _ignore(text: str) -> None:
    """Discard a warning."""


class KeptDirections:
    """A set of directions of one group of layers, and its file.

    Attributes:
        directions: in their current state.
        path: their file, or None.

    Args:
        directions, path: see above.
        replaces_ranges: whether ranges that were measured with other settings (truncation, class) replace those in the
            file.
        warn: called with one line where the file cannot be written.
    """

    def __init__(
        self,
        directions: Directions,
        path: Path | None = None,
        *,
        replaces_ranges: bool = True,
        warn: Callable[[str], None] = _ignore,
    ) -> None:
        self.directions = directions
        self.path = path
        self._calibration = None if replaces_ranges else directions.calibration
        self._warn = warn

    def careful(self) -> KeptDirections:
        """The same set; ranges that are measured with another look do not replace those in its file."""
        return KeptDirections(self.directions, self.path, replaces_ranges=False, warn=self._warn)

    def unkept(self, directions: Directions) -> KeptDirections:
        """Other directions, kept in no file."""
        return KeptDirections(directions, warn=self._warn)

    def update(self, directions: Directions) -> None:
        """Set directions with more names or ranges, and write them to the file; warns where that fails."""
        self.directions = directions
        if self.path is None or self._calibration not in (None, "", directions.calibration):
            return
        try:
            keep(directions, self.path)
        except OSError as error:
            self._warn(f"{self.path}: ranges are not saved ({error.strerror or error})")

    def save(self) -> None:
        """Write the directions to their file, where they have one.

        Raises:
            OSError: the file cannot be written, or the present one cannot be read.
        """
        if self.path is not None:
            keep(self.directions, self.path)


def keep(directions: Directions, path: Path) -> None:
    """Write directions to a file, with the names and ranges that the file already has.

    Raises:
        OSError: the file cannot be written, or the present one cannot be read.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    change(path, lambda held: joined(directions, held), otherwise=directions)


def change(path: Path, how: Callable[[Directions], Directions], otherwise: Directions | None = None) -> Directions:
    """Change a directions file under the lock of its folder; returns its new directions.

    Args:
        path: the file.
        how: makes the new directions from those in the file.
        otherwise: passed to ``how`` where the file is missing or holds no directions.

    Raises:
        DirectionsFileError: the file holds no directions, and ``otherwise`` is None.
        OSError: the file cannot be written, or the present one cannot be read.
    """
    with alone_in(path.parent):
        held = Directions.load(path) if otherwise is None else _earlier(path) or otherwise
        made = how(held)
        made.save(path)
        return made


def adopting(found: Directions, path: Path) -> Directions:
    """Directions with the names and ranges of a file, if it holds the same directions.

    Raises:
        OSError: the file exists and cannot be read.
    """
    earlier = _earlier(path)
    return found.adopting(earlier) if earlier is not None and found.same_as(earlier) else found


def _earlier(path: Path) -> Directions | None:
    """The directions of a file; None where there is no file, or it holds no directions.

    Raises:
        OSError: it exists and cannot be read; it may hold names, so it must not be replaced.
    """
    try:
        open_regular(path).close()
        return Directions.load(path)
    except (FileNotFoundError, DirectionsFileError):
        return None


def joined(mine: Directions, now: Directions) -> Directions:
    """``mine`` with the names of ``now`` and the ranges of both; where both have one, that of ``mine``."""
    if not mine.same_as(now):
        return mine
    both = mine.adopting(now)
    measured = {index: entry for index, entry in enumerate(mine.entries) if entry.range is not None}
    if measured and mine.calibration != both.calibration:
        both = both.without_ranges(mine.calibration)

    joint = {
        index: replace(both.entries[index], sigma=one.sigma, range=one.range, broken=one.broken, prior=one.prior)
        for index, one in measured.items()
    }
    return both.with_entries(joint)


def files_of(groups: Sequence[Directions], folder: Path) -> list[Path]:
    """The file of each group in a folder: the one that holds the same directions already, or a new one.

    A new one is ``directions.safetensors`` for a single group, and has the group's label in its name for one of several
    or where edits change other layers; where other directions have that name, the label and then a digest are added.

    Raises:
        OSError: a file of the folder cannot be read.
    """
    alone = len(groups) == 1 and "@" not in groups[0].label
    return [
        path or _free_file(directions, folder, alone) for directions, path in zip(groups, known_files(groups, folder))
    ]


def _free_file(directions: Directions, folder: Path, alone: bool) -> Path:
    about = (directions.digest, directions.space, directions.normalize, directions.torgb, directions.layers)
    digest = hashlib.sha256(repr(about).encode()).hexdigest()[:8]
    endings = [*([""] if alone else []), f"-{directions.label}", f"-{directions.label}-{digest}"]
    files = [folder / f"directions{ending}.safetensors" for ending in endings]
    return next((file for file in files if _earlier(file) is None), files[-1])


def known_files(groups: Sequence[Directions], folder: Path) -> list[Path | None]:
    """The file of each group in a folder that already holds the same directions; None where there is none."""
    files = sorted(folder.glob("directions*.safetensors"))

    def holds(file: Path, held: Directions) -> bool:
        with suppress(OSError):
            return adopting(held, file) is not held
        return False

    return [next((file for file in files if holds(file, held)), None) for held in groups]
