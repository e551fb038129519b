"""Small helpers that networks and training scripts call."""

from __future__ import annotations

import contextlib
import functools
import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

nan_to_num = torch.nan_to_num
symbolic_assert = torch._assert
_constants: dict[tuple, Tensor] = {}


def constant(
    value: Any,
    shape: Sequence[int] | None = None,
    dtype: torch.dtype | None = None,
    device: torch.device | str | None = None,
    memory_format: torch.memory_format | None = None,
) -> Tensor:
    """Give a tensor of ``value``, expanded to ``shape``; cached by its arguments, so do not write to it."""
    array = np.asarray(value)
    shape = array.shape if shape is None else tuple(shape)
    dtype = torch.get_default_dtype() if dtype is None else dtype
    device = torch.device("cpu" if device is None else device)
    memory_format = torch.contiguous_format if memory_format is None else memory_format
    key = (array.tobytes(), array.dtype.str, array.shape, shape, dtype, device, memory_format)
    if key not in _constants:
        tensor = torch.as_tensor(array.copy(), dtype=dtype, device=device)
        _constants[key] = tensor.expand(shape).contiguous(memory_format=memory_format)
    return _constants[key]


@contextlib.contextmanager
def suppress_tracer_warnings() -> Iterator[None]:
    """Silence ``torch.jit.trace`` about values that become constants."""
    # catch_warnings() would reset the registry of warnings that were shown once.
    silent = ("ignore", None, torch.jit.TracerWarning, None, 0)
    warnings.filters.insert(0, silent)
    try:
        yield
    finally:
        if silent in warnings.filters:
            warnings.filters.remove(silent)


def assert_shape(tensor: Tensor, ref_shape: Sequence[int | Tensor | None]) -> None:
    """Compare the shape of a tensor with ``ref_shape``, where None is any size.

    Raises:
        AssertionError: another number of axes, or another size of one.
    """
    if tensor.ndim != len(ref_shape):
        raise AssertionError(f"{tensor.ndim} axes, not {len(ref_shape)}: shape {list(tensor.shape)}")
    for axis, (size, wanted) in enumerate(zip(tensor.shape, ref_shape)):
        if wanted is None:
            continue
        if isinstance(size, Tensor) or isinstance(wanted, Tensor):  # while a graph is traced
            with suppress_tracer_warnings():
                same = torch.equal(torch.as_tensor(size), torch.as_tensor(wanted))
                symbolic_assert(same, f"axis {axis} has another size than {wanted}")
        elif size != wanted:
            raise AssertionError(f"axis {axis} has size {size}, not {wanted}: shape {list(tensor.shape)}")


def profiled_function(fn: Callable) -> Callable:
    """Decorate a function so that PyTorch's profiler shows it by its name."""

    @functools.wraps(fn)
    def profiled(*args: Any, **kwargs: Any) -> Any:
        with torch.autograd.profiler.record_function(fn.__name__):
            return fn(*args, **kwargs)

    return profiled


class InfiniteSampler(torch.utils.data.Sampler):
    """Endless indices of a data set, shuffled continuously.

    Of every ``num_replicas`` indices this gives number ``rank``. After each step the current index is swapped
    with one from the last ``window_size`` (a share of the data set).
    """

    def __init__(
        self,
        dataset: Any,
        rank: int = 0,
        num_replicas: int = 1,
        shuffle: bool = True,
        seed: int = 0,
        window_size: float = 0.5,
    ) -> None:
        assert len(dataset) > 0, "InfiniteSampler: the data set is empty"
        assert 0 <= rank < num_replicas, f"InfiniteSampler: rank {rank} of {num_replicas}"
        assert 0 <= window_size <= 1, f"InfiniteSampler: window_size {window_size} is no share"
        self.dataset = dataset
        self.rank = rank
        self.num_replicas = num_replicas
        self.shuffle = shuffle
        self.seed = seed
        self.window_size = window_size

    def __iter__(self) -> Iterator[int]:
        size = len(self.dataset)
        order = np.arange(size)
        random = np.random.RandomState(self.seed)
        window = int(round(size * self.window_size)) if self.shuffle else 0
        if self.shuffle:
            random.shuffle(order)
        step = 0
        while True:
            here = step % size
            if step % self.num_replicas == self.rank:
                yield order[here]
            if window > 1:
                there = (here - random.randint(window)) % size
                order[[here, there]] = order[[there, here]]
            step += 1


def params_and_buffers(module: torch.nn.Module) -> list[Tensor]:
    """All parameters of a module, then all its buffers."""
    return [tensor for _, tensor in named_params_and_buffers(module)]


def named_params_and_buffers(module: torch.nn.Module) -> list[tuple[str, Tensor]]:
    """All parameters of a module with their names, then all its buffers."""
    return [*module.named_parameters(), *module.named_buffers()]


@torch.no_grad()
def copy_params_and_buffers(
    src_module: torch.nn.Module, dst_module: torch.nn.Module, require_all: bool = False
) -> None:
    """Copy what has the same name in both modules; ``requires_grad`` stays as it is in ``dst_module``.

    Raises:
        AssertionError: with ``require_all``, a tensor that only ``dst_module`` has.
    """
    source = dict(named_params_and_buffers(src_module))
    for name, tensor in named_params_and_buffers(dst_module):
        assert name in source or not require_all, f"{name}: the source has no tensor of this name"
        if name in source:
            tensor.copy_(source[name])


@contextlib.contextmanager
def ddp_sync(module: torch.nn.Module, sync: bool) -> Iterator[None]:
    """Synchronise gradients of a ``DistributedDataParallel`` only with ``sync``; no effect on other modules."""
    alone = sync or not isinstance(module, torch.nn.parallel.DistributedDataParallel)
    with contextlib.nullcontext() if alone else module.no_sync():
        yield


def check_ddp_consistency(module: torch.nn.Module, ignore_regex: str | None = None) -> None:
    """Compare every tensor with that of process 0; needs an initialised ``torch.distributed``.

    Raises:
        AssertionError: a tensor (not matching ``ignore_regex``) is another one here.
    """
    for name, tensor in named_params_and_buffers(module):
        full = f"{type(module).__name__}.{name}"
        if ignore_regex is not None and re.fullmatch(ignore_regex, full):
            continue
        own = nan_to_num(tensor.detach()) if tensor.is_floating_point() else tensor.detach()
        first = own.clone()
        torch.distributed.broadcast(tensor=first, src=0)
        assert torch.equal(own, first), f"{full} differs from that of process 0"


def print_module_summary(
    module: torch.nn.Module, inputs: Sequence, max_nesting: int = 3, skip_redundant: bool = True
) -> Any:
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

    def enter(part: torch.nn.Module, given: Any) -> None:
        nonlocal depth
        depth += 1

    def leave(part: torch.nn.Module, given: Any, result: Any) -> None:
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
