"""Recipes: ``recipe.json`` holds all settings of edited pictures; reading it checks every entry."""

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
from typing import Annotated, Any, Literal, Optional, Union

import msgspec
import numpy as np
from msgspec import Meta, Struct, field

from .. import __version__
from ..directions.keys import MAX_SEEDS
from ..directions.names import check_name
from ..reading.json_file import parsed, read_bounded
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
        ws_file: the file that they came from; for display.
        look: truncation, class, noise and so on.
        edits: of each subject.
    """

    network: Mapping[str, str]
    seeds: tuple[int, ...]
    look: Look
    edits: tuple[Edit, ...]
    ws: np.ndarray | None = None
    ws_file: str = ""

    @property
    def digest(self) -> str:
        """SHA-256 of all that determines the pictures, without names, paths and versions."""
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
        """A name for its files: subjects and edits."""
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
                "class": list(look.label) if isinstance(look.label, tuple) else look.label,
                "trunc": float(look.trunc),
                "trunc_cutoff": look.trunc_cutoff,
                "noise_mode": look.noise_mode,
                "translate": [float(shift) for shift in look.translate],
                "rotate": float(look.rotate),
                "camera": [float(angle) for angle in look.camera],
                "fov_deg": float(look.fov),
                "precision": "bf16" if look.bf16 else "float32" if look.force_fp32 else "auto",
                **({"background": list(look.background)} if look.background else {}),
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
        """The content of its file, checked to be readable by :meth:`parse`.

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
        """Read a recipe; every entry is checked.

        Raises:
            RecipeError: it cannot be used; the message is one line.
        """
        try:
            with reading(path, RecipeError):
                return cls.parse(read_bounded(Path(path), MAX_BYTES))
        except ValueError as error:
            raise RecipeError(f"{path}: is not a recipe that can be used: {error}") from None

    @classmethod
    def parse(cls, data: bytes) -> Recipe:
        """Read the bytes of a recipe.

        Raises:
            ValueError: something is missing, unknown, of another type or out of range.
        """
        held: _File = parsed(data, _File)
        if not held.seeds and held.projected is None:
            raise ValueError("it has neither seeds nor projected ws")
        ws = None if held.projected is None else held.projected.numbers()
        file = "" if held.projected is None else held.projected.file
        edits = tuple(edit.made() for edit in held.edits)
        return cls(msgspec.structs.asdict(held.network), held.seeds, held.look.made(), edits, ws, file)

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


def _packed(numbers: np.ndarray) -> str:
    """float32 numbers, little-endian, as text."""
    return base64.b64encode(np.ascontiguousarray(numbers, dtype="<f4").tobytes()).decode("ascii")


def _unpacked(what: str, data: bytes, shape: tuple[int, ...]) -> np.ndarray:
    if 4 * math.prod(shape) != len(data):
        raise ValueError(f"{what}: {len(data)} bytes for float32 numbers of shape {shape}")
    numbers = np.frombuffer(data, dtype="<f4").astype(np.float32).reshape(shape)
    if not np.isfinite(numbers).all():
        raise ValueError(f"{what} holds NaN or infinity")
    return numbers


# --- the file -----------------------------------------------------------------------------------------

_Text = Annotated[str, Meta(max_length=4096)]
_Whole = Annotated[int, Meta(ge=0, le=10**6)]
_Length = Annotated[int, Meta(ge=1, le=10**6)]
_Shift = Annotated[float, Meta(ge=-1e6, le=1e6)]
_Byte = Annotated[int, Meta(ge=0, le=255)]
_Class = Annotated[int, Meta(ge=0, le=10**9)]
_Label = Annotated[tuple[_Shift, ...], Meta(min_length=1, max_length=10**5)]


class _Part(Struct, frozen=True, forbid_unknown_fields=True):
    """A part of the file; unknown keys and texts that are not printable are refused."""

    def __post_init__(self) -> None:
        for key in self.__struct_fields__:
            value = getattr(self, key)
            if isinstance(value, str) and not value.isprintable():
                raise ValueError(f"{key} is not a printable text")


class _Network(_Part, frozen=True):
    path: _Text
    name: _Text
    which: str
    digest: _Text


class _Projected(_Part, frozen=True):
    file: _Text
    shape: tuple[_Length, _Length, _Length]
    data: bytes

    def numbers(self) -> np.ndarray:
        return _unpacked("data of projected", self.data, self.shape)


class _Look(_Part, frozen=True):
    label: Union[_Class, _Label, None] = field(name="class")
    trunc: _Shift
    trunc_cutoff: Optional[_Whole]
    noise_mode: Literal["const", "random", "none"]
    translate: tuple[_Shift, _Shift]
    rotate: _Shift
    camera: tuple[_Shift, _Shift]
    fov: Annotated[float, Meta(ge=1, le=179)] = field(name="fov_deg")
    precision: Literal["auto", "float32", "bf16"]
    background: Optional[tuple[_Byte, _Byte, _Byte]] = None

    def made(self) -> Look:
        held = msgspec.structs.asdict(self)
        precision = held.pop("precision")
        return Look(**held, force_fp32=precision == "float32", bf16=precision == "bf16")


class _Edit(_Part, frozen=True):
    index: _Whole
    name: Annotated[str, Meta(max_length=100)]
    label: Annotated[str, Meta(max_length=150)] = field(name="layers")
    normalize: bool
    torgb: Literal["last", "never", "always"]
    space: Literal["w", "z"]
    rows: Annotated[tuple[_Whole, ...], Meta(max_length=10**4)]
    distance: Annotated[float, Meta(ge=-MAX_DISTANCE, le=MAX_DISTANCE)]
    shape: Annotated[tuple[_Length, ...], Meta(min_length=1, max_length=2)]
    vector: bytes

    def made(self) -> Edit:
        check_name(self.name)
        held = msgspec.structs.asdict(self)
        vector = _unpacked("vector of an edit", held.pop("vector"), held.pop("shape"))
        return Edit(vector, **held)


class _File(_Part, frozen=True):
    format: Literal["sefa_recipe"]
    version: Literal[1]
    made_by: _Text
    network: _Network
    seeds: Annotated[tuple[Annotated[int, Meta(ge=0, le=MAX_SEED)], ...], Meta(max_length=MAX_SEEDS)]
    projected: Optional[_Projected]
    look: _Look
    edits: Annotated[tuple[_Edit, ...], Meta(max_length=MAX_EDITS)]
