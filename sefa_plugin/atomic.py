"""An output appears whole or not at all: it is written beside its place and then moved there."""

from __future__ import annotations

import errno
import itertools
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

TRIES = 10  # on Windows a virus scanner or a dying process holds a new file for a moment
WAIT = 0.05  # seconds between them
_count = itertools.count()


def _place(path: str | os.PathLike) -> Path:
    """The path itself, links followed (a linked output stays a link), the folders above it made."""
    target = Path(os.path.realpath(path))
    target.parent.mkdir(parents=True, exist_ok=True)
    return target


def _beside(target: Path, what: str) -> Path:
    """A hidden sibling, new at each call, that keeps the suffix: writers choose their format by it."""
    # 40 characters of the name, so that even names at the file system's limit leave room for the rest.
    return target.with_name(f".{target.name[:40]}.{what}-{os.getpid()}-{next(_count)}{target.suffix}")


def _patiently(action, *args) -> None:
    """Do it; where Windows says that somebody holds the file, try again for half a second."""
    for left in reversed(range(TRIES)):
        try:
            return action(*args)
        except PermissionError:
            if os.name != "nt" or not left:
                raise
            time.sleep(WAIT)


@contextmanager
def whole_file(path: str | os.PathLike) -> Iterator[Path]:
    """Give a path to write to; it becomes ``path`` if the block succeeds and is removed if it does not.

    The path given lies beside ``path`` and has its suffix; nothing is there yet, and whatever is there
    at the end must be closed. Folders above are made. An older file stays until the new one replaces it.

    Raises:
        OSError: the place cannot be written, or is a folder.
    """
    target = _place(path)
    if target.is_dir():  # say so before the work, not after it
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    part = _beside(target, "part")
    try:
        yield part
        _patiently(os.replace, part, target)
    except BaseException:  # Ctrl-C too
        with suppress(OSError):
            _patiently(os.unlink, part)
        raise


@contextmanager
def whole_folder(path: str | os.PathLike) -> Iterator[Path]:
    """Give an empty folder to fill; it becomes ``path`` if the block succeeds, and goes if it does not.

    An older folder stays as it was until the new one is complete, and is back if the exchange fails;
    nothing of it is kept beside the new files.

    Raises:
        OSError: the place cannot be written, or is a file.
    """
    target = _place(path)
    if target.exists() and not target.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path))
    part, old = _beside(target, "part"), _beside(target, "old")
    part.mkdir()
    try:
        yield part
        if target.exists():
            _patiently(os.rename, target, old)
        _patiently(os.rename, part, target)
    except BaseException:
        if old.exists() and not target.exists():
            _patiently(os.rename, old, target)
        shutil.rmtree(part, ignore_errors=True)
        raise
    shutil.rmtree(old, ignore_errors=True)
