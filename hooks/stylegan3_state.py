"""State dicts of NVIDIA's StyleGAN3, and of our own: ``torch.save(G.state_dict(), path)``.

A layer's name holds its size and channels. Other arguments are assumed to have the toolkit's defaults, and the stored
filters are compared with theirs: no other tensor shows cutoffs and rates.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from sefa_plugin.generators.stylegan3_plan import DEFAULTS, SynthesisOptions, SynthesisPlan, plan_synthesis
from sefa_plugin.hook import ArrayLike, HookError, NetworkRecord

from .arguments import MAX_LAYERS, Sizes
from .planned import PlannedHook
from .stylegan2_parts import assumed
from .stylegan3 import MappingOptions, StyleGAN3Plan
from .tensors import array, count, length

if TYPE_CHECKING:
    import numpy as np

_LAYER = re.compile(r"synthesis\.(L(\d{1,3})_(\d{1,5})_(\d{1,5}))\.weight")
_EMBED = "mapping.embed.weight"
_FIRST_RATE = 16  # samples per picture width, with the default stop band


class StyleGAN3State(PlannedHook[StyleGAN3Plan]):
    """Reads state dicts of StyleGAN3 with NVIDIA's names."""

    name = "stylegan3_state"

    def fits(self, record: NetworkRecord) -> bool:
        """StyleGAN3's Fourier input, and none of StyleGAN-XL's additions."""
        held = record.tensors
        first = "synthesis.input.affine.weight" in held and "synthesis.input.weight" in held
        return record.family == "state_dict" and first and "mapping.embed_proj.weight" not in held

    def check(self, record: NetworkRecord) -> None:
        super().check(record)
        _check_filters(record, self.plan(record).synthesis)

    def remarks(self, record: NetworkRecord) -> list[str]:
        clamp, scale = DEFAULTS["conv_clamp"], DEFAULTS["output_scale"]
        return [
            *super().remarks(record),
            assumed(f"conv_clamp {clamp}, output_scale {scale}, mapping lr_multiplier 0.01"),
        ]

    def state(self, record: NetworkRecord) -> Mapping[str, ArrayLike]:
        """The tensors, with the default filters where they are missing."""
        made = super().state(record)
        if made is record.tensors:
            return made
        lacking = [pair for pair in _filters(self.plan(record).synthesis) if pair[0] not in record.tensors]
        return {**made, **{name: filter.astype("f4") for name, filter in lacking}}

    def plan(self, record: NetworkRecord) -> StyleGAN3Plan:
        layers = _layers(record)
        options, synthesis = _laid_out(record, layers)
        w_dim = length(record, "synthesis.input.affine.weight", 1, 2)
        c_dim = length(record, _EMBED, 1, 2) if _EMBED in record.tensors else 0
        z_dim = length(record, "mapping.fc0.weight", 1, 2) - (w_dim if c_dim else 0)
        mapping = MappingOptions(count(record, "mapping.fc{}.weight".format))
        _, resolution, colours = layers[-1]
        return StyleGAN3Plan(Sizes(z_dim, c_dim, w_dim, resolution, colours), mapping, options, synthesis)


def _layers(record: NetworkRecord) -> list[tuple[str, int, int]]:
    """Name, size and width of every layer, in order."""
    matches = filter(None, map(_LAYER.fullmatch, record.tensors))
    found = sorted((int(match[2]), match[1], int(match[3]), int(match[4])) for match in matches)
    if [number for number, *_ in found] != list(range(len(found))) or not 2 <= len(found) <= MAX_LAYERS:
        raise HookError(f"{record.path}: this state_dict lacks some of its layers L0, L1, ...: a damaged network")
    return [(layer, size, width) for _, layer, size, width in found]


def _laid_out(record: NetworkRecord, layers: Sequence[tuple[str, int, int]]) -> tuple[SynthesisOptions, SynthesisPlan]:
    """Arguments for which the toolkit's layers have these names, and the layers."""
    (first, size, _), (_, resolution, colours) = layers[0], layers[-1]
    kernel = length(record, f"synthesis.{first}.weight", 2, 4)
    up = f"synthesis.{first}.up_filter"
    taps = length(record, up, 0, 1) if up in record.tensors else DEFAULTS["filter_size"] * DEFAULTS["lrelu_upsampling"]
    downs = [f"synthesis.{layer}.down_filter" for layer, *_ in layers]
    options: SynthesisOptions = {
        **DEFAULTS,
        "num_layers": len(layers) - 1,
        "margin_size": (size - min(_FIRST_RATE, resolution)) // 2,
        "filter_size": taps // DEFAULTS["lrelu_upsampling"],
        "conv_kernel": kernel,
        "use_radial_filters": (
            any(len(record.tensors[name].shape) == 2 for name in downs if name in record.tensors)
            if any(name in record.tensors for name in downs)
            else kernel == 1  # config R
        ),
        "num_fp16_res": 0,  # changes no result in float32
    }
    for critical in sorted(range(min(len(layers) - 1, 8)), key=lambda n: abs(n - DEFAULTS["num_critical"])):
        options["num_critical"] = critical
        plan = _with_widths(options, [width for *_, width in layers], resolution, colours)
        if plan is not None and [layer.name for layer in plan.layers] == [layer for layer, *_ in layers]:
            return options, plan
    raise HookError(
        f"{record.path}: its layers ({first}, ...) are not laid out as the StyleGAN3 toolkit does by default; "
        "a state_dict does not say how: use the network's own .pkl"
    )


def _with_widths(
    options: SynthesisOptions, widths: Sequence[int], resolution: int, colours: int
) -> SynthesisPlan | None:
    """Put a ``channel_base`` that gives these widths into ``options``; None where there is none."""
    options["channel_max"] = widths[0]
    options["channel_base"] = 1
    try:
        cutoffs = [layer.out_cutoff for layer in plan_synthesis(resolution, colours, options).layers]
        low = max((width - 0.5) * 2 * cutoff for width, cutoff in zip(widths[:-1], cutoffs))
        narrower = [(w + 0.5) * 2 * cutoff for w, cutoff in zip(widths[:-1], cutoffs) if w < widths[0]]
        high = min(narrower, default=2 * low)
        power = 1 << max(math.ceil(math.log2(low)), 0)
        options["channel_base"] = power if power <= high else round((low + high) / 2)
        return plan_synthesis(resolution, colours, options)
    except (ValueError, OverflowError, ZeroDivisionError):
        return None


def _filters(plan: SynthesisPlan) -> Iterator[tuple[str, np.ndarray]]:
    """The filters of every layer, by name."""
    from sefa_plugin.generators.kaiser import lowpass

    for layer in plan.layers:
        rate = layer.tmp_sampling_rate
        up = lowpass(layer.up_taps, layer.in_cutoff, layer.in_half_width * 2, rate)
        down = lowpass(layer.down_taps, layer.out_cutoff, layer.out_half_width * 2, rate, layer.down_radial)
        for part, wanted in (("up_filter", up), ("down_filter", down)):
            if wanted is not None:
                yield f"synthesis.{layer.name}.{part}", wanted


def _check_filters(record: NetworkRecord, plan: SynthesisPlan) -> None:
    import numpy as np

    for key, wanted in _filters(plan):
        if key not in record.tensors:
            continue
        held = array(record.tensors[key])
        if (
            held.shape != wanted.shape or not np.abs(held - wanted).max() <= 0.004 * np.abs(wanted).max()
        ):  # float16: less
            raise HookError(
                f"{record.path}: {key} is not the filter that belongs to this layer by default; "
                "a state_dict does not say how it was designed: use the network's own .pkl"
            )


HOOK = StyleGAN3State()
