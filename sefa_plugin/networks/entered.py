"""The layers of a plain generator that z enters: found by what they are given, and given other codes to edit one alone.

A linear or convolutional map belongs to them if all that changes in its input, when z changes, are numbers of z: z
itself, a chunk of it, or either beside an embedding of the label. Each is a row of ws; maps of one module that also
takes features (scales and shifts of a block) share a row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..hook import StyleLayer
from .probe import Input, Operator, ProbeError, coarser, height_of, matrix_of, operators, unit, weight_of

_SAME = 1e-3  # as in probe: highest relative difference of a number from one of z
_MOST_NUMBERS = 1 << 14  # in an input that z enters
_FACTORS = {"mm": 0, "addmm": 1, "convolution": 0}  # torch's operators, and which argument is the input

Run = Callable[[Tensor], object]  # makes a picture of a code [1, w_dim]


@dataclass(frozen=True)
class Entered:
    """The layers that z enters.

    Attributes:
        layers: in the order of execution; their weights are ``[outputs, w_dim]``.
        modules: for each row of ws, the names of the modules that are given this row; those of row 0 need not be.
        normalises: whether the network scales z to a length of its own before it enters.
    """

    layers: list[StyleLayer]
    modules: tuple[tuple[str, ...], ...]
    normalises: bool

    def mapping(self, z_dim: int) -> StyleLayer:
        """The first of them, as the first layer of Z."""
        first = self.layers[0]
        return replace(first, weight=np.asarray(first.weight)[:, :z_dim], ws_index=-1, kind="mapping", detail=None)


@dataclass(eq=False)
class _Call:
    """A running module: its input with features, if any, makes it the group of the layers inside."""

    name: str
    takes_features: bool
    inside: list[_Seen] = field(default_factory=list)


@dataclass(eq=False)
class _Seen:
    """An input of a module (or of a product), as recorded in one run."""

    name: str
    run: Callable[..., Any]
    given: Tensor
    groups: tuple[_Call, ...]  # the calls around it that take features, outer ones first
    is_product: bool = False
    size: int = 0


def find_entered(network: nn.Module, run: Run, code: Tensor, z_dim: int) -> Entered:
    """Find the layers that z enters.

    Args:
        network: the module.
        run: makes a picture of a code.
        code: any code ``[1, w_dim]``: z, and the label behind it.
        z_dim: numbers of z.

    Raises:
        ProbeError: there is none.
    """
    z = unit(torch.randn(2, z_dim, generator=torch.Generator().manual_seed(0))).to(code)
    codes = [torch.cat([part, code[0, z_dim:]])[None] for part in (z[0], z[1], 2 * z[0])]
    first, second, doubled = (_recorded(network, run, each) for each in codes)
    if len(first) != len(second):
        raise ProbeError("its modules run in another order for each z")
    inputs: dict[int, Input] = {}
    for at, (one, other) in enumerate(zip(first, second)):
        found = _numbers_of_z(one, other, z)
        if found is not None:
            inputs[at] = found
    accepted: dict[int, np.ndarray] = {}
    gains: dict[int, float] = {}
    done: list[str] = []
    # Outer modules first; then products that belong to no layer yet.
    for at in sorted(inputs, key=lambda at: (first[at].is_product, first[at].name.count("."))):
        name = first[at].name
        if any(name == outer or name.startswith(f"{outer}.") for outer in done):
            continue
        found_weight = _weight(first[at], inputs[at], z_dim)
        if found_weight is not None:
            accepted[at], gains[at] = found_weight
            done += [name] if name else []
    if not accepted:
        raise ProbeError("no affine layer that z enters was found in it")
    at = min(accepted)
    once, twice = (seen[at].given.reshape(-1)[inputs[at].places].float() for seen in (first, doubled))
    normalises = float((twice - 2 * once).abs().max()) > 0.1 * float(once.abs().max())
    return _in_rows(network, first, accepted, gains, code.shape[1], normalises)


def _in_rows(
    network: nn.Module,
    seen: Sequence[_Seen],
    weights: dict[int, np.ndarray],
    gains: dict[int, float],
    w_dim: int,
    normalises: bool,
) -> Entered:
    """The layers with their rows; the first, and products, which cannot be given another code, have row 0."""
    rows: dict[object, int] = {}
    modules: list[list[str]] = [[]]
    layers: list[StyleLayer] = []
    shared = _shared([one.groups for at in weights if (one := seen[at]).groups])
    for at in sorted(weights):
        one = seen[at]
        key: object = (*one.groups[shared:], *one.groups[-1:], one)[0]
        if not layers or one.is_product:
            row = rows.setdefault(key, 0) if not layers else 0
        else:
            row = rows.setdefault(key, len(modules))
        if row == len(modules):
            modules.append([])
        if not one.is_product:
            modules[row].append(one.name)
        name = one.name or type(network).__name__
        weight = np.pad(weights[at], ((0, 0), (0, w_dim - weights[at].shape[1])))
        layers.append(StyleLayer(name, weight, row, "conv", gains[at], size=one.size, detail=float(one.size) or None))
    names: set[str] = set()
    for place, layer in enumerate(layers):
        if layer.name in names:
            layers[place] = replace(layer, name=f"{layer.name}[{place}]")
        names.add(layer.name)
    if len(modules) < 2:  # one row has no groups of layers
        layers = [replace(layer, detail=None) for layer in layers]
    return Entered(layers, tuple(map(tuple, modules)), normalises)


def _shared(chains: Sequence[tuple[_Call, ...]]) -> int:
    """How many of the outer calls are around all layers, and so do not group them."""
    return next((depth for depth, calls in enumerate(zip(*chains)) if len(set(calls)) > 1), 0)


def _weight(one: _Seen, item: Input, z_dim: int) -> tuple[np.ndarray, float] | None:
    if one.is_product:
        matrix = matrix_of(item, z_dim)
        found = None if matrix is None else (matrix, 1.0)
    else:
        found = weight_of(item, z_dim)
    if found is None:
        return None
    used = np.zeros(z_dim, dtype=bool)
    used[np.asarray(item.columns.cpu()) if item.columns is not None else slice(None)] = True
    return np.where(used, found[0], np.float32(0)), found[1]  # the others are 0 but for rounding


def _numbers_of_z(one: _Seen, other: _Seen, z: Tensor) -> Input | None:
    """Where an input has which numbers of z; None if it has none, or anything else that depends on z."""
    if one.name != other.name or one.given.shape != other.given.shape:
        return None
    a, b = (seen.given.reshape(-1).to(z) for seen in (one, other))
    places = (a != b).nonzero().flatten()
    if not len(places):
        return None
    pairs = torch.stack([a[places], b[places]], dim=1)
    scales = [1.0]
    if len(places) % z.shape[1] == 0:
        scales.append(float(pairs.square().mean().sqrt()))
    for scale in scales:
        distance, columns = torch.cdist(pairs, scale * z.t(), p=float("inf")).min(dim=1)
        if float(distance.max()) <= _SAME * coarser(one.given) * float(pairs.abs().max()):
            return Input(one.name, one.run, one.given, places, columns, scale)
    return None


def _recorded(network: nn.Module, run: Run, code: Tensor) -> list[_Seen]:
    """Every small input of a module with one tensor, and of a product, in one run."""
    seen: list[_Seen] = []
    calls: list[_Call] = []
    handles = []

    def note(name: str, made: Callable[..., Any], given: Tensor, is_product: bool) -> None:
        if given.ndim < 2 or len(given) != 1 or given.numel() > _MOST_NUMBERS or not given.is_floating_point():
            return
        groups = tuple(call for call in calls if call.takes_features)
        item = _Seen(name, made, given.detach().clone(), groups, is_product)
        seen.append(item)
        for call in calls:
            call.inside.append(item)

    def entering(name: str) -> Callable[[nn.Module, tuple[object, ...]], None]:
        def hook(module: nn.Module, args: tuple[object, ...]) -> None:
            tensors = [arg for arg in args if isinstance(arg, Tensor)]
            if len(tensors) == 1 and name:
                note(name, module, tensors[0], False)
            calls.append(_Call(name, any(map(height_of, tensors)) and bool(name)))

        return hook

    def leaving(module: nn.Module, args: tuple[object, ...], output: object) -> None:
        call = calls.pop()
        outputs = output if isinstance(output, (tuple, list)) else [output]
        height = next((height for height in map(height_of, outputs) if height), 0)
        for item in call.inside:
            item.size = item.size or height

    def multiplied(kind: str, func: Operator, args: tuple[object, ...], keywords: Mapping[str, object]) -> None:
        place = _FACTORS.get(kind)
        given = None if place is None or len(args) <= place else args[place]
        if place is None or not isinstance(given, Tensor) or not calls:
            return
        before, after = args[:place], args[place + 1 :]
        note(calls[-1].name, lambda batch: func(*before, batch, *after, **keywords), given, True)

    for name, module in network.named_modules():
        handles.append(module.register_forward_pre_hook(entering(name)))
        handles.append(module.register_forward_hook(leaving))
    try:
        with operators(multiplied) if _has_products(network) else nullcontext():
            run(code)
    finally:
        for handle in handles:
            handle.remove()
    return seen


def _has_products(network: nn.Module) -> bool:
    """Whether a module that is none of torch's has a matrix or kernel, so that products need to be watched (slow)."""
    own = (part for part in network.modules() if not type(part).__module__.startswith("torch.nn."))
    return any(tensor.ndim > 1 for part in own for tensor in part.parameters(recurse=False))


@contextmanager
def given_to(network: nn.Module, inputs: dict[str, list[tuple[object, ...]]]) -> Iterator[None]:
    """Within the block, call modules with other inputs: those recorded by :func:`inputs_of`, by name."""
    handles = []

    def giving(held: Iterator[tuple[object, ...]]) -> Callable[[nn.Module, tuple[object, ...]], tuple[object, ...]]:
        return lambda module, args: next(held)

    for name, held in inputs.items():
        handles.append(network.get_submodule(name).register_forward_pre_hook(giving(iter(held))))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def inputs_of(network: nn.Module, names: Sequence[str], run: Run, code: Tensor) -> dict[str, list[tuple[object, ...]]]:
    """The arguments that modules are called with in a run, by name."""
    found: dict[str, list[tuple[object, ...]]] = {name: [] for name in names}
    handles = []

    def noting(name: str) -> Callable[[nn.Module, tuple[object, ...]], None]:
        return lambda module, args: found[name].append(args)

    for name in names:
        handles.append(network.get_submodule(name).register_forward_pre_hook(noting(name)))
    try:
        run(code)
    finally:
        for handle in handles:
            handle.remove()
    return found
