"""Changed network files, read by us and by Python's own unpickler: ``python -m mutants COUNT SEED``.

Files are small, as the toolkits, ``torch.save`` and NumPy write them; changes are of instructions. What we read must be
what the unpickler makes of it, where a toolkit's own names stand for small classes of their behaviour.
"""

from __future__ import annotations

import argparse
import codecs
import collections
import copyreg
import io
import json
import pickle
import struct
import sys
import tempfile
import time
import types
import zipfile
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import torch
from pickle_writer import dumps, network, numpy_scalar, tensor, tensorflow_network

from fuzz.mutations import parts_of, some_instructions
from sefa_plugin.reading.network_file import read_network
from sefa_plugin.reading.network_record import NetworkFileError
from sefa_plugin.reading.tensor_view import TensorView
from sefa_plugin.system.messages import shown

# --- the official side ------------------------------------------------------------------------------


class EasyDict(dict):
    """Items are attributes."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None

    def __setattr__(self, name: str, value: Any) -> None:
        self[name] = value


class Module:
    """A persistent object: attributes, and what torch's modules look up behind them."""

    def __init__(self, meta: dict) -> None:
        meta = EasyDict(meta)
        self.__dict__.update(meta.state)
        vars(self)["(class)"], vars(self)["(source)"] = meta.class_name, meta.module_src

    def found(self, name: str) -> Any:
        """The attribute of that name, as torch finds it."""
        held = vars(self)
        for part in (held, *(held.get(kind, {}) for kind in ("_parameters", "_buffers", "_modules"))):
            if name in part:
                return part[name]
        raise AttributeError(name)


class Stranger:
    """Of a class that nobody knows."""


class Network:
    """Of the TensorFlow toolkits."""

    def __setstate__(self, state: dict) -> None:
        self.state = state


def _from_bytes(data: bytes) -> Any:
    return torch.load(io.BytesIO(data), weights_only=False, pickle_module=_SHIM)


_NAMES: dict[tuple[str, str], Any] = {
    ("torch_utils.persistence", "_reconstruct_persistent_obj"): Module,
    ("dnnlib.util", "EasyDict"): EasyDict,
    ("dnnlib.tflib.network", "Network"): Network,
    ("tfutil", "Network"): Network,
    ("collections", "OrderedDict"): collections.OrderedDict,
    ("argparse", "Namespace"): argparse.Namespace,
    ("torch.storage", "_load_from_bytes"): _from_bytes,
    ("_codecs", "encode"): codecs.encode,
    ("numpy", "dtype"): np.dtype,
    ("numpy", "ndarray"): np.ndarray,
    **{("torch._utils", name): getattr(torch._utils, name) for name in ("_rebuild_tensor_v2", "_rebuild_parameter")},
    **{("torch", name): getattr(torch, name) for name in ("FloatStorage", "IntStorage", "LongStorage", "HalfStorage")},
    **{(home, "_reconstructor"): copyreg._reconstructor for home in ("copyreg", "copy_reg")},
    **{(home, name): getattr(__builtins__ if isinstance(__builtins__, types.ModuleType) else
                             types.SimpleNamespace(**__builtins__), name)
       for home in ("builtins", "__builtin__") for name in ("set", "frozenset", "object", "dict", "bytes")},
}  # fmt: skip
_CORE = sys.modules[np.zeros(1).__reduce__()[0].__module__]
for _home in ("numpy.core.multiarray", "numpy._core.multiarray"):
    _NAMES[_home, "_reconstruct"], _NAMES[_home, "scalar"] = _CORE._reconstruct, np.float32(0).__reduce__()[0]


class Unpickler(pickle.Unpickler):
    """Python's unpickler in C, with the names above only."""

    def __init__(self, file: Any, **options: Any) -> None:
        super().__init__(file, encoding="latin1")

    def find_class(self, module: str, name: str) -> Any:
        return _NAMES.get((module, name), Stranger)


_SHIM = types.SimpleNamespace(
    Unpickler=Unpickler, load=lambda file, **_: Unpickler(file).load(), __name__="pickle", HIGHEST_PROTOCOL=5
)


def official(data: bytes) -> Any:
    """What the file is for its toolkit."""
    if data[:2] == b"PK" or pickle.dumps(0x1950A86A20F9469CFC6C, 2)[:-1] in data[:20]:
        return torch.load(io.BytesIO(data), weights_only=False, pickle_module=_SHIM)
    return Unpickler(io.BytesIO(data)).load()


# --- both as plain values ---------------------------------------------------------------------------


def plain(value: Any) -> Any:
    """Values of either side, alike."""
    if isinstance(value, TensorView):
        value = value.numpy()
    if isinstance(value, torch.Tensor):
        value = value.detach().float().numpy() if value.dtype == torch.bfloat16 else value.detach().numpy()
    if isinstance(value, (np.ndarray, np.generic)):
        return [list(value.shape), np.asarray(value).astype(float).tolist()] if np.ndim(value) else value.item()
    if isinstance(value, dict):
        return {repr(key): plain(item) for key, item in value.items()}
    if isinstance(value, (set, frozenset)):
        return sorted(map(repr, value))
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value


