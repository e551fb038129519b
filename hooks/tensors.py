"""Tensors of a record: counts and lengths, from which a plan is made, and the comparison with what a plan expects."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from sefa_plugin.hook import ArrayLike, HookError, NetworkRecord

if TYPE_CHECKING:
    import numpy as np

MAX_SIZE = 65_536  # far more than any dimension of a real generator
MAX_BLOCKS = 15  # 65536 pixels


def array(tensor: ArrayLike) -> np.ndarray:
    """A tensor of the file as a float32 array of its own."""
    import numpy as np

    return np.array(tensor, dtype=np.float32)


def count(record: NetworkRecord, names: Callable[[int], str], first: int = 0) -> int:
    """How many tensors are named ``names(first)``, ``names(first + 1)``, ... without a gap."""
    index = first
    while names(index) in record.tensors:
        index += 1
    return index - first


def length(record: NetworkRecord, name: str, axis: int, axes: int) -> int:
    """Length of an axis of a tensor that must have ``axes`` axes.

    Raises:
        HookError: the tensor is missing, or has other axes.
    """
    if name not in record.tensors:
        raise HookError(f"{record.path}: this {record.class_name} lacks tensor {name}: a modified or damaged network")
    shape = tuple(record.tensors[name].shape)
    if len(shape) != axes or not 1 <= shape[axis] <= MAX_SIZE:
        raise HookError(
            f"{record.path}: this {record.class_name} has mis-shaped tensor {name} {shape}: {axes} axes expected"
        )
    return int(shape[axis])


def widths(record: NetworkRecord, kernels: Callable[[int], str], axis: int = 0, axes: int = 4) -> list[int]:
    """Channels of every block, from 4 pixels on: an axis of the tensors ``kernels(0)``, ``kernels(1)``, ...

    Raises:
        HookError: there are none, or more than any network has.
    """
    blocks = count(record, kernels)
    if not 1 <= blocks <= MAX_BLOCKS:
        raise HookError(f"{record.path}: this {record.class_name} has {blocks} blocks: a modified or damaged network")
    return [length(record, kernels(block), axis, axes) for block in range(blocks)]


def compare_tensors(record: NetworkRecord, expected: Mapping[str, Sequence[int]], free: Collection[str] = ()) -> None:
    """Check that the record holds exactly the expected tensors, of real numbers.

    Args:
        expected: shapes by name.
        free: names among them that may be missing or have other shapes.

    Raises:
        HookError: names the first tensor that is missing, extra, of another shape or of another type, and how many
            there are.
    """
    held = {name: tuple(tensor.shape) for name, tensor in record.tensors.items()}
    kinds = {name: str(tensor.dtype).rpartition(".")[2] for name, tensor in record.tensors.items()}
    faults = {
        "lacks": [name for name in expected if name not in held and name not in free],
        "has extra": [name for name in held if name not in expected],
        "has mis-shaped": [
            name for name in expected if name in held and name not in free and held[name] != tuple(expected[name])
        ],
        "has non-real": [name for name, kind in kinds.items() if "float" not in kind],
    }
    for fault, names in faults.items():
        if names:
            name, more = names[0], f" and {len(names) - 1} more" if len(names) > 1 else ""
            about = {
                "has mis-shaped": f" {held.get(name)}, expected {expected.get(name)}",
                "has non-real": f" ({kinds.get(name)} where floating-point numbers belong)",
            }.get(fault, "")
            raise HookError(
                f"{record.path}: this {record.class_name} {fault} tensor {name[:100]}{about}{more}: "
                "a modified or damaged network"
            )
