"""Constructor arguments of a recorded network: sorted, completed with the class's defaults, and read by type."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from sefa_plugin.hook import HookError, NetworkRecord

from .tensors import MAX_SIZE

POSITIONAL = ("z_dim", "c_dim", "w_dim", "img_resolution", "img_channels", "mapping_kwargs", "synthesis_kwargs")
MAX_NUMBER = 1 << 24  # far more than any number of a real generator
MAX_POWER = 64  # likewise for exponents of 2
MAX_LAYERS = 256  # likewise for layers


class Sizes(NamedTuple):
    """The five sizes that every constructor of the PyTorch toolkits takes first, in their order."""

    z_dim: int
    c_dim: int
    w_dim: int
    img_resolution: int
    img_channels: int


@dataclass(frozen=True)
class Options:
    """Keyword arguments by name, with a reader for each type.

    Every reader raises ``HookError`` with the argument's name where its value is of another type.
    """

    record: NetworkRecord
    values: Mapping[str, object]

    def whole(self, key: str, least: int = -MAX_NUMBER, most: int = MAX_NUMBER) -> int:
        """A whole number from ``least`` to ``most``."""
        value = self.values[key]
        if type(value) is not int or not least <= value <= most:
            raise self._wrong(key)
        return value

    def whole_or_none(self, key: str) -> int | None:
        """A whole number, or None."""
        return None if self.values[key] is None else self.whole(key)

    def number(self, key: str) -> float:
        """Any number up to ``MAX_NUMBER``."""
        value = self.values[key]
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) <= MAX_NUMBER:
            raise self._wrong(key)
        return value

    def number_or_none(self, key: str) -> float | None:
        """A number, or None."""
        return None if self.values[key] is None else self.number(key)

    def numbers_or_none(self, key: str) -> list[float] | None:
        """A list of numbers, or None."""
        value = self.values[key]
        if value is None:
            return None
        if not isinstance(value, (list, tuple)) or not all(isinstance(item, (int, float)) for item in value):
            raise self._wrong(key)
        return list(value)

    def text(self, key: str) -> str:
        value = self.values[key]
        if not isinstance(value, str):
            raise self._wrong(key)
        return value

    def flag(self, key: str) -> bool:
        """Whether a value counts as true."""
        return bool(self.values[key])

    def switch(self, key: str) -> bool:
        """True or False, and nothing else."""
        value = self.values[key]
        if not isinstance(value, bool):
            raise self._wrong(key)
        return value

    def _wrong(self, key: str) -> HookError:
        value = f"{self.values[key]!r:.40}"
        return HookError(f"{self.record.path}: {key} is {value}, which no network has: modified or damaged?")


# Arguments of forks, and the values at which they change no picture.
FORKS: dict[str, Callable[[object], bool]] = {
    "epochs": lambda value: isinstance(value, (int, float)),  # dvschultz: only stored
    "extended_sgan2": lambda value: value is False,  # stylegan3-fun: other widths
    "freeze_embed": lambda value: isinstance(value, bool),  # stylegan3-fun: of training
    "freeze_layers": lambda value: isinstance(value, int),
    "init_res": lambda value: isinstance(value, (list, tuple)) and list(value) == [4, 4],  # eps696
    "padding": lambda value: value is False,  # DragGAN
    "resize": lambda value: value is None,  # DragGAN
}


def without_forks(record: NetworkRecord, options: Mapping[str, object]) -> dict[str, object]:
    """Arguments without those of forks that change nothing.

    Raises:
        HookError: one has a value that changes pictures.
    """
    for name in set(options) & set(FORKS):
        if not FORKS[name](options[name]):
            raise HookError(
                f"{record.path}: {record.class_name} was built with {name} = {options[name]!r:.40}, "
                "which changes its pictures in a way that is not known here"
            )
    return {name: value for name, value in options.items() if name not in FORKS}


def named_arguments(record: NetworkRecord) -> dict[str, object]:
    """Give the constructor's arguments by name, positional ones included.

    Raises:
        HookError: there are more positional arguments than names, or one is given twice.
    """
    if len(record.init_args) > len(POSITIONAL):
        raise HookError(f"{record.path}: {record.class_name} was given {len(record.init_args)} arguments")
    named = dict(zip(POSITIONAL, record.init_args))
    twice = set(named) & set(record.init_kwargs)
    if twice:
        raise HookError(f"{record.path}: {record.class_name} was given {', '.join(sorted(twice))} twice")
    held = {**named, **record.init_kwargs}
    first = {"init_res": held.pop("init_res")} if "init_res" in held else {}  # read where it changes pictures
    return {**without_forks(record, held), **first}


def sizes(record: NetworkRecord, arguments: dict[str, object]) -> Sizes:
    """Take the five sizes out of ``arguments``.

    Raises:
        HookError: one is missing or is not a valid whole number.
    """
    result = []
    for name in Sizes._fields:
        value = arguments.pop(name, None)
        least = 0 if name in ("c_dim", "z_dim") else 1
        if type(value) is not int or not least <= value <= MAX_SIZE:
            raise HookError(f"{record.path}: {record.class_name} has no valid {name} ({value!r:.40})")
        result.append(value)
    return Sizes(*result)


def completed(record: NetworkRecord, given: object, defaults: Mapping[str, object], where: str) -> Options:
    """Complete keyword arguments with defaults.

    Raises:
        HookError: an argument is not known.
    """
    if not isinstance(given, dict):
        raise HookError(f"{record.path}: {where} of {record.class_name} is not a dict")
    given = without_forks(record, given)
    refuse(record, set(given) - set(defaults), f"{where} ")
    return Options(record, {**defaults, **given})


def refuse(record: NetworkRecord, names: Iterable[str], where: str = "") -> None:
    """Refuse arguments that are not known.

    Raises:
        HookError: there are any.
    """
    unknown = ", ".join(sorted(map(str, names)))
    if unknown:
        raise HookError(
            f"{record.path}: {record.class_name} was built with {where}{unknown[:120]}, "
            "which the known toolkits do not have: a modified network?"
        )
