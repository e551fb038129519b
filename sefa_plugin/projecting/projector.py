"""Projects pictures into one network: its manifold and samples are drawn once, for all of them."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from ..generators.frozen import Frozen
from .descent import Descent
from .manifold import Manifold, Samples, device_of, pictures_of, usual_samples

if TYPE_CHECKING:
    from torch import Tensor

    from ..networks.generator import Generator
    from ..rendering.look import Label
    from .descent import Perceptual
    from .encoder import Encoder
    from .settings import HowToProject

FEW = 64  # pixels up to which one thread is about as fast as all


class Projector:
    """Projects pictures into one network.

    Args:
        G: the generator; float32 is used.
        how: settings, of all pictures.
        perceptual: a loss of the user.
    """

    def __init__(
        self,
        G: Generator,
        how: HowToProject,
        perceptual: Perceptual | None = None,
    ) -> None:
        self.G, self.how, self.perceptual = G, how, perceptual
        self._samples: Samples | None = None
        self._manifolds: dict[Label, Manifold] = {}
        self._encoder: Encoder | None = None
        self._frozen = Frozen()
        self._shape: tuple[int, int, int] | None = None
        self.device = device_of(G)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels of the network's pictures."""
        if self._shape is None:
            ws = torch.zeros(1, self.G.num_ws, self.G.w_dim, device=self.device)
            channels, high, wide = pictures_of(self.G, ws).shape[1:]
            self._shape = high, wide, channels
        return self._shape

    @property
    def samples_to_draw(self) -> int:
        """How many samples the first picture waits for."""
        return 0 if self._samples is not None else usual_samples(self.G)

    def draw(self, advance: Callable[[int], None] = lambda done: None) -> Samples:
        """Draw the samples, once."""
        if self._samples is None:
            self._samples = Samples.of(self.G, self.how.label, self.how.seed, usual_samples(self.G), advance)
        return self._samples

    def manifold(self, label: Label) -> Manifold:
        """The network's codes of a class."""
        if label not in self._manifolds:
            self._manifolds[label] = Manifold.of(self.G, label, self.how.seed)
        return self._manifolds[label]

    def encoder(self, digest: str, advance: Callable[[int], None] = lambda done: None) -> None:
        """Begin with an encoder of this network, which is trained where there is none yet.

        Raises:
            OSError: it cannot be written.
        """
        from . import encoder

        label, channels = self.how.label, self.shape[2]
        path = encoder.place_of(digest, label, self.how.seed)
        self._encoder = encoder.load(path, channels, self.G.w_dim)
        if self._encoder is None:
            self._encoder = encoder.train(self.G, self.manifold(label), channels, self.how.seed, advance)
            encoder.save(path, self._encoder)
        self._encoder.to(self.device)

    def descent(self, target: np.ndarray) -> Descent:
        """The projection of a target, uint8 ``[H, W, C]`` of the network's shape, not begun yet."""
        wanted = as_target(target, self.device)
        samples, label = self.draw(), self.how.label
        if samples.classes:  # of a conditional network without a class: that of the nearest sample
            label = samples.classes[samples.nearest(wanted, 1)[0]]
            samples = samples.of_class(label)
        start = None if self._encoder is None else self._encoder.u_of(wanted)
        how = replace(self.how, label=label)
        return Descent(self.G, self.manifold(label), samples, wanted, how, start, self.perceptual, self._frozen)


def as_target(picture: np.ndarray, device: torch.device | None = None) -> Tensor:
    """uint8 ``[H, W, C]`` to ``[1, C, H, W]``, -1 to 1."""
    return torch.from_numpy(picture.copy()).permute(2, 0, 1)[None].float().to(device) / 127.5 - 1


def use_threads(G: Generator) -> None:
    """Set torch's threads by a rule, never by a clock: an interrupted projection goes on with the same number."""
    if G.img_resolution <= FEW:
        torch.set_num_threads(1)


def seconds_of(descent: Descent) -> float:
    """About how long a projection takes, by a step of each phase."""
    phases = descent.phases[descent.phase :]
    total = 0.0
    for place, phase in enumerate(phases):
        left = phase.steps - (descent.step_in_phase if place == 0 else 0)
        total += left * _seconds(descent, place)
    return total


def _seconds(descent: Descent, place: int) -> float:
    began = time.perf_counter()
    descent.try_step(descent.phases[descent.phase + place])
    return time.perf_counter() - began
