"""The StyleGAN2 generator of stylegan2-ada-pytorch and stylegan3.

Karras et al., "Analyzing and Improving the Image Quality of StyleGAN" (2020). Styles scale the
activations before and after one shared convolution, which is equivalent to modulated weights (section
2.2) and needs no weights per picture.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, partial
from typing import TYPE_CHECKING, TypedDict, Union

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from . import ops
from .frozen import Frozen
from .mapping import BaseGenerator, FullyConnectedLayer, Keywords, MappingNetwork, Synthesis, refuse_unknown
from .prefixes import Features as State
from .prefixes import Prefixes
from .quick import Quick

if TYPE_CHECKING:
    from typing_extensions import Unpack

NOISE_MODES = ("const", "random", "none")
FOLD_ABOVE = 32  # pixels per side
SCALES_THROUGH = ("linear", "relu", "lrelu")  # f(a x) = a f(x) for a > 0

Settings = tuple[str, bool, Union[Quick, Frozen, None]]  # noise_mode, force_fp32 and quick


def styled_conv(
    x: Tensor, weight: Tensor, styles: Tensor, scale: Tensor | None, conv: Callable[[Tensor, Tensor], Tensor]
) -> Tensor:
    """Convolution whose inputs are scaled by ``styles`` ``[N, in]`` and outputs by ``scale`` ``[N, out]``.

    In float16, styles and weight are scaled to at most 1, and the factors are applied afterwards.
    """
    if x.dtype == torch.float16:
        peak = styles.abs().amax(dim=1, keepdim=True).clamp(min=1e-8)
        largest = weight.abs().max().clamp(min=1e-8)
        styles, weight = styles / peak, weight / largest
        rest = peak * largest
        scale = rest.expand(-1, weight.shape[0]) if scale is None else scale * rest
    if _folds(x):
        weight = weight * styles[0][:, None, None]
        weight = weight if scale is None else _multiplied(weight, scale[0][:, None, None, None])
        return conv(x, weight.to(x.dtype))
    x = conv(x * styles.to(x.dtype)[:, :, None, None], weight.to(x.dtype))
    return x if scale is None else _multiplied(x, scale.to(x.dtype)[:, :, None, None])


def _folds(x: Tensor) -> bool:
    """Whether scaling the weights is cheaper than scaling the activations: one large picture.

    Not for gradients, which those of whole convolution kernels would be needed for.
    """
    return len(x) == 1 and x.shape[-1] > FOLD_ABOVE and x.dtype != torch.float16 and not x.requires_grad


def _multiplied(x: Tensor, factor: Tensor) -> Tensor:
    """Multiply, in place of ``x`` where no gradient is needed."""
    return x * factor if torch.is_grad_enabled() else x.mul_(factor)


def _added(x: Tensor, other: Tensor) -> Tensor:
    return x + other if torch.is_grad_enabled() else x.add_(other)


def _pixels(resolution: int, first_size: tuple[int, int]) -> tuple[int, int]:
    """Height and width of a block."""
    return first_size[0] * resolution // 4, first_size[1] * resolution // 4


class SynthesisLayer(nn.Module):
    """Styled convolution, optionally to twice the size; noise; activation."""

    resample_filter: Tensor
    noise_const: Tensor

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        w_dim: int,
        resolution: int,
        up: int,
        resample_filter: Sequence[float],
        conv_clamp: float | None,
        first_size: tuple[int, int],
        kernel_size: int = 3,
        use_noise: bool = True,
        activation: str = "lrelu",
    ) -> None:
        super().__init__()
        self.resolution = resolution
        self.up = up
        self.use_noise = use_noise
        self.activation = activation
        self.conv_clamp = conv_clamp
        self.padding = kernel_size // 2
        self.act_gain = ops.ACTIVATIONS[activation][1]
        self.affine = FullyConnectedLayer(w_dim, in_channels, bias_init=1)
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, kernel_size, kernel_size))
        self.bias = nn.Parameter(torch.zeros(out_channels))
        self.register_buffer("resample_filter", ops.setup_filter(resample_filter))
        if use_noise:
            self.register_buffer("noise_const", torch.randn(_pixels(resolution, first_size)))
            self.noise_strength = nn.Parameter(torch.zeros([]))

    def forward(
        self, x: Tensor, w: Tensor, noise_mode: str = "random", gain: float = 1, quick: Quick | Frozen | None = None
    ) -> Tensor:
        """``[N, in, h, w]`` and ``[N, w_dim]`` to ``[N, out, resolution, resolution]``."""
        if isinstance(quick, Frozen) and quick.suits(self, x, noise_mode):
            return quick.convolved(self, x, w, gain)
        styles = self.affine(w)
        clamp = None if self.conv_clamp is None else self.conv_clamp * gain
        gain = self.act_gain * gain
        if isinstance(quick, Quick) and quick.suits(self, x):
            x, power = quick.convolved(self, x, styles)
            x = self._add_noise(x.mul_(ops.style_scale(power, styles)[:, :, None, None]), noise_mode)
            return ops.bias_act(x, self.bias, self.activation, gain=gain, clamp=clamp, overwrite=True)
        scale = ops.style_scale(ops.power_of(self.weight), styles)
        if _folds(x) and self.activation in SCALES_THROUGH:
            # The gain commutes with the activation, and the convolution adds the bias.
            weight = _multiplied(self.weight * styles[0][:, None, None], (scale[0] * gain)[:, None, None, None])
            x = self._conv(x, weight.to(x.dtype), (self.bias * gain).to(x.dtype))
            x = self._add_noise(x, noise_mode, gain)
            return ops.bias_act(x, None, self.activation, gain=1, clamp=clamp, overwrite=True)
        x = self._add_noise(styled_conv(x, self.weight, styles, scale, self._conv), noise_mode)
        return ops.bias_act(x, self.bias.to(x.dtype), self.activation, gain=gain, clamp=clamp, overwrite=True)

    def _conv(self, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        if self.up == 1:
            return F.conv2d(x, weight, bias, padding=self.padding)
        return ops.conv2d_up(x, weight, self.resample_filter, self.up, bias)

    def _add_noise(self, x: Tensor, noise_mode: str, gain: float = 1) -> Tensor:
        if not self.use_noise or noise_mode == "none":
            return x
        noise = self.noise_const
        if noise_mode == "random":
            noise = torch.randn(len(x), 1, *noise.shape, device=x.device)
        return _added(x, (noise * (self.noise_strength * gain)).to(x.dtype))


class ToRGBLayer(nn.Module):
    """Styled pointwise convolution to RGB, without demodulation."""

    def __init__(self, in_channels: int, out_channels: int, w_dim: int, conv_clamp: float | None) -> None:
        super().__init__()
        self.conv_clamp = conv_clamp
        self.affine = FullyConnectedLayer(w_dim, in_channels, bias_init=1)
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, 1, 1))
        self.bias = nn.Parameter(torch.zeros(out_channels))
        self.weight_gain = 1 / math.sqrt(in_channels)

    def forward(self, x: Tensor, w: Tensor, quick: Quick | Frozen | None = None) -> Tensor:
        """``[N, in, h, w]`` and ``[N, w_dim]`` to ``[N, out, h, w]``."""
        if isinstance(quick, Frozen) and torch.is_grad_enabled() and not self.weight.requires_grad:
            return quick.coloured(self, x, w)
        styles = self.affine(w) * self.weight_gain
        x = styled_conv(x, self.weight, styles, None, F.conv2d)
        return ops.bias_act(x, self.bias.to(x.dtype), clamp=self.conv_clamp, overwrite=True)


class SkipConv(nn.Module):
    """The residual path of the "resnet" architecture: a pointwise convolution to twice the size."""

    resample_filter: Tensor

    def __init__(self, in_channels: int, out_channels: int, resample_filter: Sequence[float]) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, 1, 1))
        self.weight_gain = 1 / math.sqrt(in_channels)
        self.register_buffer("resample_filter", ops.setup_filter(resample_filter))

    def forward(self, x: Tensor, gain: float = 1) -> Tensor:
        """``[N, in, h, w]`` to ``[N, out, 2h, 2w]``."""
        weight = (self.weight * (self.weight_gain * gain)).to(x.dtype)
        return ops.conv2d_up(x, weight, self.resample_filter, 2)


class LayerKeywords(TypedDict, total=False):
    """Keywords of a block that go to its convolutions only."""

    kernel_size: int
    use_noise: bool
    activation: str


class BlockKeywords(LayerKeywords, total=False):
    """Keywords of a network for every block."""

    architecture: str
    resample_filter: Sequence[float]
    conv_clamp: float | None
    first_size: tuple[int, int]


class SynthesisBlock(nn.Module):
    """One resolution: convolutions, and ToRGB if the architecture has it.

    ``first_size`` is the height and width of the constant input: 4, 4, of StyleGAN-Human 4, 2. Those of the block are
    ``resolution / 4`` times as large.
    """

    bfloat16_on_cpu = False  # see ops.working_dtype
    resample_filter: Tensor

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        w_dim: int,
        resolution: int,
        img_channels: int,
        is_last: bool,
        architecture: str = "skip",
        resample_filter: Sequence[float] = (1, 3, 3, 1),
        conv_clamp: float | None = None,
        use_fp16: bool = False,
        first_size: tuple[int, int] = (4, 4),
        **layer_kwargs: Unpack[LayerKeywords],
    ) -> None:
        super().__init__()
        self.in_channels = in_channels
        self.is_last = is_last
        self.architecture = architecture
        self.use_fp16 = use_fp16
        self.num_conv = 1 if in_channels == 0 else 2
        self.num_torgb = 1 if is_last or architecture == "skip" else 0
        self.register_buffer("resample_filter", ops.setup_filter(resample_filter))

        def layer(inputs: int, up: int, taps: Sequence[float] = (1, 3, 3, 1)) -> SynthesisLayer:
            return SynthesisLayer(
                inputs, out_channels, w_dim, resolution, up, taps, conv_clamp, first_size, **layer_kwargs
            )

        if in_channels == 0:
            self.const = nn.Parameter(torch.randn(out_channels, *first_size))
        else:
            self.conv0 = layer(in_channels, 2, resample_filter)
        self.conv1 = layer(out_channels, 1)
        if self.num_torgb:
            self.torgb = ToRGBLayer(out_channels, img_channels, w_dim, conv_clamp)
        if in_channels and architecture == "resnet":
            self.skip = SkipConv(in_channels, out_channels, resample_filter)

    def forward(
        self,
        x: Tensor | None,
        img: Tensor | None,
        ws: Tensor,
        noise_mode: str = "random",
        force_fp32: bool = False,
        quick: Quick | Frozen | None = None,
        entered: bool = False,
    ) -> State:
        """Features, picture so far and ``[N, num_conv + num_torgb, w_dim]`` to features and picture.

        ``entered``: the features have been through :meth:`enter` already.
        """
        rows = iter(ws.unbind(dim=1))
        dtype = ops.working_dtype(self, ws.device, force_fp32)
        if x is None:
            x = self.const.to(dtype).unsqueeze(0).expand(len(ws), -1, -1, -1)
            if ws.device.type == "cpu":  # halves the time of the following layers
                x = x.contiguous(memory_format=torch.channels_last)
            x = self.conv1(x, next(rows), noise_mode, quick=quick)
        elif self.architecture == "resnet":
            x = x.to(dtype)
            shortcut = self.skip(x, gain=math.sqrt(0.5))
            x = self.conv0(x, next(rows), noise_mode, quick=quick)
            x = _added(self.conv1(x, next(rows), noise_mode, math.sqrt(0.5), quick), shortcut)
        else:
            w = next(rows)
            x = x if entered else self.enter(x, w, noise_mode, force_fp32, quick)
            x = self.conv1(x, next(rows), noise_mode, quick=quick)
        if img is not None:
            img = ops.upsample2d(img, self.resample_filter)
        if self.num_torgb:
            colours = self.torgb(x, next(rows), quick).to(torch.float32)
            img = colours if img is None else _added(img, colours)
        return x, img

    def enter(
        self,
        x: Tensor,
        w: Tensor,
        noise_mode: str = "random",
        force_fp32: bool = False,
        quick: Quick | Frozen | None = None,
    ) -> Tensor:
        """The up-sampling convolution of a block that is not the first and has no shortcut."""
        x = x.to(ops.working_dtype(self, w.device, force_fp32))
        entered: Tensor = self.conv0(x, w, noise_mode, quick=quick)
        return entered


class SynthesisNetwork(Synthesis):
    """Intermediate latents to pictures.

    ``channels``: the width of every block by its resolution, instead of ``channel_base`` and ``channel_max``.
    """

    takes_prefixes = takes_quick = True

    def __init__(
        self,
        w_dim: int,
        img_resolution: int,
        img_channels: int,
        channel_base: int = 32768,
        channel_max: int = 512,
        num_fp16_res: int = 0,
        channels: Mapping[int, int] | None = None,
        **block_kwargs: Unpack[BlockKeywords],
    ) -> None:
        super().__init__(w_dim, 0, img_resolution, img_channels)
        steps = int(math.log2(img_resolution))
        self.block_resolutions = [2**i for i in range(2, steps + 1)]
        half_from = max(2 ** (steps + 1 - num_fp16_res), 8)
        self._first_rows: dict[int, int] = {}  # of ws, by block
        before = 0
        for resolution in self.block_resolutions:
            width = channels[resolution] if channels else min(channel_base // resolution, channel_max)
            last = resolution == img_resolution
            block = SynthesisBlock(
                before, width, w_dim, resolution, img_channels, last, use_fp16=resolution >= half_from, **block_kwargs
            )
            setattr(self, f"b{resolution}", block)
            self._first_rows[resolution] = self.num_ws
            self.num_ws += block.num_conv + (block.num_torgb if last else 0)
            before = width

    @staticmethod
    def quick() -> Quick:
        """What :meth:`forward` takes as ``quick``: weights that are prepared with the first picture."""
        return Quick()

    def forward(
        self,
        ws: Tensor,
        noise_mode: str = "random",
        force_fp32: bool = False,
        prefixes: Prefixes | None = None,
        up_to: int | None = None,
        quick: Quick | Frozen | None = None,
        **keywords: object,
    ) -> Tensor:
        """Render ``ws``.

        Args:
            ws: ``[N, num_ws, w_dim]``.
            noise_mode: ``const`` (the network's own), ``random`` (torch's generator) or ``none``.
            force_fp32: compute in float32; otherwise in ``ops.working_dtype``.
            prefixes: cache of features, read and extended; unused with random noise.
            up_to: stop after the block of this resolution, whose picture is the sum of the ToRGBs so far
                (``sums_pictures`` networks only); None runs all.
            quick: weights prepared for less time and other rounding, for previews; None computes as always.

        Returns:
            float32 ``[N, img_channels, img_resolution, img_resolution]``, or of ``up_to``, about -1 to 1, not clipped.

        Raises:
            ValueError: ``ws`` has another shape, or the noise mode is not known.
        """
        refuse_unknown(keywords, "synthesis")
        if noise_mode not in NOISE_MODES:
            raise ValueError(f"noise_mode {noise_mode!r}: choose one of {', '.join(NOISE_MODES)}")
        ws = self.checked(ws)
        options = (noise_mode, force_fp32, quick)
        # On a CPU, large resolutions are computed picture by picture, which saves time and memory. Not with random
        # noise, which is drawn layer by layer for the whole batch.
        apart = len(ws) > 1 and ws.device.type == "cpu" and noise_mode != "random"
        resolutions = [res for res in self.block_resolutions if up_to is None or res <= up_to]
        small = [res for res in resolutions if not apart or res <= FOLD_ABOVE]
        large = resolutions[len(small) :]
        kept = None if noise_mode == "random" or torch.is_grad_enabled() else prefixes

        @lru_cache(maxsize=1)
        def batch() -> State:  # never called if all pictures are in the cache
            return self._resumed(small, lambda: (None, None), ws, options, kept)

        if not large:
            return _picture(batch())

        def start(index: int) -> State:
            x, img = (t if t is None else t[index : index + 1] for t in batch())
            return x, img

        parts = enumerate(torch.split(ws, 1))
        made = [_picture(self._resumed(large, partial(start, i), one, options, kept, len(ws))) for i, one in parts]
        return torch.cat(made)

    @property
    def sums_pictures(self) -> bool:
        """Whether each block adds to the picture of the one before, so that ``up_to`` can be used."""
        return all(self._block(resolution).architecture == "skip" for resolution in self.block_resolutions)

    def _resumed(
        self,
        resolutions: Sequence[int],
        start: Callable[[], State],
        ws: Tensor,
        options: Settings,
        prefixes: Prefixes | None,
        batch_size: int = 1,
    ) -> State:
        """Features and picture after some blocks, from those of ``start`` or from cached ones."""
        if prefixes is None:
            return self._blocks(resolutions, *start(), ws, options)
        ends = [self._rows(resolution).stop for resolution in resolutions]
        count = prefixes.deepest(ends)
        entered = [res for res in resolutions[count : count + 1] if self._enters(res, prefixes.first)]
        if count == 0 and not entered:
            return self._blocks(resolutions, *start(), ws, options)
        end = self._rows(entered[0]).start + 1 if entered else ends[count - 1]

        def compute() -> State:
            x, img = self._blocks(resolutions[:count], *start(), ws, options)
            for resolution in entered:
                assert x is not None
                x = self._block(resolution).enter(x, ws[:, end - 1], *options)
            return x, img

        # The batch size is part of the key, since rounding depends on it.
        key = (count, bool(entered), resolutions[0], batch_size, options)
        x, img = prefixes.features(ws[:, :end], key, compute)
        return self._blocks(resolutions[count:], x, img, ws, options, entered=bool(entered))

    def _enters(self, resolution: int, first: int) -> bool:
        """Whether the first convolution of a block uses a row of ws before ``first`` and can run separately."""
        block = self._block(resolution)
        return block.in_channels > 0 and block.architecture != "resnet" and self._rows(resolution).start < first

    def _rows(self, resolution: int) -> slice[int, int, None]:
        """The rows of ws that a block reads."""
        block, row = self._block(resolution), self._first_rows[resolution]
        return slice(row, row + block.num_conv + block.num_torgb)

    def _blocks(
        self,
        resolutions: Sequence[int],
        x: Tensor | None,
        img: Tensor | None,
        ws: Tensor,
        options: Settings,
        entered: bool = False,
    ) -> State:
        """Features and picture after the blocks of some resolutions; ``ws`` has all rows."""
        for resolution in resolutions:
            x, img = self._block(resolution)(x, img, ws[:, self._rows(resolution)], *options, entered)
            entered = False
        return x, img

    def _block(self, resolution: int) -> SynthesisBlock:
        block: SynthesisBlock = getattr(self, f"b{resolution}")
        return block


def _picture(state: State) -> Tensor:
    img = state[1]
    assert img is not None  # the last block has a ToRGB
    return img


class Generator(BaseGenerator):
    """StyleGAN2 with stylegan2-ada-pytorch's constructor.

    Args:
        z_dim, c_dim, w_dim: sizes of latents, labels (0: none) and intermediate latents.
        img_resolution: a power of two; img_channels: 1 to 4.
        mapping_kwargs: keywords of :class:`MappingNetwork`.
        synthesis_kwargs: keywords of :class:`SynthesisNetwork` and :class:`SynthesisBlock`.
    """

    def __init__(
        self,
        z_dim: int,
        c_dim: int,
        w_dim: int,
        img_resolution: int,
        img_channels: int,
        mapping_kwargs: Keywords | None = None,
        synthesis_kwargs: Keywords | None = None,
    ) -> None:
        synthesis = SynthesisNetwork(w_dim, img_resolution, img_channels, **(synthesis_kwargs or {}))
        mapping = MappingNetwork(z_dim, c_dim, w_dim, synthesis.num_ws, **(mapping_kwargs or {}))
        super().__init__(z_dim, c_dim, synthesis, mapping)
