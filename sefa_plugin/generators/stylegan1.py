"""The generator of the first StyleGAN.

Karras et al., "A Style-Based Generator Architecture for Generative Adversarial Networks" (2019), section 2.
Its mapping network is that of later generations: their gain after the activation equals its gain on the weights if the
biases are divided by it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from . import ops
from .growing import Block, GrownSynthesis, ToRGB, scaled_conv
from .mapping import BaseGenerator, FullyConnectedLayer, Keywords, MappingNetwork, refuse_unknown
from .stylegan2 import NOISE_MODES

GAIN = math.sqrt(2)
ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {"lrelu": lambda x: F.leaky_relu(x, 0.2), "relu": F.relu}


def instance_norm(x: Tensor) -> Tensor:
    """Bring every channel of every picture to mean 0 and mean square 1."""
    x = x - x.mean(dim=(2, 3), keepdim=True)
    return x * (x.square().mean(dim=(2, 3), keepdim=True) + 1e-8).rsqrt()


class SynthesisLayer(nn.Module):
    """Convolution, noise, bias, activation, normalisation, and the style (section 2, AdaIN).

    The first layer of a network has no convolution: its input is the learned constant.
    """

    noise_const: Tensor
    blur: Tensor | None

    def __init__(
        self,
        in_channels: int | None,
        out_channels: int,
        w_dim: int,
        resolution: int,
        up: bool = False,
        blur: Sequence[float] | None = (1, 2, 1),
        activation: str = "lrelu",
    ) -> None:
        super().__init__()
        self.resolution = resolution
        self.up = up
        self.activation = activation
        if in_channels is not None:
            self.weight = nn.Parameter(torch.randn(out_channels, in_channels, 3, 3))
        self.bias = nn.Parameter(torch.zeros(out_channels))
        self.noise_strength = nn.Parameter(torch.zeros(out_channels))
        self.register_buffer("noise_const", torch.randn(resolution, resolution))
        self.register_buffer("blur", ops.setup_filter(blur) if up and blur is not None else None, persistent=False)
        self.affine = FullyConnectedLayer(w_dim, out_channels * 2)

    def forward(self, x: Tensor, w: Tensor, noise_mode: str = "random") -> Tensor:
        """``[N, in, h, w]`` and ``[N, w_dim]`` to ``[N, out, resolution, resolution]``."""
        x = scaled_conv(x, self.weight, GAIN, self.up) if hasattr(self, "weight") else x
        if self.blur is not None:
            reach = self.blur.shape[-1] - 1
            x = ops.upfirdn2d(x, self.blur, padding=(reach // 2, reach - reach // 2) * 2)
        if noise_mode != "none":
            noise = self.noise_const
            if noise_mode == "random":
                noise = torch.randn(len(x), 1, self.resolution, self.resolution, device=x.device)
            x = x + noise * self.noise_strength[:, None, None]
        x = instance_norm(ACTIVATIONS[self.activation](x + self.bias[:, None, None]))
        style: Tensor = self.affine(w)
        scale, shift = style[:, :, None, None].chunk(2, dim=1)
        return x * (scale + 1) + shift


class SynthesisNetwork(GrownSynthesis):
    """Intermediate latents to pictures."""

    def __init__(
        self,
        w_dim: int,
        img_channels: int,
        channels: Sequence[int],
        blur_filter: Sequence[float] | None = (1, 2, 1),
        activation: str = "lrelu",
    ) -> None:
        super().__init__(w_dim, 2 * len(channels), img_channels, channels)
        before = None
        for resolution, width in zip(self.block_resolutions, channels):
            up = before is not None
            parts: dict[str, nn.Module | nn.Parameter] = {
                "conv0": SynthesisLayer(before, width, w_dim, resolution, up, blur_filter, activation),
                "conv1": SynthesisLayer(width, width, w_dim, resolution, False, blur_filter, activation),
                "torgb": ToRGB(width, img_channels),
            }
            if before is None:
                parts["const"] = nn.Parameter(torch.ones(width, 4, 4))
            setattr(self, f"b{resolution}", Block(parts))
            before = width

    def forward(self, ws: Tensor, noise_mode: str = "random", force_fp32: bool = False, **keywords: object) -> Tensor:
        """Render ``ws`` ``[N, num_ws, w_dim]`` to float32 ``[N, C, H, W]``, about -1 to 1, not clipped.

        ``noise_mode``: ``const`` (the network's own), ``random`` (torch's generator) or ``none``.

        Raises:
            ValueError: ``ws`` has another shape, or the noise mode is not known.
        """
        refuse_unknown(keywords, "synthesis")
        if noise_mode not in NOISE_MODES:
            raise ValueError(f"noise_mode {noise_mode!r}: choose one of {', '.join(NOISE_MODES)}")
        rows = self.checked(ws).unbind(dim=1)

        def features(resolution: int, x: Tensor | None) -> Tensor:
            block, row = getattr(self, f"b{resolution}"), 2 * self.block_resolutions.index(resolution)
            x = block.const.expand(len(ws), -1, -1, -1) if x is None else x
            x = block.conv0(x, rows[row], noise_mode)
            made: Tensor = block.conv1(x, rows[row + 1], noise_mode)
            return made

        return self.grown(features)


class Generator(BaseGenerator):
    """StyleGAN, the first.

    Args:
        z_dim, c_dim, w_dim: sizes of latents, labels (0: none) and intermediate latents.
        img_channels: 1 to 4.
        channels: features of every block, from 4 pixels on; the picture has ``4 << (len(channels) - 1)`` pixels.
        mapping_kwargs: keywords of :class:`MappingNetwork`.
        synthesis_kwargs: ``blur_filter`` and ``activation``.
    """

    def __init__(
        self,
        z_dim: int,
        c_dim: int,
        w_dim: int,
        img_channels: int,
        channels: Sequence[int],
        mapping_kwargs: Keywords | None = None,
        synthesis_kwargs: Keywords | None = None,
    ) -> None:
        synthesis = SynthesisNetwork(w_dim, img_channels, channels, **(synthesis_kwargs or {}))
        mapping = MappingNetwork(z_dim, c_dim, w_dim, synthesis.num_ws, **(mapping_kwargs or {}))
        super().__init__(z_dim, c_dim, synthesis, mapping)
