"""Conversion of inert records into tensors and plain values: scalars and containers of Python."""

from __future__ import annotations

from collections.abc import Iterable

from .pickle_forms import Array, Dtype, Object, Storage, Tensor, UnknownGlobal
from .pickle_machine import MAX_OPCODES, Budget, Global, is_plain_key
from .pickle_machine import ValueProblem as ValueProblem
from .tensor_view import ELEMENT_TYPES, TensorError, TensorView
from .torch_file import TorchFileError

MAX_DEPTH = 64
MAX_VALUES = 1_000_000  # values visited in one read; shared parts count each time
MAX_SHARING = 16  # values visited for each instruction of the file
FEW_VALUES = 10_000  # allowed in addition
MAX_LETTERS = 1 << 24  # of all texts and byte strings among the values, without tensors and sources
MAX_ODD_KEYS = 4_096
_TORCH_NAMES = {*ELEMENT_TYPES, "float", "half", "long"}
_NUMPY_NAMES = {name.replace("bool", "bool_") for name in ELEMENT_TYPES} | {"bool"}


class Values:
    """Turns inert records of one file into plain values and tensor views.

    Args:
        budget: the file's limits, what was read of it so far.
    """

    def __init__(self, budget: Budget) -> None:
        self._visited = self._letters = self._odd_keys = 0
        self._most = min(MAX_VALUES, FEW_VALUES + MAX_SHARING * (MAX_OPCODES - budget.opcodes))

    def tensor(self, value: object) -> TensorView | None:
        """Give the tensor that ``value`` describes, or None if it is not a tensor.

        Raises:
            ValueProblem: the tensor is inconsistent.
        """
        if not isinstance(value, Tensor):
            return None
        storage = value.storage
        try:
            if storage.check:
                storage.check()
            return TensorView(value.dtype or storage.dtype, value.shape, value.strides, value.offset, storage.data)
        except TorchFileError as error:
            raise ValueProblem(f"its file {error}") from None
        except TensorError as error:
            raise ValueProblem(f"a tensor that cannot be read: {error}") from None

    def plain(self, value: object, depth: int = 0) -> object:
        """Turn a value into Python's own scalars and containers, tensors into :class:`TensorView`.

        Raises:
            UnknownGlobal: it needs an unknown global.
            ValueProblem: it is nested too deeply, too large, or invalid.
        """
        self.count(1)
        if depth > MAX_DEPTH:
            raise ValueProblem(f"values nested deeper than {MAX_DEPTH}")
        if value is None or isinstance(value, (bool, float)):
            return value
        if isinstance(value, int):
            if not -(1 << 63) <= value < 1 << 64:
                raise ValueProblem(f"a whole number of {value.bit_length()} bits")
            return value
        if isinstance(value, (str, bytes, memoryview)):
            return self._counted(value)
        if isinstance(value, Tensor):
            return self.tensor(value)
        if isinstance(value, (list, tuple)):
            return type(value)(self.plain(item, depth + 1) for item in value)
        if isinstance(value, (set, frozenset)):
            return [self.plain(item, depth + 1) for item in value]
        if isinstance(value, dict):
            return self._dict(value.items(), depth)
        if isinstance(value, Array) and value.view is not None:
            return value.view
        if isinstance(value, Dtype):
            return f"numpy.{value.name}"
        if isinstance(value, Global):
            return self._name(value)
        if isinstance(value, Object):
            raise UnknownGlobal(value.kind)
        raise ValueProblem(f"a {type(value).__name__.lower()} where a value was expected")

    def count(self, values: int) -> None:
        """Count values that are looked at.

        Raises:
            ValueProblem: there are more than so small a file can hold, since parts are shared.
        """
        self._visited += values
        if self._visited > self._most:
            raise ValueProblem(f"more than {self._most} values")

    def _counted(self, value: str | bytes | memoryview) -> str | bytes:
        self._letters += len(value)
        if self._letters > MAX_LETTERS:
            raise ValueProblem(f"more than {MAX_LETTERS} letters and bytes of text")
        return value if isinstance(value, str) else bytes(value)

    def _dict(self, pairs: Iterable[tuple[object, object]], depth: int) -> dict[object, object]:
        result: dict[object, object] = {}
        for key, value in pairs:
            name = self.plain(key, depth + 1)
            if not is_plain_key(name):
                self._odd_keys += 1
                if not isinstance(name, (int, float, tuple)) or self._odd_keys > MAX_ODD_KEYS:
                    raise ValueProblem(f"a key of type {type(name).__name__}, or very many of them")
            result[name] = self.plain(value, depth + 1)
        return result

    @staticmethod
    def _name(value: Global) -> str:
        """The name of an element type that is used as a value."""
        if value.module == "torch" and value.name in _TORCH_NAMES:
            return f"torch.{value.name}"
        if value.module == "numpy" and value.name in _NUMPY_NAMES:
            return f"numpy.{value.name}"
        raise UnknownGlobal(value)


def shared_parts(value: object, others: Iterable[object]) -> bool:
    """Whether something that can be changed is part of a value and of one of the others."""
    own = _mutable_parts([value])
    return not own.keys().isdisjoint(_mutable_parts(part for part in others if id(part) not in own))


def _mutable_parts(values: Iterable[object]) -> dict[int, object]:
    """Whatever could be changed inside of values, by ``id``."""
    waiting, seen, found = list(values), dict[int, object](), dict[int, object]()
    while waiting:
        part = waiting.pop()
        if id(part) in seen or not isinstance(part, (dict, list, tuple, set, Object, Array, Storage)):
            continue
        seen[id(part)] = part
        if not isinstance(part, tuple):
            found[id(part)] = part
        if isinstance(part, dict):
            waiting.extend(part.values())
        elif isinstance(part, Object):
            waiting.append(part.state)
        elif isinstance(part, (list, tuple)):
            waiting.extend(part)
    return found
