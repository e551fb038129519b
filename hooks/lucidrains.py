"""Checkpoints of lucidrains/stylegan2-pytorch: ``model_N.pt``, with ``.config.json`` beside it.

The tensors show everything but the factor of the mapping network (``lr_mlp``), which is read from the configuration.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from sefa_plugin.hook import SIZES, ArrayLike, HookError, NetworkRecord, StyleLayer
from sefa_plugin.reading.json_file import parsed, read_bounded

from .planned import Held, RenamedHook, Shapes, Weights
from .stylegan2_parts import dense_layers, linear
from .tensors import array, count, length, widths

if TYPE_CHECKING:
    import numpy as np
    from torch import nn

LR_MLP = 0.1  # the toolkit's default
_FIRST = "G.blocks.0.to_style1.weight"
_CONFIG = ".config.json"
_NOISE, _CONST = "synthesis.noise_const", "synthesis.const"
_PARTS = {
    "torgb.affine": "to_rgb.to_style",
    "torgb": "to_rgb.conv",
    "conv0.affine": "to_style1",
    "conv0.noise": "to_noise1",
    "conv0": "conv1",
    "conv1.affine": "to_style2",
    "conv1.noise": "to_noise2",
    "conv1": "conv2",
}
_ATTENTION = {
    "norm0.scale": "0.fn.norm.g",
    "norm0.shift": "0.fn.norm.b",
    "queries.weight": "0.fn.fn.to_q.weight",
    "around.weight": "0.fn.fn.to_kv.net.0.weight",
    "keys_values.weight": "0.fn.fn.to_kv.net.1.weight",
    "out.weight": "0.fn.fn.to_out.weight",
    "out.bias": "0.fn.fn.to_out.bias",
    "norm1.scale": "1.fn.norm.g",
    "norm1.shift": "1.fn.norm.b",
    "wider.weight": "1.fn.fn.0.weight",
    "wider.bias": "1.fn.fn.0.bias",
    "narrower.weight": "1.fn.fn.2.weight",
    "narrower.bias": "1.fn.fn.2.bias",
}
_INNER = 512  # heads of attention times their width


class LucidrainsPlan(NamedTuple):
    """What determines such a generator; see ``planned.Plan``.

    Attributes:
        widths: channels of every block, from 4 pixels on.
        attends: numbers of the blocks before which there is attention.
        constant: whether the first features are constant, instead of linear in w (``no_const``).
    """

    w_dim: int
    img_channels: int
    widths: list[int]
    mapping_layers: int
    lr_multiplier: float
    attends: list[int]
    constant: bool

    def sizes(self) -> dict[str, int]:
        rows = len(self.widths)
        return dict(zip(SIZES, (self.w_dim, 0, self.w_dim, rows, 2 << rows, self.img_channels)))

    def tensors(self) -> Shapes:
        first, side = self.widths[0], 2 << len(self.widths)
        shapes: Shapes = dict(dense_layers(self.w_dim, self.w_dim, self.w_dim, self.mapping_layers))
        shapes["mapping.w_avg"] = (self.w_dim,)
        shapes[_CONST] = (first, 4, 4) if self.constant else (self.w_dim, first, 4, 4)
        shapes["synthesis.initial.weight"], shapes["synthesis.initial.bias"] = (first, first, 3, 3), (first,)
        shapes[_NOISE] = (side, side)
        for index, (before, width) in enumerate(zip((first, *self.widths), self.widths)):
            block = f"synthesis.b{4 << index}"
            if index in self.attends:
                shapes.update({f"{block}.attention.{part}": held for part, held in _attention(before).items()})
            for layer, inputs in (("conv0", before), ("conv1", width)):
                shapes.update(linear(f"{block}.{layer}.affine", self.w_dim, inputs))
                shapes.update(linear(f"{block}.{layer}.noise", 1, width))
                shapes[f"{block}.{layer}.weight"] = (width, inputs, 3, 3)
            shapes.update(linear(f"{block}.torgb.affine", self.w_dim, width))
            shapes[f"{block}.torgb.weight"] = (self.img_channels, width, 1, 1)
        return shapes

    def style_layers(self, weights: Weights) -> list[StyleLayer]:
        """The three affines of every block, which read the same row of ws."""
        layers = []
        for row in range(len(self.widths)):
            for part, kind in (("conv0", "conv"), ("conv1", "conv"), ("torgb", "torgb")):
                side, name = 4 << row, f"synthesis.b{4 << row}.{part}.affine"
                layers.append(StyleLayer(name, weights(f"{name}.weight"), row, kind, size=side, detail=float(side)))
        return layers

    def mapping_layer(self, weights: Weights) -> StyleLayer:
        """The first layer; its input has length 1, that of z in all other networks is the root of its width."""
        gain = self.lr_multiplier / self.w_dim**0.5
        return StyleLayer("mapping.fc0", weights("mapping.fc0.weight"), -1, "mapping", gain)

    def build(self) -> nn.Module:
        from sefa_plugin.generators.lucidrains import Generator

        mapping = {"num_layers": self.mapping_layers, "lr_multiplier": self.lr_multiplier}
        attends, constant = self.attends, self.constant
        return Generator(self.w_dim, self.img_channels, self.widths, mapping, attends=attends, constant=constant)


def _attention(width: int) -> Shapes:
    return {
        "norm0.scale": (1, width, 1, 1),
        "norm0.shift": (1, width, 1, 1),
        "queries.weight": (_INNER, width, 1, 1),
        "around.weight": (width, 1, 3, 3),
        "keys_values.weight": (2 * _INNER, width, 1, 1),
        "out.weight": (width, _INNER, 1, 1),
        "out.bias": (width,),
        "norm1.scale": (1, width, 1, 1),
        "norm1.shift": (1, width, 1, 1),
        "wider.weight": (2 * width, width, 1, 1),
        "wider.bias": (2 * width,),
        "narrower.weight": (width, 2 * width, 1, 1),
        "narrower.bias": (width,),
    }


class Lucidrains(RenamedHook[LucidrainsPlan]):
    """Reads the generators of lucidrains/stylegan2-pytorch."""

    name = "lucidrains"

    def fits(self, record: NetworkRecord) -> bool:
        return record.family == "state_dict" and _FIRST in record.tensors

    def check(self, record: NetworkRecord) -> None:
        try:
            super().check(record)
        except HookError as error:
            text = str(error).removeprefix(f"{record.path}: ").replace("this state_dict", "it")
            raise HookError(f"{record.path}: is a checkpoint of lucidrains' stylegan2-pytorch, but {text}") from None

    def remarks(self, record: NetworkRecord) -> list[str]:
        rest = "its noise is drawn (seed 0), its average w is the mean over 4096 random latents (seed 0)"
        if _setting(record) is None:
            rest += f"; there is no {_CONFIG} beside it, so lr_mlp is taken to be {LR_MLP}"
        return [f"a checkpoint of lucidrains' stylegan2-pytorch stores weights only: {rest}"]

    def plan(self, record: NetworkRecord) -> LucidrainsPlan:
        blocks = widths(record, "G.blocks.{}.conv1.weight".format)
        given = _setting(record)
        return LucidrainsPlan(
            length(record, _FIRST, 1, 2),
            length(record, "G.blocks.0.to_rgb.conv.weight", 0, 4),
            blocks,
            count(record, lambda index: f"S.net.{2 * index}.weight"),
            LR_MLP if given is None else given,
            [index for index in range(len(blocks)) if f"G.attns.{index}.0.fn.norm.g" in record.tensors],
            "G.initial_block" in record.tensors,
        )

    def table(self, record: NetworkRecord, plan: LucidrainsPlan) -> dict[str, Held]:
        table = {}
        for ours, shape in plan.tensors().items():
            if ours.startswith("mapping.fc"):
                number, part = ours[len("mapping.fc") :].split(".")
                table[ours] = Held(f"S.net.{2 * int(number)}.{part}", shape)
            elif ours == _CONST and plan.constant:
                table[ours] = Held("G.initial_block", (1, *shape))
            elif ours == _CONST:
                table[ours] = Held("G.to_initial_block.weight", shape)
            elif ours.startswith("synthesis.initial."):
                table[ours] = Held(ours.replace("synthesis.initial", "G.initial_conv"), shape)
            elif ours.startswith("synthesis.b"):
                _, block, part = ours.split(".", 2)
                index = int(block[1:]).bit_length() - 3
                if part.startswith("attention."):
                    table[ours] = Held(f"G.attns.{index}.{_ATTENTION[part[len('attention.') :]]}", shape)
                else:
                    layer, _, last = part.rpartition(".")
                    table[ours] = Held(f"G.blocks.{index}.{_PARTS[layer]}.{last}", shape)
        return table

    def filters(self, record: NetworkRecord, plan: LucidrainsPlan) -> Shapes:
        return {f"G.blocks.{index}.to_rgb.upsample.1.f": (3,) for index in range(len(plan.widths) - 1)}

    def arrays(self, record: NetworkRecord) -> dict[str, np.ndarray]:
        """Arrays by our generator's names, with noise from 0 to 1 and the average w, which no file has."""
        import numpy as np

        made, plan = super().arrays(record), self.plan(record)
        made[_NOISE] = np.random.RandomState(0).rand(*plan.tensors()[_NOISE]).astype(np.float32)
        made["mapping.w_avg"] = _mean_w(made, plan)
        return made


