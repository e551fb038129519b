"""State dicts of rosinality/stylegan2-pytorch, and of the projects that keep its generator (StyleGAN-NADA, ...).

A file is ``{"g_ema": ..., "latent_avg": ...}``; training checkpoints lack the average w.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sefa_plugin.hook import Hook, NetworkRecord, StyleLayer

from . import state_parts as shared
from . import stylegan2_parts as parts
from .arguments import compare_tensors
from .state_parts import Held

if TYPE_CHECKING:
    import numpy as np
    from torch import nn

_AVERAGE = "latent_avg"
_GAIN = 4  # of the stored filters: doubling the size inserts zeros, so the mean is a quarter


class Rosinality(Hook):
    """Reads state dicts with the names of rosinality/stylegan2-pytorch."""

    name = "rosinality"

    def fits(self, record: NetworkRecord) -> bool:
        """A state_dict with this generator's constant and first modulated convolution."""
        return (
            record.family == "state_dict"
            and "input.input" in record.tensors
            and "conv1.conv.modulation.weight" in record.tensors
        )

    def check(self, record: NetworkRecord) -> None:
        """Compare tensors with what this generator consists of, and its filters with the usual ones."""
        plan = _plan(record)
        wanted = {**shared.expected(_table(plan)), **dict.fromkeys(_filters(plan), (len(shared.TAPS),) * 2)}
        if _AVERAGE in record.tensors:
            wanted[_AVERAGE] = (plan.w_dim,)
        compare_tensors(record, wanted)
        shared.check_filters(record, _filters(plan), _GAIN)

    def remarks(self, record: NetworkRecord) -> list[str]:
        """Origin of the average w if the file has none."""
        if _AVERAGE in record.tensors:
            return []
        return [
            "this file has no latent_avg, which truncation needs: it is the mean over 4096 random latents (seed 0), "
            "as its repository estimates it"
        ]

    def describe(self, record: NetworkRecord) -> dict[str, int]:
        """Sizes of the network."""
        return _plan(record).described()

    def style_layers(self, record: NetworkRecord) -> list[StyleLayer]:
        """Every affine of the synthesis network, in the order of execution."""
        plan = _plan(record)
        return parts.style_layers(plan, shared.renamed(record, _table(plan)))

    def mapping_layer(self, record: NetworkRecord) -> StyleLayer:
        """The first mapping layer."""
        plan = _plan(record)
        return parts.mapping_layer(plan, shared.renamed(record, _table(plan)))

    def state(self, record: NetworkRecord) -> dict[str, np.ndarray]:
        """Arrays by the names of our generator."""
        plan = _plan(record)
        made = shared.stylegan2_state(record, plan, _table(plan))
        if _AVERAGE in record.tensors:
            made["mapping.w_avg"] = shared.array(record.tensors[_AVERAGE])
        else:
            made["mapping.w_avg"] = shared.mean_w(made, plan.mapping.num_layers, plan.mapping.lr_multiplier)
        return made

    def build(self, record: NetworkRecord) -> nn.Module:
        """Build the generator (see ``sefa_plugin.generators.stylegan2``)."""
        return parts.build(_plan(record))


def _plan(record: NetworkRecord) -> parts.Plan:
    depth = shared.count(record, "style.{}.weight".format, first=1)
    blocks = shared.count(record, "to_rgbs.{}.bias".format)
    width = shared.length(record, "style.1.weight", 1, 2)
    channels = {4: shared.length(record, "input.input", 1, 4)}
    for index in range(blocks):
        channels[8 << index] = shared.length(record, f"convs.{2 * index}.conv.weight", 1, 5)
    colours = shared.length(record, "to_rgb1.conv.weight", 1, 5)
    return shared.stylegan2_plan(record, (width, 0, width, colours), channels, parts.MappingOptions(num_layers=depth))


def _convolution(resolution: int, ours: str) -> tuple[str, int]:
    """The file's name of a block's convolution, and its number among the noise inputs."""
    if resolution == 4:
        return "conv1", 0
    number = 2 * (resolution.bit_length() - 4) + (ours == "conv1")
    return f"convs.{number}", number + 1


def _table(plan: parts.Plan) -> dict[str, Held]:
    """Every tensor of our generator but the filters, and where it lies in the file."""
    shapes = {key: shape for key, shape in parts.expected_tensors(plan).items() if not shared.is_filter(key)}
    del shapes["mapping.w_avg"]
    table = {"synthesis.b4.const": Held("input.input", (1, *shapes["synthesis.b4.const"]))}
    for index in range(plan.mapping.num_layers):
        for part in ("weight", "bias"):
            ours = f"mapping.fc{index}.{part}"
            table[ours] = Held(f"style.{index + 1}.{part}", shapes[ours])
    for ours, shape in shapes.items():
        if ours in table:
            continue
        _, block, layer, *rest = ours.split(".")
        resolution, part = int(block[1:]), ".".join(rest)
        if layer == "torgb":
            theirs = "to_rgb1" if resolution == 4 else f"to_rgbs.{resolution.bit_length() - 4}"
        else:
            theirs, number = _convolution(resolution, layer)
        if part.startswith("affine."):
            table[ours] = Held(f"{theirs}.conv.modulation.{rest[-1]}", shape)
        elif part == "weight":
            table[ours] = Held(f"{theirs}.conv.weight", (1, *shape))
        elif part == "bias" and layer == "torgb":
            table[ours] = Held(f"{theirs}.bias", (1, *shape, 1, 1))
        elif part == "bias":
            table[ours] = Held(f"{theirs}.activate.bias", shape)
        elif part == "noise_strength":
            table[ours] = Held(f"{theirs}.noise.weight", (1,))
        else:
            table[ours] = Held(f"noises.noise_{number}", (1, 1, *shape))
    return table


def _filters(plan: parts.Plan) -> list[str]:
    """Names of the filters in the file."""
    blocks = range(len(plan.resolutions) - 1)
    return [f"convs.{2 * i}.conv.blur.kernel" for i in blocks] + [f"to_rgbs.{i}.upsample.kernel" for i in blocks]


HOOK = Rosinality()
