"""StyleGAN2 and StyleGAN2-ADA of the TensorFlow toolkits: pickles of versions 4 and 5.

Configs B-D of StyleGAN2 are the architecture "orig" with the ToRGB layers of every level of detail in the
file; E and F are "skip". Config A is the first StyleGAN (see ``stylegan1``).
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from sefa_plugin.hook import Hook, HookError, NetworkRecord, StyleLayer

from . import state_parts as shared
from . import stylegan1
from . import stylegan2_parts as parts
from . import tf_parts as tf
from .arguments import Options, compare_tensors
from .state_parts import Held

if TYPE_CHECKING:
    import numpy as np
    from torch import nn

_CONST = "synthesis/4x4/Const/const"
_TAPS = [1, 3, 3, 1]
_KNOWN: dict[str, tuple[object, ...]] = {
    "mapping_nonlinearity": ("lrelu", "relu"),
    "nonlinearity": ("lrelu", "relu", "linear", "tanh", "sigmoid", "elu", "selu", "softplus", "swish"),
    "use_wscale": (True,),
    "normalize_latents": (True, False),
    "architecture": ("skip", "orig", "resnet"),
    "use_noise": (True, False),
    "resample_kernel": (_TAPS, None),
}
_PARTS = {
    "weight": "weight",
    "bias": "bias",
    "noise_strength": "noise_strength",
    "affine.weight": "mod_weight",
    "affine.bias": "mod_bias",
}


class StyleGAN2TF(Hook):
    """Reads TensorFlow networks with a constant and modulated convolutions."""

    name = "stylegan2_tf"

    def fits(self, record: NetworkRecord) -> bool:
        """A TensorFlow network with a constant and a modulated convolution."""
        held = record.tensors
        return record.family == "tensorflow" and _CONST in held and "synthesis/4x4/Conv/mod_weight" in held

    def check(self, record: NetworkRecord) -> None:
        """Compare arguments and variables with what this generator consists of."""
        plan, revised = _plan(record), _is_revised(record)
        sizes = self.describe(record)
        if sizes["z_dim"] < 1:
            raise HookError(f"{record.path}: its mapping network has no room for latents: a damaged network")
        stylegan1.agree_on_sizes(record, sizes)
        wanted = shared.expected(_table(plan, revised))
        if "lod" in record.tensors:
            lod = tf.level_of_detail(record, len(plan.resolutions))
            if revised and lod > 0:
                raise HookError(
                    f"{record.path}: is still growing (lod {lod:g}), which is not supported for this generation; "
                    "use a snapshot from the end of the training"
                )
            wanted["lod"] = ()
        if revised:
            wanted["synthesis/lod"] = ()
            wanted.update(_older_colours(record, plan))
        compare_tensors(record, wanted)

    def describe(self, record: NetworkRecord) -> dict[str, int]:
        """Sizes of the network."""
        return _plan(record).described()

    def style_layers(self, record: NetworkRecord) -> list[StyleLayer]:
        """Every affine of the synthesis network, in the order of execution."""
        plan = _plan(record)
        return parts.style_layers(plan, _with_our_names(record, plan, ".affine.weight"))

    def mapping_layer(self, record: NetworkRecord) -> StyleLayer:
        """The first mapping layer; its first ``z_dim`` columns belong to z, the rest to the label."""
        plan = _plan(record)
        return parts.mapping_layer(plan, _with_our_names(record, plan, "mapping.fc0.weight"))

    def state(self, record: NetworkRecord) -> dict[str, np.ndarray]:
        """Arrays by the names of our generator.

        TensorFlow scales weights at run time before the demodulation (section 2.2) adds its epsilon, so the factor is
        multiplied into ours. Up-sampling kernels are flipped, and the 1 in the style's bias is not stored.
        """
        plan = _plan(record)
        made = {}
        for ours, held in _table(plan, _is_revised(record)).items():
            tensor = record.tensors[held.name]
            if len(held.shape) == 4 and ours.endswith(".weight"):
                made[ours] = tf.conv(tensor, turned=".conv0." in ours or ".skip." in ours)
            elif len(held.shape) == 2:
                made[ours] = tf.dense(tensor)
            else:
                made[ours] = tf.array(tensor)
            if ours.endswith((".conv0.weight", ".conv1.weight")):
                made[ours] /= math.sqrt(math.prod(made[ours].shape[1:]))
            elif ours.endswith(".affine.bias"):
                made[ours] += 1
            elif ours.endswith(("const", "noise_const")):
                made[ours] = made[ours].reshape(held.shape[1:] if ours.endswith(".const") else held.shape[2:])
        return {**made, **_filters(plan)}

    def build(self, record: NetworkRecord) -> nn.Module:
        """Build the generator (see ``sefa_plugin.generators.stylegan2``)."""
        return parts.build(_plan(record))


def _is_revised(record: NetworkRecord) -> bool:
    """Whether the file has ToRGB layers for growing."""
    return "synthesis/ToRGB_lod0/mod_weight" in record.tensors


def _options(record: NetworkRecord) -> Options:
    numbers: dict[str, float | None] = {"mapping_lrmul": 0.01}
    if record.layout == "5":  # no such argument before ADA
        numbers["conv_clamp"] = None
    return Options(record, {"conv_clamp": None, **tf.arguments(record, _KNOWN, numbers).values})


def _plan(record: NetworkRecord) -> parts.Plan:
    options = _options(record)
    resolutions = tf.blocks(record, "synthesis/{0}x{0}/Conv1/weight")
    layers = ["4x4/Conv"] + [f"{side}x{side}/Conv1" for side in resolutions[1:]]
    channels = {s: tf.axis(record, f"synthesis/{layer}/weight", 3, 4) for s, layer in zip(resolutions, layers)}
    colours = "ToRGB_lod0" if _is_revised(record) else f"{resolutions[-1]}x{resolutions[-1]}/ToRGB"
    depth = tf.count(record, "mapping/Dense{}/weight")
    w_dim = tf.axis(record, "synthesis/4x4/Conv/mod_weight", 0, 2)
    inputs = tf.axis(record, "mapping/Dense0/weight", 0, 2)
    mapping = parts.MappingOptions(
        num_layers=depth,
        layer_features=tf.axis(record, "mapping/Dense0/weight", 1, 2) if depth > 1 else w_dim,
        activation=options.text("mapping_nonlinearity"),
        lr_multiplier=options.number("mapping_lrmul"),
        normalize_latents=options.flag("normalize_latents"),
    )
    c_dim, z_dim = 0, inputs
    if "mapping/LabelConcat/weight" in record.tensors:
        c_dim, z_dim = (tf.axis(record, "mapping/LabelConcat/weight", index, 2) for index in (0, 1))
        mapping = mapping._replace(label_concat=True, embed_features=z_dim)
    elif "mapping/LabelEmbed/weight" in record.tensors:
        c_dim, embed = (tf.axis(record, "mapping/LabelEmbed/weight", index, 2) for index in (0, 1))
        z_dim = inputs - embed
        mapping = mapping._replace(embed_features=embed)
    elif record.layout == "4":
        mapping = mapping._replace(label_concat=True)
    sizes = (z_dim, c_dim, w_dim, tf.axis(record, f"synthesis/{colours}/weight", 3, 4))
    block = parts.BlockOptions(
        architecture="orig" if _is_revised(record) else options.text("architecture"),
        conv_clamp=options.number_or_none("conv_clamp"),
        use_noise=options.flag("use_noise"),
        activation=options.text("nonlinearity"),
        resample_filter=options.numbers_or_none("resample_kernel") or [1, 1],  # None is a box filter in TensorFlow
    )
    return shared.stylegan2_plan(record, sizes, channels, mapping, block)


def _table(plan: parts.Plan, revised: bool) -> dict[str, Held]:
    """Every tensor of our generator but the filters, and which variable it is."""
    shapes = {key: shape for key, shape in parts.expected_tensors(plan).items() if not shared.is_filter(key)}
    table = {}
    for ours, shape in shapes.items():
        theirs, layout = _variable(ours, shape, plan, revised)
        table[ours] = Held(theirs, layout)
    return table


def _variable(ours: str, shape: tuple[int, ...], plan: parts.Plan, revised: bool) -> tuple[str, tuple[int, ...]]:
    turned = shape[::-1] if len(shape) == 2 else (shape[2], shape[3], shape[1], shape[0]) if len(shape) == 4 else shape
    if ours == "mapping.w_avg":
        return "dlatent_avg", shape
    if ours.startswith("mapping.embed."):
        kind = "LabelConcat" if plan.mapping.label_concat else "LabelEmbed"
        return f"mapping/{kind}/{ours.rpartition('.')[2]}", turned
    if ours.startswith("mapping.fc"):
        layer, part = ours[len("mapping.fc") :].split(".")
        return f"mapping/Dense{layer}/{part}", turned
    if ours == "synthesis.b4.const":
        return _CONST, (1, *shape)
    _, block, layer, part = ours.split(".", 3)
    side = block[1:]
    if part == "noise_const":
        row = 2 * int(math.log2(int(side))) - (5 if layer == "conv0" else 4)
        return f"synthesis/noise{row}", (1, 1, *shape)
    place = {"conv0": "Conv0_up", "conv1": "Conv" if side == "4" else "Conv1", "torgb": "ToRGB", "skip": "Skip"}[layer]
    where = "ToRGB_lod0" if revised and layer == "torgb" else f"{side}x{side}/{place}"
    return f"synthesis/{where}/{_PARTS[part]}", turned


def _older_colours(record: NetworkRecord, plan: parts.Plan) -> dict[str, tuple[int, ...]]:
    """ToRGB variables of the smaller resolutions, which a fully grown network does not use."""
    shapes: dict[str, tuple[int, ...]] = {}
    last = len(plan.resolutions) - 1
    for index, side in enumerate(plan.resolutions[:-1]):
        inside = f"synthesis/ToRGB_lod{last - index}"
        if f"{inside}/weight" in record.tensors:  # missing if the network was not grown ("fixed")
            width = plan.channels(side)
            shapes[f"{inside}/weight"] = (1, 1, width, plan.img_channels)
            shapes[f"{inside}/bias"] = (plan.img_channels,)
            shapes[f"{inside}/mod_weight"] = (plan.w_dim, width)
            shapes[f"{inside}/mod_bias"] = (width,)
    return shapes


def _with_our_names(record: NetworkRecord, plan: parts.Plan, ending: str) -> NetworkRecord:
    """The record with some of its matrices by our names, ``[out, in]``."""
    table = _table(plan, _is_revised(record))
    return replace(
        record,
        tensors={ours: tf.dense(record.tensors[held.name]) for ours, held in table.items() if ours.endswith(ending)},
    )


def _filters(plan: parts.Plan) -> dict[str, np.ndarray]:
    import numpy as np

    given = plan.block.resample_filter or _TAPS
    filters = {}
    for name, shape in parts.expected_tensors(plan).items():
        if shared.is_filter(name):
            taps = given if shape == (len(given),) * 2 else _TAPS
            kernel = np.outer(taps, taps).astype(np.float32)
            filters[name] = kernel / kernel.sum()
    return filters


HOOK = StyleGAN2TF()
