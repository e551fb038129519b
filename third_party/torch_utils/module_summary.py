"""A table of a network's modules, their numbers of parameters and their outputs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from torch import Tensor, nn


def print_module_summary(module: nn.Module, inputs: Sequence, max_nesting: int = 3, skip_redundant: bool = True) -> Any:
    """Run ``module(*inputs)`` and print a line for each module that ran; returns the result.

    Args:
        max_nesting: modules that run this deep inside others are listed, deeper ones are not.
        skip_redundant: leave out modules whose tensors are all in lines above.
    """
    names = {part: name or "(all)" for name, part in module.named_modules()}
    table = [[type(module).__name__, "parameters", "buffers", "gives"]]
    listed: dict[int, Tensor] = {}
    sums = [0, 0]
    depth = 0

    def fresh(tensors: Iterable[Tensor]) -> list[Tensor]:
        found = [tensor for tensor in tensors if id(tensor) not in listed]
        listed.update((id(tensor), tensor) for tensor in found)
        return found

    def enter(part: nn.Module, given: Any) -> None:
        nonlocal depth
        depth += 1

    def leave(part: nn.Module, given: Any, result: Any) -> None:
        nonlocal depth
        depth -= 1
        if depth > max_nesting:
            return
        outputs = [
            out for out in (result if isinstance(result, (tuple, list)) else [result]) if isinstance(out, Tensor)
        ]
        held, new = [fresh(part.parameters()), fresh(part.buffers())], fresh(outputs)
        if skip_redundant and not (any(held) or new):
            return
        sizes = [sum(tensor.numel() for tensor in tensors) for tensors in held]
        sums[:] = [total + size for total, size in zip(sums, sizes)]
        gives = ", ".join(f"{str(out.dtype)[6:]} {list(out.shape)}" for out in outputs)
        table.append([names[part], *(str(size or "") for size in sizes), gives])

    hooks = [part.register_forward_pre_hook(enter) for part in names]
    hooks += [part.register_forward_hook(leave) for part in names]
    try:
        result = module(*inputs)
    finally:
        for hook in hooks:
            hook.remove()
    table.append(["in all", *map(str, sums), ""])
    first, *others = (max(map(len, column)) for column in zip(*table))
    for name, *cells in table:
        print(
            "  ".join(
                [name.ljust(first), *(cell.rjust(wide) for cell, wide in zip(cells[:2], others)), cells[2]]
            ).rstrip()
        )
    return result
