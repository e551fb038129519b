"""NumPy's files: objects in them, headers that are programs, and promises of more than there is."""

from __future__ import annotations

import struct
import zipfile
import zlib
from typing import Any

from .case import Content, Hostile, changed, run, whole, zip_of

CASES: list[Hostile] = []
_UNREADABLE = "no NumPy file that can be read"
_LOCAL, _CENTRAL = b"PK\x03\x04", b"PK\x01\x02"


def _add(name: str, content: bytes | Content, says: str, suffix: str = ".npy", **more: Any) -> None:
    for reader in ("latents", "import"):
        CASES.append(Hostile(f"{name}-{reader}", reader, suffix, content, says, **more))


def npy(header: bytes | str, data: bytes = b"", version: bytes = b"\x01\x00", length: int | None = None) -> bytes:
    """A file of one array with this header; ``length`` may lie."""
    raw = header if isinstance(header, bytes) else header.encode("latin-1")
    form = "<H" if version == b"\x01\x00" else "<I"
    return b"\x93NUMPY" + version + struct.pack(form, len(raw) if length is None else length) + raw + data


def about(shape: str = "(1,)", kind: str = "'<f4'", order: str = "False", more: str = "") -> str:
    """The text of a header; each part may be anything."""
    return f"{{'descr': {kind}, 'fortran_order': {order}, 'shape': {shape}, {more}}}\n"


def _objects(canary: str) -> bytes:
    return npy(about(kind="'|O'"), whole(run(canary)))


def _one(content: bytes, name: str = "x.npy", method: int = zipfile.ZIP_DEFLATED) -> bytes:
    return zip_of({name: content}, method)


_GOOD = npy(about(), b"\0" * 4)

_add("npy-objects", _objects, "its pickle needs builtins.exec", armed=False)
_add(
    "npy-objects-in-record", lambda c: npy(about(kind="[('a', '|O')]"), whole(run(c))), "its pickle needs builtins.exec"
)
_add("npy-header-by-import", lambda c: npy(about("__import__('os').system('x')")), _UNREADABLE)
_add("npy-header-by-open", lambda c: npy(about(f"(open({c!r}, 'w'),)")), _UNREADABLE)
_add("npy-header-by-lambda", lambda c: npy(f"(lambda: open({c!r}, 'w'))()"), _UNREADABLE)
_add("npy-header-deep", npy("(" * 9000), _UNREADABLE)
_add("npy-header-of-minuses", npy(about("(" + "-" * 9000 + "1,)")), _UNREADABLE)
_add("npy-header-of-powers", npy(about("(9**9**9**9,)")), _UNREADABLE)
_add("npy-header-of-digits", npy(about("(" + "9" * 9000 + ",)")), _UNREADABLE)
_add("npy-header-twice", npy(about(more="'shape': (10**9,)")), _UNREADABLE)
_add("npy-header-more", npy(about(more="'x': 1")), _UNREADABLE)
_add("npy-header-not-text", npy(b"\xff\xfe\x00" * 30), _UNREADABLE)
_add("npy-header-long", npy(about() + " " * 60_000, b"\0" * 4), _UNREADABLE)
_add("npy-header-of-4-gb", npy(about(), b"\0" * 4, b"\x02\x00", 2**32 - 1), _UNREADABLE)
_add("npy-header-cut", npy(about(), b"", length=600), _UNREADABLE)
_add("npy-version-9", npy(about(), b"\0" * 4, b"\x09\x00"), _UNREADABLE)
_add("npy-shape-huge", npy(about("(4294967296, 4294967296)")), "more than is read")
_add("npy-shape-of-64-bits", npy(about("(18446744073709551616, 0)")), _UNREADABLE)
_add("npy-shape-empty-but-huge", npy(about("(0, 4611686018427387904)")), _UNREADABLE)
_add("npy-shape-negative", npy(about("(-1, 4)")), "cut short")
_add("npy-shape-of-truth", npy(about("(True,)"), b"\0" * 4), _UNREADABLE)
_add("npy-shape-of-100-axes", npy(about(str((1,) * 100)), b"\0" * 4), _UNREADABLE)
_add("npy-type-huge", npy(about(kind="'<V2147483647'")), "cut short")
_add("npy-type-of-dates", npy(about(kind="'<M8[ns]'"), b"\0" * 8), "not numbers|not floating")
_add("npy-type-of-text", npy(about(kind="'<U1000000000'")), _UNREADABLE)
_add(
    "npy-type-of-records",
    npy(about(kind="[('a', '<f4', (100000, 100000))]")),
    _UNREADABLE,
)
_add("npy-type-complex", npy(about(kind="'<c8'"), b"\0" * 8), "not numbers|not floating")
_add("npy-nan", npy(about(), struct.pack("<f", float("nan"))), "NaN or infinity")
_add("npy-infinity", npy(about(), struct.pack("<f", float("inf"))), "NaN or infinity")
_add("npy-beyond-float32", npy(about(kind="'<f8'"), struct.pack("<d", 1e300)), "NaN or infinity")
_add("npy-cut", npy(about("(100,)"), b"\0" * 4), "cut short")

