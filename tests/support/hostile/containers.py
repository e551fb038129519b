"""Safetensors: headers that lie, and metadata of ours (networks, directions) that means harm."""

from __future__ import annotations

import json
import struct
from typing import Any

import numpy as np

from .case import Content, Hostile, run, whole

CASES: list[Hostile] = []


def _add(reader: str, name: str, content: bytes | Content, says: str, **more: Any) -> None:
    CASES.append(Hostile(name, reader, ".safetensors", content, says, **more))


def safetensors(header: Any, data: bytes = b"", length: int | None = None) -> bytes:
    """A file with this header, as text or as what JSON makes of it; ``length`` may lie."""
    raw = header.encode() if isinstance(header, str) else json.dumps(header).encode()
    return struct.pack("<Q", len(raw) if length is None else length) + raw + data


def _entry(shape: Any = (4,), span: Any = (0, 16), kind: str = "F32") -> dict:
    return {"dtype": kind, "shape": list(shape), "data_offsets": list(span)}


# --- the container itself, whoever reads it ---------------------------------------------------------

_MARKED = {"__metadata__": {"sefa_network": "{}"}}
for _name, _content in {
    "header-huge": safetensors(_MARKED, length=2**63),
    "header-beyond": safetensors(_MARKED, length=10**6),
    "header-deep": safetensors('{"a":' + "[" * 100_000),
    "header-not-utf8": struct.pack("<Q", 4) + b'{"\xff}' + b"\0" * 16,
    "header-no-object": safetensors("[1, 2]"),
    "header-cut": safetensors(_MARKED)[:-10],
    "shape-huge": safetensors({**_MARKED, "x": _entry((2**40, 2**40))}, b"\0" * 16),
    "shape-overflow": safetensors({**_MARKED, "x": _entry((2**63, 2))}, b"\0" * 16),
    "shape-negative": safetensors({**_MARKED, "x": _entry((-4,))}, b"\0" * 16),
    "offsets-beyond": safetensors({**_MARKED, "x": _entry(span=(0, 2**40))}, b"\0" * 16),
    "offsets-swapped": safetensors({**_MARKED, "x": _entry(span=(16, 0))}, b"\0" * 16),
    "offsets-overlapping": safetensors({**_MARKED, "x": _entry(), "y": _entry()}, b"\0" * 16),
    "offsets-with-a-hole": safetensors({**_MARKED, "x": _entry(span=(16, 32))}, b"\0" * 32),
    "unknown-type": safetensors({**_MARKED, "x": _entry(kind="OBJ")}, b"\0" * 16),
    "metadata-of-numbers": safetensors({"__metadata__": {"sefa_network": 7}}),
    "pickle-behind": safetensors({"x": _entry()}, b"\0" * 16 + whole(run("nowhere"))),
}.items():
    for _reader in ("network", "directions", "import"):
        _add(
            _reader, f"safetensors-{_name}-{_reader}", _content, "safetensors|truncated|not a pickle|no valid|too deep"
        )

# --- networks of `sefa convert` -------------------------------------------------------------------


def _network(text: str | None = None, tensors: dict | None = None, data: bytes = b"", **changes: Any) -> bytes:
    held = {
        "version": 1,
        "class_name": "Generator",
        "which": "G_ema",
        "init_args": [],
        "init_kwargs": {},
        "none_buffers": [],
        "source_digests": [],
        "modules": {},
        "family": "module",
        "layout": "",
        **changes,
    }
    return safetensors(
        {"__metadata__": {"sefa_network": json.dumps(held) if text is None else text}, **(tensors or {})}, data
    )


