"""PGGAN: TensorFlow pickles of version 2 (``tfutil.Network``), and version 3 where StyleGAN's toolkit wrote them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from sefa_plugin.hook import Hook, HookError, NetworkRecord, StyleLayer

from . import tf_parts as tf
from .arguments import compare_tensors

if TYPE_CHECKING:
    import numpy as np
    from torch import nn

DENSE = "4x4/Dense/weight"
NATIVE = "synthesis.b4.dense"
_KNOWN: dict[str, tuple[object, ...]] = {
    "normalize_latents": (True,),
    "use_wscale": (True,),
    "use_pixelnorm": (True,),
    "pixelnorm_epsilon": (1e-8,),
    "use_leakyrelu": (True,),
    "fused_scale": (True, False),
}


class PGGAN(Hook):
    """Reads TensorFlow networks with PGGAN's first layer."""

    name = "pggan"

    def fits(self, record: NetworkRecord) -> bool:
        """A TensorFlow network with this generator's first layer and colours."""
        return record.family == "tensorflow" and DENSE in record.tensors and "ToRGB_lod0/weight" in record.tensors

    def check(self, record: NetworkRecord) -> None:
        """Compare arguments and variables with what this generator consists of."""
        found = _up(record) == "Conv0_up"
        options = tf.arguments(record, {**_KNOWN, "fused_scale": (found, *_KNOWN["fused_scale"])})
        fused = options.flag("fused_scale")
        if len(_resolutions(record)) > 1 and fused != found:
            raise HookError(f"{record.path}: fused_scale {fused} does not go with its variables")
        sizes = _sizes(record)
        given = record.init_kwargs.get("label_size", 0)
        if given:
            raise HookError(f"{record.path}: a PGGAN with labels (label_size {given!r:.40}), which is not supported")
        tf.agree(record, resolution=sizes["resolution"], num_channels=sizes["channels"], latent_size=sizes["z_dim"])
        compare_tensors(record, _expected(record))
        tf.level_of_detail(record, len(_resolutions(record)))

    def describe(self, record: NetworkRecord) -> dict[str, int]:
        """Sizes of the network."""
        return _sizes(record)

    def style_layers(self, record: NetworkRecord) -> list[StyleLayer]:
        """The one layer that z enters."""
        return [_first(record, 0, "conv")]

    def mapping_layer(self, record: NetworkRecord) -> StyleLayer:
        """The same layer, for directions of Z."""
        return _first(record, -1, "mapping")

    def state(self, record: NetworkRecord) -> dict[str, np.ndarray]:
        """Arrays by the names of our generator."""
        held, resolutions, up = record.tensors, _resolutions(record), _up(record)
        made = {
            "synthesis.lod": tf.array(held["lod"]),
            f"{NATIVE}.weight": tf.dense(held[DENSE]),
            f"{NATIVE}.bias": tf.array(held["4x4/Dense/bias"]),
        }
        for index, side in enumerate(resolutions):
            names = (
                {"conv1": "4x4/Conv"}
                if side == 4
                else {"conv0": f"{side}x{side}/{up}", "conv1": f"{side}x{side}/Conv1"}
            )
            names["torgb"] = f"ToRGB_lod{len(resolutions) - 1 - index}"
            for ours, theirs in names.items():
                # Fused, it is a transposed convolution: flipped, and in the first toolkit stored [out, in].
                kernel = tf.conv(held[f"{theirs}/weight"], turned=theirs.endswith("Conv0_up"))
                if theirs.endswith("Conv0_up") and _transposed(record):
                    kernel = kernel.transpose(1, 0, 2, 3).copy()
                made[f"synthesis.b{side}.{ours}.weight"] = kernel
                made[f"synthesis.b{side}.{ours}.bias"] = tf.array(held[f"{theirs}/bias"])
        return made

    def build(self, record: NetworkRecord) -> nn.Module:
        """Build the generator (see ``sefa_plugin.generators.pggan``)."""
        from sefa_plugin.generators.pggan import Generator

        sizes = _sizes(record)
        layers = ["4x4/Conv"] + [f"{side}x{side}/Conv1" for side in _resolutions(record)[1:]]
        widths = [tf.axis(record, f"{layer}/weight", 3, 4) for layer in layers]
        return Generator(sizes["z_dim"], sizes["channels"], widths)


def _resolutions(record: NetworkRecord) -> list[int]:
    return tf.blocks(record, "{0}x{0}/Conv1/weight")


def _up(record: NetworkRecord) -> str:
    """Name of the up-sampling convolutions, which depends on whether they are fused."""
    return "Conv0_up" if "8x8/Conv0_up/weight" in record.tensors else "Conv0"


def _transposed(record: NetworkRecord) -> bool:
    """Whether fused kernels are stored ``[kh, kw, out, in]``; StyleGAN's toolkit stores all kernels alike."""
    return _up(record) == "Conv0_up" and record.layout == "2"


def _expected(record: NetworkRecord) -> dict[str, tuple[int, ...]]:
    sizes, resolutions = _sizes(record), _resolutions(record)
    up = _up(record)
    before = tf.axis(record, "4x4/Conv/weight", 3, 4)
    shapes: dict[str, tuple[int, ...]] = {
        "lod": (),
        DENSE: (sizes["z_dim"], before * 16),
        "4x4/Dense/bias": (before,),
        "4x4/Conv/weight": (3, 3, before, before),
        "4x4/Conv/bias": (before,),
    }
    for index, side in enumerate(resolutions):
        if side > 4:
            width = tf.axis(record, f"{side}x{side}/Conv1/weight", 3, 4)
            inside = (width, before) if _transposed(record) else (before, width)
            shapes[f"{side}x{side}/{up}/weight"] = (3, 3, *inside)
            shapes[f"{side}x{side}/Conv1/weight"] = (3, 3, width, width)
            shapes[f"{side}x{side}/{up}/bias"] = shapes[f"{side}x{side}/Conv1/bias"] = (width,)
            before = width
        lod = len(resolutions) - 1 - index
        shapes[f"ToRGB_lod{lod}/weight"] = (1, 1, before, sizes["channels"])
        shapes[f"ToRGB_lod{lod}/bias"] = (sizes["channels"],)
    return shapes


def _sizes(record: NetworkRecord) -> dict[str, int]:
    """Sizes of the network; its one row of "ws" is the normalised z."""
    z_dim = tf.axis(record, DENSE, 0, 2)
    return {
        "z_dim": z_dim,
        "c_dim": 0,
        "w_dim": z_dim,
        "num_ws": 1,
        "resolution": _resolutions(record)[-1],
        "channels": tf.axis(record, "ToRGB_lod0/weight", 3, 4),
    }


def _first(record: NetworkRecord, ws_index: int, kind: str) -> StyleLayer:
    weight = tf.dense(record.tensors[DENSE])
    gain = math.sqrt(2) / 4 / math.sqrt(weight.shape[1])
    return StyleLayer(NATIVE, weight, ws_index, kind, gain, size=4)


HOOK = PGGAN()
