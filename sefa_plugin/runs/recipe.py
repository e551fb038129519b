"""Recipes: ``recipe.json`` holds all that makes an edited picture, and is read as a stranger's file."""

from __future__ import annotations

import base64
import hashlib
import json
import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .. import __version__
from ..directions.keys import MAX_SEEDS
from ..directions.names import check_name
from ..reading.json_file import Part, each, number, of, one_of, or_none, pair, parsed, read_bounded, text, whole
from ..rendering.edits import Edit
from ..rendering.look import Look
from ..rendering.typed_edits import MAX_DISTANCE, MAX_SEED
from ..system.regular_files import reading
from ..system.whole_files import whole_file

FORMAT, VERSION = "sefa_recipe", 1
NAME = "recipe.json"
MAX_BYTES = 1 << 26
MAX_EDITS = 1000
MAX_STEM = 80  # bytes


class RecipeError(Exception):
    """A recipe that is broken, is something else, or does not fit a network."""


@dataclass(frozen=True, eq=False)
class Recipe:
    """Edited pictures of one network.

    Attributes:
        network: ``path`` as it was typed (printable), ``name``, ``which`` and ``digest`` (``NetworkRecord.digest``).
        seeds: drawn as the toolkits do.
        ws: float32 ``[N, num_ws, w_dim]``, projected latents, which come before the seeds; or None.
        ws_file: where they came from; for people.
        look: truncation, class, noise and so on.
        edits: what is done to each.
    """

    network: Mapping[str, str]
    seeds: tuple[int, ...]
    look: Look
    edits: tuple[Edit, ...]
    ws: np.ndarray | None = None
    ws_file: str = ""

    @property
    def digest(self) -> str:
        """SHA-256 of all that decides the pictures; names, paths and versions do not."""
        content = self._content()
        content["network"] = self.network["digest"]
        for edit in content["edits"]:
            for key in ("index", "name", "layers", "normalize", "torgb"):
                del edit[key]
        if content["projected"]:
            del content["projected"]["file"]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    @property
    def stem(self) -> str:
        """A name for its files: what is edited, and how."""
        count = 0 if self.ws is None else len(self.ws)
        who = [f"w{index}" for index in range(count)] if count else [f"seed{seed}" for seed in self.seeds[:1]]
        who += [str(seed) for seed in self.seeds[0 if count else 1 :]]
        subjects = "-".join(who) if len(who) <= 4 else f"{who[0]}-and-{len(who) - 1}-more"
        words = [subjects, *(edit.typed.replace("=", "") for edit in self.edits)]
        name = "_".join(words if self.edits else [*words, "unedited"])
        name = "".join(letter if letter.isalnum() or letter in "+-_.@" else "-" for letter in name)
        return name.encode("utf-8", "replace")[:MAX_STEM].decode("utf-8", "ignore").rstrip(".-_")

    def _content(self) -> dict[str, Any]:
        look = self.look
        projected = None
        if self.ws is not None:
            projected = {"file": self.ws_file, "shape": list(self.ws.shape), "data": _packed(self.ws)}
        return {
            "network": {key: self.network[key] for key in ("path", "name", "which", "digest")},
            "seeds": list(self.seeds),
            "projected": projected,
            "look": {
                "class": look.label,
                "trunc": float(look.trunc),
                "trunc_cutoff": look.trunc_cutoff,
                "noise_mode": look.noise_mode,
                "translate": [float(shift) for shift in look.translate],
                "rotate": float(look.rotate),
                "camera": [float(angle) for angle in look.camera],
                "fov_deg": float(look.fov),
                "precision": "bf16" if look.bf16 else "float32" if look.force_fp32 else "auto",
            },
            "edits": [
                {
                    "index": edit.index,
                    "name": edit.name,
                    "layers": edit.label,
                    "normalize": edit.normalize,
                    "torgb": edit.torgb,
                    "space": edit.space,
                    "rows": list(edit.rows),
                    "distance": float(edit.distance),
                    "shape": list(edit.vector.shape),
                    "vector": _packed(edit.vector),
                }
                for edit in self.edits
            ],
        }

    def data(self) -> bytes:
        """The content of its file, which is known to be readable.

        Raises:
            ValueError: a setting is out of range, or there are too many ws.
        """
        content = {"format": FORMAT, "version": VERSION, "made_by": f"sefa_plugin {__version__}", **self._content()}
        lines = json.dumps(content, indent=1)
        lines = re.sub(r"\[\n[^][{}\"]*\]", lambda numbers: re.sub(r"\n\s*", " ", numbers[0]), lines)
        data = (lines.replace("[ ", "[").replace(" ]", "]") + "\n").encode()
        if len(data) > MAX_BYTES:
            raise ValueError(f"a recipe of {len(data) >> 20} MB, at most {MAX_BYTES >> 20} MB can be used: fewer ws")
        self.parse(data)
        return data

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write it, whole or not at all.

        Raises:
            OSError: the file cannot be written.
            ValueError: see :meth:`data`.
        """
        data = self.data()
        with whole_file(path) as part:
            part.write_bytes(data)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Recipe:
        """Read a recipe; nothing in it is trusted.

        Raises:
            RecipeError: one line that says what is wrong with it.
        """
        try:
            with reading(path, RecipeError):
                return cls.parse(read_bounded(Path(path), MAX_BYTES))
        except RecursionError:
            raise RecipeError(f"{path}: is not a recipe: it is nested too deeply") from None
        except (ValueError, OverflowError) as error:
            reason = " ".join(str(error).split())[:200]
            raise RecipeError(f"{path}: is not a recipe that can be used: {reason}") from None

    @classmethod
    def parse(cls, data: bytes) -> Recipe:
        """Read the bytes of a recipe.

        Raises:
            ValueError: something is missing, unknown, of another type or out of range.
            RecursionError: it is nested too deeply.
        """
        top = Part(parsed(data), "the file")
        top.take("format", one_of(FORMAT))
        top.take("version", whole(VERSION, VERSION))
        top.take("made_by", text(200))
        network = Part(top.take("network", of(dict)), "network")
        named = {key: network.take(key, text(4096)) for key in ("path", "name", "digest")}
        named["which"] = network.take("which", one_of("G_ema", "G", "D"))
        network.end()
        seeds = tuple(top.take("seeds", each(whole(0, MAX_SEED), MAX_SEEDS)))
        ws, file = _projected(top.take("projected", or_none(of(dict))))
        look = _look(Part(top.take("look", of(dict)), "look"))
        edits = tuple(top.take("edits", each(_edit, MAX_EDITS)))
        top.end()
        if not seeds and ws is None:
            raise ValueError("it has neither seeds nor projected ws")
        return cls(named, seeds, look, edits, ws, file)

    def check_fits(self, *, name: str, digest: str, num_ws: int, w_dim: int, z_dim: int, other: bool = False) -> None:
        """Check that a network is the one the recipe was made with, or with ``other`` that it could be.

        Raises:
            RecipeError: it is another one, or of other sizes.
        """
        if digest != self.network["digest"] and not other:
            raise RecipeError(
                f"this recipe was made with {self.network['name']!r:.60}, and {name} is another network (its digest "
                "differs): give the right one with --network, or allow this one with --other-network"
            )
        for edit in self.edits:
            dim, space = (w_dim, "w") if edit.space == "w" else (z_dim, "z")
            if edit.dim != dim:
                found = f"this recipe's edits have {edit.dim} components"
                raise RecipeError(f"{found}, {space} of {name} has {dim}")
            if max(edit.rows, default=0) >= num_ws:
                raise RecipeError(f"this recipe edits row {max(edit.rows)} of ws, {name} has 0-{num_ws - 1}")
        if self.ws is not None and self.ws.shape[1:] != (num_ws, w_dim):
            raise RecipeError(f"this recipe's ws are {list(self.ws.shape)}, {name} needs [N, {num_ws}, {w_dim}]")


def _look(part: Part) -> Look:
    precision = part.take("precision", one_of("auto", "float32", "bf16"))
    look = Look(
        label=part.take("class", or_none(whole(0, 10**9))),
        trunc=part.take("trunc", number(-1e6, 1e6)),
        trunc_cutoff=part.take("trunc_cutoff", or_none(whole(0, 10**6))),
        noise_mode=part.take("noise_mode", one_of("const", "random", "none")),
        translate=part.take("translate", pair(-1e6, 1e6)),
        rotate=part.take("rotate", number(-1e6, 1e6)),
        camera=part.take("camera", pair(-1e6, 1e6)),
        fov=part.take("fov_deg", number(1, 179)),
        force_fp32=precision == "float32",
        bf16=precision == "bf16",
    )
    part.end()
    return look


def _edit(held: object) -> Edit:
    part = Part(held, "an edit")
    edit = Edit(
        vector=_array(part, "vector", 2),
        distance=part.take("distance", number(-MAX_DISTANCE, MAX_DISTANCE)),
        rows=tuple(part.take("rows", each(whole(0, 10**6), 10**4))),
        space=part.take("space", one_of("w", "z")),
        index=part.take("index", whole(0, 10**6)),
        name=part.take("name", text(100)),
        label=part.take("layers", text(150)),
        normalize=part.take("normalize", of(bool)),
        torgb=part.take("torgb", one_of("last", "never", "always")),
    )
    check_name(edit.name)
    part.end()
    return edit


def _projected(held: dict[str, object] | None) -> tuple[np.ndarray | None, str]:
    if held is None:
        return None, ""
    part = Part(held, "projected")
    file = part.take("file", text(4096))
    ws = _array(part, "data", 3)
    part.end()
    if ws.ndim != 3:
        raise ValueError(f"projected ws of shape {list(ws.shape)}")
    return ws, file


def _packed(numbers: np.ndarray) -> str:
    """float32 numbers, little-endian, as text."""
    return base64.b64encode(np.ascontiguousarray(numbers, dtype="<f4").tobytes()).decode("ascii")


def _array(part: Part, key: str, most: int) -> np.ndarray:
    """float32 numbers of an entry, in its part's ``shape`` of at most so many axes."""
    shape = part.take("shape", each(whole(1, 10**6), most))
    packed = part.take(key, text(MAX_BYTES))
    try:
        data = base64.b64decode(packed.encode("ascii", "replace"), validate=True)
    except ValueError:
        raise ValueError(f"{key} of {part.what} is no base64") from None
    if not shape or 4 * math.prod(shape) != len(data):
        raise ValueError(f"{key} of {part.what}: {len(data)} bytes for float32 numbers of shape {shape}")
    numbers = np.frombuffer(data, dtype="<f4").astype(np.float32).reshape(shape)
    if not np.isfinite(numbers).all():
        raise ValueError(f"{key} of {part.what} holds NaN or infinity")
    return numbers
