"""The two layouts of ``torch.save``, read without torch: a zip archive, and the older sequence of pickles.

In NVIDIA's pickles every storage is a file in the older layout; a `.pt` file as a whole is in either layout.
No code is run (see ``pickle_file``).
"""

from __future__ import annotations

import struct
import zipfile
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..system.messages import quoted, shown
from .pickle_file import Loaded, load
from .pickle_machine import Budget, Global, InertPickleError, PersistentId
from .tensor_view import ELEMENT_TYPES
from .zip_file import ZipArchiveError, open_zip

if TYPE_CHECKING:
    from .tensor_view import Bytes

LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
LEGACY_PROTOCOL = 1001
_STORAGE_TYPES = {
    "FloatStorage": "float32",
    "DoubleStorage": "float64",
    "HalfStorage": "float16",
    "BFloat16Storage": "bfloat16",
    "CharStorage": "int8",
    "ShortStorage": "int16",
    "IntStorage": "int32",
    "LongStorage": "int64",
    "ByteStorage": "uint8",
    "BoolStorage": "bool",
    "ComplexFloatStorage": "complex64",
    "ComplexDoubleStorage": "complex128",
    "UntypedStorage": "uint8",
    "_UntypedStorage": "uint8",
}


class TorchFileError(Exception):
    """Not a file of ``torch.save``, or an inconsistent one."""


class OtherTorchFile(TorchFileError):
    """A file of a kind that is not supported, but possibly undamaged."""


@dataclass(frozen=True, eq=False)
class Storage:
    """Bytes that tensors view: ``data`` of elements ``dtype`` (``uint8`` where the storage has no type).

    ``checksum`` is that of its member of a zip archive, to be checked before use.
    """

    dtype: str
    data: Bytes
    checksum: Checksum | None = None


@dataclass(eq=False)
class Checksum:
    """The checksum of an archive's member; compared once, when the bytes are needed.

    0 is not compared: torch writes it if computing checksums is switched off.
    """

    name: str
    raw: Bytes
    crc: int
    done: bool = field(default=False)

    def check(self) -> None:
        """Compare it with the bytes.

        Raises:
            TorchFileError: the bytes are not those that were saved.
        """
        if not self.done and self.crc and zlib.crc32(self.raw) != self.crc:
            raise TorchFileError(
                f"is damaged: the checksum of {shown(self.name, 60)} differs; download or copy it again"
            )
        self.done = True


@dataclass(frozen=True, eq=False)
class _StorageSpec:
    """One persistent id: which storage (``key``), its type, its length in elements, and a view of it."""

    key: str
    dtype: str
    count: int
    view: tuple[int, int] | None

    @property
    def width(self) -> int:
        return ELEMENT_TYPES[self.dtype][0]


def _storage_spec(reference: PersistentId) -> _StorageSpec:
    pid = reference.pid
    if not (isinstance(pid, tuple) and len(pid) in (5, 6) and pid[0] == "storage"):
        raise TorchFileError("has a reference that is not to a tensor's storage")
    kind, key, count = pid[1], pid[2], pid[4]
    name = kind.name if isinstance(kind, Global) and kind.module in ("torch", "torch.cuda", "torch.storage") else ""
    if name not in _STORAGE_TYPES:
        what = kind.path if isinstance(kind, Global) else type(kind).__name__
        raise TorchFileError(f"has a storage of the unknown type {what}")
    if not isinstance(key, str) or type(count) is not int or count < 0:
        raise TorchFileError("has a reference to a storage with a malformed key or size")
    view = None
    if len(pid) == 6 and pid[5] is not None:
        window = pid[5]
        good = isinstance(window, tuple) and len(window) == 3
        if not good or not all(type(n) is int and n >= 0 for n in window[1:]):
            raise TorchFileError("has a view of a storage with a malformed range")
        view = (window[1], window[2])
    return _StorageSpec(key, _STORAGE_TYPES[name], count, view)


def _slice(spec: _StorageSpec, data: memoryview, checksum: Checksum | None = None) -> Storage:
    if spec.view is not None:
        start, count = spec.view
        if start + count > spec.count:
            raise TorchFileError(f"has a view that reaches past its storage of {spec.count} elements")
        data = data[start * spec.width : (start + count) * spec.width]
    return Storage(spec.dtype, data, checksum)


@dataclass(frozen=True, eq=False)
class TorchFile:
    """An object of ``torch.save``: the inert ``value``, its ``globals``, and the storages it refers to.

    ``storages`` is keyed by ``id`` of the :class:`PersistentId` in ``value``.
    """

    value: object
    globals: list[Global]
    storages: dict[int, Storage]


def is_legacy(data: Bytes) -> bool:
    """Tell whether the bytes begin with the magic number of the older layout."""
    try:
        return load(memoryview(data)[:64]).value == LEGACY_MAGIC
    except InertPickleError:
        return False


