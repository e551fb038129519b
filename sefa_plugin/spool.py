"""Replay frames in another order without rendering or holding them again."""

from __future__ import annotations

import tempfile
import zlib
from collections.abc import Iterable, Iterator, Sequence

import numpy as np


def replay(frames: Iterable[np.ndarray], order: Sequence[int]) -> Iterator[np.ndarray]:
    """Yield distinct frames in the given order, pulling each from ``frames`` once.

    Frames that are needed again are packed into a temporary file without a name, so that memory does
    not grow with their number.

    Args:
        frames: distinct frames, uint8 ``[H, W, C]``.
        order: for every frame of the result the index of a distinct one; a frame may come only after
            all those before it have.

    Raises:
        ValueError: ``order`` skips ahead, or ``frames`` ends early.
    """
    order = list(order)
    last = {index: place for place, index in enumerate(order)}
    source = iter(frames)
    held: dict[int, tuple[int, int, tuple[int, ...]]] = {}
    pulled = 0
    with tempfile.TemporaryFile(prefix="sefa-") as file:
        for place, index in enumerate(order):
            if index == pulled:
                frame = next(source, None)
                if frame is None:
                    raise ValueError(f"{pulled} frames came, frame {index} was wanted")
                pulled += 1
                if last[index] > place:
                    packed = zlib.compress(np.ascontiguousarray(frame).data, 1)
                    file.seek(0, 2)
                    held[index] = (file.tell(), len(packed), frame.shape)
                    file.write(packed)
                yield frame
            elif index in held:
                start, length, shape = held[index]
                file.seek(start)
                yield np.frombuffer(zlib.decompress(file.read(length)), np.uint8).reshape(shape)
            else:
                raise ValueError(f"frame {index} is wanted before frame {pulled}")
