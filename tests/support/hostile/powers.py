"""Names that every network needs and that run code, not called by the pickle itself; and files of two faces.

What the two functions of network files run (a source text, a file of ``torch.save``) is seen where they are called. So
they are handed to what calls them: torch's and NumPy's functions, or the unpickler, which calls ``append`` and
``__setstate__`` of whatever the file has made.
"""

from __future__ import annotations

import io
import pickle
import struct
import zipfile
import zlib
from typing import Any

from pickle_writer import Call, Global, call, dumps

from .case import MAGIC, REFUSED, Hostile, legacy, run, source, whole, zip_of

_LOAD = Global("torch.storage", "_load_from_bytes")
_SOURCE = Global("torch_utils.persistence", "_reconstruct_persistent_obj")
_SAYS = REFUSED
_TENSOR, _EASY = Global("torch", "Tensor"), "dnnlib.util.EasyDict"


def _blob(canary: str) -> bytes:
    return legacy(2, run(canary))


def _meta(text: str) -> dict[Any, Any]:
    return {"type": "class", "version": 6, "module_src": text, "class_name": "G", "state": {}}


def _appended(append: Global, item: Any) -> bytes:
    """An object whose ``append`` is a function, and APPEND."""
    made = call("argparse.Namespace", state={"append": append})
    return dumps(made)[:-1] + dumps(item)[2:-1] + b"a."


def _sequential() -> Call:
    made = Call(Global("torch.nn.modules.container", "Sequential"), ())
    made.state = {"_modules": {"0": _LOAD}}
    return made


def _easy(text: str, canary: str) -> Call:
    """A dict whose items are set by the state of it, as attributes."""
    return call(_EASY, pairs=tuple(_meta(text).items()), state=(None, {"module_src": source(canary)}))


_HANDED: dict[str, Any] = {
    "rebuild-from-type": lambda c: call("torch._tensor._rebuild_from_type_v2", _LOAD, _TENSOR, (_blob(c),), None),
    "rebuild-from-type-source": lambda c: call(
        "torch._tensor._rebuild_from_type_v2", _SOURCE, _TENSOR, (_meta(source(c)),), None
    ),
    "random-state": lambda c: call("numpy.random._pickle.__randomstate_ctor", _blob(c), _LOAD),
    "generator": lambda c: call("numpy.random._pickle.__generator_ctor", _blob(c), _LOAD),
    "sequential": lambda c: call(
        "torch._tensor._rebuild_from_type_v2",
        _sequential(),
        _TENSOR,
        (_blob(c),),
        None,
    ),
    "easydict-state": lambda c: Call(_SOURCE, (_easy("", c),)),
    "key-made-by-a-call": lambda c: Call(_SOURCE, ({**_meta(""), call("builtins.str", "module_src"): source(c)},)),
    "easydict-key-made-by-a-call": lambda c: Call(
        _SOURCE,
        (call(_EASY, pairs=(*_meta("").items(), (call("builtins.str", "module_src"), source(c)))),),
    ),
    "dict-of-pairs": lambda c: Call(_SOURCE, (call("builtins.dict", list(_meta(source(c)).items())),)),
}


def _magic_by_a_call(canary: str) -> bytes:
    """The older layout of torch.save, whose magic number is made by a call; the payload is in its third pickle."""
    magic = dumps(call("builtins.int", str(MAGIC)), 2)
    blob = _blob(canary)
    return dumps({"G_ema": Call(_LOAD, (magic + blob[len(pickle.dumps(MAGIC, 2)) :],))})


def _memo(canary: str) -> bytes:
    """The function is stored, taken away, and recalled as an argument."""
    ctor = b"cnumpy.random._pickle\n__generator_ctor\n"
    blob = _blob(canary)
    called = ctor + b"(B" + struct.pack("<I", len(blob)) + blob + b"h\x00tR"
    return whole(b"ctorch.storage\n_load_from_bytes\nq\x000" + called)


def two_indexes(canary: str) -> bytes:
    """A zip archive whose index Python finds in front of its end, and torch where the end says: not the same one."""
    evil, good = whole(run(canary)), pickle.dumps({"G_ema": 1}, 2)
    first, index = _archive(evil, 0)
    second, _ = _archive(good, 0)
    start = len(first) + len(index)
    moved = start + len(second) - len(first)  # by how much Python thinks that everything is moved
    second, other = _archive(good, start - moved)
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 3, 3, len(other), len(first), 0)
    return first + index + second + other + end


def _archive(body: bytes, base: int) -> tuple[bytes, bytes]:
    members, index = b"", b""
    for name, data in ((b"a/data.pkl", body), (b"a/version", b"3\n"), (b"a/byteorder", b"little")):
        head = struct.pack("<5H3I2H", 20, 0, 0, 0, 33, zlib.crc32(data), len(data), len(data), len(name), 0)
        at = (base + len(members)) % (1 << 32)
        index += b"PK\1\2" + struct.pack("<H", 20) + head + struct.pack("<3H2I", 0, 0, 0, 0, at) + name
        members += b"PK\3\4" + head + name + data
    return members, index


def old_tar(canary: str) -> bytes:
    """The oldest layout of torch, a tar archive without the magic of one; a whole pickle where its first name is."""
    nothing = pickle.dumps(0, 2)
    members = {
        b"N.": b"",
        b"storages": nothing + pickle.dumps([], 2),
        b"tensors": nothing,
        b"pickle": whole(run(canary)),
    }
    return b"".join(_tar_member(name, data) for name, data in members.items()) + b"\0" * 1024


def _tar_member(name: bytes, data: bytes) -> bytes:
    fields = b"0000644\0" + b"0000000\0" * 2 + b"%011o\0" % len(data) + b"00000000000\0" + b" " * 8 + b"0"
    head = bytearray((name.ljust(100, b"\0") + fields).ljust(512, b"\0"))
    head[148:156] = b"%06o\0 " % sum(head)
    return bytes(head) + data + b"\0" * (-len(data) % 512)


def unnamed_array(canary: str) -> bytes:
    """NumPy tells arrays in archives by their contents, whatever they are called."""
    import numpy as np

    file = io.BytesIO()
    np.save(file, np.array([None]), allow_pickle=True)
    head = file.getvalue()[: file.getvalue().index(b"\n") + 1]
    return zip_of({"w": head + whole(run(canary))}, zipfile.ZIP_DEFLATED)


CASES = [
    Hostile(f"handed-{name}", "network", ".pkl", lambda c, make=make: dumps({"G_ema": make(c)}), _SAYS, armed=True)
    for name, make in _HANDED.items()
]
CASES += [
    Hostile("handed-append", "network", ".pkl", lambda c: _appended(_LOAD, _blob(c)), _SAYS, armed=True),
    Hostile(
        "handed-append-source",
        "network",
        ".pkl",
        lambda c: _appended(_SOURCE, _meta(source(c))),
        _SAYS,
        armed=True,
    ),
    Hostile("magic-by-a-call", "network", ".pkl", _magic_by_a_call, _SAYS, armed=True),
    Hostile("handed-memo", "network", ".pkl", _memo, _SAYS, armed=True),
    Hostile("two-indexes", "network", ".pt", two_indexes, "index is not where it says", armed=True),
    Hostile("old-tar", "network", ".pt", old_tar, "is a tar archive", armed=True),
    Hostile("unnamed-array", "network", ".npz", unnamed_array, "not one that torch", armed=True),
]
