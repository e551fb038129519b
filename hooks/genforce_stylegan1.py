"""State dicts of genforce/genforce and genforce/sefa: the first StyleGAN."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from sefa_plugin.hook import Hook, HookError, NetworkRecord, StyleLayer

from . import state_parts as shared
from .arguments import compare_tensors

if TYPE_CHECKING:
    import numpy as np
    from torch import nn

_LR_MULTIPLIER = 0.01
_FUSED_FROM = 128  # pixels, with the default fused_scale "auto"
_GAIN = math.sqrt(2)  # of the dense layers' weights


class GenForceStyleGAN1(Hook):
    """Reads state dicts of the first StyleGAN with genforce's names."""

    name = "genforce_stylegan1"

    def fits(self, record: NetworkRecord) -> bool:
        """A state_dict with this generator's constant and the style of its first layer."""
        return (
            record.family == "state_dict"
            and "synthesis.layer0.const" in record.tensors
            and "synthesis.layer0.style.weight" in record.tensors
        )

    def check(self, record: NetworkRecord) -> None:
        """Compare tensors with what this generator consists of."""
        import numpy as np

        compare_tensors(record, _expected(record))
        taps = np.array([1, 2, 1], dtype=np.float32) / 4
        for name, tensor in record.tensors.items():
            if name.endswith(".blur.kernel") and not abs(shared.array(tensor) - np.outer(taps, taps)).max() <= 1e-3:
                raise HookError(f"{record.path}: {name} is not the filter 1, 2, 1: a modified network")

    def remarks(self, record: NetworkRecord) -> list[str]:
        """Say what is taken for granted."""
        return [shared.assumed("fused_scale auto, final_tanh off, mapping_lr_mul 0.01, use_wscale on")]

    def describe(self, record: NetworkRecord) -> dict[str, int]:
        """Sizes of the network."""
        return _sizes(record)

    def style_layers(self, record: NetworkRecord) -> list[StyleLayer]:
        """Every affine in the order of execution: scales of all channels, then shifts (AdaIN)."""
        sizes = _sizes(record)
        gain = 1 / math.sqrt(sizes["w_dim"])
        layers = []
        for row in range(sizes["num_ws"]):
            side = 4 << row // 2
            ours = f"synthesis.b{side}.conv{row % 2}.affine"
            weight = record.tensors[f"synthesis.layer{row}.style.weight"]
            layers.append(StyleLayer(ours, weight, row, "conv", gain, size=side, detail=float(side)))
        return layers

    def mapping_layer(self, record: NetworkRecord) -> StyleLayer:
        """The first mapping layer."""
        weight = record.tensors["mapping.dense0.weight"]
        return StyleLayer("mapping.fc0", weight, -1, "mapping", _GAIN * _LR_MULTIPLIER / math.sqrt(weight.shape[1]))

    def state(self, record: NetworkRecord) -> dict[str, np.ndarray]:
        """Arrays by the names of our generator."""
        held = {name: shared.array(tensor) for name, tensor in record.tensors.items()}
        made = {"mapping.w_avg": held["truncation.w_avg"], "synthesis.lod": held["synthesis.lod"]}
        for index in range(shared.count(record, "mapping.dense{}.weight".format)):
            made[f"mapping.fc{index}.weight"] = held[f"mapping.dense{index}.weight"]
            made[f"mapping.fc{index}.bias"] = held[f"mapping.dense{index}.bias"] / _GAIN  # see generators.stylegan1
        for row in range(_sizes(record)["num_ws"]):
            side = 4 << row // 2
            ours, theirs = f"synthesis.b{side}.conv{row % 2}", f"synthesis.layer{row}"
            if row:
                kernel = held[f"{theirs}.weight"]
                fused = row % 2 == 0 and side >= _FUSED_FROM  # then the kernel is flipped
                made[f"{ours}.weight"] = kernel[:, :, ::-1, ::-1].copy() if fused else kernel
            else:
                made["synthesis.b4.const"] = held[f"{theirs}.const"][0]
            made[f"{ours}.bias"] = held[f"{theirs}.bias"]
            made[f"{ours}.noise_strength"] = held[f"{theirs}.apply_noise.weight"]
            made[f"{ours}.noise_const"] = held[f"{theirs}.apply_noise.noise"][0, 0]
            made[f"{ours}.affine.weight"] = held[f"{theirs}.style.weight"]
            made[f"{ours}.affine.bias"] = held[f"{theirs}.style.bias"]
        for number in range(len(_widths(record))):
            for part in ("weight", "bias"):
                made[f"synthesis.b{4 << number}.torgb.{part}"] = held[f"synthesis.output{number}.{part}"]
        return made

    def build(self, record: NetworkRecord) -> nn.Module:
        """Build the generator (see ``sefa_plugin.generators.stylegan1``)."""
        from sefa_plugin.generators.stylegan1 import Generator

        sizes = _sizes(record)
        mapping = {
            "num_layers": shared.count(record, "mapping.dense{}.weight".format),
            "layer_features": shared.length(record, "mapping.dense0.weight", 0, 2),
            "lr_multiplier": _LR_MULTIPLIER,
        }
        return Generator(sizes["z_dim"], 0, sizes["w_dim"], sizes["channels"], _widths(record), mapping_kwargs=mapping)


