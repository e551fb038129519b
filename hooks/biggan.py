"""State dicts of BigGAN-PyTorch: ``G_ema.pth``, of networks with a shared embedding of the classes."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sefa_plugin.hook import SIZES, ArrayLike, HookError, NetworkRecord, StyleLayer

from .planned import Held, RenamedHook, Shapes, Weights
from .stylegan2_parts import assumed
from .tensors import MAX_BLOCKS, array, count, length

if TYPE_CHECKING:
    import numpy as np
    from torch import nn

_FIRST, _SHARED = "synthesis.first", "shared.weight"
_GAIN = "blocks.0.0.bn1.gain.weight"
_ATTENTION = {"queries": "theta", "keys": "phi", "values": "g", "out": "o"}
# Of each normalisation: their own, those of its "mybn", and those across graphics cards.
_STATISTICS = ("stored_{}", "bn.stored_{}", "bn.running_{}")


class BigGANPlan(NamedTuple):
    """What determines a BigGAN; rows of its ws are z and a class embedding. See ``planned.Plan``.

    Attributes:
        chunk: numbers of z that enter the first layer.
        hierarchical: whether each block has a chunk of z.
        widths: channels after the first layer and after each block.
        attends: numbers of the blocks with attention.
    """

    z_dim: int
    c_dim: int
    embed_dim: int
    img_channels: int
    chunk: int
    hierarchical: bool
    widths: list[int]
    attends: list[int]

    def sizes(self) -> dict[str, int]:
        rows = len(self.widths)
        return dict(
            zip(SIZES, (self.z_dim, self.c_dim, self.z_dim + self.embed_dim, rows, 2 << rows, self.img_channels))
        )

    def tensors(self) -> Shapes:
        shapes: Shapes = {"mapping.embed.weight": (self.embed_dim, self.c_dim)}
        shapes.update(_linear(_FIRST, self.chunk, self.widths[0] * 16))
        for index, (before, width) in enumerate(zip(self.widths, self.widths[1:])):
            block = f"synthesis.b{8 << index}"
            for part, channels in (("norm0", before), ("norm1", width)):
                for affine in ("scale", "shift"):
                    shapes[f"{block}.{part}.{affine}.weight"] = (channels, self._code_dim)
                shapes[f"{block}.{part}.mean"] = shapes[f"{block}.{part}.var"] = (channels,)
            for conv, inputs, kernel in (("conv0", before, 3), ("conv1", width, 3), ("skip", before, 1)):
                shapes[f"{block}.{conv}.weight"], shapes[f"{block}.{conv}.bias"] = (
                    (width, inputs, kernel, kernel),
                    (width,),
                )
            if index in self.attends:
                shapes.update(attention(f"{block}.attention", width))
        last = self.widths[-1]
        for part in ("weight", "bias", "running_mean", "running_var"):
            shapes[f"synthesis.norm.{part}"] = (last,)
        shapes["synthesis.torgb.weight"] = (self.img_channels, last, 3, 3)
        shapes["synthesis.torgb.bias"] = (self.img_channels,)
        return shapes

    @property
    def _code_dim(self) -> int:
        return self.embed_dim + (self.chunk if self.hierarchical else 0)

    def style_layers(self, weights: Weights) -> list[StyleLayer]:
        """The first layer, and scale and shift of every normalisation that has a chunk of z."""
        width = self.z_dim + self.embed_dim
        first = _columns(weights(f"{_FIRST}.weight"), slice(None), width, 0)
        layers = [StyleLayer(_FIRST, first, 0, "conv", size=4, detail=4.0)]
        for row in range(1, len(self.widths)) if self.hierarchical else ():
            side = 4 << row
            for part in ("norm0", "norm1"):
                for affine in ("scale", "shift"):
                    name = f"synthesis.b{side}.{part}.{affine}"
                    chunk = slice(self.embed_dim, self.embed_dim + self.chunk)  # behind the embedding of the class
                    weight = _columns(weights(f"{name}.weight"), chunk, width, row * self.chunk)
                    layers.append(StyleLayer(name, weight, row, "conv", size=side, detail=float(side)))
        return layers

    def mapping_layer(self, weights: Weights) -> StyleLayer:
        """The first layer, for directions of Z."""
        weight = _columns(weights(f"{_FIRST}.weight"), slice(None), self.z_dim, 0)
        return StyleLayer(_FIRST, weight, -1, "mapping", size=4)

    def build(self) -> nn.Module:
        from sefa_plugin.generators.biggan import Generator

        return Generator(*self)


def _linear(name: str, inputs: int, outputs: int) -> Shapes:
    return {f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)}


def attention(name: str, width: int) -> Shapes:
    """The tensors of self-attention."""
    shapes: Shapes = {f"{name}.{part}.weight": (width // 8, width, 1, 1) for part in ("queries", "keys")}
    shapes[f"{name}.values.weight"], shapes[f"{name}.out.weight"] = (width // 2, width, 1, 1), (width, width // 2, 1, 1)
    shapes[f"{name}.gain"] = ()
    return shapes


def _columns(weight: ArrayLike, of: slice, width: int, at: int) -> np.ndarray:
    """Some columns of a weight as columns ``at`` and following of a matrix ``[outputs, width]``, else 0."""
    import numpy as np

    part = array(weight)[:, of]
    made = np.zeros((len(part), width), np.float32)
    made[:, at : at + part.shape[1]] = part
    return made


class BigGAN(RenamedHook[BigGANPlan]):
    """Reads generators of BigGAN-PyTorch."""

    name = "biggan"
    counters = (".accumulation_counter", ".num_batches_tracked")

    def fits(self, record: NetworkRecord) -> bool:
        held = record.tensors
        return record.family == "state_dict" and {_SHARED, _GAIN, "linear.weight", "output_layer.0.gain"} <= set(held)

    def remarks(self, record: NetworkRecord) -> list[str]:
        return [assumed("ReLU, one power iteration, BN_eps 1e-5, averages of batch normalisation as stored")]

    def plan(self, record: NetworkRecord) -> BigGANPlan:
        blocks = count(record, "blocks.{}.0.conv1.weight".format)
        if not 1 <= blocks <= MAX_BLOCKS:
            raise HookError(f"{record.path}: this BigGAN has {blocks} blocks: a modified or damaged network")
        widths = [length(record, f"blocks.{index}.0.conv1.weight", 0, 4) for index in range(blocks)]
        classes, embed = (length(record, _SHARED, axis, 2) for axis in (0, 1))
        chunk, code = length(record, "linear.weight", 1, 2), length(record, _GAIN, 1, 2)
        if code not in (embed, embed + chunk):
            wanted = f"{embed} of the class, or with a chunk of z {embed + chunk}"
            raise HookError(f"{record.path}: {_GAIN} takes {code} numbers, expected {wanted}")
        hierarchical = code > embed
        attends = [index for index in range(blocks) if f"blocks.{index}.1.theta.weight" in record.tensors]
        first = length(record, "blocks.0.0.conv1.weight", 1, 4)
        colours = length(record, "output_layer.2.weight", 0, 4)
        z_dim = chunk * (blocks + 1) if hierarchical else chunk
        return BigGANPlan(z_dim, classes, embed, colours, chunk, hierarchical, [first, *widths], attends)

    def table(self, record: NetworkRecord, plan: BigGANPlan) -> dict[str, Held]:
        table, shapes = {}, plan.tensors()
        for ours, shape in shapes.items():
            table[ours] = Held(_their_name(record, ours), shape)
        table["mapping.embed.weight"] = Held(_SHARED, (plan.c_dim, plan.embed_dim), (1, 0))
        return table

    def others(self, record: NetworkRecord, plan: BigGANPlan) -> Shapes:
        """Vectors and values of spectral norms."""
        found: Shapes = {}
        for held in self.table(record, plan).values():
            stem, _, part = held.name.rpartition(".")
            if part == "weight" and f"{stem}.u0" in record.tensors:
                found[f"{stem}.u0"], found[f"{stem}.sv0"] = (1, held.shape[0]), (1,)
        return found

    def tensor(self, record: NetworkRecord, ours: str, held: Held) -> ArrayLike:
        stem, _, part = held.name.rpartition(".")
        if part != "weight" or f"{stem}.u0" not in record.tensors:
            return super().tensor(record, ours, held)
        return _without_norm(array(record.tensors[held.name]), array(record.tensors[f"{stem}.u0"]))


def _their_name(record: NetworkRecord, ours: str) -> str:
    """The name of a tensor in BigGAN-PyTorch."""
    place, _, rest = ours.removeprefix("synthesis.").partition(".")
    if place == "norm":
        names = {"weight": "gain", "bias": "bias", "running_mean": "mean", "running_var": "var"}
        return _statistic(record, "output_layer.0", names[rest])
    if place in ("first", "torgb"):
        return f"{'linear' if place == 'first' else 'output_layer.2'}.{rest}"
    if not place.startswith("b"):
        return ours
    index = int(place[1:]).bit_length() - 4
    layer, _, part = rest.partition(".")
    if layer == "attention":
        inner, _, last = part.partition(".")
        return f"blocks.{index}.1.{f'{_ATTENTION[inner]}.{last}' if last else 'gamma'}"
    if layer.startswith("norm"):
        normalisation = f"blocks.{index}.0.bn{int(layer[4:]) + 1}"
        affine, _, last = part.partition(".")
        if last:
            return f"{normalisation}.{'gain' if affine == 'scale' else 'bias'}.{last}"
        return _statistic(record, normalisation, part)
    return f"blocks.{index}.0.{({'conv0': 'conv1', 'conv1': 'conv2', 'skip': 'conv_sc'})[layer]}.{part}"


def _statistic(record: NetworkRecord, normalisation: str, part: str) -> str:
    """The name of the mean or the variance of a normalisation."""
    if part not in ("mean", "var"):
        return f"{normalisation}.{part}"
    names = [f"{normalisation}.{name.format(part)}" for name in _STATISTICS]
    return next((name for name in names if name in record.tensors), names[0])


def _without_norm(weight: np.ndarray, u: np.ndarray) -> np.ndarray:
    """A weight divided by its largest singular value: one power iteration from ``u`` ``[1, outputs]`` estimates it."""
    import numpy as np

    matrix = weight.reshape(len(weight), -1)
    v = u @ matrix
    v /= max(float(np.linalg.norm(v)), 1e-12)
    value = float(np.linalg.norm(v @ matrix.T))
    return weight / np.float32(value)


HOOK = BigGAN()
