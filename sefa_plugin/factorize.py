"""SeFa: the directions in which a first affine transformation stretches its input most.

Shen & Zhou, "Closed-Form Factorization of Latent Semantics in GANs", CVPR 2021, section 2.2. Pure
mathematics: matrices in, directions out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class Factors(NamedTuple):
    """Directions as rows ``[k, dim]`` (float64, unit length) and their eigenvalues ``[k]``, descending."""

    vectors: np.ndarray
    eigenvalues: np.ndarray


def stack(weights: Sequence[np.ndarray], normalize: bool = True) -> np.ndarray:
    """Stack weight matrices into the ``A`` of the paper.

    Args:
        weights: matrices ``[channels, dim]`` of one ``dim``, with any gains already applied.
        normalize: scale every row to unit length, as the authors' code does; rows of zeros stay zero.

    Returns:
        float64 ``[sum of channels, dim]``.

    Raises:
        ValueError: no matrix is given, one is not two-dimensional, the widths differ, or a number is
            NaN or infinite.
    """
    if not len(weights):
        raise ValueError("no weight to factorise")
    matrices = [np.asarray(weight, dtype=np.float64) for weight in weights]
    for index, matrix in enumerate(matrices):
        if matrix.ndim != 2 or 0 in matrix.shape:
            raise ValueError(f"weight {index} is {list(matrix.shape)}, expected [channels, dim]")
        if matrix.shape[1] != matrices[0].shape[1]:
            raise ValueError(f"weight {index} is {matrix.shape[1]} wide, weight 0 is {matrices[0].shape[1]}")
        if not np.isfinite(matrix).all():
            raise ValueError(f"weight {index} holds NaN or infinity")
    A = np.concatenate(matrices)  # [channels, dim]
    if normalize:
        length = np.linalg.norm(A, axis=1, keepdims=True)
        A = A / np.where(length > 0, length, 1)
    return A


def decompose(A: np.ndarray) -> Factors:
    """Give the directions ``n`` with the largest ``|A n|^2``, all ``dim`` of them.

    They are the eigenvectors of ``A^T A`` (CVPR 2021, equations 6-8), found with a symmetric solver in
    float64, in descending order. An eigenvector has no sign of its own: here its component of largest
    magnitude is positive, so that results repeat.
    """
    values, columns = np.linalg.eigh(A.T @ A)
    vectors = columns.T[::-1]  # rows, largest eigenvalue first
    peaks = np.abs(vectors).argmax(axis=1)
    signs = np.sign(vectors[np.arange(len(vectors)), peaks])
    return Factors(vectors * np.where(signs == 0, 1, signs)[:, None], np.maximum(values[::-1], 0))


def factorize_weights(
    weights: Sequence[np.ndarray], normalize: bool = True, num_directions: int | None = None
) -> Factors:
    """Factorise matrices ``[channels, dim]``; see :func:`stack` and :func:`decompose`.

    Args:
        num_directions: how many to give, strongest first; None gives all ``dim``.

    Raises:
        ValueError: as :func:`stack`, or ``num_directions`` is outside 1 to ``dim``.
    """
    A = stack(weights, normalize)
    if num_directions is not None and not 1 <= num_directions <= A.shape[1]:
        raise ValueError(f"{num_directions} directions asked for, this space has 1-{A.shape[1]}")
    factors = decompose(A)
    return Factors(factors.vectors[:num_directions], factors.eigenvalues[:num_directions])
