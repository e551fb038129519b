"""Untrusted zip archives: with a bounded index, and without ambiguities that programs resolve differently."""

from __future__ import annotations

import io
import struct
import zipfile
from typing import TYPE_CHECKING

from ..system.messages import shown

if TYPE_CHECKING:
    from .tensor_view import Bytes

MAX_INDEX = 4 << 20  # bytes; the index of 60,000 members with short names
_ENCRYPTED = 0x1
_TORN = (zipfile.BadZipFile, struct.error, OSError, ValueError, OverflowError, NotImplementedError)
# The records at the end of an archive, last one first. The index's position is the last but one field of _END, in
# archives of 4 GB and more the last field of _WIDE_END, whose position is the third field of _LOCATOR.
_END, _LOCATOR, _WIDE_END = struct.Struct("<4s4H2IH"), struct.Struct("<4sIQI"), struct.Struct("<4sQ2H2I4Q")


class ZipArchiveError(Exception):
    """Not an archive, or an unsupported one; the message does not name it."""


class _Window(io.RawIOBase):
    """A read-only file over bytes in memory, so that ``zipfile`` reads the index without a copy."""

    def __init__(self, view: memoryview) -> None:
        self._view, self._pos = view, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._pos

    def seek(self, offset: int, whence: int = 0) -> int:
        self._pos = max(0, offset + (0, self._pos, len(self._view))[whence])
        return self._pos

    def read(self, size: int | None = -1) -> bytes:
        left = max(0, len(self._view) - self._pos)
        size = left if size is None or size < 0 else size
        if size > MAX_INDEX:  # the index is read at once, its size is declared by the file
            raise ZipArchiveError(f"is a zip archive whose index of {size} bytes is larger than is read")
        chunk = bytes(self._view[self._pos : self._pos + size])
        self._pos += len(chunk)
        return chunk


def open_zip(data: Bytes, commented: bool = False) -> zipfile.ZipFile:
    """Open an archive in memory (or a mapped one), with a comment at its end if it may be ``commented``.

    Archives with duplicate names or with two central directories are refused: programs differ in which one they use.

    Raises:
        ZipArchiveError: it is not an archive, is cut short, holds a name twice, is encrypted, or its index is too large
            or not at the declared position.
    """
    view = memoryview(data).cast("B")
    try:
        archive = zipfile.ZipFile(_Window(view))
    except _TORN as error:
        raise ZipArchiveError(f"is no readable zip archive ({shown(' '.join(str(error).split()), 100)})") from None
    comment = archive.comment if commented and b"PK\x05\x06" not in archive.comment else b""
    if not _is_declared_at(view, archive.start_dir, len(comment)):
        raise ZipArchiveError("is a zip archive whose index is not where it says")
    names: set[str] = set()
    for member in archive.infolist():
        if "\0" in member.orig_filename:
            raise ZipArchiveError("is a zip archive with a name that programs cut at different places")
        if member.filename != member.orig_filename:  # a second name, or separators of Windows
            raise ZipArchiveError("is a zip archive with a name that not all programs read alike")
        name = member.filename.casefold().removesuffix(".npy")  # torch compares without case, NumPy without suffix
        if name in names:
            raise ZipArchiveError(f"is a zip archive that lists {member.filename!r:.60} twice")
        names.add(name)
        if member.flag_bits & _ENCRYPTED:
            raise ZipArchiveError("is a zip archive with encrypted members")
    return archive


def _is_declared_at(view: memoryview, found: int, comment: int) -> bool:
    """Whether the declared position of the index is ``found``, where Python finds it: just before the end records, with
    which, and with a comment of ``comment`` bytes, the file ends.

    Other programs, such as torch's reader, use the declared position (PKWARE, APPNOTE.TXT, 4.3.14 to 4.3.16).
    """
    end = len(view) - _END.size - comment
    if bytes(view[end : end + 4]) != b"PK\x05\x06":
        return False
    declared: int = _END.unpack_from(view, end)[-2]
    locator = end - _LOCATOR.size
    if locator < 0 or bytes(view[locator : locator + 4]) != b"PK\x06\x07":
        return declared == found
    wide: int = _LOCATOR.unpack_from(view, locator)[2]
    if wide != locator - _WIDE_END.size or bytes(view[wide : wide + 4]) != b"PK\x06\x06":
        return False
    declared_wide: int = _WIDE_END.unpack_from(view, wide)[-1]
    return declared in (found, 0xFFFFFFFF) and declared_wide == found
