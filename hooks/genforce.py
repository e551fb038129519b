"""State dicts of genforce/genforce and genforce/sefa: StyleGAN2 and -ADA (a ``.pth`` with ``generator_smooth``).

Constructor arguments that no tensor shows are assumed to have their defaults, with a remark.
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
    assumed,
    check_filters,
    plan_of,
)
from .tensors import count, length, widths

_PARTS = {"affine.weight": "style.weight", "affine.bias": "style.bias", "noise_const": "noise"}


class GenForce(StyleGAN2RenamedHook):
    """Reads state dicts of StyleGAN2 with genforce's names.

    Attributes:
        average, embedding: the names of the average w and of the embedding of labels.
        flips: whether the kernels of up-sampling convolutions are turned round at run time, as in TensorFlow.
        filter_gain: the sum of a stored filter.
    """

    name = "genforce"
    adds_one = True
    average, embedding = "truncation.w_avg", "mapping.LabelEmbed"
    flips = True
    filter_gain = 4

    def fits(self, record: NetworkRecord) -> bool:
        held = record.tensors
        first = "synthesis.early_layer.const" in held and "synthesis.layer0.style.weight" in held
        return record.family == "state_dict" and first

    def check(self, record: NetworkRecord) -> None:
        super().check(record)
        check_filters(record, self.filters(record, self.plan(record)), self.filter_gain)

    def remarks(self, record: NetworkRecord) -> list[str]:
        return [*super().remarks(record), assumed("final_tanh off, use_wscale on, mapping_lr_mul 0.01")]

    def plan(self, record: NetworkRecord) -> StyleGAN2Plan:
        blocks = widths(record, lambda index: f"synthesis.layer{2 * index}.weight")
        skip = len(blocks) == 1 or "synthesis.output0.weight" in record.tensors
        hidden, z_dim = (length(record, "mapping.dense0.weight", axis, 2) for axis in (0, 1))
        w_dim = length(record, "synthesis.layer0.style.weight", 1, 2)
        colours = length(record, f"synthesis.output{len(blocks) - 1}.weight", 0, 4)
        embed = f"{self.embedding}.weight"
        c_dim = length(record, embed, 1, 2) if embed in record.tensors else 0  # StyleGAN2-ADA's
        z_dim //= 2 if c_dim else 1
        depth = count(record, "mapping.dense{}.weight".format)
        mapping = MappingOptions(depth, embed_features=z_dim, layer_features=hidden if depth > 1 else w_dim)
        return plan_of((z_dim, c_dim, w_dim, colours), blocks, mapping, BlockOptions("skip" if skip else "orig"))

    def named(self, record: NetworkRecord, plan: StyleGAN2Plan, ours: str, shape: tuple[int, ...]) -> Held:
        if ours == "mapping.w_avg":
            return Held(self.average, shape)
        if ours.startswith("mapping."):
            return Held(ours.replace("mapping.embed", self.embedding).replace(".fc", ".dense"), shape)
        if ours == "synthesis.b4.const":
            return Held("synthesis.early_layer.const", (1, *shape))
        _, block, layer, part = ours.split(".", 3)
        number = int(block[1:]).bit_length() - 3
        theirs = f"output{number}" if layer == "torgb" else f"layer{2 * number - (layer == 'conv0')}"
        shape = (1, 1, *shape) if part == "noise_const" else shape
        flipped = self.flips and ours.endswith(".conv0.weight")
        return Held(f"synthesis.{theirs}.{_PARTS.get(part, part)}", shape, flipped=flipped)

    def filters(self, record: NetworkRecord, plan: StyleGAN2Plan) -> Shapes:
        names = [f"synthesis.layer{2 * index - 1}.filter.kernel" for index in range(1, len(plan.resolutions))]
        names += ["synthesis.upsample.kernel"] if plan.block.architecture == "skip" else []
        return dict.fromkeys(names, (1, 1, len(TAPS), len(TAPS)))


HOOK = GenForce()
