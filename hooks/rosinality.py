"""State dicts of rosinality/stylegan2-pytorch, and of the projects that keep its generator (StyleGAN-NADA, ...).

A file is ``{"g_ema": ..., "latent_avg": ...}``; training checkpoints lack the average w.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from sefa_plugin.hook import NetworkRecord

from .planned import Held, Shapes
from .stylegan2_parts import (
    TAPS,
    BlockOptions,
    MappingOptions,
    StyleGAN2Plan,
    StyleGAN2RenamedHook,
    check_filters,
    plan_of,
)
from .tensors import count, length, widths

if TYPE_CHECKING:
    import numpy as np

_AVERAGE = "latent_avg"


class Rosinality(StyleGAN2RenamedHook):
    """Reads state dicts with the names of rosinality/stylegan2-pytorch."""

    name = "rosinality"

    def fits(self, record: NetworkRecord) -> bool:
        held = record.tensors
        first = "input.input" in held and "conv1.conv.modulation.weight" in held
        return record.family == "state_dict" and first

    def check(self, record: NetworkRecord) -> None:
        super().check(record)
        check_filters(record, self.others(record, self.plan(record)))

    def remarks(self, record: NetworkRecord) -> list[str]:
        """Origin of the average w if the file has none."""
        if _AVERAGE in record.tensors:
            return []
        return [
            "this file has no latent_avg, which truncation needs: it is the mean over 4096 random latents (seed 0), "
            "as its repository estimates it"
        ]

    def plan(self, record: NetworkRecord) -> StyleGAN2Plan:
        width = length(record, "style.1.weight", 1, 2)
        blocks = widths(record, lambda index: f"{_convolution(4 << index, 'conv1')}.conv.weight", 1, 5)
        colours = length(record, "to_rgb1.conv.weight", 1, 5)
        mapping = MappingOptions(count(record, "style.{}.weight".format, first=1))
        return plan_of((width, 0, width, colours), blocks, mapping, BlockOptions())

    def table(self, record: NetworkRecord, plan: StyleGAN2Plan) -> dict[str, Held]:
        table = super().table(record, plan)
        if _AVERAGE not in record.tensors:
            del table["mapping.w_avg"]
        return table

    def named(self, record: NetworkRecord, plan: StyleGAN2Plan, ours: str, shape: tuple[int, ...]) -> Held:
        if ours == "mapping.w_avg":
            return Held(_AVERAGE, shape)
        if ours == "synthesis.b4.const":
            return Held("input.input", (1, *shape))
        if ours.startswith("mapping.fc"):
            number, part = ours[len("mapping.fc") :].split(".")
            return Held(f"style.{int(number) + 1}.{part}", shape)
        _, block, layer, part = ours.split(".", 3)
        side = int(block[1:])
        index = side.bit_length() - 4
        if part == "noise_const":
            return Held(f"noises.noise_{2 * index + 1 + (layer == 'conv1')}", (1, 1, *shape))
        torgb = "to_rgb1" if side == 4 else f"to_rgbs.{index}"
        theirs = torgb if layer == "torgb" else _convolution(side, layer)
        if part.startswith("affine."):
            return Held(f"{theirs}.conv.modulation.{part[len('affine.') :]}", shape)
        if part == "weight":
            return Held(f"{theirs}.conv.weight", (1, *shape))
        if part == "noise_strength":
            return Held(f"{theirs}.noise.weight", (1,))
        return Held(f"{theirs}.bias", (1, *shape, 1, 1)) if layer == "torgb" else Held(f"{theirs}.activate.bias", shape)

    def others(self, record: NetworkRecord, plan: StyleGAN2Plan) -> Shapes:
        """The filters."""
        blocks = range(len(plan.resolutions) - 1)
        names = [f"convs.{2 * i}.conv.blur.kernel" for i in blocks] + [f"to_rgbs.{i}.upsample.kernel" for i in blocks]
        return dict.fromkeys(names, (len(TAPS), len(TAPS)))

    def state(self, record: NetworkRecord) -> dict[str, np.ndarray]:
        """Arrays by our generator's names; the average w is estimated where the file has none."""
        made = super().state(record)
        if _AVERAGE not in record.tensors:
            options = self.plan(record).mapping
            made["mapping.w_avg"] = _mean_w(made, options.num_layers, options.lr_multiplier)
        return made


def _convolution(resolution: int, layer: str) -> str:
    return "conv1" if resolution == 4 else f"convs.{2 * (resolution.bit_length() - 4) + (layer == 'conv1')}"


def _mean_w(state: Mapping[str, np.ndarray], layers: int, lr_multiplier: float) -> np.ndarray:
    """Average w ``[w_dim]`` float32 of 4096 random latents (seed 0). StyleGAN (2019), appendix B."""
    import numpy as np

    width = state["mapping.fc0.weight"].shape[1]
    x = np.random.RandomState(0).randn(4096, width).astype(np.float32)
    x /= np.sqrt((x * x).mean(axis=1, keepdims=True) + 1e-8)
    for index in range(layers):
        weight, bias = state[f"mapping.fc{index}.weight"], state[f"mapping.fc{index}.bias"]
        x = x @ weight.T * np.float32(lr_multiplier / math.sqrt(weight.shape[1])) + bias * np.float32(lr_multiplier)
        x = np.where(x > 0, x, x * np.float32(0.2)) * np.float32(math.sqrt(2))
    mean: np.ndarray = x.mean(axis=0)
    return mean


HOOK = Rosinality()
