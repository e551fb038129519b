"""NumPy's files, ``.npy`` and ``.npz``: floating point arrays, checked before a byte of them is unfolded.

A header may declare any size, and a packed archive may hold a thousand times its own; so shape and type are read
first, and no more bytes than they declare, up to a limit. A header is the text of a Python dict, for which NumPy calls
Python's parser; here a pattern takes it apart (NumPy's documentation, ``numpy.lib.format``).
"""

from __future__ import annotations

import math
import mmap
import os
import re
import struct
import zipfile
import zlib
from collections.abc import Iterable, Sequence
from typing import IO, TYPE_CHECKING, BinaryIO

import numpy as np

from ..system.messages import shown
from ..system.regular_files import open_regular
from .zip_file import ZipArchiveError, open_zip

if TYPE_CHECKING:
    import numpy.typing as npt

    from .tensor_view import Array

    Float64 = npt.NDArray[np.float64]
    ElementType = np.dtype[np.generic]

MAX_NUMBERS = 1 << 26  # of one file; 512 MB as float64
MAX_ARRAYS = 1000
MAX_UNFOLDING = 100  # times its file that an array may be, where it is packed; floating point numbers pack badly
FEW_BYTES = 1 << 21  # that any may unfold to
MAX_HEADER = 4096  # bytes
MAX_AXES = 16
_PACKED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # those that NumPy writes
_TORN = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, KeyError, NotImplementedError, RuntimeError)
# 'descr': '<f4' (of records a list), 'fortran_order': False, 'shape': (3, 4), in any order.
_ENTRY = re.compile(
    r"""\s*(?P<q>['"])(?P<key>\w+)(?P=q)\s*:\s*(?P<value>(['"])[^'"]*\4|True|False|\([\d\sL,-]*\)|\[.*\])\s*(,|(?=\}))""",
    re.DOTALL | re.ASCII,
)


class ArrayFileError(Exception):
    """A file of arrays that is broken or holds something else; the message names no file."""


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
        with open_regular(self.path) as stream:
            magic = stream.read(6)
            if magic[:4] == b"PK\x03\x04":
                members = [member.filename for member in _archive(stream).infolist()]
                self.names = [name[:-4] for name in members if name.endswith(".npy")]
                if not self.names or len(self.names) > MAX_ARRAYS:
                    raise ArrayFileError(f"is an archive of {len(self.names)} arrays, expected an .npz")
            elif magic == b"\x93NUMPY":
                self.names = [""]
            else:
                raise ArrayFileError("is no NumPy file (.npy, .npz)")

    def __contains__(self, name: str) -> bool:
        return name in self.names

    def read(self, name: str, kinds: str = "fiu") -> Float64:
        """Give an array as float64.

        Args:
            name: of the array.
            kinds: NumPy's letters for the types that are taken: ``f`` floating point, ``i`` and ``u`` whole numbers.

        Raises:
            ArrayFileError: it is no array of numbers, is cut short, is too large, or holds NaN or infinity.
            OSError: the file cannot be read.
        """
        with open_regular(self.path) as stream:
            if not name and self.names == [""]:
                return _array(stream, "the array", kinds)
            try:
                archive = _archive(stream)
                if archive.getinfo(f"{name}.npy").compress_type not in _PACKED:
                    raise ArrayFileError("is an .npz that is packed in a way that NumPy does not")
                most = max(FEW_BYTES, MAX_UNFOLDING * os.fstat(stream.fileno()).st_size)
                with archive.open(f"{name}.npy") as member:
                    return _array(member, f"{name!r:.40}", kinds, most)
            except (*_TORN, ValueError) as error:
                raise ArrayFileError(f"is a broken .npz ({_short(error)})") from None


def read_kept(path: str | os.PathLike[str]) -> dict[str, Array]:
    """Every array of an ``.npz`` of ``numpy.savez`` as it is: numbers, truth values and texts.

    Nothing in it is packed, so that memory is bounded by the file.

    Raises:
        ArrayFileError: it is something else.
        OSError: it cannot be read.
    """
    held: dict[str, Array] = {}
    with open_regular(path) as stream:
        left = os.fstat(stream.fileno()).st_size
        try:
            archive = _archive(stream)
            for member in archive.infolist():
                left -= member.file_size
                if member.compress_type != zipfile.ZIP_STORED or left < 0 or member.filename[-4:] != ".npy":
                    raise ArrayFileError("is no .npz that numpy.savez has written")
                with archive.open(member) as part:
                    held[member.filename[:-4]] = _as_it_is(part, f"{member.filename!r:.40}", "fiubU").copy()
        except (*_TORN, ValueError) as error:
            raise ArrayFileError(f"is a broken .npz ({_short(error)})") from None
    return held


def _archive(stream: BinaryIO) -> zipfile.ZipFile:
    try:
        return open_zip(mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ))
    except ZipArchiveError as error:
        raise ArrayFileError(f"is a broken .npz: it {error}") from None


def _short(error: BaseException) -> str:
    return shown(" ".join(str(error).split()), 100)


