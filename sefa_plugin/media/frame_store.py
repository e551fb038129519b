"""Frames in a compressed temporary file, by index or by key."""

from __future__ import annotations

import tempfile
import zlib
from collections.abc import Hashable, Iterable, Iterator, Sequence

import numpy as np

LEVEL = 1  # of zlib: the fastest, since rendering waits for it and the file is temporary


class FrameList:
    """A list of uint8 frames in an unnamed temporary file; memory does not grow with its length.

    Attributes:
        size: bytes of the file.

    Raises:
        OSError: the temporary folder is full or cannot be written.
    """

    def __init__(self) -> None:
        # Unbuffered: after a full disk, the rest of a buffer would fail again at each later call.
        self._file = tempfile.TemporaryFile(prefix="sefa-", buffering=0)  # noqa: SIM115, closed by __exit__
        self._places: list[tuple[int, int, tuple[int, ...]]] = []  # offset, bytes, shape
        self.size = 0

    def __enter__(self) -> FrameList:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()

    def __len__(self) -> int:
        return len(self._places)

    def append(self, frame: np.ndarray) -> None:
        """Add a frame, uint8 ``[H, W, C]``.

        Raises:
            OSError: there is no room for it; earlier frames are unchanged.
        """
        packed = zlib.compress(np.ascontiguousarray(frame).data, LEVEL)
        left = memoryview(packed)
        try:
            self._file.seek(self.size)
            while left:
                left = left[self._file.write(left) :]
        except OSError as error:
            where = f"{tempfile.gettempdir()} (temporary files; TMPDIR chooses another folder)"
            raise OSError(error.errno, error.strerror, where) from None
        self._places.append((self.size, len(packed), frame.shape))
        self.size += len(packed)

    def __getitem__(self, index: int) -> np.ndarray:
        """A new array, read-only, equal to the frame. Raises IndexError if there is none."""
        start, length, shape = self._places[index]
        self._file.seek(start)
        packed = self._file.read(length)
        return np.frombuffer(zlib.decompress(packed), np.uint8).reshape(shape)


def replay(frames: Iterable[np.ndarray], order: Sequence[int]) -> Iterator[np.ndarray]:
    """Yield distinct frames in the given order, reading each from ``frames`` once, when it is first needed.

    Only frames that ``order`` repeats are kept. A loop from low to high and back over n distinct
    frames is ``[*range(n), *range(n - 2, 0, -1)]``.

    Args:
        frames: distinct frames, uint8 ``[H, W, C]``; those that are not in ``order`` are not read.
        order: for every frame of the result the index of a distinct one; a frame may come only after
            all those before it have.

    Raises:
        ValueError: ``order`` skips ahead, or ``frames`` ends early.
    """
    source = iter(frames)
    last = {index: position for position, index in enumerate(order)}
    kept: dict[int, int] = {}  # frame: its index in ``held``
    count = 0  # frames read
    with FrameList() as held:
        for position, index in enumerate(order):
            if index < count:
                yield held[kept[index]]
                continue
            frame = next(source, None) if index == count else None
            if frame is None:
                raise ValueError(f"{count} frames came, frame {index} was wanted")
            count += 1
            if last[index] > position:
                kept[index] = len(held)
                held.append(frame)
            yield frame


ROOM = 2 << 30  # bytes of temporary file, packed; what comes later is rendered again


class FrameStore:
    """Frames by key in a temporary file. ``put`` does nothing where it is full: it only saves time."""

    def __init__(self, room: int = ROOM) -> None:
        self._list = FrameList()
        self._places: dict[Hashable, int] = {}
        self._room = room

    def __enter__(self) -> FrameStore:
        self._list.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._list.__exit__(*error)

    def __contains__(self, key: Hashable) -> bool:
        return key in self._places

    def put(self, key: Hashable, frame: np.ndarray) -> None:
        """Keep a frame, uint8 ``[H, W, C]``, if there is room."""
        if key in self._places or self._list.size > self._room:
            return
        try:
            self._list.append(frame)
        except OSError:  # the temporary folder is full: store no further frames
            self._room = -1
            return
        self._places[key] = len(self._list) - 1

    def get(self, key: Hashable) -> np.ndarray:
        """A frame that was kept. Raises KeyError if it was not."""
        return self._list[self._places[key]]
