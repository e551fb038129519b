"""Common parts of the two progressively grown generators: layers with run-time gains, levels of detail.

Karras et al., "Progressive Growing of GANs" (2018), section 2 and appendix A.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .mapping import Synthesis


def scaled_conv(x: Tensor, weight: Tensor, gain: float, up: bool = False) -> Tensor:
    """Convolve with a weight ``[out, in, k, k]`` that is scaled at run time; with ``up``, after doubling the size.

    Equalised learning rate (section 4.1). Doubling repeats pixels, so both together are one transposed convolution
    with sums of the kernel's taps.
    """
    weight = weight * (gain / math.sqrt(weight[0].numel()))
    if not up:
        return F.conv2d(x, weight, padding=weight.shape[-1] // 2)
    weight = F.pad(weight.flip(2, 3), [1, 1, 1, 1])
    weight = weight[:, :, 1:, 1:] + weight[:, :, :-1, 1:] + weight[:, :, 1:, :-1] + weight[:, :, :-1, :-1]
    return F.conv_transpose2d(x, weight.transpose(0, 1), stride=2, padding=1)


class ToRGB(nn.Module):
    """Pointwise convolution to RGB."""

    def __init__(self, in_channels: int, img_channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(img_channels, in_channels, 1, 1))
        self.bias = nn.Parameter(torch.zeros(img_channels))

    def forward(self, x: Tensor) -> Tensor:
        """``[N, in, h, w]`` to ``[N, img_channels, h, w]``."""
        return scaled_conv(x, self.weight, 1) + self.bias[:, None, None]


class Block(nn.Module):
    """The layers of one resolution, by name."""

    def __init__(self, parts: Mapping[str, nn.Module | nn.Parameter]) -> None:
        super().__init__()
        for name, part in parts.items():
            setattr(self, name, part)


class GrownSynthesis(Synthesis):
    """A synthesis network with blocks ``b4``, ``b8``, ..., each with a ToRGB, and a level of detail.

    Args:
        channels: features of every block, from 4 pixels on.
    """

    lod: Tensor

    def __init__(self, w_dim: int, num_ws: int, img_channels: int, channels: Sequence[int]) -> None:
        super().__init__(w_dim, num_ws, 2 << len(channels), img_channels)
        self.block_resolutions = [4 << index for index in range(len(channels))]
        self.register_buffer("lod", torch.zeros([]))

    def grown(self, features: Callable[[int, Tensor | None], Tensor]) -> Tensor:
        """Render at the level of detail: 0 is the finest, each further 1 halves the resolution, fractions blend.

        Args:
            features: gives the features at a resolution from those at the one before.

        Returns:
            ``[N, C, H, W]`` of the full size; coarser levels are enlarged by repeating pixels.
        """
        lod, last = float(self.lod), len(self.block_resolutions) - 1
        # Weight of the enlarged lower resolution in the blend, by resolution.
        older = [min(max(lod - (last - index), 0.0), 1.0) if index else 0.0 for index in range(last + 1)]
        x: Tensor | None = None
        img: Tensor | None = None
        for index, resolution in enumerate(self.block_resolutions):
            if older[index] < 1:
                x = features(resolution, x)
            if img is not None:
                img = F.interpolate(img, scale_factor=2, mode="nearest")
            if older[index] < 1 and (index == last or older[index + 1] > 0):
                colours = getattr(self, f"b{resolution}").torgb(x)
                img = colours if img is None else torch.lerp(colours, img, older[index])
        assert img is not None  # at least one resolution is rendered to RGB
        return img
