"""The codes that a network draws itself: their mean and spread in W, and pictures of some to begin with.

A code is searched in whitened coordinates u, in which the network's own codes have unit variance in every direction:
w = mean + u S. A step of equal length is then equally likely in all of them, and the length of u says how far a code
is from those that the network was trained on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from ..rendering.latents import labelled
from .loss import at_height, difference

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..generators.frozen import Frozen
    from ..networks.generator import Generator
    from ..rendering.look import Label

CODES = 10_000  # for mean and spread, as NVIDIA's projector has it
SAMPLES = 1000  # pictures to begin with, of a network of up to ``QUICK`` pixels
QUICK, SMALL = 256, 64  # pixels; larger networks draw fewer samples, and samples are compared at the smaller size
NARROW = 1e-2  # of the widest direction of W: narrower ones count as so wide
BATCH = 16


@dataclass(frozen=True)
class Manifold:
    """The network's own codes of one class.

    Attributes:
        label: the class, or a whole label; None for a network without any.
        mean: float32 ``[w_dim]``.
        spread: float32 ``[w_dim, w_dim]``, from whitened coordinates to w.
        whiten: its inverse.
        z_seed: of the z that they were drawn from.
    """

    label: Label
    mean: Tensor
    spread: Tensor
    whiten: Tensor

    @classmethod
    def of(cls, G: Generator, label: Label, seed: int) -> Manifold:
        """Draw codes of a class, and measure them."""
        device = device_of(G)
        w = codes(G, label, drawn(G, seed, CODES).to(device))[:, 0].cpu().double()
        mean = w.mean(dim=0)
        values, vectors = torch.linalg.eigh(torch.from_numpy(np.cov((w - mean).numpy().T)).reshape(len(mean), -1))
        values = values.clamp(min=float(values.max()) * NARROW**2 + 1e-20)
        parts = (mean, (vectors * values.sqrt()).T, vectors / values.sqrt())
        return cls(label, *(part.float().contiguous().to(device) for part in parts))

    def w_of(self, u: Tensor) -> Tensor:
        """Whitened coordinates ``[..., w_dim]`` to w."""
        return self.mean + u @ self.spread

    def u_of(self, w: Tensor) -> Tensor:
        """w ``[..., w_dim]`` to whitened coordinates."""
        return (w - self.mean) @ self.whiten


def device_of(G: Generator) -> torch.device:
    """Where a generator is."""
    return next(iter(G.synthesis.parameters())).device


def drawn(G: Generator, seed: int, count: int) -> Tensor:
    """``z [count, z_dim]`` of one seed."""
    return torch.from_numpy(np.random.RandomState(seed).randn(count, G.z_dim)).float()


def codes(G: Generator, label: Label, z: Tensor) -> Tensor:
    """ws ``[N, num_ws, w_dim]`` of latents and a class, without truncation."""
    with torch.no_grad():
        made = [G.mapping(part, _labels(G, label, part)) for part in torch.split(z, 1000)]
    return torch.cat(made)


def _labels(G: Generator, label: Label, z: Tensor) -> Tensor | None:
    held = labelled(label, G.c_dim, len(z))
    return None if held is None else held.to(z.device)


@dataclass(frozen=True)
class Samples:
    """Pictures of the network's own codes.

    Attributes:
        z: ``[N, z_dim]``.
        classes: of each, [] for a network without classes.
        pictures: ``[N, C, h, w]``, at most ``SMALL`` pixels high.
    """

    z: Tensor
    classes: list[int]
    pictures: Tensor

    @classmethod
    def of(
        cls, G: Generator, label: Label, seed: int, count: int, advance: Callable[[int], None] = lambda done: None
    ) -> Samples:
        """Draw samples of a class, or, of a conditional network without one, of any."""
        device = device_of(G)
        z = drawn(G, seed, count).to(device)
        rng = np.random.RandomState(seed)
        classes = rng.randint(G.c_dim, size=count).tolist() if G.c_dim and label is None else []
        made = []
        for first in range(0, count, BATCH):
            part = slice(first, first + BATCH)
            some: list[Label] = list(classes[part]) or [label] * len(z[part])
            ws = torch.cat([codes(G, one, row[None]) for one, row in zip(some, z[part])])
            made.append(at_height(pictures_of(G, ws, SMALL), SMALL))
            advance(len(ws))
        return cls(z, classes, torch.cat(made))

    def of_class(self, label: int) -> Samples:
        """Those of one class."""
        places = [place for place, one in enumerate(self.classes) if one == label]
        return Samples(self.z[places], [], self.pictures[places])

    def nearest(self, target: Tensor, count: int) -> list[int]:
        """The numbers of the samples whose pictures are most like a target ``[1, C, H, W]``, the nearest first."""
        small = at_height(target, self.pictures.shape[-2])
        far = torch.cat([difference(part, small) for part in torch.split(self.pictures, BATCH)])
        found: list[int] = far.argsort()[:count].tolist()
        return found


def pictures_of(G: Generator, ws: Tensor, height: int | None = None) -> Tensor:
    """Pictures of ws without gradients, of ``height`` pixels where the network can stop there."""
    with torch.no_grad():
        return synthesised(G, ws, height)


def synthesised(G: Generator, ws: Tensor, height: int | None = None, frozen: Frozen | None = None) -> Tensor:
    """Pictures of ws ``[N, C, H, W]``, in float32, of ``height`` pixels where the network can stop there.

    ``frozen``: its prepared weights, where gradients are for ws alone.
    """
    less: dict[str, object] = {}
    if frozen is not None and getattr(G.synthesis, "takes_quick", False):
        less["quick"] = frozen
    if height is not None and height < G.img_resolution and getattr(G.synthesis, "sums_pictures", False):
        less["up_to"] = height
    return G.synthesis(ws, noise_mode="const", force_fp32=True, **less)


def usual_samples(G: Generator) -> int:
    """How many samples to begin with: fewer of a large network that has to render each in full."""
    if getattr(G.synthesis, "sums_pictures", False) or G.img_resolution <= QUICK:
        return SAMPLES
    return max(32, SAMPLES * QUICK**2 // G.img_resolution**2)
