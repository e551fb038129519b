"""SeFa: the directions in which a first affine transformation stretches its input most.

Shen & Zhou, "Closed-Form Factorization of Latent Semantics in GANs", CVPR 2021, section 2.2. NumPy
matrices in, directions out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

FEW = 4  # a matrix with at most dim / FEW rows is decomposed by an SVD
SQUARES = 1e-140, 1e140  # between these, float64 represents the square of a length in full precision
ALIKE = 1 - 1e-6  # components of at least this share of the largest count as equal to it


class Factors(NamedTuple):
    """Directions as rows ``[k, dim]`` (float64, unit length) and their eigenvalues ``[k]``, descending.

    ``next_eigenvalue`` is that of the strongest direction that was left out; None where none was.
    """

    vectors: np.ndarray
    eigenvalues: np.ndarray
    next_eigenvalue: float | None = None


def stack(weights: Sequence[np.ndarray], normalize: bool = True, names: Sequence[str] = ()) -> np.ndarray:
    """Check weight matrices, scale their rows to unit length and stack them into the ``A`` of the paper.

    Args:
        weights: matrices ``[channels, dim]`` of one ``dim``, with any gains already applied.
        normalize: scale every row to unit length, as the authors' code does; rows of zeros stay zero.
        names: what an error calls each matrix; ``weight 0`` and so on where it is empty.

    Returns:
        float64 ``[sum of channels, dim]``.

    Raises:
        ValueError: no matrix is given, one is not two-dimensional or holds no real numbers, the widths differ, or a
            number is NaN or infinite.
    """
    if not len(weights):
        raise ValueError("no weight to factorise")
    called = list(names) or [f"weight {index}" for index in range(len(weights))]
    matrices = [np.asarray(weight) for weight in weights]
    for name, weight in zip(called, matrices):
        if weight.dtype.kind not in "biuf":
            raise ValueError(f"{name} holds {weight.dtype}, expected real numbers")
        if weight.ndim != 2 or 0 in weight.shape:
            raise ValueError(f"{name} is {list(weight.shape)}, expected [channels, dim]")
        if weight.shape[1] != matrices[0].shape[1]:
            raise ValueError(f"{name} is {weight.shape[1]} wide, {called[0]} is {matrices[0].shape[1]}")
    # Converted and scaled in place: a second copy of large matrices would take noticeable time.
    A = np.empty((sum(len(weight) for weight in matrices), matrices[0].shape[1]))
    end = 0
    for name, weight in zip(called, matrices):
        start, end = end, end + len(weight)
        matrix = A[start:end]
        matrix[...] = weight
        with np.errstate(all="ignore"):
            squares = np.einsum("ij,ij->i", matrix, matrix)  # not finite for NaN, infinity or overflow
        if not (np.isfinite(squares).all() or np.isfinite(matrix).all()):
            raise ValueError(f"{name} holds NaN or infinity: the training diverged?")
        if normalize:
            _normalize_rows(matrix, np.sqrt(squares)[:, None])
    return A


def _normalize_rows(matrix: np.ndarray, length: np.ndarray) -> None:
    """Divide rows by their length ``[rows, 1]``, in place; rows of zeros stay zero."""
    extreme = ~((length > SQUARES[0]) & (length < SQUARES[1]))[:, 0]
    if extreme.any():
        peaks = np.abs(matrix[extreme]).max(axis=1, keepdims=True)
        matrix[extreme] /= np.where(peaks > 0, peaks, 1)
        length[extreme] = np.linalg.norm(matrix[extreme], axis=1, keepdims=True)
    matrix /= np.where(length > 0, length, 1)


def decompose(A: np.ndarray) -> Factors:
    """Find all ``dim`` directions ``n``, those with the largest ``|A n|^2`` first.

    They are the eigenvectors of ``A^T A`` (CVPR 2021, section 2.2), found with a symmetric solver in
    float64, in descending order; the authors' general solver leaves them unsorted. The sign of an
    eigenvector is arbitrary: here its component of largest magnitude (the first of several equal ones) is positive,
    so that results are reproducible.

    Args:
        A: float64 ``[rows, dim]``.

    Raises:
        ValueError: numbers are so large or so small that float64 does not hold their squares.
    """
    rows, dim = A.shape
    if rows <= dim // FEW:  # the directions are the right singular vectors; cheaper here
        _, sizes, vectors = np.linalg.svd(A)
        _check_size(float(sizes[0]), A)
        values = np.concatenate([sizes**2, np.zeros(dim - rows)])
    else:
        with np.errstate(over="ignore", invalid="ignore"):
            gram = A.T @ A
        _check_size(float(np.sqrt(gram.trace())), A)
        values, columns = np.linalg.eigh(gram)
        values, vectors = values[::-1], columns.T[::-1]  # rows, largest eigenvalue first
    # Rounding may leave an eigenvalue of 0 slightly below it.
    return Factors(positive(vectors), np.maximum(values, 0))


def positive(vectors: np.ndarray) -> np.ndarray:
    """Rows with signs that make the component of largest magnitude (the first of several equal ones) positive."""
    largest = np.abs(vectors)
    # Without the tolerance, rounding would choose among equal components, and so the sign.
    peaks = (largest >= ALIKE * largest.max(axis=1, keepdims=True)).argmax(axis=1)
    signed: np.ndarray = vectors * np.sign(vectors[np.arange(len(vectors)), peaks])[:, None]
    return signed


def _check_size(size: float, A: np.ndarray) -> None:
    """Raise ``ValueError`` if float64 cannot represent the squared Frobenius norm of ``A``."""
    if not (SQUARES[0] < size < SQUARES[1]) and A.any():
        raise ValueError("the weights are too large or too small to be squared in float64; normalise their rows")


def factorize_weights(
    weights: Sequence[np.ndarray],
    normalize: bool = True,
    num_directions: int | None = None,
    names: Sequence[str] = (),
) -> Factors:
    """Factorise matrices ``[channels, dim]``; see :func:`stack` and :func:`decompose`.

    Args:
        weights, normalize, names: as for :func:`stack`.
        num_directions: how many, strongest first; None for all ``dim``.

    Raises:
        ValueError: as :func:`stack`, or ``num_directions`` is outside 1 to ``dim``.

    Numbers of the code that no matrix uses (labels beside z, chunks of z for other layers) are in no direction, so
    there are as many directions as numbers that are used.
    """
    A = stack(weights, normalize, names)
    dim = A.shape[1]
    if num_directions is not None and not 1 <= num_directions <= dim:
        raise ValueError(f"{num_directions} directions asked for, this space has 1-{dim}")
    used = A.any(axis=0)
    apart = used.any() and not used.all()
    vectors, values, _ = decompose(A[:, used] if apart else A)
    if apart:
        wide = np.zeros((len(vectors), dim))
        wide[:, used] = vectors
        vectors, dim = wide, len(vectors)
    kept = dim if num_directions is None else min(num_directions, dim)
    return Factors(vectors[:kept], values[:kept], float(values[kept]) if kept < dim else None)
