"""Plans of the two progressively grown generators, PGGAN and the first StyleGAN, from the shapes of their tensors."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from sefa_plugin.hook import SIZES, NetworkRecord, StyleLayer

from .planned import RenamedHook, Shapes, Weights
from .stylegan2_parts import dense_layers, first_mapping_layer, linear

if TYPE_CHECKING:
    import numpy as np
    from torch import nn

GAIN = math.sqrt(2)
FUSED_FROM = 128  # pixels, from which on the first StyleGAN fuses up-sampling and convolution by default
DENSE = "synthesis.b4.dense"


class PGGANPlan(NamedTuple):
    """What determines a PGGAN; its one row of "ws" is the normalised z. See ``planned.Plan``.

    Attributes:
        widths: channels of every block, from 4 pixels on.
    """

    z_dim: int
    img_channels: int
    widths: list[int]

    def sizes(self) -> dict[str, int]:
        return dict(zip(SIZES, (self.z_dim, 0, self.z_dim, 1, 2 << len(self.widths), self.img_channels)))

    def tensors(self) -> Shapes:
        shapes: Shapes = {"synthesis.lod": (), f"{DENSE}.weight": (self.widths[0] * 16, self.z_dim)}
        shapes[f"{DENSE}.bias"] = (self.widths[0],)
        before = 0
        for index, width in enumerate(self.widths):
            block = f"synthesis.b{4 << index}"
            if before:
                shapes[f"{block}.conv0.weight"], shapes[f"{block}.conv0.bias"] = (width, before, 3, 3), (width,)
            shapes[f"{block}.conv1.weight"], shapes[f"{block}.conv1.bias"] = (width, width, 3, 3), (width,)
            shapes[f"{block}.torgb.weight"] = (self.img_channels, width, 1, 1)
            shapes[f"{block}.torgb.bias"] = (self.img_channels,)
            before = width
        return shapes

    def style_layers(self, weights: Weights) -> list[StyleLayer]:
        """The one layer that z enters."""
        return [StyleLayer(DENSE, weights(f"{DENSE}.weight"), 0, "conv", GAIN / 4 / math.sqrt(self.z_dim), size=4)]

    def mapping_layer(self, weights: Weights) -> StyleLayer:
        """The same layer, for directions of Z."""
        return StyleLayer(DENSE, weights(f"{DENSE}.weight"), -1, "mapping", GAIN / 4 / math.sqrt(self.z_dim), size=4)

    def build(self) -> nn.Module:
        from sefa_plugin.generators.pggan import Generator

        return Generator(*self)


class StyleGAN1Plan(NamedTuple):
    """What determines a generator of the first StyleGAN; see ``planned.Plan``.

    Attributes:
        widths: channels of every block, from 4 pixels on.
        mapping_layers, mapping_features: how many layers the mapping network has, and outputs of the inner ones.
        blur_filter: taps of the filter after up-sampling.
    """

    z_dim: int
    c_dim: int
    w_dim: int
    img_channels: int
    widths: list[int]
    mapping_layers: int
    mapping_features: int
    mapping_activation: str = "lrelu"
    lr_multiplier: float = 0.01
    normalize_latents: bool = True
    blur_filter: list[float] | None = [1, 2, 1]
    activation: str = "lrelu"

    def sizes(self) -> dict[str, int]:
        rows, side = 2 * len(self.widths), 2 << len(self.widths)
        return dict(zip(SIZES, (self.z_dim, self.c_dim, self.w_dim, rows, side, self.img_channels)))

    def tensors(self) -> Shapes:
        inputs = self.z_dim * (2 if self.c_dim else 1)
        shapes: Shapes = dict(dense_layers(inputs, self.mapping_features, self.w_dim, self.mapping_layers))
        shapes.update(
            {"mapping.w_avg": (self.w_dim,), "synthesis.lod": (), "synthesis.b4.const": (self.widths[0], 4, 4)}
        )
        if self.c_dim:
            shapes["mapping.embed.weight"] = (self.z_dim, self.c_dim)
        before = 0
        for index, width in enumerate(self.widths):
            side, block = 4 << index, f"synthesis.b{4 << index}"
            for layer, inputs in ((f"{block}.conv0", before), (f"{block}.conv1", width)):
                if inputs:  # the first layer of all is a style of the constant, without a convolution
                    shapes[f"{layer}.weight"] = (width, inputs, 3, 3)
                shapes[f"{layer}.bias"] = shapes[f"{layer}.noise_strength"] = (width,)
                shapes[f"{layer}.noise_const"] = (side, side)
                shapes.update(linear(f"{layer}.affine", self.w_dim, 2 * width))
            shapes[f"{block}.torgb.weight"] = (self.img_channels, width, 1, 1)
            shapes[f"{block}.torgb.bias"] = (self.img_channels,)
            before = width
        return shapes

    def style_layers(self, weights: Weights) -> list[StyleLayer]:
        """Every affine in the order of execution: scales of all channels, then shifts (AdaIN)."""
        layers = []
        for row in range(2 * len(self.widths)):
            side = 4 << row // 2
            name, gain = f"synthesis.b{side}.conv{row % 2}.affine", 1 / math.sqrt(self.w_dim)
            weight = weights(f"{name}.weight")
            layers.append(StyleLayer(name, weight, row, "conv", gain, size=side, detail=float(side)))
        return layers

    def mapping_layer(self, weights: Weights) -> StyleLayer:
        return first_mapping_layer(weights, GAIN * self.lr_multiplier)

    def build(self) -> nn.Module:
        from sefa_plugin.generators.stylegan1 import Generator

        mapping = {
            "num_layers": self.mapping_layers,
            "layer_features": self.mapping_features,
            "embed_features": self.z_dim,
            "activation": self.mapping_activation,
            "lr_multiplier": self.lr_multiplier,
            "label_concat": True,
            "normalize_latents": self.normalize_latents,
        }
        synthesis = {"blur_filter": self.blur_filter, "activation": self.activation}
        return Generator(*self[:5], mapping_kwargs=mapping, synthesis_kwargs=synthesis)


class StyleGAN1RenamedHook(RenamedHook[StyleGAN1Plan]):
    """A hook of networks of the first StyleGAN whose tensors have other names."""

    def arrays(self, record: NetworkRecord) -> dict[str, np.ndarray]:
        """Arrays by our generator's names; biases of the mapping network are divided (see generators.stylegan1)."""
        made = super().arrays(record)
        return {ours: held / GAIN if _is_mapping_bias(ours) else held for ours, held in made.items()}


def _is_mapping_bias(name: str) -> bool:
    return name.startswith("mapping.fc") and name.endswith(".bias")