def _setting(record: NetworkRecord) -> float | None:
    """The factor of the mapping network in the configuration beside the file; None where there is none.

    Raises:
        HookError: the configuration cannot be read, or has none that a network could have.
    """
    path = Path(record.path).parent / _CONFIG
    if record.format != "torch" or not path.is_file():
        return None
    try:
        held = parsed(read_bounded(path, 1 << 20))
        factor = held.get("lr_mlp", LR_MLP) if isinstance(held, dict) else None
    except (OSError, ValueError) as error:
        raise HookError(f"{path}: cannot be read: {error}") from None
    if isinstance(factor, bool) or not isinstance(factor, (int, float)) or not 0 < factor <= 1000:
        raise HookError(f"{path}: lr_mlp is {factor!r:.40}, expected a number above 0")
    return float(factor)


def _mean_w(state: Mapping[str, ArrayLike], plan: LucidrainsPlan) -> np.ndarray:
    """Average w ``[w_dim]`` of 4096 random latents (seed 0)."""
    import numpy as np

    x = np.random.RandomState(0).randn(4096, plan.w_dim).astype(np.float32)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    for index in range(plan.mapping_layers):
        weight, bias = (array(state[f"mapping.fc{index}.{part}"]) for part in ("weight", "bias"))
        x = (x @ weight.T + bias) * np.float32(plan.lr_multiplier)
        x = np.where(x > 0, x, x * np.float32(0.2))
    mean: np.ndarray = x.mean(axis=0)
    return mean


HOOK = Lucidrains()
