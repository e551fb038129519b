"""State dicts of BigGAN-deep, of pytorch-pretrained-BigGAN: ``pytorch_model.bin``, with ``config.json`` beside it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from sefa_plugin.hook import SIZES, ArrayLike, HookError, NetworkRecord, StyleLayer
from sefa_plugin.reading.json_file import parsed, read_bounded

from .biggan import attention
from .planned import Held, RenamedHook, Shapes, Weights
from .stylegan2_parts import assumed
from .tensors import MAX_BLOCKS, array, length

if TYPE_CHECKING:
    from torch import nn

EPS = 1e-4
_FIRST, _EMBED, _CONFIG = "synthesis.first", "embeddings.weight", "config.json"
_RGB = 3  # of the outputs of its last layer, the others are unused
_PARTS = {"queries": "theta", "keys": "phi", "values": "g", "out": "o_conv"}
_NORMED = ("weight_orig", "weight_u", "weight_v")


class BigGANDeepPlan(NamedTuple):
    """What determines a BigGAN-deep; rows of its ws are z, a class embedding and truncation. See ``planned.Plan``.

    Attributes:
        levels: truncations from 0 to 1 with statistics of their own.
        widths: channels after the first layer and after each block.
        ups: for each block whether it doubles the size.
        attends: number of the block before which there is attention, -1 for none.
        eps: of all normalisations.
    """

    z_dim: int
    c_dim: int
    embed_dim: int
    img_channels: int
    levels: int
    widths: list[int]
    ups: list[bool]
    attends: int
    eps: float

    def sizes(self) -> dict[str, int]:
        width, rows = self.z_dim + self.embed_dim + 2, len(self.widths)
        return dict(zip(SIZES, (self.z_dim, self.c_dim, width, rows, 4 << sum(self.ups), self.img_channels)))

    def tensors(self) -> Shapes:
        code = self.z_dim + self.embed_dim
        shapes: Shapes = {"mapping.embed.weight": (self.embed_dim, self.c_dim)}
        shapes[f"{_FIRST}.weight"], shapes[f"{_FIRST}.bias"] = (self.widths[0] * 16, code), (self.widths[0] * 16,)
        for index, (before, width) in enumerate(zip(self.widths, self.widths[1:])):
            inner, block = before // 4, f"synthesis.block{index}"
            sides = ((before, inner, 1), (inner, inner, 3), (inner, inner, 3), (inner, width, 1))
            for number, (inputs, outputs, kernel) in enumerate(sides):
                norm, conv = f"{block}.norm{number}", f"{block}.conv{number}"
                shapes[f"{norm}.scale.weight"] = shapes[f"{norm}.shift.weight"] = (inputs, code)
                shapes[f"{norm}.mean"] = shapes[f"{norm}.var"] = (self.levels, inputs)
                shapes[f"{conv}.weight"], shapes[f"{conv}.bias"] = (outputs, inputs, kernel, kernel), (outputs,)
        if self.attends >= 0:
            shapes.update(attention("synthesis.attention", self.widths[self.attends]))
        last = self.widths[-1]
        shapes["synthesis.norm.weight"] = shapes["synthesis.norm.bias"] = (last,)
        shapes["synthesis.norm.running_mean"] = shapes["synthesis.norm.running_var"] = (self.levels, last)
        shapes["synthesis.torgb.weight"], shapes["synthesis.torgb.bias"] = (_RGB, last, 3, 3), (_RGB,)
        return shapes

    def style_layers(self, weights: Weights) -> list[StyleLayer]:
        """The first layer, and scale and shift of every normalisation of every block."""
        layers, side = [self._layer(weights, _FIRST, 0, 4)], 4
        for index, up in enumerate(self.ups):
            side *= 2 if up else 1
            for number in range(4):
                for affine in ("scale", "shift"):
                    layers.append(
                        self._layer(weights, f"synthesis.block{index}.norm{number}.{affine}", index + 1, side)
                    )
        return layers

    def _layer(self, weights: Weights, name: str, row: int, side: int) -> StyleLayer:
        import numpy as np

        part = array(weights(f"{name}.weight"))[:, : self.z_dim]
        weight = np.pad(part, ((0, 0), (0, self.embed_dim + 2)))
        return StyleLayer(name, weight, row, "conv", size=side, detail=float(side))

    def mapping_layer(self, weights: Weights) -> StyleLayer:
        """The first layer, for directions of Z; columns of the class follow those of z."""
        return StyleLayer(_FIRST, weights(f"{_FIRST}.weight"), -1, "mapping", size=4)

    def build(self) -> nn.Module:
        from sefa_plugin.generators.biggan import DeepGenerator

        return DeepGenerator(*self)


class BigGANDeep(RenamedHook[BigGANDeepPlan]):
    """Reads BigGAN-deep of pytorch-pretrained-BigGAN."""

    name = "biggan_deep"

    def fits(self, record: NetworkRecord) -> bool:
        names = {_EMBED, "generator.gen_z.weight_orig", "generator.bn.running_means"}
        return record.family == "state_dict" and names <= set(record.tensors)

    def remarks(self, record: NetworkRecord) -> list[str]:
        if _config(record):
            return []
        return [assumed(f"eps {EPS}, every second block doubles the size; put its {_CONFIG} beside it")]

    def plan(self, record: NetworkRecord) -> BigGANDeepPlan:
        config = _config(record)
        numbers = _numbers(record)
        embed, classes = (length(record, _EMBED, axis, 2) for axis in (0, 1))
        z_dim = length(record, "generator.gen_z.weight_orig", 1, 2) - embed
        first = length(record, "generator.gen_z.weight_orig", 0, 2) // 16
        widths = [length(record, f"generator.layers.{number}.conv_3.weight_orig", 0, 4) for number in numbers]
        levels = length(record, "generator.bn.running_means", 0, 2)
        layers, eps = config.get("layers"), config.get("eps", EPS)
        ups = [index % 2 == 1 for index in range(len(numbers))]
        if isinstance(layers, list):
            ups = [bool(layer[0]) for layer in layers if isinstance(layer, list) and layer]
        if len(ups) != len(numbers) or not isinstance(eps, float) or not 0 <= eps < 1:
            raise HookError(f"{record.path}: the {_CONFIG} beside it is of another network")
        gap = [number for number in range(len(numbers) + 1) if number not in numbers]
        return BigGANDeepPlan(z_dim, classes, embed, _RGB, levels, [first, *widths], ups, _attends(record, gap[0]), eps)

    def table(self, record: NetworkRecord, plan: BigGANDeepPlan) -> dict[str, Held]:
        numbers = _numbers(record)
        table = {}
        for ours, shape in plan.tensors().items():
            theirs, normed = _their_name(ours, numbers, plan.attends)
            shape = (plan.widths[-1], *shape[1:]) if ours.startswith("synthesis.torgb") else shape
            shape = (1,) if ours.endswith("attention.gain") else shape
            table[ours] = Held(f"{theirs}_orig" if normed else theirs, shape)
        return table

    def others(self, record: NetworkRecord, plan: BigGANDeepPlan) -> Shapes:
        """Vectors of spectral norms."""
        found: Shapes = {}
        for held in self.table(record, plan).values():
            if held.name.endswith("_orig"):
                stem = held.name.removesuffix("_orig")
                size = 1
                for side in held.shape[1:]:
                    size *= side
                found[f"{stem}_u"], found[f"{stem}_v"] = held.shape[:1], (size,)
        return found

    def tensor(self, record: NetworkRecord, ours: str, held: Held) -> ArrayLike:
        found = array(record.tensors[held.name])
        if held.name.endswith("_orig"):
            stem = held.name.removesuffix("_orig")
            u, v = (array(record.tensors[f"{stem}_{side}"]) for side in "uv")
            found = found / (u @ found.reshape(len(found), -1) @ v)
        return found[:_RGB] if ours.startswith("synthesis.torgb") else found


def _numbers(record: NetworkRecord) -> list[int]:
    """Numbers of the blocks among ``generator.layers``; that of attention is left out.

    Raises:
        HookError: there are none, or too many.
    """
    found = [n for n in range(4 * MAX_BLOCKS) if f"generator.layers.{n}.conv_3.weight_orig" in record.tensors]
    if not found or found[-1] > len(found):
        raise HookError(f"{record.path}: this BigGAN lacks some of its generator.layers: a modified or damaged network")
    return found


def _attends(record: NetworkRecord, gap: int) -> int:
    return gap if f"generator.layers.{gap}.gamma" in record.tensors else -1


def _config(record: NetworkRecord) -> dict[str, object]:
    """The configuration beside the file; {} where there is none.

    Raises:
        HookError: it cannot be read.
    """
    path = Path(record.path)
    places = [path.with_name(_CONFIG), path.with_name(path.name.replace("pytorch_model.bin", _CONFIG))]
    place = next((place for place in places if place != path and place.is_file()), None)
    if place is None:
        return {}
    try:
        held = parsed(read_bounded(place, 1 << 20))
    except (OSError, ValueError) as error:
        raise HookError(f"{place}: cannot be read: {error}") from None
    return held if isinstance(held, dict) else {}


def _their_name(ours: str, numbers: list[int], attends: int) -> tuple[str, bool]:
    """The name of a tensor in the file, and whether its spectral norm is stored beside it."""
    place, _, rest = ours.removeprefix("synthesis.").partition(".")
    if place == "mapping":
        return _EMBED, False
    if place in ("first", "torgb"):
        return f"generator.{'gen_z' if place == 'first' else 'conv_to_rgb'}.{rest}", rest == "weight"
    statistics = {"mean": "running_means", "var": "running_vars"}
    if place == "norm":
        return f"generator.bn.{statistics.get(rest.removeprefix('running_'), rest)}", False
    if place == "attention":
        part, _, last = rest.partition(".")
        stem = f"generator.layers.{attends}"
        return (f"{stem}.snconv1x1_{_PARTS[part]}.weight", True) if last else (f"{stem}.gamma", False)
    layer, _, part = rest.partition(".")
    stem = f"generator.layers.{numbers[int(place[len('block') :])]}"
    number = layer[-1]
    if layer.startswith("conv"):
        return f"{stem}.conv_{number}.{part}", part == "weight"
    if part in statistics:
        return f"{stem}.bn_{number}.{statistics[part]}", False
    affine = "scale" if part.startswith("scale") else "offset"
    return f"{stem}.bn_{number}.{affine}.weight", True


HOOK = BigGANDeep()
