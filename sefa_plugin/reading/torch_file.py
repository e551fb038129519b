"""The two layouts of ``torch.save``, read without torch: a zip archive, and the older sequence of pickles.

In NVIDIA's pickles every storage is a file in the older layout; a `.pt` file as a whole is in either layout.
No code is run (see ``pickle_forms``).
"""

from __future__ import annotations

import re
import struct
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from ..system.messages import quoted, shown
from .pickle_forms import Loaded, Storage, Tensor, load
from .pickle_machine import Budget, Global, InertPickleError, OtherForm
from .tensor_view import ELEMENT_TYPES
from .zip_file import ZipArchiveError, open_zip

if TYPE_CHECKING:
    from .tensor_view import Bytes

LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
LEGACY_PROTOCOL = 1001
# What torch says of the machine that wrote a file.
_MACHINE = {
    "protocol_version": LEGACY_PROTOCOL,
    "little_endian": True,
    "type_sizes": {"short": 2, "int": 4, "long": 4},
}
_LEGACY_PARTS, _ZIP_PARTS = 6, 5  # of a reference to a storage
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
}
_LOCATION = re.compile(r"(cpu|cuda|mps|xpu|hpu|npu|xla|privateuseone)(:[0-9]{1,4})?")
# What torch writes into an archive beside the pickle and the storages.
_BESIDE = {"version", "byteorder", ".data/serialization_id", ".format_version", ".storage_alignment"}


class TorchFileError(Exception):
    """Not a file of ``torch.save``, or an inconsistent one."""


class OtherTorchFile(TorchFileError):
    """A file of a kind that is not supported, but possibly undamaged."""


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


class _Reference(NamedTuple):
    """One persistent id: which storage (``key``), its type and its length in elements."""

    key: str
    dtype: str
    numbers: int

    @property
    def nbytes(self) -> int:
        return self.numbers * ELEMENT_TYPES[self.dtype][0]


def _reference(pid: object, length: int) -> _Reference:
    """Check a persistent id of ``length`` parts."""
    if not (isinstance(pid, tuple) and len(pid) == length and pid[0] == "storage" and pid[5:] in ((), (None,))):
        raise OtherForm("has a reference that is not to a tensor's storage")
    kind, key, location, count = pid[1:5]
    name = kind.name if isinstance(kind, Global) and kind.module in ("torch", "torch.cuda", "torch.storage") else ""
    if name not in _STORAGE_TYPES:
        what = kind.path if isinstance(kind, Global) else type(kind).__name__
        raise TorchFileError(f"has a storage of the unknown type {what}")
    if not isinstance(key, str) or type(count) is not int or count < 0:
        raise TorchFileError("has a reference to a storage with a malformed key or size")
    if not isinstance(location, str) or not _LOCATION.fullmatch(location):
        raise OtherForm("has a storage on a device that torch does not name so")
    return _Reference(key, _STORAGE_TYPES[name], count)


class _Storages:
    """The storages that a file's object refers to, by key."""

    def __init__(self, length: int, made: Callable[[_Reference], Storage]) -> None:
        self._length, self._made = length, made
        self.held: dict[str, tuple[_Reference, Storage]] = {}

    def resolve(self, pid: object) -> Storage | Global:
        """The storage of a persistent id; every reference to it must be alike.

        The older layout names each class of modules so when it first comes, with its source, which torch only compares.
        """
        if self._length == _LEGACY_PARTS and isinstance(pid, tuple) and pid[:1] == ("module",):
            texts = [part for part in pid[2:] if part is None or isinstance(part, str)]
            if len(pid) == 4 and len(texts) == 2 and isinstance(pid[1], Global):
                return pid[1]
        wanted = _reference(pid, self._length)
        if wanted.key not in self.held:
            self.held[wanted.key] = wanted, self._made(wanted)
        found, storage = self.held[wanted.key]
        if found != wanted:
            raise OtherForm("refers to one storage with two types or sizes")
        return storage


def is_legacy(data: Bytes) -> bool:
    """Tell whether the bytes begin with the magic number of the older layout."""
    try:
        return load(memoryview(data)[:64]).value == LEGACY_MAGIC
    except InertPickleError:
        return False


