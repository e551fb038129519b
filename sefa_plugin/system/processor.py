"""Memory and threads of this process: freed memory is kept, errors of lack of memory are recognised, cores shared."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable, Iterable
from typing import TypeVar

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4  # of mallopt(3), as <malloc.h> numbers them
_KEPT = 2**31 - 1


def keep_freed_memory() -> bool:
    """Let the C library keep freed memory for the next picture, for the rest of this process.

    By default glibc gives large blocks back at once, and Linux clears every page of them again when they return:
    up to a third of the time of a picture. For the process of a command only: the memory stays with it to its end.

    Returns:
        Whether there is anything to settle: on Linux with glibc.
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


# CUDA's and MPS's allocators, cuBLAS and cuDNN, and torch's allocator for CPUs.
_LACKING = ("out of memory", "_ALLOC_FAILED", "not enough memory", "can't allocate memory", "Cannot allocate memory")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that a device, or this computer, has no memory left."""
    return isinstance(error, MemoryError) or any(words in str(error) for words in _LACKING)


Item = TypeVar("Item")
Result = TypeVar("Result")
# GNU OpenMP lets threads spin some 300,000 times before they sleep. On a machine that is busy with anything
# else they then spin against each other: with one of two cores taken, pictures take six times as long. After
# 5,000 turns the same pictures take 2 to 6 times less there, and 7 % more (20 % for tiny networks) where
# nothing else runs.
_SPINS = "5000"


def share_cores() -> None:
    """Keep torch fast on a busy machine, unless the user has settled how threads wait; before torch is imported."""
    if "torch" in sys.modules or "OMP_WAIT_POLICY" in os.environ:
        return
    os.environ.setdefault("GOMP_SPINCOUNT", _SPINS)


def one_thread_each(task: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
    """Do the task, which is NumPy's linear algebra, for all items; results are in their order.

    Several at a time with one thread of BLAS each, if threadpoolctl is there to limit BLAS; otherwise one
    after the other, since eigenvectors of a few hundred numbers profit little from a second thread, and tasks that all
    have several hinder each other.
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
