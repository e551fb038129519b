"""Search the code of a picture, step by step, from the nearest of many samples.

Adam in whitened coordinates (``manifold``), on the loss of ``loss`` and a prior. Several samples are tried for a few
steps, and the best of them go on. Of a network that sums pictures up, most steps are taken on its picture of
``PARTIAL`` pixels, and the last ones in full. Everything is a function of the settings: what is stored after a step
goes on to the same result.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from ..generators.frozen import Frozen
from ..rendering.latents import labelled
from .loss import at_height, difference, psnr
from .manifold import Manifold, Samples, codes, pictures_of, synthesised

if TYPE_CHECKING:
    from ..networks.generator import Generator
    from .settings import HowToProject

    Perceptual = Callable[[Tensor, Tensor], Tensor]

PARTIAL = 256  # pixels of the picture of most steps
EARLY = 128  # of the picture of the first steps
STARTS, BEST = 16, 4  # samples that are tried, and how many of them go on
FEWER = 4  # times fewer of a large network that renders each in full
TRIAL, SECOND, FULL = 1 / 15, 2 / 15, 1 / 8  # steps with each, and in full size, for each step of the main descent
RATE, RAMP_UP, RAMP_DOWN = 0.1, 0.05, 0.25  # of Adam, in whitened coordinates; parts of the steps
HASTE, FALLS = 1.5, 0.5  # of the first steps: times the rate, and the part of them in which it falls
FAR, APART = 0.002, 0.005  # of the prior: length of the mean row, and distance of the rows from it
CHECKPOINTED = 512  # pixels from which on features are computed again instead of kept


@dataclass(frozen=True)
class Phase:
    """Some steps with one loss.

    Attributes:
        tries: how many codes are searched side by side; the best of them go on to the next phase.
        steps: how many.
        height: of the picture.
        rate: of Adam.
        falls: the part of the steps in which the rate falls to 0.
    """

    tries: int
    steps: int
    height: int
    rate: float
    falls: float


def phases(G: Generator, how: HowToProject) -> tuple[Phase, ...]:
    """The phases of a projection."""
    full = G.img_resolution
    stops = getattr(G.synthesis, "sums_pictures", False)
    small, early = (min(full, size) if stops else full for size in (PARTIAL, EARLY))
    fewer = FEWER if early > PARTIAL else 1

    def steps(part: float) -> int:
        return max(1, round(part * how.steps))

    found = [
        Phase(STARTS // fewer, steps(TRIAL), early, HASTE * RATE, FALLS),
        Phase(BEST // fewer, steps(SECOND), early, RATE, FALLS),
        Phase(1, how.steps, small, RATE, RAMP_DOWN),
    ]
    if small < full:
        found.append(Phase(1, steps(FULL), full, RATE / 2, RAMP_DOWN))
    return tuple(found)


class Descent:
    """A projection on its way.

    Args:
        G: the generator; its weights are not changed.
        manifold: of its codes.
        samples: to begin with.
        target: ``[1, C, H, W]``, -1 to 1.
        how: settings.
        start: whitened ``[1, w_dim]`` to begin at as well, from an encoder.
        perceptual: a loss of the user: pictures ``[N, 3, H, W]``, 0 to 1, and targets to ``[N]``.
        frozen: the generator's prepared weights, if they are there already.
    """

    def __init__(
        self,
        G: Generator,
        manifold: Manifold,
        samples: Samples,
        target: Tensor,
        how: HowToProject,
        start: Tensor | None = None,
        perceptual: Perceptual | None = None,
        frozen: Frozen | None = None,
    ) -> None:
        self._frozen = frozen or Frozen()
        self.G, self.manifold, self.target, self.how = G, manifold, target, how
        self.in_z = how.space == "z" or G.num_ws == 1
        self.rows_differ = how.space == "w+" and not self.in_z
        self.phases = phases(G, how)
        self.total = sum(phase.steps for phase in self.phases)
        self._perceptual = perceptual
        self._targets = {phase.height: at_height(target, phase.height) for phase in self.phases}
        self.phase = self.step_in_phase = self.done = 0
        nearest = samples.z[samples.nearest(target, self.phases[0].tries)]
        if self.in_z:
            begun = nearest[:, None]
        else:
            begun = manifold.u_of(codes(G, manifold.label, nearest)[:, :1])
            if start is not None:
                begun = torch.cat([start[None], begun[:-1]])
        self._begin(begun, begun.new_zeros(len(begun), G.num_ws, begun.shape[-1]))

    # --- what is searched -------------------------------------------------------------------------

    def _begin(self, common: Tensor, rows: Tensor) -> None:
        """Begin a phase: ``common [N, 1, dim]`` and, of each row, its distance from that."""
        self.common, self.rows = common.detach().clone(), rows.detach().clone()
        self._moments = [torch.zeros_like(part) for part in (self.common, self.common, self.rows, self.rows)]
        self._best = self.common.clone(), self.rows.clone()  # of each try
        self._least = self.common.new_full((len(common),), math.inf)

    def _ws(self, u: Tensor) -> Tensor:
        """Whitened coordinates, or z, ``[N, num_ws or 1, dim]``, to ws."""
        if not self.in_z:
            return self.manifold.w_of(u)
        label = labelled(self.manifold.label, self.G.c_dim, len(u))
        return self.G.mapping(u[:, 0], None if label is None else label.to(u.device))

    @property
    def ws(self) -> Tensor:
        """The best ws so far ``[num_ws, w_dim]``."""
        with torch.no_grad():
            place = int(self._least.argmin())
            return self._ws((self._best[0] + self._best[1])[place : place + 1])[0]

    @property
    def is_done(self) -> bool:
        """Whether all steps are taken."""
        return self.phase == len(self.phases)

    # --- steps ------------------------------------------------------------------------------------

    def step(self) -> None:
        """Take one step; with the last one of a phase the best code goes on to the next."""
        phase = self.phases[self.phase]
        losses, gradients = self._gradients(phase, self.common, self.rows)
        self._note(losses)
        self._move(gradients, phase.rate * _ramp(self.step_in_phase / phase.steps, phase.falls))
        self.step_in_phase += 1
        self.done += 1
        if self.step_in_phase == phase.steps:
            self._next_phase()

    def try_step(self, phase: Phase) -> None:
        """Compute a step of a phase, for its time, and do not take it."""
        self._gradients(phase, self.common[: phase.tries], self.rows[: phase.tries])

    def _gradients(self, phase: Phase, common: Tensor, rows: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """The losses ``[N]``, and their gradients for ``common`` and, where these may differ, ``rows``."""
        wanted = [part.detach().requires_grad_(True) for part in ((common, rows) if self.rows_differ else (common,))]
        u = wanted[0] + (wanted[1] if self.rows_differ else rows)
        with less_memory(self.G, phase.height):
            made = at_height(synthesised(self.G, self._ws(u), phase.height, self._frozen), phase.height)
            losses = self._loss(made, phase.height) + self.how.prior * self._prior(u)
            return losses.detach(), torch.autograd.grad(losses.sum(), wanted)

    def _loss(self, made: Tensor, height: int) -> Tensor:
        target = self._targets[height]
        found = difference(made, target)
        if self._perceptual is not None:
            found = found + self._perceptual(as_seen(made), as_seen(target).expand(len(made), -1, -1, -1))
        return found

    def _prior(self, u: Tensor) -> Tensor:
        """How far a code is from the network's own ones: ``[N]``."""
        middle = u.mean(dim=1)
        if self.in_z:  # on the sphere that z are drawn near
            return FAR * (middle.square().mean(dim=1) - 1).square()
        return FAR * middle.square().mean(dim=1) + APART * (u - middle[:, None]).square().mean(dim=(1, 2))

    def _note(self, losses: Tensor) -> None:
        better = losses < self._least
        self._least = torch.where(better, losses, self._least)
        for best, now in zip(self._best, (self.common, self.rows)):
            best[better] = now[better]

    def _move(self, gradients: tuple[Tensor, ...], rate: float) -> None:
        """One step of Adam."""
        count = self.step_in_phase + 1
        for place, (part, gradient) in enumerate(zip((self.common, self.rows), gradients)):
            first, second = self._moments[2 * place : 2 * place + 2]
            first.mul_(0.9).add_(gradient, alpha=0.1)
            second.mul_(0.999).addcmul_(gradient, gradient, value=0.001)
            scaled = (second / (1 - 0.999**count)).sqrt_().add_(1e-8)
            part.addcdiv_(first, scaled, value=-rate / (1 - 0.9**count))

    def _next_phase(self) -> None:
        self.phase += 1
        self.step_in_phase = 0
        if not self.is_done:
            kept = self._least.argsort()[: self.phases[self.phase].tries]
            self._begin(*(best[kept] for best in self._best))

    # --- stored -----------------------------------------------------------------------------------

    def state(self) -> dict[str, np.ndarray]:
        """Everything that the next step depends on, as arrays."""
        parts = [self.common, self.rows, *self._moments, *self._best, self._least]
        numbers = np.array([self.phase, self.step_in_phase, self.done])
        return {"numbers": numbers, **{f"part{place}": part.cpu().numpy() for place, part in enumerate(parts)}}

    def resume(self, state: dict[str, np.ndarray]) -> None:
        """Go on from a state of a projection with the same target, settings and network."""
        parts = [torch.from_numpy(state[f"part{place}"]).to(self.common.device) for place in range(9)]
        self.common, self.rows, *rest = parts
        self._moments, self._best, self._least = rest[:4], (rest[4], rest[5]), rest[6]
        self.phase, self.step_in_phase, self.done = map(int, state["numbers"])

    # --- shown ------------------------------------------------------------------------------------

    def picture(self, height: int | None = None) -> Tensor:
        """The picture of the best code so far ``[1, C, H, W]``."""
        return pictures_of(self.G, self.ws[None], height)

    def psnr(self) -> float:
        """Of the picture of the phase."""
        height = self.phases[min(self.phase, len(self.phases) - 1)].height
        return float(psnr(at_height(self.picture(height), height), self._targets[height]))


