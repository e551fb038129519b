"""The layers of a StyleGAN3 generator, computed from its constructor arguments; needs no torch.

Karras et al., "Alias-Free Generative Adversarial Networks" (2021), section 3.2, figure 4 and appendix F.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypedDict


class SynthesisOptions(TypedDict, total=False):
    """Keywords of the synthesis network and of its layers."""

    channel_base: int
    channel_max: int
    num_layers: int
    num_critical: int
    first_cutoff: float
    first_stopband: float
    last_stopband_rel: float
    margin_size: int
    output_scale: float
    num_fp16_res: int
    conv_kernel: int
    filter_size: int
    lrelu_upsampling: int
    use_radial_filters: bool
    conv_clamp: float | None
    magnitude_ema_beta: float
    square: bool


DEFAULTS: SynthesisOptions = {
    "channel_base": 32768,
    "channel_max": 512,
    "num_layers": 14,
    "num_critical": 2,
    "first_cutoff": 2,
    "first_stopband": 2**2.1,
    "last_stopband_rel": 2**0.3,
    "margin_size": 10,
    "output_scale": 0.25,
    "num_fp16_res": 4,
    "conv_kernel": 3,
    "filter_size": 6,
    "lrelu_upsampling": 2,
    "use_radial_filters": False,
    "conv_clamp": 256,
    "magnitude_ema_beta": 0.999,
    "square": True,
}


@dataclass(frozen=True)
class LayerPlan:
    """One layer: sizes in pixels, rates and cutoffs in pixels per picture width, filters in taps.

    Sizes are heights; the width is the same, or half of it (StyleGAN-Human).
    """

    index: int
    is_torgb: bool
    use_fp16: bool
    in_channels: int
    out_channels: int
    in_size: int
    out_size: int
    in_sampling_rate: float
    out_sampling_rate: float
    tmp_sampling_rate: float
    in_cutoff: float
    out_cutoff: float
    in_half_width: float
    out_half_width: float
    conv_kernel: int
    up_factor: int
    up_taps: int
    down_factor: int
    down_taps: int
    down_radial: bool
    square: bool = True

    @property
    def name(self) -> str:
        """The module's name in the toolkit."""
        return f"L{self.index}_{width(self.out_size, self.square)}_{self.out_channels}"

    @property
    def padding(self) -> list[int]:
        """Left, right, top and bottom padding after up-sampling, so that the picture stays centred."""
        ends = (self.in_size, self.out_size)
        wide = self._around(*(width(size, self.square) for size in ends))
        return [*wide, *self._around(*ends)]

    def _around(self, in_size: int, out_size: int) -> tuple[int, int]:
        """Padding before and after the zero-stuffed pixels of a row.

        Both filters together read ``window`` positions: from the first kept pixel to the last, and one more for each
        tap but the first. The input pixels are centred in it, or half a position behind its centre.
        """
        pixels = in_size + self.conv_kernel - 1  # the convolution pads fully
        stuffed = pixels * self.up_factor  # every pixel is followed by up_factor - 1 zeros
        kept = self.down_factor * (out_size - 1) + 1
        window = kept + (self.up_taps - 1) + (self.down_taps - 1)
        span = stuffed - self.up_factor + 1  # from the first pixel to the last
        before = math.ceil((window - span) / 2)
        return before, window - stuffed - before


def width(height: int, square: bool) -> int:
    """Width in pixels of a picture of this height."""
    return height if square else height // 2


@dataclass(frozen=True)
class SynthesisPlan:
    """The Fourier input and the layers, the last of which is ToRGB."""

    channels: int
    size: int
    sampling_rate: float
    bandwidth: float
    layers: tuple[LayerPlan, ...]
    square: bool = True

    @property
    def num_ws(self) -> int:
        """Rows of ws: the input's and one a layer."""
        return len(self.layers) + 1


@dataclass(frozen=True)
class _Signal:
    """Output of a layer, or input of the first: its frequency band and its sampling.

    The transition band is ``cutoff`` plus and minus ``half_width``, in cycles per picture width. ``rate`` is in
    pixels per picture width, ``size`` in pixels, with the margins.
    """

    cutoff: float
    half_width: float
    rate: float
    size: int
    channels: int


def _signal(index: int, img_resolution: int, img_channels: int, options: Mapping[str, Any]) -> _Signal:
    """The output of layer ``index``: bands widen geometrically up to that of the picture."""
    last, nyquist = options["num_layers"], img_resolution / 2
    share = min(index / (last - options["num_critical"]), 1)

    def widened(first: float, final: float) -> float:
        reached: float = first * (final / first) ** share
        return reached

    cutoff = widened(options["first_cutoff"], nyquist)
    stopband = widened(options["first_stopband"], nyquist * options["last_stopband_rel"])
    rate = 2.0 ** math.ceil(math.log2(min(2 * stopband, img_resolution)))  # the next power of two
    return _Signal(
        cutoff=cutoff,
        half_width=max(stopband, rate / 2) - cutoff,
        rate=rate,
        size=int(rate + 2 * options["margin_size"]) if index < last - 1 else img_resolution,
        channels=round(min(options["channel_base"] / 2 / cutoff, options["channel_max"]))
        if index < last
        else img_channels,
    )


def plan_synthesis(img_resolution: int, img_channels: int, options: Mapping[str, Any]) -> SynthesisPlan:
    """Compute the layers; ``options`` holds every key of ``DEFAULTS``.

    Raises:
        ValueError: the numbers allow no network.
    """
    count, critical = options["num_layers"], options["num_critical"]
    if not 0 <= critical < count:
        raise ValueError(f"num_layers {count} and num_critical {critical} allow no network")
    signals = [_signal(index, img_resolution, img_channels, options) for index in range(count + 1)]

    def layer(index: int, before: _Signal, after: _Signal) -> LayerPlan:
        is_torgb, is_critical = index == count, index >= count - critical
        finest = max(before.rate, after.rate) * (1 if is_torgb else options["lrelu_upsampling"])
        up, down = round(finest / before.rate), round(finest / after.rate)
        taps = {factor: options["filter_size"] * factor if factor > 1 and not is_torgb else 1 for factor in (up, down)}
        return LayerPlan(
            index=index,
            is_torgb=is_torgb,
            use_fp16=after.rate * 2 ** options["num_fp16_res"] > img_resolution,
            in_channels=before.channels,
            out_channels=after.channels,
            in_size=before.size,
            out_size=after.size,
            in_sampling_rate=before.rate,
            out_sampling_rate=after.rate,
            tmp_sampling_rate=finest,
            in_cutoff=before.cutoff,
            out_cutoff=after.cutoff,
            in_half_width=before.half_width,
            out_half_width=after.half_width,
            conv_kernel=1 if is_torgb else options["conv_kernel"],
            up_factor=up,
            up_taps=taps[up],
            down_factor=down,
            down_taps=taps[down],
            down_radial=bool(options["use_radial_filters"]) and not is_critical,
            square=options["square"],
        )

    pairs = zip([signals[0], *signals], signals)  # the first layer keeps band and sampling
    layers = tuple(layer(index, *pair) for index, pair in enumerate(pairs))
    start = signals[0]
    return SynthesisPlan(start.channels, start.size, start.rate, start.cutoff, layers, options["square"])
