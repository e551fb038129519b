"""The BigGAN generators: the first, with chunks of z, and BigGAN-deep.

Brock et al., "Large Scale GAN Training for High Fidelity Natural Image Synthesis" (2019), appendix B; attention as in
Zhang et al., "Self-Attention Generative Adversarial Networks" (2019). Weights have their spectral norm divided out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .plain import Generator as PlainGenerator
from .plain import Mapping, Norm, Synthesis


class Attention(nn.Module):
    """Self-attention: each pixel adds what it finds in the pixels of half the size."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.queries = nn.Conv2d(channels, channels // 8, 1, bias=False)
        self.keys = nn.Conv2d(channels, channels // 8, 1, bias=False)
        self.values = nn.Conv2d(channels, channels // 2, 1, bias=False)
        self.out = nn.Conv2d(channels // 2, channels, 1, bias=False)
        self.gain = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        """``[N, channels, h, w]`` to the same shape."""
        queries = self.queries(x).flatten(2)
        keys, values = (F.max_pool2d(part(x), 2).flatten(2) for part in (self.keys, self.values))
        shares = torch.einsum("ncp,ncq->npq", queries, keys).softmax(dim=2)
        found = torch.einsum("ncq,npq->ncp", values, shares).reshape(len(x), -1, *x.shape[2:])
        added: Tensor = x + self.gain * self.out(found)
        return added


class ConditionalNorm(nn.Module):
    """Batch normalisation by stored statistics; scale and shift are affine functions of a code.

    Args:
        channels: of the features.
        code_dim: numbers of the code.
        levels: rows of statistics, for as many truncations from 0 to 1; None for a single one.
    """

    mean: Tensor
    var: Tensor

    def __init__(self, channels: int, code_dim: int, eps: float, levels: int | None = None) -> None:
        super().__init__()
        self.eps = eps
        self.scale = nn.Linear(code_dim, channels, bias=False)
        self.shift = nn.Linear(code_dim, channels, bias=False)
        shape = (channels,) if levels is None else (levels, channels)
        self.register_buffer("mean", torch.zeros(shape))
        self.register_buffer("var", torch.ones(shape))

    def forward(self, x: Tensor, code: Tensor, level: Tensor | None = None) -> Tensor:
        """``[N, channels, h, w]`` and ``[N, code_dim]`` to features; ``level``: see :func:`at_level`."""
        mean, var = (self.mean[None], self.var[None]) if level is None else at_level(level, self.mean, self.var)
        gain = (1 + self.scale(code)) * (var + self.eps).rsqrt()
        made: Tensor = x * gain[:, :, None, None] + (self.shift(code) - mean * gain)[:, :, None, None]
        return made


def at_level(level: Tensor, *statistics: Tensor) -> list[Tensor]:
    """Rows of statistics ``[levels, channels]`` at levels ``[N, 2]``, a place and a share: ``[N, channels]`` each.

    The share is that of the row at the place, and its rest that of the next row; a share of 0 stands for the row alone.
    """
    place, share = level[:, 0].round().long(), level[:, 1:]
    found = []
    for rows in statistics:
        here, following = rows[place], rows[(place + 1).clamp(max=len(rows) - 1)]
        found.append(torch.where(share == 0, here, here * share + following * (1 - share)))
    return found


class Block(nn.Module):
    """A residual block of the first BigGAN, which doubles the size."""

    def __init__(self, in_channels: int, out_channels: int, code_dim: int, attends: bool, eps: float) -> None:
        super().__init__()
        self.norm0 = ConditionalNorm(in_channels, code_dim, eps)
        self.norm1 = ConditionalNorm(out_channels, code_dim, eps)
        self.conv0 = nn.Conv2d(in_channels, out_channels, 3, padding=1)
        self.conv1 = nn.Conv2d(out_channels, out_channels, 3, padding=1)
        self.skip = nn.Conv2d(in_channels, out_channels, 1)
        self.attention = Attention(out_channels) if attends else None

    def forward(self, x: Tensor, code: Tensor) -> Tensor:
        """``[N, in, h, w]`` and ``[N, code_dim]`` to ``[N, out, 2h, 2w]``."""
        y = self.conv0(_doubled(F.relu(self.norm0(x, code))))
        y = self.conv1(F.relu(self.norm1(y, code)))
        x = _doubled(self.skip(x)) + y
        return x if self.attention is None else self.attention(x)


def _doubled(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2, mode="nearest")


class SynthesisNetwork(Synthesis):
    """Rows of z and class embedding to pictures: row 0 enters the first layer, each other row a block.

    Args:
        chunk: numbers of z that enter the first layer.
        hierarchical: whether each block has a chunk of z, or the class alone.
        widths: channels after the first layer and after each block.
        attends: numbers of the blocks with attention.
    """

    def __init__(
        self,
        z_dim: int,
        embed_dim: int,
        img_channels: int,
        chunk: int,
        hierarchical: bool,
        widths: Sequence[int],
        attends: Sequence[int],
    ) -> None:
        blocks = len(widths) - 1
        super().__init__(z_dim + embed_dim, blocks + 1, 4 << blocks, img_channels)
        self.z_dim, self.chunk, self.hierarchical = z_dim, chunk, hierarchical
        self.first = nn.Linear(chunk, widths[0] * 16)
        code_dim = embed_dim + (chunk if hierarchical else 0)
        for index, (before, width) in enumerate(zip(widths, widths[1:])):
            setattr(self, f"b{8 << index}", Block(before, width, code_dim, index in attends, 1e-5))
        self.norm = Norm(widths[-1])
        self.torgb = nn.Conv2d(widths[-1], img_channels, 3, padding=1)

    def features(self, ws: Tensor) -> Tensor:
        x = self.first(ws[:, 0, : self.chunk]).reshape(len(ws), -1, 4, 4)
        for row in range(1, self.num_ws):
            code = ws[:, row, self.z_dim :]
            if self.hierarchical:
                code = torch.cat([code, ws[:, row, row * self.chunk : (row + 1) * self.chunk]], dim=1)
            x = getattr(self, f"b{4 << row}")(x, code)
        made: Tensor = self.torgb(F.relu(self.norm(x)))
        return made


class Generator(PlainGenerator):
    """The first BigGAN; truncation scales z.

    Arguments: see :class:`SynthesisNetwork`; ``c_dim``: classes.
    """

    def __init__(
        self,
        z_dim: int,
        c_dim: int,
        embed_dim: int,
        img_channels: int,
        chunk: int,
        hierarchical: bool,
        widths: Sequence[int],
        attends: Sequence[int],
    ) -> None:
        synthesis = SynthesisNetwork(z_dim, embed_dim, img_channels, chunk, hierarchical, widths, attends)
        super().__init__(z_dim, c_dim, synthesis, Mapping(z_dim, c_dim, len(widths), embed_dim, truncates=True))


class DeepBlock(nn.Module):
    """A bottleneck of BigGAN-deep, to a quarter of the channels; the sum keeps the first channels of its input."""

    def __init__(self, in_channels: int, out_channels: int, code_dim: int, levels: int, eps: float, up: bool) -> None:
        super().__init__()
        self.up = up
        inner = in_channels // 4
        sides = ((in_channels, inner, 1), (inner, inner, 3), (inner, inner, 3), (inner, out_channels, 1))
        for index, (before, width, kernel) in enumerate(sides):
            setattr(self, f"norm{index}", ConditionalNorm(before, code_dim, eps, levels))
            setattr(self, f"conv{index}", nn.Conv2d(before, width, kernel, padding=kernel // 2))

    def forward(self, x: Tensor, code: Tensor, level: Tensor) -> Tensor:
        """``[N, in, h, w]`` and ``[N, code_dim]`` to ``[N, out, h, w]``, or to twice the size."""
        y = x
        for index in range(4):
            y = F.relu(getattr(self, f"norm{index}")(y, code, level))
            y = getattr(self, f"conv{index}")(_doubled(y) if self.up and index == 1 else y)
        x = x[:, : y.shape[1]]
        return (_doubled(x) if self.up else x) + y


class DeepNorm(Norm):
    """The last normalisation of BigGAN-deep, whose statistics depend on the truncation."""

    def __init__(self, channels: int, levels: int, eps: float) -> None:
        super().__init__(channels, eps)
        self.running_mean = torch.zeros(levels, channels)
        self.running_var = torch.ones(levels, channels)

    def at(self, x: Tensor, level: Tensor) -> Tensor:
        """``[N, channels, h, w]`` to the same shape."""
        mean, var = at_level(level, self.running_mean, self.running_var)
        gain = self.weight * (var + self.eps).rsqrt()
        return x * gain[:, :, None, None] + (self.bias - mean * gain)[:, :, None, None]


class DeepSynthesis(Synthesis):
    """Rows of z, class embedding and truncation to pictures: row 0 enters the first layer, each other row a block.

    Args:
        levels: truncations from 0 to 1 with statistics of their own.
        widths: channels after the first layer and after each block.
        ups: for each block whether it doubles the size.
        attends: number of the block before which there is attention, -1 for none.
        eps: of all normalisations.
    """

    def __init__(
        self,
        z_dim: int,
        embed_dim: int,
        img_channels: int,
        levels: int,
        widths: Sequence[int],
        ups: Sequence[bool],
        attends: int,
        eps: float,
    ) -> None:
        super().__init__(z_dim + embed_dim + 2, len(widths), 4 << sum(ups), img_channels)
        code_dim = z_dim + embed_dim
        self.code_dim, self.attends = code_dim, attends
        self.first = nn.Linear(code_dim, widths[0] * 16)
        for index, (before, width) in enumerate(zip(widths, widths[1:])):
            setattr(self, f"block{index}", DeepBlock(before, width, code_dim, levels, eps, ups[index]))
        if attends >= 0:
            self.attention = Attention(widths[attends])
        self.norm = DeepNorm(widths[-1], levels, eps)
        self.torgb = nn.Conv2d(widths[-1], img_channels, 3, padding=1)

    def features(self, ws: Tensor) -> Tensor:
        codes, levels = ws[:, :, : self.code_dim], ws[:, :, self.code_dim :]
        x = self.first(codes[:, 0]).reshape(len(ws), 4, 4, -1).permute(0, 3, 1, 2)
        for index in range(self.num_ws - 1):
            x = self.attention(x) if index == self.attends else x
            x = getattr(self, f"block{index}")(x, codes[:, index + 1], levels[:, index + 1])
        made: Tensor = self.torgb(F.relu(self.norm.at(x, levels[:, -1])))
        return made


class DeepMapping(Mapping):
    """Behind z and embedding a row has the place of its truncation among the statistics, and a share."""

    def __init__(self, z_dim: int, c_dim: int, num_ws: int, embed_dim: int, levels: int) -> None:
        super().__init__(z_dim, c_dim, num_ws, embed_dim, more=2, truncates=True)
        self.levels = levels

    def settings(self, psi: float) -> list[float]:
        """Place and share, see :func:`at_level`; ``ValueError`` for a psi outside of 0 to 1."""
        if not 0 < psi <= 1:
            raise ValueError(f"a truncation psi of {psi}: BigGAN-deep has statistics for those above 0, up to 1")
        share, place = math.modf(psi / (1.0 / (self.levels - 1)))
        return [place, share]


class DeepGenerator(PlainGenerator):
    """BigGAN-deep; truncation scales z, which is drawn from -2 to 2, and chooses statistics.

    Arguments: see :class:`DeepSynthesis`; ``c_dim``: classes.
    """

    drawn_within = 2.0

    def __init__(
        self,
        z_dim: int,
        c_dim: int,
        embed_dim: int,
        img_channels: int,
        levels: int,
        widths: Sequence[int],
        ups: Sequence[bool],
        attends: int,
        eps: float,
    ) -> None:
        synthesis = DeepSynthesis(z_dim, embed_dim, img_channels, levels, widths, ups, attends, eps)
        super().__init__(z_dim, c_dim, synthesis, DeepMapping(z_dim, c_dim, len(widths), embed_dim, levels))
