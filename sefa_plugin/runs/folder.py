"""The output folder, checked before any work; errors that name the output."""

from __future__ import annotations

import errno
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ..system.whole_files import keep_inside, sweep

FOLDERS = ("sheets", "videos", "evaluate", "evaluate/parts")  # in an output folder


class Reporter(Protocol):
    """Receives lines for the log, the amount of work, and progress."""

    def say(self, text: str) -> None:
        """One line for the log."""

    def expect(self, pictures: int) -> None:
        """How many pictures will be rendered."""

    def advance(self, pictures: int) -> None:
        """Some pictures are done."""


class Silent:
    """A :class:`Reporter` that prints nothing."""

    def say(self, text: str) -> None:
        """Nothing."""

    def expect(self, pictures: int) -> None:
        """Nothing."""

    def advance(self, pictures: int) -> None:
        """Nothing."""


@dataclass(frozen=True)
class Made:
    """The outputs of a run.

    Attributes:
        outdir: the folder.
        names: paths of the outputs that were made, relative to it.
        kept: how many were up to date.
    """

    outdir: Path
    names: tuple[str, ...]
    kept: int


@contextmanager
def named(path: Path) -> Iterator[None]:
    """Add the path of the output to an ``OSError`` without one (a full disk)."""
    try:
        yield
    except OSError as error:
        error.filename = error.filename or str(path)
        raise


def output_folder(outdir: str | None, name: str) -> Path:
    """Where outputs go: ``outdir``, or ``sefa-out/<network>``."""
    return Path(outdir) if outdir else Path("sefa-out") / name


def check_folder(path: Path) -> None:
    """Create the folder and check that it can be written, before any work is done.

    Unfinished files of killed runs are removed. From here on, files of this folder are written only inside it.

    Raises:
        OSError: it cannot be written.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        what = "is a link that leads nowhere" if path.is_symlink() else "is a file, and no folder"
        raise NotADirectoryError(errno.ENOTDIR, what, str(path)) from None
    keep_inside(path)
    for folder in [path, *(path / name for name in FOLDERS)]:
        sweep(folder)
    try:
        with tempfile.TemporaryFile(prefix=".sefa-", dir=path, buffering=0) as probe:
            left = memoryview(bytes(4096))  # on a full disk an empty file can still be written
            while left:
                left = left[probe.write(left) :]
    except OSError as error:
        error.filename = str(path)
        raise
