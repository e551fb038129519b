"""Local directions: they change the picture inside a region, and little outside of it.

``D`` are the changes of a picture for steps of one standard deviation along a basis of w, pixel by pixel. With their
Grams inside the region and in the whole picture, ``G_in`` and ``G``, summed over samples, the share of a direction u
that is inside is ``u^T G_in u / u^T G u``. The directions of largest share solve the generalised eigenproblem
``G_in u = share (G + e I) u``, where ``e`` is a small part of the mean of G_in's diagonal: without it, the largest
shares belong to directions that hardly change the picture at all. NumPy only; ``docs/local.md`` has the measurements.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from .region import Region
from .sharp import POOL, SMALL, Sharp, rotated

LEAK = 0.1  # share of the change that may lie outside; directions that leak no more are rotated together
UNSEEN = 0.05  # of the mean squared change inside for one standard deviation: as much is added to each change outside
CELLS = 8  # a side of the grid over a region, by which its directions are rotated


class Local(NamedTuple):
    """Local directions: those that leak at most ``LEAK``, strongest first, then the others by their share inside.

    Attributes:
        sharp: vectors, and as strengths the squared change inside for a step of one standard deviation.
        inside: ``[k]``, the share of their change that is inside, in pictures that they were not found with.
    """

    sharp: Sharp
    inside: np.ndarray


def local(basis: np.ndarray, found: Sequence[np.ndarray], apart: Sequence[np.ndarray], region: Region) -> Local:
    """Find local directions.

    Args:
        basis: ``[dim, p]``, vectors of w for a step of one standard deviation.
        found: changes of the pictures of some samples along the basis, ``[p, channels, height, width]`` each.
        apart: those of other samples, on which shares are measured.
        region: where.

    Returns:
        As many directions as the pool and the basis allow.

    Raises:
        ValueError: pictures do not change, or not inside the region.
    """
    within, whole = _grams(found, region)
    if not whole.trace() > 0:
        raise ValueError("the pictures do not change along these codes: there are no directions")
    if not within.trace() > SMALL * whole.trace():
        raise ValueError(f"no picture changes {region.words}: choose another region")
    unit = _inverse_root(whole + UNSEEN * within.trace() / len(whole) * np.eye(len(whole)))
    _, columns = np.linalg.eigh(unit @ within @ unit)
    steps = unit @ columns[:, ::-1][:, :POOL]  # [p, k], largest share first
    steps /= np.linalg.norm(steps, axis=0)
    leaking = _shares(steps, within, whole) < 1 - LEAK
    held = int(leaking.argmax()) if leaking.any() else len(leaking)
    # Any mixture of directions that leak little leaks little: here each gets a place of its own.
    tight = np.linalg.qr(steps[:, :held])[0]
    first = rotated(basis @ tight, np.sum([_cells(tight, change, region) for change in found], axis=0))
    steps = np.concatenate([np.linalg.lstsq(basis, first.vectors.T, rcond=None)[0], steps[:, held:]], axis=1)
    steps /= np.linalg.norm(steps, axis=0)
    vectors = basis @ steps
    signs = np.sign(vectors[np.abs(vectors).argmax(axis=0), np.arange(vectors.shape[1])])
    vectors = (vectors * signs / np.linalg.norm(vectors, axis=0)).T
    strengths = _along(steps, within) / len(found)
    return Local(Sharp(vectors, strengths, strengths[:, None], first.equal), _shares(steps, *_grams(apart, region)))


def _along(steps: np.ndarray, gram: np.ndarray) -> np.ndarray:
    """``u^T G u`` of columns ``[p, k]``."""
    squares: np.ndarray = np.einsum("pk,pq,qk->k", steps, gram, steps)
    return squares


def _shares(steps: np.ndarray, within: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """The share of the change of each column that is inside, 0 to 1; 0 where nothing changes."""
    changes = _along(steps, whole)
    shares: np.ndarray = _along(steps, within).clip(0) / np.where(changes > 0, changes, np.inf)
    return shares.clip(max=1)


def _grams(changes: Iterable[np.ndarray], region: Region) -> tuple[np.ndarray, np.ndarray]:
    """Grams of changes inside a region, and of all, summed over samples: float64 ``[p, p]``."""
    within: list[np.ndarray] = []
    whole: list[np.ndarray] = []
    for change in changes:
        weights = np.sqrt(region.weights(*change.shape[2:]))
        full = change.astype(np.float32)
        for grams, part in ((within, (full * weights)[..., weights.any(axis=0)]), (whole, full)):
            flat = part.reshape(len(part), -1)
            grams.append((flat @ flat.T).astype(np.float64))
    return np.sum(within, axis=0), np.sum(whole, axis=0)


def _inverse_root(matrix: np.ndarray) -> np.ndarray:
    values, columns = np.linalg.eigh(matrix)
    root: np.ndarray = columns / np.sqrt(values) @ columns.T
    return root


def _cells(steps: np.ndarray, change: np.ndarray, region: Region) -> np.ndarray:
    """Grams of the changes in the cells of a grid over a region, ``[cells, k, k]``."""
    weights = np.sqrt(region.weights(*change.shape[2:]))
    rows, columns = np.flatnonzero(weights.any(axis=1)), np.flatnonzero(weights.any(axis=0))
    part = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    inside = np.tensordot(steps.T, (change[(..., *part)] * weights[part]).astype(np.float64), axes=1)
    grams = []
    for band in np.array_split(inside, CELLS, axis=2):
        for cell in np.array_split(band, CELLS, axis=3):
            flat = cell.reshape(len(cell), int(np.prod(cell.shape[1:])))  # a cell of a small region has no pixel
            grams.append(flat @ flat.T)
    return np.stack(grams)
