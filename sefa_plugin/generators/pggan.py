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

from .growing import ToRGB, grown, pixel_norm, scaled_conv
from .mapping import BaseGenerator, check_ws, checked_labels, checked_latents, refuse_unknown

GAIN = math.sqrt(2)


class Mapping(nn.Module):
    """Normalises z, in place of a mapping network."""

    def __init__(self, z_dim: int) -> None:
        super().__init__()
        self.z_dim = z_dim
        self.c_dim = 0
        self.num_ws = 1

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
        z, _ = checked_latents(z, self.z_dim), checked_labels(c, 0)
        if truncation_psi != 1:
            raise ValueError("PGGAN has no W and keeps no average, so truncation is not possible: use a psi of 1")
        return pixel_norm(z)[:, None]


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
        return pixel_norm(F.leaky_relu(x + self.bias[:, None, None], 0.2))


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
        return pixel_norm(F.leaky_relu(x, 0.2))


class Block(nn.Module):
    """The layers of one resolution: the first has ``dense``, the others have ``conv0``."""

    dense: Dense
    conv0: Layer
    conv1: Layer
    torgb: ToRGB


class SynthesisNetwork(nn.Module):
    """Normalised latents to pictures."""

    lod: Tensor

    def __init__(self, z_dim: int, img_channels: int, channels: Sequence[int]) -> None:
        super().__init__()
        self.w_dim = z_dim
        self.num_ws = 1
        self.block_resolutions = [4 << index for index in range(len(channels))]
        self.img_resolution = self.block_resolutions[-1]
        self.img_channels = img_channels
        self.register_buffer("lod", torch.zeros([]))
        before = channels[0]
        for resolution, width in zip(self.block_resolutions, channels):
            block = Block()
            if resolution == 4:
                block.dense = Dense(z_dim, width)
            else:
                block.conv0 = Layer(before, width, up=True)
            block.conv1 = Layer(width, width)
            block.torgb = ToRGB(width, img_channels)
            setattr(self, f"b{resolution}", block)
            before = width

    def forward(self, ws: Tensor, noise_mode: str = "const", force_fp32: bool = False, **keywords: object) -> Tensor:
        """Render ``ws`` ``[N, 1, z_dim]``, normalised again, to float32 ``[N, C, H, W]``, about -1 to 1.

        ``noise_mode`` has no effect: these networks have no noise.

        Raises:
            ValueError: ``ws`` has another shape.
        """
        refuse_unknown(keywords, "synthesis")
        z = pixel_norm(check_ws(ws, 1, self.w_dim)[:, 0])

        def block(resolution: int, x: Tensor | None) -> Tensor:
            held = self._block(resolution)
            features: Tensor = held.conv1(held.dense(z) if x is None else held.conv0(x))
            return features

        colours = {resolution: self._block(resolution).torgb for resolution in self.block_resolutions}
        return grown(self.block_resolutions, float(self.lod), block, colours)

    def _block(self, resolution: int) -> Block:
        block: Block = getattr(self, f"b{resolution}")
        return block


class Generator(BaseGenerator):
    """PGGAN.

    Args:
        z_dim: size of the latents.
        img_channels: 1 to 4.
        channels: features of every block, from 4 pixels on; the picture has ``4 << (len(channels) - 1)`` pixels.
    """

    mapping: Mapping
    synthesis: SynthesisNetwork

    def __init__(self, z_dim: int, img_channels: int, channels: Sequence[int]) -> None:
        super().__init__(z_dim, 0, z_dim, 4 << (len(channels) - 1), img_channels)
        self.synthesis = SynthesisNetwork(z_dim, img_channels, channels)
        self.num_ws = 1
        self.mapping = Mapping(z_dim)
