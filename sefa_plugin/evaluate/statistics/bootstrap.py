"""Intervals by resampling (Efron 1979): how far a result would be elsewhere, had other samples been drawn."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

TIMES = 400
LEVEL = 0.95


@dataclass(frozen=True)
class Interval:
    """A value and the interval that holds it with 95 % confidence."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        size = max(abs(self.low), abs(self.high))
        digits = 1 if size >= 10 else 2 if size >= 0.02 or size == 0 else 3 if size >= 0.002 else 5
        return f"{self.value:.{digits}f} [{self.low:.{digits}f}, {self.high:.{digits}f}]"

    def as_list(self) -> list[float]:
        """For JSON: value, low, high."""
        return [self.value, self.low, self.high]


def resampling(count: int, times: int = TIMES, seed: int = 0, parts: int = 1) -> np.ndarray:
    """How often each of ``count`` samples is drawn: float64 ``[times, count]``, each row adding up to ``count``.

    With several ``parts`` (sample ``i`` is of part ``i % parts``) each is drawn from by itself, and keeps its size.
    """
    rng = np.random.RandomState(seed)
    drawn = np.zeros((times, count))
    for part in range(parts):
        size = len(range(part, count, parts))
        if size:
            drawn[:, part::parts] = rng.multinomial(size, np.full(size, 1 / size), times)
    return drawn


def interval(value: float, replicates: np.ndarray, level: float = LEVEL) -> Interval:
    """The bias-corrected percentile interval of replicates ``[B]`` (Efron 1981), widened to hold the value itself.

    Resampling adds noise, and what noise makes smaller, such as a share, is then smaller in most replicates: they are
    taken from further up, as far as the value lies away from their middle.
    """
    normal, count = NormalDist(), len(replicates)
    below = (np.sum(replicates < value) + np.sum(replicates == value) / 2) / count
    shift = 2 * normal.inv_cdf(min(max(below, 0.5 / count), 1 - 0.5 / count))
    reach = normal.inv_cdf((1 + level) / 2)
    low, high = np.quantile(replicates, [normal.cdf(shift - reach), normal.cdf(shift + reach)])
    return Interval(float(value), float(min(low, value)), float(max(high, value)))


def jackknife(value: float, left_out: np.ndarray) -> Interval:
    """The interval of a value and of what it is with one group of samples left out at a time (Quenouille, Tukey).

    For what resampling would distort, such as a covariance: repeated samples narrow it.
    """
    groups = len(left_out)
    error = np.sqrt((groups - 1) / groups * ((left_out - left_out.mean()) ** 2).sum())
    return Interval(float(value), float(value - 1.96 * error), float(value + 1.96 * error))
