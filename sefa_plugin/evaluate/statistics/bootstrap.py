"""Intervals by resampling (Efron 1979): how much a result varies with the samples that are drawn."""

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

    With several ``parts`` (sample ``i`` is of part ``i % parts``) each is resampled separately and keeps its size.
    """
    rng = np.random.RandomState(seed)
    drawn = np.zeros((times, count))
    for part in range(parts):
        size = len(range(part, count, parts))
        if size:
            drawn[:, part::parts] = rng.multinomial(size, np.full(size, 1 / size), times)
    return drawn


def interval(value: float, replicates: np.ndarray) -> Interval:
    """The bias-corrected percentile interval of replicates ``[B]`` (Efron 1981), widened to hold the value itself.

    Resampling adds noise. A statistic that noise makes smaller, such as a share, is smaller in most replicates; the
    correction shifts the quantiles, the more the further the value is from the median of the replicates.
    """
    normal, count = NormalDist(), len(replicates)
    below = (np.sum(replicates < value) + np.sum(replicates == value) / 2) / count
    shift = 2 * normal.inv_cdf(min(max(below, 0.5 / count), 1 - 0.5 / count))
    reach = normal.inv_cdf((1 + LEVEL) / 2)
    low, high = np.quantile(replicates, [normal.cdf(shift - reach), normal.cdf(shift + reach)])
    return Interval(float(value), float(min(low, value)), float(max(high, value)))


def jackknife(value: float, left_out: np.ndarray) -> Interval:
    """The interval of a value, from its values with one group of samples left out at a time (Quenouille, Tukey).

    For statistics that resampling biases, such as a covariance, which repeated samples make smaller.
    """
    groups = len(left_out)
    error = np.sqrt((groups - 1) / groups * ((left_out - left_out.mean()) ** 2).sum())
    return Interval(float(value), float(value - 1.96 * error), float(value + 1.96 * error))
