"""SeFa: the directions in which a first affine transformation stretches its input most.

Shen & Zhou, "Closed-Form Factorization of Latent Semantics in GANs", CVPR 2021, section 2.2. Pure
mathematics: matrices in, directions out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

FEW = 4  # a matrix with fewer rows than this part of its columns


class Factors(NamedTuple):
    """Directions as rows ``[k, dim]`` (float64, unit length) and their eigenvalues ``[k]``, descending."""

    vectors: np.ndarray
    eigenvalues: np.ndarray


def prepared(weights: Sequence[np.ndarray], normalize: bool = True, names: Sequence[str] = ()) -> list[np.ndarray]:
    """Check weight matrices and bring their rows to length.

    Args:
        weights: matrices ``[channels, dim]`` of one ``dim``, with any gains already applied.
        normalize: scale every row to unit length, as the authors' code does; rows of zeros stay zero.
        names: what an error calls each matrix; ``weight 0`` and so on where it is empty.

    Returns:
        float64 matrices of the same shapes.

    Raises:
        ValueError: no matrix is given, one is not two-dimensional, the widths differ, or a number is
            NaN or infinite.
    """
    if not len(weights):
        raise ValueError("no weight to factorise")
    matrices = [np.asarray(weight, dtype=np.float64) for weight in weights]
    called = list(names) or [f"weight {index}" for index in range(len(matrices))]
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
    length = np.linalg.norm(matrix, axis=1, keepdims=True)
    return matrix / np.where(length > 0, length, 1)


def stack(weights: Sequence[np.ndarray], normalize: bool = True, names: Sequence[str] = ()) -> np.ndarray:
    """Stack weight matrices into the ``A`` of the paper, float64 ``[sum of channels, dim]``; see :func:`prepared`."""
    return np.concatenate(prepared(weights, normalize, names))


def decompose(*matrices: np.ndarray) -> Factors:
    """Give the directions ``n`` with the largest ``|A n|^2``, all ``dim`` of them; ``A`` stacks the matrices.

    They are the eigenvectors of ``A^T A`` (CVPR 2021, section 2.2), found with a symmetric solver in
    float64, in descending order; the authors' general solver leaves them unsorted. An eigenvector has no
    sign of its own: here its component of largest magnitude is positive, so that results repeat.
    """
    dim = matrices[0].shape[1]
    rows = sum(len(matrix) for matrix in matrices)
    if rows <= dim // FEW:  # the same directions as right singular vectors, at less expense
        _, sizes, vectors = np.linalg.svd(np.concatenate(matrices))
        values = np.concatenate([sizes**2, np.zeros(dim - rows)])
    else:
        # Summed up matrix by matrix: A itself, tens of megabytes, would have to be written and read again.
        values, columns = np.linalg.eigh(sum(matrix.T @ matrix for matrix in matrices))
        values, vectors = values[::-1], columns.T[::-1]  # rows, largest eigenvalue first
    peaks = np.abs(vectors).argmax(axis=1)
    signs = np.sign(vectors[np.arange(len(vectors)), peaks])
    # Rounding may leave an eigenvalue of 0 slightly below it.
    return Factors(vectors * signs[:, None], np.maximum(values, 0))


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
    factors = decompose(*matrices)
    return Factors(factors.vectors[:num_directions], factors.eigenvalues[:num_directions])
