"""Latents as the toolkits draw them: seeds to z, classes and labels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor


def z_from_seeds(seeds: Sequence[int], z_dim: int) -> Tensor:
    """Latents as the toolkits draw them: float64 ``[N, z_dim]``, one generator per seed."""
    return torch.from_numpy(np.stack([np.random.RandomState(seed).randn(z_dim) for seed in seeds]))


def classes_from_seeds(seeds: Sequence[int], z_dim: int, c_dim: int) -> list[int]:
    """A class for each seed, drawn evenly by the seed's own generator, after its z."""
    classes = []
    for seed in seeds:
        generator = np.random.RandomState(seed)
        generator.randn(z_dim)
        classes.append(int(generator.randint(c_dim)))
    return classes


def one_hot(label: int | None, c_dim: int, count: int) -> Tensor | None:
    """Labels ``[count, c_dim]`` float32; None for networks without labels.

    Raises:
        ValueError: the network needs a label and has none, or it is out of range.
    """
    if c_dim == 0:
        return None
    if label is None:
        raise ValueError(f"this network is conditional: choose a class (label), 0-{c_dim - 1}")
    if not 0 <= label < c_dim:
        raise ValueError(f"class {label}: this network has classes 0-{c_dim - 1}")
    labels = torch.zeros(count, c_dim)
    labels[:, label] = 1
    return labels
