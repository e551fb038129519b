"""Frames kept on disk: to replay them without rendering or holding them again."""

from __future__ import annotations

import tempfile
import zlib
from collections.abc import Iterable, Iterator, Sequence

import numpy as np


class Spool:
    """A list of uint8 frames in a temporary file that has no name; memory does not grow with it."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(prefix="sefa-")
        self._places: list[tuple[int, int, tuple[int, ...]]] = []

    def __enter__(self) -> Spool:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()

    def __len__(self) -> int:
        return len(self._places)

    def append(self, frame: np.ndarray) -> None:
        """Add a frame, uint8 ``[H, W, C]``."""
        packed = zlib.compress(np.ascontiguousarray(frame).data, 1)
        start = self._file.seek(0, 2)
        self._file.write(packed)
        self._places.append((start, len(packed), frame.shape))

    def __getitem__(self, index: int) -> np.ndarray:
        start, length, shape = self._places[index]
        self._file.seek(start)
        return np.frombuffer(zlib.decompress(self._file.read(length)), np.uint8).reshape(shape)


def replay(frames: Iterable[np.ndarray], order: Sequence[int]) -> Iterator[np.ndarray]:
    """Yield distinct frames in the given order, pulling each from ``frames`` once.

    Args:
        frames: distinct frames, uint8 ``[H, W, C]``.
        order: for every frame of the result the index of a distinct one; a frame may come only after
            all those before it have.

    Raises:
        ValueError: ``order`` skips ahead, or ``frames`` ends early.
    """
    source = iter(frames)
    repeats = len(set(order)) < len(order)
    pulled = 0
    with Spool() as spool:
        for index in order:
            if index == pulled:
                frame = next(source, None)
                if frame is None:
                    raise ValueError(f"{pulled} frames came, frame {index} was wanted")
                pulled += 1
                if repeats:
                    spool.append(frame)
                yield frame
            elif index < len(spool):
                yield spool[index]
            else:
                raise ValueError(f"frame {index} is wanted before frame {pulled}")
