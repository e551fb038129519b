"""Base classes of the built-in hooks: a network's sizes, tensors, style layers and generator follow from its plan."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Generic, NamedTuple, Protocol, TypeVar

from sefa_plugin.hook import ArrayLike, Hook, NetworkRecord, StyleLayer

from .tensors import array, compare_tensors

if TYPE_CHECKING:
    import numpy as np
    from torch import nn

Shapes = dict[str, "tuple[int, ...]"]
Weights = Callable[[str], ArrayLike]  # a matrix [out, in] by the name of our generator's tensor


class Plan(Protocol):
    """What determines a generator of ours, without its weights."""

    def sizes(self) -> dict[str, int]:
        """The result of ``Hook.describe``."""

    def tensors(self) -> Shapes:
        """Every parameter and buffer of the generator, with its shape."""

    def style_layers(self, weights: Weights) -> list[StyleLayer]:
        """Every affine of the synthesis network, in the order of execution."""

    def mapping_layer(self, weights: Weights) -> StyleLayer:
        """The first mapping layer; its first ``z_dim`` columns belong to z, the rest to a label."""

    def build(self) -> nn.Module:
        """The generator, without the file's weights."""


SomePlan = TypeVar("SomePlan", bound=Plan)


class PlannedHook(Hook, Generic[SomePlan]):
    """A hook of networks whose tensors have the names of our generator."""

    @abstractmethod
    def plan(self, record: NetworkRecord) -> SomePlan:
        """The plan of a network.

        Raises:
            HookError: arguments or tensors allow none.
        """

    def expected(self, record: NetworkRecord, plan: SomePlan) -> Shapes:
        """Names and shapes of all tensors of the file."""
        return plan.tensors()

    def weights(self, record: NetworkRecord, plan: SomePlan) -> Weights:
        """The matrices of the file."""
        return record.tensors.__getitem__

    def check(self, record: NetworkRecord) -> None:
        compare_tensors(record, self.expected(record, self.plan(record)))

    def describe(self, record: NetworkRecord) -> dict[str, int]:
        return self.plan(record).sizes()

    def style_layers(self, record: NetworkRecord) -> list[StyleLayer]:
        plan = self.plan(record)
        return plan.style_layers(self.weights(record, plan))

    def mapping_layer(self, record: NetworkRecord) -> StyleLayer:
        plan = self.plan(record)
        return plan.mapping_layer(self.weights(record, plan))

    def build(self, record: NetworkRecord) -> nn.Module:
        return self.plan(record).build()


class Held(NamedTuple):
    """Where a tensor of our generator is in the file.

    Attributes:
        name, shape: its name and shape there.
        axes: the order of its axes in our generator; None for the same.
        flipped: whether the last two of our axes run backwards, as in the kernel of a transposed convolution.
    """

    name: str
    shape: tuple[int, ...]
    axes: tuple[int, ...] | None = None
    flipped: bool = False


class RenamedHook(PlannedHook[SomePlan]):
    """A hook of networks whose tensors have other names."""

    @abstractmethod
    def table(self, record: NetworkRecord, plan: SomePlan) -> dict[str, Held]:
        """Tensors of our generator, by name, that the file holds."""

    def others(self, record: NetworkRecord, plan: SomePlan) -> Shapes:
        """Names and shapes of tensors of the file that our generator does not have."""
        return {}

    def expected(self, record: NetworkRecord, plan: SomePlan) -> Shapes:
        held = self.table(record, plan).values()
        return {**{one.name: one.shape for one in held}, **self.others(record, plan)}

    def weights(self, record: NetworkRecord, plan: SomePlan) -> Weights:
        table = self.table(record, plan)
        return lambda ours: self.tensor(record, ours, table[ours])

    def tensor(self, record: NetworkRecord, ours: str, held: Held) -> ArrayLike:
        """A tensor of the file with the axes of our generator; of equal length, but for axes of length 1."""
        if held.axes is None and not held.flipped:
            return record.tensors[held.name]
        made = array(record.tensors[held.name])
        made = made.transpose(held.axes) if held.axes else made
        return (made[..., ::-1, ::-1] if held.flipped else made).copy()

    def state(self, record: NetworkRecord) -> dict[str, np.ndarray]:
        """Arrays (float32) by our generator's names."""
        plan = self.plan(record)
        shapes, table = plan.tensors(), self.table(record, plan).items()
        return {ours: array(self.tensor(record, ours, held)).reshape(shapes[ours]) for ours, held in table}
