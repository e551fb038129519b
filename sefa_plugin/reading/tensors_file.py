"""Arrays in a ``.pt`` or ``.pkl`` of any tool: taken out one by one, nothing of the file is run."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from .array_file import ArrayFileError, check_size, numbers
from .containers import read_inert
from .network_file import MAX_SHARING
from .pickle_values import ValueProblem
from .state_dicts import pairs
from .tensor_view import TensorView

if TYPE_CHECKING:
    from .tensor_view import Array


class InertParts:
    """What a file holds.

    Attributes:
        value: the inert value of the whole file.
        pairs: what is in it by key, where it is a dict in any of its forms; else None.

    Raises:
        NetworkFileError: it cannot be read; one line that begins with its path.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.value, self._values = read_inert(path)
        self.pairs = pairs(self.value)
        self._read: list[tuple[int, ...]] = []
        self._bytes, self._most = 0, MAX_SHARING * os.path.getsize(path)

    def shape(self, item: object) -> tuple[int, ...] | None:
        """The shape of a tensor or an array, None for all else; its numbers are not looked at."""
        try:
            plain = self._values.plain(item)
        except ValueProblem:
            return None
        return plain.shape if isinstance(plain, TensorView) else None

    def part(self, item: object, what: str, kinds: str = "fiu") -> Any:
        """A plain value, of any type; of a tensor or an array its numbers, float64 (without axes a float).

        Raises:
            ArrayFileError: it is too large, or holds something else than numbers of these kinds.
            ValueProblem: it needs a name that is not known, or makes no sense.
        """
        plain = self._values.plain(item)
        if not isinstance(plain, TensorView):
            return plain
        self._read.append(plain.shape)
        check_size(self._read, what)
        self._bytes += plain.nbytes
        if self._bytes > self._most:  # several may be views of the same few bytes
            raise ArrayFileError(f"{what}: its arrays are together over {MAX_SHARING} times the size of the file")
        array = numbers(plain.numpy(), what, kinds)
        return array if array.ndim else float(array)

    def array(self, item: object, what: str, kinds: str = "fiu") -> Array:
        """The numbers of a tensor or an array that must be there.

        Raises:
            ArrayFileError, ValueProblem: as :meth:`part`, or it is something else.
        """
        value = self.part(item, what, kinds)
        if not isinstance(value, np.ndarray):
            raise ArrayFileError(f"{what} is a {type(value).__name__}, not an array")
        return value
