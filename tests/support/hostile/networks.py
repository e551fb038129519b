"""Networks whose parts lie: tensors that reach outside, overlap or contradict themselves, and states of other types."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
from pickle_writer import (
    ORDERED,
    Call,
    Global,
    PersistentId,
    call,
    dumps,
    module_state,
    numpy_array,
    ordered,
    persistent,
    tensor,
    tensorflow_network,
)
from torch_writer import MACHINE

from .case import MAGIC, REFUSED, Hostile, legacy, run, source, whole, zip_of

CASES: list[Hostile] = []


def _add(name: str, make: Any, says: str, **more: Any) -> None:
    """``make`` gives the entry G_ema, or the file's bytes, for a canary."""

    def content(canary: str) -> bytes:
        held = make(canary) if callable(make) else make
        return held if isinstance(held, bytes) else dumps({"G_ema": held})

    CASES.append(Hostile(name, "network", ".pkl", content, f"{says}|{REFUSED}", **more))


# --- tensors --------------------------------------------------------------------------------------


def _with(made: Any) -> Call:
    state = module_state(parameters={"weight": made}, _init_args=(), _init_kwargs={})
    return persistent("Generator", state)


def _view(shape: Any, stride: Any, offset: Any = 0) -> Call:
    return _with(tensor(np.zeros(16, "<f4"), shape=shape, stride=stride, offset=offset))


def rebuilt(storage: Any) -> Call:
    """A tensor of one number, of this storage."""
    return call("torch._utils._rebuild_tensor_v2", storage, 0, (1,), (1,), False, Call(ORDERED, ()))


def from_bytes(data: Any) -> Call:
    """A storage that is a small file of ``torch.save`` in itself."""
    return call("torch.storage._load_from_bytes", data)


def storage_file(
    count: Any,
    data: bytes,
    told: int | None = None,
    kind: tuple = ("torch", "FloatStorage"),
    machine: bytes = dumps(MACHINE, 2),
) -> bytes:
    """Such a file, with a count in its reference and another before its data."""
    place = PersistentId(("storage", Global(*kind), "0", "cpu", count, None))
    head = dumps(MAGIC, 2) + dumps(1001, 2) + machine + dumps(place, 2) + dumps(["0"], 2)
    return head + struct.pack("<q", count if told is None else told) + data


for _name, _made, _says in (
    ("shape-huge", _view((2**40, 2**40), (2**40, 1)), "needs more than the 16 stored|uses elements more than once"),
    ("shape-of-64-bits", _view((2**61, 8), (8, 1)), "needs more than the 16 stored"),
    ("shape-of-70-bits", _view((2**70,), (1,)), "the shape is not a list of whole numbers"),
    ("shape-negative", _view((-1,), (1,)), "the shape is not a list of whole numbers"),
    ("shape-of-text", _view(("4",), (1,)), "the shape is not a list of whole numbers"),
    ("shape-of-truth", _view((True,), (1,)), "the shape is not a list of whole numbers"),
    ("shape-of-nan", _view((float("nan"),), (1,)), "the shape is not a list of whole numbers"),
    ("shape-of-100-axes", _view((1,) * 100, (1,) * 100), "at most 16 are read"),
    ("shape-empty-but-huge", _view((0, 2**61), (2**61, 1)), "tensor weight: a tensor that cannot be read"),
    ("stride-negative", _view((4,), (-1,)), "the strides is not a list of whole numbers"),
    ("stride-zero", _view((2**30,), (0,)), "uses elements more than once"),
    ("stride-overlapping", _view((8, 8), (1, 1)), "uses elements more than once"),
    ("stride-huge", _view((2, 2), (2**61, 1)), "needs more than the 16 stored"),
    ("stride-missing", _view((2, 2), (1,)), "2 axes but 1 strides"),
    ("offset-beyond", _view((4,), (1,), 1000), "needs more than the 16 stored"),
    ("offset-negative", _view((4,), (1,), -4), "the offset is not a list of whole numbers"),
    ("of-too-few-parts", _with(call("torch._utils._rebuild_tensor_v2", 1)), "too few parts"),
    ("of-no-storage", _with(rebuilt(None)), "a tensor without a storage"),
    ("of-quantised-type", _with(call("torch._utils._rebuild_qtensor", 1, 2, 3, 4, 5, 6, 7)), "not known to be"),
    ("storage-negative", _with(rebuilt(from_bytes(storage_file(-1, b"")))), "malformed key or size"),
    ("storage-huge", _with(rebuilt(from_bytes(storage_file(2**60, b"")))), "truncated"),
    ("storage-that-lies", _with(rebuilt(from_bytes(storage_file(4, b"\0" * 16, 2**62)))), "declared with 4"),
    ("storage-of-unknown-type", _with(rebuilt(from_bytes(storage_file(1, b"\0" * 4, 1, ("os", "x"))))), "unknown type"),
    ("storage-of-nothing", _with(rebuilt(from_bytes(b""))), "truncated"),
    ("storage-of-itself", _with(rebuilt(from_bytes(7))), "bytes were expected"),
    ("storage-of-wide-text", _with(rebuilt(from_bytes("\u20ac" * 99))), "characters beyond 255"),
):  # fmt: skip
    _add(f"tensor-{_name}", _made, _says)

