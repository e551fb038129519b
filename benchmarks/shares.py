"""Where the time of a picture goes: convolutions, filters, memory traffic, Python; by PyTorch's profiler, summed."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from . import rendering

PARTS = ("convolutions", "filters", "memory", "python")
_COMPILED = "sefa::filtered_lrelu"  # StyleGAN3's loops, which the profiler does not see by itself
_CONVOLUTIONS = ("conv", "mm", "linear", "matmul")
_FILTERS = ("upsample", _COMPILED)


def of_ours(case: str, precision: str, device: str) -> Callable[[int], str]:
    """A contestant that renders once under the profiler; gives the shares as JSON."""
    draw = rendering.our_pictures(case, precision, device)

    def run(number: int) -> str:
        draw(number)
        return json.dumps(measured(lambda: draw(number), device))

    return run


def measured(run: Callable[[], object], device: str = "cpu") -> dict[str, float]:
    """Shares of the wall-clock time of one call by :data:`PARTS`; they sum up to 1.

    On CUDA those of the kernels' time, where ``python`` is what they leave of it.
    """
    import torch
    from torch.profiler import ProfilerActivity, profile

    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if device == "cuda" else [])]
    with _compiled_loops_seen(), profile(activities=activities, record_shapes=True) as profiled:
        begin = time.perf_counter()
        run()
        if device == "cuda":
            torch.cuda.synchronize()
        seconds = time.perf_counter() - begin
    key = "self_device_time_total" if device == "cuda" else "self_cpu_time_total"
    ops = ((event.name, event.input_shapes, getattr(event, key) / 1e6) for event in profiled.events())
    return summed(ops, seconds)


def summed(ops: Iterable[tuple[str, Any, float]], seconds: float) -> dict[str, float]:
    """Shares of ``seconds`` by the names, input shapes and own seconds of operators."""
    held = dict.fromkeys(PARTS, 0.0)
    for name, shapes, own in ops:
        if name.startswith(("aten::", "sefa::", "mkldnn", "cudnn", "cuda")):
            held[_part(name, shapes)] += own
    whole = max(seconds, sum(held.values()))
    shares = {name: taken / whole for name, taken in held.items()}
    return {**shares, "python": 1 - sum(shares[name] for name in PARTS[:-1])}


def _part(name: str, shapes: Any) -> str:
    if any(word in name for word in _FILTERS) or _is_depthwise(name, shapes):
        return "filters"
    return "convolutions" if any(word in name for word in _CONVOLUTIONS) else "memory"


def _is_depthwise(name: str, shapes: Any) -> bool:
    """Whether a convolution has a kernel for each channel; ``shapes`` begin with those of input and weight."""
    if "conv" not in name or len(shapes) < 2 or len(shapes[0]) != 4 or len(shapes[1]) != 4:
        return False
    return bool(shapes[1][1] == 1 and shapes[0][1] == shapes[1][0] > 1)


@contextmanager
def _compiled_loops_seen() -> Iterator[None]:
    """Within, StyleGAN3's compiled loops are an operator of the profiler."""
    from torch.profiler import record_function

    try:
        from sefa_plugin.generators import fused
    except ImportError:  # without Numba there are none
        yield
        return
    usual = fused.filtered_lrelu

    def seen(*given: Any) -> Any:
        with record_function(_COMPILED):
            return usual(*given)

    fused.filtered_lrelu = seen
    try:
        yield
    finally:
        fused.filtered_lrelu = usual


def line(shares: dict[str, float]) -> str:
    """Shares as text."""
    return ", ".join(f"{name} {100 * shares[name]:.0f} %" for name in PARTS)
