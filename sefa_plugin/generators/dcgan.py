"""The DCGAN generator, as PyTorch's tutorial has it.

Radford et al., "Unsupervised Representation Learning with Deep Convolutional Generative Adversarial Networks" (2016).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .plain import Generator as PlainGenerator
from .plain import Mapping, Norm, Synthesis


class Dense(nn.Module):
    """A transposed convolution of one pixel: a vector to features of 4x4 pixels."""

    def __init__(self, z_dim: int, channels: int, bias: bool) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(channels * 16, z_dim))
        self.bias = nn.Parameter(torch.zeros(channels)) if bias else None

    def forward(self, z: Tensor) -> Tensor:
        """``[N, z_dim]`` to ``[N, channels, 4, 4]``."""
        x = F.linear(z, self.weight).reshape(len(z), -1, 4, 4)
        return x if self.bias is None else x + self.bias[:, None, None]


class SynthesisNetwork(Synthesis):
    """Latents to pictures."""

    def __init__(self, z_dim: int, img_channels: int, widths: Sequence[int], last_kernel: int, bias: bool) -> None:
        side = (4 << (len(widths) - 1)) * (2 if last_kernel == 4 else 1)
        super().__init__(z_dim, 1, side, img_channels)
        self.num_layers = len(widths)
        self.layer0: nn.Module = Dense(z_dim, widths[0], bias)
        for index, (before, width) in enumerate(zip(widths, widths[1:]), start=1):
            setattr(self, f"layer{index}", nn.ConvTranspose2d(before, width, 4, 2, 1, bias=bias))
        for index, width in enumerate(widths):
            setattr(self, f"norm{index}", Norm(width))
        stride, padding = (2, 1) if last_kernel == 4 else (1, 0)
        self.last = nn.ConvTranspose2d(widths[-1], img_channels, last_kernel, stride, padding, bias=bias)

    def features(self, ws: Tensor) -> Tensor:
        x = ws[:, 0]
        for index in range(self.num_layers):
            x = getattr(self, f"layer{index}")(x)
            x = F.relu(getattr(self, f"norm{index}")(x))
        made: Tensor = self.last(x)
        return made


class Generator(PlainGenerator):
    """DCGAN.

    Args:
        z_dim: size of the latents.
        img_channels: 1 to 4.
        widths: channels of every layer but the last, from 4 pixels on.
        last_kernel: 4 for a last layer that doubles the size, 1 for one that does not.
        bias: whether the convolutions have biases.
    """

    def __init__(
        self, z_dim: int, img_channels: int, widths: Sequence[int], last_kernel: int = 4, bias: bool = False
    ) -> None:
        synthesis = SynthesisNetwork(z_dim, img_channels, widths, last_kernel, bias)
        super().__init__(z_dim, 0, synthesis, Mapping(z_dim, 0, 1))