_add("tensor-by-eval", lambda c: _with(call("builtins.eval", source(c))), "not known to be harmless", armed=True)
_add("storage-by-eval", lambda c: _with(rebuilt(call("builtins.eval", source(c)))), "not known", armed=True)
_add("storage-beside-tensor", lambda c: _with(call("torch._utils._rebuild_tensor_v2", from_bytes(storage_file(
    1, b"\0" * 4)), 0, (1,), (1,), call("builtins.eval", source(c)), None)), "no hook fits", armed=True)  # fmt: skip
for _place, _what in enumerate(("magic", "protocol", "machine", "object", "keys")):
    _add(
        f"nested-blob-{_what}",
        lambda c, place=_place: _with(rebuilt(from_bytes(legacy(place, run(c))))),
        "tensor weight: a tensor whose data|no hook fits",
        armed=True,
    )
_add(
    "nested-blob-as-text",
    lambda c: _with(rebuilt(from_bytes(call("_codecs.encode", legacy(3, run(c)).decode("latin-1"), "latin1")))),
    "something else than a storage",
    armed=True,
)
_add(
    "nested-blob-zip",
    lambda c: _with(rebuilt(from_bytes(zip_of({"archive/data.pkl": whole(run(c), 2)})))),
    "something else than a storage",
)
_add("nested-blob-cut", lambda c: _with(rebuilt(from_bytes(legacy(4, run(c))[:-1]))), "ends early", armed=True)

# --- arrays of NumPy inside pickles ---------------------------------------------------------------


def _held(value: Any) -> Call:
    return persistent("Generator", module_state(_init_args=(), _init_kwargs={}, held=value))


def _array(code: str, held: Any, shape: Any = (1,), order: str = "<", last: int = 0) -> Call:
    made = call("numpy.core.multiarray._reconstruct", Global("numpy", "ndarray"), (0,), b"b")
    kind = call("numpy.dtype", code, 0, 1, state=(3, order, None, None, None, -1, -1, last))
    made.state = (1, shape, kind, False, held)
    return made


_add("numpy-objects", lambda c: _held(_array("O8", [call("builtins.eval", source(c))], order="|", last=63)),
     "only numbers are read", armed=True)  # fmt: skip
_add("numpy-big-endian", _held(_array("f4", b"\0" * 4, order=">")), "big-endian")
_add("numpy-shape-huge", _held(_array("f4", b"\0" * 4, (2**62, 2**62))), "an array that cannot be read|malformed")
_add("numpy-shape-negative", _held(_array("f4", b"\0" * 4, (-1,))), "malformed shape")
_add(
    "numpy-type-by-eval", lambda c: _held(_array(call("builtins.eval", source(c)), b"\0" * 4)), "only numbers are read"
)
_add("numpy-scalar-of-999-bytes", _held(call("numpy.core.multiarray.scalar", numpy_array([1]).state[2], b"x" * 999)),
     "of 999 bytes")  # fmt: skip
_add("numpy-without-state", _held(call("numpy.core.multiarray._reconstruct", None, (0,), b"b")), "without contents")

# --- states of other types ------------------------------------------------------------------------


def _meta(**changes: Any) -> Call:
    made = persistent("Generator", module_state(_init_args=(), _init_kwargs={}))
    made.args[0].update(changes)
    return made


