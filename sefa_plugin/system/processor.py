"""Memory and threads of this process: malloc's settings, out-of-memory errors, numbers of threads."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable, Iterable
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
