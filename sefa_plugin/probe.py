"""Find where a style enters a living generator, by watching which module consumes which row of ws.

Names are not asked: a module that is given a row of ws and nothing else, and whose output is an affine
function of it, is a style layer, whatever it is called. Its matrix is measured from its outputs, so gains,
equalised learning rates and weights that are made on the fly are in it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from .hook import StyleLayer

_SAME = 1e-3  # relative difference up to which an input is a row (networks normalise with an epsilon)
_AFFINE = 1e-3  # relative deviation from an affine function that rounding explains
_MAX_OUTPUTS = 1 << 20  # outputs of one style layer; more is something else


class ProbeError(Exception):
    """A generator cannot be run, or no style layer is found in it."""


@dataclass
class _Seen:
    """A module that was given a row: which, the input as it came, and the height of what its parent put out."""

    name: str
    module: nn.Module
    row: int
    given: Tensor
    size: int = 0


def style_layers(network: nn.Module, run: Any, rows: Tensor, img_channels: int) -> list[StyleLayer]:
    """Find the affine transformations of the rows of ws, in the order of execution.

    Args:
        network: the module whose submodules are watched; layers get their names in it.
        run: called with ws ``[1, num_ws, w_dim]``; renders it.
        rows: distinct rows to recognise, ``[num_ws, w_dim]`` float32, each of mean square 1.
        img_channels: channels of the picture; what puts out that many is a ToRGB.

    Raises:
        ProbeError: nothing that is fed by a row is affine.
    """
    with _watching(network, rows) as seen:
        run(rows[None])
    layers: list[StyleLayer] = []
    done: list[str] = []
    for item in sorted(seen, key=lambda held: held.name.count(".")):  # outer modules first
        if any(item.name == name or item.name.startswith(f"{name}.") for name in done):
            continue
        found = _weight(item, rows.shape[1])
        if found is not None:
            done.append(item.name)
            layers.append(_layer(network, item, *found, img_channels))
    if not layers:
        raise ProbeError("no affine layer that is fed by a row of ws was found in it")
    order = {item.name: index for index, item in enumerate(seen)}
    return sorted(layers, key=lambda layer: order[layer.name])


def mapping_layer(network: nn.Module, run: Any, z: Tensor) -> StyleLayer | None:
    """Find the first affine transformation of z ``[z_dim]`` (of mean square 1); None where there is none.

    ``run`` is called with ``[1, z_dim]``.
    """
    with _watching(network, z[None]) as seen:
        run(z[None])
    for item in seen:
        found = _weight(item, len(z))
        if found is not None:
            return StyleLayer(item.name, found[0], -1, "mapping", found[1])
    return None


def _weight(item: _Seen, width: int) -> tuple[np.ndarray, float] | None:
    """The matrix of a module's affine part and its gain at run time; None where it has no such part."""
    if next(item.module.parameters(), None) is None and next(item.module.buffers(), None) is None:
        return None  # a pass-through: dropout, an identity
    matrix = _matrix(item, width)
    return _behind_activation(item, width) if matrix is None else _stored(item.module, matrix)


@contextmanager
def _watching(network: nn.Module, rows: Tensor) -> Iterator[list[_Seen]]:
    """Note every module that is called with a row (and no other tensor) while the context lasts."""
    seen: list[_Seen] = []
    parents: list[tuple[nn.Module, list[_Seen]]] = []
    handles = []

    def entering(name: str) -> Any:
        def hook(module: nn.Module, args: tuple) -> None:
            parents.append((module, []))
            tensors = [arg for arg in args if isinstance(arg, Tensor)]
            row = _row_of(tensors[0], rows) if len(tensors) == 1 else None
            if row is not None and name and not any(item.name == name for item in seen):
                item = _Seen(name, module, row, tensors[0].detach())
                seen.append(item)
                for _, held in parents[:-1]:
                    held.append(item)

        return hook

    def leaving(module: nn.Module, args: tuple, output: Any) -> None:
        _, inside = parents.pop()
        pictures = [out for out in (output if isinstance(output, (tuple, list)) else [output]) if _is_picture(out)]
        for item in inside:
            if pictures and not item.size:  # the innermost module around it that puts out pictures
                item.size = int(pictures[0].shape[-2])

    for name, module in network.named_modules():
        handles.append(module.register_forward_pre_hook(entering(name)))
        handles.append(module.register_forward_hook(leaving))
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()


def _is_picture(value: Any) -> bool:
    return isinstance(value, Tensor) and value.ndim == 4 and value.shape[-1] > 1


def _row_of(given: Tensor, rows: Tensor) -> int | None:
    """Which row an input is, if its first numbers are one (labels or motion codes may follow)."""
    width = rows.shape[1]
    if not given.is_floating_point() or given.ndim < 2 or given.shape[0] != 1 or given[0].numel() < width:
        return None
    if given.shape[1] < width and given[0].numel() != width:
        return None  # a picture, not a vector
    start = given.detach().reshape(-1)[:width].to(rows)
    distance = (rows - start).abs().amax(dim=1)
    best = int(distance.argmin())
    return best if float(distance[best]) <= _SAME * float(rows.abs().max()) else None


