"""Constructor arguments of a recorded network: sorted, completed with the class's defaults, and read by type."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sefa_plugin.hook import HookError, NetworkRecord

POSITIONAL = ("z_dim", "c_dim", "w_dim", "img_resolution", "img_channels", "mapping_kwargs", "synthesis_kwargs")
MAX_SIZE = 65_536  # far more than any dimension of a real generator
MAX_NUMBER = 1 << 24  # likewise for other whole numbers
MAX_POWER = 64  # for exponents of 2


class Sizes(NamedTuple):
    """The five sizes that every constructor of the PyTorch toolkits takes first, in their order."""

    z_dim: int
    c_dim: int
    w_dim: int
    img_resolution: int
    img_channels: int

    def described(self, num_ws: int) -> dict[str, int]:
        """The result of ``Hook.describe``."""
        return {
            "z_dim": self.z_dim,
            "c_dim": self.c_dim,
            "w_dim": self.w_dim,
            "num_ws": num_ws,
            "resolution": self.img_resolution,
            "channels": self.img_channels,
        }


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
        """Any number."""
        value = self.values[key]
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise self._wrong(key)
        return value

    def number_or_none(self, key: str) -> float | None:
        """Any number, or None."""
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
        """Text."""
        value = self.values[key]
        if not isinstance(value, str):
            raise self._wrong(key)
        return value

    def flag(self, key: str) -> bool:
        """True or False, by ``bool``."""
        return bool(self.values[key])

    def _wrong(self, key: str) -> HookError:
        return HookError(f"{self.record.path}: {key} is {self.values[key]!r:.40}")


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
    return without_forks(record, {**named, **record.init_kwargs})


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
        HookError: an argument is not known, or is of another type than its default.
    """
    if not isinstance(given, dict):
        raise HookError(f"{record.path}: {where} of {record.class_name} is not a dict")
    given = without_forks(record, given)
    unknown = sorted(str(name) for name in set(given) - set(defaults))
    if unknown:
        raise HookError(
            f"{record.path}: {record.class_name} was built with {where} {', '.join(unknown)[:120]}, "
            "which the known toolkits do not have: a modified network?"
        )
    for name, value in given.items():
        if not _same_kind(value, defaults[name]):
            raise HookError(f"{record.path}: {where} {name} of {record.class_name} is {value!r:.60}")
        if isinstance(value, int) and abs(value) > (MAX_POWER if name == "num_fp16_res" else MAX_NUMBER):
            raise HookError(
                f"{record.path}: {where} {name} of {record.class_name} is {value}, more than any network has"
            )
    return Options(record, {**defaults, **given})


def _same_kind(value: object, default: object) -> bool:
    """Whether a value has the type of ``default``; None as a default accepts a number or None."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if default is None:
        return value is None or number
    if isinstance(default, bool):
        return isinstance(value, (bool, int, str))
    if isinstance(default, (int, float)):
        return value is None or number
    if isinstance(default, (list, tuple)):
        return value is None or (isinstance(value, (list, tuple)) and all(isinstance(v, (int, float)) for v in value))
    return isinstance(value, type(default))


def compare_tensors(record: NetworkRecord, expected: Mapping[str, Sequence[int]]) -> None:
    """Check that the record holds exactly the expected tensors, of real numbers.

    Raises:
        HookError: names the first tensor that is missing, extra, of another shape or of another type, and how many
            there are.
    """
    held = {name: tuple(tensor.shape) for name, tensor in record.tensors.items()}
    missing = [name for name in expected if name not in held]
    extra = [name for name in held if name not in expected]
    other = [name for name in expected if name in held and held[name] != tuple(expected[name])]
    kinds = {name: str(tensor.dtype).rpartition(".")[2] for name, tensor in record.tensors.items()}
    unreal = [name for name, kind in kinds.items() if "float" not in kind]
    for names, what in ((missing, "lacks"), (extra, "has extra"), (other, "has mis-shaped"), (unreal, "has non-real")):
        if not names:
            continue
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        shape = f" {held[names[0]]}, expected {tuple(expected[names[0]])}" if names is other else ""
        shape = f" ({kinds[names[0]]} where floating-point numbers belong)" if names is unreal else shape
        raise HookError(
            f"{record.path}: this {record.class_name} {what} tensor {names[0][:100]}{shape}{more}: "
            "a modified or damaged network"
        )
