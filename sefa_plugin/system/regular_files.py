"""Regular files (no pipes or devices): opened, mapped, and checked for changes while they are read."""

from __future__ import annotations

import errno
import mmap
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO


def open_regular(path: str | os.PathLike[str]) -> BinaryIO:
    """Open a file for reading bytes.

    Raises:
        OSError: it cannot be read, or is no regular file.
    """
    try:
        mode = os.stat(path).st_mode
    except ValueError as error:  # a name with a NUL
        raise OSError(errno.EINVAL, str(error), os.fspath(path)) from None
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), os.fspath(path))
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "it is a pipe or a device, and no regular file", os.fspath(path))
    return open(path, "rb")


def mapped(path: str | os.PathLike[str], error: type[Exception]) -> mmap.mmap:
    """Map a file into memory; bytes are read on access.

    Raises:
        error: it cannot be read, is no regular file, or is empty; one line.
    """
    with reading(path, error), open_regular(path) as file:
        if os.fstat(file.fileno()).st_size == 0:
            raise error(f"{path}: the file is empty; download or copy it again")
        try:
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except ValueError as reason:  # truncated since
            raise error(f"{path}: cannot be read ({reason})") from None


@contextmanager
def reading(path: str | os.PathLike[str], error: type[Exception]) -> Iterator[None]:
    """Raise an ``OSError`` within the block as an ``error`` of one line."""
    try:
        yield
    except FileNotFoundError:
        raise error(f"{path}: no such file") from None
    except IsADirectoryError:
        raise error(f"{path}: is a folder; name a file in it") from None
    except OSError as reason:
        raise error(f"{path}: cannot be read ({reason.strerror or reason})") from None


class Stamp:
    """Inode, size and modification time of a file when it was opened.

    Raises:
        OSError: it is not there.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = path
        self._then = self._now()

    def _now(self) -> tuple[int, int, int, int]:
        now = os.stat(self._path)
        return now.st_dev, now.st_ino, now.st_size, now.st_mtime_ns

    def is_changed(self) -> bool:
        """Whether it was modified in place. A removed or replaced file counts as unchanged: its mapping stays valid."""
        try:
            now = self._now()
        except OSError:
            return False
        return now[:2] == self._then[:2] and now != self._then
