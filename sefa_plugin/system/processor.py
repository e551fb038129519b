"""Memory and threads of this process: malloc's settings, out-of-memory errors, numbers of threads."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4  # of mallopt(3), as <malloc.h> numbers them
_KEPT = 2**31 - 1


def keep_freed_memory() -> bool:
    """Keep freed memory in this process instead of returning it to the system.

    By default glibc returns large blocks at once, and Linux zeroes their pages when they are allocated again: up to
    a third of the time of a picture. For commands only: the memory is held until the process ends.

    Returns:
        Whether the settings were applied (Linux with glibc).
    """
    if sys.platform != "linux":
        return False
    try:
        library = ctypes.CDLL(None)
        library.gnu_get_libc_version  # noqa: B018 - other C libraries number these settings otherwise, or lack them
        mallopt = library.mallopt
    except (AttributeError, OSError):
        return False
    return bool(mallopt(_MMAP_MAX, 0) and mallopt(_TRIM_THRESHOLD, _KEPT))


# Messages of CUDA's and MPS's allocators, cuBLAS and cuDNN, and torch's allocator for CPUs.
_LACKING = ("out of memory", "_ALLOC_FAILED", "not enough memory", "can't allocate memory", "Cannot allocate memory")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error means that a device, or this computer, has no memory left."""
    return isinstance(error, MemoryError) or any(words in str(error) for words in _LACKING)


Item = TypeVar("Item")
Result = TypeVar("Result")
# GNU OpenMP's threads spin some 300,000 times before they sleep. On a busy machine (one of two cores taken) this makes
# rendering six times slower. With 5,000 spins it is 2 to 6 times faster there, and 7 % slower (20 % for tiny networks)
# on an idle machine.
_SPINS = "5000"


def share_cores() -> None:
    """Shorten OpenMP's spinning, unless the user has set it; to be called before torch is imported."""
    if "torch" in sys.modules or "OMP_WAIT_POLICY" in os.environ:
        return
    os.environ.setdefault("GOMP_SPINCOUNT", _SPINS)


_GROUPS = Path("/sys/fs/cgroup")  # of Linux, where containers see their own


def allowed_processors(groups: Path = _GROUPS) -> float | None:
    """How many processors' time the container grants to this process; None where nothing limits it."""
    with suppress(OSError, ValueError):  # version 2, then 1; there is no such file where there is no such limit
        quota, _, period = (groups / "cpu.max").read_text().strip().partition(" ")
        return None if quota == "max" else int(quota) / int(period)
    with suppress(OSError, ValueError):
        granted, every = (int((groups / "cpu" / f"cpu.cfs_{name}_us").read_text()) for name in ("quota", "period"))
        return granted / every if granted > 0 else None
    return None


limited = ""  # a line on what limit_threads has set


def limit_threads(groups: Path = _GROUPS) -> None:
    """Let torch use no more threads than the container grants processors, unless the user has set a number.

    To be called before torch is imported, which sees all processors of the machine: with more threads than are granted,
    each waits for the others, and a picture can take many times as long.
    """
    global limited
    if "torch" in sys.modules or {"OMP_NUM_THREADS", "MKL_NUM_THREADS"} & set(os.environ):
        return
    granted, cores = allowed_processors(groups), os.cpu_count() or 1
    if granted is None or granted >= cores:
        return
    count = max(1, int(granted))
    os.environ["OMP_NUM_THREADS"] = str(count)
    limited = f"{count} thread{'s' * (count > 1)}: of {cores} processors this container may use {granted:.3g}"


def one_thread_each(task: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
    """Run a task of NumPy's linear algebra on all items; results are in their order.

    With threadpoolctl, tasks run in parallel with one BLAS thread each: small matrices gain little from more. Without
    it they run one after the other, since BLAS threads of parallel tasks compete for the cores.
    """
    items = list(items)
    cores = min(len(items), os.cpu_count() or 1)
    try:
        from threadpoolctl import threadpool_limits
    except ImportError:
        cores = 1
    if cores < 2:
        return [task(item) for item in items]
    from concurrent.futures import ThreadPoolExecutor

    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(cores) as pool:
        return list(pool.map(task, items))
