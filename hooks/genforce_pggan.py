"""State dicts of genforce/genforce and genforce/sefa: PGGAN. Its first layer can be factorised, in Z."""

from __future__ import annotations

import math
from typing import Any

from sefa_plugin.hook import HookError, StyleLayer
from sefa_plugin.network_file import NetworkRecord

from . import state_parts as shared
from .arguments import compare_tensors

name = "genforce_pggan"

_FIRST = "layer0.weight"
_SIDE = 4  # pixels of the first layer's output
_GAIN = math.sqrt(2)


def fits(record: NetworkRecord) -> bool:
    """A state_dict with this generator's first layer, colours and level of detail."""
    held = record.tensors
    return (
        record.family == "state_dict"
        and all(key in held for key in (_FIRST, "layer1.weight", "output0.weight", "lod"))
        and len(held[_FIRST].shape) == 4
    )


def _widths(record: NetworkRecord) -> list[int]:
    """Channels of every block, from 4 pixels on."""
    blocks = shared.count(record, lambda index: f"layer{2 * index + 1}.weight")
    if not 1 <= blocks <= shared.MAX_BLOCKS:
        raise HookError(f"{record.path}: this state_dict has {blocks} blocks: a modified or damaged network")
    return [shared.length(record, f"layer{2 * index + 1}.weight", 0, 4) for index in range(blocks)]


def _expected(record: NetworkRecord) -> dict[str, tuple[int, ...]]:
    sizes, widths = describe(record), _widths(record)
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
    """Whether up-sampling and convolution are one (``fused_scale``): then kernels are stored ``[in, out]``."""
    for number, (before, width) in enumerate(zip(widths, widths[1:]), start=1):
        if before != width:
            return shared.length(record, f"layer{2 * number}.weight", 0, 4) == before
    return False  # the default; nothing shows it


def check(record: NetworkRecord) -> None:
    """Compare tensors with what this generator consists of.

    Raises:
        HookError: names the first that differs.
    """
    compare_tensors(record, _expected(record))


def cannot_render(record: NetworkRecord) -> str:
    """There is no generator for these files yet."""
    return "genforce's PGGAN can be factorised (`sefa factorize`), not rendered, by this version"


def describe(record: NetworkRecord) -> dict[str, int]:
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


def _dense(record: NetworkRecord) -> tuple[Any, float]:
    """The first layer as a matrix ``[channels * 16, z_dim]`` and its gain.

    It is a 4x4 convolution over one padded pixel, so output pixels meet the kernel turned around.
    """
    kernel = shared.array(record.tensors[_FIRST])  # [channels, z_dim, 4, 4]
    turned = kernel[:, :, ::-1, ::-1].transpose(0, 2, 3, 1)
    return turned.reshape(-1, kernel.shape[1]), _GAIN / math.sqrt(kernel[0].size)


def style_layers(record: NetworkRecord) -> list[StyleLayer]:
    """The one layer that the latent enters by."""
    weight, gain = _dense(record)
    return [StyleLayer("synthesis.b4.dense", weight, 0, "conv", gain, size=_SIDE)]


def mapping_layer(record: NetworkRecord) -> StyleLayer:
    """The same layer, for directions of Z."""
    weight, gain = _dense(record)
    return StyleLayer("synthesis.b4.dense", weight, -1, "mapping", gain)


def build(record: NetworkRecord) -> Any:
    """Never called: see :func:`cannot_render`."""
    raise HookError(f"{record.path}: {cannot_render(record)}")
