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
_add("deep-lists", b"[" * 200_000, "nested too deeply")
_add("deep-objects", b'{"a":' * 200_000, "nested too deeply")
_add("of-list", b"[]", "not an object")
_add("many-digits", b'{"format": ' + b"1" * 1_000_000 + b"}", "a number of 1000000 digits")
_add("nan", b'{"format": NaN}', "NaN")
_add("name-twice", b'{"format": 1, "format": "sefa_recipe"}', "twice")
_add("unknown-part", _json(run="os.system"), "which this program does not know")
_add("unknown-format", _json(format="../x"), "format of the file")
_add("version-of-text", _json(version="1"), "version of the file")
_add("network-of-text", _json(network="demo"), "network of the file")
_add("network-path-of-escapes", _network(path="\x1b]0;owned\x07"), "path of network")
_add("network-path-of-lines", _network(path="a\nError: all is well"), "path of network")
_add("network-path-long", _network(path="x" * 100_000), "path of network")
_add("network-elsewhere", _network(path="/nowhere/../etc/nothing"), "is not there")
_add("network-is-a-device", _network(path="/dev/zero"), "is not there|no regular file")
_add("network-is-another", _network(path="demo"), "another network")
_add("network-digest-of-list", _network(digest=["0"]), "digest of network")
_add("seeds-negative", _json(seeds=[-1]), "seeds of the file")
_add("seeds-huge", _json(seeds=[2**60]), "seeds of the file")
_add("seeds-of-truth", _json(seeds=[True]), "seeds of the file")
_add("seeds-of-floats", _json(seeds=[1.5]), "seeds of the file")
_add("no-seeds", _json(seeds=[]), "neither seeds nor projected")
_add("trunc-infinite", _json().replace(b'"trunc": 1.0', b'"trunc": 1e999'), "trunc of look")
_add("trunc-of-text", _look(trunc="1"), "trunc of look")
_add("class-negative", _look(**{"class": -1}), "class of look")
_add("translate-of-three", _look(translate=[0, 0, 0]), "translate of look")
_add("edit-of-text", _json(edits=["x"]), "edits of the file")
_add("edits-too-many", _json(edits=[1] * 100_000), "at most 1000")
_add("vector-of-no-base64", _json(edits=[_edit(vector="!" * 24)]), "is no base64")
_add("vector-of-wide-letters", _json(edits=[_edit(vector="\u20ac" * 24)]), "is no base64")
_add("vector-short", _json(edits=[_edit(shape=[1_000_000])]), "16 bytes for float32 numbers")
_add("vector-of-huge-shape", _json(edits=[_edit(shape=[10**6, 10**6])]), "16 bytes for float32 numbers")
_add("vector-of-nan", _json(edits=[_edit(vector=base64.b64encode(b"\xff" * 16).decode())]), "NaN or infinity")
_add("rows-huge", _json(edits=[_edit(rows=[10**9])]), "rows of an edit")
_add("name-of-escapes", _json(edits=[_edit(name="\x1b[2J")]), "name of an edit")
_add("distance-huge", _json(edits=[_edit(distance=1e300)]), "distance of an edit")
