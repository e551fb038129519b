"""Recipes: JSON of strangers."""

from __future__ import annotations

import base64
import json
import struct
from typing import Any

from .case import Content, Hostile, run, whole

CASES: list[Hostile] = []


def _add(name: str, content: bytes | Content, says: str, **more: Any) -> None:
    CASES.append(Hostile(f"recipe-{name}", "recipe", ".json", content, says, **more))


def _edit(**changes: Any) -> dict:
    return {
        "index": 0,
        "name": "",
        "layers": "all",
        "normalize": True,
        "torgb": "last",
        "space": "w",
        "rows": [0],
        "distance": 1.0,
        "shape": [4],
        "vector": base64.b64encode(struct.pack("<4f", 1, 0, 0, 0)).decode(),
        **changes,
    }


def _recipe(**changes: Any) -> dict:
    network = {"path": "demo", "name": "demo", "which": "G_ema", "digest": "0" * 64}
    look = {"class": None, "trunc": 1.0, "trunc_cutoff": None, "noise_mode": "const", "translate": [0, 0], "rotate": 0,
            "camera": [0, 0], "fov_deg": 18.837, "precision": "auto"}  # fmt: skip
    return {"format": "sefa_recipe", "version": 1, "made_by": "x", "network": network, "seeds": [0], "projected": None,
            "look": look, "edits": [_edit()], **changes}  # fmt: skip


def _json(**changes: Any) -> bytes:
    return json.dumps(_recipe(**changes)).encode()


def _network(**changes: Any) -> bytes:
    return _json(network={**_recipe()["network"], **changes})


def _look(**changes: Any) -> bytes:
    return _json(look={**_recipe()["look"], **changes})


_add("of-pickle", lambda c: whole(run(c)), "not a recipe")
_add("of-python", lambda c: f"__import__('os').system('touch {c}')".encode(), "not a recipe")
_add("empty", b"", "not a recipe")
_add("not-utf-8", b'{"format": "\xff\xfe"}', "not a recipe")
_add("utf-16", json.dumps(_recipe()).encode("utf-16"), "not a recipe")
_add("deep-lists", b'{"seeds": ' + b"[" * 200_000, r"seeds\[0\]: Expected `int`")
_add("deep-objects", b'{"look":' * 200_000, "look: Object contains unknown field `look`")
_add("of-list", b"[]", "Expected `object`, got `array`")
_add("many-digits", b'{"format": ' + b"1" * 1_000_000 + b"}", "format: Number out of range")
_add("nan", b'{"format": NaN}', "JSON is malformed")
_add("name-twice", b'{"format": 1, "format": "sefa_recipe"}', "format: Expected `str`, got `int`")
_add("unknown-part", _json(run="os.system"), "unknown field `run`")
_add("unknown-format", _json(format="../x"), "format: Invalid enum value")
_add("version-of-text", _json(version="1"), "version: Expected `int`")
_add("network-of-text", _json(network="demo"), "network: Expected `object`")
_add("network-path-of-escapes", _network(path="\x1b]0;owned\x07"), "network: path is not a printable text")
_add("network-path-of-lines", _network(path="a\nError: all is well"), "network: path is not a printable text")
_add("network-path-long", _network(path="x" * 100_000), "network.path: Expected `str` of length")
_add("network-elsewhere", _network(path="/nowhere/../etc/nothing"), "is not there")
_add("network-is-a-device", _network(path="/dev/zero"), "is not there|no regular file")
_add("network-is-another", _network(path="demo"), "another network")
_add("network-digest-of-list", _network(digest=["0"]), "network.digest: Expected `str`")
_add("seeds-negative", _json(seeds=[-1]), r"seeds\[0\]: Expected `int`")
_add("seeds-huge", _json(seeds=[2**60]), r"seeds\[0\]: Expected `int`")
_add("seeds-of-truth", _json(seeds=[True]), r"seeds\[0\]: Expected `int`")
_add("seeds-of-floats", _json(seeds=[1.5]), r"seeds\[0\]: Expected `int`")
_add("no-seeds", _json(seeds=[]), "neither seeds nor projected")
_add("trunc-infinite", _json().replace(b'"trunc": 1.0', b'"trunc": 1e999'), "look.trunc: Number out of range")
_add("trunc-of-text", _look(trunc="1"), "look.trunc: Expected `float`")
_add("class-negative", _look(**{"class": -1}), "look.class: Expected `int` >= 0")
_add("translate-of-three", _look(translate=[0, 0, 0]), "look.translate: Expected `array` of length 2")
_add("edit-of-text", _json(edits=["x"]), r"edits\[0\]: Expected `object`")
_add("edits-too-many", _json(edits=[_edit()] * 1001), "edits: Expected `array` of length <= 1000")
_add("vector-of-no-base64", _json(edits=[_edit(vector="!" * 24)]), r"edits\[0\]\.vector: Invalid base64")
_add("vector-of-wide-letters", _json(edits=[_edit(vector="\u20ac" * 24)]), r"edits\[0\]\.vector: Invalid base64")
_add("vector-short", _json(edits=[_edit(shape=[1_000_000])]), "16 bytes for float32 numbers")
_add("vector-of-huge-shape", _json(edits=[_edit(shape=[10**6, 10**6])]), "16 bytes for float32 numbers")
_add("vector-of-nan", _json(edits=[_edit(vector=base64.b64encode(b"\xff" * 16).decode())]), "NaN or infinity")
_add("rows-huge", _json(edits=[_edit(rows=[10**9])]), r"edits\[0\]\.rows\[0\]: Expected `int` <=")
_add("name-of-escapes", _json(edits=[_edit(name="\x1b[2J")]), r"edits\[0\]: name is not a printable text")
_add("distance-huge", _json(edits=[_edit(distance=1e300)]), r"edits\[0\]\.distance: Expected `float` <=")
