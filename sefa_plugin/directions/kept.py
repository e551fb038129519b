"""Directions and the file that they are kept in, to which later ranges and names are added.

A set is found in a folder by what it is: the network's digest, layers, space and options. A file is changed only under
the lock of its folder and is read again first, so that names and ranges that a person or another run has added
meanwhile are kept.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

from ..system.regular_files import open_regular
from ..system.whole_files import alone_in
from .directions import Directions
from .file import DirectionsFileError
from .layers import Label


def _ignore(text: str) -> None:
    """Discard a warning."""


@dataclass(eq=False)
class KeptDirections:
    """A set of directions of one group of layers, and its file.

    Attributes:
        directions: in their current state.
        path: their file, or None.
        lender: a set whose names these directions bear, where nobody has named them here.
        warn: called with one line where the file cannot be written.
        calibration: ranges that were measured with other settings (truncation, class) are not written; '' writes all.
    """

    directions: Directions
    path: Path | None = None
    lender: Directions | None = None
    warn: Callable[[str], None] = _ignore
    calibration: str = ""

    def careful(self) -> KeptDirections:
        """The same set; ranges that are measured with another look do not replace those in its file."""
        return replace(self, calibration=self.directions.calibration)

    def update(self, directions: Directions) -> None:
        """Set directions with more names or ranges, and write them to the file; warns where that fails."""
        before, self.directions = self.directions, directions
        if self.path is None or self.calibration not in ("", directions.calibration):
            return
        try:
            self._keep(before)
        except OSError as error:
            self.warn(f"{self.path}: ranges are not saved ({error.strerror or error})")

    def save(self) -> None:
        """Write the directions to their file, where they have one.

        Raises:
            OSError: the file cannot be written, or the present one cannot be read.
        """
        self._keep(self.directions)

    def _keep(self, before: Directions) -> None:
        if self.path is not None:
            names = zip(before.names, self.directions.names)
            typed = {index: name for index, (old, name) in enumerate(names) if name != old}
            self.path = keep(self.directions, self.path, typed, self.lender)


def keep(
    directions: Directions,
    path: Path,
    typed: Mapping[int, str] = MappingProxyType({}),
    lender: Directions | None = None,
) -> Path:
    """Write directions to a file, with the names and ranges that the file already has; returns the file.

    That is another file, with a digest in its name, if other directions lie in this one.

    Args:
        directions, path: what is written where.
        typed: names, by number, that replace those in the file.
        lender: a set whose names replace those that nobody has typed for the directions of this file.

    Raises:
        OSError: the file cannot be written, or the present one cannot be read.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with alone_in(path.parent):
        held = _earlier(path)
        if held is not None and not held.same_as(directions):
            path = path.with_name(f"{path.stem}-{_digest(directions)}{path.suffix}")
            held = _earlier(path)
        made = joined(directions, held or directions)
        made = made if lender is None else made.with_names_of(lender)
        for index, name in typed.items():
            made = made.named(index, name)
        made.save(path)
    return path


def keep_result(directions: Directions, path: Path) -> Path:
    """Write directions of an experiment; those of an earlier one are replaced unless a person has named any.

    Returns:
        The file: another one, with a digest in its name, where a person has named other directions in this one.

    Raises:
        OSError: the file cannot be written, or the present one cannot be read.
    """
    held = _earlier(path)
    if held is not None and (held.history or ("person" in held.named_by and not any(directions.names))):
        return keep(directions, path)
    directions.save(path)
    return path


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
    both = replace(mine.adopting(now), label=now.label)
    measured = {index: entry for index, entry in enumerate(mine.entries) if entry.range is not None}
    if measured and mine.calibration != both.calibration:
        both = both.without_ranges(mine.calibration)
    joint = {
        index: replace(both.entries[index], sigma=one.sigma, range=one.range, broken=one.broken, prior=one.prior)
        for index, one in measured.items()
    }
    return both.with_entries(joint)


def sets_in(folder: Path, warn: Callable[[str], None] = _ignore) -> dict[Path, Directions]:
    """The directions files of a folder, in the order of their names; ``warn`` is called for one that is none.

    Raises:
        OSError: one cannot be read.
    """
    found = {}
    for file in sorted(folder.glob("directions*.safetensors")):
        try:
            open_regular(file).close()
            found[file] = Directions.load(file)
        except FileNotFoundError:
            pass
        except DirectionsFileError as error:
            warn(f"{error}: left as it is")
    return found


def file_called(label: Label, digest: str, folder: Path) -> Path | None:
    """The file of a network's set of this label, without other rows of edits, in a folder; the last written of several.

    Raises:
        OSError: a file of the folder cannot be read.
    """
    called = [file for file, held in sets_in(folder).items() if (held.digest, held.label) == (digest, str(label))]
    return max(called, key=lambda file: file.stat().st_mtime_ns, default=None)


def files_of(groups: Sequence[Directions], folder: Path, warn: Callable[[str], None] = _ignore) -> list[Path]:
    """The file of each group in a folder: the one that holds the same directions already, or a new one.

    A new one is ``directions.safetensors`` for all layers, or else has the group's label in its name; where another
    file has that name, the label and then a digest are added.

    Raises:
        OSError: a file of the folder cannot be read.
    """
    free = [_free_file(directions, folder) for directions in groups]  # before: another run may write them meanwhile
    return [path or other for path, other in zip(known_files(groups, folder, warn), free)]


def _free_file(directions: Directions, folder: Path) -> Path:
    label = f"-{directions.label}"
    endings = [*([""] if directions.label == "all" else []), label, f"{label}-{_digest(directions)}"]
    files = [folder / f"directions{ending}.safetensors" for ending in endings]
    return next((file for file in files if file.is_symlink() or not file.exists()), files[-1])


def _digest(directions: Directions) -> str:
    """Eight digits for file names, of all that makes two sets the same."""
    about: tuple[object, ...] = (
        *(directions.digest, directions.space, directions.normalize, directions.torgb, directions.layers),
        *([directions.sharpen, directions.found_with] if directions.sharpen != "none" else []),
    )
    return hashlib.sha256(repr(about).encode() + directions.vectors.tobytes()).hexdigest()[:8]


def known_files(groups: Sequence[Directions], folder: Path, warn: Callable[[str], None] = _ignore) -> list[Path | None]:
    """The file of each group in a folder that already holds the same directions; None where there is none.

    Raises:
        OSError: a file of the folder cannot be read.
    """
    held = sets_in(folder, warn)

    def file_of(group: Directions) -> Path | None:
        same = [file for file, one in held.items() if group.same_as(one)]
        return min(same, key=lambda file: held[file].label != group.label, default=None)

    return [file_of(group) for group in groups]
