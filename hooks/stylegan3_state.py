"""State dicts of NVIDIA's StyleGAN3, and of our own: ``torch.save(G.state_dict(), path)``.

A layer's name holds its size and channels. Other arguments are assumed to have the toolkit's defaults, and the stored
filters are compared with theirs: no other tensor shows cutoffs and rates.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from sefa_plugin.generators.stylegan3_plan import DEFAULTS, SynthesisOptions, SynthesisPlan, plan_synthesis
from sefa_plugin.hook import Hook, HookError, NetworkRecord, StyleLayer

from . import state_parts as shared
from . import stylegan3

if TYPE_CHECKING:
    from torch import nn

MAX_LAYERS = 256
_LAYER = re.compile(r"synthesis\.(L(\d{1,3})_(\d{1,5})_(\d{1,5}))\.weight")
_EMBED = "mapping.embed.weight"
_FIRST_RATE = 16  # samples per picture width, with the default stop band


class StyleGAN3State(Hook):
    """Reads state dicts of StyleGAN3 with NVIDIA's names."""

    name = "stylegan3_state"

    def fits(self, record: NetworkRecord) -> bool:
        """A state_dict with StyleGAN3's Fourier input, and none of StyleGAN-XL's additions."""
        return (
            record.family == "state_dict"
            and "synthesis.input.freqs" in record.tensors
            and "synthesis.input.transform" in record.tensors
            and "mapping.embed_proj.weight" not in record.tensors
        )

    def check(self, record: NetworkRecord) -> None:
        """Compare tensors with what this generator consists of, and its filters with those of the default arguments."""
        stylegan3.HOOK.check(_as_module(record))
        _check_filters(record, _laid_out(record)[1])

    def remarks(self, record: NetworkRecord) -> list[str]:
        """Say what is taken for granted."""
        clamp, scale = DEFAULTS["conv_clamp"], DEFAULTS["output_scale"]
        return [shared.assumed(f"conv_clamp {clamp}, output_scale {scale}, mapping lr_multiplier 0.01")]

    def describe(self, record: NetworkRecord) -> dict[str, int]:
        """Sizes of the network."""
        return stylegan3.HOOK.describe(_as_module(record))

    def style_layers(self, record: NetworkRecord) -> list[StyleLayer]:
        """Every affine in the order of execution; the first is the input's rigid motion, not a style."""
        return stylegan3.HOOK.style_layers(_as_module(record))

    def mapping_layer(self, record: NetworkRecord) -> StyleLayer:
        """The first mapping layer; its first ``z_dim`` columns belong to z, the rest to the label."""
        return stylegan3.HOOK.mapping_layer(_as_module(record))

    def build(self, record: NetworkRecord) -> nn.Module:
        """Build the generator (see ``sefa_plugin.generators.stylegan3``)."""
        return stylegan3.HOOK.build(_as_module(record))


def _layers(record: NetworkRecord) -> list[tuple[str, int, int]]:
    """Name, size and width of every layer, in order.

    Raises:
        HookError: they are not numbered from 0 without a gap.
    """
    found = sorted((int(match[2]), match[1], int(match[3]), int(match[4])) for match in _matches(record))
    if [number for number, *_ in found] != list(range(len(found))) or not 2 <= len(found) <= MAX_LAYERS:
        raise HookError(f"{record.path}: this state_dict lacks some of its layers L0, L1, ...: a damaged network")
    return [(layer, size, width) for _, layer, size, width in found]


def _matches(record: NetworkRecord) -> Iterator[re.Match[str]]:
    return (match for match in map(_LAYER.fullmatch, record.tensors) if match)


def _laid_out(record: NetworkRecord) -> tuple[SynthesisOptions, SynthesisPlan]:
    """Arguments for which the toolkit's layers have these names, and the layers.

    Raises:
        HookError: there are none with the toolkit's other defaults.
    """
    layers = _layers(record)
    (first, size, _), (_, resolution, colours) = layers[0], layers[-1]
    taps = shared.length(record, f"synthesis.{first}.up_filter", 0, 1)
    downs = [f"synthesis.{layer}.down_filter" for layer, *_ in layers]
    options: SynthesisOptions = {
        "num_layers": len(layers) - 1,
        "margin_size": (size - min(_FIRST_RATE, resolution)) // 2,
        "filter_size": taps // DEFAULTS["lrelu_upsampling"],
        "conv_kernel": shared.length(record, f"synthesis.{first}.weight", 2, 4),
        "use_radial_filters": any(len(record.tensors[x].shape) == 2 for x in downs if x in record.tensors),
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
        cutoffs = [layer.out_cutoff for layer in plan_synthesis(resolution, colours, {**DEFAULTS, **options}).layers]
        low = max((width - 0.5) * 2 * cutoff for width, cutoff in zip(widths[:-1], cutoffs))
        narrower = [(w + 0.5) * 2 * cutoff for w, cutoff in zip(widths[:-1], cutoffs) if w < widths[0]]
        high = min(narrower, default=2 * low)
        power = 1 << max(math.ceil(math.log2(low)), 0)
        options["channel_base"] = power if power <= high else round((low + high) / 2)
        return plan_synthesis(resolution, colours, {**DEFAULTS, **options})
    except (ValueError, OverflowError, ZeroDivisionError):
        return None


def _as_module(record: NetworkRecord) -> NetworkRecord:
    """The record as that of a module, with constructor arguments."""
    options, _ = _laid_out(record)
    layers = _layers(record)
    held = record.tensors
    w_dim = shared.length(record, "synthesis.input.affine.weight", 1, 2)
    c_dim = shared.length(record, _EMBED, 1, 2) if _EMBED in held else 0
    mapping = {
        "num_layers": shared.count(record, "mapping.fc{}.weight".format),
        "w_avg_beta": stylegan3.MAPPING["w_avg_beta"] if "mapping.w_avg" in held else None,
    }
    arguments = {
        "z_dim": shared.length(record, "mapping.fc0.weight", 1, 2) - (w_dim if c_dim else 0),
        "c_dim": c_dim,
        "w_dim": w_dim,
        "img_resolution": layers[-1][1],
        "img_channels": layers[-1][2],
        "mapping_kwargs": mapping,
        **options,
    }
    return replace(record, class_name="Generator", init_kwargs=arguments, family="module")


def _check_filters(record: NetworkRecord, plan: SynthesisPlan) -> None:
    import numpy as np

    from sefa_plugin.generators.kaiser import lowpass

    for layer in plan.layers:
        rate = layer.tmp_sampling_rate
        up = lowpass(layer.up_taps, layer.in_cutoff, layer.in_half_width * 2, rate)
        down = lowpass(layer.down_taps, layer.out_cutoff, layer.out_half_width * 2, rate, layer.down_radial)
        for part, wanted in (("up_filter", up), ("down_filter", down)):
            if wanted is None:
                continue
            key = f"synthesis.{layer.name}.{part}"
            apart = np.abs(shared.array(record.tensors[key]) - wanted).max()
            if not apart <= 0.004 * np.abs(wanted).max():  # float16 differs by less
                raise HookError(
                    f"{record.path}: {key} is not the filter that belongs to this layer by default; "
                    "a state_dict does not say how it was designed: use the network's own .pkl"
                )


HOOK = StyleGAN3State()
