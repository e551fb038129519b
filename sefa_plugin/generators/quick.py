"""Convolutions of StyleGAN2 in less time, for previews on a CPU; results differ by rounding.

Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks" (2016): F(4x4, 3x3), Winograd's algorithm over tiles
of 4 x 4 pixels, has a quarter of the multiplications. What depends on the weights alone is computed once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional as F

from . import ops

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .stylegan2 import SynthesisLayer

FROM_PIXELS, FROM_CHANNELS = 16, 128  # below them tiles are not faster
_SIDE, _ENTERING = 4, 6  # pixels of a tile, and those of the input that it depends on
_TILES = 256  # at a time, so that their products stay in the caches
# The polynomials' points are 0, 1, -1, 2, -2 and infinity.
_INPUT = (
    (4, 0, -5, 0, 1, 0), (0, -4, -4, 1, 1, 0), (0, 4, -4, -1, 1, 0),
    (0, -2, -1, 2, 1, 0), (0, 2, -1, -2, 1, 0), (0, 4, 0, -5, 0, 1),
)  # fmt: skip
_KERNEL = (
    (1 / 4, 0, 0), (-1 / 6, -1 / 6, -1 / 6), (-1 / 6, 1 / 6, -1 / 6),
    (1 / 24, 1 / 12, 1 / 6), (1 / 24, -1 / 12, 1 / 6), (0, 0, 1),
)  # fmt: skip
_OUTPUT = ((1, 1, 1, 1, 1, 0), (0, 1, -1, 2, -2, 0), (0, 1, 1, 4, 4, 0), (0, 1, -1, 8, -8, 1))


class Quick:
    """Prepared weights of one network's convolutions, passed as ``synthesis(ws, quick=...)``.

    Invalid after a change of the weights. It takes up to four times their memory: 200 MB for StyleGAN2 1024.
    """

    def __init__(self) -> None:
        self._held: dict[SynthesisLayer, tuple[Tensor, Tensor]] = {}

    def suits(self, layer: SynthesisLayer, x: Tensor) -> bool:
        """Whether :meth:`convolved` has a layer and its input ``[N, in, h, w]``."""
        return (
            x.device.type == "cpu"
            and x.dtype == torch.float32
            and not torch.is_grad_enabled()
            and min(layer.weight.shape[:2]) >= FROM_CHANNELS
            and layer.weight.shape[2:] == (3, 3)
        )

    def convolved(self, layer: SynthesisLayer, x: Tensor, styles: Tensor) -> tuple[Tensor, Tensor]:
        """The styled convolution of a layer, not yet demodulated, and the ``power`` for ``ops.style_scale``."""
        tiles = layer.up == 1 and in_tiles(x.shape[2:])
        held = self._held.get(layer)
        if held is None:
            weight = layer.weight.detach()
            if tiles:
                weight = winograd_weights(weight)
            else:  # in the order of the input, or it is copied each time
                weight = ops.transposed(weight) if layer.up == 2 else weight
                weight = weight.contiguous(memory_format=torch.channels_last)
            held = self._held[layer] = weight, ops.power_of(layer.weight.detach())
        weight, power = held
        x = x * styles[:, :, None, None]
        if tiles:
            return winograd(x, weight), power
        if layer.up == 2:
            return ops.conv2d_up_transposed(x, weight, layer.resample_filter, 2), power
        return F.conv2d(x, weight, padding=1), power


def in_tiles(sides: Sequence[int]) -> bool:
    """Whether features of this height and width are large enough for tiles, and of whole ones."""
    return min(sides) >= FROM_PIXELS and not any(size % _SIDE for size in sides)


def winograd_weights(weight: Tensor) -> Tensor:
    """A kernel ``[out, in, 3, 3]`` as :func:`winograd` needs it: float32 ``[36, in, out]``."""
    matrix = torch.tensor(_KERNEL, dtype=torch.float64)
    made = torch.einsum("ik,ockl,jl->ijco", matrix, weight.detach().double(), matrix)
    return made.float().flatten(0, 1).contiguous()


def winograd(x: Tensor, weights: Tensor) -> Tensor:
    """``conv2d`` with padding 1: ``[N, in, h, w]``, multiples of 4, to ``[N, out, h, w]``, channels last.

    ``weights`` are those of :func:`winograd_weights`.
    """
    number, _, high, wide = x.shape
    made = torch.empty(number, high // _SIDE, _SIDE, wide // _SIDE, _SIDE, weights.shape[2])
    for features, place in zip(x, made):
        _in_tiles(features, weights, place)
    return made.view(number, high, wide, weights.shape[2]).permute(0, 3, 1, 2)


def _in_tiles(x: Tensor, weights: Tensor, made: Tensor) -> None:
    """Convolve ``[in, h, w]`` into ``made [rows of tiles, 4, columns of tiles, 4, out]``."""
    entering, leaving = torch.tensor(_INPUT, dtype=x.dtype), torch.tensor(_OUTPUT, dtype=x.dtype)
    padded = F.pad(x.permute(1, 2, 0), (0, 0, 1, 1, 1, 1))
    (rows, _, columns, _, out), channels = made.shape, len(x)
    down, right, _ = padded.stride()
    step = max(1, _TILES // columns)
    for first in range(0, rows, step):
        count = min(step, rows - first)
        # [row in a tile, column in a tile, tile, channel]
        shape = (_ENTERING, _ENTERING, count, columns, channels)
        tiles = padded[first * _SIDE :].as_strided(shape, (down, right, _SIDE * down, _SIDE * right, 1))
        part = _both_ways(entering, tiles.reshape(_ENTERING, _ENTERING, -1))
        part = torch.bmm(part.view(_ENTERING**2, count * columns, channels), weights)
        part = _both_ways(leaving, part.view(_ENTERING, _ENTERING, -1))
        made[first : first + count] = part.view(_SIDE, _SIDE, count, columns, out).permute(2, 0, 3, 1, 4)


def _both_ways(matrix: Tensor, x: Tensor) -> Tensor:
    """``matrix`` ``[m, 6]`` applied to the rows and the columns of ``[6, 6, n]``: ``[m, m, n]``."""
    x = torch.matmul(matrix, x.reshape(_ENTERING, -1)).view(len(matrix), _ENTERING, -1)
    return torch.matmul(matrix, x)
