"""The style layers and the first mapping layer of a generator, found by running it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from ..hook import StyleLayer
from . import probe
from .wrapped import EmbeddedGenerator

_SEED = 0


def style_and_mapping(G: EmbeddedGenerator) -> tuple[list[StyleLayer], StyleLayer | None]:
    """Find the style layers, and the first affine layer that z enters (None where there is none).

    Raises:
        ProbeError: no style layer is found.
    """
    generator = torch.Generator().manual_seed(_SEED)
    # Of mean square 1, so that the network's normalisation does not change them and inputs can be recognised.
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
        # The mapping is the identity, so the style layer is also z's first layer (FastGAN).
        mapping = replace(layers[0], ws_index=-1, kind="mapping")
    return layers, mapping


def _unit(rows: Tensor) -> Tensor:
    """Rows of mean square 1."""
    return rows * rows.square().mean(dim=1, keepdim=True).rsqrt()


def _first_layer(G: EmbeddedGenerator, mapping: StyleLayer | None) -> StyleLayer:
    """The layer that z enters, as a style layer; columns of the label, which follow those of z, become 0."""
    if mapping is None:
        raise probe.ProbeError("no affine layer that is fed by z was found in it")
    weight = np.asarray(mapping.weight)
    weight = np.pad(weight, ((0, 0), (0, G.w_dim - weight.shape[1])))
    return replace(mapping, weight=weight, ws_index=0, kind="conv", size=G.img_resolution)
