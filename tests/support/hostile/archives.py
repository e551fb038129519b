"""Files of ``torch.save``, and archives of other kinds, whose layout is the trick."""

from __future__ import annotations

import gzip
import io
import struct
import tarfile
import zipfile
from typing import Any

import numpy as np
from pickle_writer import Global, PersistentId, dumps
from torch_writer import TorchWriter

from .case import REFUSED, Content, Hostile, changed, legacy, run, whole, zip_of
from .networks import rebuilt

CASES: list[Hostile] = []
_LOCAL, _CENTRAL, _END = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"


def _add(name: str, content: bytes | Content, says: str, **more: Any) -> None:
    CASES.append(Hostile(name, "network", ".pt", content, says, **more))


def _payload(canary: str) -> bytes:
    return whole(run(canary), 2)


def _torch(canary: str) -> bytes:
    return zip_of({"archive/data.pkl": _payload(canary), "archive/version": b"3\n"})


def _tensor(pid: Any) -> bytes:
    """A state_dict whose only tensor is of the storage with this persistent id."""
    return dumps({"x": rebuilt(PersistentId(pid))}, 2)


def _pid(count: Any = 4, key: Any = "0", kind: str = "FloatStorage") -> tuple:
    return ("storage", Global("torch", kind), key, "cpu", count)


def _plain(pid: Any = None, data: bytes = b"\0" * 16) -> bytes:
    return zip_of({"archive/data.pkl": _tensor(pid or _pid()), "archive/data/0": data})


def _shared(count: int) -> bytes:
    """Many tensors of one storage: a small file, and all of them written out would be none."""
    reference = PersistentId(_pid(2**16))
    named = {f"t{i}": dumps_view(reference, 2**16) for i in range(count)}
    return zip_of({"archive/data.pkl": dumps(named, 2), "archive/data/0": b"\0" * 2**18, "archive/version": b"3\n"})


def dumps_view(reference: PersistentId, count: int) -> Any:
    """A tensor that is the whole storage."""
    made = rebuilt(reference)
    made.args = (reference, 0, (count,), (1,), False, *made.args[5:])
    return made


_armed = {"armed": True}
_NOTHING = f"is not a StyleGAN network file|{REFUSED}"
_add("zip-payload", _torch, _NOTHING, **_armed)
_add("zip-payload-packed", lambda c: zip_of({"archive/data.pkl": _payload(c)}, zipfile.ZIP_DEFLATED), "packed members",
     **_armed)  # fmt: skip
_add("zip-wrong-checksum", lambda c: changed(_torch(c), _CENTRAL, 16, b"\0\0\0\0", every=True), _NOTHING)
_add("zip-marked-encrypted", lambda c: changed(_torch(c), _CENTRAL, 8, b"\x01\0", every=True), "encrypted")
_add("zip-encrypted-in-place", lambda c: changed(_torch(c), _LOCAL, 6, b"\x01\0", every=True), "encrypted")
_add("zip-two-pickles", lambda c: zip_of([("archive/data.pkl", whole(b"N", 2)), ("archive/data.pkl", _payload(c))]),
     "twice", **_armed)  # fmt: skip
_add("zip-two-roots", lambda c: zip_of({"a/data.pkl": whole(b"N", 2), "b/data.pkl": _payload(c)}), "not one that torch")
_add("zip-other-name-in-place", lambda c: _torch(c).replace(b"archive/data.pkl", b"archive/none.pkl", 1),
     "other name")  # fmt: skip
_add(
    "zip-name-with-nul",
    lambda c: _torch(c).replace(b"archive/version", b"archive/data.p\0"),
    "cut at different",
    **_armed,
)
_add("zip-upwards", lambda c: zip_of({"../../archive/data.pkl": _payload(c)}), "not one that torch", **_armed)
_add("zip-of-script", lambda c: zip_of({"archive/data.pkl": _payload(c), "archive/code/x.py": b"import os"}), _NOTHING,
     **_armed)  # fmt: skip
