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
        mean: float64 ``[dim]``.
        vectors: float64 ``[k, dim]``, unit rows; the component of largest magnitude is positive.
        deviations: float64 ``[k]``, standard deviations of the samples along them, descending.
        count: how many samples.
    """

    mean: np.ndarray
    vectors: np.ndarray
    deviations: np.ndarray
    count: int


class Covariance:
    """Mean and covariance of codes that come in batches, in memory for one batch.

    Batches are joined by the update of Chan, Golub & LeVeque (1983), in float64, which subtracts no large sums.
    """

    def __init__(self) -> None:
        self.count = 0
        self.mean = np.zeros(0)  # [dim], once there are samples
        self._scatter = np.zeros((0, 0))

    def add(self, codes: np.ndarray) -> None:
        """Add a batch ``[n, dim]``.

        Raises:
            ValueError: another width than before, or numbers that are not finite.
        """
        codes = np.asarray(codes, dtype=np.float64)
        if codes.ndim != 2 or (self.count and codes.shape[1] != len(self.mean)):
            raise ValueError(f"codes are {list(codes.shape)}, expected [n, dim] of one dim")
        if not np.isfinite(codes).all():
            raise ValueError("codes hold NaN or infinity")
        if not len(codes):
            return
        if not self.count:
            self.mean = np.zeros(codes.shape[1])
            self._scatter = np.zeros((codes.shape[1], codes.shape[1]))
        mean = codes.mean(axis=0)
        apart = mean - self.mean
        total = self.count + len(codes)
        self._scatter += (codes - mean).T @ (codes - mean) + np.outer(apart, apart) * self.count * len(codes) / total
        self.mean = self.mean + apart * len(codes) / total
        self.count = total

    def matrix(self) -> np.ndarray:
        """The covariance ``[dim, dim]``, unbiased.

        Raises:
            ValueError: fewer than two samples.
        """
        if self.count < 2:
            raise ValueError(f"{self.count} samples: at least 2 are needed")
        covariance: np.ndarray = self._scatter / (self.count - 1)
        return covariance


def principal_components(batches: Iterable[np.ndarray], num_directions: int | None = None) -> Components:
    """Find the components of codes that come in batches ``[n, dim]``, strongest first; None gives all ``dim``.

    Raises:
        ValueError: fewer than two samples, batches of different widths, or more components than ``dim``.
    """
    seen = Covariance()
    for batch in batches:
        seen.add(batch)
    covariance = seen.matrix()
    if num_directions is not None and not 1 <= num_directions <= len(covariance):
        raise ValueError(f"{num_directions} components asked for, there are 1-{len(covariance)}")
    values, columns = np.linalg.eigh(covariance)
    vectors = columns.T[::-1][:num_directions]
    peaks = vectors[np.arange(len(vectors)), np.abs(vectors).argmax(axis=1)]
    deviations = np.sqrt(np.maximum(values[::-1][:num_directions], 0))
    return Components(seen.mean, vectors * np.sign(peaks)[:, None], deviations, seen.count)
