"""Latents and edits: seeds to latents, distances along a direction, schedules of ws."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

LOOPS = ("pingpong", "once")
EASINGS = ("linear", "sine")


def z_from_seeds(seeds: Sequence[int], z_dim: int) -> Tensor:
    """Latents as the toolkits draw them: float64 ``[N, z_dim]``, one generator per seed."""
    return torch.from_numpy(np.stack([np.random.RandomState(seed).randn(z_dim) for seed in seeds]))


def classes_from_seeds(seeds: Sequence[int], z_dim: int, c_dim: int) -> list[int]:
    """A class for each seed, drawn evenly by the seed's own generator, after its z."""
    classes = []
    for seed in seeds:
        generator = np.random.RandomState(seed)
        generator.randn(z_dim)
        classes.append(int(generator.randint(c_dim)))
    return classes


def one_hot(label: int | None, c_dim: int, count: int) -> Tensor | None:
    """Labels ``[count, c_dim]`` float32; None for networks without labels.

    Raises:
        ValueError: the network needs a label and has none, or it is out of range.
    """
    if c_dim == 0:
        return None
    if label is None:
        raise ValueError(f"this network is conditional: choose a label with --class 0-{c_dim - 1}")
    if not 0 <= label < c_dim:
        raise ValueError(f"class {label}: this network has classes 0-{c_dim - 1}")
    labels = torch.zeros(count, c_dim)
    labels[:, label] = 1
    return labels


def normalize_z(z: Tensor) -> Tensor:
    """Scale ``[N, z_dim]`` to mean square 1, as the networks do with their input."""
    return z * (z.square().mean(dim=1, keepdim=True) + 1e-8).rsqrt()


def edit(ws: Tensor, directions: Any, amounts: Mapping[Any, float]) -> Tensor:
    """Add directions to ws at exactly the rows whose layers were factorised.

    CVPR 2021, equation 2 (``z' = z + alpha n``), in W. ``ws`` are final, so truncation never scales an edit.

    Args:
        ws: ``[N, num_ws, w_dim]`` or ``[num_ws, w_dim]``, already truncated.
        directions: a ``Directions`` of space ``w``.
        amounts: number or name of a direction -> distance, in units of w along the unit vector.

    Returns:
        A new tensor of the shape of ``ws``.

    Raises:
        ValueError: the directions are of Z, of another width, or there is no such direction.
    """
    if directions.space != "w":
        raise ValueError("these directions are of Z; edit latents with edit_z before the mapping network")
    if ws.shape[-1] != directions.dim:
        raise ValueError(f"ws have {ws.shape[-1]} components, the directions {directions.dim}")
    if max(directions.layers) >= ws.shape[-2]:
        raise ValueError(f"the directions change row {max(directions.layers)}, ws has 0-{ws.shape[-2] - 1}")
    result = ws.clone()
    result[..., list(directions.layers), :] += _step(directions, amounts, ws)
    return result


def edit_z(z: Tensor, directions: Any, amounts: Mapping[Any, float]) -> Tensor:
    """Normalise latents ``[N, z_dim]`` and add directions of space ``z``; a new tensor.

    The network normalises its input again, so in Z the paper's statement holds to first order.

    Raises:
        ValueError: the directions are of W, of another width, or there is no such direction.
    """
    if directions.space != "z":
        raise ValueError("these directions are of W; edit ws with edit after the mapping network")
    if z.shape[-1] != directions.dim:
        raise ValueError(f"z has {z.shape[-1]} components, the directions {directions.dim}")
    return normalize_z(z) + _step(directions, amounts, z)


def _step(directions: Any, amounts: Mapping[Any, float], like: Tensor) -> Tensor:
    """Sum of distance x unit direction: ``[dim]``, or a row for each layer."""
    total = np.zeros(directions.vectors.shape[1:])
    for key, distance in amounts.items():
        total += float(distance) * directions.vectors[directions.index(key)].astype(np.float64)
    return torch.as_tensor(total, dtype=like.dtype, device=like.device)


@dataclass(frozen=True)
class Schedule:
    """Distances along a direction over a video.

    Attributes:
        distances: the distinct distances, ascending; each is rendered once.
        order: for every frame the index of its distance.
    """

    distances: tuple[float, ...]
    order: tuple[int, ...]

    @property
    def per_frame(self) -> list[float]:
        """The distance of every frame."""
        return [self.distances[index] for index in self.order]


def spread(low: float, high: float, count: int, easing: str = "linear") -> tuple[float, ...]:
    """``count`` steps from ``low`` to ``high``, both included; the one nearest 0 becomes exactly 0.

    ``linear`` steps are even, ``sine`` ones begin and end slowly. One step is 0 (or the middle, where 0 is
    outside the range); two steps are the ends as they are.
    """
    if count == 1:
        return (0.0,) if low <= 0 <= high else ((low + high) / 2,)
    parts = [index / (count - 1) for index in range(count)]
    if easing == "sine":
        parts = [(1 - math.cos(math.pi * part)) / 2 for part in parts]
    values = [low + (high - low) * part for part in parts]
    values[-1] = high
    if low <= 0 <= high and count > 2:
        values[min(range(count), key=lambda index: abs(values[index]))] = 0.0
    return tuple(values)


def schedule(low: float, high: float, frames: int, loop: str = "pingpong", easing: str = "linear") -> Schedule:
    """Plan a video of exactly ``frames`` frames.

    ``pingpong`` goes low to high and back, so that it loops without a jump (for an odd number the top
    is held for two frames); ``once`` goes low to high. ``sine`` easing slows down at both ends.

    Raises:
        ValueError: fewer than one frame, or an unknown loop or easing.
    """
    if frames < 1:
        raise ValueError(f"{frames} frames: at least 1 is needed")
    if loop not in LOOPS:
        raise ValueError(f"loop {loop!r}: choose one of {', '.join(LOOPS)}")
    if easing not in EASINGS:
        raise ValueError(f"easing {easing!r}: choose one of {', '.join(EASINGS)}")
    count = frames if loop == "once" or frames == 1 else frames // 2 + 1
    order = list(range(count))
    if loop == "pingpong" and frames > 1:
        back = order[-2:0:-1] if frames % 2 == 0 else order[:0:-1]
        order += back
    return Schedule(spread(low, high, count, easing), tuple(order))


def edited_ws(ws: Tensor, directions: Any, key: Any, distances: Iterable[float]) -> Iterator[Tensor]:
    """Yield edited copies of ``ws`` ``[N, num_ws, w_dim]``, one for each distance; nothing is held."""
    for distance in distances:
        yield edit(ws, directions, {key: distance})


def edited_through_z(
    G: Any, z: Tensor, c: Tensor | None, directions: Any, key: Any, distances: Iterable[float], **truncation: Any
) -> Iterator[Tensor]:
    """Yield ws ``[N, num_ws, w_dim]`` of edited latents, one for each distance."""
    for distance in distances:
        # Normalised twice, z would differ in its last bits: distance 0 must be the unedited picture itself.
        edited = edit_z(z, directions, {key: distance}) if distance else z
        with torch.no_grad():
            ws = G.mapping(edited, c, **truncation)
        yield ws