def _apply(item: _Seen, vectors: Tensor) -> Tensor:
    """What a module makes of ``[N, width]`` in the place of the row that it was given: ``[N, outputs]``."""
    batch = item.given.expand(len(vectors), *item.given.shape[1:]).clone()
    batch.reshape(len(vectors), -1)[:, : vectors.shape[1]] = vectors.to(batch)
    return item.module(batch).reshape(len(vectors), -1).to(torch.float32)


def _matrix(item: _Seen, width: int) -> np.ndarray | None:
    """The matrix ``[outputs, width]`` of an affine module, float32; None where it is no affine function."""
    device = item.given.device
    try:
        with torch.no_grad():
            zero = _apply(item, torch.zeros(1, width, device=device))
            if zero.shape[1] > _MAX_OUTPUTS:
                return None
            steps = torch.eye(width, device=device)
            matrix = torch.cat([_apply(item, part) for part in steps.split(64)]) - zero  # [width, outputs]
            sample = torch.randn(3, width, generator=torch.Generator().manual_seed(0)).to(device)
            error = (_apply(item, sample) - (sample @ matrix + zero)).abs().max()
    except Exception:  # a module that takes no batch, or gives no tensor, is no style layer
        return None
    scale = float(matrix.abs().max())
    if not math.isfinite(scale) or scale == 0 or not float(error) <= _AFFINE * scale * math.sqrt(width):
        return None
    return matrix.t().contiguous().cpu().numpy()


def _behind_activation(item: _Seen, width: int) -> tuple[np.ndarray, float] | None:
    """The stored weight of a module that activates its affine output, as mapping layers do.

    Around one point such a module is its weight with scaled rows; whatever else it may be is refused.
    """
    weight = getattr(item.module, "weight", None)
    if not isinstance(weight, Tensor) or weight.ndim != 2 or weight.shape[1] < width:
        return None
    point = item.given.detach().reshape(-1)[:width].to(torch.float32)
    step = 1e-2 * float(point.abs().max())
    try:
        with torch.no_grad():
            steps = (step * torch.eye(width, device=point.device)).split(64)
            change = [_apply(item, point + part) - _apply(item, point - part) for part in steps]
    except Exception:  # as above
        return None
    slope = torch.cat(change).t()  # [outputs, width]
    held = weight.detach().to(torch.float32)[:, :width]
    if slope.shape != held.shape:
        return None
    alike = nn.functional.cosine_similarity(slope, held.to(slope), dim=1)
    alive = slope.norm(dim=1) > 1e-3 * slope.norm(dim=1).max()
    # Where the step crosses the kink of a rectifier, a row is bent; most are straight.
    if not bool(alive.any()) or float((alike[alive].abs() > 0.99).float().mean()) < 0.9:
        return None
    gain = getattr(item.module, "weight_gain", 1.0)
    return held.cpu().numpy(), float(gain) if isinstance(gain, (int, float)) else 1.0


def _stored(module: nn.Module, matrix: np.ndarray) -> tuple[Any, float]:
    """The module's own weight and the gain at run time where the matrix is that, else the matrix and 1."""
    weight = getattr(module, "weight", None)
    if isinstance(weight, Tensor) and tuple(weight.shape) == matrix.shape:
        held = weight.detach().to(torch.float32).cpu().numpy()
        gain = float((held * matrix).sum() / max(float((held * held).sum()), 1e-30))
        if gain > 0 and np.abs(matrix - gain * held).max() <= 1e-4 * np.abs(matrix).max():
            return held, gain
    return matrix, 1.0


def _layer(network: nn.Module, item: _Seen, weight: np.ndarray, gain: float, img_channels: int) -> StyleLayer:
    parent = network.get_submodule(item.name.rpartition(".")[0])
    kind, style_gain = _kind(parent, item.name, weight, img_channels)
    detail = None
    if kind != "input":
        detail = float(getattr(parent, "resolution", 0) or 2 * getattr(parent, "out_cutoff", 0) or item.size) or None
    return StyleLayer(item.name, weight, item.row, kind, gain, style_gain, item.size, detail)


def _kind(parent: nn.Module, name: str, matrix: np.ndarray, img_channels: int) -> tuple[str, float]:
    """What a layer is for, and the further gain of a ToRGB, by what is beside it."""
    if len(matrix) == 4 and isinstance(getattr(parent, "freqs", None), Tensor):
        return "input", 1.0
    weight = getattr(parent, "weight", None)
    colours = isinstance(weight, Tensor) and weight.ndim == 4 and weight.shape[0] == img_channels
    told = getattr(parent, "is_torgb", None)
    if told is True or (told is None and (colours or "rgb" in name.lower().rpartition(".")[0].rpartition(".")[2])):
        size = weight.shape[-1] ** 2 if isinstance(weight, Tensor) and weight.ndim >= 2 else 1
        return "torgb", 1 / math.sqrt(len(matrix) * size)
    return "conv", 1.0
