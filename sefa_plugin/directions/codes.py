"""How the codes of a network vary: the covariance of w over many random z; no picture is rendered."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from ..networks.generator import Generator

PER_DIMENSION = 16  # samples for each dimension of w, for their covariance
LEAST = 8192
TOGETHER = 2048
SEED = 10_000_000  # other z than those of the seeds that people look at


def enough(w_dim: int) -> int:
    """How many codes their covariance is found from, unless another number is chosen."""
    return max(LEAST, PER_DIMENSION * w_dim)


def deviations(G: Generator, count: int) -> np.ndarray:
    """Untruncated w less its mean, float32 ``[count, w_dim]``.

    Of a conditional network: the difference of two w of one evenly drawn class, divided by the square root of two.
    Their covariance is that within a class, averaged over the classes; what tells classes apart is not in it.

    Args:
        G: a generator; of one without a mapping network, w is z as its layers get it.
        count: how many.
    """
    import torch

    device = next(G.parameters()).device
    draw = np.random.RandomState(SEED)

    def mapped(number: int, labels: torch.Tensor | None) -> np.ndarray:
        z = torch.from_numpy(draw.randn(number, G.z_dim)).to(device)
        with torch.no_grad():
            w: np.ndarray = G.mapping(z, labels)[:, -1].float().cpu().numpy()
        return w

    rows = []
    for start in range(0, count, TOGETHER):
        number = min(TOGETHER, count - start)
        if not G.c_dim:
            rows.append(mapped(number, None))
            continue
        classes = torch.from_numpy(draw.randint(G.c_dim, size=number))
        labels = torch.nn.functional.one_hot(classes, G.c_dim).float().to(device)
        rows.append((mapped(number, labels) - mapped(number, labels)) / np.sqrt(2))
    codes = np.concatenate(rows)
    return codes if G.c_dim else codes - codes.mean(axis=0)


def covariance(G: Generator, count: int) -> np.ndarray:
    """The covariance of ``count`` codes, float64 ``[w_dim, w_dim]``; see :func:`deviations`."""
    apart = deviations(G, count).astype(np.float64)
    matrix: np.ndarray = apart.T @ apart / count
    return matrix
