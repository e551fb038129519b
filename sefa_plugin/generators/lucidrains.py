"""The generator of lucidrains/stylegan2-pytorch.

A StyleGAN2 with simpler parts: each block has one row of ws, upsampling is bilinear, noise is one picture that every
layer scales by channel, and layers may be preceded by linear attention (Shen et al., "Efficient Attention", 2021).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from . import ops
from .mapping import BaseGenerator, BaseMapping, Synthesis, refuse_unknown
from .stylegan2 import NOISE_MODES

HEADS, HEAD_WIDTH = 8, 64  # of its attention


class MappingNetwork(BaseMapping):
    """Latents on the unit sphere to intermediate latents: linear layers without gains, leaky ReLU after each."""

    def __init__(self, dim: int, num_ws: int, num_layers: int, lr_multiplier: float = 0.1) -> None:
        super().__init__(dim, 0, dim, num_ws, [], "linear", 1)
        self.num_layers = num_layers
        self.lr_multiplier = lr_multiplier
        for index in range(num_layers):
            setattr(self, f"fc{index}", nn.Linear(dim, dim))
        self.register_buffer("w_avg", torch.zeros(dim))

    def forward(
        self,
        z: Tensor,
        c: Tensor | None = None,
        truncation_psi: float = 1,
        truncation_cutoff: int | None = None,
        **keywords: object,
    ) -> Tensor:
        """``[N, z_dim]`` to ``[N, num_ws, w_dim]``; see ``mapping.MappingNetwork``."""
        refuse_unknown(keywords, "mapping")
        z, _ = self.checked(z, c)
        x = F.normalize(z, dim=1)
        for index in range(self.num_layers):
            layer = getattr(self, f"fc{index}")
            x = F.leaky_relu(F.linear(x, layer.weight * self.lr_multiplier, layer.bias * self.lr_multiplier), 0.2)
        return self.truncated(x, self.w_avg, truncation_psi, truncation_cutoff)


class StyledConv(nn.Module):
    """Convolution whose inputs are scaled by 1 + style, and whose outputs, for 3x3 kernels, by their expected norm."""

    def __init__(self, in_channels: int, out_channels: int, w_dim: int, kernel_size: int) -> None:
        super().__init__()
        self.affine = nn.Linear(w_dim, in_channels)
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, kernel_size, kernel_size))
        self.noise = nn.Linear(1, out_channels) if kernel_size > 1 else None

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """``[N, in, h, w]`` and ``[N, w_dim]`` to ``[N, out, h, w]``, without noise."""
        styles = self.affine(w) + 1
        out = F.conv2d(x * styles[:, :, None, None], self.weight, padding=self.weight.shape[-1] // 2)
        if self.noise is None:
            return out
        return out * ops.style_scale(ops.power_of(self.weight), styles)[:, :, None, None]

    def noised(self, x: Tensor, w: Tensor, picture: Tensor) -> Tensor:
        """The convolution with noise and activation; ``picture`` ``[N or 1, H, W, 1]``, at least as large."""
        assert self.noise is not None
        noise = self.noise(picture[:, : x.shape[2], : x.shape[3]]).permute(0, 3, 2, 1)  # transposed
        return F.leaky_relu(self(x, w) + noise, 0.2)


class Attention(nn.Module):
    """Linear attention and two pointwise convolutions, each added to its normalised input."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        inner = HEADS * HEAD_WIDTH
        self.norm0, self.norm1 = _ChannelNorm(channels), _ChannelNorm(channels)
        self.queries = nn.Conv2d(channels, inner, 1, bias=False)
        self.around = nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False)
        self.keys_values = nn.Conv2d(channels, 2 * inner, 1, bias=False)
        self.out = nn.Conv2d(inner, channels, 1)
        self.wider, self.narrower = nn.Conv2d(channels, 2 * channels, 1), nn.Conv2d(2 * channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """``[N, channels, h, w]`` to the same shape."""
        y = self.norm0(x)
        keys, values = self.keys_values(self.around(y)).chunk(2, dim=1)
        # [N, heads, width, pixels]
        queries, keys, values = (t.reshape(len(x), HEADS, HEAD_WIDTH, -1) for t in (self.queries(y), keys, values))
        context = torch.einsum("nhdp,nhep->nhde", keys.softmax(dim=3), values)
        found = torch.einsum("nhdp,nhde->nhep", queries.softmax(dim=2) * HEAD_WIDTH**-0.5, context)
        x = x + self.out(F.gelu(found.reshape(len(x), -1, *x.shape[2:])))
        added: Tensor = x + self.narrower(F.leaky_relu(self.wider(self.norm1(x)), 0.2))
        return added


class _ChannelNorm(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1, channels, 1, 1))
        self.shift = nn.Parameter(torch.zeros(1, channels, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Mean 0 and variance 1 over the channels of each pixel, scaled and shifted."""
        apart = x - x.mean(dim=1, keepdim=True)
        return apart / (apart.square().mean(dim=1, keepdim=True) + 1e-5).sqrt() * self.scale + self.shift


class Block(nn.Module):
    """One resolution: two convolutions and ToRGB, which use the same row of ws."""

    def __init__(self, in_channels: int, out_channels: int, w_dim: int, img_channels: int, attends: bool) -> None:
        super().__init__()
        self.attention = Attention(in_channels) if attends else None
        self.conv0 = StyledConv(in_channels, out_channels, w_dim, 3)
        self.conv1 = StyledConv(out_channels, out_channels, w_dim, 3)
        self.torgb = StyledConv(out_channels, img_channels, w_dim, 1)

    def forward(self, x: Tensor, img: Tensor | None, w: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """Features and picture so far to those of this block; the first block has none, and is not upsampled."""
        if self.attention is not None:
            x = self.attention(x)
        if img is not None:
            x, img = _doubled(x), _blurred(_doubled(img))
        x = self.conv1.noised(self.conv0.noised(x, w, noise), w, noise)
        colours = self.torgb(x, w)
        return x, colours if img is None else colours + img


def _doubled(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)


def _blurred(x: Tensor) -> Tensor:
    """The filter 1, 2, 1 in both directions; the border is mirrored."""
    taps = torch.tensor([1.0, 2.0, 1.0], device=x.device) / 4
    kernel = torch.outer(taps, taps).expand(x.shape[1], 1, 3, 3)
    return F.conv2d(F.pad(x, (1, 1, 1, 1), mode="reflect"), kernel, groups=x.shape[1])


class SynthesisNetwork(Synthesis):
    """Intermediate latents to pictures; ``widths``: channels of every block; ``attends``: blocks with attention."""

    noise_const: Tensor

    def __init__(
        self, w_dim: int, img_channels: int, widths: Sequence[int], attends: Sequence[int] = (), constant: bool = True
    ) -> None:
        side = 2 << len(widths)
        super().__init__(w_dim, len(widths), side, img_channels)
        first = widths[0]
        shape = (first, 4, 4) if constant else (w_dim, first, 4, 4)
        self.const = nn.Parameter(torch.randn(shape))
        self.initial = nn.Conv2d(first, first, 3, padding=1)
        self.register_buffer("noise_const", torch.rand(side, side))
        for index, (before, width) in enumerate(zip((first, *widths), widths)):
            setattr(self, f"b{4 << index}", Block(before, width, w_dim, img_channels, index in attends))

    def forward(self, ws: Tensor, noise_mode: str = "random", force_fp32: bool = False, **keywords: object) -> Tensor:
        """``[N, num_ws, w_dim]`` to pictures; see ``stylegan2.SynthesisNetwork``. ``none``: a noise picture of 0."""
        refuse_unknown(keywords, "synthesis")
        if noise_mode not in NOISE_MODES:
            raise ValueError(f"noise_mode {noise_mode!r}: choose one of {', '.join(NOISE_MODES)}")
        ws = self.checked(ws)
        noise = self.noise_const[None, :, :, None]
        if noise_mode == "random":
            noise = torch.rand(len(ws), *noise.shape[1:], device=ws.device)
        elif noise_mode == "none":
            noise = torch.zeros_like(noise)
        if self.const.ndim == 3:
            x = self.const.expand(len(ws), -1, -1, -1)
        else:
            x = torch.einsum("nd,dchw->nchw", ws.mean(dim=1), self.const)
        x = self.initial(x)
        img: Tensor | None = None
        for index in range(self.num_ws):
            x, img = getattr(self, f"b{4 << index}")(x, img, ws[:, index], noise)
        assert img is not None
        return img * 2 - 1  # from 0 to 1


class Generator(BaseGenerator):
    """Mapping and synthesis; ``mapping_kwargs``, ``synthesis_kwargs``: further arguments of both."""

    def __init__(
        self, w_dim: int, img_channels: int, widths: Sequence[int], mapping_kwargs: Mapping[str, float], **rest: object
    ) -> None:
        synthesis = SynthesisNetwork(w_dim, img_channels, widths, **rest)  # type: ignore[arg-type]
        mapping = MappingNetwork(w_dim, len(widths), **mapping_kwargs)  # type: ignore[arg-type]
        super().__init__(w_dim, 0, synthesis, mapping)