def read_legacy(data: Bytes, budget: Budget | None = None) -> TorchFile:
    """Read the older layout: magic number, protocol, machine, object, storage keys, then each storage.

    ``budget`` holds the remaining limits, if other pickles of the same file were read before.

    Raises:
        TorchFileError, InertPickleError: the file is of another kind, cut short or inconsistent.
    """
    view, budget = memoryview(data).cast("B"), budget or Budget()
    magic = load(view, budget=budget)
    if type(magic.value) is not int or magic.value != LEGACY_MAGIC:
        raise TorchFileError("does not begin with torch's magic number")
    protocol = load(view, magic.end, budget=budget)
    if type(protocol.value) is not int or protocol.value != LEGACY_PROTOCOL:
        raise TorchFileError(f"has torch's file protocol {quoted(protocol.value)}, which is not known")
    machine = load(view, protocol.end, budget=budget)
    if isinstance(machine.value, dict) and machine.value.get("little_endian") is False:
        raise OtherTorchFile("was written on a big-endian machine")
    body = load(view, machine.end, persistent=True, budget=budget)
    keys = load(view, body.end, budget=budget)
    if not isinstance(keys.value, list) or not all(isinstance(key, str) for key in keys.value):
        raise TorchFileError("has no list of storage keys")
    return _attach_legacy(view, body, keys.value, keys.end)


def _attach_legacy(view: memoryview, body: Loaded, keys: list[str], pos: int) -> TorchFile:
    """The object of ``body`` with its storages, which are stored from ``pos`` on in the order of ``keys``."""
    specs = {id(ref): _storage_spec(ref) for ref in body.references}
    by_key = {spec.key: spec for spec in specs.values()}
    found: dict[str, memoryview] = {}
    for key in keys:
        spec = by_key.get(key)
        if spec is None:
            raise TorchFileError("lists a storage that no tensor uses")
        if key in found:
            raise TorchFileError("lists a storage twice")
        if pos + 8 > len(view):
            raise TorchFileError("is cut short: a storage is missing")
        (count,) = struct.unpack_from("<q", view, pos)
        stop = pos + 8 + spec.count * spec.width
        if count != spec.count:
            raise TorchFileError(f"holds {count} elements in a storage declared with {spec.count}")
        if stop > len(view):
            raise TorchFileError(f"is cut short: a storage needs {stop - len(view)} bytes more")
        found[key] = view[pos + 8 : stop]
        pos = stop
    for spec in specs.values():
        held = found.get(spec.key)
        if held is None or len(held) != spec.count * spec.width:
            raise TorchFileError("refers to a storage that is missing or of another size")
    storages = {ref: _slice(spec, found[spec.key]) for ref, spec in specs.items()}
    return TorchFile(body.value, body.globals, storages)


def _stored_bytes(view: memoryview, entry: zipfile.ZipInfo) -> memoryview:
    """Bytes of an archive's member, without a copy; compressed members are refused."""
    if entry.compress_type != zipfile.ZIP_STORED or entry.file_size != entry.compress_size:
        raise OtherTorchFile("has packed members, which torch never writes")
    start = entry.header_offset
    if start < 0 or start + 30 > len(view) or bytes(view[start : start + 4]) != b"PK\x03\x04":
        raise TorchFileError("has a member that is not where its index says")
    flags, name_length, extra_length = struct.unpack_from("<6xH18xHH", view, start)
    start += 30 + name_length
    if flags & 1:
        raise OtherTorchFile("is a zip archive with encrypted members")
    if bytes(view[start - name_length : start]) != entry.orig_filename.encode("utf-8", "replace"):
        raise TorchFileError("has a member that has another name in its index")
    start += extra_length
    if start + entry.file_size > len(view):
        raise TorchFileError("is cut short")
    return view[start : start + entry.file_size]


def read_zip(data: Bytes, budget: Budget | None = None) -> TorchFile:
    """Read the zip layout: ``NAME/data.pkl`` and one member ``NAME/data/KEY`` for each storage.

    Raises:
        TorchFileError, InertPickleError: the archive is of another kind, cut short or inconsistent.
    """
    view = memoryview(data).cast("B")
    try:
        members = {entry.filename: entry for entry in open_zip(view).infolist()}
    except ZipArchiveError as error:
        raise TorchFileError(str(error)) from None
    roots = [name[: -len("data.pkl")] for name in members if name.endswith("/data.pkl")]
    if len(roots) != 1:
        raise OtherTorchFile("is a zip archive, but not one that torch.save wrote")
    order = members.get(roots[0] + "byteorder")
    if order is not None and bytes(_stored_bytes(view, order)[:7]) != b"little":
        raise OtherTorchFile("was written on a big-endian machine")
    main = members[roots[0] + "data.pkl"]
    program = _stored_bytes(view, main)
    Checksum(main.filename, program, main.CRC).check()
    body = load(program, persistent=True, budget=budget)
    storages = {}
    checksums: dict[str, Checksum] = {}
    total = 0
    for reference in body.references:
        spec = _storage_spec(reference)
        member = members.get(f"{roots[0]}data/{spec.key}")
        if member is None:
            raise TorchFileError("refers to a storage that is not in the archive")
        raw = _stored_bytes(view, member)
        if len(raw) != spec.count * spec.width:
            raise TorchFileError(f"holds {len(raw)} bytes in a storage declared with {spec.count} elements")
        if spec.key not in checksums:
            checksums[spec.key] = Checksum(member.filename, raw, member.CRC)
            total += len(raw)
            if total > len(view):
                raise TorchFileError("has members that overlap")
        storages[id(reference)] = _slice(spec, raw, checksums[spec.key])
    return TorchFile(body.value, body.globals, storages)
