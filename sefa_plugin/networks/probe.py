"""Find the style layers of a generator in memory with forward hooks: which module takes which row of ws.

Independent of names: a module whose only tensor input is a row of ws, and whose output is an affine function of it, is
a style layer. Its matrix is measured from its outputs, so it includes gains, equalised learning rates and weights that
are computed at run time. If a larger module multiplies a row by a matrix itself, that matrix is the layer.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

import numpy as np
import torch
from torch import Tensor, nn

from ..hook import StyleLayer

if TYPE_CHECKING:
    from .wrapped import EmbeddedGenerator

_SAME = 1e-3  # highest relative difference of an input from a row (networks normalise with an epsilon)
_AFFINE = 1e-3  # highest relative deviation from an affine function, for rounding
_STORED = 1e-4  # the same, from the module's own weight
_COARSER = {torch.float16: 8, torch.bfloat16: 64}  # factors on these tolerances by dtype
_MAX_OUTPUTS = 1 << 20  # of one style layer


class ProbeError(Exception):
    """A generator cannot be run, or no style layer is found in it."""


_Hook = Callable[[nn.Module, "tuple[object, ...]"], None]  # called with a module and its arguments


@dataclass(eq=False)
class Input:
    """An input that has numbers of a code, and the module that takes it.

    Attributes:
        name: of the module.
        run: the module, or a function of its input.
        given: the input, of one picture.
        places, columns: where the input, flattened, has which numbers of the code; None: it begins with the code.
        scale: factor between the code and the input.
    """

    name: str
    run: Callable[[Tensor], Tensor]
    given: Tensor
    places: Tensor | None = None
    columns: Tensor | None = None
    scale: float = 1.0

    @property
    def coarser(self) -> float:
        """Factor on the tolerances for the input's dtype; 1 for float32."""
        return coarser(self.given)


def coarser(tensor: Tensor) -> float:
    """Factor on tolerances for a tensor's dtype; 1 for float32."""
    return _COARSER.get(tensor.dtype, 1)


@dataclass(eq=False)
class _RowCall(Input):
    """A call of a module with a row of ws."""

    row: int = 0
    size: int = 0  # height of the output of the module's parent; 0 if that is not a picture
    matrix: Tensor | None = None  # by which the module multiplies the row, if it takes more inputs than the row

    @property
    def module(self) -> nn.Module:
        """The module."""
        return cast(nn.Module, self.run)


def style_layers(
    network: nn.Module, run: Callable[[Tensor], object], rows: Tensor, img_channels: int
) -> list[StyleLayer]:
    """Find the affine transformations of the rows of ws, in the order of execution.

    A module that takes several rows is a layer for each: the first has the module's name, later ones a suffix with the
    row (``affine[3]``).

    Args:
        network: the module whose submodules are searched; layers get their names in it.
        run: called with ws ``[1, num_ws, w_dim]``; renders it.
        rows: distinct rows to recognise, ``[num_ws, w_dim]`` float32, each of mean square 1.
        img_channels: channels of the picture; a layer with that many outputs is a ToRGB.

    Raises:
        ProbeError: no module that takes a row is affine.
    """
    with _recorded(network, rows) as calls:
        run(rows[None])
    found: dict[int, StyleLayer] = {}
    done: list[tuple[str, int]] = []
    modules = [item for item in calls if item.matrix is None]
    products = _stacked_products(calls)
    # Outer modules first; then products that belong to no layer yet.
    for item in [*sorted(modules, key=lambda held: held.name.count(".")), *products]:
        if any(item.row == row and (item.name == name or item.name.startswith(f"{name}.")) for name, row in done):
            continue
        weight = _row_weight(item, rows.shape[1])
        if weight is not None:
            done.append((item.name, item.row))
            found[calls.index(item)] = _layer(network, item, *weight, img_channels)
    if not found:
        raise ProbeError("no affine layer that is fed by a row of ws was found in it")
    return _renamed([found[place] for place in sorted(found)])


def _renamed(layers: list[StyleLayer]) -> list[StyleLayer]:
    """Layers with unique names."""
    names: set[str] = set()
    for place, layer in enumerate(layers):
        if layer.name in names:
            layers[place] = replace(layer, name=f"{layer.name}[{layer.ws_index}]")
        names.add(layer.name)
    return layers


