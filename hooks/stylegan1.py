"""The first StyleGAN: TensorFlow pickles of version 3, and config A of the StyleGAN2 toolkit (version 4)."""

from __future__ import annotations

from sefa_plugin.hook import NetworkRecord

from . import tf_parts as tf
from .arguments import Options
from .growing_parts import FUSED_FROM, StyleGAN1Plan, StyleGAN1RenamedHook
from .planned import Held, Shapes
from .tensors import count, length

_KNOWN: dict[str, tuple[object, ...]] = {
    "mapping_nonlinearity": ("lrelu", "relu"),
    "nonlinearity": ("lrelu", "relu"),
    "use_wscale": (True,),
    "normalize_latents": (True, False),
    "use_styles": (True,),
    "const_input_layer": (True,),
    "use_noise": (True, 1),
    "use_pixel_norm": (False,),
    "use_instance_norm": (True,),
    "fused_scale": ("auto", True, False),
    "blur_filter": ([1, 2, 1], None, [], [1], [1, 1], [1, 3, 3, 1], [1, 4, 6, 4, 1]),
}
_PARTS = {"noise_strength": "Noise/weight", "affine.weight": "StyleMod/weight", "affine.bias": "StyleMod/bias"}
_STYLE = "synthesis/4x4/Const/StyleMod/weight"


class StyleGAN1(StyleGAN1RenamedHook):
    """Reads TensorFlow networks whose constant is followed by a style."""

    name = "stylegan1"

    def fits(self, record: NetworkRecord) -> bool:
        return record.family == "tensorflow" and _STYLE in record.tensors

    def check(self, record: NetworkRecord) -> None:
        plan = self.plan(record)
        tf.agree(record, plan.sizes())
        super().check(record)
        tf.level_of_detail(record, len(plan.widths))

    def plan(self, record: NetworkRecord) -> StyleGAN1Plan:
        options = _options(record)
        label = "mapping/LabelConcat/weight"
        c_dim = length(record, label, 0, 2) if label in record.tensors else 0
        inputs, hidden = (length(record, "mapping/Dense0/weight", axis, 2) for axis in (0, 1))
        return StyleGAN1Plan(
            z_dim=length(record, label, 1, 2) if c_dim else inputs,
            c_dim=c_dim,
            w_dim=length(record, _STYLE, 0, 2),
            img_channels=length(record, "synthesis/ToRGB_lod0/weight", 3, 4),
            widths=tf.block_widths(record, "synthesis/"),
            mapping_layers=count(record, "mapping/Dense{}/weight".format),
            mapping_features=hidden,
            mapping_activation=options.text("mapping_nonlinearity"),
            lr_multiplier=options.number("mapping_lrmul"),
            normalize_latents=options.flag("normalize_latents"),
            blur_filter=options.numbers_or_none("blur_filter") or None,
            activation=options.text("nonlinearity"),
        )

    def table(self, record: NetworkRecord, plan: StyleGAN1Plan) -> dict[str, Held]:
        fused = _options(record).values["fused_scale"]
        table = {}
        for ours, shape in plan.tensors().items():
            _, block, *layer = ours.split(".")
            side = int(block[1:]) if layer and block.startswith("b") else 0
            theirs = tf.variable(ours, f"ToRGB_lod{len(plan.widths) + 2 - side.bit_length()}", _PARTS)
            flipped = layer[:1] == ["conv0"] and (side >= FUSED_FROM if fused == "auto" else bool(fused))
            table[ours] = tf.held(ours, shape, theirs, flipped)
        return table

    def others(self, record: NetworkRecord, plan: StyleGAN1Plan) -> Shapes:
        return {"synthesis/lod": ()}


def _options(record: NetworkRecord) -> Options:
    return tf.arguments(record, _KNOWN, {"mapping_lrmul": 0.01})


HOOK = StyleGAN1()