def _array(stream: IO[bytes], what: str, kinds: str, most: float = math.inf) -> Float64:
    return numbers(_as_it_is(stream, what, kinds, most, MAX_NUMBERS), what, kinds)


def _as_it_is(stream: IO[bytes], what: str, kinds: str, most: float = math.inf, count: float = math.inf) -> Array:
    """An array of at most ``most`` bytes and ``count`` numbers."""
    shape, fortran, kind = _header(stream, what)
    _check_kind(kind, what, kinds)
    check_size([shape], what, count)
    size = math.prod(shape) * kind.itemsize
    if size > most:
        raise ArrayFileError(f"{what} unfolds to over {MAX_UNFOLDING} times the size of the file")
    data = _exactly(stream, size)
    if len(data) != size:
        raise ArrayFileError(f"{what} is cut short: {len(data)} of {size} bytes")
    return np.frombuffer(data, dtype=kind).reshape(shape, order="F" if fortran else "C")


def check_size(shapes: Iterable[Sequence[int]], what: str, most: float = MAX_NUMBERS) -> None:
    """Refuse arrays of so many numbers that memory could not hold them.

    Raises:
        ArrayFileError: they are too many.
    """
    shapes = list(shapes)
    if sum(map(math.prod, shapes)) > most:
        raise ArrayFileError(f"{what} is {str([list(shape) for shape in shapes])[1:-1]:.60} large, more than is read")


def _check_kind(kind: ElementType, what: str, kinds: str) -> None:
    if kind.hasobject or kind.kind not in kinds:
        wanted = "numbers" if "i" in kinds else "floating point numbers"
        raise ArrayFileError(f"{what} holds {str(kind)[:40]}, not {wanted}")


def numbers(array: npt.ArrayLike, what: str, kinds: str = "fiu") -> Float64:
    """An array as float64, in C order.

    Raises:
        ArrayFileError: it holds no real numbers, or some that float32 cannot hold.
    """
    given = np.asarray(array)
    _check_kind(given.dtype, what, kinds)
    made = np.array(given, dtype=np.float64, order="C")
    if not (np.abs(made) <= np.finfo(np.float32).max).all():  # NaN compares as false
        raise ArrayFileError(f"{what} holds NaN or infinity")
    return made


def _header(stream: IO[bytes], what: str) -> tuple[tuple[int, ...], bool, ElementType]:
    """Shape, whether in Fortran's order, and element type; leaves the stream at the first element."""
    start = stream.read(8)
    if len(start) < 8 or start[:6] != b"\x93NUMPY":
        raise ArrayFileError(f"{what} is no array")
    if start[6:] not in (b"\x01\0", b"\x02\0", b"\x03\0"):
        raise ArrayFileError(f"{what} is of .npy version {start[6]}, which is not known")
    wide = 2 if start[6] == 1 else 4
    length = int.from_bytes(stream.read(wide), "little")
    if length > MAX_HEADER:
        raise ArrayFileError(f"{what} is no array: its header has {length} bytes")
    text = stream.read(length).decode("latin-1")
    if len(text) < length:
        raise ArrayFileError(f"{what} is no array: it is cut short")
    entries = _entries(text.strip(), what)
    shape = tuple(int(part.rstrip("L")) for part in entries["shape"][1:-1].replace(",", " ").split())
    if len(shape) > MAX_AXES or math.prod(length for length in shape if length) >= 2**48:
        raise ArrayFileError(f"{what} has the shape {shown(entries['shape'], 60)}, more than is read")
    return shape, entries["fortran_order"] == "True", _element_type(entries["descr"], what)


def _entries(text: str, what: str) -> dict[str, str]:
    """The three entries of a header, as text."""
    entries: dict[str, str] = {}
    at = 1 if text[:1] == "{" and text[-1:] == "}" else len(text)
    while text[at:].strip() not in ("}", ""):
        found = _ENTRY.match(text, at)
        if found is None or found["key"] in entries:
            break
        entries[found["key"]] = found["value"]
        at = found.end()
    good = text[at:].strip() == "}" and entries.keys() == {"descr", "fortran_order", "shape"}
    good = good and entries["shape"][0] == "(" and entries["fortran_order"] in ("True", "False")
    if not good:
        raise ArrayFileError(f"{what} is no array: its header is not one that NumPy writes")
    if not re.fullmatch(r"\((\d{1,19}L?(, ?|(?=\))))*\)", entries["shape"]):
        raise ArrayFileError(f"{what} has the shape {shown(entries['shape'], 60)}")
    return entries


def _element_type(text: str, what: str) -> ElementType:
    if re.fullmatch(r"""['"][<>|=]?[a-zA-Z?]\d{0,7}['"]""", text):
        try:
            return np.dtype(text[1:-1])
        except (TypeError, ValueError):
            pass
    raise ArrayFileError(f"{what} holds {shown(text, 40)}, which is no type of numbers")


def _exactly(stream: IO[bytes], size: int) -> bytes:
    """Up to ``size`` bytes, in pieces: no memory is taken for declared bytes before they have come."""
    parts, left = [], size
    while left:
        part = stream.read(min(left, 1 << 20))
        if not part:
            break
        parts.append(part)
        left -= len(part)
    return b"".join(parts)
