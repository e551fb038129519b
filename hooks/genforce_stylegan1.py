"""State dicts of genforce/genforce and genforce/sefa: the first StyleGAN. Its layers can be factorised."""

from __future__ import annotations

import math
from typing import Any

from sefa_plugin.hook import HookError, StyleLayer
from sefa_plugin.network_file import NetworkRecord

from . import state_parts as shared
from .arguments import compare_tensors

name = "genforce_stylegan1"

_LR_MULTIPLIER = 0.01
_GAIN = math.sqrt(2)  # of the dense layers' weights


def fits(record: NetworkRecord) -> bool:
    """A state_dict with this generator's constant and the style of its first layer."""
    return (
        record.family == "state_dict"
        and "synthesis.layer0.const" in record.tensors
        and "synthesis.layer0.style.weight" in record.tensors
    )


def _widths(record: NetworkRecord) -> list[int]:
    """Channels of every block, from 4 pixels on."""
    blocks = shared.count(record, lambda index: f"synthesis.layer{2 * index + 1}.weight")
    if not 1 <= blocks <= shared.MAX_BLOCKS:
        raise HookError(f"{record.path}: this state_dict has {blocks} blocks: a modified or damaged network")
    return [shared.length(record, f"synthesis.layer{2 * index + 1}.weight", 0, 4) for index in range(blocks)]


def _expected(record: NetworkRecord) -> dict[str, tuple[int, ...]]:
    sizes, widths = describe(record), _widths(record)
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


def check(record: NetworkRecord) -> None:
    """Compare tensors with what this generator consists of.

    Raises:
        HookError: names the first that differs.
    """
    compare_tensors(record, _expected(record))


def cannot_render(record: NetworkRecord) -> str:
    """There is no generator for these files yet."""
    return "genforce's StyleGAN (the first) can be factorised (`sefa factorize`), not rendered, by this version"


def describe(record: NetworkRecord) -> dict[str, int]:
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


def style_layers(record: NetworkRecord) -> list[StyleLayer]:
    """Every affine in the order of execution: scales of all channels, then shifts (AdaIN)."""
    sizes = describe(record)
    gain = 1 / math.sqrt(sizes["w_dim"])
    layers = []
    for row in range(sizes["num_ws"]):
        side = 4 << row // 2
        ours = f"synthesis.b{side}.conv{row % 2}.affine"
        weight = record.tensors[f"synthesis.layer{row}.style.weight"]
        layers.append(StyleLayer(ours, weight, row, "conv", gain, size=side, detail=float(side)))
    return layers


def mapping_layer(record: NetworkRecord) -> StyleLayer:
    """The first mapping layer."""
    weight = record.tensors["mapping.dense0.weight"]
    return StyleLayer("mapping.fc0", weight, -1, "mapping", _GAIN * _LR_MULTIPLIER / math.sqrt(weight.shape[1]))


def build(record: NetworkRecord) -> Any:
    """Never called: see :func:`cannot_render`."""
    raise HookError(f"{record.path}: {cannot_render(record)}")
