"""Calibrated ranges: the distances along a direction at which pictures have visibly changed by a set amount.

*Visible change* is the power mean (exponent 1.5, between the mean absolute and the root mean square) of the
difference of two pictures, 0 to 1, after both are reduced to at most 128 pixels. A range goes, on each side,
to where a handful of seeds have changed by ``TARGET`` on average: of local directions, inside their region. A side
ends earlier where pictures *break*: where contrast or fine detail has halved or doubled, or a tenth more of the values
are clipped.

Each direction costs four pictures, two on each side, each of another seed. Visible change grows a little less than
linearly with the distance, so that a single probe near the target is enough to compute where the target is. Where the
probe is made is computed from the eigenvalue, since to first order styles change by its square root, and from the
earlier measurements, each of which is a prior for those after it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..directions.region import region_of
from ..media.change import broken, reduced, visible_change
from .edits import edit_of
from .engine import Engine
from .look import Look
from .shards import FramesError, Shard, View

if TYPE_CHECKING:
    from torch import nn

    from ..directions.directions import Directions
    from ..networks.generator import Generator

TARGET = 0.1  # visible change at the ends of a range
ALIKE = 0.45  # the target is at most this share of the difference between two seeds, for networks of low contrast
LEAST = 0.015  # the target is at least this
FIRST = 1.5  # sigmas: the probe of the first direction that is measured
SEEDS = (0, 1, 2, 3)  # a run renders the first three by default, so that their unedited pictures exist already
MORE_SEEDS = tuple(range(8))  # for small networks, whose pictures take little time
SMALL = 64  # pixels
GROWTH = 0.9  # visible change ~ distance ** GROWTH
FAR_OFF = 3.0  # a probe that is off the target by more than this factor is repeated
PROBES = 3  # at most
FURTHEST = 20.0  # sigmas; the largest distance of a range
FLAT = 0.05  # a sigma that is less than this share of the root mean square of all is replaced by that share
CONSTANT = 1e-5  # units of w: if the root mean square of all sigmas is less, w varies by rounding only
SIDES = 0.03  # about the variance among directions of ``Calibrator._asymmetry``
ONE_SIDED = 0.25  # a side that is shorter than this share of the other one is left out
VERSION = 1


@dataclass(frozen=True)
class Range:
    """The calibrated range of one direction.

    Attributes:
        low, high: distances in units of w along the unit direction; ``low <= 0 <= high``, not both 0.
        sigma: standard deviation of w along the direction, in the same units.
        broken: the sides that end where pictures break: ``''``, ``low``, ``high`` or ``both``.
        prior: the part of the measurement that later ones start from: the distance at which both sides together have
            changed by ``TARGET``, and the variance of the logarithm of visible change among the subjects of a side
            (0 for a single one).
    """

    low: float
    high: float
    sigma: float
    broken: str = ""
    prior: tuple[float, float] = (0.0, 0.0)


class _Direction(NamedTuple):
    """The facts of one direction that its measurement uses."""

    group: int  # the id of the array of its group's vectors
    sigma: float  # standard deviation of w along it
    scale: float  # the unit of its distances: sigma, where that is not too small (see FLAT)
    root: float  # square root of its eigenvalue


class _Prior(NamedTuple):
    """The distance of an earlier measurement."""

    group: int  # as of _Direction
    scaled: float  # distance times the square root of the eigenvalue, which is comparable within a group
    sigmas: float  # distance in units of the direction's scale, which is comparable among groups


def seeds_for(resolution: int, stylegan3: bool) -> tuple[int, ...]:
    """The seeds to measure a network with: eight for small networks of other kinds than StyleGAN3, else four."""
    return MORE_SEEDS if resolution <= SMALL and not stylegan3 else SEEDS


def seeds_of(G: Generator) -> tuple[int, ...]:
    """:func:`seeds_for` of a generator."""
    return seeds_for(G.img_resolution, hasattr(G.synthesis, "input"))


def settings_of(look: Look, seeds: Sequence[int], projected: str = "") -> str:
    """What a calibration depends on besides network and directions, as text that can be compared."""
    about = {
        "version": VERSION,
        "target": TARGET,
        "seeds": [] if projected else list(seeds),
        "projected": projected,
        "trunc": look.trunc,
        "trunc_cutoff": look.trunc_cutoff,
        "class": look.label,
        "noise_mode": look.noise_mode,
        "translate": list(look.translate),
        "rotate": look.rotate,
        "camera": [*look.camera, look.fov],
        **({"background": list(look.background)} if look.background else {}),
    }
    return json.dumps(about, sort_keys=True)


@dataclass
class Calibrator:
    """Measures ranges of directions; each measurement starts from the earlier ones.

    The order of the earlier ones does not change a result, bit for bit: a run that is stopped and continued gives the
    same files as one that is not.

    Args:
        view: the subjects to measure with (any number).
        engine: makes their pictures.
        advance: called with a number of pictures whenever some have been rendered.
        unedited: by label, unedited pictures that have been rendered already.
    """

    view: View
    engine: Engine
    advance: Callable[[int], None] = lambda pictures: None
    unedited: Mapping[str, np.ndarray] = field(default_factory=dict)
    _before: list[np.ndarray] = field(default_factory=list)
    _target: float = TARGET
    _sigmas: dict[int, np.ndarray] = field(default_factory=dict)  # by group
    _priors: list[_Prior] = field(default_factory=list)
    _noise: list[float] = field(default_factory=list)  # variances of log change among the subjects of a side

    @property
    def target(self) -> float:
        """The visible change that ranges of this network go to."""
        self._prepare()
        return self._target

    def measure(self, directions: Directions, index: int) -> Range:
        """Calibrate one direction.

        Raises:
            FramesError: pictures are NaN or infinite even at the smallest distances that are tried.
            ValueError: directions of Z, and ws that have no z.
        """
        self._prepare()
        one = self._about(directions, index)
        furthest = FURTHEST * one.scale
        guess = self._first_guess(one)
        for _ in range(PROBES):
            at, changes, breaks = self._probe(directions, index, guess)
            distance = at * (self._target / max(np.mean(changes), 1e-6)) ** (1 / GROWTH)
            distance = min(distance, furthest)
            if 1 / FAR_OFF < distance / at < FAR_OFF:
                break
            guess = distance
        noise = _noise_of(changes) if len(self._before) > 1 else 0.0
        self._add_noise(noise)
        distance = min(self._shrunk(one.group, distance * one.root) / one.root, furthest)
        self._priors.append(_Prior(one.group, distance * one.root, distance / one.scale))
        asymmetry = self._asymmetry(changes)
        # Breaking grows between linearly and quadratically; the nearer of the two ends is taken.
        whole = {sign: min(distance * math.exp(-sign * asymmetry), furthest) for sign in (-1, 1)}
        ends = {sign: min(whole[sign], at / max(b, math.sqrt(max(b, 1e-6)))) for sign, b in breaks.items()}
        sides = [name for sign, name in ((-1, "low"), (1, "high")) if ends[sign] < whole[sign]]
        for sign in (-1, 1):
            if ends[sign] < ONE_SIDED * ends[-sign]:
                ends[sign] = 0.0
        low, high = -_rounded(ends[-1]), _rounded(ends[1])
        return Range(low, high, one.sigma, "both" if len(sides) == 2 else "".join(sides), (distance, noise))

    def add_prior(self, directions: Directions, index: int) -> None:
        """Add the prior of a direction that an earlier run has measured."""
        prior = directions.entries[index].prior
        if prior is None:  # older files have none
            return
        self._prepare()
        one = self._about(directions, index)
        distance, noise = prior
        self._add_noise(noise)
        self._priors.append(_Prior(one.group, distance * one.root, distance / one.scale))

    def _about(self, directions: Directions, index: int) -> _Direction:
        group = id(directions.entries[0].vector)  # later copies of the directions share this array
        if group not in self._sigmas:
            self._sigmas[group] = self.engine.spread(self.view, directions)
        sigmas = self._sigmas[group]
        sigma, usual = float(sigmas[index]), float(np.sqrt(np.mean(np.square(sigmas))))
        scale = max(sigma, FLAT * usual) if usual > CONSTANT else 1.0  # 1: w does not vary along any of them
        # An eigenvalue may be 0, and the root is divided by.
        root = math.sqrt(max(directions.eigenvalues[index], 1e-9 * abs(directions.eigenvalues[0]), 1e-30))
        return _Direction(group, sigma, scale, root)

    def _prepare(self) -> None:
        """Render the unedited pictures, once, and find the target."""
        if self._before:
            return
        labels = self.view.labels
        missing = [who for who, label in enumerate(labels) if label not in self.unedited]
        shots = self._pictures(Shard(tuple((float(who), ()) for who in missing), (), len(missing), len(missing)))
        held = {**self.unedited, **dict(zip((labels[who] for who in missing), shots))}
        self.advance(len(missing))
        self._before = [reduced(held[label]) for label in labels]
        pairs = [visible_change(a, b) for i, a in enumerate(self._before) for b in self._before[:i]]
        # Truncation makes seeds more alike, which must not make the target smaller.
        apart = float(np.mean(pairs)) / min(1.0, max(0.25, abs(self.view.look.trunc))) if pairs else 0.0
        if apart > LEAST:
            self._target = min(TARGET, max(LEAST, ALIKE * apart))

    def _first_guess(self, one: _Direction) -> float:
        same = sorted(prior.scaled for prior in self._priors if prior.group == one.group)
        if same:
            return math.exp(np.mean(np.log(same))) / one.root
        others = sorted(prior.sigmas for prior in self._priors)
        return one.scale * (math.exp(np.mean(np.log(others))) if others else FIRST)

    def _probe(self, directions: Directions, index: int, guess: float) -> tuple[float, np.ndarray, dict[int, float]]:
        """Render pictures at plus and minus ``guess``: the distance used, visible changes, and ``broken`` by side."""
        places, edit = probed(len(self._before)), edit_of(directions, index, 1.0)

        def shots_at(guess: float) -> list[np.ndarray]:
            shots = tuple((float(who), ((0, sign * guess),)) for who, sign in places)
            return self._pictures(Shard(shots, (edit,), len(shots), len(shots)))

        for left in reversed(range(7)):
            try:
                shots = shots_at(guess)
                break
            except FramesError:  # NaN or infinite pixels: the distance is much too large
                if not left:
                    raise
                guess /= 4
        self.advance(len(shots))
        after = [reduced(shot) for shot in shots]
        # Of local directions what counts is the region: it would be changed beyond all likeness otherwise.
        region = region_of(directions)
        weights = None if region is None else region.weights(*after[0].shape[:2])
        changes = np.array([visible_change(self._before[who], one, weights) for (who, _), one in zip(places, after)])
        breaks = {
            sign: float(np.mean([broken(self._before[who], one) for (who, s), one in zip(places, after) if s == sign]))
            for sign in (-1, 1)
        }
        return guess, changes, breaks

    def _pictures(self, shard: Shard) -> list[np.ndarray]:
        return list(self.engine.pictures(self.view, shard)) if len(shard) else []

    def _add_noise(self, noise: float) -> None:
        if len(self._before) > 1:
            self._noise = sorted([*self._noise, noise])

    def _asymmetry(self, changes: np.ndarray) -> float:
        """Half the difference of the sides' visible change, high minus low, as a logarithm of distance.

        Scaled down as in :meth:`_shrunk`, the more the greater the noise between seeds.
        """
        high, low = (float(np.log(max(changes[start::2].mean(), 1e-6))) for start in (0, 1))
        noise = float(np.mean(self._noise)) / len(changes) if self._noise else 0.0
        return (high - low) / 2 / GROWTH * SIDES / (SIDES + noise)

    def _shrunk(self, group: int, scaled: float) -> float:
        """Move a result towards those of earlier directions of the group, the more the greater the noise between seeds.

        Empirical Bayes on the logarithm of distance x sqrt(eigenvalue).
        """
        logs = [*sorted(math.log(prior.scaled) for prior in self._priors if prior.group == group), math.log(scaled)]
        if len(logs) < 4 or not self._noise:
            return scaled
        noise = float(np.mean(self._noise)) / len(self._before)
        real = max(float(np.var(logs, ddof=1)) - noise, 0.01)
        middle = float(np.mean(logs))
        return math.exp(middle + (logs[-1] - middle) * real / (real + noise))


def _noise_of(changes: np.ndarray) -> float:
    logs = np.log(np.maximum(changes, 1e-6))
    return float(np.mean([np.var(logs[start::2], ddof=1) for start in (0, 1)]))


def probed(count: int) -> list[tuple[int, int]]:
    """Subjects and signs of a probe's pictures, in turn, so that each side has several subjects if there are some."""
    subjects = [place % count for place in range(max(count, len(SEEDS)) // 2 * 2)] if count > 1 else [0, 0]
    return [(who, 1 if place % 2 == 0 else -1) for place, who in enumerate(subjects)]


def _rounded(distance: float) -> float:
    """Rounded to two digits, about the accuracy of a range."""
    return float(f"{distance:.2g}")


def calibrate(
    G: Generator | nn.Module,
    directions: Directions,
    indices: Sequence[int] | None = None,
    *,
    seeds: Sequence[int] | None = None,
    look: Look | None = None,
) -> Directions:
    """Measure the ranges of directions; returns the directions with their ranges.

    Args:
        G: a generator of ``load_network``, or any in memory (see ``in_memory.adopt``).
        directions: of W or Z.
        indices: which ones; None takes all.
        seeds: to measure with, :func:`seeds_for` by default; more seeds are more accurate and take longer.
        look: truncation, class and so on.

    Raises:
        FramesError: the network gives NaN or infinite pixels.
        ValueError: the network is conditional and ``look`` names no class.
    """
    from ..networks.in_memory import usable
    from .local import Local

    G, look = usable(G), look or Look()
    seeds = seeds_of(G) if seeds is None else tuple(seeds)
    calibrator = Calibrator(View(look, seeds), Local.of(G))
    for index in range(len(directions)) if indices is None else indices:
        found = calibrator.measure(directions, index)
        directions = directions.with_range(index, found.sigma, found.low, found.high, found.broken, found.prior)
    return replace(directions, calibration=settings_of(look, seeds))
