"""Sharp directions: each moves the styles of every layer by itself in a way that no other one does.

SeFa takes the eigenvectors of ``sum_l A_l^T A_l``: its directions change the styles of all layers *together* most.
Sharp directions differ in two ways.

1. ``w`` is measured in standard deviations of the network's own codes: ``w = mean + L u`` with ``L L^T = C``, their
   covariance, so that ``u`` has unit covariance. The leading eigenvectors of ``sum_l G_l`` with
   ``G_l = L^T A_l^T A_l L`` span the pool.
2. Within the pool, the rotation that makes *every* ``G_l`` as diagonal as possible at once (orthogonal joint
   diagonalisation, Cardoso & Souloumiac, "Jacobi Angles for Simultaneous Diagonalization", SIAM J. Matrix Anal. Appl.
   17(1), 1996) replaces the eigenvectors of their sum.

The same rotation with Grams of picture changes instead of styles, one for each cell of the picture, gives directions
that act in places of their own. NumPy only; ``docs/sharp.md`` has the reasons and the measurements.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from .closed_form import positive, stack

POOL = 32  # directions that are rotated together, however many are asked for, so that direction 3 stays direction 3
SMALL = 1e-10  # share of the largest variance or Gram below which a component counts as zero
ANGLE = 1e-7  # radians: a sweep without a larger rotation is the last
SWEEPS = 100
EQUAL = 1e-6  # relative; parts of two directions that differ by less are equal within float32 weights


class Sharp(NamedTuple):
    """Sharp directions, strongest first.

    Attributes:
        vectors: float64 ``[k, dim]``, unit length; the component of largest magnitude is positive.
        strengths: ``[k]``, the squared change of all styles (or pictures) for a step of one standard deviation.
        parts: ``[k, l]``, what each layer (or cell) adds to the strength.
        equal: pairs of directions that no layer (or cell) tells apart: only the plane that they span is defined.
    """

    vectors: np.ndarray
    strengths: np.ndarray
    parts: np.ndarray
    equal: list[tuple[int, int]]


def scales(covariance: np.ndarray) -> np.ndarray:
    """``L`` with ``L L^T = C``: columns ``[dim, rank]``, the components of largest variance first.

    Args:
        covariance: ``C`` of codes, ``[dim, dim]``.

    Raises:
        ValueError: the codes do not vary.
    """
    values, columns = np.linalg.eigh(covariance)
    values, columns = values[::-1], columns[:, ::-1]
    varying = values > SMALL * max(float(values[0]), 0.0)
    if not varying.any():
        raise ValueError("the network's codes do not vary: there is nothing to sharpen")
    scaled: np.ndarray = columns[:, varying] * np.sqrt(values[varying])
    return scaled


def sharpen(weights: Sequence[np.ndarray], covariance: np.ndarray) -> Sharp:
    """Find sharp directions from the weights of the style layers.

    Args:
        weights: matrices ``[channels, dim]`` of at least two layers, inner ToRGBs too; rows as they are.
        covariance: of the network's codes, ``[dim, dim]``.

    Returns:
        As many directions as the pool and the rank allow.

    Raises:
        ValueError: there are fewer than two layers, or neither codes nor styles vary.
    """
    if len(weights) < 2:
        raise ValueError("sharpening needs the weights of two layers or more: here is one")
    L = scales(covariance)
    A = stack(weights, normalize=False)
    values, columns = np.linalg.eigh(L.T @ (A.T @ A) @ L)
    rank = int((values > SMALL * max(float(values[-1]), 0.0)).sum())
    if not rank:
        raise ValueError("the weights of these layers are zero: there is nothing to sharpen")
    basis = L @ columns[:, ::-1][:, : min(POOL, rank)]
    styles = (np.asarray(weight, dtype=np.float64) @ basis for weight in weights)
    return rotated(basis, np.stack([moved.T @ moved for moved in styles]))


def rotated(basis: np.ndarray, grams: np.ndarray) -> Sharp:
    """Rotate a basis so that all Grams become as diagonal as possible.

    Args:
        basis: ``[dim, p]``, vectors of w for a step of one standard deviation.
        grams: ``[l, p, p]``, symmetric: of the changes that steps along the basis cause, in layer or cell l.
    """
    R = jointly_diagonal(grams)
    turned = R.T @ grams @ R
    parts = np.diagonal(turned, axis1=1, axis2=2).T  # [p, l]
    strengths = parts.sum(axis=1)
    order = np.argsort(-strengths, kind="stable")
    vectors = (basis @ R).T[order]
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    parts = parts[order]
    # A rotation in the plane of two directions changes nothing where all Grams are multiples of the identity there.
    apart = np.linalg.norm(parts[:, None] - parts, axis=-1)
    same = np.triu(apart <= EQUAL * np.linalg.norm(parts, axis=-1), k=1)
    return Sharp(positive(vectors), strengths[order], parts, [(int(i), int(j)) for i, j in np.argwhere(same)])


def jointly_diagonal(grams: np.ndarray) -> np.ndarray:
    """The rotation ``R [p, p]`` that minimises the sum of squares off the diagonals of all ``R^T G_l R``.

    Planes of two axes are rotated, each by the angle that is best for it (Cardoso & Souloumiac 1996, section 2, for
    real matrices); planes without a common axis at once. The result does not depend on the scale of the Grams.

    Args:
        grams: ``[l, p, p]``, symmetric.
    """
    A = np.array(grams, dtype=np.float64)
    R = np.eye(A.shape[1])
    for _ in range(SWEEPS):
        largest = 0.0
        for i, j in _planes(len(R)):
            apart, cross = A[:, i, i] - A[:, j, j], 2 * A[:, i, j]
            along, across = (apart**2 - cross**2).sum(axis=0), 2 * (apart * cross).sum(axis=0)
            angles = 0.5 * np.arctan2(across, along + np.hypot(along, across))
            largest = max(largest, float(np.abs(angles).max()))
            turn = np.eye(len(R))
            turn[i, i] = turn[j, j] = np.cos(angles)
            turn[j, i] = np.sin(angles)
            turn[i, j] = -turn[j, i]
            A = turn.T @ A @ turn
            R = R @ turn
        if largest <= ANGLE:
            break
    return R


def _planes(size: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """All pairs of axes ``i < j``, as rounds of pairs without a common axis (a round-robin tournament)."""
    ring = list(range(size + size % 2))  # with an odd number of axes, the one beside the last has a bye
    half = len(ring) // 2
    rounds = []
    for _ in ring[1:]:
        pairs = [sorted(pair) for pair in zip(ring[:half], ring[: half - 1 : -1]) if max(pair) < size]
        if pairs:
            i, j = np.array(pairs).T
            rounds.append((i, j))
        ring = [ring[0], ring[-1], *ring[1:-1]]
    return rounds