for _name, _content, _says in (
    ("not-json", _network("os.system('x')"), "JSON is malformed"),
    ("deep", _network("[" * 100_000), "Expected `object`"),
    ("deep-arguments", _network('{"init_args": ' + "[" * 100_000), "nested too deeply"),
    ("many-digits", _network('{"version": ' + "1" * 100_000 + "}"), "version: Number out of range|version: Integer"),
    ("twice", _network('{"version": 1, "version": 1}'), "missing required field"),
    ("nan", _network(init_kwargs={"z_dim": float("nan")}), "JSON is malformed"),
    ("of-list", _network("[]"), "Expected `object`, got `array`.*run `sefa convert` again"),
    ("version-2", _network(version=2), "version: Invalid enum value 2.*run `sefa convert` again"),
    ("class-of-escapes", _network(class_name="\x1b]0;owned\x07\n" * 9), "not a printable text"),
    ("class-of-number", _network(class_name=7), "class_name: Expected `str`"),
    ("which-of-path", _network(which="../../x"), "no hook fits"),
    ("modules-of-text", _network(modules={"": "os"}), r"modules\[...\]: Expected `array`"),
    ("modules-of-calls", _network(modules={"": ["os.system", ["x"], ""]}), r"modules\[...\]\[1\]: Expected `object`"),
    ("family-unknown", _network(family="pickle"), "no hook fits"),
    ("layout-of-list", _network(layout=["x"]), "layout: Expected `str`"),
    ("kwargs-huge", _network(init_kwargs={"z_dim": 2**200}), "no hook fits"),
    ("no-tensors", _network(), "no hook fits"),
    ("tensor-of-bf16", _network(tensors={"x": _entry((8,), kind="BF16")}, data=b"\0" * 16), "safetensors|no hook fits"),
    ("tensor-of-escapes", _network(tensors={"\x1b[2J\n": _entry()}, data=b"\0" * 16), "no hook fits"),
):
    _add("network", f"converted-{_name}", _content, _says)

# --- our own directions ---------------------------------------------------------------------------


def directions(vectors: Any = None, values: Any = None, **changes: Any) -> bytes:
    """A directions file, with these tensors and this metadata."""
    vectors = np.eye(2, 8, dtype="<f4") if vectors is None else np.asarray(vectors, "<f4")
    values = np.ones(len(vectors), "<f8") if values is None else np.asarray(values, "<f8")
    about = {
        "format": "sefa_directions",
        "version": "1",
        "layers": "[0]",
        "layer_names": "[]",
        "names": "[]",
        "normalize": "true",
        "num_ws": "8",
        "label": "all",
        "space": "w",
        "torgb": "last",
        **changes,
    }
    one, two = vectors.tobytes(), values.tobytes()
    return safetensors(
        {
            "__metadata__": about,
            "directions": _entry(vectors.shape, (0, len(one))),
            "eigenvalues": _entry(values.shape, (len(one), len(one) + len(two)), "F64"),
        },
        one + two,
    )


for _name, _content, _says in (
    ("label-upwards", directions(label="../../../tmp/x"), "label"),
    ("label-of-escapes", directions(label="a\x1b[2J"), "label"),
    ("name-of-escapes", directions(names='["a\\u001b[2J", ""]'), "name"),
    ("name-with-comma", directions(names='["a,b", ""]'), "name"),
    ("names-too-many", directions(names=json.dumps(["a"] * 1000)), "name"),
    ("names-deep", directions(names="[" * 100_000), "is not a valid directions file"),
    (
        "layers-many-digits",
        directions(layers="[" + "1" * 100_000 + "]"),
        "Number out of range|Integer value out of range",
    ),
    ("layers-huge", directions(layers="[99999999999999999999999]"), r"layers\[0\]: "),
    ("layers-negative", directions(layers="[-1]"), r"layers\[0\]: Expected `int` >= 0"),
    ("layers-twice", directions(layers="[0, 0]"), "not ascending ws indices"),
    ("num-ws-huge", directions(num_ws="1" + "0" * 18), "num_ws: Expected `int` <= 10000"),
    ("ranges-of-nan", directions(ranges="[[NaN, 1], null]"), "JSON is malformed"),
    ("ranges-of-infinity", directions(ranges="[[-1, 1e999], null]"), "Number out of range"),
    ("sigmas-of-text", directions(sigmas='["1", "2"]'), r"sigmas\[0\]: Expected `float \| null`"),
    ("vectors-of-nan", directions(np.full((2, 8), np.nan)), "NaN|unit length"),
    ("vectors-of-zeros", directions(np.zeros((2, 8))), "unit length"),
    ("vectors-huge", directions(np.full((2, 8), 3e38)), "unit length"),
    ("values-of-infinity", directions(values=[np.inf, 1]), "NaN or infinity"),
    ("version-9", directions(version="9"), "version"),
    ("space-unknown", directions(space="../"), "space"),
    ("origin-of-escapes", directions(origin="\x1b[2J"), "origin"),
):
    _add("directions", f"directions-{_name}", _content, _says)
