"""State dicts of DCGAN generators: those of PyTorch's tutorial and examples, ``main.0.weight`` and so on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from sefa_plugin.hook import SIZES, ArrayLike, HookError, NetworkRecord, StyleLayer

from .planned import Held, RenamedHook, Shapes, Weights
from .tensors import MAX_BLOCKS, array, length

if TYPE_CHECKING:
    from torch import nn

_FIRST = "main.0.weight"
_DENSE = "synthesis.layer0"
_NORM = ("weight", "bias", "running_mean", "running_var")


class DCGANPlan(NamedTuple):
    """What determines a DCGAN; its one row of ws is z. See ``planned.Plan``.

    Attributes:
        widths: channels of every layer but the last, from 4 pixels on.
        last_kernel: 4 for a last layer that doubles the size, 1 for one that does not.
        bias: whether the convolutions have biases.
    """

    z_dim: int
    img_channels: int
    widths: list[int]
    last_kernel: int
    bias: bool

    def sizes(self) -> dict[str, int]:
        side = (4 << (len(self.widths) - 1)) * (2 if self.last_kernel == 4 else 1)
        return dict(zip(SIZES, (self.z_dim, 0, self.z_dim, 1, side, self.img_channels)))

    def layers(self) -> Iterator[tuple[str, int, int, int]]:
        """Our name, inputs, outputs and kernel of each layer."""
        yield _DENSE, self.z_dim, self.widths[0], 4
        for index, (before, width) in enumerate(zip(self.widths, self.widths[1:]), start=1):
            yield f"synthesis.layer{index}", before, width, 4
        yield "synthesis.last", self.widths[-1], self.img_channels, self.last_kernel

    def tensors(self) -> Shapes:
        shapes: Shapes = {}
        for name, inputs, outputs, kernel in self.layers():
            dense = name == _DENSE
            shapes[f"{name}.weight"] = (outputs * 16, inputs) if dense else (inputs, outputs, kernel, kernel)
            if self.bias:
                shapes[f"{name}.bias"] = (outputs,)
        for index, width in enumerate(self.widths):
            shapes.update({f"synthesis.norm{index}.{part}": (width,) for part in _NORM})
        return shapes

    def style_layers(self, weights: Weights) -> list[StyleLayer]:
        """The one layer that z enters."""
        return [StyleLayer(_DENSE, weights(f"{_DENSE}.weight"), 0, "conv", size=4)]

    def mapping_layer(self, weights: Weights) -> StyleLayer:
        """The same layer, for directions of Z."""
        return StyleLayer(_DENSE, weights(f"{_DENSE}.weight"), -1, "mapping", size=4)

    def build(self) -> nn.Module:
        from sefa_plugin.generators.dcgan import Generator

        return Generator(*self)


class DCGAN(RenamedHook[DCGANPlan]):
    """Reads generators with the tutorial's names: a transposed convolution, normalisation and activation in turn."""

    name = "dcgan"
    counters = (".num_batches_tracked",)

    def fits(self, record: NetworkRecord) -> bool:
        held = record.tensors
        if record.family != "state_dict" or not {_FIRST, "main.1.running_mean", "main.3.weight"} <= set(held):
            return False
        first = tuple(held[_FIRST].shape)
        return len(first) == 4 and tuple(held["main.1.running_mean"].shape) == first[1:2]  # other networks: first[:1]

    def remarks(self, record: NetworkRecord) -> list[str]:
        last = "" if self.plan(record).last_kernel == 4 else ", no cropping in the last layer"
        known = "ReLU between layers, tanh at the end, the running averages of batch normalisation"
        return [f"a state_dict of a DCGAN stores weights only; taken to be as in PyTorch's tutorial: {known}{last}"]

    def plan(self, record: NetworkRecord) -> DCGANPlan:
        numbers = [3 * index for index in range(MAX_BLOCKS + 1) if f"main.{3 * index}.weight" in record.tensors]
        if numbers != list(range(0, 3 * len(numbers), 3)) or not 2 <= len(numbers) <= MAX_BLOCKS:
            raise HookError(f"{record.path}: its layers main.N.weight are not those of the DCGAN tutorial's generator")
        outputs = [length(record, f"main.{number}.weight", 1, 4) for number in numbers]
        kernel = length(record, f"main.{numbers[-1]}.weight", 2, 4)
        bias = "main.0.bias" in record.tensors
        return DCGANPlan(length(record, _FIRST, 0, 4), outputs[-1], outputs[:-1], 1 if kernel == 1 else 4, bias)

    def table(self, record: NetworkRecord, plan: DCGANPlan) -> dict[str, Held]:
        table = {}
        for index, (name, inputs, outputs, kernel) in enumerate(plan.layers()):
            table[f"{name}.weight"] = Held(f"main.{3 * index}.weight", (inputs, outputs, kernel, kernel))
            if plan.bias:
                table[f"{name}.bias"] = Held(f"main.{3 * index}.bias", (outputs,))
        for index, width in enumerate(plan.widths):
            for part in _NORM:
                table[f"synthesis.norm{index}.{part}"] = Held(f"main.{3 * index + 1}.{part}", (width,))
        return table

    def tensor(self, record: NetworkRecord, ours: str, held: Held) -> ArrayLike:
        if ours != f"{_DENSE}.weight":
            return super().tensor(record, ours, held)
        kernel = array(record.tensors[_FIRST])  # all taps of one pixel: [channels * 16, z_dim]
        return kernel.reshape(len(kernel), -1).T.copy()


HOOK = DCGAN()