def read_legacy(data: Bytes, budget: Budget | None = None, prefix: str = "") -> Loaded:
    """Read the older layout: magic number, protocol, machine, object, storage keys, then each storage.

    ``budget`` holds the remaining limits, if other pickles of the same file were read before.

    Raises:
        TorchFileError, InertPickleError: the file is of another kind, cut short or inconsistent.
    """
    view, budget = memoryview(data).cast("B"), budget or Budget()
    magic = load(view, 0, budget, prefix=prefix)
    if type(magic.value) is not int or magic.value != LEGACY_MAGIC:
        raise TorchFileError("does not begin with torch's magic number")
    protocol = load(view, magic.end, budget, prefix=prefix)
    if type(protocol.value) is not int or protocol.value != LEGACY_PROTOCOL:
        raise TorchFileError(f"has torch's file protocol {quoted(protocol.value)}, which is not known")
    machine = load(view, protocol.end, budget, prefix=prefix)
    if isinstance(machine.value, dict) and machine.value.get("little_endian") is False:
        raise OtherTorchFile("was written on a big-endian machine")
    if machine.value != _MACHINE:
        raise OtherForm(f"describes its machine otherwise than torch does, at {prefix}byte {protocol.end}")
    storages = _Storages(_LEGACY_PARTS, lambda wanted: Storage(wanted.dtype))
    body = load(view, machine.end, budget, storages.resolve, prefix)
    keys = load(view, body.end, budget, prefix=prefix)
    if not isinstance(keys.value, list) or sorted(storages.held) != keys.value:
        raise OtherForm("has another list of storage keys than its object uses")
    pos = keys.end
    for key in keys.value:
        wanted, storage = storages.held[key]
        if pos + 8 > len(view):
            raise TorchFileError("is cut short: a storage is missing")
        (count,) = struct.unpack_from("<q", view, pos)
        stop = pos + 8 + wanted.nbytes
        if count != wanted.numbers:
            raise TorchFileError(f"holds {count} elements in a storage declared with {wanted.numbers}")
        if stop > len(view):
            raise TorchFileError(f"is cut short: a storage needs {stop - len(view)} bytes more")
        storage.data = view[pos + 8 : stop]
        pos = stop
    if pos != len(view):
        raise OtherForm(f"goes on for {len(view) - pos} bytes after its last storage, at {prefix}byte {pos}")
    return body


def read_blobs(blobs: list[Storage], budget: Budget) -> None:
    """Read the storages that are files of ``torch.save`` inside of a pickle.

    Raises:
        TorchFileError, InertPickleError: one is something else.
    """
    for storage in blobs:
        found = read_legacy(storage.blob, budget, f"{storage.where} > ").value
        if not isinstance(found, Storage):
            raise OtherForm(f"holds something else than a storage in a file of torch.save at {storage.where}")
        storage.dtype, storage.data, storage.blob = found.dtype, found.data, b""


def check_bounds(tensors: list[Tensor]) -> None:
    """Refuse tensors that reach over their storages, which torch refuses, too.

    Raises:
        OtherForm: there is one.
    """
    for place, (storage, offset, shape, strides, dtype) in enumerate(tensors):
        width = ELEMENT_TYPES[dtype or storage.dtype][0]
        reach = 0 if 0 in shape else 1 + sum((length - 1) * step for length, step in zip(shape, strides))
        if (offset + reach) * width > len(storage.data):
            raise OtherForm(f"has a tensor of shape {shape} that needs more than its storage holds (number {place})")


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


def read_zip(data: Bytes, budget: Budget | None = None) -> Loaded:
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
    if len(roots) != 1 or roots[0].count("/") != 1:
        raise OtherTorchFile("is a zip archive, but not one that torch.save wrote")
    (root,) = roots
    order = members.get(root + "byteorder")
    if order is not None and bytes(_stored_bytes(view, order)[:7]) != b"little":
        raise OtherTorchFile("was written on a big-endian machine")
    left = len(view)

    def made(wanted: _Reference) -> Storage:
        nonlocal left
        member = members.get(f"{root}data/{wanted.key}")
        if member is None:
            raise TorchFileError("refers to a storage that is not in the archive")
        raw = _stored_bytes(view, member)
        if len(raw) != wanted.nbytes:
            raise TorchFileError(f"holds {len(raw)} bytes in a storage declared with {wanted.numbers} elements")
        left -= len(raw)
        if left < 0:
            raise TorchFileError("has members that overlap")
        return Storage(wanted.dtype, raw, Checksum(member.filename, raw, member.CRC).check)

    main = members[root + "data.pkl"]
    program = _stored_bytes(view, main)
    Checksum(main.filename, program, main.CRC).check()
    storages = _Storages(_ZIP_PARTS, made)
    body = load(program, 0, budget, storages.resolve)
    if body.end != len(program):
        raise OtherForm(f"goes on after its pickle, at byte {body.end}")
    expected = {root + name for name in (*_BESIDE, "data.pkl", *(f"data/{key}" for key in storages.held))}
    for name in members.keys() - expected:
        raise OtherForm(f"has a member {shown(name, 60)}, which torch.save does not write")
    if root + "version" not in members:
        raise OtherForm("lacks the member version, which torch.save writes")
    return body
