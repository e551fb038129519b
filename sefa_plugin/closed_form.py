"""SeFa: the directions in which a first affine transformation stretches its input most.

Shen & Zhou, "Closed-Form Factorization of Latent Semantics in GANs", CVPR 2021, section 2.2. Pure
mathematics: matrices in, directions out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

FEW = 4  # a matrix with fewer rows than this part of its columns
SQUARES = 1e-140, 1e140  # lengths whose squares float64 holds, with all their digits
ALIKE = 1 - 1e-6  # share of the largest component from which on another one is as large, but for rounding


class Factors(NamedTuple):
    """Directions as rows ``[k, dim]`` (float64, unit length) and their eigenvalues ``[k]``, descending.

    ``next_eigenvalue`` is that of the strongest direction that was left out; None where none was.
    """

    vectors: np.ndarray
    eigenvalues: np.ndarray
    next_eigenvalue: float | None = None


def prepared(weights: Sequence[np.ndarray], normalize: bool = True, names: Sequence[str] = ()) -> list[np.ndarray]:
    """Check weight matrices and bring their rows to length.

    Args:
        weights: matrices ``[channels, dim]`` of one ``dim``, with any gains already applied.
        normalize: scale every row to unit length, as the authors' code does; rows of zeros stay zero.
        names: what an error calls each matrix; ``weight 0`` and so on where it is empty.

    Returns:
        float64 matrices of the same shapes.

    Raises:
        ValueError: no matrix is given, one is not two-dimensional or holds no real numbers, the widths differ, or a
            number is NaN or infinite.
    """
    if not len(weights):
        raise ValueError("no weight to factorise")
    called = list(names) or [f"weight {index}" for index in range(len(weights))]
    for name, weight in zip(called, weights):
        kind = np.asarray(weight).dtype
        if kind.kind not in "biuf":
            raise ValueError(f"{name} holds {kind}, expected real numbers")
    matrices = [np.asarray(weight, dtype=np.float64) for weight in weights]
    for name, matrix in zip(called, matrices):
        if matrix.ndim != 2 or 0 in matrix.shape:
            raise ValueError(f"{name} is {list(matrix.shape)}, expected [channels, dim]")
        if matrix.shape[1] != matrices[0].shape[1]:
            raise ValueError(f"{name} is {matrix.shape[1]} wide, {called[0]} is {matrices[0].shape[1]}")
        with np.errstate(all="ignore"):  # a sum is not finite where a number is not
            fine = np.isfinite(matrix.sum()) or np.isfinite(matrix).all()
        if not fine:
            raise ValueError(f"{name} holds NaN or infinity: the training diverged?")
    return [_unit_rows(matrix) for matrix in matrices] if normalize else matrices


def _unit_rows(matrix: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):
        length = np.linalg.norm(matrix, axis=1, keepdims=True)
    odd = ~((length > SQUARES[0]) & (length < SQUARES[1]))[:, 0]
    if odd.any():
        matrix = matrix.copy()
        peaks = np.abs(matrix[odd]).max(axis=1, keepdims=True)
        matrix[odd] /= np.where(peaks > 0, peaks, 1)
        length[odd] = np.linalg.norm(matrix[odd], axis=1, keepdims=True)
    return matrix / np.where(length > 0, length, 1)


def stack(weights: Sequence[np.ndarray], normalize: bool = True, names: Sequence[str] = ()) -> np.ndarray:
    """Stack weight matrices into the ``A`` of the paper, float64 ``[sum of channels, dim]``; see :func:`prepared`."""
    return np.concatenate(prepared(weights, normalize, names))


def decompose(*matrices: np.ndarray) -> Factors:
    """Give the directions ``n`` with the largest ``|A n|^2``, all ``dim`` of them; ``A`` stacks the matrices.

    They are the eigenvectors of ``A^T A`` (CVPR 2021, section 2.2), found with a symmetric solver in
    float64, in descending order; the authors' general solver leaves them unsorted. An eigenvector has no
    sign of its own: here its component of largest magnitude (of several as large, the first) is positive, so that
    results repeat.

    Raises:
        ValueError: numbers are so large or so small that float64 does not hold their squares.
    """
    dim = matrices[0].shape[1]
    rows = sum(len(matrix) for matrix in matrices)
    if rows <= dim // FEW:  # the same directions as right singular vectors, at less expense
        _, sizes, vectors = np.linalg.svd(np.concatenate(matrices))
        _check_size(float(sizes[0]), matrices)
        values = np.concatenate([sizes**2, np.zeros(dim - rows)])
    else:
        # Summed up matrix by matrix: A itself, tens of megabytes, would have to be written and read again.
        with np.errstate(over="ignore", invalid="ignore"):
            gram = sum(matrix.T @ matrix for matrix in matrices)
        _check_size(float(np.sqrt(gram.trace())), matrices)
        values, columns = np.linalg.eigh(gram)
        values, vectors = values[::-1], columns.T[::-1]  # rows, largest eigenvalue first
    largest = np.abs(vectors)
    # Among equals rounding would choose, and the sign would follow it.
    peaks = (largest >= ALIKE * largest.max(axis=1, keepdims=True)).argmax(axis=1)
    signs = np.sign(vectors[np.arange(len(vectors)), peaks])
    # Rounding may leave an eigenvalue of 0 slightly below it.
    return Factors(vectors * signs[:, None], np.maximum(values, 0))


def _check_size(size: float, matrices: Sequence[np.ndarray]) -> None:
    """Refuse ``A`` of a Frobenius norm whose square float64 does not hold."""
    if not (SQUARES[0] < size < SQUARES[1]) and any(matrix.any() for matrix in matrices):
        raise ValueError("the weights are too large or too small to be squared in float64; normalise their rows")


def factorize_weights(
    weights: Sequence[np.ndarray],
    normalize: bool = True,
    num_directions: int | None = None,
    names: Sequence[str] = (),
) -> Factors:
    """Factorise matrices ``[channels, dim]``; see :func:`prepared` and :func:`decompose`.

    Args:
        weights, normalize, names: as for :func:`prepared`.
        num_directions: how many to give, strongest first; None gives all ``dim``.

    Raises:
        ValueError: as :func:`prepared`, or ``num_directions`` is outside 1 to ``dim``.
    """
    matrices = prepared(weights, normalize, names)
    dim = matrices[0].shape[1]
    if num_directions is not None and not 1 <= num_directions <= dim:
        raise ValueError(f"{num_directions} directions asked for, this space has 1-{dim}")
    vectors, values, _ = decompose(*matrices)
    kept = dim if num_directions is None else num_directions
    return Factors(vectors[:kept], values[:kept], float(values[kept]) if kept < dim else None)
