"""Random orthonormal directions, the baseline that every method should exceed."""

from __future__ import annotations

import numpy as np


def random_directions(dim: int, count: int, seed: int = 0) -> np.ndarray:
    """Draw orthonormal directions, uniformly: float64 ``[count, dim]``, by the QR of a Gaussian matrix.

    Raises:
        ValueError: more than ``dim`` of them, or fewer than one.
    """
    if not 1 <= count <= dim:
        raise ValueError(f"{count} random directions asked for, there are 1-{dim}")
    q, r = np.linalg.qr(np.random.RandomState(seed).randn(dim, count))
    return (q * np.sign(np.diag(r))).T  # without the signs the distribution is not uniform (Mezzadri 2007)
