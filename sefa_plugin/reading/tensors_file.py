"""Arrays in a ``.pt`` or ``.pkl`` of any tool, read one by one; no code of the file is run."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from .array_file import ArrayFileError, check_size, numbers
from .containers import read_inert
from .network_file import MAX_SHARING
from .pickle_values import ValueProblem
from .tensor_view import TensorView

if TYPE_CHECKING:
    from .tensor_view import Array


class InertParts:
    """The contents of a file.

    Attributes:
        value: the inert value of the whole file.
        pairs: its entries by key, if it is a dict in any pickled form; else None.

    Raises:
        NetworkFileError: it cannot be read; one line that begins with its path.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.value, self._values = read_inert(path)
        self.pairs = self.value if isinstance(self.value, dict) else None
        self._read: list[tuple[int, ...]] = []
        self._bytes, self._most = 0, MAX_SHARING * os.path.getsize(path)

    def shape(self, item: object) -> tuple[int, ...] | None:
        """The shape of a tensor or an array, without reading its numbers; None for anything else."""
        try:
            plain = self._values.plain(item)
        except ValueProblem:
            return None
        return plain.shape if isinstance(plain, TensorView) else None

    def part(self, item: object, what: str, kinds: str = "fiu") -> Any:
        """A plain value of any type; a tensor or an array as float64 (a float if it has no axes).

        Raises:
            ArrayFileError: it is too large, or does not hold numbers of these kinds.
            ValueProblem: it needs an unknown global, or is invalid.
        """
        plain = self._values.plain(item)
        if not isinstance(plain, TensorView):
            return plain
        self._read.append(plain.shape)
        check_size(self._read, what)
        self._bytes += plain.nbytes
        if self._bytes > self._most:  # they may share bytes
            raise ArrayFileError(f"{what}: its arrays are together over {MAX_SHARING} times the size of the file")
        array = numbers(plain.numpy(), what, kinds)
        return array if array.ndim else float(array)

    def array(self, item: object, what: str, kinds: str = "fiu") -> Array:
        """Like :meth:`part`, for a value that must be a tensor or an array.

        Raises:
            ArrayFileError, ValueProblem: as :meth:`part`, or it is neither.
        """
        value = self.part(item, what, kinds)
        if not isinstance(value, np.ndarray):
            raise ArrayFileError(f"{what} is a {type(value).__name__}, not an array")
        return value
