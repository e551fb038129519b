"""Pickles with NumPy's arrays of Python objects, as ``numpy.save`` writes a dict or a list of arrays.

Networks hold none, so that the reader of networks refuses them. Nothing of a pickle is run.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from .containers import Parsed, whole
from .pickle_forms import Array, Loaded, Reader
from .pickle_machine import Budget, Global, OtherForm

if TYPE_CHECKING:
    from .tensor_view import Bytes

_TYPE_STATE = (3, "|", None, None, None, -1, -1, 63)  # of NumPy's type of objects


class Objects(NamedTuple):
    """The elements of an array, in C order, and its shape."""

    shape: tuple[int, ...]
    items: list[object]

    def nested(self) -> object:
        """The element of an array without axes, else lists in lists."""
        parts = self.items
        for length in self.shape[:0:-1]:
            parts = [parts[start : start + length] for start in range(0, len(parts), length)]
        return parts if self.shape else parts[0]


class _ObjectType:
    """NumPy's type of objects; ``whole`` once it has its state."""

    whole = False


class _Reader(Reader):
    def called(self, func: object, args: tuple[object, ...]) -> object:
        known = isinstance(func, Global) and (func.module, func.name) == ("numpy", "dtype")
        return _ObjectType() if known and args in (("O8", False, True), ("O8", 0, 1)) else super().called(func, args)

    def built(self, target: object, state: object) -> None:
        if isinstance(target, _ObjectType) and state == _TYPE_STATE:
            target.whole = True
        elif isinstance(target, Array) and (held := _objects(state)):
            target.view = held  # type: ignore[assignment]
        else:
            super().built(target, state)


def _objects(state: object) -> Objects | None:
    """The state of an array of objects; None for any other."""
    if not isinstance(state, tuple) or len(state) != 5 or not isinstance(state[2], _ObjectType):
        return None
    _, shape, kind, fortran, items = state
    fits = isinstance(shape, tuple) and all(isinstance(length, int) and length > 0 for length in shape)
    if not (fits and kind.whole and isinstance(items, list) and len(items) == math.prod(shape)):
        return None
    return None if fortran and len(shape) > 1 else Objects(shape, items)


def load_objects(data: Bytes, start: int = 0, budget: Budget | None = None) -> Loaded:
    """As ``pickle_forms.load``, of a pickle that may hold arrays of objects; their ``view`` is an :class:`Objects`."""
    reader = _Reader(memoryview(data).cast("B"), start, budget or Budget())
    value = reader.run()
    names = list(reader.globals.values())
    return Loaded(value, reader.pos, names, reader.blobs, reader.strangers, reader.tensors, reader.sources)


def parsed_objects(data: Bytes, start: int) -> Parsed:
    """Read the pickle of an array of objects that begins at ``start``.

    Raises:
        InertPickleError, TorchFileError: it is broken, or of another kind.
    """
    budget = Budget()
    loaded = load_objects(data, start, budget)
    if loaded.end != len(data):
        raise OtherForm(f"goes on for {len(data) - loaded.end} bytes after its end")
    return whole(loaded, budget, "pickle")
