"""Search the code of a picture, step by step: from the nearest of many samples, one row first and all rows later.

Adam in whitened coordinates (``manifold``), on the loss of ``loss`` and a prior. Several samples are tried for a few
steps, and the best goes on. Of a network that sums pictures up, most steps are taken on its picture of ``PARTIAL``
pixels, and the last ones in full. Everything is a function of the settings: what is stored after a step goes on to the
same result.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from ..rendering.latents import labelled
from .loss import at_height, difference, psnr
from .manifold import Manifold, Samples, codes, pictures_of, synthesised

if TYPE_CHECKING:
    from ..networks.generator import Generator
    from .settings import HowToProject

    Perceptual = Callable[[Tensor, Tensor], Tensor]

PARTIAL = 256  # pixels of the picture of most steps
STARTS = 8  # samples that are tried
TRIAL, FULL = 0.1, 0.125  # steps with each of them, and in full size, for each step of the main descent
RATE, RAMP_UP, RAMP_DOWN = 0.1, 0.05, 0.25  # of Adam, in whitened coordinates; parts of the steps
RELEASED = 0.1  # part of the main descent after which rows of W+ may differ
FAR, APART = 0.002, 0.005  # of the prior: length of the mean row, and distance of the rows from it
NOISE = 0.1  # of the prior of noise maps: correlation of neighbours
CHECKPOINTED = 512  # pixels from which on features are computed again instead of kept


@dataclass(frozen=True)
class Phase:
    """Some steps with one loss.

    Attributes:
        name: ``starts``, ``descent`` or ``full``.
        steps: how many.
        height: of the picture.
        rate: of Adam.
        released: the step from which on rows may differ.
    """

    name: str
    steps: int
    height: int
    rate: float
    released: int


def phases(G: Generator, how: HowToProject, rows: bool) -> tuple[Phase, ...]:
    """The phases of a projection; ``rows`` if each row of ws is searched on its own."""
    full = G.img_resolution
    stops = getattr(G.synthesis, "sums_pictures", False)
    small = min(full, PARTIAL) if stops else full
    never = 10**9
    found = [
        Phase("starts", max(1, round(TRIAL * how.steps)), min(small, PARTIAL // 2), 1.5 * RATE, never),
        Phase("descent", how.steps, small, RATE, int(RELEASED * how.steps) if rows else never),
    ]
    if small < full:
        found.append(Phase("full", max(1, round(FULL * how.steps)), full, RATE / 2, 0 if rows else never))
    return tuple(found)


class Descent:
    """A projection on its way.

    Args:
        G: the generator; its weights are not changed.
        manifold: of its codes.
        samples: to begin with.
        target: ``[1, C, H, W]``, -1 to 1.
        how: settings.
        start: ws ``[num_ws, w_dim]`` to begin at as well, from an encoder.
        perceptual: a loss of the user: pictures ``[N, 3, H, W]``, 0 to 1, and targets to ``[N]``.
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
    ) -> None:
        self.G, self.manifold, self.target, self.how = G, manifold, target, how
        self.in_z = how.space == "z" or G.num_ws == 1
        self.phases = phases(G, how, how.space == "w+" and not self.in_z)
        self.total = sum(phase.steps for phase in self.phases)
        self._perceptual = perceptual
        self._targets = {phase.height: at_height(target, phase.height) for phase in self.phases}
        self.phase = self.step_in_phase = self.done = 0
        nearest = samples.z[samples.nearest(target, STARTS)]
        if self.in_z:
            begun = nearest[:, None]
        else:
            begun = manifold.u_of(codes(G, manifold.label, nearest)[:, :1])
            if start is not None:
                begun = torch.cat([manifold.u_of(start[None].mean(dim=1, keepdim=True)), begun[:-1]])
        self._noise = [buffer for name, buffer in G.synthesis.named_buffers() if name.endswith("noise_const")]
        self._begin(begun, torch.zeros(len(begun), G.num_ws, begun.shape[-1], device=begun.device))

    # --- what is searched -------------------------------------------------------------------------

    def _begin(self, common: Tensor, rows: Tensor) -> None:
        """Begin a phase: ``common [N, 1, dim]`` and, of each row, its distance from that."""
        self.common, self.rows = common.detach().clone(), rows.detach().clone()
        self._moments = [torch.zeros_like(part) for part in (self.common, self.common, self.rows, self.rows)]
        self._best, self._best_loss = (self.common.clone(), self.rows.clone()), math.inf

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
            return self._ws(self._best[0] + self._best[1])[0]

    @property
    def is_done(self) -> bool:
        """Whether all steps are taken."""
        return self.phase == len(self.phases)

    # --- steps ------------------------------------------------------------------------------------

    def step(self) -> None:
        """Take one step; with the last one of a phase the best code goes on to the next."""
        phase = self.phases[self.phase]
        losses, gradients = self._gradients(phase, self.common, self.rows, self.step_in_phase >= phase.released)
        self._note(losses)
        self._move(gradients, phase.rate * _ramp(self.step_in_phase / phase.steps))
        self.step_in_phase += 1
        self.done += 1
        if self.step_in_phase == phase.steps:
            self._next_phase(phase)

    def try_step(self, phase: Phase) -> None:
        """Compute a step of a phase, for its time, and do not take it."""
        count = len(self.common) if phase is self.phases[self.phase] else 1
        self._gradients(phase, self.common[:count], self.rows[:count], True)

    def _gradients(
        self, phase: Phase, common: Tensor, rows: Tensor, released: bool
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """The losses ``[N]``, and their gradients for ``common`` and, if released, ``rows``."""
        wanted = [part.detach().requires_grad_(True) for part in ((common, rows) if released else (common,))]
        u = wanted[0] + (wanted[1] if released else rows)
        with less_memory(self.G, phase.height):
            made = at_height(synthesised(self.G, self._ws(u), phase.height), phase.height)
            losses = self._loss(made, phase.height) + self.how.prior * self._prior(u)
            return losses.detach(), torch.autograd.grad(losses.sum(), wanted)

    def _loss(self, made: Tensor, height: int) -> Tensor:
        target = self._targets[height]
        found = difference(made, target)
        if self._perceptual is not None:
            found = found + self._perceptual(_as_seen(made), _as_seen(target).expand(len(made), -1, -1, -1))
        return found

    def _prior(self, u: Tensor) -> Tensor:
        """How far a code is from the network's own ones: ``[N]``."""
        middle = u.mean(dim=1)
        if self.in_z:  # on the sphere that z are drawn near
            return FAR * (middle.square().mean(dim=1) - 1).square()
        return FAR * middle.square().mean(dim=1) + APART * (u - middle[:, None]).square().mean(dim=(1, 2))

    def _note(self, losses: Tensor) -> None:
        least = float(losses.min())
        if least < self._best_loss:
            place = int(losses.argmin())
            self._best_loss = least
            self._best = self.common[place : place + 1].clone(), self.rows[place : place + 1].clone()

    def _move(self, gradients: tuple[Tensor, ...], rate: float) -> None:
        """Adam; rows that are not released yet have no gradient and stay."""
        count = self.step_in_phase + 1
        for place, (part, gradient) in enumerate(zip((self.common, self.rows), gradients)):
            first, second = self._moments[2 * place : 2 * place + 2]
            first.mul_(0.9).add_(gradient, alpha=0.1)
            second.mul_(0.999).addcmul_(gradient, gradient, value=0.001)
            scaled = (second / (1 - 0.999**count)).sqrt_().add_(1e-8)
            part.addcdiv_(first, scaled, value=-rate / (1 - 0.9**count))

    def _next_phase(self, phase: Phase) -> None:
        self.phase += 1
        self.step_in_phase = 0
        if not self.is_done:
            self._begin(*self._best)

    # --- stored -----------------------------------------------------------------------------------

    def state(self) -> dict[str, np.ndarray]:
        """Everything that the next step depends on, as arrays."""
        parts = [self.common, self.rows, *self._moments, *self._best]
        numbers = np.array([self.phase, self.step_in_phase, self.done, self._best_loss], np.float64)
        return {"numbers": numbers, **{f"part{place}": part.cpu().numpy() for place, part in enumerate(parts)}}

    def resume(self, state: dict[str, np.ndarray]) -> None:
        """Go on from a state of equal settings.

        Raises:
            ValueError: it is none.
        """
        try:
            phase, step, done, best = map(float, state["numbers"])
            parts = [torch.from_numpy(np.array(state[f"part{place}"], np.float32)) for place in range(8)]
        except (KeyError, TypeError, ValueError):
            raise ValueError("this is no state of a projection") from None
        fits = all(part.shape[1:] == own.shape[1:] for part, own in zip(parts, [self.common, self.rows] * 4))
        if not fits or not 0 <= phase <= len(self.phases) or not 0 <= done <= self.total:
            raise ValueError("this state is of another projection")
        device = self.common.device
        self.common, self.rows, *moments = (part.to(device) for part in parts)
        self._moments, self._best = moments[:4], (moments[4], moments[5])
        self.phase, self.step_in_phase, self.done, self._best_loss = int(phase), int(step), int(done), best

    # --- shown ------------------------------------------------------------------------------------

    def picture(self, height: int | None = None) -> Tensor:
        """The picture of the best code so far ``[1, C, H, W]``."""
        return pictures_of(self.G, self.ws[None], height)

    def psnr(self) -> float:
        """Of the picture of the phase."""
        height = self.phases[min(self.phase, len(self.phases) - 1)].height
        return float(psnr(at_height(self.picture(height), height), self._targets[height]))


def _as_seen(x: Tensor) -> Tensor:
    """Pictures -1 to 1 as RGB 0 to 1, for losses of others."""
    rgb = x[:, :3] if x.shape[1] >= 3 else x[:, :1].expand(-1, 3, -1, -1)
    return (rgb + 1) / 2


def _ramp(t: float) -> float:
    """The learning rate at a part of the steps: up at once, down along a cosine, as NVIDIA's projector has it."""
    up, down = min(1.0, t / RAMP_UP + 1e-2), min(1.0, (1 - t) / RAMP_DOWN)
    return up * (0.5 - 0.5 * math.cos(math.pi * down))


@contextmanager
def less_memory(G: Generator, height: int) -> Iterator[None]:
    """Compute features of large pictures again for gradients, layer by layer, instead of keeping them."""
    if height < CHECKPOINTED:
        yield
        return
    changed = []
    for module in _layers(G.synthesis):  # type: ignore[arg-type]
        plain = module.forward
        module.forward = partial(_checkpointed, plain)  # type: ignore[method-assign]
        changed.append(module)
    try:
        yield
    finally:
        for module in changed:
            del module.forward


def _checkpointed(plain: Callable[..., object], *args: object, **kwargs: object) -> object:
    if not torch.is_grad_enabled():
        return plain(*args, **kwargs)
    return checkpoint(plain, *args, use_reentrant=False, **kwargs)


def _layers(module: nn.Module) -> list[nn.Module]:
    """The largest parts of a network that are called one after the other."""
    found = []
    for part in module.children():
        found += [part] if type(part).forward is not nn.Module.forward else _layers(part)
    return found
