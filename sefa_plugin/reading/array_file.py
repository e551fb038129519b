"""NumPy's files, ``.npy`` and ``.npz``: arrays of numbers, read by NumPy after their sizes are checked.

A header may declare any shape, and a member of an archive may decompress to a thousand times its size. So the shape is
compared with the member's size, and that (from the archive's index) with the file's.
"""

from __future__ import annotations

import math
import mmap
import os
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.lib import format as npy

from ..system.messages import shown
from ..system.regular_files import open_regular
from .zip_file import open_zip

if TYPE_CHECKING:
    import numpy.typing as npt

    from .tensor_view import Array

    Float64 = npt.NDArray[np.float64]

MAX_NUMBERS = 1 << 26  # of one file; 512 MB as float64
MAX_ARRAYS = 1000
MAX_UNFOLDING = 100  # highest ratio of a compressed array to its file; floating point numbers compress little
FEW_BYTES = 1 << 21  # up to which the ratio is not checked
_PACKED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # the methods that NumPy writes


class ArrayFileError(Exception):
    """A file is not a valid file of arrays; the message does not name it."""


class ArrayFile:
    """The arrays of a file, each read only by :meth:`read`; an ``.npy`` holds one, by the name ''.

    Args:
        path: the file.

    Raises:
        ArrayFileError: it is no file of arrays.
        OSError: it cannot be read.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.fspath(path)
        self.others: list[str] = []  # members that are no arrays
        with open_regular(self.path) as stream, _one_line():
            magic = stream.read(6)
            if magic[:4] == b"PK\x03\x04":
                members = _archive(stream).namelist()
                self.names = [name[:-4] for name in members if name.endswith(".npy")]
                self.others = [name for name in members if not name.endswith(".npy")]
                if not self.names or len(self.names) > MAX_ARRAYS:
                    raise ArrayFileError(f"is an archive of {len(self.names)} arrays, expected an .npz")
            elif magic == b"\x93NUMPY":
                self.names = [""]
            else:
                raise ArrayFileError("is no NumPy file (.npy, .npz)")

    def __contains__(self, name: str) -> bool:
        return name in self.names

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of an array, from its header.

        Raises:
            ArrayFileError: its header is broken.
            OSError: the file cannot be read.
        """
        with self._part(name) as part:
            return _header(part)[0]

    def pickled(self, name: str) -> tuple[bytes, int]:
        """The bytes of an array of objects with its header, and where its pickle begins.

        Raises:
            ArrayFileError: it is larger than is read.
            OSError: the file cannot be read.
        """
        with open_regular(self.path) as stream, _one_line():
            size = os.fstat(stream.fileno()).st_size
            member = None if not name and self.names == [""] else _member(_archive(stream), name, size)
            if (size if member is None else member.file_size) > 8 * MAX_NUMBERS:
                raise ArrayFileError("its pickle is larger than is read")
            with stream if member is None else _archive(stream).open(member) as part:
                _header(part)
                start = part.tell()
                part.seek(0)
                return part.read(), start

    @contextmanager
    def _part(self, name: str) -> Iterator[IO[bytes]]:
        with open_regular(self.path) as stream, _one_line():
            if not name and self.names == [""]:
                yield stream
                return
            archive = _archive(stream)
            with archive.open(_member(archive, name, os.fstat(stream.fileno()).st_size)) as part:
                yield part

    def holds_objects(self, name: str) -> bool:
        """Whether an array is one of Python objects, which NumPy pickles.

        Raises:
            ArrayFileError: its header is broken.
            OSError: the file cannot be read.
        """
        with self._part(name) as part:
            return _header(part)[1].hasobject

    def read(self, name: str, kinds: str = "fiu") -> Float64:
        """Give an array as float64.

        Args:
            name: of the array.
            kinds: accepted kinds of dtype: ``f`` floating point, ``i`` and ``u`` whole numbers.

        Raises:
            ArrayFileError: it is no array of numbers, is cut short, is too large, or holds NaN or infinity.
            OSError: the file cannot be read.
        """
        with open_regular(self.path) as stream, _one_line():
            size = os.fstat(stream.fileno()).st_size
            if not name and self.names == [""]:
                return numbers(_array(stream, size, "the array", MAX_NUMBERS), "the array", kinds)
            archive, what = _archive(stream), f"{name!r:.40}"
            member = _member(archive, name, size)
            with archive.open(member) as part:
                return numbers(_array(part, member.file_size, what, MAX_NUMBERS), what, kinds)


