"""The first StyleGAN: TensorFlow pickles of version 3, and config A of the StyleGAN2 toolkit (version 4)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from sefa_plugin.hook import Hook, NetworkRecord, StyleLayer

from . import tf_parts as tf
from .arguments import Options, compare_tensors

if TYPE_CHECKING:
    import numpy as np
    from torch import nn

_CONST = "synthesis/4x4/Const/const"
_FUSED_FROM = 128  # pixels, with fused_scale "auto"
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


class StyleGAN1(Hook):
    """Reads TensorFlow networks whose constant is followed by a style."""

    name = "stylegan1"

    def fits(self, record: NetworkRecord) -> bool:
        """A TensorFlow network whose constant is followed by a style."""
        return record.family == "tensorflow" and "synthesis/4x4/Const/StyleMod/weight" in record.tensors

    def check(self, record: NetworkRecord) -> None:
        """Compare arguments and variables with what this generator consists of."""
        _options(record)
        sizes = _sizes(record)
        agree_on_sizes(record, sizes)
        compare_tensors(record, _expected(record))
        tf.level_of_detail(record, len(_widths(record)))

    def describe(self, record: NetworkRecord) -> dict[str, int]:
        """Sizes of the network."""
        return _sizes(record)

    def style_layers(self, record: NetworkRecord) -> list[StyleLayer]:
        """Every affine in the order of execution: scales of all channels, then shifts (AdaIN)."""
        gain = 1 / math.sqrt(_sizes(record)["w_dim"])
        layers = []
        for row, (ours, theirs) in enumerate(_layers(record)):
            weight, side = tf.dense(record.tensors[f"{theirs}/StyleMod/weight"]), 4 << row // 2
            layers.append(StyleLayer(f"{ours}.affine", weight, row, "conv", gain, size=side, detail=float(side)))
        return layers

    def mapping_layer(self, record: NetworkRecord) -> StyleLayer:
        """The first mapping layer; its first ``z_dim`` columns belong to z, the rest to the label."""
        weight = tf.dense(record.tensors["mapping/Dense0/weight"])
        gain = math.sqrt(2) * _options(record).number("mapping_lrmul") / math.sqrt(weight.shape[1])
        return StyleLayer("mapping.fc0", weight, -1, "mapping", gain)

    def state(self, record: NetworkRecord) -> dict[str, np.ndarray]:
        """Arrays by the names of our generator."""
        held, fused = record.tensors, _options(record).values["fused_scale"]
        made = mapping_state(record)
        for key in made:
            if key.endswith(".bias"):
                made[key] = made[key] / math.sqrt(2)  # see sefa_plugin.generators.stylegan1
        made["synthesis.lod"] = tf.array(held["lod"])
        made["synthesis.b4.const"] = tf.array(held[_CONST])[0]
        for row, (ours, theirs) in enumerate(_layers(record)):
            side = 4 << row // 2
            if row:
                turned = theirs.endswith("Conv0_up") and (side >= _FUSED_FROM if fused == "auto" else bool(fused))
                made[f"{ours}.weight"] = tf.conv(held[f"{theirs}/weight"], turned)
            made[f"{ours}.bias"] = tf.array(held[f"{theirs}/bias"])
            made[f"{ours}.noise_strength"] = tf.array(held[f"{theirs}/Noise/weight"])
            made[f"{ours}.noise_const"] = tf.array(held[f"synthesis/noise{row}"])[0, 0]
            made[f"{ours}.affine.weight"] = tf.dense(held[f"{theirs}/StyleMod/weight"])
            made[f"{ours}.affine.bias"] = tf.array(held[f"{theirs}/StyleMod/bias"])
        resolutions = _resolutions(record)
        for index, side in enumerate(resolutions):
            colours = f"synthesis/ToRGB_lod{len(resolutions) - 1 - index}"
            made[f"synthesis.b{side}.torgb.weight"] = tf.conv(held[f"{colours}/weight"])
            made[f"synthesis.b{side}.torgb.bias"] = tf.array(held[f"{colours}/bias"])
        return made

    def build(self, record: NetworkRecord) -> nn.Module:
        """Build the generator (see ``sefa_plugin.generators.stylegan1``)."""
        from sefa_plugin.generators.stylegan1 import Generator

        sizes, options = _sizes(record), _options(record)
        return Generator(
            sizes["z_dim"],
            sizes["c_dim"],
            sizes["w_dim"],
            sizes["channels"],
            _widths(record),
            mapping_kwargs={
                "num_layers": tf.count(record, "mapping/Dense{}/weight"),
                "layer_features": tf.axis(record, "mapping/Dense0/weight", 1, 2),
                "embed_features": sizes["z_dim"],
                "activation": options.text("mapping_nonlinearity"),
                "lr_multiplier": options.number("mapping_lrmul"),
                "label_concat": True,
                "normalize_latents": options.flag("normalize_latents"),
            },
            synthesis_kwargs={
                "blur_filter": options.numbers_or_none("blur_filter") or None,
                "activation": options.text("nonlinearity"),
            },
        )


def _resolutions(record: NetworkRecord) -> list[int]:
    return tf.blocks(record, "synthesis/{0}x{0}/Conv1/weight")


def _layers(record: NetworkRecord) -> list[tuple[str, str]]:
    """Our name and theirs of every layer, in the order of execution."""
    layers = [("synthesis.b4.conv0", "synthesis/4x4/Const"), ("synthesis.b4.conv1", "synthesis/4x4/Conv")]
    for side in _resolutions(record)[1:]:
        layers.append((f"synthesis.b{side}.conv0", f"synthesis/{side}x{side}/Conv0_up"))
        layers.append((f"synthesis.b{side}.conv1", f"synthesis/{side}x{side}/Conv1"))
    return layers


def _widths(record: NetworkRecord) -> list[int]:
    return [tf.axis(record, f"{theirs}/weight", 3, 4) for _, theirs in _layers(record)[1::2]]


def mapping_shapes(record: NetworkRecord, sizes: dict[str, int]) -> dict[str, tuple[int, ...]]:
    """Variables of a mapping network of the first two generations (StyleGAN2's is the same)."""
    depth = tf.count(record, "mapping/Dense{}/weight")
    hidden = tf.axis(record, "mapping/Dense0/weight", 1, 2)
    first = sizes["z_dim"] * (2 if sizes["c_dim"] else 1)
    ends = [first] + [hidden] * (depth - 1) + [sizes["w_dim"]]
    shapes: dict[str, tuple[int, ...]] = {"dlatent_avg": (sizes["w_dim"],)}
    for index, (inputs, outputs) in enumerate(zip(ends, ends[1:])):
        shapes[f"mapping/Dense{index}/weight"] = (inputs, outputs)
        shapes[f"mapping/Dense{index}/bias"] = (outputs,)
    if sizes["c_dim"]:
        shapes["mapping/LabelConcat/weight"] = (sizes["c_dim"], sizes["z_dim"])
    return shapes


def _expected(record: NetworkRecord) -> dict[str, tuple[int, ...]]:
    sizes, widths = _sizes(record), _widths(record)
    shapes = {**mapping_shapes(record, sizes), "lod": (), "synthesis/lod": (), _CONST: (1, widths[0], 4, 4)}
    before = 0  # unused: the constant has no kernel
    for row, (_, theirs) in enumerate(_layers(record)):
        width, side = widths[row // 2], 4 << row // 2
        if row:
            shapes[f"{theirs}/weight"] = (3, 3, before, width)
        shapes[f"synthesis/noise{row}"] = (1, 1, side, side)
        shapes[f"{theirs}/Noise/weight"] = shapes[f"{theirs}/bias"] = (width,)
        shapes[f"{theirs}/StyleMod/weight"] = (sizes["w_dim"], 2 * width)
        shapes[f"{theirs}/StyleMod/bias"] = (2 * width,)
        before = width
    for index, width in enumerate(widths):
        lod = len(widths) - 1 - index
        shapes[f"synthesis/ToRGB_lod{lod}/weight"] = (1, 1, width, sizes["channels"])
        shapes[f"synthesis/ToRGB_lod{lod}/bias"] = (sizes["channels"],)
    return shapes


def _options(record: NetworkRecord) -> Options:
    return tf.arguments(record, _KNOWN, {"mapping_lrmul": 0.01})


def agree_on_sizes(record: NetworkRecord, sizes: dict[str, int]) -> None:
    """Compare the sizes in the arguments with those of the variables."""
    tf.agree(
        record,
        resolution=sizes["resolution"],
        num_channels=sizes["channels"],
        latent_size=sizes["z_dim"],
        label_size=sizes["c_dim"],
        dlatent_size=sizes["w_dim"],
        dlatent_broadcast=sizes["num_ws"],
        mapping_layers=tf.count(record, "mapping/Dense{}/weight"),
    )


def _sizes(record: NetworkRecord) -> dict[str, int]:
    """Sizes of the network."""
    inputs = tf.axis(record, "mapping/Dense0/weight", 0, 2)
    label = "mapping/LabelConcat/weight"
    c_dim = tf.axis(record, label, 0, 2) if label in record.tensors else 0
    resolutions = _resolutions(record)
    return {
        "z_dim": tf.axis(record, label, 1, 2) if c_dim else inputs,
        "c_dim": c_dim,
        "w_dim": tf.axis(record, "synthesis/4x4/Const/StyleMod/weight", 0, 2),
        "num_ws": 2 * len(resolutions),
        "resolution": resolutions[-1],
        "channels": tf.axis(record, "synthesis/ToRGB_lod0/weight", 3, 4),
    }


def mapping_state(record: NetworkRecord) -> dict[str, np.ndarray]:
    """Arrays of the mapping network by our names, biases as stored."""
    made = {"mapping.w_avg": tf.array(record.tensors["dlatent_avg"])}
    for index in range(tf.count(record, "mapping/Dense{}/weight")):
        made[f"mapping.fc{index}.weight"] = tf.dense(record.tensors[f"mapping/Dense{index}/weight"])
        made[f"mapping.fc{index}.bias"] = tf.array(record.tensors[f"mapping/Dense{index}/bias"])
    if "mapping/LabelConcat/weight" in record.tensors:
        made["mapping.embed.weight"] = tf.dense(record.tensors["mapping/LabelConcat/weight"])
    return made


HOOK = StyleGAN1()
