"""Averages of numbers that a training loop reports, in one process.

Unlike the toolkits', it does not sum over several processes and raises an error instead.
"""

from __future__ import annotations

import math
import re
from typing import Any

import torch
from torch import Tensor

from sefa_plugin.third_party.dnnlib import EasyDict

_totals: dict[str, dict[torch.device, Tensor]] = {}  # name -> device -> count, sum, sum of squares; float64
_rank = 0


def init_multiprocessing(rank: int, sync_device: torch.device | str | None) -> None:
    """Set the rank of this process; :func:`report0` counts only in that of rank 0.

    Raises:
        NotImplementedError: a ``sync_device`` for summing over processes.
    """
    global _rank
    if sync_device is not None:
        raise NotImplementedError(
            "sefa_plugin's training_stats counts in one process; to train on several work inside the toolkit's checkout"
        )
    _rank = rank


def report(name: str, value: Any) -> Any:
    """Count the numbers in ``value`` (a number, a sequence, an array or a tensor) under ``name``; returns it."""
    held = _totals.setdefault(name, {})
    numbers = torch.as_tensor(value).detach().flatten()
    if numbers.numel():
        numbers = numbers.to(torch.float64)
        sums = torch.stack([torch.ones_like(numbers).sum(), numbers.sum(), numbers.square().sum()])
        held[sums.device] = held[sums.device] + sums if sums.device in held else sums
    return value


def report0(name: str, value: Any) -> Any:
    """Like :func:`report`, but only in the process of rank 0."""
    report(name, value if _rank == 0 else [])
    return value


class Collector:
    """Means and deviations of the numbers reported between its last two updates.

    Args:
        regex: which names are collected, as a whole.
        keep_previous: keep the numbers of names under which nothing new was reported.
    """

    def __init__(self, regex: str = ".*", keep_previous: bool = True) -> None:
        self._pattern = re.compile(regex)
        self._keep_previous = keep_previous
        self._seen: dict[str, Tensor] = {}
        self._between: dict[str, Tensor] = {}
        self.update()
        self._between.clear()  # drops numbers reported before

    def names(self) -> list[str]:
        """Names that were reported and match."""
        return [name for name in _totals if self._pattern.fullmatch(name)]

    def update(self) -> None:
        """Collect the numbers reported since the last update."""
        if not self._keep_previous:
            self._between.clear()
        for name in self.names():
            total = sum((part.cpu() for part in _totals[name].values()), torch.zeros(3, dtype=torch.float64))
            fresh = total - self._seen.get(name, 0)
            self._seen[name] = total
            if fresh[0] != 0:
                self._between[name] = fresh

    def num(self, name: str) -> int:
        """How many numbers."""
        return int(self._sums(name)[0])

    def mean(self, name: str) -> float:
        """Their mean; NaN for none."""
        count, total, _ = self._sums(name)
        return total / count if count else math.nan

    def std(self, name: str) -> float:
        """Their standard deviation; NaN for none."""
        count, total, squares = self._sums(name)
        if not count or not math.isfinite(total):
            return math.nan
        return 0.0 if count == 1 else math.sqrt(max(squares / count - (total / count) ** 2, 0))

    def as_dict(self) -> EasyDict:
        """All names, each with ``num``, ``mean`` and ``std``."""
        return EasyDict((n, EasyDict(num=self.num(n), mean=self.mean(n), std=self.std(n))) for n in self.names())

    def __getitem__(self, name: str) -> float:
        return self.mean(name)

    def _sums(self, name: str) -> list[float]:
        assert self._pattern.fullmatch(name), f"{name!r} does not match {self._pattern.pattern!r}"
        return self._between[name].tolist() if name in self._between else [0.0, 0.0, 0.0]
