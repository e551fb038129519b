"""StyleGAN2 and StyleGAN2-ADA of the TensorFlow toolkits: pickles of versions 4 and 5.

Configs B-D of StyleGAN2 are the architecture "orig" with the ToRGB layers of every level of detail in the
file; E and F are "skip". Config A is the first StyleGAN (see ``stylegan1``).
"""

from __future__ import annotations

from sefa_plugin.hook import HookError, NetworkRecord

from . import tf_parts as tf
from .arguments import Options
from .buffers import TAPS
from .planned import Held, Shapes
from .stylegan2_parts import BlockOptions, MappingOptions, StyleGAN2Plan, StyleGAN2RenamedHook, plan_of
from .tensors import count, length

_KNOWN: dict[str, tuple[object, ...]] = {
    "mapping_nonlinearity": ("lrelu", "relu"),
    "nonlinearity": ("lrelu", "relu", "linear", "tanh", "sigmoid", "elu", "selu", "softplus", "swish"),
    "use_wscale": (True,),
    "normalize_latents": (True, False),
    "architecture": ("skip", "orig", "resnet"),
    "use_noise": (True, False),
    "resample_kernel": (list(TAPS), None),
}
_PARTS = {"affine.weight": "mod_weight", "affine.bias": "mod_bias"}


class StyleGAN2TF(StyleGAN2RenamedHook):
    """Reads TensorFlow networks with a constant and modulated convolutions."""

    name = "stylegan2_tf"
    adds_one = True

    def fits(self, record: NetworkRecord) -> bool:
        held = record.tensors
        return record.family == "tensorflow" and tf.CONST in held and "synthesis/4x4/Conv/mod_weight" in held

    def check(self, record: NetworkRecord) -> None:
        plan = self.plan(record)
        if plan.z_dim < 1:
            raise HookError(f"{record.path}: its mapping network has no room for latents: a damaged network")
        tf.agree(record, plan.sizes())
        lod = tf.level_of_detail(record, len(plan.resolutions)) if "lod" in record.tensors else 0
        if lod > 0 and _is_revised(record):
            raise HookError(
                f"{record.path}: is still growing (lod {lod:g}), which is not supported for this generation; "
                "use a snapshot from the end of the training"
            )
        super().check(record)

    def plan(self, record: NetworkRecord) -> StyleGAN2Plan:
        options = _options(record)
        widths = tf.block_widths(record, "synthesis/")
        depth = count(record, "mapping/Dense{}/weight".format)
        inputs, hidden = (length(record, "mapping/Dense0/weight", axis, 2) for axis in (0, 1))
        mapping = MappingOptions(
            num_layers=depth,
            layer_features=hidden if depth > 1 else None,
            activation=options.text("mapping_nonlinearity"),
            lr_multiplier=options.number("mapping_lrmul"),
            normalize_latents=options.flag("normalize_latents"),
        )
        c_dim, z_dim = 0, inputs
        if "mapping/LabelConcat/weight" in record.tensors:
            c_dim, z_dim = (length(record, "mapping/LabelConcat/weight", axis, 2) for axis in (0, 1))
            mapping = mapping._replace(label_concat=True, embed_features=z_dim)
        elif "mapping/LabelEmbed/weight" in record.tensors:
            c_dim, embed = (length(record, "mapping/LabelEmbed/weight", axis, 2) for axis in (0, 1))
            z_dim = inputs - embed
            mapping = mapping._replace(embed_features=embed)
        elif record.layout == "4":
            mapping = mapping._replace(label_concat=True)
        w_dim = length(record, "synthesis/4x4/Conv/mod_weight", 0, 2)
        colours = length(record, f"synthesis/{_torgb(record, 2 << len(widths))}/weight", 3, 4)
        block = BlockOptions(
            architecture="orig" if _is_revised(record) else options.text("architecture"),
            conv_clamp=options.number_or_none("conv_clamp"),
            use_noise=options.flag("use_noise"),
            activation=options.text("nonlinearity"),
            resample_filter=options.numbers_or_none("resample_kernel") or [1, 1],  # None is a box filter in TensorFlow
        )
        return plan_of((z_dim, c_dim, w_dim, colours), widths, mapping, block)

    def named(self, record: NetworkRecord, plan: StyleGAN2Plan, ours: str, shape: tuple[int, ...]) -> Held:
        block, label = ours.split(".")[1], "LabelConcat" if plan.mapping.label_concat else "LabelEmbed"
        torgb = _torgb(record, int(block[1:])) if ".torgb." in ours else ""
        theirs = tf.variable(ours, torgb, _PARTS, 1, label)
        return tf.held(ours, shape, theirs, flipped=".conv0." in ours or ".skip." in ours)

    def others(self, record: NetworkRecord, plan: StyleGAN2Plan) -> Shapes:
        """Levels of detail, and ToRGB layers of smaller resolutions, which a fully grown network does not use."""
        shapes: Shapes = {"lod": ()} if "lod" in record.tensors else {}
        if not _is_revised(record):
            return shapes
        shapes["synthesis/lod"] = ()
        for lod, side in enumerate(reversed(plan.resolutions[:-1]), start=1):
            inside = f"synthesis/ToRGB_lod{lod}"
            if f"{inside}/weight" in record.tensors:  # missing if the network was not grown ("fixed")
                width = plan.channels(side)
                shapes[f"{inside}/weight"] = (1, 1, width, plan.img_channels)
                shapes[f"{inside}/bias"] = (plan.img_channels,)
                shapes[f"{inside}/mod_weight"] = (plan.w_dim, width)
                shapes[f"{inside}/mod_bias"] = (width,)
        return shapes


def _is_revised(record: NetworkRecord) -> bool:
    """Whether the file has ToRGB layers for growing."""
    return "synthesis/ToRGB_lod0/mod_weight" in record.tensors


def _torgb(record: NetworkRecord, side: int) -> str:
    return "ToRGB_lod0" if _is_revised(record) else f"{side}x{side}/ToRGB"


def _options(record: NetworkRecord) -> Options:
    numbers: dict[str, float | None] = {"mapping_lrmul": 0.01}
    if record.layout == "5":  # no such argument before ADA
        numbers["conv_clamp"] = None
    return Options(record, {"conv_clamp": None, **tf.arguments(record, _KNOWN, numbers).values})


HOOK = StyleGAN2TF()
