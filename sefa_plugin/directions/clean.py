"""Which directions do one thing: how alike they change all pictures, and where; no label is needed.

A direction that adds a smile changes every picture in nearly the same way; one that mixes several things changes each
picture in another. ``alike`` is the part of its change that is the mean change of all samples:
``|mean D n|^2 / mean |D n|^2`` with the changes ``D`` of ``picture_grams``. Directions that hardly change a picture are
not what anybody looks for, and those that change the same place are mostly about the same thing: the order of clean
ones takes at each step the direction with most of ``size * alike * (1 - overlap)``, where ``size`` is the root mean
square of its change for one standard deviation, and ``overlap`` how much its place is that of one already taken. NumPy
only; ``docs/sharp.md`` has the measurements.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .picture_grams import PictureGrams


class Scores(NamedTuple):
    """Scores of k directions.

    Attributes:
        alike: ``[k]``, 0 (each sample changes in a way of its own) to 1 (all samples change alike).
        clean: ``[k]``, the place of each in the order of clean ones, from 0.
    """

    alike: np.ndarray
    clean: np.ndarray


def scores(steps: np.ndarray, seen: PictureGrams) -> Scores:
    """How clean directions are.

    Args:
        steps: a step of one standard deviation along each, as a sum of the vectors whose changes were seen, ``[p, k]``.
        seen: the changes along these vectors.
    """
    cells = np.einsum("pk,cpq,qk->kc", steps, seen.cells, steps).clip(0)
    whole = cells.sum(axis=1)
    counted = np.where(whole > 0, whole, 1)
    alike = (np.einsum("pk,pq,qk->k", steps, seen.common, steps) / counted).clip(0, 1)
    clean = np.empty(len(alike), dtype=int)
    clean[order(alike * np.sqrt(whole), cells / counted[:, None])] = np.arange(len(alike))
    return Scores(alike, clean)


def order(amounts: np.ndarray, places: np.ndarray) -> list[int]:
    """Directions, those of largest amount first, less what they overlap in place with those before them.

    The overlap of two places is the sum over cells of the root of the product of both shares (Bhattacharyya's
    coefficient): 1 for equal shares in all cells, 0 where no cell is changed by both.

    Args:
        amounts: ``[k]``, 0 or more.
        places: ``[k, cells]``, the share of the change of each direction that is in each cell.
    """
    roots = np.sqrt(places)
    overlap = roots @ roots.T
    found: list[int] = []
    while len(found) < len(amounts):
        left = amounts * (1 - overlap[found].max(axis=0, initial=0))
        left[found] = -np.inf
        found.append(int(left.argmax()))
    return found
