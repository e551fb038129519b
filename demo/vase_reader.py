"""The factors of vases in pictures: those whose drawing comes nearest (Gauss and Newton, damped)."""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional as F

from demo.vases import FACTORS, NAMES, SIZE, draw

STEP = 0.02  # of finite differences, in shares of a factor's range
ROUNDS = 12
READ_SIZE = 64  # pixels at which pictures are compared
LOW, HIGH = torch.tensor(list(FACTORS.values())).T


def read_factors(pictures: np.ndarray, start: torch.Tensor) -> dict[str, np.ndarray]:
    """Read the factors of pictures.

    Args:
        pictures: uint8 ``[N, SIZE, SIZE, 3]``.
        start: factors ``[N, len(NAMES)]`` from which the search begins.

    Returns:
        By name, the values ``[N]``.
    """
    wanted = _small(torch.from_numpy(np.array(pictures)).permute(0, 3, 1, 2).float() / 127.5 - 1)
    found = torch.stack([_nearest(one, shares) for one, shares in zip(wanted, (start.float() - LOW) / (HIGH - LOW))])
    return dict(zip(NAMES, (LOW + (HIGH - LOW) * found).numpy().astype(np.float64).T))


def _small(pictures: torch.Tensor) -> torch.Tensor:
    return F.avg_pool2d(pictures, SIZE // READ_SIZE).flatten(1)


def _drawn(shares: torch.Tensor) -> torch.Tensor:
    """Drawings of factors that are given as shares of their ranges ``[N, len(NAMES)]``."""
    return _small(draw(LOW + (HIGH - LOW) * shares))


def _nearest(wanted: torch.Tensor, shares: torch.Tensor) -> torch.Tensor:
    """Shares ``[len(NAMES)]`` whose drawing is nearest to a picture, from a start on."""
    damping = 1e-2
    for _ in range(ROUNDS):
        away = torch.where(shares < 0.5, STEP, -STEP)
        rows = _drawn(torch.cat([shares[None], shares + torch.diag(away)]))
        change, rest = (rows[1:] - rows[0]) / away[:, None], wanted - rows[0]
        best = float(rest.square().sum())
        square = change @ change.T
        for _ in range(6):
            damped = square + damping * square.diagonal().mean() * torch.eye(len(shares))
            step = torch.linalg.solve(damped, change @ rest)
            tried = (shares + step).clamp(0, 1)
            if float((wanted - _drawn(tried[None])[0]).square().sum()) < best:
                shares, damping = tried, damping / 4
                break
            damping *= 8
        else:
            break
    return shares