def read_kept(path: str | os.PathLike[str]) -> dict[str, Array]:
    """Every array of an ``.npz`` of ``numpy.savez`` with its own type: numbers, booleans and texts.

    Such files are not compressed, so memory is bounded by the file's size.

    Raises:
        ArrayFileError: it is something else.
        OSError: it cannot be read.
    """
    held: dict[str, Array] = {}
    with open_regular(path) as stream, _one_line():
        archive, left = _archive(stream), os.fstat(stream.fileno()).st_size
        for member in archive.infolist():
            left -= member.file_size
            if member.compress_type != zipfile.ZIP_STORED or left < 0 or member.filename[-4:] != ".npy":
                raise ArrayFileError("is no .npz that numpy.savez has written")
            with archive.open(member) as part:
                held[member.filename[:-4]] = _array(part, member.file_size, f"{member.filename!r:.40}")
    return held


@contextmanager
def _one_line() -> Iterator[None]:
    """Raise the errors of NumPy and ``zipfile`` about a broken file as :class:`ArrayFileError`."""
    try:
        yield
    except (ArrayFileError, OSError):
        raise
    except Exception as error:
        raise ArrayFileError(
            f"is no NumPy file that can be read ({shown(' '.join(str(error).split()), 120)})"
        ) from None


def _archive(stream: BinaryIO) -> zipfile.ZipFile:
    return open_zip(mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ))


def _member(archive: zipfile.ZipFile, name: str, size: int) -> zipfile.ZipInfo:
    """The member of an array, in an archive of ``size`` bytes."""
    member = archive.getinfo(f"{name}.npy")
    if member.compress_type not in _PACKED:
        raise ArrayFileError("is an .npz that is packed in a way that NumPy does not")
    if member.file_size > max(FEW_BYTES, MAX_UNFOLDING * size):
        raise ArrayFileError(f"{name!r:.40} unfolds to over {MAX_UNFOLDING} times the size of the file")
    return member


def _header(stream: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Shape and type."""
    read_header = npy.read_array_header_1_0 if npy.read_magic(stream) == (1, 0) else npy.read_array_header_2_0
    shape, _, kind = read_header(stream)
    return shape, kind


def _array(stream: IO[bytes], size: int, what: str, most: float = math.inf) -> Array:
    """An array of at most ``most`` numbers, whose file has ``size`` bytes."""
    shape, kind = _header(stream)
    check_size([shape], what, most)
    whole = min(shape, default=0) >= 0 and math.prod(shape) * kind.itemsize <= size - stream.tell()
    if not whole and not kind.hasobject:  # np.load refuses objects
        raise ArrayFileError(f"{what} is cut short: its shape is {shape!s:.60}, its file has {size} bytes")
    stream.seek(0)
    array: Array = np.load(stream, allow_pickle=False)
    return array


def check_size(shapes: Iterable[Sequence[int]], what: str, most: float = MAX_NUMBERS) -> None:
    """Refuse arrays of more than ``most`` numbers together.

    Raises:
        ArrayFileError: they are too many.
    """
    shapes = list(shapes)
    if sum(map(math.prod, shapes)) > most:
        raise ArrayFileError(f"{what} is {str([list(shape) for shape in shapes])[1:-1]:.60} large, more than is read")


def numbers(array: npt.ArrayLike, what: str, kinds: str = "fiu") -> Float64:
    """An array as float64, in C order.

    Raises:
        ArrayFileError: it holds no real numbers, or some that float32 cannot hold.
    """
    given = np.asarray(array)
    if given.dtype.kind not in kinds:
        wanted = "numbers" if "i" in kinds else "floating point numbers"
        raise ArrayFileError(f"{what} holds {str(given.dtype)[:40]}, not {wanted}")
    made = np.array(given, dtype=np.float64, order="C")
    if not (np.abs(made) <= np.finfo(np.float32).max).all():  # NaN compares as false
        raise ArrayFileError(f"{what} holds NaN or infinity")
    return made