_add("npz-objects", lambda c: _one(_objects(c)), "its pickle needs builtins.exec", ".npz")
_add("npz-of-pickle", lambda c: _one(whole(run(c))), _UNREADABLE, ".npz")
_add("npz-of-named-pickle", lambda c: zip_of({"x.pkl": whole(run(c))}), "no NumPy|0 arrays|not one that torch", ".npz")
_add(
    "npz-unfolds-1000-times",
    _one(npy(about("(60000000,)"), bytes(5_000_000))),
    "unfolds to over 100 times",
    ".npz",
    heavy=True,
)
_add("npz-unfolds-further", _one(npy(about("(500000,)"), bytes(2_000_000))), "all zeros|needs", ".npz", heavy=True)
_add(
    "npz-header-unfolds",
    _one(npy(b" " * 50_000_000, b"", b"\x02\x00")),
    "unfolds to over 100 times",
    ".npz",
    heavy=True,
)
_add("npz-shape-huge", _one(npy(about("(1000000, 1000000)"))), "more than is read", ".npz")
_add("npz-many", zip_of([(f"{i}.npy", b"") for i in range(1100)]), "1100 arrays|not one that torch", ".npz")
_add("npz-twice", zip_of([("x.npy", _GOOD), ("x.npy", _GOOD)]), "twice", ".npz")
_add("npz-wrong-checksum", changed(_one(_GOOD), _CENTRAL, 16, b"\0\0\0\0"), _UNREADABLE, ".npz")
_add("npz-encrypted", changed(changed(_one(_GOOD), _CENTRAL, 8, b"\x01\0"), _LOCAL, 6, b"\x01\0"), "encrypted", ".npz")
_add("npz-lzma", _one(_GOOD, method=zipfile.ZIP_LZMA), "packed in a way", ".npz")
_add("npz-bzip2", _one(_GOOD, method=zipfile.ZIP_BZIP2), "packed in a way", ".npz")
_add("npz-unknown-packing", changed(changed(_one(_GOOD), _CENTRAL, 10, b"\x63\0"), _LOCAL, 8, b"\x63\0"),
     "packed in a way", ".npz")  # fmt: skip
_add("npz-upwards", _one(_GOOD, "../../../x.npy"), "all zeros|holds no floating|needs", ".npz")
_add("npz-other-name-in-place", _one(_GOOD).replace(b"x.npy", b"v.npy", 1), _UNREADABLE, ".npz")
_add("npz-cut", _one(_GOOD)[:-20], "no readable zip|no NumPy|zip", ".npz")
_add("npz-torn-data", _one(_GOOD).replace(zlib.compress(_GOOD)[2:-4][:12], b"\xff" * 12), _UNREADABLE, ".npz")
_add("npz-escapes-in-names", zip_of({"a\x1b[2J\n.npy": _GOOD, "b.npy": _GOOD}), r"\\x1b|zeros", ".npz")