def _stacked_products(calls: Iterable[_RowCall]) -> list[_RowCall]:
    """Items with a matrix; several matrices of a module for one row (scale and shift, say) are stacked."""
    first: dict[tuple[str, int], _RowCall] = {}
    for item in calls:
        if item.matrix is None:
            continue
        held = first.setdefault((item.name, item.row), item)
        if held is not item and held.matrix is not None:
            held.matrix = torch.cat([held.matrix, item.matrix * (item.scale / held.scale)])
    return list(first.values())


def mapping_layer(network: nn.Module, run: Callable[[Tensor], object], z: Tensor) -> StyleLayer | None:
    """Find the first affine transformation of z ``[z_dim]`` (of mean square 1); None where there is none.

    ``run`` is called with ``[1, z_dim]``.
    """
    with _recorded(network, z[None]) as calls:
        run(z[None])
    for item in sorted(calls, key=lambda held: held.matrix is not None):
        found = _row_weight(item, len(z))
        if found is not None:
            return StyleLayer(item.name, found[0], -1, "mapping", found[1])
    return None


def _row_weight(item: _RowCall, width: int) -> tuple[np.ndarray, float] | None:
    """The weight of an item and its gain at run time; None if it is not affine."""
    if item.matrix is not None:
        return (item.matrix.to(torch.float32) * item.scale).cpu().numpy(), 1.0
    return weight_of(item, width)


def weight_of(item: Input, width: int) -> tuple[np.ndarray, float] | None:
    """The weight ``[outputs, width]`` of a module's affine part and its gain at run time; None if it is not affine."""
    module = cast(nn.Module, item.run)
    if next(module.parameters(), None) is None and next(module.buffers(), None) is None:
        return None  # no weights: dropout, an identity
    matrix = matrix_of(item, width)
    return _before_activation(item, width) if matrix is None else _stored(item, matrix)


@dataclass(eq=False)
class _Call:
    """A running module, and the items found inside it."""

    name: str
    module: nn.Module
    inside: list[_RowCall]


@contextmanager
def _recorded(network: nn.Module, rows: Tensor) -> Iterator[list[_RowCall]]:
    """Record every module that is called with a row (and no other tensor), and every product with a row."""
    seen: list[_RowCall] = []
    calls: list[_Call] = []
    handles = []

    def note(item: _RowCall, around: list[_Call]) -> None:
        seen.append(item)
        for call in around:
            call.inside.append(item)

    def entering(name: str) -> _Hook:
        def hook(module: nn.Module, args: tuple[object, ...]) -> None:
            calls.append(_Call(name, module, []))
            tensors = [arg for arg in args if isinstance(arg, Tensor)]
            match = _row_of(tensors[0], rows) if len(tensors) == 1 else None
            if match is None or not name or any((item.name, item.row) == (name, match[0]) for item in seen):
                return
            note(_RowCall(name, module, tensors[0].detach(), scale=match[1], row=match[0]), calls[:-1])

        return hook

    def leaving(module: nn.Module, args: tuple[object, ...], output: object) -> None:
        call = calls.pop()
        heights = map(height_of, output if isinstance(output, (tuple, list)) else [output])
        height = next((height for height in heights if height), 0)
        for item in call.inside:
            if height and not item.size:  # the innermost enclosing module that gives pictures
                item.size = height

    def multiplied(kind: str, func: Operator, args: Sequence[object], keywords: Mapping[str, object]) -> None:
        factors = [arg for arg in {"mm": args[:2], "addmm": args[1:3]}.get(kind, ()) if isinstance(arg, Tensor)]
        if not calls or not calls[-1].name or len(factors) < 2:
            return
        left, right = factors
        for vector, matrix in ((left, right.t()), (right.t(), left)):
            match = _row_of(vector, rows) if vector.shape == (1, rows.shape[1]) else None
            if match is not None:
                call = calls[-1]
                held = matrix.detach().clone()
                note(_RowCall(call.name, call.module, vector, scale=match[1], row=match[0], matrix=held), calls)
                return

    for name, module in network.named_modules():
        handles.append(module.register_forward_pre_hook(entering(name)))
        handles.append(module.register_forward_hook(leaving))
    try:
        with operators(multiplied):
            yield seen
    finally:
        for handle in handles:
            handle.remove()


Operator = Callable[..., object]
Called = Callable[[str, Operator, "tuple[object, ...]", "Mapping[str, object]"], None]


