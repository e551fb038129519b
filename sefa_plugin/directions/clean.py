"""How cleanly each direction acts, measured from a few pictures, without labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..hook import StyleLayer
from .codes import covariance, enough
from .directions import Directions
from .picture_grams import changes
from .sharpening import changes_of_styles

if TYPE_CHECKING:
    from torch import Tensor

    from ..networks.generator import Generator

SAMPLES = 16
CELLS = 8  # a side of the grid on which places are compared


@dataclass(frozen=True)
class Cleanness:
    """Four properties of each of k directions, 0 to 1, float64 ``[k]``; larger is cleaner.

    Attributes:
        consistency: mean cosine between the changes of two samples, where negative: 0.
        locality: 1 less the part of the picture that changes: ``1 / (n sum p^2)``, p the share of each of n cells.
        layers: ``sum q^2``, q the share of each row of ws; 1 where one layer does all.
        apart: 1 less the largest absolute cosine between its mean change and that of another direction.
    """

    consistency: np.ndarray
    locality: np.ndarray
    layers: np.ndarray
    apart: np.ndarray

    @property
    def score(self) -> np.ndarray:
        """The geometric mean of the four, 0 to 1, float64 ``[k]``."""
        score: np.ndarray = (self.consistency * self.locality * self.layers * self.apart) ** 0.25
        return score


def cleanness(
    G: Generator,
    directions: Directions,
    layers: Sequence[StyleLayer],
    count: int,
    samples: int = SAMPLES,
    advance: Callable[[int], None] = lambda pictures: None,
) -> Cleanness:
    """Measure the first ``count`` directions over a fifth of a standard deviation of the codes, to both sides.

    Args:
        G: the generator.
        directions: of its w.
        layers: its style layers.
        count: how many.
        samples: on how many samples, the same whatever was asked before.
        advance: called with the number of pictures whenever some have been rendered.
    """
    vectors = np.asarray(directions.vectors[:count], dtype=np.float64)
    varied = covariance(G, enough(G.w_dim))
    deviations = np.sqrt(np.einsum("ki,ij,kj->k", vectors, varied, vectors))
    mine = [layer for layer in layers if layer.ws_index in directions.layers]
    styles = changes_of_styles(vectors, mine, directions.layers)
    basis = (vectors * deviations[:, None]).T
    found = np.stack(
        [_small(change) for change in changes(G, basis, directions.layers, range(samples), advance)], axis=1
    )  # [k, samples, channels, cells, cells]
    return Cleanness(
        _consistency(found.reshape(*found.shape[:2], -1)),
        _locality(np.square(found).mean(axis=(1, 2)).reshape(len(found), -1)),
        np.square(styles / styles.sum(axis=1, keepdims=True)).sum(axis=1),
        _apart(found.mean(axis=1).reshape(len(found), -1)),
    )


def _small(change: Tensor) -> np.ndarray:
    """``[k, channels, height, width]`` to the means of ``CELLS x CELLS`` cells."""
    import torch

    cells: np.ndarray = torch.nn.functional.adaptive_avg_pool2d(change, CELLS).cpu().numpy()
    return cells


def _unit(rows: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(rows, axis=-1, keepdims=True)
    unit: np.ndarray = rows / np.where(lengths > 0, lengths, 1)
    return unit


def _consistency(rows: np.ndarray) -> np.ndarray:
    """Mean cosine of two of the samples, of changes ``[k, samples, numbers]``; 1 where there is one sample."""
    count = rows.shape[1]
    together = np.square(_unit(rows).sum(axis=1)).sum(axis=-1)
    found: np.ndarray = np.clip((together - count) / max(count * (count - 1), 1), 0, 1) if count > 1 else together
    return found


def _locality(energies: np.ndarray) -> np.ndarray:
    """Of mean squares ``[k, cells]``."""
    shares = energies / np.maximum(energies.sum(axis=1, keepdims=True), np.finfo(float).tiny)
    found: np.ndarray = 1 - 1 / np.maximum(energies.shape[1] * np.square(shares).sum(axis=1), 1)
    return found


def _apart(means: np.ndarray) -> np.ndarray:
    """Of mean changes ``[k, numbers]``."""
    cosines = np.abs(_unit(means) @ _unit(means).T)
    np.fill_diagonal(cosines, 0)
    found: np.ndarray = np.clip(1 - cosines.max(axis=1), 0, 1)
    return found
