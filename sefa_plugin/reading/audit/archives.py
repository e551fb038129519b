"""Pickles inside of archives (``torch.save``, ``.npz``) and of NumPy's arrays of objects, for the audit."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Iterator

from ..zip_file import ZipArchiveError, open_zip
from .book import Book
from .pickles import follow, follow_row

MAX_UNPACKED = 64 << 20  # bytes of compressed members that are decompressed, per archive
MAX_MEMBERS = 10_000  # searched for if the index cannot be read
_LOCAL = b"PK\x03\x04"
_ARRAY = b"\x93NUMPY"
_TORN = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, KeyError, NotImplementedError, RuntimeError)


def follow_archive(data: memoryview, book: Book, prefix: str = "", depth: int = 0) -> None:
    """Follow every pickle in a zip archive: torch's ``data.pkl``, and arrays of objects."""
    try:
        archive = open_zip(data)
    except ZipArchiveError as error:
        book.reason(f"{prefix}the file {error}; members are looked for without the index")
        for name, content in _without_index(data):
            _member(name, content, book, f"{prefix}{name:.60} > ", depth)
        return
    left = MAX_UNPACKED
    for entry in archive.infolist():
        name = entry.filename
        if _role(name) == "" and not _is_array(archive, data, entry):
            continue
        try:
            content = _content(archive, data, entry, left)
        except (*_TORN, ValueError) as error:
            book.reason(f"{prefix}member {name!r:.60} cannot be read ({' '.join(str(error).split())[:80]})")
            continue
        if entry.compress_type != zipfile.ZIP_STORED:
            left -= len(content)
        _member(name, content, book, f"{prefix}{name!r:.60} > ", depth)


def _role(name: str) -> str:
    """The kind of a member by its name in any case: ``pickle``, ``array``, ``script``; '' for plain data."""
    lower = name.lower()  # torch compares without case
    if lower.endswith((".pkl", ".pickle")):
        return "pickle"
    if lower.endswith(".npy"):
        return "array"
    return "script" if "/code/" in f"/{lower}" and lower.endswith(".py") else ""


def _is_array(archive: zipfile.ZipFile, data: memoryview, entry: zipfile.ZipInfo) -> bool:
    """Whether a member is an array by its contents, as ``numpy.load`` decides."""
    try:
        if entry.compress_type == zipfile.ZIP_STORED:
            return bytes(_content(archive, data, entry, 0)[:6]) == _ARRAY
        with archive.open(entry) as member:
            return member.read(6) == _ARRAY
    except (*_TORN, ValueError):
        return False  # as for NumPy


def _member(name: str, content: memoryview, book: Book, prefix: str, depth: int) -> None:
    role = _role(name) or ("array" if bytes(content[:6]) == _ARRAY else "")
    if role == "script":
        book.reason(f"{prefix.rstrip(' >')} is TorchScript, which torch.jit.load runs")
    elif role == "array":
        follow_array(content, book, prefix, depth)
    elif role == "pickle":
        follow_row(content, book, prefix, depth)


def _content(archive: zipfile.ZipFile, data: memoryview, entry: zipfile.ZipInfo, most: int) -> memoryview:
    if entry.compress_type == zipfile.ZIP_STORED:
        start = entry.header_offset
        names, extra = struct.unpack_from("<HH", data, start + 26)
        start += 30 + names + extra
        return data[start : start + entry.file_size]
    with archive.open(entry) as member:
        head = member.read(1 << 16)
        if head[:6] == _ARRAY and not _holds_objects(_header(memoryview(head))[0]):
            return memoryview(head)
        rest = member.read(max(0, most - len(head)) + 1)
    if len(head) + len(rest) > most:
        raise ValueError(f"over {MAX_UNPACKED >> 20} MB unpacked")
    return memoryview(head + rest)


def _without_index(data: memoryview) -> Iterator[tuple[str, memoryview]]:
    """Stored members by their own headers. Sizes in them are ignored: each member ends at the next header."""
    raw = bytes(data) if len(data) <= MAX_UNPACKED else bytes(data[:MAX_UNPACKED])
    start = raw.find(_LOCAL)
    for _ in range(MAX_MEMBERS):
        if start < 0 or start + 30 > len(raw):
            return
        names, extra = struct.unpack_from("<HH", raw, start + 26)
        following = raw.find(_LOCAL, start + 30)
        name = raw[start + 30 : start + 30 + names].decode("utf-8", "replace")
        yield name, data[start + 30 + names + extra : following if following >= 0 else len(data)]
        start = following


# --- NumPy ----------------------------------------------------------------------------------------


def follow_array(data: memoryview, book: Book, prefix: str = "", depth: int = 0) -> None:
    """Follow the pickle of an ``.npy`` of objects; arrays of numbers hold none."""
    text, start = _header(data)
    if text is None:  # numpy.load unpickles files without the magic of an array
        follow_row(data, book, prefix, depth)
    elif _holds_objects(text):
        book.notes.append(
            f"{prefix.rstrip(' >') or 'the array'} holds objects: numpy.load(allow_pickle=True) unpickles"
        )
        follow(data, start, book, prefix, depth)


def _header(data: memoryview) -> tuple[bytes | None, int]:
    """The header and where the contents begin; None if the bytes are not an array."""
    if bytes(data[:6]) != _ARRAY or len(data) < 12:
        return None, 0
    layout = "<H" if data[6] == 1 else "<I"
    (length,) = struct.unpack_from(layout, data, 8)
    start = 8 + struct.calcsize(layout)
    return bytes(data[start : start + min(length, 1 << 16)]), start + length


def _holds_objects(header: bytes | None) -> bool:
    """Whether an array holds Python objects by its header; True if that is not readable."""
    import numpy as np

    if header is None:
        return True
    try:
        kind: np.dtype[np.generic]
        _, _, kind = np.lib.format.read_array_header_2_0(io.BytesIO(struct.pack("<I", len(header)) + header))
    except Exception:  # NumPy reads the header with Python's parser, which fails in many ways
        return True
    return kind.hasobject
