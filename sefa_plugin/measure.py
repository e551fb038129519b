"""What can be known of a living generator: its layers, measured, and a record of what it is."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from . import probe
from .embedded import EmbeddedGenerator
from .hook import StyleLayer
from .network_record import NetworkRecord
from .network_walk import ModuleRecord

_SEED = 0


def style_and_mapping(G: EmbeddedGenerator) -> tuple[list[StyleLayer], StyleLayer | None]:
    """Find the style layers, and the first affine layer that z enters (None where there is none).

    Raises:
        ProbeError: no style layer is found.
    """
    generator = torch.Generator().manual_seed(_SEED)
    # The first latents are handed over as they are only if normalising leaves them so.
    z = _unit(torch.randn(1, G.z_dim, generator=generator))[0]

    def run_mapping(z: Tensor) -> None:
        ws = G.mapping(z)
        if not G.styled:
            G.synthesis(ws)

    with torch.no_grad():
        mapping = probe.mapping_layer(G.network, run_mapping, z)
        if not G.styled:
            return [_first_layer(G, mapping)], mapping
        rows = _unit(torch.randn(G.num_ws, G.w_dim, generator=generator))
        layers = probe.style_layers(G.network, G.synthesis, rows, G.img_channels)
    if mapping is None and len(layers) == 1 and G.z_dim == G.w_dim:
        # Its mapping hands z on: what ws enter by, z enters by (FastGAN).
        mapping = replace(layers[0], ws_index=-1, kind="mapping")
    return layers, mapping


def _unit(rows: Tensor) -> Tensor:
    """Rows of mean square 1."""
    return rows * rows.square().mean(dim=1, keepdim=True).rsqrt()


def _first_layer(G: EmbeddedGenerator, mapping: StyleLayer | None) -> StyleLayer:
    """Where z itself enters: the columns of the label, which follow it, are no directions."""
    if mapping is None:
        raise probe.ProbeError("no affine layer that is fed by z was found in it")
    weight = np.asarray(mapping.weight)
    weight = np.pad(weight, ((0, 0), (0, G.w_dim - weight.shape[1])))
    return replace(mapping, weight=weight, ws_index=0, kind="conv", size=G.img_resolution)


def record_of(network: nn.Module, path: str, which: str, entries: tuple[str, ...]) -> NetworkRecord:
    """The record of a living network; that of an official one has the digest of its file."""
    return NetworkRecord(
        path=path,
        which=which,
        entries=entries,
        class_name=type(network).__name__,
        init_args=tuple(getattr(network, "init_args", ()) or ()),
        init_kwargs=dict(getattr(network, "init_kwargs", {}) or {}),
        tensors={name: _array(tensor) for name, tensor in network.state_dict().items()},
        none_buffers=frozenset(
            f"{name}.{key}" if name else key
            for name, module in network.named_modules()
            for key, held in (*module._parameters.items(), *module._buffers.items())
            if held is None
        ),
        modules={name: _module(module) for name, module in network.named_modules()},
    )


def _module(module: nn.Module) -> ModuleRecord:
    kind = type(module)
    inside = kind.__module__.startswith("torch.nn.modules.")  # files name torch's own in full
    plain = {key: value for key, value in vars(module).items() if _is_plain(value)}
    return ModuleRecord(f"{kind.__module__}.{kind.__qualname__}" if inside else kind.__name__, plain, "")


def _is_plain(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return all(map(_is_plain, value))
    if isinstance(value, dict):
        return all(map(_is_plain, (*value.keys(), *value.values())))
    return value is None or isinstance(value, (bool, int, float, str, np.number))


def _array(tensor: Tensor) -> Any:
    tensor = tensor.detach().cpu()
    return (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy()  # NumPy has no bfloat16
