"""Latents as the toolkits draw them: seeds to z, classes and labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from .look import Label, check_label

if TYPE_CHECKING:
    from ..networks.generator import Generator


def z_from_seeds(seeds: Sequence[int], z_dim: int, within: float | None = None) -> Tensor:
    """Latents as the toolkits draw them: float64 ``[N, z_dim]``, one generator per seed.

    ``within``: the bound of a truncated normal distribution, as BigGAN-deep's toolkit has it (see ``drawn_z``).
    """
    drawn = [np.random.RandomState(seed) for seed in seeds]
    if within is None:
        return torch.from_numpy(np.stack([generator.randn(z_dim) for generator in drawn]))
    from scipy.stats import truncnorm

    codes = [truncnorm.rvs(-within, within, size=(1, z_dim), random_state=generator) for generator in drawn]
    return torch.from_numpy(np.concatenate(codes))


def drawn_z(G: Generator, seeds: Sequence[int]) -> Tensor:
    """The latents of seeds for a generator: float64 ``[N, z_dim]``."""
    return z_from_seeds(seeds, G.z_dim, getattr(G, "drawn_within", None))


def classes_from_seeds(seeds: Sequence[int], z_dim: int, c_dim: int) -> list[int]:
    """A class for each seed, drawn evenly by the seed's own generator, after its z."""
    classes = []
    for seed in seeds:
        generator = np.random.RandomState(seed)
        generator.randn(z_dim)
        classes.append(int(generator.randint(c_dim)))
    return classes


def labelled(label: Label, c_dim: int, count: int) -> Tensor | None:
    """Labels ``[count, c_dim]`` float32, each that of a class or a vector; None for networks without labels.

    Raises:
        ValueError: the network needs a label and has none, or it does not fit.
    """
    if c_dim == 0:
        return None
    check_label(label, c_dim)
    if not isinstance(label, int):
        return torch.tensor(label, dtype=torch.float32).expand(count, c_dim)
    labels = torch.zeros(count, c_dim)
    labels[:, label] = 1
    return labels
