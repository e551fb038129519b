"""Base classes of the built-in hooks: a network's sizes, tensors, style layers and generator follow from its plan."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Generic, NamedTuple, Protocol, TypeVar

from sefa_plugin.hook import ArrayLike, Hook, NetworkRecord, StyleLayer

from . import buffers
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

    def places(self, record: NetworkRecord, plan: SomePlan) -> dict[str, Held]:
        """Where the tensors of our generator are in the file, those that it need not have among them."""
        return {ours: Held(ours, shape) for ours, shape in plan.tensors().items()}

    def filters(self, record: NetworkRecord, plan: SomePlan) -> Shapes:
        """Names and shapes of filters in the file that our generator makes itself."""
        return {}

    def check(self, record: NetworkRecord) -> None:
        plan = self.plan(record)
        expected = self.expected(record, plan)
        free = {held.name for held in self._odd(record, plan).values()}
        free |= {name for name, shape in self.filters(record, plan).items() if _is_odd(record, name, shape)}
        compare_tensors(record, expected, free)

    def _odd(self, record: NetworkRecord, plan: SomePlan) -> dict[str, Held]:
        """Buffers that are no weights, by our names, which a state_dict lacks or has with another number of axes."""
        if record.family != "state_dict":
            return {}
        places = self.places(record, plan).items()
        return {ours: one for ours, one in places if buffers.kind(ours) and _is_odd(record, one.name, one.shape)}

    def _taken(self, record: NetworkRecord, plan: SomePlan) -> dict[str, np.ndarray]:
        """Those of them that the file has in another shape, in ours."""
        shapes, made = plan.tensors(), {}
        for ours, held in self._odd(record, plan).items():
            if held.name in record.tensors:
                found = buffers.reshaped(ours, record.tensors[held.name], shapes[ours])
                made.update({} if found is None else {ours: found})
        return made

    def cannot_render(self, record: NetworkRecord) -> str:
        """Which buffer is missing that cannot be made anew."""
        if record.family != "state_dict":
            return ""
        plan = self.plan(record)
        odd, taken = self._odd(record, plan), self._taken(record, plan)
        names = [held.name for ours, held in odd.items() if buffers.kind(ours) == "lost" and ours not in taken]
        if not names:
            return ""
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        return f"this state_dict lacks tensor {names[0]}{more}: there are directions, but no pictures without it"

    def remarks(self, record: NetworkRecord) -> list[str]:
        """One line on buffers that are made anew."""
        if record.family != "state_dict" or self.cannot_render(record):
            return []
        plan = self.plan(record)
        taken = self._taken(record, plan)
        odd = {held.name: buffers.kind(ours) for ours, held in self._odd(record, plan).items() if ours not in taken}
        odd.update({name: "filters" for name in self.filters(record, plan) if name not in record.tensors})
        return [buffers.told(list(odd), list(odd.values()))] if odd else []

    def state(self, record: NetworkRecord) -> Mapping[str, ArrayLike]:
        """The tensors by our generator's names, with buffers made anew where the file lacks them."""
        plan = self.plan(record)
        odd = self._odd(record, plan)
        if not odd:
            return self.arrays(record)
        made = {**self.arrays(record), **buffers.made_anew(plan.tensors(), list(odd)), **self._taken(record, plan)}
        if "mapping.w_avg" in odd and "mapping.w_avg" not in made:
            made["mapping.w_avg"] = buffers.mean_w(made)
        return made

    def arrays(self, record: NetworkRecord) -> Mapping[str, ArrayLike]:
        """The file's tensors by our generator's names."""
        odd = self._odd(record, self.plan(record))
        return {name: held for name, held in record.tensors.items() if name not in odd} if odd else record.tensors

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


def _is_odd(record: NetworkRecord, name: str, shape: tuple[int, ...]) -> bool:
    """Whether a tensor is missing in the file, or has another number of axes there."""
    return name not in record.tensors or len(record.tensors[name].shape) != len(shape)


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
    """A hook of networks whose tensors have other names.

    Attributes:
        counters: ends of names of tensors that count, and are no part of the network.
    """

    counters: tuple[str, ...] = ()

    def check(self, record: NetworkRecord) -> None:
        held = {name: tensor for name, tensor in record.tensors.items() if not name.endswith(self.counters)}
        super().check(replace(record, tensors=held))

    @abstractmethod
    def table(self, record: NetworkRecord, plan: SomePlan) -> dict[str, Held]:
        """Tensors of our generator, by name, that the file holds."""

    def places(self, record: NetworkRecord, plan: SomePlan) -> dict[str, Held]:
        return self.table(record, plan)

    def others(self, record: NetworkRecord, plan: SomePlan) -> Shapes:
        """Names and shapes of further tensors of the file that our generator does not have."""
        return {}

    def expected(self, record: NetworkRecord, plan: SomePlan) -> Shapes:
        held = self.table(record, plan).values()
        return {**{one.name: one.shape for one in held}, **self.filters(record, plan), **self.others(record, plan)}

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

    def arrays(self, record: NetworkRecord) -> dict[str, np.ndarray]:
        """Arrays (float32) by our generator's names."""
        plan = self.plan(record)
        shapes, table, odd = plan.tensors(), self.table(record, plan).items(), self._odd(record, plan)
        return {
            ours: array(self.tensor(record, ours, held)).reshape(shapes[ours])
            for ours, held in table
            if ours not in odd
        }
