"""Measurements in files, so that a run that was stopped can continue."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import numpy as np

from ...reading.array_file import ArrayFileError, read_kept
from ...system.whole_files import whole_file

VERSION = 1
DIGITS = 24  # of a digest


class Parts:
    """A folder of arrays; each file is named by a digest of the settings that its arrays depend on.

    Args:
        folder: where they are kept; None keeps nothing.
    """

    def __init__(self, folder: str | os.PathLike[str] | None) -> None:
        self.folder = None if folder is None else Path(folder)

    def path(self, about: Mapping[str, object]) -> Path:
        """The file of the settings ``about``; ``folder`` must not be None."""
        assert self.folder is not None
        return self.folder / f"{name_of(about)}.npz"

    def clear(self) -> None:
        """Remove all files that were named by :meth:`path`, and no others."""
        for path in self.folder.glob("*.npz") if self.folder is not None else ():
            if len(path.stem) == DIGITS:
                path.unlink(missing_ok=True)

    def has(self, about: Mapping[str, object]) -> bool:
        """Whether there is a file of these settings."""
        return self.folder is not None and self.path(about).is_file()

    def of(
        self,
        about: Mapping[str, object],
        measure: Callable[[], dict[str, np.ndarray]],
        like: Mapping[str, tuple[str, tuple[int | None, ...]]],
    ) -> dict[str, np.ndarray]:
        """The arrays of the file, if it is whole and fits ``like``; else they are measured now and saved.

        Args:
            like: for each name the allowed kinds of ``dtype.kind``, and its shape; None is any length.

        Raises:
            OSError: the folder cannot be written.
        """
        if self.folder is None:
            return measure()
        path = self.path(about)
        with suppress(OSError, ArrayFileError):
            held = read_kept(path)
            if held.keys() == like.keys() and all(_fits(held[name], *like[name]) for name in like):
                return held
        arrays = measure()
        write_arrays(path, arrays)
        return arrays


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write arrays as ``.npz``, whole or not at all.

    Raises:
        OSError: the file cannot be written.
    """
    with whole_file(path) as part, open(part, "wb") as stream:
        np.savez(stream, **arrays)  # type: ignore[arg-type]  # no array has the name of an option of savez


def _fits(array: np.ndarray, kinds: str, shape: tuple[int | None, ...]) -> bool:
    if array.dtype.kind not in kinds or array.ndim != len(shape):
        return False
    if any(wanted not in (None, found) for found, wanted in zip(array.shape, shape)):
        return False
    return array.dtype.kind != "f" or bool(np.isfinite(array).all())


def name_of(about: Mapping[str, object]) -> str:
    """A digest of ``about``, which must be JSON values."""
    text = json.dumps({"version": VERSION, **about}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:DIGITS]


def digest_of(*arrays: np.ndarray) -> str:
    """A digest of arrays, their types and shapes."""
    found = hashlib.sha256()
    for array in arrays:
        array = np.ascontiguousarray(array)
        found.update(f"{array.dtype}{array.shape}".encode() + array.tobytes())
    return found.hexdigest()[:DIGITS]
