"""A table of a network's modules: their tensors and what they give."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

HEAD = ("Parameters", "Buffers", "Output shape", "Datatype")


def print_module_summary(
    module: torch.nn.Module, inputs: Sequence, max_nesting: int = 3, skip_redundant: bool = True
) -> Any:
    """Run ``module(*inputs)`` and print a line per module; returns what the module gave.

    Args:
        max_nesting: how deep modules called inside modules are listed.
        skip_redundant: leave out those that add neither parameters nor buffers nor an output of their own.
    """
    calls, result = _calls(module, inputs, max_nesting)
    names = {part: name or "<top-level>" for name, part in module.named_modules()}
    rows = [[type(module).__name__, *HEAD], ["---"] * 5]
    seen: set[int] = set()
    totals = [0, 0]
    for part, outputs in calls:
        kinds = [list(part.parameters()), list(part.buffers()), outputs]
        fresh = [[t for t in tensors if id(t) not in seen] for tensors in kinds]
        seen.update(id(t) for tensors in fresh for t in tensors)
        if skip_redundant and not any(fresh):
            continue
        sizes = [sum(t.numel() for t in tensors) for tensors in fresh[:2]]
        totals = [total + size for total, size in zip(totals, sizes)]
        rows += _rows(names[part], sizes, outputs)
    rows += [["---"] * 5, ["Total", *map(str, totals), "-", "-"]]
    widths = [max(map(len, column)) for column in zip(*rows)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)) for row in rows]
    print("\n" + "\n".join(lines) + "\n")
    return result


def _calls(module: torch.nn.Module, inputs: Sequence, max_nesting: int) -> tuple[list, Any]:
    """What was called, in the order in which it ended, with the tensors it gave; and the module's result."""
    calls: list[tuple[torch.nn.Module, list[Tensor]]] = []
    depth = 0

    def enter(part, args) -> None:
        nonlocal depth
        depth += 1

    def leave(part, args, given) -> None:
        nonlocal depth
        depth -= 1
        if depth <= max_nesting:
            given = given if isinstance(given, (tuple, list)) else [given]
            calls.append((part, [t for t in given if isinstance(t, Tensor)]))

    hooks = [part.register_forward_pre_hook(enter) for part in module.modules()]
    hooks += [part.register_forward_hook(leave) for part in module.modules()]
    try:
        result = module(*inputs)
    finally:
        for hook in hooks:
            hook.remove()
    return calls, result


def _rows(name: str, sizes: Sequence[int], outputs: Sequence[Tensor]) -> Iterator[list[str]]:
    counts = [str(size) if size else "-" for size in sizes]
    if not outputs:
        yield [name, *counts, "-", "-"]
    for number, tensor in enumerate(outputs):
        label = f"{name}:{number}" if len(outputs) > 1 else name
        own = counts if number == 0 else ["-", "-"]
        yield [label, *own, str(list(tensor.shape)), str(tensor.dtype).replace("torch.", "")]
