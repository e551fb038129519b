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
    is_critically_sampled: bool
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
        wide = self._padding(*(width(size, self.square) for size in ends))
        return [*wide, *self._padding(*ends)]

    def _padding(self, in_size: int, out_size: int) -> tuple[int, int]:
        total = (out_size - 1) * self.down_factor + 1
        total -= (in_size + self.conv_kernel - 1) * self.up_factor
        total += self.up_taps + self.down_taps - 2
        low = (total + self.up_factor) // 2
        return low, total - low


def width(height: int, square: bool) -> int:
    """Width that goes with a height."""
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


def plan_synthesis(img_resolution: int, img_channels: int, options: Mapping[str, Any]) -> SynthesisPlan:
    """Lay out the network; ``options`` holds every key of ``DEFAULTS``.

    Raises:
        ValueError: the numbers allow no network.
    """
    count, critical = options["num_layers"], options["num_critical"]
    if not 0 <= critical < count:
        raise ValueError(f"num_layers {count} and num_critical {critical} allow no network")
    last_cutoff = img_resolution / 2
    last_stopband = last_cutoff * options["last_stopband_rel"]
    progress = [min(index / (count - critical), 1) for index in range(count + 1)]

    def geometric(first: float, last: float) -> list[float]:
        return [first * (last / first) ** part for part in progress]

    cutoffs = geometric(options["first_cutoff"], last_cutoff)
    stopbands = geometric(options["first_stopband"], last_stopband)
    rates = [2.0 ** math.ceil(math.log2(min(band * 2, img_resolution))) for band in stopbands]
    widths = [max(band, rate / 2) - cutoff for band, rate, cutoff in zip(stopbands, rates, cutoffs)]
    sizes = [int(rate + 2 * options["margin_size"]) for rate in rates]
    sizes[-2:] = [img_resolution] * 2
    channels = [round(min(options["channel_base"] / 2 / cutoff, options["channel_max"])) for cutoff in cutoffs]
    channels[-1] = img_channels

    def layer(index: int) -> LayerPlan:
        before, is_torgb = max(index - 1, 0), index == count
        is_critical = index >= count - critical
        between = max(rates[before], rates[index]) * (1 if is_torgb else options["lrelu_upsampling"])
        up, down = round(between / rates[before]), round(between / rates[index])
        return LayerPlan(
            index=index,
            is_torgb=is_torgb,
            is_critically_sampled=is_critical,
            use_fp16=rates[index] * 2 ** options["num_fp16_res"] > img_resolution,
            in_channels=channels[before],
            out_channels=channels[index],
            in_size=sizes[before],
            out_size=sizes[index],
            in_sampling_rate=rates[before],
            out_sampling_rate=rates[index],
            tmp_sampling_rate=between,
            in_cutoff=cutoffs[before],
            out_cutoff=cutoffs[index],
            in_half_width=widths[before],
            out_half_width=widths[index],
            conv_kernel=1 if is_torgb else options["conv_kernel"],
            up_factor=up,
            up_taps=options["filter_size"] * up if up > 1 and not is_torgb else 1,
            down_factor=down,
            down_taps=options["filter_size"] * down if down > 1 and not is_torgb else 1,
            down_radial=bool(options["use_radial_filters"]) and not is_critical,
            square=options["square"],
        )

    layers = tuple(layer(index) for index in range(count + 1))
    return SynthesisPlan(channels[0], sizes[0], rates[0], cutoffs[0], layers, options["square"])
