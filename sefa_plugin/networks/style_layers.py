"""The style layers of any generator: from ``load_network``, or a module in memory."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NoReturn, cast

from ..hook import HookError, NetworkRecord, StyleLayer, find_hook, listing_of
from .opening import known_hooks

if TYPE_CHECKING:
    from torch import Tensor, nn

    from .generator import LoadedGenerator


@dataclass(frozen=True)
class InGenerator:
    """Placeholder for a weight that is in the generator itself."""

    shape: tuple[int, ...]
    dtype: str = "float32"

    def __array__(self, dtype: object = None, copy: object = None) -> NoReturn:
        raise TypeError("this weight is in its generator: use style_layers(G) or mapping_layer(G)")


@dataclass(frozen=True)
class NetworkInfo:
    """Origin, digest and layers of a generator: its attribute ``sefa``.

    Attributes:
        path, which: the file and its entry.
        hook: name of the hook that built it.
        digest: SHA-256 of the network (``NetworkRecord.digest``).
        layers: its style layers, with :class:`InGenerator` in place of the generator's weights.
        mapping: its first mapping layer, likewise; None where none is known.
        lineage: the digest that its directions are known by, where that is another (``NetworkRecord.lineage``).
    """

    path: str
    name: str
    which: str
    hook: str
    digest: str
    layers: tuple[StyleLayer, ...]
    mapping: StyleLayer | None
    lineage: str = ""


def style_layers(G: object) -> list[StyleLayer]:
    """List the style layers of a generator, with its present weights.

    Args:
        G: a generator that :func:`load_network` gave, or any module in memory with ``mapping`` and ``synthesis``
            (see ``in_memory.adopt``), whose layers are found by running it.

    Raises:
        HookError: ``G`` is neither.
    """
    generator = generator_of(G)
    return [_with_weight(generator, layer) for layer in generator.sefa.layers]


def mapping_layer(G: object) -> StyleLayer:
    """Give the first mapping layer of such a generator, with its present weight.

    Raises:
        HookError: ``G`` is not a generator, or has no known mapping layer.
    """
    generator = generator_of(G)
    layer = generator.sefa.mapping
    if layer is None:
        raise HookError("no affine layer that z enters was found in this network; use space w")
    return _with_weight(generator, layer)


def generator_of(G: object) -> LoadedGenerator:
    """Give a generator with a :class:`NetworkInfo` as ``sefa``: ``G`` itself, or our interface around it.

    Raises:
        HookError: ``G`` is not a generator, or cannot be used (``in_memory.LiveError``).
    """
    from .in_memory import adopt
    from .wrapped import unwrapped

    inside = unwrapped(G)
    if isinstance(getattr(inside, "sefa", None), NetworkInfo):
        return cast("LoadedGenerator", inside)
    made = adopt(inside)
    record, (layers, first) = made.record(), made.look()
    hook, layers, first = _listed_by_hook(record, layers) or ("live", layers, first)
    made.sefa = NetworkInfo(record.path, record.name, "", hook, record.digest(), tuple(layers), first)
    return made


def _listed_by_hook(
    record: NetworkRecord, measured: list[StyleLayer]
) -> tuple[str, list[StyleLayer], StyleLayer | None] | None:
    """A hook that fits a network in memory, its style layers and its mapping layer.

    None where none fits, or a layer was not found by running the network, with the same matrix.
    """
    import numpy as np

    try:
        hook = find_hook(record, known_hooks())
        listing = listing_of(record, hook)
    except HookError:
        return None
    found = {(layer.name, layer.ws_index): np.asarray(layer.weight) * layer.weight_gain for layer in measured}
    for layer in listing.layers:
        matrix = np.asarray(layer.weight) * layer.weight_gain
        other = found.get((layer.name, layer.ws_index))
        if other is None or other.shape != matrix.shape or abs(other - matrix).max() > 1e-2 * abs(matrix).max():
            return None
    return hook.name, listing.layers, listing.mapping


def without_weight(G: nn.Module, layer: StyleLayer) -> StyleLayer:
    """The layer with :class:`InGenerator` as weight; unchanged if its weight was measured."""
    try:
        held = getattr(G.get_submodule(layer.name), "weight", None)
    except AttributeError:  # a name with a row: affine[3]
        return layer
    shape = tuple(layer.weight.shape)
    return replace(layer, weight=InGenerator(shape)) if held is not None and tuple(held.shape) == shape else layer


def _with_weight(G: LoadedGenerator, layer: StyleLayer) -> StyleLayer:
    if not isinstance(layer.weight, InGenerator):
        return layer
    weight = cast("Tensor", G.get_submodule(layer.name).weight)
    return replace(layer, weight=weight.detach().float().cpu().numpy())
