"""The style layers of any generator: of ``load_network``, or a module in memory."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from ..hook import HookError, StyleLayer, check_layers, find_hook
from ..reading.network_record import NetworkRecord
from .known_hooks import known_hooks


@dataclass(frozen=True)
class NetworkInfo:
    """Where a generator came from; ``G.sefa`` of every generator that :func:`load_network` gives.

    Attributes:
        path, which: the file and its entry.
        hook: name of the hook that built it.
        digest: SHA-256 of the network (``NetworkRecord.digest``).
        layers: its style layers, without weights that the generator holds.
        mapping: its first mapping layer, likewise; None where none is known.
    """

    path: str
    name: str
    which: str
    hook: str
    digest: str
    layers: tuple[StyleLayer, ...]
    mapping: StyleLayer | None


def style_layers(G: Any) -> list[StyleLayer]:
    """List the style layers of a generator, with its present weights.

    Args:
        G: a generator that :func:`load_network` gave, or any module in memory with ``mapping`` and ``synthesis``
            (see ``live.adopt``); of that the layers are found by watching it run.

    Raises:
        HookError: ``G`` is neither.
    """
    G = generator_of(G)
    return [_with_weight(G, layer) for layer in G.sefa.layers]


def mapping_layer(G: Any) -> StyleLayer:
    """Give the first mapping layer of such a generator, with its present weight.

    Raises:
        HookError: ``G`` is something else, or none is known of it.
    """
    G = generator_of(G)
    layer = G.sefa.mapping
    if layer is None:
        raise HookError("no affine layer that z enters was found in this network; use space w")
    return _with_weight(G, layer)


def network_info(G: Any) -> NetworkInfo:
    """Where a generator came from, its digest and its layers; see :func:`generator_of`."""
    return generator_of(G).sefa


def generator_of(G: Any) -> Any:
    """Give a generator with a :class:`NetworkInfo` as ``sefa``: ``G`` itself, or our interface around it.

    Raises:
        HookError: ``G`` is no generator, or one that cannot be used (``live.LiveError``).
    """
    from .in_memory import adopt
    from .wrapped import unwrapped

    inside = unwrapped(G)
    if isinstance(getattr(inside, "sefa", None), NetworkInfo):
        return inside
    made = adopt(inside)
    record, (layers, first) = made.record(), made.look()
    hook, layers, first = _as_its_hook_lists(record, layers) or ("live", layers, first)
    made.sefa = NetworkInfo(record.path, record.name, "", hook, record.digest(), tuple(layers), first)
    return made


def _as_its_hook_lists(
    record: NetworkRecord, seen: list[StyleLayer]
) -> tuple[str, list[StyleLayer], StyleLayer] | None:
    """What a hook lists of a network in memory, if one knows it, so that it is what its file gives.

    Only where watching the network has shown each of these layers, with this matrix: else None.
    """
    import numpy as np

    all_hooks, _ = known_hooks()
    try:
        hook = find_hook(record, all_hooks())
        hook.check(record)
        sizes = hook.describe(record)
        layers = check_layers(hook.style_layers(record), sizes["w_dim"], sizes["num_ws"], hook.name)
        mapping = hook.mapping_layer(record)
    except HookError:
        return None
    found = {(layer.name, layer.ws_index): np.asarray(layer.weight) * layer.weight_gain for layer in seen}
    for layer in layers:
        matrix = np.asarray(layer.weight) * layer.weight_gain
        shown = found.get((layer.name, layer.ws_index))
        if shown is None or shown.shape != matrix.shape or abs(shown - matrix).max() > 1e-2 * abs(matrix).max():
            return None
    return hook.name, layers, mapping


def without_weight(G: Any, layer: StyleLayer) -> StyleLayer:
    """A layer whose weight is to be read from the generator; one that was measured keeps it."""
    try:
        held = getattr(G.get_submodule(layer.name), "weight", None)
    except AttributeError:  # a further row of a module that serves several
        return layer
    return replace(layer, weight=None) if held is not None and tuple(held.shape) == tuple(layer.weight.shape) else layer


def _with_weight(G: Any, layer: StyleLayer) -> StyleLayer:
    if layer.weight is not None:
        return layer
    weight = G.get_submodule(layer.name).weight
    return replace(layer, weight=weight.detach().float().cpu().numpy())