_add("zip-pickle-renamed", lambda c: zip_of({"archive/data.bin": _payload(c)}), "not one that torch.save wrote")
_add("zip-after-prefix", lambda c: b"#!/bin/sh\n" + _torch(c), "not a pickle")
_add("zip-before-suffix", lambda c: _torch(c) + _payload(c), "index is not where it says|no readable zip")
_add(
    "zip-offset-beyond",
    lambda c: changed(_torch(c), _CENTRAL, 42, b"\xff\xff\xff\x7f", every=True),
    "where its index|zip",
)
_add(
    "zip-size-beyond",
    lambda c: changed(_torch(c), _CENTRAL, 20, b"\xf0\xff\xff\x7f\xf0\xff\xff\x7f", every=True),
    "short",
)
_add("zip-index-beyond", lambda c: changed(_torch(c), _END, 12, b"\xff\xff\xff\x7f"), "no readable zip archive")
_add("zip-index-cut", lambda c: _torch(c)[:-30], "no readable zip archive")
_add("zip-index-of-64-bits", lambda c: _with_64_bits(_torch(c)), "no readable zip archive")
_add("zip-big-endian", lambda c: zip_of({"archive/data.pkl": _payload(c), "archive/byteorder": b"big"}), "big-endian",
     **_armed)  # fmt: skip
_add("zip-storage-missing", _plain(_pid(key="7")), "not in the archive")
_add("zip-storage-upwards", _plain(_pid(key="../../../etc/passwd")), "not in the archive")
_add("zip-storage-short", _plain(data=b"\0" * 4), "holds 4 bytes in a storage declared with 4 elements")
_add("zip-storage-huge", _plain(_pid(2**61)), "declared with")
_add("zip-storage-negative", _plain(_pid(-4)), "malformed key or size")
_add("zip-storage-of-no-type", _plain(_pid(kind="QInt8Storage")), "unknown type")
_add("zip-storage-by-text", _plain("storage"), "not to a tensor's storage")
_add("zip-storage-shared", _shared(1000), "times the size of the file")
_add("zip-nothing", zip_of({}), "not a pickle|zip")
_add("zip-of-zip", lambda c: zip_of({"inner.pt": _torch(c)}), "not one that torch.save wrote")

for _place, _what in enumerate(("magic", "protocol", "machine", "object", "keys")):
    _add(f"legacy-{_what}", lambda c, place=_place: legacy(place, run(c)),
         f"magic number|file protocol|{_NOTHING}|storage keys", **_armed)  # fmt: skip
_add("legacy-cut", lambda c: legacy(3, run(c))[:-3], "not known to be harmless", **_armed)
_add("legacy-big-endian", legacy(2, b"}X\r\x00\x00\x00little_endian\x89s"), "big-endian")
_add("legacy-protocol-9", legacy(1, b"K\x09"), "file protocol 9, which is not known")
_add(
    "legacy-unused-storage",
    legacy(4, b"]X\x01\x00\x00\x000a", struct.pack("<q", 1) + b"\0" * 4),
    "another list of storage keys",
)


def _legacy_storage() -> bytes:
    file = TorchWriter(legacy=True)
    return file.dumps({"x": file.tensor(np.zeros(4, "<f4"))})


_add("legacy-storage-cut", _legacy_storage()[:-4], "truncated")
_add("legacy-storage-that-lies", _legacy_storage()[:-24] + struct.pack("<q", -1) + b"\0" * 16, "declared with 4")


def _with_64_bits(data: bytes) -> bytes:
    """An index whose size, in the fields for large archives, is nearly 2^64."""
    end = data.rfind(_END)
    record = struct.pack("<4sQHHIIQQQQ", b"PK\x06\x06", 44, 45, 45, 0, 0, 2, 2, 2**64 - 64, 0)
    locator = struct.pack("<4sIQI", b"PK\x06\x07", 0, end, 1)
    return data[:end] + record + locator + changed(data[end:], _END, 8, b"\xff" * 12)


def _tar(canary: str) -> bytes:
    """As torch wrote before its version 0.1.10."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for name, data in (("pickle", _payload(canary)), ("sys_info", whole(b"}", 2))):
            about = tarfile.TarInfo(name)
            about.size = len(data)
            archive.addfile(about, io.BytesIO(data))
    return file.getvalue()


_add("tar", _tar, "is a tar archive")
_add("gzip", lambda c: gzip.compress(_payload(c)), "gzip")
_add("seven-zip", lambda c: b"7z\xbc\xaf\x27\x1c\x00\x04" + _payload(c), "not a pickle")