def _widths(record: NetworkRecord) -> list[int]:
    """Channels of every block, from 4 pixels on."""
    blocks = shared.count(record, lambda index: f"synthesis.layer{2 * index + 1}.weight")
    if not 1 <= blocks <= shared.MAX_BLOCKS:
        raise HookError(f"{record.path}: this state_dict has {blocks} blocks: a modified or damaged network")
    return [shared.length(record, f"synthesis.layer{2 * index + 1}.weight", 0, 4) for index in range(blocks)]


def _expected(record: NetworkRecord) -> dict[str, tuple[int, ...]]:
    sizes, widths = _sizes(record), _widths(record)
    depth = shared.count(record, "mapping.dense{}.weight".format)
    hidden = shared.length(record, "mapping.dense0.weight", 0, 2)
    ends = [sizes["z_dim"]] + [hidden] * (depth - 1) + [sizes["w_dim"]]
    shapes: dict[str, tuple[int, ...]] = {"truncation.w_avg": (sizes["w_dim"],), "synthesis.lod": ()}
    for index, (inputs, outputs) in enumerate(zip(ends, ends[1:])):
        shapes[f"mapping.dense{index}.weight"] = (outputs, inputs)
        shapes[f"mapping.dense{index}.bias"] = (outputs,)
    before = widths[0]
    for number, width in enumerate(widths):
        side = 4 << number
        for row in (2 * number, 2 * number + 1):
            layer = f"synthesis.layer{row}"
            shapes[f"{layer}.bias"] = shapes[f"{layer}.apply_noise.weight"] = (width,)
            shapes[f"{layer}.apply_noise.noise"] = (1, 1, side, side)
            shapes[f"{layer}.style.weight"] = (2 * width, sizes["w_dim"])
            shapes[f"{layer}.style.bias"] = (2 * width,)
            if row == 0:
                shapes[f"{layer}.const"] = (1, width, side, side)
            else:
                shapes[f"{layer}.weight"] = (width, width if row % 2 else before, 3, 3)
            if row and row % 2 == 0:
                shapes[f"{layer}.blur.kernel"] = (width, 1, 3, 3)
        shapes[f"synthesis.output{number}.weight"] = (sizes["channels"], width, 1, 1)
        shapes[f"synthesis.output{number}.bias"] = (sizes["channels"],)
        before = width
    return shapes


def _sizes(record: NetworkRecord) -> dict[str, int]:
    """Sizes of the network."""
    blocks = len(_widths(record))
    return {
        "z_dim": shared.length(record, "mapping.dense0.weight", 1, 2),
        "c_dim": 0,
        "w_dim": shared.length(record, "synthesis.layer0.style.weight", 1, 2),
        "num_ws": 2 * blocks,
        "resolution": 4 << (blocks - 1),
        "channels": shared.length(record, f"synthesis.output{blocks - 1}.weight", 0, 4),
    }


HOOK = GenForceStyleGAN1()
