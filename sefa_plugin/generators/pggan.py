"""The PGGAN generator.

Karras et al., "Progressive Growing of GANs for Improved Quality, Stability, and Variation" (2018), table 2.
It has no W: ws is one row, the normalised z.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .growing import Block, GrownSynthesis, ToRGB, scaled_conv
from .mapping import BaseGenerator, BaseMapping, normalize_2nd_moment, refuse_unknown

GAIN = math.sqrt(2)


class Mapping(BaseMapping):
    """Normalises z, in place of a mapping network."""

    def __init__(self, z_dim: int) -> None:
        super().__init__(z_dim, 0, z_dim, 1, [z_dim], "linear", 1)

    def forward(
        self,
        z: Tensor,
        c: Tensor | None = None,
        truncation_psi: float = 1,
        truncation_cutoff: int | None = None,
        **keywords: object,
    ) -> Tensor:
        """``[N, z_dim]`` of any float type to float32 ``[N, 1, z_dim]``.

        Raises:
            ValueError: ``z`` has another shape, labels are given, or truncation is asked for.
        """
        refuse_unknown(keywords, "mapping")
        z, _ = self.checked(z, c)
        if truncation_psi != 1:
            raise ValueError("PGGAN has no W and keeps no average, so truncation is not possible: use a psi of 1")
        return normalize_2nd_moment(z)[:, None]


class Dense(nn.Module):
    """The first layer: a vector to features of 4x4 pixels."""

    def __init__(self, z_dim: int, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(channels * 16, z_dim))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.weight_gain = GAIN / 4 / math.sqrt(z_dim)

    def forward(self, z: Tensor) -> Tensor:
        """``[N, z_dim]`` to ``[N, channels, 4, 4]``."""
        x = F.linear(z, self.weight * self.weight_gain).reshape(len(z), -1, 4, 4)
        return normalize_2nd_moment(F.leaky_relu(x + self.bias[:, None, None], 0.2))


class Layer(nn.Module):
    """Convolution, bias, activation, normalisation over channels."""

    def __init__(self, in_channels: int, out_channels: int, up: bool = False) -> None:
        super().__init__()
        self.up = up
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, 3, 3))
        self.bias = nn.Parameter(torch.zeros(out_channels))

    def forward(self, x: Tensor) -> Tensor:
        """``[N, in, h, w]`` to ``[N, out, h, w]``, or to twice the size."""
        x = scaled_conv(x, self.weight, GAIN, self.up) + self.bias[:, None, None]
        return normalize_2nd_moment(F.leaky_relu(x, 0.2))


class SynthesisNetwork(GrownSynthesis):
    """Normalised latents to pictures."""

    def __init__(self, z_dim: int, img_channels: int, channels: Sequence[int]) -> None:
        super().__init__(z_dim, 1, img_channels, channels)
        before = channels[0]
        for resolution, width in zip(self.block_resolutions, channels):
            first = {"dense": Dense(z_dim, width)} if resolution == 4 else {"conv0": Layer(before, width, up=True)}
            block = {**first, "conv1": Layer(width, width), "torgb": ToRGB(width, img_channels)}
            setattr(self, f"b{resolution}", Block(block))
            before = width

    def forward(self, ws: Tensor, noise_mode: str = "const", force_fp32: bool = False, **keywords: object) -> Tensor:
        """Render ``ws`` ``[N, 1, z_dim]``, normalised again, to float32 ``[N, C, H, W]``, about -1 to 1.

        ``noise_mode`` has no effect: these networks have no noise.

        Raises:
            ValueError: ``ws`` has another shape.
        """
        refuse_unknown(keywords, "synthesis")
        z = normalize_2nd_moment(self.checked(ws)[:, 0])

        def features(resolution: int, x: Tensor | None) -> Tensor:
            block = getattr(self, f"b{resolution}")
            made: Tensor = block.conv1(block.dense(z) if x is None else block.conv0(x))
            return made

        return self.grown(features)


class Generator(BaseGenerator):
    """PGGAN.

    Args:
        z_dim: size of the latents.
        img_channels: 1 to 4.
        channels: features of every block, from 4 pixels on; the picture has ``4 << (len(channels) - 1)`` pixels.
    """

    def __init__(self, z_dim: int, img_channels: int, channels: Sequence[int]) -> None:
        super().__init__(z_dim, 0, SynthesisNetwork(z_dim, img_channels, channels), Mapping(z_dim))
