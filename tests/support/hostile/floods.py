"""Small files that would take much time or memory from a reader that does not count."""

from __future__ import annotations

import struct
import zipfile
from typing import Any

from pickle_writer import call, dumps, loads, module_state, ordered, persistent
from places import GOLDEN

from .case import REFUSED, Content, Hostile, laughs, legacy, named, text, whole, zip_of
from .containers import directions
from .networks import from_bytes, rebuilt, storage_file

CASES: list[Hostile] = []
_PRIME = 2**61 - 1  # whole numbers that are its multiples have the same hash
MILLION = 1_000_000


def _add(name: str, content: bytes | Content, says: str, suffix: str = ".pkl", reader: str = "network") -> None:
    says = f"{says}|{REFUSED}" if reader == "network" else says
    CASES.append(Hostile(f"flood-{name}", reader, suffix, content, says, heavy=True))


def _long(value: int) -> bytes:
    raw = value.to_bytes((value.bit_length() + 8) // 8, "little")
    return b"\x8a" + bytes([len(raw)]) + raw


def _network(**attributes: Any) -> bytes:
    """A network with these attributes; the same object at several places is stored once."""
    return dumps({"G_ema": persistent("Generator", module_state(_init_args=(), _init_kwargs={}, **attributes))})


# Instructions.
_add("of-nothing", whole(b"N0" * MILLION), "more than 1000000 instructions")
_add("of-sets", whole(b"(" + b"\x8f" * MILLION + b"t"), "more than 100000 sets|more than 1000000 instructions")
_add("of-lists", whole(b"(" + b"]" * (MILLION - 10) + b"l"), "is not a StyleGAN network file: it holds a list")
_add("of-calls", whole(b"(" + b"N)R" * 150_000 + b"l"), "is not a StyleGAN network file: it holds a list")
_add("of-memos", whole(b"N" + b"\x94" * 300_000), "is not a StyleGAN network file")
_add("of-names", whole(b"".join(b"cm\nn%d\n0" % i for i in range(30_000)) + b"N"), "is not a StyleGAN network file")
_add("of-short-lines", whole(b"I1\n0" * 150_000 + b"N"), "is not a StyleGAN network file")
_add("of-marks", whole(b"(" * (MILLION - 10)), "empty stack|marks")
_add("of-deep-lists", whole(b"]" * 200_000 + b"a" * 199_999), "is not a StyleGAN network file: it holds a list")
_add("of-deep-tuples", whole(b"N" + b"\x85" * 250_000), "is not a StyleGAN network file: it holds a tuple")
_add("of-deep-calls", whole(b"(" * 1 + b"N" * 80_000 + b")R" + b"\x85R" * 79_999 + b"t"), "is not a StyleGAN")
_add("key-of-deep-tuples", whole(b"}N" + b"\x85" * 250_000 + b"Ns"), "a key of type tuple")
_add("key-of-a-call-deep", whole(named("collections", "OrderedDict") + b")RN" + b"\x85" * 250_000 + b"Ns"),
     "a key of type tuple")  # fmt: skip
_add("pairs-of-deep-tuples", whole(named("collections", "OrderedDict") + b"(((N" + b"\x85" * 200_000 + b"Nl" + b"l"
     + b"tR"), "a key|is not a StyleGAN")  # fmt: skip
_add(
    "colliding-keys",
    whole(b"}(" + b"".join(_long(i * _PRIME) + b"N" for i in range(1, 60_000)) + b"u"),
    "keys that are",
)
_add("colliding-keys-in-many", whole(b"(" + b"".join(b"}(" + b"".join(_long(i * _PRIME) + b"N" for i in range(1, 4_000))
     + b"u" for _ in range(40)) + b"l"), "keys that are")  # fmt: skip
_add("colliding-memos", whole(b"N" + b"".join(b"p%d\n" % (i * _PRIME) for i in range(1, 60_000))), "stores an entry")
_add("equal-long-keys", whole(b"(" + text("x" * 1_000_000) + b"\x940" + text("x" * 1_000_000) + b"\x940}h\x00Ns"
     + b"h\x01Ns" * 90_000 + b"l"), "a key of")  # fmt: skip
_add("long-key-of-tuples", whole(b"(" + b"N" * 100_000 + b"t\x940}" + b"h\x00Ns" * 50_000), "a key of")
_add("long-number", whole(b"\x8b" + struct.pack("<i", 1_000_000) + b"\x7f" * 1_000_000), "a whole number of")

# Shared parts, which count each time they are met.
_add("laughs", whole(laughs(60)), "is not a StyleGAN network file: it holds a list")
_add("laughs-in-attributes", lambda c: _network(held=_laughs(40)), "more than|nested deeper")
_add(
    "laughs-as-type", lambda c: _network(held=call("numpy.dtype", _laughs(60))), "refused|only numbers|element type|ref"
)
_add("laughs-as-array-type", lambda c: _network(held=_array_of(call("numpy.dtype", _laughs(60)))), "only numbers")
_add("laughs-as-device", lambda c: _network(held=call("torch.device", _laughs(40))), "device|more than")
_add("laughs-as-protocol", legacy(1, laughs(60)), "file protocol", ".pt")
_add("laughs-as-key", whole(named("x", "Y") + b")R" + laughs(60) + b"Ns"), "a key of type list")
_add("laughs-of-modules", lambda c: dumps({"G_ema": _modules(30)}), "too many modules|more than")
_add("modules-of-many-tensors", lambda c: dumps({"G_ema": _modules(13, {f"t{i}": None for i in range(2_000)})}),
     "more than 100000 tensors")  # fmt: skip
_add("modules-of-long-names", lambda c: dumps({"G_ema": _modules(12, name="n" * 3_000)}), "a name of")
_add("shared-bytes", lambda c: _network(held=[b"x" * 2**20] * 50_000), "more than")
_add("shared-text", lambda c: _network(held=["x" * 2**20] * 50_000), "more than")
_add("shared-encoded-text", lambda c: _network(held=[call("_codecs.encode", _TEXT, "latin1") for _ in range(3_000)]),
     "more than")  # fmt: skip
_add("shared-storage-text", lambda c: _network(held=[rebuilt(from_bytes(_STORED)) for _ in range(3_000)]),
     "no hook fits|more than")  # fmt: skip
_add("shared-storage-archive", lambda c: _shared_archive(),
     "a tensor whose data")  # fmt: skip
_add("storage-of-instructions", lambda c: _network(held=[rebuilt(from_bytes(_slow(i))) for i in range(8)]),
     "more than 1000000 instructions")  # fmt: skip
_add(
    "source", lambda c: dumps({"G_ema": persistent("Generator", module_state(), "a b\n" * 3 * MILLION)}), "a source of"
)

# Long parts of many calls, each of which would go through them again.
_LONG = b"(" + b"K\0" * 200_000 + b"tr\0\0\0\0"
_PAIRS = b"]r\0\0\0\0(" + b"".join(b"J" + struct.pack("<i", i) + b"N\x86" for i in range(100_000)) + b"e"
_STATE = b"}r\0\0\0\0(" + b"".join(text(f"k{i}") + b"N" for i in range(100_000)) + b"u"


def _often(held: bytes, name: bytes, use: bytes, times: int = 20_000) -> bytes:
    return whole(b"(" + held + name + b"r\1\0\0\0" + (b"j\1\0\0\0" + use) * times + b"t")


_RECALLED = b"j\0\0\0\0"
_add("shared-shape", _often(_LONG, named("torch", "Size"), _RECALLED + b"\x85R"), "two things of one tuple")
_add("shared-arguments", _often(_LONG, named("pathlib", "PosixPath"), _RECALLED + b"R"), "two things of one tuple")
_add(
    "shared-pairs", _often(_PAIRS, named("collections", "OrderedDict"), _RECALLED + b"\x85R"), "two things of one list"
)
_add("shared-items", _often(_PAIRS, named("builtins", "set"), _RECALLED + b"\x85R"), "two things of one list")
_add("shared-state", _often(_STATE, named("some", "Class"), b")\x81" + _RECALLED + b"b"), "two things of one dict")
_add("shared-device", _often(text("a" * MILLION) + b"r\0\0\0\0", named("torch", "device"), _RECALLED + b"K\0\x86R"),
     "calls torch.device with")  # fmt: skip
_add("shared-name", whole(b"(" + text("a." * 500_000 + "dnnlib") + b"\x94" + text("EasyDict") + b"\x94\x93\x94"
     + b"h\x02)\x81" * 100_000 + b"t", 4), "a name of more than 1000 letters")  # fmt: skip
_add("shared-module-of-names", lambda c: _module_of_names(), "more than")


def _module_of_names() -> bytes:
    part = persistent("Part", module_state(**{f"{'_hook' * 790}{i}_hooks": {} for i in range(900)}))
    state = module_state(modules={f"m{i}": part for i in range(1000)}, _init_args=(), _init_kwargs={})
    return dumps({"G_ema": persistent("Generator", state)})


_TEXT = "x" * 2**20
_STORED = storage_file(2**18, b"\0" * 2**20).decode("latin-1")


def _archive(entries: int) -> bytes:
    return zip_of([(f"archive/{i}", b"") for i in range(entries)])


def _slow(seed: int) -> bytes:
    return storage_file(1, b"\0" * 4, machine=whole(b"N0" * 200_000 + b"K" + bytes([seed]) + b"0}", 2))


def _shared_archive() -> bytes:
    archive = _archive(20_000)
    return _network(held=[rebuilt(from_bytes(archive)) for _ in range(3_000)])


def _laughs(levels: int) -> list:
    held: list = []
    for _ in range(levels):
        held = [held, held]
    return held


def _array_of(kind: Any) -> Any:
    made = call("numpy.core.multiarray._reconstruct", None, (0,), b"b")
    made.state = (1, (1,), kind, False, b"\0" * 4)
    return made


def _modules(levels: int, buffers: dict | None = None, name: str = "m") -> Any:
    """Modules of two modules, each of two: the same two."""
    made = persistent("Part", module_state(buffers=buffers or {}))
    for _ in range(levels):
        state = module_state()
        state["_modules"] = ordered({f"{name}0": made, f"{name}1": made})
        made = persistent("Part", state)
    made.args[0]["state"].update(_init_args=(), _init_kwargs={})
    return made


# Arguments of a network that is known: a toolkit would compute with them for ever.
_add("argument-power", lambda c: _golden("sg3t-64", num_fp16_res=2**62), "which no network has")
_add(
    "argument-layers",
    lambda c: _golden("sg2ada-skip-64", mapping_kwargs={"num_layers": 2**24}),
    "num_layers is 16777216",
)


def _golden(name: str, **changes: Any) -> bytes:
    """A network of the golden files, with other arguments."""
    value = loads((GOLDEN / f"{name}.pkl").read_bytes())
    value["G_ema"].args[0]["state"]["_init_kwargs"].update(changes)
    return dumps(value)


# Archives.
_add("zip-index", lambda c: _archive(80_000), "larger than is read", ".pt")
_add("zip-packed", lambda c: zip_of({"archive/data.pkl": b"\x80\x02" + b"N0" * 5 * MILLION}, zipfile.ZIP_DEFLATED),
     "packed", ".pt")  # fmt: skip

# JSON.
_add("json-names", b"{" + b",".join(b'"k%d":0' % i for i in range(200_000)) + b"}", "unknown field", ".json", "recipe")
_add("json-seeds", b'{"seeds":[0' + b",0" * 5_000_000 + b"]}", "seeds: Expected `array` of length", ".json", "recipe")
_add("json-lists", b"[" + b"[]," * 2_000_000 + b"[]]", "Expected `object`, got `array`", ".json", "recipe")
_add("json-large", lambda c: b'"' + b"x" * (1 << 26) + b'"', "larger than 64 MB", ".json", "recipe")
_add(
    "directions-json",
    directions(names="[" + "[]," * MILLION + "[]]"),
    "Expected `str`, got `array`",
    ".safetensors",
    "directions",
)