def _state(**changes: Any) -> Call:
    return persistent("Generator", {**module_state(_init_args=(), _init_kwargs={}), **changes})


def _cycle() -> Call:
    made = _state()
    made.args[0]["state"]["_modules"] = ordered({"again": Call(made.func, made.args)})
    return made


for _name, _made, _says in (
    ("meta-of-text", call("torch_utils.persistence._reconstruct_persistent_obj", "meta"), "malformed persistent"),
    ("meta-missing", call("torch_utils.persistence._reconstruct_persistent_obj"), "malformed persistent"),
    ("type-function", _meta(type="function"), "malformed persistent"),
    ("class-name-of-number", _meta(class_name=7), "malformed persistent"),
    ("class-name-long", _meta(class_name="\x1b[2J" * 10_000), "no hook fits"),
    ("source-of-bytes", _meta(module_src=b"import os"), "malformed persistent"),
    ("state-of-list", _meta(state=[]), "malformed persistent"),
    ("parameters-of-number", _state(_parameters=7), "malformed _parameters"),
    ("parameters-of-list", _state(_parameters=[("weight", None)]), "malformed _parameters"),
    ("parameters-by-number", _state(_parameters=ordered({7: None})), "malformed name"),
    ("parameters-by-dots", _state(_parameters=ordered({"a.b": None})), "malformed name"),
    ("parameters-by-path", _state(_parameters=ordered({"../../x": 7})), "malformed name in _parameters"),
    ("modules-of-tensor", _state(_modules=tensor(np.zeros(1, "<f4"))), "no hook fits|malformed"),
    ("modules-of-number", _state(_modules=ordered({"a": 7})), "a is a int, not a network"),
    ("modules-cyclic", _cycle(), "too many modules or too deep"),
    ("attribute-by-number", _meta(state={**module_state(), 7: 7}), "not named by text"),
    ("kwargs-of-list", _state(_init_kwargs=[1]), "what its constructor was given"),
    ("args-of-number", _state(_init_args=7), "what its constructor was given"),
    ("kwargs-by-number", _state(_init_kwargs={7: 7}), "no hook fits"),
    ("kwargs-of-huge-number", _state(_init_kwargs={"z_dim": 10**3000}), "a whole number of"),
    ("state-of-builtins", call("builtins.object", state=module_state()), "refused|no hook fits"),
    ("G-of-torch-module", call("torch.nn.modules.module.Module", state=module_state()), "no hook fits|not say what"),
):
    _add(f"state-{_name}", _made, _says)
_add("state-kwargs-by-eval", lambda c: _state(_init_kwargs={"z_dim": call("builtins.eval", source(c))}),
     "not known to be harmless", armed=True)  # fmt: skip
_add(
    "state-hooks-by-eval", lambda c: _state(_forward_hooks=call("builtins.eval", source(c))), "no hook fits", armed=True
)
_add("state-dict-by-eval", lambda c: dumps({"g_ema": {"input.input": call("builtins.eval", source(c))}}),
     "not known|is no tensor|is not a StyleGAN", armed=True)  # fmt: skip

# --- the TensorFlow toolkits ----------------------------------------------------------------------


def _tensorflow(**changes: Any) -> bytes:
    made = tensorflow_network(4, "G_main", {}, {"lod": np.float32(0)})
    made.state.update(changes)
    return dumps((None, None, made))


_add("tensorflow-variables-by-eval", lambda c: _tensorflow(variables=[("x", call("builtins.eval", source(c)))]),
     "not known to be harmless", armed=True)  # fmt: skip
for _name, _bytes, _says in (
    ("version-of-list", _tensorflow(version=[4] * 1000), "is of version"),
    (
        "components-of-components",
        _tensorflow(components={"a": tensorflow_network(4, "x", {}, {}, {"b": None})}),
        "malf",
    ),
    ("component-of-text", _tensorflow(components={"synthesis": "text"}), "is not a network"),
    ("variables-of-text", _tensorflow(variables="text"), "has no variables"),
    ("variables-of-triples", _tensorflow(variables=[(1, 2, 3)]), "malformed variable"),
    ("variable-too-large", _tensorflow(variables=[("x", 1e300)]), "too large a number"),
    ("source-missing", _tensorflow(build_module_src=None), "does not say what built it"),
):
    _add(f"tensorflow-{_name}", _bytes, _says)
