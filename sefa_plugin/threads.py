"""The threads of a CPU: how they wait for each other, and one for each of several tasks."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from typing import TypeVar

Item, Result = TypeVar("Item"), TypeVar("Result")

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

    Several at a time with one thread of BLAS each, if threadpoolctl is there to say so to BLAS; otherwise one
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
