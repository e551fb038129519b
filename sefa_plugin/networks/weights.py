"""Checked numbers of a file's tensors; needs no torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..hook import HookError
from ..reading.tensor_view import TensorView, in_place

if TYPE_CHECKING:
    from ..hook import ArrayLike


def finite(path: str, name: str, tensor: ArrayLike) -> np.ndarray:
    """The elements of a tensor of a file as a NumPy array; do not write to it.

    Raises:
        HookError: it holds NaN or infinity, or numbers that are infinite in float32.
    """
    array = in_place(tensor) if isinstance(tensor, TensorView) else np.asarray(tensor)
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise HookError(f"{path}: tensor {name} holds NaN or infinity: the training diverged?")
    if array.dtype == np.float64 and np.abs(array).max(initial=0) > np.finfo(np.float32).max:
        raise HookError(f"{path}: tensor {name} holds {np.abs(array).max():.3g}, more than float32 can: damaged?")
    return array
