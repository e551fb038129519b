"""Measures of directions whose edits have been scored: size and purity of changes, attributes reached, similarity.

*Changes* are ``[k, N, A]``: direction, sample, attribute. A *matrix* is ``[k, A]``, the mean change in units of the
attribute's own standard deviation among unedited samples, so that attributes of different units can be compared.
Weights are ``[B, N]``: how often each sample counts in each of B resamplings.
"""

from __future__ import annotations

import numpy as np

REACHED = 0.5  # standard deviations over the whole range: the threshold for an attribute to count as reached
SURE = 1.96  # standard errors by which the threshold must be exceeded
CONSTANT = 1e-9  # an attribute that varies by less than this share of its largest value counts as constant


def spreads(before: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """Standard deviations ``[A]`` of unedited scores ``[N, A]``; infinite where a score never varies.

    A change divided by it is then 0, since a constant attribute cannot be measured. With weights ``[B, N]`` of the
    samples the result is ``[B, A]``.
    """
    if weights is None:
        deviation = before.std(axis=0)
    else:
        total = weights.sum(axis=1, keepdims=True)
        centred = before - before.mean(axis=0)
        mean = weights @ centred / total
        deviation = np.sqrt(np.maximum(weights @ centred**2 / total - mean**2, 0))
    return np.where(deviation > CONSTANT * np.maximum(np.abs(before).max(axis=0), 1e-30), deviation, np.inf)


def unlikeness(before: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Mean absolute difference ``[B, A]`` of two unrelated samples (Gini's); infinite where a score never varies."""
    found = []
    for column in before.T:
        order = np.argsort(column)
        w, x = weights[:, order], column[order] - column.min()
        below, sums = np.cumsum(w, axis=1) - w, np.cumsum(w * x, axis=1) - w * x
        pairs = (w * (x * below - sums)).sum(axis=1)  # of different samples, each pair once
        found.append(pairs * 2 / np.maximum(w.sum(axis=1) * (w.sum(axis=1) - 1), 1))
    return np.where(np.isfinite(spreads(before)), np.stack(found, axis=1), np.inf)


def means(changes: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Mean over the samples of changes, for each resampling: ``[B, k, A]``."""
    k, count, attributes = changes.shape
    flat = changes.transpose(1, 0, 2).reshape(count, -1)
    found: np.ndarray = weights @ flat / weights.sum(axis=1, keepdims=True)
    return found.reshape(len(weights), k, attributes)


def shares(matrix: np.ndarray) -> np.ndarray:
    """*Disentanglement*: the share of each attribute in the total change by a direction.

    ``[..., k, A]``, each row adding up to 1 (to 0 where nothing changes).
    """
    size = np.abs(matrix)
    total = size.sum(axis=-1, keepdims=True)
    parts: np.ndarray = size / np.where(total > 0, total, 1)
    return parts


def preserved(moves: np.ndarray) -> np.ndarray:
    """*Rest preserved*: how little an edit changes the other attributes.

    Args:
        moves: ``[..., k, A]``, mean absolute difference of a picture and its edit, divided by :func:`unlikeness`.

    Returns:
        ``[..., k, A]``: for each direction and intended attribute, 1 minus the mean over the other attributes. 1 is
        untouched; 0 is as different as another sample.
    """
    count = moves.shape[-1]
    if count < 2:
        return np.ones_like(moves)
    rest: np.ndarray = 1 - (moves.sum(axis=-1, keepdims=True) - moves) / (count - 1)
    return rest


def effective_rank(matrix: np.ndarray) -> float:
    """The number of independent effects of a set of directions: exp of the entropy of the singular values.

    Roy & Vetterli, "The effective rank: a measure of effective dimensionality", EUSIPCO 2007; 0 for zeros.
    """
    values = np.linalg.svd(matrix, compute_uv=False)
    if not values.sum() > 0:
        return 0.0
    parts = values[values > 0] / values.sum()
    return float(np.exp(-(parts * np.log(parts)).sum()))


def best_match(one: np.ndarray, other: np.ndarray) -> float:
    """Mean over directions ``[k, dim]`` of the absolute cosine with the most similar one of ``other`` ``[m, dim]``."""
    first, second = (rows / np.linalg.norm(rows.astype(np.float64), axis=1, keepdims=True) for rows in (one, other))
    return float(np.abs(first @ second.T).max(axis=1).mean())


def frechet_distance(one: np.ndarray, other: np.ndarray) -> float:
    """Fréchet distance of two sets of features ``[N, d]`` and ``[M, d]``, as if they were Gaussian.

    Dowson & Landau 1982; on Inception's features it is the FID of Heusel et al. 2017. In float64, with symmetric
    solvers: the trace of the root of the product is the sum of the roots of non-negative eigenvalues.

    Raises:
        ValueError: fewer than two rows, or different widths.
    """
    one, other = np.asarray(one, dtype=np.float64), np.asarray(other, dtype=np.float64)
    if one.ndim != 2 or other.ndim != 2 or one.shape[1] != other.shape[1] or min(len(one), len(other)) < 2:
        raise ValueError(f"features {list(one.shape)} and {list(other.shape)}: expected [N, d] with at least 2 rows")
    apart = one.mean(axis=0) - other.mean(axis=0)
    first, second = (np.atleast_2d(np.cov(rows, rowvar=False)) for rows in (one, other))
    values, columns = np.linalg.eigh(first)
    root = (columns * np.sqrt(np.maximum(values, 0))) @ columns.T
    inner = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ second @ root), 0)).sum()
    return max(0.0, float(apart @ apart + np.trace(first) + np.trace(second) - 2 * inner))
