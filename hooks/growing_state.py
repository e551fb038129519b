"""State dicts of our own generators of PGGAN and the first StyleGAN: ``torch.save(G.state_dict(), ...)``."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from sefa_plugin.hook import Hook, HookError, NetworkRecord, StyleLayer

from . import state_parts as shared
from .arguments import compare_tensors

if TYPE_CHECKING:
    from torch import nn

_DENSE = "synthesis.b4.dense.weight"
_FIRST = "synthesis.b4.conv0.affine.weight"  # of the first StyleGAN: a style without a convolution
_EMBED = "mapping.embed.weight"
_LR_MULTIPLIER = 0.01


class GrowingState(Hook):
    """Reads state dicts of PGGAN and the first StyleGAN with our own names."""

    name = "growing_state"

    def fits(self, record: NetworkRecord) -> bool:
        """A state_dict with the first layer of either."""
        held = record.tensors
        return record.family == "state_dict" and "synthesis.lod" in held and (_DENSE in held or _FIRST in held)

    def check(self, record: NetworkRecord) -> None:
        """Compare tensors with what the generator consists of."""
        compare_tensors(record, _expected(record))

    def remarks(self, record: NetworkRecord) -> list[str]:
        """Say what is taken for granted."""
        if _is_pggan(record):
            return []
        return [shared.assumed("blur_filter 1, 2, 1, mapping_lrmul 0.01, nonlinearity lrelu")]

    def describe(self, record: NetworkRecord) -> dict[str, int]:
        """Sizes of the network."""
        return _sizes(record)

    def style_layers(self, record: NetworkRecord) -> list[StyleLayer]:
        """Every affine in the order of execution; for PGGAN the one layer that z enters."""
        if _is_pggan(record):
            weight = record.tensors[_DENSE]
            gain = math.sqrt(2) / 4 / math.sqrt(weight.shape[1])
            return [StyleLayer("synthesis.b4.dense", weight, 0, "conv", gain, size=4)]
        layers, sizes = [], _sizes(record)
        for row in range(sizes["num_ws"]):
            side = 4 << row // 2
            affine = f"synthesis.b{side}.conv{row % 2}.affine"
            weight = record.tensors[f"{affine}.weight"]
            gain = 1 / math.sqrt(sizes["w_dim"])
            layers.append(StyleLayer(affine, weight, row, "conv", gain, size=side, detail=float(side)))
        return layers

    def mapping_layer(self, record: NetworkRecord) -> StyleLayer:
        """The first mapping layer; PGGAN's is its first layer."""
        if _is_pggan(record):
            (layer,) = self.style_layers(record)
            return StyleLayer(layer.name, layer.weight, -1, "mapping", layer.weight_gain)
        weight = record.tensors["mapping.fc0.weight"]
        gain = math.sqrt(2) * _LR_MULTIPLIER / math.sqrt(weight.shape[1])
        return StyleLayer("mapping.fc0", weight, -1, "mapping", gain)

    def build(self, record: NetworkRecord) -> nn.Module:
        """Build the generator (see ``sefa_plugin.generators.pggan`` and ``stylegan1``)."""
        sizes, widths = _sizes(record), _widths(record)
        if _is_pggan(record):
            from sefa_plugin.generators import pggan

            return pggan.Generator(sizes["z_dim"], sizes["channels"], widths)
        from sefa_plugin.generators import stylegan1

        mapping = {
            "num_layers": shared.count(record, "mapping.fc{}.weight".format),
            "layer_features": shared.length(record, "mapping.fc0.weight", 0, 2),
            "embed_features": sizes["z_dim"],
            "lr_multiplier": _LR_MULTIPLIER,
            "label_concat": True,
        }
        ends = (sizes["z_dim"], sizes["c_dim"], sizes["w_dim"], sizes["channels"])
        return stylegan1.Generator(*ends, widths, mapping_kwargs=mapping)


def _is_pggan(record: NetworkRecord) -> bool:
    return _DENSE in record.tensors


def _widths(record: NetworkRecord) -> list[int]:
    blocks = shared.count(record, lambda index: f"synthesis.b{4 << index}.conv1.weight")
    if not 1 <= blocks <= shared.MAX_BLOCKS:
        raise HookError(f"{record.path}: this state_dict has {blocks} blocks: a modified or damaged network")
    return [shared.length(record, f"synthesis.b{4 << index}.conv1.weight", 0, 4) for index in range(blocks)]


def _expected(record: NetworkRecord) -> dict[str, tuple[int, ...]]:
    sizes, widths, pggan = _sizes(record), _widths(record), _is_pggan(record)
    shapes: dict[str, tuple[int, ...]] = {"synthesis.lod": ()}
    if pggan:
        shapes[_DENSE], shapes["synthesis.b4.dense.bias"] = (widths[0] * 16, sizes["z_dim"]), (widths[0],)
    else:
        depth = shared.count(record, "mapping.fc{}.weight".format)
        hidden = shared.length(record, "mapping.fc0.weight", 0, 2)
        ends = [sizes["z_dim"] * (2 if sizes["c_dim"] else 1)] + [hidden] * (depth - 1) + [sizes["w_dim"]]
        shapes["mapping.w_avg"] = (sizes["w_dim"],)
        shapes["synthesis.b4.const"] = (widths[0], 4, 4)
        if sizes["c_dim"]:
            shapes[_EMBED] = (sizes["z_dim"], sizes["c_dim"])
        for index, (inputs, outputs) in enumerate(zip(ends, ends[1:])):
            shapes[f"mapping.fc{index}.weight"], shapes[f"mapping.fc{index}.bias"] = (outputs, inputs), (outputs,)
    before = widths[0]
    for index, width in enumerate(widths):
        block, side = f"synthesis.b{4 << index}", 4 << index
        for layer, inputs in (("conv0", before), ("conv1", width)):
            first = index == 0 and layer == "conv0"
            if first and pggan:
                continue
            if not first:
                shapes[f"{block}.{layer}.weight"] = (width, inputs, 3, 3)
            shapes[f"{block}.{layer}.bias"] = (width,)
            if not pggan:
                shapes[f"{block}.{layer}.noise_strength"] = (width,)
                shapes[f"{block}.{layer}.noise_const"] = (side, side)
                shapes[f"{block}.{layer}.affine.weight"] = (2 * width, sizes["w_dim"])
                shapes[f"{block}.{layer}.affine.bias"] = (2 * width,)
        shapes[f"{block}.torgb.weight"] = (sizes["channels"], width, 1, 1)
        shapes[f"{block}.torgb.bias"] = (sizes["channels"],)
        before = width
    return shapes


def _sizes(record: NetworkRecord) -> dict[str, int]:
    """Sizes of the network."""
    widths = _widths(record)
    common = {
        "resolution": 4 << (len(widths) - 1),
        "channels": shared.length(record, f"synthesis.b{4 << (len(widths) - 1)}.torgb.weight", 0, 4),
    }
    if _is_pggan(record):
        z_dim = shared.length(record, _DENSE, 1, 2)
        return {"z_dim": z_dim, "c_dim": 0, "w_dim": z_dim, "num_ws": 1, **common}
    c_dim = shared.length(record, _EMBED, 1, 2) if _EMBED in record.tensors else 0
    z_dim = shared.length(record, _EMBED, 0, 2) if c_dim else shared.length(record, "mapping.fc0.weight", 1, 2)
    w_dim = shared.length(record, _FIRST, 1, 2)
    return {"z_dim": z_dim, "c_dim": c_dim, "w_dim": w_dim, "num_ws": 2 * len(widths), **common}


HOOK = GrowingState()
