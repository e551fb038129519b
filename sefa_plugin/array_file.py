"""NumPy's files, ``.npy`` and ``.npz``: floating point arrays, checked before a byte of them is unfolded.

A header may promise any size, and a packed archive may hold a thousand times its own; so shape and type are read
first, and no more than what they promise, up to a limit.
"""

from __future__ import annotations

import math
import os
import struct
import zipfile
import zlib
from collections.abc import Iterable, Sequence
from typing import Any, BinaryIO

import numpy as np

MAX_NUMBERS = 1 << 26  # of one file; 512 MB as float64
MAX_ARRAYS = 1000
_TORN = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, KeyError, NotImplementedError, RuntimeError)


class ArrayFileError(Exception):
    """A file of arrays that is broken or holds something else; the message names no file."""


class ArrayFile:
    """The arrays of a file, each read when it is asked for; an ``.npy`` holds one, by the name ''.

    Args:
        path: the file.

    Raises:
        ArrayFileError: it is no file of arrays.
        OSError: it cannot be read.
    """

    def __init__(self, path: str | os.PathLike) -> None:
        self.path = os.fspath(path)
        with open(self.path, "rb") as stream:
            magic = stream.read(6)
            packed = magic[:4] == b"PK\x03\x04"
            if not packed and magic != b"\x93NUMPY":
                raise ArrayFileError("is no NumPy file (.npy, .npz)")
            if packed:
                try:
                    members = zipfile.ZipFile(stream).namelist()
                except (*_TORN, ValueError) as error:
                    raise ArrayFileError(f"is a broken .npz ({_short(error)})") from None
                self.names = [name[:-4] for name in members if name.endswith(".npy")]
                if not self.names or len(self.names) > MAX_ARRAYS:
                    raise ArrayFileError(f"is an archive of {len(self.names)} arrays, expected an .npz")
            else:
                self.names = [""]

    def __contains__(self, name: str) -> bool:
        return name in self.names

    def read(self, name: str, kinds: str = "fiu") -> np.ndarray:
        """Give an array as float64.

        Args:
            name: of the array.
            kinds: NumPy's letters for the types that are taken: ``f`` floating point, ``i`` and ``u`` whole numbers.

        Raises:
            ArrayFileError: it is no array of numbers, is cut short, is too large, or holds NaN or infinity.
            OSError: the file cannot be read.
        """
        with open(self.path, "rb") as stream:
            if not name and self.names == [""]:
                return _array(stream, "the array", kinds)
            try:
                with zipfile.ZipFile(stream) as archive, archive.open(f"{name}.npy") as member:
                    return _array(member, f"{name!r:.40}", kinds)
            except (*_TORN, ValueError) as error:
                raise ArrayFileError(f"is a broken .npz ({_short(error)})") from None


def _short(error: BaseException) -> str:
    return " ".join(str(error).split())[:100]


def _array(stream: Any, what: str, kinds: str) -> np.ndarray:
    shape, fortran, kind = _header(stream, what)
    _check_kind(kind, what, kinds)
    check_size([shape], what)
    size = math.prod(shape) * kind.itemsize
    data = _exactly(stream, size)
    if len(data) != size:
        raise ArrayFileError(f"{what} is cut short: {len(data)} of {size} bytes")
    array = np.frombuffer(data, dtype=kind).reshape(shape, order="F" if fortran else "C")
    return numbers(array, what, kinds)


def check_size(shapes: Iterable[Sequence[int]], what: str) -> None:
    """Refuse arrays of so many numbers that memory could not hold them.

    Raises:
        ArrayFileError: they are too many.
    """
    shapes = list(shapes)
    if sum(map(math.prod, shapes)) > MAX_NUMBERS:
        raise ArrayFileError(f"{what} is {str([list(shape) for shape in shapes])[1:-1]:.60} large, more than is read")


def _check_kind(kind: np.dtype, what: str, kinds: str) -> None:
    if kind.hasobject or kind.kind not in kinds:
        wanted = "numbers" if "i" in kinds else "floating point numbers"
        raise ArrayFileError(f"{what} holds {str(kind)[:40]}, not {wanted}")


def numbers(array: Any, what: str, kinds: str = "fiu") -> np.ndarray:
    """An array as float64, in C order.

    Raises:
        ArrayFileError: it holds no real numbers, or some that float32 cannot hold.
    """
    array = np.asarray(array)
    _check_kind(array.dtype, what, kinds)
    array = np.array(array, dtype=np.float64, order="C")
    if not (np.abs(array) <= np.finfo(np.float32).max).all():  # NaN compares as false
        raise ArrayFileError(f"{what} holds NaN or infinity")
    return array


def _header(stream: BinaryIO, what: str) -> tuple[tuple[int, ...], bool, np.dtype]:
    readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    try:
        version = np.lib.format.read_magic(stream)
        if version not in readers:
            raise ArrayFileError(f"{what} is of .npy version {version}, which is not known")
        shape, fortran, kind = readers[version](stream)
    except ArrayFileError:
        raise
    except Exception as error:  # NumPy reads the header with Python's parser, which fails in many ways
        raise ArrayFileError(f"{what} is no array ({_short(error)})") from None
    if not all(type(length) is int and length >= 0 for length in shape):
        raise ArrayFileError(f"{what} has the shape {str(shape):.60}")
    return shape, fortran, kind


def _exactly(stream: BinaryIO, size: int) -> bytes:
    """Up to ``size`` bytes, in pieces: what is promised is not taken from memory before it is there."""
    parts, left = [], size
    while left:
        part = stream.read(min(left, 1 << 20))
        if not part:
            break
        parts.append(part)
        left -= len(part)
    return b"".join(parts)
