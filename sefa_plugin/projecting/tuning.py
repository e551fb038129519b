"""Adapt a network to one picture: its weights move a little, so that the projected code draws the picture itself.

Roich et al., "Pivotal Tuning for Latent-based Editing of Real Images" (2022): the code is held, and codes around it
must go on to give the pictures that they gave before. The affine layers that take w are held as well, so the directions
that are found in them stay the same to the bit.
"""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import TYPE_CHECKING, cast

import numpy as np
import torch
from torch import Tensor, nn

from .descent import as_seen, less_memory
from .loss import difference
from .manifold import codes, pictures_of, synthesised

if TYPE_CHECKING:
    from ..networks.generator import LoadedGenerator
    from ..reading.network_record import NetworkRecord
    from .descent import Descent, Perceptual

RATE, RISES = 5e-3, 10  # of Adam, falling to a tenth, and steps in which it rises first
SQUARES, SCALES = 10.0, 0.3  # weights of the squared difference, and of that on several scales
LOCALITY = 0.3  # weight of the pictures around
AROUND = 0.5  # of the way to a sample, where they are looked at
NOISE, ROUGH = 0.1, 1e5  # rate for noise maps, and weight of their correlation, as NVIDIA's projector has it
SMALLEST_NOISE = 8


class Tuning:
    """A network on its way to one picture.

    Args:
        descent: complete.
        perceptual: a loss of the user.
    """

    def __init__(self, descent: Descent, perceptual: Perceptual | None = None) -> None:
        self._descent, self._perceptual = descent, perceptual
        self.total, self.done = descent.how.tune, 0
        self.ws = descent.ws
        self.G = cast("LoadedGenerator", copy.deepcopy(descent.G))
        synthesis = cast("nn.Module", self.G.synthesis)
        styles = {layer.name for layer in self.G.sefa.layers}
        named = synthesis.named_parameters(prefix="synthesis")
        self._weights = [part for name, part in named if name.rpartition(".")[0] not in styles]
        for part in self._weights:
            part.requires_grad_(True)
        buffers = synthesis.named_buffers()
        self._noise = [part for name, part in buffers if name.endswith("noise_const")] if descent.how.noise else []
        for noise in self._noise:
            noise.requires_grad_(True)
        groups = [{"params": self._weights, "lr": RATE}]
        groups += [{"params": self._noise, "lr": NOISE}] if self._noise else []
        self._adam = torch.optim.Adam(groups)
        self._rates = [float(group["lr"]) for group in groups]  # type: ignore[arg-type]
        self._rng = np.random.RandomState(descent.how.seed)

    @property
    def is_done(self) -> bool:
        """Whether all steps are taken."""
        return self.done >= self.total

    def step(self) -> None:
        """Take one step on the weights."""
        descent, height = self._descent, self.G.img_resolution
        share = (1 - 0.9 * self.done / self.total) * min(1.0, (self.done + 1) / RISES)
        for group, rate in zip(self._adam.param_groups, self._rates):
            group["lr"] = rate * share
        self._adam.zero_grad(set_to_none=True)
        around = self._code_around()
        before = pictures_of(descent.G, around)
        with less_memory(self.G, height):
            made = synthesised(self.G, torch.cat([self.ws[None], around]))
            losses = _loss(made, torch.cat([descent.target, before]))
            loss = losses[0] + LOCALITY * losses[1]
            if self._perceptual is not None:
                loss = loss + self._perceptual(as_seen(made[:1]), as_seen(descent.target)).sum()
            (loss + ROUGH * self._roughness()).backward()  # type: ignore[no-untyped-call]
        self._adam.step()
        with torch.no_grad():
            for noise in self._noise:
                noise.sub_(noise.mean()).mul_(noise.square().mean().rsqrt())
        self.done += 1

    def _code_around(self) -> Tensor:
        """A code between the picture's and a random one ``[1, num_ws, w_dim]``."""
        z = torch.from_numpy(self._rng.randn(1, self.G.z_dim)).float().to(self.ws.device)
        return torch.lerp(self.ws[None], codes(self.G, self._descent.manifold.label, z), AROUND)

    def _roughness(self) -> Tensor:
        """The correlation of neighbours in the noise maps, on all scales."""
        total = self.ws.new_zeros(())
        for noise in self._noise:
            x = noise[None, None]
            while True:
                for axis in (2, 3):
                    total = total + (x * x.roll(1, axis)).mean().square()
                if min(x.shape[-2:]) <= SMALLEST_NOISE:
                    break
                x = nn.functional.avg_pool2d(x, 2)
        return total

    def finished(self) -> LoadedGenerator:
        """The network, for inference."""
        for part in [*self._weights, *self._noise]:
            part.requires_grad_(False)
        return self.G


def _loss(made: Tensor, target: Tensor) -> Tensor:
    """``[N]``. Absolute differences alone leave the edges of shapes, where they are large: squares gain the last dB."""
    return SQUARES * (made - target).square().mean(dim=(1, 2, 3)) + SCALES * difference(made, target)


def tuned_record(record: NetworkRecord, G: LoadedGenerator) -> NetworkRecord:
    """The record of a tuned network, to be written; it names the network that it was made from.

    A file of the toolkits keeps its form; of others the weights are written under our generator's names.
    """
    state = cast("nn.Module", G).state_dict()
    tensors = {name: tensor.detach().cpu().numpy() for name, tensor in state.items()}
    parent = record.parent or record.digest()
    if set(record.tensors) == set(tensors):
        return replace(record, tensors=tensors, parent=parent)
    return replace(
        record,
        class_name="state_dict",
        init_args=(),
        init_kwargs={},
        tensors=tensors,
        none_buffers=frozenset(),
        modules={},
        sources={},
        family="state_dict",
        layout="bare",
        parent=parent,
    )
