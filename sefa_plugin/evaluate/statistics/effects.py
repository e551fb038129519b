"""Effects of directions from scores: changes over a range, their intervals, also in standard deviations.

The re-scoring of SeFa (section 4.2) and of InterFaceGAN before it: the same samples at both ends of a direction's
range.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .bootstrap import LEVEL
from .measures import spreads


@dataclass(frozen=True, eq=False)
class Effects:
    """The effects of k directions on A attributes of the same N samples.

    Attributes:
        attributes: their names.
        change: ``[k, A]``, mean over the samples of the score at the high end minus that at the low end.
        error: ``[k, A]``, standard error of that mean: over samples, of the paired differences.
        mean, spread: ``[A]``, mean and standard deviation of the unedited scores; ``spread`` is infinite where an
            attribute never varies, so that normalised changes are 0.
        count: N.
    """

    attributes: tuple[str, ...]
    change: np.ndarray
    error: np.ndarray
    mean: np.ndarray
    spread: np.ndarray
    count: int

    @property
    def normalized(self) -> np.ndarray:
        """``[k, A]``, the change in standard deviations of the attribute over unedited samples."""
        normalized: np.ndarray = self.change / self.spread
        return normalized

    def interval(self, level: float = LEVEL) -> tuple[np.ndarray, np.ndarray]:
        """Low and high ends ``[k, A]`` of the paired t interval of the change."""
        from scipy.special import stdtrit  # quantiles of Student's t distribution

        reach = stdtrit(self.count - 1, (1 + level) / 2) * self.error
        return self.change - reach, self.change + reach

    def significant(self) -> np.ndarray:
        """bool ``[k, A]``: changes whose interval excludes 0, at a level for the matrix as a whole (Bonferroni)."""
        low, high = self.interval(1 - (1 - LEVEL) / self.change.size)
        return (low > 0) | (high < 0)


def effects_of(attributes: list[str], low: np.ndarray, high: np.ndarray, unedited: np.ndarray) -> Effects:
    """Effects of scores ``[k, N, A]`` at both ends, and ``[N, A]`` of the unedited samples.

    Raises:
        ValueError: fewer than two samples, so that no deviation can be computed.
    """
    count = len(unedited)
    if count < 2:
        raise ValueError(f"{count} samples: at least 2 are needed")
    paired = high - low
    return Effects(
        attributes=tuple(attributes),
        change=paired.mean(axis=1),
        error=paired.std(axis=1, ddof=1) / np.sqrt(count),
        mean=unedited.mean(axis=0),
        spread=spreads(unedited),
        count=count,
    )
