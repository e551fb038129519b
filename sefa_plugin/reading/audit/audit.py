"""What Python's unpickler would do with a file: ``sefa info --audit``. No code of the file is run.

The audit covers the whole file, also parts that this program never reads, and broken files up to the defect: an
unpickler runs everything before it.
"""

from __future__ import annotations

import gc
import json
import os
import tarfile
from collections.abc import Callable
from dataclasses import dataclass

from ...system.regular_files import mapped
from ..converted_file import looks_converted
from .archives import follow_archive, follow_array
from .book import Book, Name, Source
from .names import EXPECTED, HARMLESS, RUNS
from .pickles import follow_more, follow_row

MAX_TEXT = 64 << 20  # bytes of JSON that are parsed
_SHOWN = 8  # names in a verdict
_PACKED = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"\xfd7zXZ": "xz",
    b"7z\xbc\xaf": "7-Zip",
    b"Rar!": "RAR",
    b"\x04\x22M\x18": "LZ4",
}


class AuditError(Exception):
    """The file is missing or cannot be read; one line."""


@dataclass(frozen=True)
class Audit:
    """The audit of one file.

    Attributes:
        path, size: of the file (size in bytes).
        format: what the file is, in words.
        book: what was found in it.
        findings: why it does more than a network file, one line each; () if it does not.
    """

    path: str
    size: int
    format: str
    book: Book
    findings: tuple[str, ...]

    @property
    def names(self) -> list[Name]:
        """Names that it would import, in the order of the file."""
        return list(self.book.names.values())

    @property
    def sources(self) -> list[Source]:
        """Source texts that it would run."""
        return list(self.book.sources.values())

    @property
    def verdict(self) -> str:
        """One line."""
        if self.findings:
            more = len(self.findings) - 1
            return f"not to be unpickled: {self.findings[0]}" + (f"; and {more} further reasons" if more else "")
        if self.book.pickles:
            return "nothing beyond what network files do"
        return "nothing in it is code"


def audit(path: str | os.PathLike[str], origin: Callable[[str], str]) -> Audit:
    """Audit a file of any format, intact or broken.

    Work is bounded by the size of the file, and by a fixed number of instructions.

    Args:
        path: the file.
        origin: maps the digest of a source text to its origin, '' if unknown (``hooks.known_sources.origin``).

    Raises:
        AuditError: it cannot be read at all.
    """
    shown_path = os.fspath(path)
    data = mapped(shown_path, AuditError)
    book = Book(origin, follow_archive)
    was = gc.isenabled()
    gc.disable()  # it would traverse many small records that are all in use
    try:
        kind = _follow(memoryview(data), book)
    finally:
        if was:
            gc.enable()
    return Audit(shown_path, len(data), kind, book, tuple(_findings(book)))


def _follow(data: memoryview, book: Book) -> str:
    """Follow the file by its format; gives the format in words."""
    head = bytes(data[:512])
    if head[:4] == b"PK\x03\x04":
        follow_archive(data, book)
        return "a zip archive"
    if head[:6] == b"\x93NUMPY":
        follow_array(data, book)
        return "a NumPy array"
    packed = next((name for magic, name in _PACKED.items() if head.startswith(magic)), "")
    if packed:
        book.reason(f"it is packed with {packed} and was not looked into; unpack it first")
        return f"a file packed with {packed}"
    if _is_tar(head):
        book.reason("it is a tar archive (torch.load takes very old ones), which is not looked into")
        return "a tar archive"
    if looks_converted(data):
        return _safetensors(data, book)
    if head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"["):
        return _json(data, book)
    return _pickle(data, book)


def _is_tar(head: bytes) -> bool:
    """Whether a file begins like a tar archive; the oldest have no magic, only a checksum."""
    try:
        tarfile.TarInfo.frombuf(head, "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return head[257:262] == b"ustar"
    return True


def _pickle(data: memoryview, book: Book) -> str:
    row = follow_row(data, book)
    if row.legacy:
        return "a file of torch.save (older layout)" + (" that breaks off" if row.end is None else "")
    protocol = f"protocol {data[1]}" if data[0] == 0x80 and len(data) > 1 else "protocol 0 or 1"
    if book.own_references:
        book.reason("it asks for data outside the file (a persistent id), which a plain pickle does not")
    if row.end is None:
        return (
            f"a pickle ({protocol}) that breaks off"
            if book.names or data[0] == 0x80
            else "no pickle, nor anything known"
        )
    rest = len(data) - row.end
    if rest:
        book.notes.append(f"{rest} bytes follow the pickle, which most programs never read")
        follow_more(data, row.end, book)
    return f"a pickle ({protocol})"


def _safetensors(data: memoryview, book: Book) -> str:
    length = int.from_bytes(bytes(data[:8]), "little")
    aside = book.empty()
    follow_row(data, aside)
    if aside.names:  # a file can be both formats
        book.take(aside)
    about: object = None
    if length <= MAX_TEXT:
        try:
            about = json.loads(bytes(data[8 : 8 + length]))
        except (ValueError, RecursionError):
            about = None
    if not isinstance(about, dict):
        book.reason("its safetensors header is broken")
        return "a broken safetensors file"
    metadata = about.get("__metadata__")
    metadata = metadata if isinstance(metadata, dict) else {}
    if "sefa_network" in metadata:
        return "a network as safetensors, written by sefa convert: tensors and text"
    if metadata.get("format") == "sefa_directions":
        return "a directions file (safetensors): tensors and text"
    return "a safetensors file: tensors and text"


def _json(data: memoryview, book: Book) -> str:
    try:
        if len(data) > MAX_TEXT:
            raise ValueError("larger than is read")
        held = json.loads(bytes(data).decode("utf-8-sig"))
    except (ValueError, RecursionError):
        book.reason("it begins like JSON, and is broken")
        return "broken JSON"
    recipe = isinstance(held, dict) and held.get("format") == "sefa_recipe"
    return "a recipe (JSON): numbers and text" if recipe else "JSON: numbers and text"


def _findings(book: Book) -> list[str]:
    """Why a file does more than a network file, the worst first."""
    found = []
    running = [name for name in book.names.values() if name.kind == RUNS]
    if running:
        found.append(f"runs code by way of {_listed(running)}")
    unknown = [name for name in book.names.values() if name.kind not in (EXPECTED, HARMLESS, RUNS)]
    if unknown:
        found.append(f"imports names that are not known: {_listed(unknown)}")
    sources = [source for source in book.sources.values() if not source.known]
    if sources:
        digests = ", ".join(source.digest[:16] for source in sources[:_SHOWN])
        found.append(f"runs source text that is not known ({digests}{', ...' if len(sources) > _SHOWN else ''})")
    found += book.reasons
    if book.left_out:
        found.append(f"{book.left_out} further oddities")
    if book.broken:
        found.append(f"is broken: {book.broken}")
    return found


def _listed(names: list[Name]) -> str:
    return ", ".join(name.path for name in names[:_SHOWN]) + _and_more(len(names) - _SHOWN)


def _and_more(count: int) -> str:
    return f" and {count} more" if count > 0 else ""
