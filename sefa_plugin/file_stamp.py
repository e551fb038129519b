"""Whether a file that is still being read has been written to meanwhile."""

from __future__ import annotations

import os


class Stamp:
    """What a file was when it was opened.

    Raises:
        OSError: it is not there.
    """

    def __init__(self, path: str | os.PathLike) -> None:
        self._path = path
        self._then = self._now()

    def _now(self) -> tuple[int, int, int, int]:
        now = os.stat(self._path)
        return now.st_dev, now.st_ino, now.st_size, now.st_mtime_ns

    def is_changed(self) -> bool:
        """Whether it was written to in place. One that was removed, or replaced by another, is still read as it was."""
        try:
            now = self._now()
        except OSError:
            return False
        return now[:2] == self._then[:2] and now != self._then
