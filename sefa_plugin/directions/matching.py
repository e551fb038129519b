"""Which direction of one set is which of another, and how far apart the spaces are that they span.

Pure mathematics: unit vectors in, indices, cosines and angles out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .ties import runs

GROUPS = (1, 2, 3, 5, 10, 20, 50, 100, 200, 500)
EQUAL = 1e-4  # relative difference up to which eigenvalues count as one, whatever tool has found them in float32


@dataclass(frozen=True)
class Match:
    """What stands for one direction of the first set in the second.

    Attributes:
        index: its number in the first set.
        other: the direction of the second set that the best assignment of all gives to it, None where the second
            set is too small for it.
        cosine: of the angle to that one, with its sign: -1 is the same direction, turned round.
        nearest, nearest_cosine: the direction with the largest cosine, even if another one is assigned to it.
    """

    index: int
    other: int | None
    cosine: float
    nearest: int
    nearest_cosine: float

    @property
    def sign(self) -> int:
        """1 or -1: what a distance must be multiplied by."""
        return -1 if self.cosine < 0 else 1


def match(first: np.ndarray, second: np.ndarray) -> list[Match]:
    """Match unit rows ``[k, dim]`` to unit rows ``[m, dim]``, by the assignment with the largest sum of ``|cosine|``.

    Raises:
        ValueError: they are of different widths.
    """
    cosines = cosine_table(first, second)
    assigned = assign(np.abs(cosines))
    nearest = np.abs(cosines).argmax(axis=1)
    return [
        Match(
            row,
            None if other < 0 else int(other),
            0.0 if other < 0 else float(cosines[row, other]),
            int(nearest[row]),
            float(cosines[row, nearest[row]]),
        )
        for row, other in enumerate(assigned)
    ]


def cosine_table(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Cosines ``[k, m]`` of rows of unit length, within -1 and 1.

    Raises:
        ValueError: they are of different widths.
    """
    if first.shape[1] != second.shape[1]:
        raise ValueError(f"directions of {first.shape[1]} components cannot be compared with {second.shape[1]}")
    return np.clip(first.astype(np.float64) @ second.astype(np.float64).T, -1, 1)


def assign(gains: np.ndarray) -> np.ndarray:
    """Give each row of ``[k, m]`` a column of its own so that the sum of gains is largest; -1 where none is left.

    The Hungarian method in the form of Jonker and Volgenant (1987): one row after another is added by the
    cheapest chain of exchanges. Of equally good assignments it gives one, always the same.
    """
    gains = np.asarray(gains, dtype=np.float64)
    if gains.shape[0] > gains.shape[1]:
        taken = assign(gains.T)
        rows = np.full(len(gains), -1)
        rows[taken] = np.arange(len(taken))
        return rows
    costs = gains.max(initial=0) - gains
    count, width = costs.shape
    row_price, column_price = np.zeros(count), np.zeros(width)
    owner = np.full(width, -1)  # the row that a column belongs to
    for start in range(count):
        _add_row(start, costs, row_price, column_price, owner)
    rows = np.full(count, -1)
    rows[owner[owner >= 0]] = np.flatnonzero(owner >= 0)
    return rows


def _add_row(start: int, costs: np.ndarray, row_price: np.ndarray, column_price: np.ndarray, owner: np.ndarray) -> None:
    """Find the cheapest chain from a row to a free column, and exchange owners along it."""
    width = costs.shape[1]
    distance, before = np.full(width, np.inf), np.full(width, -1)
    seen = np.zeros(width, dtype=bool)
    row, reached, column = start, 0.0, -1
    while True:
        through = reached + costs[row] - row_price[row] - column_price
        nearer = ~seen & (through < distance)
        distance[nearer], before[nearer] = through[nearer], row
        column = int(np.where(seen, np.inf, distance).argmin())
        reached = distance[column]
        if owner[column] < 0:
            break
        seen[column] = True
        row = int(owner[column])
    done = np.flatnonzero(seen)
    row_price[start] += reached
    row_price[owner[done]] += reached - distance[done]
    column_price[done] -= reached - distance[done]
    while True:
        row = int(before[column])
        previous = np.flatnonzero(owner == row)
        owner[column] = row
        if row == start:
            return
        column = int(previous[0])


def angles(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Principal angles in degrees, ascending, between the spans of rows ``[k, dim]`` and ``[m, dim]``.

    Björck and Golub, "Numerical Methods for Computing Angles Between Linear Subspaces" (1973): small angles are
    taken from their sines, which cosines near 1 would lose. Rows need be neither of unit length nor independent.
    """
    one, other = _basis(first), _basis(second)
    if one.shape[1] < other.shape[1]:
        one, other = other, one
    inner: np.ndarray = one.T @ other
    cosines = np.clip(np.linalg.svd(inner, compute_uv=False), 0, 1)
    sines = np.clip(np.linalg.svd(other - one @ inner, compute_uv=False)[::-1], 0, 1)
    degrees: np.ndarray = np.degrees(np.where(cosines**2 > 0.5, np.arcsin(sines), np.arccos(cosines)))
    return degrees


def _basis(rows: np.ndarray) -> np.ndarray:
    """An orthonormal basis of the span of rows, as columns ``[dim, rank]``."""
    _, sizes, basis = np.linalg.svd(np.asarray(rows, dtype=np.float64), full_matrices=False)
    spanning: np.ndarray = basis[sizes > 1e-6 * sizes.max(initial=0)].T
    return spanning


def group_sizes(count: int) -> list[int]:
    """The numbers k of first directions whose angles are reported: 1, 2, 3, 5, 10, ... and all."""
    return [*(size for size in GROUPS if size < count), count]


def ties(eigenvalues: Sequence[float] | np.ndarray) -> list[list[int]]:
    """Runs of directions whose eigenvalues are equal: of those only the space that they span is defined."""
    values = np.asarray(eigenvalues, dtype=np.float64)
    return runs(values, lambda larger, smaller: larger - smaller <= EQUAL * abs(larger)) if values.any() else []