def _flat(module: Module, name: str, found: dict) -> None:
    held = vars(module)
    attributes = {key: plain(item) for key, item in held.items() if key[0] != "(" and key not in _MEMBERS}
    attributes = {key: item for key, item in attributes.items() if not key.endswith("_hooks") or item}
    found[f"module {name}"] = [shown(held["(class)"], 80), attributes]
    for kind in ("_parameters", "_buffers"):
        for key in held.get(kind, {}):
            found[f"{name}.{key}"] = plain(module.found(key))
    for key in held.get("_modules", {}):
        _flat(module.found(key), f"{name}.{key}", found)


_MEMBERS = ("_parameters", "_buffers", "_modules")


def theirs(data: bytes, which: str) -> Any:
    """The network, as its toolkit has it."""
    value = official(data)
    if isinstance(value, tuple):
        state = value[2].state
        return {"kwargs": plain(state["static_kwargs"]), **{key: plain(item) for key, item in state["variables"]}}
    if isinstance(value[which], dict):
        return {key: plain(item) for key, item in value[which].items()}
    found: dict = {}
    _flat(value[which], "", found)
    return found


def ours(path: Path, which: str) -> Any:
    """The network, as we read it."""
    record = read_network(path, which)
    if record.family == "tensorflow":
        tensors = {key: plain(item) for key, item in record.tensors.items() if "/" not in key or "mapping" not in key}
        return {"kwargs": plain(record.init_kwargs), **tensors}
    if record.family == "state_dict":
        return {key: plain(item) for key, item in record.tensors.items()}
    found = {f"module {_dot(name)}": [part.class_name, plain_attributes(part.attributes)]
             for name, part in record.modules.items()}  # fmt: skip
    found.update({_dot(name): plain(item) for name, item in record.tensors.items()})
    found.update({_dot(name): None for name in record.none_buffers})
    return found


def plain_attributes(held: Any) -> dict:
    """Attributes; sets come as lists of their items."""
    return {key: sorted(map(repr, item)) if key == "_non_persistent_buffers_set" and item == [] else plain(item)
            for key, item in held.items()}  # fmt: skip


def _dot(name: str) -> str:
    return f".{name}" if name else ""


# --- files and changes --------------------------------------------------------------------------------


def seeds() -> list[tuple[bytes, str]]:
    """Small files, and the network of each."""
    kwargs = {"z_dim": 4, "mapping_kwargs": {"num_layers": 1}}
    tensors = {
        "b4.const": np.arange(4, dtype="f4"),
        "b4.conv.weight": np.ones((2, 2), "f4"),
        "w_avg": np.zeros(2, "f4"),
    }
    held = {"b4": {"gain": numpy_scalar(1.5), "sizes": [1, 2], "scale": 0.5}}
    G = network(tensors, kwargs, none=("b4.filter",), attributes=held)
    E = network({"x": tensor(np.full(3, 2, "f4"), parameter=True)}, {"z_dim": 5})
    found = [(dumps({"G": E, "D": None, "G_ema": G}, protocol), "G_ema") for protocol in (0, 2, 3, 4)]
    part = tensorflow_network(4, "G_main", {"resolution": 4}, {"a": np.ones((1, 2), "f4"), "lod": 0.0})
    found += [(dumps((None, None, part), protocol), "G_ema") for protocol in (2, 4)]
    weights = {"conv.weight": torch.ones(2, 3), "conv.bias": torch.arange(6.0).view(2, 3).t(), "n": torch.tensor(3)}
    for zipped in (True, False):
        for value in (weights, collections.OrderedDict(weights)):
            file = io.BytesIO()
            torch.save({"g_ema": value, "args": argparse.Namespace(a=1)}, file, _use_new_zipfile_serialization=zipped)
            found.append((file.getvalue(), "g_ema"))
    return found


def changed(data: bytes, rng: Random) -> bytes:
    """One to three changes of instructions, of the pickle or of one inside it."""
    if data[:2] == b"PK":
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
        name = next(name for name in members if name.endswith("data.pkl"))
        members[name] = changed(members[name], rng)
        return _zip(members)
    for _ in range(rng.choice((1, 1, 2, 3))):
        data = rng.choice((_segments, _segments, _segments, _aliased, _framed, _values, some_instructions))(data, rng)
    return data


