"""PGGAN: TensorFlow pickles of version 2 (``tfutil.Network``), and version 3 where StyleGAN's toolkit wrote them."""

from __future__ import annotations

from sefa_plugin.hook import HookError, NetworkRecord

from . import tf_parts as tf
from .growing_parts import PGGANPlan
from .planned import Held, RenamedHook
from .tensors import length

_DENSE = "4x4/Dense/weight"
_KNOWN: dict[str, tuple[object, ...]] = {
    "normalize_latents": (True,),
    "use_wscale": (True,),
    "use_pixelnorm": (True,),
    "pixelnorm_epsilon": (1e-8,),
    "use_leakyrelu": (True,),
    "fused_scale": (True, False),
}


class PGGAN(RenamedHook[PGGANPlan]):
    """Reads TensorFlow networks with PGGAN's first layer."""

    name = "pggan"

    def fits(self, record: NetworkRecord) -> bool:
        return record.family == "tensorflow" and _DENSE in record.tensors and "ToRGB_lod0/weight" in record.tensors

    def check(self, record: NetworkRecord) -> None:
        found = _is_fused(record)
        options = tf.arguments(record, {**_KNOWN, "fused_scale": (found, *_KNOWN["fused_scale"])})
        plan, fused = self.plan(record), options.flag("fused_scale")
        if len(plan.widths) > 1 and fused != found:
            raise HookError(f"{record.path}: fused_scale {fused} does not go with its variables")
        given = record.init_kwargs.get("label_size", 0)
        if given:
            raise HookError(f"{record.path}: a PGGAN with labels (label_size {given!r:.40}), which is not supported")
        tf.agree(record, plan.sizes())
        super().check(record)
        tf.level_of_detail(record, len(plan.widths))

    def plan(self, record: NetworkRecord) -> PGGANPlan:
        colours = length(record, "ToRGB_lod0/weight", 3, 4)
        return PGGANPlan(length(record, _DENSE, 0, 2), colours, tf.block_widths(record))

    def table(self, record: NetworkRecord, plan: PGGANPlan) -> dict[str, Held]:
        fused = _is_fused(record)
        table = {"synthesis.lod": Held("lod", ())}
        for ours, shape in plan.tensors().items():
            if ours in table:
                continue
            _, block, layer, part = ours.split(".")
            side = int(block[1:])
            others = {"conv0": "Conv0_up" if fused else "Conv0", "conv1": "Conv1"}
            place = f"{side}x{side}/{({'dense': 'Dense', 'conv1': 'Conv'} if side == 4 else others).get(layer)}"
            place = f"ToRGB_lod{len(plan.widths) + 2 - side.bit_length()}" if layer == "torgb" else place
            transposed = fused and ours.endswith("conv0.weight")
            table[ours] = tf.held(ours, shape, f"{place}/{part}", transposed)
            if transposed and record.layout == "2":  # StyleGAN's toolkit stores all kernels alike
                table[ours] = Held(f"{place}/{part}", (3, 3, *shape[:2]), (2, 3, 0, 1), flipped=True)
        return table


def _is_fused(record: NetworkRecord) -> bool:
    """Whether up-sampling and convolution are one transposed convolution, by its name."""
    return "8x8/Conv0_up/weight" in record.tensors


HOOK = PGGAN()
