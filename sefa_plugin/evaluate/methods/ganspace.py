"""GANSpace: the principal components of sampled w.

Härkönen, Hertzmann, Lehtinen & Paris, "GANSpace: Discovering Interpretable GAN Controls", NeurIPS 2020,
section 3.1: in a style-based generator the components of w itself, found from many samples.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Components:
    """Principal components.

    Attributes:
        vectors: float64 ``[k, dim]``, unit rows; the component of largest magnitude is positive.
        deviations: float64 ``[k]``, standard deviations of the samples along them, descending.
        count: how many samples.
    """

    vectors: np.ndarray
    deviations: np.ndarray
    count: int


def principal_components(batches: Iterable[np.ndarray], num_directions: int) -> Components:
    """Find the components of codes that come in batches ``[n, dim]``, strongest first; one batch is in memory.

    Batches are joined by the update of Chan, Golub & LeVeque (1983), in float64, which subtracts no large sums.

    Raises:
        ValueError: fewer than two samples, or numbers that are not finite.
    """
    count, center, scatter = 0, np.zeros(()), np.zeros(())
    for batch in batches:
        codes = np.asarray(batch, dtype=np.float64)
        if not np.isfinite(codes).all():
            raise ValueError("codes hold NaN or infinity")
        mean, total = codes.mean(axis=0), count + len(codes)
        apart = mean - center
        scatter = scatter + (codes - mean).T @ (codes - mean) + np.outer(apart, apart) * count * len(codes) / total
        center = center + apart * len(codes) / total
        count = total
    if count < 2:
        raise ValueError(f"{count} samples: at least 2 are needed")
    values, columns = np.linalg.eigh(scatter / (count - 1))
    vectors = columns.T[::-1][:num_directions]
    peaks = vectors[np.arange(len(vectors)), np.abs(vectors).argmax(axis=1)]
    deviations = np.sqrt(np.maximum(values[::-1][:num_directions], 0))
    return Components(vectors * np.sign(peaks)[:, None], deviations, count)