def as_seen(x: Tensor) -> Tensor:
    """Pictures -1 to 1 as RGB 0 to 1, for losses of others."""
    rgb = x[:, :3] if x.shape[1] >= 3 else x[:, :1].expand(-1, 3, -1, -1)
    return (rgb + 1) / 2


def _ramp(t: float, falls: float) -> float:
    """The learning rate at a part of the steps: up at once, down along a cosine, as NVIDIA's projector has it."""
    up, down = min(1.0, t / RAMP_UP + 1e-2), min(1.0, (1 - t) / falls)
    return up * (0.5 - 0.5 * math.cos(math.pi * down))


@contextmanager
def less_memory(G: Generator, height: int) -> Iterator[None]:
    """Compute features of large pictures again for gradients, layer by layer, instead of keeping them."""
    if height < CHECKPOINTED:
        yield
        return
    changed = []
    for module in _layers(cast("nn.Module", G.synthesis)):
        plain = module.forward
        module.forward = partial(_checkpointed, plain)
        changed.append(module)
    try:
        yield
    finally:
        for module in changed:
            del module.forward


def _checkpointed(plain: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    if not torch.is_grad_enabled():
        return plain(*args, **kwargs)
    return checkpoint(plain, *args, use_reentrant=False, **kwargs)


def _layers(module: nn.Module) -> list[nn.Module]:
    """The largest parts of a network that are called one after the other."""
    found = []
    for part in module.children():
        found += [part] if type(part).forward is not nn.Module.forward else _layers(part)
    return found