def operators(called: Called) -> AbstractContextManager[object]:
    """Before each of torch's operators within the block, call ``called`` with its name, itself and its arguments.

    Nothing before torch 1.13.
    """
    try:
        from torch.utils._python_dispatch import TorchDispatchMode
    except ImportError:
        return nullcontext()

    class Watch(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch leaves its methods without types
        def __torch_dispatch__(
            self,
            func: Operator,
            types: object,
            args: tuple[object, ...] = (),
            kwargs: Mapping[str, object] | None = None,
        ) -> object:
            called(str(func).split(".")[1] if "." in str(func) else "", func, args, kwargs or {})
            return func(*args, **(kwargs or {}))

    return Watch()  # type: ignore[no-untyped-call]  # as above


def height_of(value: object) -> int:
    """Height in pixels of a picture; 0 for anything else."""
    return int(value.shape[-2]) if isinstance(value, Tensor) and value.ndim == 4 and value.shape[-1] > 1 else 0


def _row_of(tensor: Tensor, rows: Tensor) -> tuple[int, float] | None:
    """Index and scale of the row that an input begins with, or None (labels or motion codes may follow it)."""
    width = rows.shape[1]
    if not tensor.is_floating_point() or tensor.ndim < 2 or tensor.shape[0] != 1 or tensor[0].numel() < width:
        return None
    if tensor.shape[1] < width and tensor[0].numel() != width:
        return None  # a picture, not a vector
    start = tensor.detach().reshape(-1)[:width].to(rows)
    scales = (rows @ start) / rows.square().sum(dim=1)
    distance = (rows * scales[:, None] - start).abs().amax(dim=1)
    best = int(distance.argmin())
    same = _SAME * _COARSER.get(tensor.dtype, 1)
    scale, peak = float(scales[best]), float(start.abs().max())
    alike = math.isfinite(scale) and peak > 0 and float(distance[best]) <= same * peak
    return (best, 1.0 if abs(scale - 1) <= same else scale) if alike else None


def _apply(item: Input, vectors: Tensor) -> Tensor:
    """Outputs ``[N, outputs]`` of a module for codes ``[N, width]`` in place of the numbers of its code."""
    flat = item.given.reshape(1, -1).repeat(len(vectors), 1)
    if item.places is None or item.columns is None:
        flat[:, : vectors.shape[1]] = vectors.to(flat)
    else:
        flat[:, item.places] = vectors.to(flat)[:, item.columns]
    made = item.run(flat.reshape(len(vectors), *item.given.shape[1:]))
    return made.reshape(len(vectors), -1).to(torch.float32)


def matrix_of(item: Input, width: int) -> np.ndarray | None:
    """The matrix ``[outputs, width]`` of an affine module, float32; None if it is not affine."""
    device = item.given.device
    try:
        with torch.no_grad():
            zero = _apply(item, torch.zeros(1, width, device=device))
            if not _may_be_affine(item, width):
                return None
            if zero.shape[1] > _MAX_OUTPUTS:
                return None
            steps = torch.eye(width, device=device)
            matrix = torch.cat([_apply(item, part) for part in torch.split(steps, 64)]) - zero  # [width, outputs]
            sample = torch.randn(3, width, generator=torch.Generator().manual_seed(0)).to(device)
            error = (_apply(item, sample) - (sample @ matrix + zero)).abs().max()
    except Exception:  # not a style layer: takes no batch, or gives no tensor
        return None
    scale = float(matrix.abs().max())
    most = _AFFINE * item.coarser * scale * math.sqrt(width)
    if not math.isfinite(scale) or scale == 0 or not float(error) <= most:
        return None
    return (matrix.t() * item.scale).contiguous().cpu().numpy()


def _may_be_affine(item: Input, width: int) -> bool:
    """Whether a module passes a quick test: most of those that are not affine are whole networks, and slow."""
    one, two = torch.randn(2, width, generator=torch.Generator().manual_seed(1)).to(item.given.device)
    none, first, second, both = _apply(item, torch.stack([torch.zeros_like(one), one, two, one + two]))
    most = 1e-2 * item.coarser * float((both - none).abs().max())
    return float((both - first - second + none).abs().max()) <= most


def _before_activation(item: Input, width: int) -> tuple[np.ndarray, float] | None:
    """The weight of a module that activates its affine output, if its Jacobian is that weight with scaled rows."""
    weight = getattr(item.run, "weight", None)
    if item.places is not None and (len(item.places) != width or not item.places.equal(cast(Tensor, item.columns))):
        return None
    if not isinstance(weight, Tensor) or weight.ndim != 2 or weight.shape[1] < width:
        return None
    point = item.given.detach().reshape(-1)[:width].to(torch.float32)
    step = 1e-2 * float(point.abs().max())
    try:
        with torch.no_grad():
            steps = torch.split(step * torch.eye(width, device=point.device), 64)
            change = [_apply(item, point + part) - _apply(item, point - part) for part in steps]
    except Exception:  # as above
        return None
    slope = torch.cat(change).t()  # [outputs, width]
    held = weight.detach().to(torch.float32)[:, :width]
    if slope.shape != held.shape:
        return None
    alike = nn.functional.cosine_similarity(slope, held.to(slope), dim=1)
    alive = slope.norm(dim=1) > 1e-3 * slope.norm(dim=1).max()
    # A step across the kink of a rectifier changes a row's direction; few rows have it.
    if not bool(alive.any()) or float((alike[alive].abs() > 0.99).float().mean()) < 0.9:
        return None
    gain = getattr(item.run, "weight_gain", 1.0)
    return held.cpu().numpy(), float(gain) if isinstance(gain, (int, float)) else 1.0


def _stored(item: Input, matrix: np.ndarray) -> tuple[np.ndarray, float]:
    """The module's weight and its gain if their product is ``matrix``, else ``matrix`` and 1."""
    weight = getattr(item.run, "weight", None)
    if isinstance(weight, Tensor) and tuple(weight.shape) == matrix.shape:
        held = weight.detach().to(torch.float32).cpu().numpy()
        gain = float((held * matrix).sum() / max(float((held * held).sum()), 1e-30))
        most = _STORED * item.coarser
        if gain > 0 and np.abs(matrix - gain * held).max() <= most * np.abs(matrix).max():
            named = getattr(item.run, "weight_gain", 1.0)  # exact, unlike the measured gain
            exact = isinstance(named, (int, float)) and abs(gain - named) <= most * gain
            return held, float(named) if exact else gain
    return matrix, 1.0


def _layer(network: nn.Module, item: _RowCall, weight: np.ndarray, gain: float, img_channels: int) -> StyleLayer:
    parent = item.module if item.matrix is not None else network.get_submodule(item.name.rpartition(".")[0])
    kind, style_gain = _kind(parent, item.name, weight, img_channels)
    detail = None
    if kind != "input":
        detail = float(getattr(parent, "resolution", 0) or 2 * getattr(parent, "out_cutoff", 0) or item.size) or None
    return StyleLayer(item.name, weight, item.row, kind, gain, style_gain, item.size, detail)


def _kind(parent: nn.Module, name: str, matrix: np.ndarray, img_channels: int) -> tuple[str, float]:
    """The kind of a layer, and the style_gain of a ToRGB, from the attributes of its parent."""
    if len(matrix) == 4 and isinstance(getattr(parent, "freqs", None), Tensor):
        return "input", 1.0
    weight = getattr(parent, "weight", None)
    colours = isinstance(weight, Tensor) and weight.ndim == 4 and weight.shape[0] == img_channels
    held = getattr(parent, "is_torgb", None)
    if held is True or (held is None and (colours or "rgb" in name.lower().rpartition(".")[0].rpartition(".")[2])):
        size = weight.shape[-1] ** 2 if isinstance(weight, Tensor) and weight.ndim >= 2 else 1
        return "torgb", 1 / math.sqrt(len(matrix) * size)
    return "conv", 1.0


def style_and_mapping(G: EmbeddedGenerator) -> tuple[list[StyleLayer], StyleLayer | None]:
    """Find the style layers, and the first affine layer that z enters (None where there is none).

    Raises:
        ProbeError: no style layer is found.
    """
    if G.entered is not None:
        return G.entered.layers, G.entered.mapping(G.z_dim)
    generator = torch.Generator().manual_seed(0)
    # Of mean square 1, so that the network's normalisation does not change them and inputs can be recognised.
    z = unit(torch.randn(1, G.z_dim, generator=generator))[0]
    with torch.no_grad():
        mapping = mapping_layer(G.network, G.mapping, z)
        rows = unit(torch.randn(G.num_ws, G.w_dim, generator=generator))
        layers = style_layers(G.network, G.synthesis, rows, G.img_channels)
    if mapping is None and len(layers) == 1 and G.z_dim == G.w_dim:
        # The mapping is the identity, so the style layer is also z's first layer (FastGAN).
        mapping = replace(layers[0], ws_index=-1, kind="mapping")
    return layers, mapping


def unit(rows: Tensor) -> Tensor:
    """Rows of mean square 1."""
    return rows * rows.square().mean(dim=1, keepdim=True).rsqrt()
