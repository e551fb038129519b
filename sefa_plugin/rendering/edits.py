"""Edits: directions added to ws, or to z, at given distances. CVPR 2021, equation 2."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar, Union

import numpy as np

from ..directions.keys import Key
from ..directions.layers import Label
from ..system.messages import spans

if TYPE_CHECKING:
    from torch import Tensor

    from ..directions.directions import Directions

Weights = Union[Sequence[float], np.ndarray]  # for each edit a factor of its distance
SomeKey = TypeVar("SomeKey", bound=Key)  # numbers, names, or both


def edit(codes: Tensor, directions: Directions, amounts: Mapping[SomeKey, float]) -> Tensor:
    """Add directions to ws at exactly the rows whose layers were factorised.

    CVPR 2021, equation 2 (``z' = z + alpha n``), in W. ``ws`` are final, so truncation never scales an edit.

    Args:
        codes: ws ``[N, num_ws, w_dim]`` or ``[num_ws, w_dim]``, already truncated. Or, of a generator ``G(z)`` without
            W, z ``[N, z_dim]`` or ``[N, z_dim, 1, 1]``, which all of its layers share.
        directions: a ``Directions`` of space ``w``.
        amounts: number or name of a direction -> distance, in units of w along the unit vector.

    Returns:
        A new tensor of the shape of ``codes``.

    Raises:
        ValueError: the directions are of Z, of another width, or there is no such direction; or they change only some
            of the rows, and ``codes`` are shared by all.
    """
    if directions.space != "w":
        raise ValueError("these directions are of Z; edit latents with edit_z before the mapping network")
    edits = [edit_of(directions, key, distance) for key, distance in amounts.items()]
    width = codes.shape[1] if codes.ndim == 4 else codes.shape[-1]
    narrower = width < directions.dim and not directions.vectors[..., width:].any()  # without a label
    rows_apart = codes.ndim == 2 and len(codes) == directions.num_ws and not narrower
    if codes.ndim == 3 or rows_apart or not directions.num_ws:
        return edited_rows(codes, edits)
    if any(edit.rows != tuple(range(directions.num_ws)) or edit.vector.ndim == 2 for edit in edits):
        some = f"{spans(directions.layers)} of the {directions.num_ws} rows of ws"
        raise ValueError(f"these directions change {some}, codes {list(codes.shape)} are shared by all: give ws")
    rows = codes.reshape(len(codes), 1, width).repeat(1, directions.num_ws, 1)
    return edited_rows(rows, [edit.narrowed(width) for edit in edits])[:, 0].reshape(codes.shape)


def edit_z(z: Tensor, directions: Directions, amounts: Mapping[SomeKey, float]) -> Tensor:
    """Normalise latents ``[N, z_dim]`` and add directions of space ``z``; z unchanged if all distances are 0.

    The network normalises its input again, so in Z the paper's statement holds to first order.

    Raises:
        ValueError: the directions are of W, of another width, or there is no such direction.
    """
    if directions.space != "z":
        raise ValueError("these directions are of W; edit ws with edit after the mapping network")
    return edited_z(z, [edit_of(directions, key, distance) for key, distance in amounts.items()])


@dataclass(frozen=True, eq=False)
class Edit:
    """One direction at one distance.

    Attributes:
        vector: float32 ``[dim]``, of unit length; ``dim`` is ``w_dim``, or ``z_dim`` in Z. Or ``[len(rows), dim]``
            with a vector for each row (see ``Directions``).
        distance: in units of w (or z) along it.
        rows: ws indices that change, ascending; none in Z.
        space: ``w`` or ``z``.
        index, name, label, normalize, torgb: which direction of which factorisation it is; for display.

    Raises:
        ValueError: these do not agree with each other.
    """

    vector: np.ndarray
    distance: float
    rows: tuple[int, ...]
    space: str = "w"
    index: int = 0
    name: str = ""
    label: str = "all"
    normalize: bool = True
    torgb: str = "last"

    def __post_init__(self) -> None:
        vector = np.ascontiguousarray(self.vector, dtype=np.float32)
        if vector.ndim not in (1, 2) or not vector.size or not np.isfinite(vector).all():
            raise ValueError(f"an edit's vector is {list(vector.shape)}, or holds NaN")
        if vector.ndim == 2 and len(vector) != len(self.rows):
            raise ValueError(f"an edit has vectors for {len(vector)} rows, and changes {len(self.rows)}")
        if abs(math.sqrt(np.square(vector.astype(np.float64)).sum(axis=-1).mean()) - 1) > 2e-3:
            raise ValueError("an edit's vector is not of unit length")
        if not math.isfinite(self.distance):
            raise ValueError(f"an edit's distance is {self.distance}")
        rows = tuple(self.rows)
        ascending = list(rows) == sorted(set(rows)) and min(rows, default=0) >= 0
        if self.space not in ("w", "z") or not ascending or (self.space == "w") != bool(rows):
            raise ValueError(f"an edit of space {self.space!r:.10} changes rows {str(list(rows)):.40}")
        object.__setattr__(self, "vector", vector)
        object.__setattr__(self, "rows", rows)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of all that determines its effect except the distance."""
        about = f"{self.space} {self.rows} {self.vector.shape} ".encode()
        return hashlib.sha256(about + self.vector.tobytes()).hexdigest()

    @property
    def dim(self) -> int:
        """Components of the space that it is in."""
        return int(self.vector.shape[-1])

    def narrowed(self, width: int) -> Edit:
        """Without the components from ``width`` on, which are those of a label, if all are 0."""
        return self if self.vector[..., width:].any() else replace(self, vector=self.vector[..., :width])

    @property
    def typed(self) -> str:
        """As typed after ``--edit``, to four digits: ``smile=-1``, ``coarse:0=+2.5``, ``3=+1@4-7``."""
        return self.typed_with(f"{self.distance:+.4g}")

    def typed_with(self, distance: str) -> str:
        """As :attr:`typed`, with this text for the distance."""
        label = Label.of(re.sub(r"\blayer0?", "", self.label).replace("_", ","))
        found = str(label._replace(rows="", region=label.region.replace("_", ",")))
        group = f"{found}:" if found != "all" and Label.of(self.label).is_selection else ""
        return f"{group}{self.name or self.index}={distance}{f'@{label.rows}' if label.rows else ''}"


def edit_of(directions: Directions, key: Key, distance: float) -> Edit:
    """The edit along one of ``Directions``.

    Raises:
        ValueError: there is no such direction.
    """
    index = directions.index(key)
    return Edit(
        vector=directions.vectors[index],
        distance=float(distance),
        rows=directions.layers if directions.space == "w" else (),
        space=directions.space,
        index=index,
        name=directions.names[index],
        label=directions.label,
        normalize=directions.normalize,
        torgb=directions.torgb,
    )


def edited_rows(ws: Tensor, edits: Sequence[Edit], weights: Weights | None = None) -> Tensor:
    """Add edits of W to ws at their rows; edits of Z are ignored here (see :func:`edited_z`).

    CVPR 2021, equation 2, in W. Every edit of ws is made by this function.

    Args:
        ws: ``[N, num_ws, w_dim]`` or ``[num_ws, w_dim]``, already truncated.
        edits: in any number.
        weights: for each edit a factor of its distance; None for 1.

    Returns:
        A new tensor; rows that no edit changes are equal to those of ``ws``.

    Raises:
        ValueError: an edit is of another width, or changes a row that is not there.
    """
    result = ws.clone()
    for row, step in _steps(edits, weights, "w").items():
        if len(step) != ws.shape[-1]:
            raise ValueError(f"ws have {ws.shape[-1]} components, the directions {len(step)}")
        if row >= ws.shape[-2]:
            raise ValueError(f"the directions change row {row}, ws has 0-{ws.shape[-2] - 1}")
        result[..., row, :] += ws.new_tensor(step)
    return result


def edited_z(z: Tensor, edits: Sequence[Edit], weights: Weights | None = None, normalized: bool = True) -> Tensor:
    """Normalise latents ``[N, z_dim]`` and add edits of Z; z unchanged if all distances are 0.

    ``normalized``: whether the network normalises z; if not, z is taken as it is.

    Raises:
        ValueError: an edit is of another width.
    """
    steps = _steps(edits, weights, "z")
    if not steps:
        return z  # normalised here and again by the network, it would differ by rounding
    step = steps[-1]
    if len(step) != z.shape[-1]:
        raise ValueError(f"z has {z.shape[-1]} components, the directions {len(step)}")
    return (normalize_z(z) if normalized else z) + z.new_tensor(step)


def normalize_z(z: Tensor) -> Tensor:
    """Scale ``[N, z_dim]`` to mean square 1, as the networks do with their input."""
    return z * (z.square().mean(dim=1, keepdim=True) + 1e-8).rsqrt()


def _steps(edits: Sequence[Edit], weights: Weights | None, space: str) -> dict[int, np.ndarray]:
    """For each row (-1 in Z) the sum of distance x direction, float64 ``[dim]``; rows that do not change are absent."""
    steps: dict[int, np.ndarray] = {}
    for edit, weight in zip(edits, weights if weights is not None else [1.0] * len(edits)):
        distance = edit.distance * float(weight)
        if edit.space != space or not distance:
            continue
        rows = edit.rows if space == "w" else (-1,)
        for row, step in zip(rows, np.broadcast_to(distance * edit.vector.astype(np.float64), (len(rows), edit.dim))):
            if row in steps and len(steps[row]) != len(step):
                raise ValueError(f"edits have {len(steps[row])} and {len(step)} components")
            steps[row] = steps[row] + step if row in steps else step
    return steps
