"""Rendered frames kept for a second use, as long as there is room."""

from __future__ import annotations

from collections.abc import Hashable

import numpy as np

from .spool import Spool

ROOM = 2 << 30  # bytes of temporary file, packed; what comes later is rendered again


class FrameStore:
    """Frames by key in a temporary file. A full one takes no more and says nothing: it only saves time."""

    def __init__(self, room: int = ROOM) -> None:
        self._spool = Spool()
        self._places: dict[Hashable, int] = {}
        self._room = room

    def __enter__(self) -> FrameStore:
        self._spool.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._spool.__exit__(*error)

    def __contains__(self, key: Hashable) -> bool:
        return key in self._places

    def put(self, key: Hashable, frame: np.ndarray) -> None:
        """Keep a frame, uint8 ``[H, W, C]``, if there is room."""
        if key in self._places or self._spool.size > self._room:
            return
        try:
            self._spool.append(frame)
        except OSError:  # the temporary folder is full: as full as our own limit
            self._room = -1
            return
        self._places[key] = len(self._spool) - 1

    def get(self, key: Hashable) -> np.ndarray:
        """A frame that was kept. Raises KeyError if it was not."""
        return self._spool[self._places[key]]
