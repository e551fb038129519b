"""Match the directions of two sets, and measure the angles between the spaces that they span.

Unit vectors in; indices, cosines and angles out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .ties import runs

GROUPS = (1, 2, 3, 5, 10, 20, 50, 100, 200, 500)
EQUAL = 1e-4  # relative difference up to which eigenvalues count as equal; other tools compute them in float32


@dataclass(frozen=True)
class Match:
    """The counterpart in the second set of one direction of the first.

    Attributes:
        index: its number in the first set.
        other: its direction of the second set in the assignment of all; None where the second set is smaller and has
            none left.
        cosine: of the angle to that one, with its sign: -1 is the opposite direction.
        nearest, nearest_cosine: the direction with the largest cosine, even if another one is assigned to it.
    """

    index: int
    other: int | None
    cosine: float
    nearest: int
    nearest_cosine: float

    @property
    def sign(self) -> int:
        """1 or -1: the factor from a distance along one to a distance along the other."""
        return -1 if self.cosine < 0 else 1


def match(first: np.ndarray, second: np.ndarray) -> list[Match]:
    """Match unit rows ``[k, dim]`` to unit rows ``[m, dim]``, by the assignment with the largest sum of ``|cosine|``.

    Raises:
        ValueError: they are of different widths.
    """
    from scipy.optimize import linear_sum_assignment

    if first.shape[1] != second.shape[1]:
        raise ValueError(f"directions of {first.shape[1]} components cannot be compared with {second.shape[1]}")
    cosines = np.clip(first.astype(np.float64) @ second.astype(np.float64).T, -1, 1)
    assigned = dict(zip(*(places.tolist() for places in linear_sum_assignment(np.abs(cosines), maximize=True))))
    nearest = np.abs(cosines).argmax(axis=1)
    found = []
    for row, near in enumerate(nearest.tolist()):
        other = assigned.get(row)
        cosine = 0.0 if other is None else float(cosines[row, other])
        found.append(Match(row, other, cosine, near, float(cosines[row, near])))
    return found


def angles(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Principal angles in degrees, ascending, between the spans of rows ``[k, dim]`` and ``[m, dim]``.

    Rows need be neither of unit length nor independent. Small angles are accurate too.
    """
    from scipy.linalg import subspace_angles

    degrees: np.ndarray = np.degrees(subspace_angles(*(rows.T.astype(np.float64) for rows in (first, second))))
    return degrees[::-1]


def group_sizes(count: int) -> list[int]:
    """The numbers k of first directions whose angles are reported: 1, 2, 3, 5, 10, ... and all."""
    return [*(size for size in GROUPS if size < count), count]


def ties(eigenvalues: Sequence[float] | np.ndarray) -> list[list[int]]:
    """Runs of directions whose eigenvalues are equal: only the space that they span is defined."""
    values = np.asarray(eigenvalues, dtype=np.float64)
    return runs(values, lambda larger, smaller: larger - smaller <= EQUAL * abs(larger)) if values.any() else []
