"""How much two pictures differ: on several scales, in colours and in gradients; PSNR and SSIM."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

LEVELS = 4  # scales, each half the one before
SMALLEST = 8  # pixels of a side, at least
EDGES = 1.0  # weight of gradients


def halved(x: Tensor) -> Tensor:
    """``[N, C, H, W]`` at half the size, by area."""
    return F.avg_pool2d(x, 2)


def at_height(x: Tensor, height: int) -> Tensor:
    """Pictures halved until they have this height, which theirs is a power of two of; smaller ones stay."""
    while x.shape[-2] > height:
        x = halved(x)
    return x


def difference(made: Tensor, target: Tensor) -> Tensor:
    """Mean absolute difference of colours and of gradients on ``LEVELS`` scales: ``[N]``.

    Args:
        made, target: ``[N, C, H, W]``, or a target that can be broadcast to it, -1 to 1.
    """
    x = made - target
    total, levels = x.new_zeros(len(x)), 0
    for level in range(LEVELS):
        if level and min(x.shape[-2:]) < 2 * SMALLEST:
            break
        x = halved(x) if level else x
        across, down = x[..., 1:] - x[..., :-1], x[..., 1:, :] - x[..., :-1, :]
        total = total + _mean(x) + EDGES * (_mean(across) + _mean(down))
        levels += 1
    return total / levels


def _mean(x: Tensor) -> Tensor:
    return x.abs().mean(dim=(1, 2, 3))


def psnr(made: Tensor, target: Tensor) -> Tensor:
    """Peak signal-to-noise ratio of pictures -1 to 1, in dB: ``[N]``; at most 100."""
    error = ((made.clamp(-1, 1) - target) / 2).square().mean(dim=(1, 2, 3))
    return -10 * torch.log10(error.clamp(min=1e-10))


def ssim(made: Tensor, target: Tensor) -> Tensor:
    """Structural similarity of pictures -1 to 1: ``[N]``; windows of 11 pixels, Wang et al. (2004)."""
    size = min(11, *made.shape[-2:])
    places = torch.arange(size, dtype=made.dtype, device=made.device) - (size - 1) / 2
    taps = torch.exp(-places.square() / (2 * 1.5**2))
    taps = taps / taps.sum()
    channels = made.shape[1]
    kernel = (taps[:, None] * taps).expand(channels, 1, size, size)

    def local(x: Tensor) -> Tensor:
        return F.conv2d(x, kernel, groups=channels)

    a, b = (made.clamp(-1, 1) + 1) / 2, (target.expand_as(made) + 1) / 2
    mean_a, mean_b = local(a), local(b)
    var_a, var_b = local(a * a) - mean_a**2, local(b * b) - mean_b**2
    both = local(a * b) - mean_a * mean_b
    first, second = 0.01**2, 0.03**2
    ratio = (2 * mean_a * mean_b + first) * (2 * both + second)
    ratio = ratio / ((mean_a**2 + mean_b**2 + first) * (var_a + var_b + second))
    return ratio.mean(dim=(1, 2, 3))