def _zip(members: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def _segments(data: bytes, rng: Random) -> bytes:
    """Repeat, drop or move some instructions in a row; entries of the memo keep their meaning."""
    raw, rest = parts_of(data)
    if len(raw) < 3:
        return data
    parts = _with_entries([part for part in raw if part[:1] != b"\x95"])
    start = rng.randrange(len(parts) - 1)
    stop = min(len(parts) - 1, start + rng.choice((1, 1, 2, 3, 4, 6, 10)))
    kind, segment = rng.randrange(3), parts[start:stop]
    if kind:
        del parts[start:stop]
    if kind != 1:
        at = stop if rng.random() < 0.5 else rng.randrange(len(parts))
        parts[at:at] = segment
    return b"".join(_renumbered(parts)) + rest


_PUTS, _GETS = {b"p", b"q", b"r", b"\x94"}, {b"g", b"h", b"j"}


def _with_entries(parts: list[bytes]) -> list[tuple[bytes, int]]:
    """Instructions, and which entry of the memo each stores or recalls (-1: none)."""
    made, count = [], 0
    for part in parts:
        code, entry = part[:1], -1
        if code in _PUTS:
            entry, count = count, count + 1
        elif code in _GETS:
            entry = int(part[1:]) if code == b"g" else int.from_bytes(part[1:], "little")
        made.append((part, entry))
    return made


def _renumbered(parts: list[tuple[bytes, int]]) -> list[bytes]:
    """The instructions, their memo filled in order."""
    made, place, count = [], {}, 0
    for part, entry in parts:
        code = part[:1]
        if code in _PUTS:
            place[entry] = count
            entry, count = count, count + 1
        elif code in _GETS:
            entry = place.get(entry, entry)
        if entry >= 0 and code != b"\x94":
            text = code in b"pg"
            part = code + (b"%d\n" % entry if text else struct.pack("<B" if code in b"qh" else "<I", entry % 256))
        made.append(part)
    return made


def _values(data: bytes, rng: Random) -> bytes:
    """Another number or letter in an argument."""
    parts, rest = parts_of(data)
    places = [place for place, part in enumerate(parts) if part[:1] in b"KMJGXU\x8cCTV" and len(part) > 1]
    if not places:
        return data
    place = rng.choice(places)
    part = bytearray(parts[place])
    part[-1] = rng.choice((0, 1, 2, 3, 65, 97, 255)) if part[:1] in b"KMJGC" else rng.choice(b"ab.0_")
    parts[place] = bytes(part)
    return b"".join(parts) + rest


def _aliased(data: bytes, rng: Random) -> bytes:
    """Recall something else, or recall something where something was made; or change what was recalled."""
    parts, rest = parts_of(data)
    entry = b"h" + bytes([rng.randrange(60)])
    at = rng.randrange(max(1, len(parts)))
    change = rng.choice((entry, entry + b"N}b", entry + b"}b", entry + b"K\x01K\x02s", entry + b"K\x01a", entry + b"0"))
    got = [place for place, part in enumerate(parts) if part[:1] in b"hgj" and len(part) > 1]
    if got and rng.random() < 0.5:
        parts[rng.choice(got)] = entry
    elif rng.random() < 0.5:
        parts[at:at] = [change]
    else:
        parts[at : at + 1] = [entry]
    return b"".join(parts) + rest


def _framed(data: bytes, rng: Random) -> bytes:
    """Frame some instructions, or let a frame say that it is longer or shorter."""
    parts, rest = parts_of(data)
    at = rng.randrange(max(1, len(parts)))
    frames = [place for place, part in enumerate(parts) if part[:1] == b"\x95"]
    if frames and rng.random() < 0.6:
        place = rng.choice(frames)
        length = struct.unpack("<Q", parts[place][1:])[0] + rng.choice((-9, -2, -1, 1, 2, 30))
        parts[place] = b"\x95" + struct.pack("<Q", max(0, length))
    else:
        inside = sum(map(len, parts[at : at + rng.randrange(1, 9)])) + rng.choice((0, 0, 0, 1, -1))
        parts[at:at] = [b"\x95" + struct.pack("<Q", max(0, inside))]
    return b"".join(parts) + rest


def differs(data: bytes, which: str, path: Path) -> str:
    """'' where we refuse a file (``refused``) or read what the toolkit has, else how they differ."""
    path.write_bytes(data)
    try:
        mine = ours(path, "G_ema")
    except NetworkFileError:
        return "refused"
    try:
        wanted = theirs(data, which)
    except Exception as error:  # of any kind: the unpickler's, or of the classes above
        return f"read, but the unpickler says {type(error).__name__}: {error}"
    return "" if repr(mine) == repr({key: wanted.get(key, "(missing)") for key in mine}) and (
        wanted.keys() == mine.keys() or isinstance(mine.get("kwargs"), dict)
    ) else f"{mine!r:.300} is read, {wanted!r:.300} is there"  # fmt: skip


def main() -> None:
    """Change files, and print how many were refused, how many were read alike, and the others."""
    count, rng, start = int(sys.argv[1]), Random(int(sys.argv[2])), time.process_time()
    files, outcomes, found = seeds(), collections.Counter(), []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file.pkl"
        for data, which in files:
            assert differs(data, which, path) == "", differs(data, which, path)
        while sum(outcomes.values()) < count:
            data, which = rng.choice(files)
            mutant = changed(data, rng)
            if mutant == data:
                continue
            said = differs(mutant, which, path)
            outcomes["refused" if said == "refused" else "different" if said else "alike"] += 1
            if said not in ("", "refused"):
                found.append([mutant.hex(), which, said])
    print(json.dumps({**outcomes, "seconds": time.process_time() - start, "found": found[:20]}))


if __name__ == "__main__":
    main()
