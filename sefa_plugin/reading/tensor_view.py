"""A tensor of a file: its type, shape and strides over bytes that are read when they are used."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import mmap

    import numpy.typing as npt

    Bytes = bytes | memoryview | mmap.mmap  # of a file, in memory or mapped into it
    Array = npt.NDArray[Any]  # the file chooses the element type

MAX_DIMENSIONS = 16
# element type -> (bytes per element, NumPy's code; none for bfloat16, which is converted to float32)
ELEMENT_TYPES = {
    "float16": (2, "<f2"),
    "float32": (4, "<f4"),
    "float64": (8, "<f8"),
    "bfloat16": (2, ""),
    "int8": (1, "<i1"),
    "int16": (2, "<i2"),
    "int32": (4, "<i4"),
    "int64": (8, "<i8"),
    "uint8": (1, "<u1"),
    "uint16": (2, "<u2"),
    "uint32": (4, "<u4"),
    "uint64": (8, "<u8"),
    "bool": (1, "|b1"),
    "complex64": (8, "<c8"),
    "complex128": (16, "<c16"),
}


class TensorError(Exception):
    """A tensor's declared type, shape, strides and bytes do not agree."""


def contiguous_strides(shape: Sequence[int]) -> tuple[int, ...]:
    """Strides in elements of an array in C order."""
    strides, step = [], 1
    for length in reversed(shape):
        strides.append(step)
        step *= max(length, 1)
    return tuple(reversed(strides))


def _whole(values: object, what: str) -> tuple[int, ...]:
    if not isinstance(values, (tuple, list)) or not all(type(v) is int and 0 <= v < 2**62 for v in values):
        raise TensorError(f"{what} is not a list of whole numbers from 0 on")
    if len(values) > MAX_DIMENSIONS:
        raise TensorError(f"{what} has {len(values)} entries, at most {MAX_DIMENSIONS} are read")
    return tuple(values)


@dataclass(frozen=True, eq=False)
class TensorView:
    """A read-only view, checked when it is made; no memory is allocated before :meth:`numpy`.

    Attributes:
        dtype: a key of ``ELEMENT_TYPES``.
        shape: lengths of the axes.
        strides: steps along the axes, in elements.
        offset: first element, in elements from the start of ``data``.
        data: the bytes of the storage, little-endian.

    Raises:
        TensorError: shape, strides and offset are inconsistent, elements overlap, or the storage is too small.
    """

    dtype: str
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    offset: int
    data: Bytes

    def __post_init__(self) -> None:
        if self.dtype not in ELEMENT_TYPES:
            raise TensorError(f"element type {self.dtype!r} is not known")
        shape, strides = _whole(self.shape, "the shape"), _whole(self.strides, "the strides")
        (offset,) = _whole((self.offset,), "the offset")
        if len(shape) != len(strides):
            raise TensorError(f"{len(shape)} axes but {len(strides)} strides")
        object.__setattr__(self, "shape", shape)
        object.__setattr__(self, "strides", strides)
        held = len(self.data) // ELEMENT_TYPES[self.dtype][0]
        if 0 in shape:
            if math.prod(length for length in shape if length) >= 2**48:  # NumPy refuses it although it is empty
                raise TensorError(f"shape {shape} is empty, and too large")
            if offset > held:
                raise TensorError(f"starts at element {offset} of a storage of {held}")
            return
        reach = 1  # elements covered by the axes seen so far, fastest first: an axis must step beyond them
        for step, length in sorted((s, n) for s, n in zip(strides, shape) if n > 1):
            if step < reach:
                raise TensorError(f"shape {shape} with strides {strides} uses elements more than once")
            reach = step * (length - 1) + reach
        if offset + reach > held:
            raise TensorError(f"shape {shape} from element {offset} on needs more than the {held} stored")

    @property
    def size(self) -> int:
        """Number of elements."""
        count = 1
        for length in self.shape:
            count *= length
        return count

    @property
    def nbytes(self) -> int:
        """Bytes that the elements take, as stored."""
        return self.size * ELEMENT_TYPES[self.dtype][0]

    def in_place(self) -> Array:
        """The elements as a read-only NumPy array over the bytes of the file (bfloat16: a float32 copy)."""
        import numpy as np

        width, code = ELEMENT_TYPES[self.dtype]
        stored: Array = np.ndarray(
            self.shape,
            np.dtype(code or "<u2"),
            buffer=self.data if self.size else b"",
            offset=self.offset * width if self.size else 0,
            strides=tuple(step * width for step in self.strides) if self.size else None,
        )
        if self.dtype == "bfloat16":  # the upper half of a float32
            stored = np.ascontiguousarray(stored.astype("<u4") << np.uint32(16)).view("<f4").reshape(self.shape)
        stored.flags.writeable = False
        return stored

    def numpy(self) -> Array:
        """Copy the elements into a new C-ordered NumPy array (bfloat16 becomes float32)."""
        import numpy as np

        return np.array(self.in_place(), order="C")

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> Array:
        array = self.numpy()
        return array if dtype is None else array.astype(dtype)


def in_place(tensor: TensorView | Array) -> Array:
    """The elements of a view or of an array, without a copy where none is needed; not to be written to."""
    import numpy as np

    return tensor.in_place() if isinstance(tensor, TensorView) else np.asarray(tensor)
