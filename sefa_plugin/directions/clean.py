"""Which directions do one thing: how alike they change all pictures, and where; no label is needed.

A direction that adds a smile changes every picture in nearly the same way; one that mixes several things changes each
picture in another way. ``alike`` is the part of its change that is the mean change of all samples:
``|mean D n|^2 / mean |D n|^2`` with the changes ``D`` of ``picture_grams``. Directions that hardly change a picture are
not what anybody looks for, and those that change the same place are mostly about the same thing: the order of clean
ones takes at each step the direction with most of ``size * alike * (1 - overlap)``, where ``size`` is the root mean
square of its change for one standard deviation, and ``overlap`` how much its place is that of one already taken. NumPy
only; ``docs/sharp.md`` has the measurements.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from .picture_grams import PictureGrams


class Score(NamedTuple):
    """How clean one direction of a set is.

    Attributes:
        alike: 0 (each sample changes in a way of its own) to 1 (all samples change alike).
        place: its place in the order of clean ones, from 0.
    """

    alike: float
    place: int


def scores(steps: np.ndarray, seen: PictureGrams) -> list[Score]:
    """How clean directions are.

    Args:
        steps: a step of one standard deviation along each, as a sum of the vectors whose changes were seen, ``[p, k]``.
        seen: the changes along these vectors.
    """
    cells = np.einsum("pk,cpq,qk->kc", steps, seen.cells, steps).clip(0)
    whole = cells.sum(axis=1)
    counted = np.where(whole > 0, whole, 1)
    alike = (np.einsum("pk,pq,qk->k", steps, seen.common, steps) / counted).clip(0, 1)
    # Bhattacharyya's coefficient of both shares by cells: 1 where they are equal, 0 where no cell is changed by both.
    roots = np.sqrt(cells / counted[:, None])
    places = np.argsort(order(alike * np.sqrt(whole), (roots @ roots.T).clip(0, 1)))
    return [Score(round(value, 4), place) for value, place in zip(alike.tolist(), places.tolist())]


def order(amounts: np.ndarray, overlap: np.ndarray) -> list[int]:
    """Directions, those of largest amount first, less what they overlap with those before them.

    Args:
        amounts: ``[k]``, 0 or more.
        overlap: ``[k, k]``, 0 to 1.
    """
    found: list[int] = []
    while len(found) < len(amounts):
        left = amounts * (1 - overlap[found].max(axis=0, initial=0))
        left[found] = -np.inf
        found.append(int(left.argmax()))
    return found
