"""Frames that a loop shows again, kept on disk: each is rendered once, and memory does not grow."""

from __future__ import annotations

import tempfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from types import TracebackType

import numpy as np

LEVEL = 1  # of zlib: rendering waits for this, and the file lives for seconds


class FrameStore:
    """A list of arrays in a temporary file without a name, which is gone when it is closed.

    Raises:
        OSError: the temporary folder is full or cannot be written.
    """

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(prefix="sefa-")
        self._end = 0
        self._held: list[tuple[int, int, tuple[int, ...], np.dtype]] = []  # offset, bytes, shape, dtype

    def __len__(self) -> int:
        return len(self._held)

    def append(self, frame: np.ndarray) -> int:
        """Keep a copy of an array of any shape and dtype; give its index."""
        packed = zlib.compress(np.ascontiguousarray(frame).tobytes(), LEVEL)
        self._file.seek(self._end)
        self._file.write(packed)
        self._held.append((self._end, len(packed), frame.shape, frame.dtype))
        self._end += len(packed)
        return len(self._held) - 1

    def __getitem__(self, index: int) -> np.ndarray:
        """A new array, equal to the one that was kept. Raises IndexError if there is none."""
        offset, size, shape, dtype = self._held[index]
        self._file.seek(offset)
        return np.frombuffer(zlib.decompress(self._file.read(size)), dtype).reshape(shape).copy()

    def close(self) -> None:
        """Give the disk space back."""
        self._file.close()

    def __enter__(self) -> FrameStore:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def spool(frames: Iterable[np.ndarray], order: Sequence[int]) -> Iterator[np.ndarray]:
    """Replay distinct frames in a given order, pulling each from ``frames`` once.

    A frame is passed on as soon as it is rendered; only those that ``order`` comes back to are kept,
    compressed, in a temporary file. A loop from low to high and back over n distinct frames is
    ``[*range(n), *range(n - 2, 0, -1)]``.

    Args:
        frames: the distinct frames, arrays of any shape, in the order in which they are rendered.
        order: indices into them. An index may come once all smaller ones have come; again at any time.

    Returns:
        The frames, one per entry of ``order``; not the array that is kept, so they may be written to.
        Frames beyond the largest index are not rendered. Closing it closes ``frames``.

    Raises:
        ValueError: ``order`` skips a frame (at once), or ``frames`` ends too early (when it does).
    """
    order = [int(index) for index in order]
    new = 0
    for position, index in enumerate(order):
        if not 0 <= index <= new:
            raise ValueError(f"order[{position}] asks for frame {index} while frame {new} is the next new one")
        new += index == new
    return _replay(frames, order)


def _replay(frames: Iterable[np.ndarray], order: list[int]) -> Iterator[np.ndarray]:
    again = {index for index, times in zip(*np.unique(order, return_counts=True)) if times > 1}
    source, kept, new = iter(frames), {}, 0
    with FrameStore() as store:
        try:
            for index in order:
                if index < new:
                    yield store[kept[index]]
                    continue
                try:
                    frame = next(source)
                except StopIteration:
                    raise ValueError(f"the order asks for frame {index}, but only {new} were rendered") from None
                if index in again:
                    kept[index] = store.append(frame)
                new += 1
                yield frame
        finally:
            if hasattr(source, "close"):
                source.close()
