"""State dicts of rosinality/stylegan2-pytorch, and of the projects that keep its generator (StyleGAN-NADA, ...).

A file is ``{"g_ema": ..., "latent_avg": ...}``; training checkpoints lack the average w.
"""

from __future__ import annotations

from sefa_plugin.hook import NetworkRecord

from .buffers import TAPS
from .planned import Held, Shapes
from .stylegan2_parts import (
    BlockOptions,
    MappingOptions,
    StyleGAN2Plan,
    StyleGAN2RenamedHook,
    check_filters,
    plan_of,
)
from .tensors import count, length, widths

_AVERAGE = "latent_avg"


class Rosinality(StyleGAN2RenamedHook):
    """Reads state dicts with the names of rosinality/stylegan2-pytorch."""

    name = "rosinality"

    def fits(self, record: NetworkRecord) -> bool:
        held = record.tensors
        first = self.theirs("input.input") in held and self.theirs("conv1.conv.modulation.weight") in held
        return record.family == "state_dict" and first

    def theirs(self, name: str) -> str:
        """The file's name for a tensor of rosinality's; repositories that renamed them override this."""
        return name

    def check(self, record: NetworkRecord) -> None:
        super().check(record)
        check_filters(record, self.filters(record, self.plan(record)))

    def remarks(self, record: NetworkRecord) -> list[str]:
        """Buffers that are made anew; where it is only the average w, how."""
        lines = super().remarks(record)
        if len(lines) != 1 or not lines[0].startswith(f"this file lacks {_AVERAGE},"):
            return lines
        return [
            "this file has no latent_avg, which truncation needs: it is the mean over 4096 random latents (seed 0), "
            "as its repository estimates it"
        ]

    def plan(self, record: NetworkRecord) -> StyleGAN2Plan:
        width = length(record, self.theirs("style.1.weight"), 1, 2)
        blocks = widths(record, lambda index: self.theirs(f"{_convolution(4 << index, 'conv1')}.conv.weight"), 1, 5)
        colours = length(record, self.theirs("to_rgb1.conv.weight"), 1, 5)
        mapping = MappingOptions(count(record, lambda index: self.theirs(f"style.{index}.weight"), first=1))
        first = (length(record, self.theirs("input.input"), 2, 4), length(record, self.theirs("input.input"), 3, 4))
        return plan_of((width, 0, width, colours), blocks, mapping, BlockOptions(first_size=first))

    def named(self, record: NetworkRecord, plan: StyleGAN2Plan, ours: str, shape: tuple[int, ...]) -> Held:
        held = self._named(ours, shape)
        return held._replace(name=self.theirs(held.name))

    @staticmethod
    def _named(ours: str, shape: tuple[int, ...]) -> Held:
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

    def filters(self, record: NetworkRecord, plan: StyleGAN2Plan) -> Shapes:
        blocks = range(len(plan.resolutions) - 1)
        names = [f"convs.{2 * i}.conv.blur.kernel" for i in blocks] + [f"to_rgbs.{i}.upsample.kernel" for i in blocks]
        return dict.fromkeys(map(self.theirs, names), (len(TAPS), len(TAPS)))


def _convolution(resolution: int, layer: str) -> str:
    return "conv1" if resolution == 4 else f"convs.{2 * (resolution.bit_length() - 4) + (layer == 'conv1')}"


HOOK = Rosinality()
