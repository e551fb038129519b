"""State dicts of genforce/genforce and genforce/sefa: StyleGAN2 and -ADA (a ``.pth`` with ``generator_smooth``).

Constructor arguments that no tensor shows are assumed to have their defaults, with a remark.
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

_EMBED = "mapping.LabelEmbed.weight"
_PARTS = {"affine.weight": "style.weight", "affine.bias": "style.bias", "noise_const": "noise"}
_GAIN = 4  # of the stored filters: doubling the size inserts zeros, so the mean is a quarter


class GenForce(Hook):
    """Reads state dicts of StyleGAN2 with genforce's names."""

    name = "genforce"

    def fits(self, record: NetworkRecord) -> bool:
        """A state_dict with this generator's constant and the style of its first layer."""
        return (
            record.family == "state_dict"
            and "synthesis.early_layer.const" in record.tensors
            and "synthesis.layer0.style.weight" in record.tensors
        )

    def check(self, record: NetworkRecord) -> None:
        """Compare tensors with what this generator consists of, and its filters with the usual ones."""
        plan = _plan(record)
        taps = len(shared.TAPS)
        compare_tensors(record, {**shared.expected(_table(plan)), **dict.fromkeys(_filters(plan), (1, 1, taps, taps))})
        shared.check_filters(record, _filters(plan), _GAIN)

    def remarks(self, record: NetworkRecord) -> list[str]:
        """Say what is taken for granted."""
        return [shared.assumed("final_tanh off, use_wscale on, mapping_lr_mul 0.01")]

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
        for ours in made:
            if ours.endswith(".affine.bias"):
                made[ours] += 1  # genforce adds this 1 at run time
            elif ours.endswith(".conv0.weight"):
                made[ours] = made[ours][:, :, ::-1, ::-1].copy()  # genforce flips them at run time, as TensorFlow does
        return made

    def build(self, record: NetworkRecord) -> nn.Module:
        """Build the generator (see ``sefa_plugin.generators.stylegan2``)."""
        return parts.build(_plan(record))


def _plan(record: NetworkRecord) -> parts.Plan:
    depth = shared.count(record, "mapping.dense{}.weight".format)
    blocks = shared.count(record, lambda index: f"synthesis.layer{2 * index}.weight")
    skip = blocks == 1 or "synthesis.output0.weight" in record.tensors
    z_dim = shared.length(record, "mapping.dense0.weight", 1, 2)
    w_dim = shared.length(record, "synthesis.layer0.style.weight", 1, 2)
    hidden = shared.length(record, "mapping.dense0.weight", 0, 2) if depth > 1 else w_dim
    channels = {4: shared.length(record, "synthesis.early_layer.const", 1, 4)}
    for index in range(1, blocks):
        channels[4 << index] = shared.length(record, f"synthesis.layer{2 * index}.weight", 0, 4)
    colours = shared.length(record, f"synthesis.output{blocks - 1}.weight", 0, 4)
    c_dim = shared.length(record, _EMBED, 1, 2) if _EMBED in record.tensors else 0  # StyleGAN2-ADA's
    z_dim //= 2 if c_dim else 1
    mapping = parts.MappingOptions(num_layers=depth, layer_features=hidden, embed_features=z_dim)
    block = parts.BlockOptions(architecture="skip" if skip else "orig")
    return shared.stylegan2_plan(record, (z_dim, c_dim, w_dim, colours), channels, mapping, block)


def _table(plan: parts.Plan) -> dict[str, Held]:
    """Every tensor of our generator but the filters, and where it lies in the file."""
    shapes = {key: shape for key, shape in parts.expected_tensors(plan).items() if not shared.is_filter(key)}
    table = {}
    for ours, shape in shapes.items():
        if ours == "mapping.w_avg":
            table[ours] = Held("truncation.w_avg", shape)
        elif ours.startswith("mapping.embed."):
            table[ours] = Held(ours.replace(".embed.", ".LabelEmbed."), shape)
        elif ours.startswith("mapping.fc"):
            table[ours] = Held(ours.replace(".fc", ".dense"), shape)
        elif ours == "synthesis.b4.const":
            table[ours] = Held("synthesis.early_layer.const", (1, *shape))
        else:
            _, block, layer, part = ours.split(".", 3)
            number = int(block[1:]).bit_length() - 3
            theirs = f"output{number}" if layer == "torgb" else f"layer{2 * number - (layer == 'conv0')}"
            part = _PARTS.get(part, part)
            table[ours] = Held(f"synthesis.{theirs}.{part}", (1, 1, *shape) if part == "noise" else shape)
    return table


def _filters(plan: parts.Plan) -> list[str]:
    """Names of the filters in the file."""
    blocks = len(plan.resolutions)
    skip = ["synthesis.upsample.kernel"] if plan.block.architecture == "skip" else []
    return [f"synthesis.layer{2 * index - 1}.filter.kernel" for index in range(1, blocks)] + skip


HOOK = GenForce()
