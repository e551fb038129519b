"""State dicts of genforce/genforce and genforce/sefa: PGGAN."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from sefa_plugin.hook import Hook, HookError, NetworkRecord, StyleLayer

from . import state_parts as shared
from .arguments import compare_tensors

if TYPE_CHECKING:
    import numpy as np
    from torch import nn

_FIRST = "layer0.weight"
_SIDE = 4  # pixels of the first layer's output
_GAIN = math.sqrt(2)


class GenForcePGGAN(Hook):
    """Reads state dicts of PGGAN with genforce's names."""

    name = "genforce_pggan"

    def fits(self, record: NetworkRecord) -> bool:
        """A state_dict with this generator's first layer, colours and level of detail."""
        held = record.tensors
        return (
            record.family == "state_dict"
            and all(key in held for key in (_FIRST, "layer1.weight", "output0.weight", "lod"))
            and len(held[_FIRST].shape) == 4
        )

    def check(self, record: NetworkRecord) -> None:
        """Compare tensors with what this generator consists of."""
        compare_tensors(record, _expected(record))

    def remarks(self, record: NetworkRecord) -> list[str]:
        """Say what is taken for granted."""
        fused = "" if len(set(_widths(record))) > 1 else "fused_scale off, "
        return [shared.assumed(f"{fused}final_tanh off, use_wscale on")]

    def describe(self, record: NetworkRecord) -> dict[str, int]:
        """Sizes of the network."""
        return _sizes(record)

    def style_layers(self, record: NetworkRecord) -> list[StyleLayer]:
        """The one layer that z enters."""
        weight, gain = _dense(record)
        return [StyleLayer("synthesis.b4.dense", weight, 0, "conv", gain, size=_SIDE)]

    def mapping_layer(self, record: NetworkRecord) -> StyleLayer:
        """The same layer, for directions of Z."""
        weight, gain = _dense(record)
        return StyleLayer("synthesis.b4.dense", weight, -1, "mapping", gain)

    def state(self, record: NetworkRecord) -> dict[str, np.ndarray]:
        """Arrays by the names of our generator."""
        widths = _widths(record)
        fused = _is_fused(record, widths)
        made = {"synthesis.lod": shared.array(record.tensors["lod"])}
        for number in range(len(widths)):
            block = f"synthesis.b{_SIDE << number}"
            names = {f"{block}.conv1": f"layer{2 * number + 1}", f"{block}.torgb": f"output{number}"}
            if number:
                names[f"{block}.conv0"] = f"layer{2 * number}"
            for ours, theirs in names.items():
                made[f"{ours}.weight"] = shared.array(record.tensors[f"{theirs}.weight"])
                made[f"{ours}.bias"] = shared.array(record.tensors[f"{theirs}.bias"])
            if number and fused:  # a transposed convolution, whose kernel is flipped
                made[f"{block}.conv0.weight"] = (
                    made[f"{block}.conv0.weight"].transpose(1, 0, 2, 3)[:, :, ::-1, ::-1].copy()
                )
        made["synthesis.b4.dense.weight"] = _dense(record)[0]
        made["synthesis.b4.dense.bias"] = shared.array(record.tensors["layer0.bias"])
        return made

    def build(self, record: NetworkRecord) -> nn.Module:
        """Build the generator (see ``sefa_plugin.generators.pggan``)."""
        from sefa_plugin.generators.pggan import Generator

        sizes = _sizes(record)
        return Generator(sizes["z_dim"], sizes["channels"], _widths(record))


def _widths(record: NetworkRecord) -> list[int]:
    """Channels of every block, from 4 pixels on."""
    blocks = shared.count(record, lambda index: f"layer{2 * index + 1}.weight")
    if not 1 <= blocks <= shared.MAX_BLOCKS:
        raise HookError(f"{record.path}: this state_dict has {blocks} blocks: a modified or damaged network")
    return [shared.length(record, f"layer{2 * index + 1}.weight", 0, 4) for index in range(blocks)]


def _expected(record: NetworkRecord) -> dict[str, tuple[int, ...]]:
    sizes, widths = _sizes(record), _widths(record)
    shapes: dict[str, tuple[int, ...]] = {"lod": ()}
    before = sizes["z_dim"]
    fused = _is_fused(record, widths)
    for number, width in enumerate(widths):
        kernel = 3 if number else _SIDE
        ends = (before, width) if number and fused else (width, before)
        shapes[f"layer{2 * number}.weight"] = (*ends, kernel, kernel)
        shapes[f"layer{2 * number + 1}.weight"] = (width, width, 3, 3)
        shapes[f"layer{2 * number}.bias"] = shapes[f"layer{2 * number + 1}.bias"] = (width,)
        shapes[f"output{number}.weight"] = (sizes["channels"], width, 1, 1)
        shapes[f"output{number}.bias"] = (sizes["channels"],)
        before = width
    return shapes


def _is_fused(record: NetworkRecord, widths: list[int]) -> bool:
    """Whether up-sampling and convolution are fused (``fused_scale``): then kernels are stored ``[in, out]``."""
    for number, (before, width) in enumerate(zip(widths, widths[1:]), start=1):
        if before != width:
            return shared.length(record, f"layer{2 * number}.weight", 0, 4) == before
    return False  # the default, since equal widths do not show it


def _sizes(record: NetworkRecord) -> dict[str, int]:
    """Sizes of the network; its one row of "ws" is the normalised z."""
    blocks = len(_widths(record))
    z_dim = shared.length(record, _FIRST, 1, 4)
    return {
        "z_dim": z_dim,
        "c_dim": 0,
        "w_dim": z_dim,
        "num_ws": 1,
        "resolution": _SIDE << (blocks - 1),
        "channels": shared.length(record, f"output{blocks - 1}.weight", 0, 4),
    }


def _dense(record: NetworkRecord) -> tuple[np.ndarray, float]:
    """The first layer as a matrix ``[channels * 16, z_dim]`` and its gain.

    It is a 4x4 convolution over one padded pixel, so its output is the flipped kernel.
    """
    kernel = shared.array(record.tensors[_FIRST])  # [channels, z_dim, 4, 4]
    turned = kernel[:, :, ::-1, ::-1].transpose(0, 2, 3, 1)
    return turned.reshape(-1, kernel.shape[1]), _GAIN / math.sqrt(kernel[0].size)


HOOK = GenForcePGGAN()
