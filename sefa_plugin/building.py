"""From an opened network to a generator, and the style layers of any generator.

G = load_network("ffhq.pkl")
ws = G.mapping(z, None)
img = G.synthesis(ws, noise_mode="const")
"""

from __future__ import annotations

import copy
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from .hook import HookError, StyleLayer, built_state, check_attribute, check_layers, find_hook
from .network import OpenNetwork, known_hooks, open_network
from .network_file import NetworkRecord
from .tensor_view import in_place


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


def load_network(
    path: str | os.PathLike,
    *,
    which: str = "G_ema",
    device: Any = "cpu",
    trust_pickle: bool = False,
    strict: bool = False,
) -> Any:
    """Load a generator from a file, an address, or ``demo``; nothing of the file is run unless it is trusted.

    Args:
        path, which, strict: see :func:`open_network`.
        device: where the generator goes, as torch names it.
        trust_pickle: run the file's own code where the network is not one that is known for certain; that
            code can do anything to this computer.

    Returns:
        An ``nn.Module`` in evaluation mode with the interface of NVIDIA's generators:
        ``G.mapping(z [N, z_dim], c, truncation_psi, truncation_cutoff) -> ws [N, num_ws, w_dim]``,
        ``G.synthesis(ws, noise_mode, force_fp32) -> img [N, C, H, W]``, about -1 to 1, and ``G(z, c, ...)``.

    Raises:
        NetworkFileError, HookError, DownloadError: one line that says what is wrong and what to do.
        TrustedFileError: the file's code was run, and failed.
    """
    return build_network(open_network(path, which=which, strict=strict, trust_pickle=trust_pickle), device)


def build_network(opened: OpenNetwork, device: Any = "cpu") -> Any:
    """Build the generator of an opened network; see :func:`load_network`.

    Raises:
        HookError: weights hold NaN or infinity, or the built generator disagrees with the file.
    """
    from concurrent.futures import ThreadPoolExecutor

    record = opened.record
    if opened.why_no_pictures:
        raise HookError(f"{record.path}: {opened.why_no_pictures}")
    opened.check_unchanged()  # before tensors are touched: what was cut off a mapped file must not be
    with ThreadPoolExecutor(1) as aside:
        digest = aside.submit(record.digest)  # takes as long as the rest, and lets the interpreter run
        held = built_state(opened.hook, record)
        G = opened.hook.build(record) if held is None else _filled(opened, held)
    opened.check_unchanged()
    if held is record.tensors:
        _compare_attributes(G, record)
    G.init_args, G.init_kwargs = record.init_args, copy.deepcopy(dict(record.init_kwargs))
    G.sefa = NetworkInfo(
        path=record.path,
        name=record.name,
        which=record.which,
        hook=opened.hook.name,
        digest=digest.result(),
        layers=tuple(_without_weight(G, layer) for layer in opened.layers),
        mapping=_without_weight(G, opened.mapping) if opened.has_mapping else None,
    )
    return G.eval().requires_grad_(False).to(device)


def _filled(opened: OpenNetwork, held: Mapping[str, Any]) -> Any:
    """The generator with the tensors of the file."""
    import torch

    from .filling import filled

    record = opened.record
    state = {name: torch.tensor(finite(record.path, name, tensor)) for name, tensor in held.items()}
    try:
        return filled(lambda: opened.hook.build(record), state)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:200]
        raise HookError(f"{record.path}: hook {opened.hook.name} built another network: {reason}") from None


def finite(path: str, name: str, tensor: Any) -> Any:
    """The elements of a tensor of a file as a NumPy array, which is not to be written to.

    Raises:
        HookError: it holds NaN or infinity, or numbers that are infinite in float32.
    """
    import numpy as np

    array = in_place(tensor)
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise HookError(f"{path}: tensor {name} holds NaN or infinity: the training diverged?")
    if array.dtype == np.float64 and np.abs(array).max(initial=0) > np.finfo(np.float32).max:
        raise HookError(f"{path}: tensor {name} holds {np.abs(array).max():.3g}, more than float32 can: damaged?")
    return array


# Attributes that training and the toolkit's own fast paths use; they do not change a picture.
_HARMLESS = {"training", "w_avg_beta", "magnitude_ema_beta", "use_fp16", "channels_last", "num_fp16_res"}


def _compare_attributes(G: Any, record: NetworkRecord) -> None:
    """Compare what the file's modules say of themselves (gains, clamps, kinds) with the built ones.

    A fork may change a gain and nothing else; where it is kept as an attribute, it shows here.
    """
    for name, module in G.named_modules():
        for key, ours in module.__dict__.items():
            plain = ours is None or isinstance(ours, (bool, int, float, str))  # None: no clamp
            if plain and not key.startswith("_") and key not in _HARMLESS:
                check_attribute(record, name, key, ours)


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
    from .live import adopt, unwrapped

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


def _without_weight(G: Any, layer: StyleLayer) -> StyleLayer:
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
