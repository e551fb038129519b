"""How far along a direction a picture has visibly changed: ranges that mean the same for every direction.

*Visible change* is the power mean (exponent 1.5, between the mean absolute and the root mean square) of the
difference of two pictures, 0 to 1, after both are reduced to at most 128 pixels. A range goes, on each side,
to where a handful of seeds have changed by ``TARGET`` on average. A side ends earlier where pictures
*break*: where contrast or fine detail has halved or doubled, or a tenth more of the values are clipped.

Each direction costs four pictures, two on each side, of seeds of their own. Visible change grows a little
less than linearly with the distance, so one look near the target tells where the target is; the first look
is placed by the eigenvalue, since to first order styles move by its square root.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ..media.change import broken, reduced, visible_change
from .frames import FramesError
from .look import Look
from .scene import Scene

TARGET = 0.1  # visible change at the ends of a range
ALIKE = 0.45  # but at most this share of the difference between two seeds, for networks of little contrast
LEAST = 0.015
FIRST = 1.5  # sigmas: the very first look
SEEDS = (0, 1, 2, 3)  # a run shows the first three by default: their unedited pictures serve twice
MORE_SEEDS = tuple(range(8))  # where a picture costs less than the paper it is shown on
SMALL = 64  # pixels
GROWTH = 0.9  # visible change ~ distance ** GROWTH
FAR_OFF = 3.0  # a look further than this factor from the target is repeated
LOOKS = 3
FURTHEST = 20.0  # sigmas; a direction that shows nothing there is left at it
FLAT = 0.05  # of the sigma of directions on the whole: the least that counts as one
STILL = 1e-5  # units of w: what varies less does not, but for rounding
SIDES = 0.03  # variance of that lean among directions, about
ONE_SIDED = 0.25  # a side that breaks before this share of the other is left out
VERSION = 1


@dataclass(frozen=True)
class Range:
    """The calibrated range of one direction.

    Attributes:
        low, high: distances in units of w along the unit direction; ``low <= 0 <= high``, not both 0.
        sigma: standard deviation of w along the direction, in the same units.
        broken: the sides that end where pictures break: ``''``, ``low``, ``high`` or ``both``.
        lesson: what the measurement teaches those after it: the distance of ``TARGET`` on the whole, and the variance
            of the logarithm of visible change among the subjects of a side (0 of a single one).
    """

    low: float
    high: float
    sigma: float
    broken: str = ""
    lesson: tuple[float, float] = (0.0, 0.0)


def seeds_for(G: Any) -> tuple[int, ...]:
    """The seeds to measure a network with: eight of small StyleGAN2 networks, four of all others."""
    small = G.img_resolution <= SMALL and not hasattr(G.synthesis, "input")
    return MORE_SEEDS if small else SEEDS


def settings_of(look: Any, seeds: Sequence[int], projected: str = "") -> str:
    """What a calibration depends on beside network and directions, as text to compare."""
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
    }
    return json.dumps(about, sort_keys=True)


@dataclass
class Calibrator:
    """Measures ranges of directions, each with what the ones before have taught.

    In what order they have is of no concern, down to the last bit: a run that was stopped is to end as if it were not.

    Args:
        scene: a ``Scene`` on the subjects to measure with (any number).
        advance: called with a number of pictures whenever some have been rendered.
        unedited: pictures by label that are there already.
    """

    scene: Any
    advance: Callable[[int], None] = lambda pictures: None
    unedited: Mapping[str, np.ndarray] = field(default_factory=dict)
    _before: list[np.ndarray] = field(default_factory=list)
    _target: float = TARGET
    _sigmas: dict[int, np.ndarray] = field(default_factory=dict)
    _seen: list[tuple[int, float, float]] = field(default_factory=list)  # directions, distance * root, / sigma
    _noise: list[float] = field(default_factory=list)  # variances of log change among the subjects of a side

    @property
    def target(self) -> float:
        """The visible change that ranges of this network go to."""
        self._prepare()
        return self._target

    def measure(self, directions: Any, index: int) -> Range:
        """Calibrate one direction.

        Raises:
            FramesError: pictures are NaN or infinite however near they are.
            ValueError: directions of Z, and ws that have no z.
        """
        self._prepare()
        key, sigma, scale, root = self._about(directions, index)
        guess = self._first_guess(key, root, scale)
        for _ in range(LOOKS):
            at, changes, breaks = self._look(directions, index, guess)
            distance = at * (self._target / max(np.mean(changes), 1e-6)) ** (1 / GROWTH)
            distance = min(distance, FURTHEST * scale)
            if 1 / FAR_OFF < distance / at < FAR_OFF:
                break
            guess = distance
        noise = _noise_of(changes) if len(self._before) > 1 else 0.0
        self._hear_noise(noise)
        distance = min(self._tempered(key, distance * root) / root, FURTHEST * scale)
        self._seen.append((key, distance * root, distance / scale))
        lean = self._lean(changes)
        # Breaking grows between linearly and quadratically; the nearer end is the safer one.
        whole = {sign: min(distance * math.exp(-sign * lean), FURTHEST * scale) for sign in (-1, 1)}
        ends = {sign: min(whole[sign], at / max(b, math.sqrt(max(b, 1e-6)))) for sign, b in breaks.items()}
        sides = [name for sign, name in ((-1, "low"), (1, "high")) if ends[sign] < whole[sign]]
        for sign in (-1, 1):
            if ends[sign] < ONE_SIDED * ends[-sign]:
                ends[sign] = 0.0
        low, high = -_rounded(ends[-1]), _rounded(ends[1])
        return Range(low, high, sigma, "both" if len(sides) == 2 else "".join(sides), (distance, noise))

    def teach(self, directions: Any, index: int) -> None:
        """Let those to come learn from a direction of an earlier run, as if it had been measured now."""
        lesson = directions.lessons[index]
        if lesson is None:  # a file of before
            return
        self._prepare()
        key, _, scale, root = self._about(directions, index)
        distance, noise = lesson
        self._hear_noise(noise)
        self._seen.append((key, distance * root, distance / scale))

    def _about(self, directions: Any, index: int) -> tuple[int, float, float, float]:
        """Which directions these are, and of one of them sigma, scale, and the square root of its eigenvalue."""
        key = id(directions.vectors)
        if key not in self._sigmas:
            self._sigmas[key] = self.scene.spread_along(directions)
        # Equal eigenvalues and a rank below k occur; none may divide by zero.
        root = math.sqrt(max(directions.eigenvalues[index], 1e-9 * abs(directions.eigenvalues[0]), 1e-30))
        return key, float(self._sigmas[key][index]), self._scale(key, index), root

    def _prepare(self) -> None:
        """Render the unedited pictures, once, and settle the target."""
        if self._before:
            return
        labels = self.scene.labels
        missing = [who for who, label in enumerate(labels) if label not in self.unedited]
        held = {**self.unedited, **dict(zip((labels[who] for who in missing), self.scene.portraits(missing)))}
        self.advance(len(missing))
        self._before = [reduced(held[label]) for label in labels]
        pairs = [visible_change(a, b) for i, a in enumerate(self._before) for b in self._before[:i]]
        # Truncation draws seeds together, which must not shrink what counts as visible.
        apart = float(np.mean(pairs)) / min(1.0, max(0.25, abs(self.scene.look.trunc))) if pairs else 0.0
        if apart > LEAST:
            self._target = min(TARGET, max(LEAST, ALIKE * apart))

    def _scale(self, key: int, index: int) -> float:
        """Sigma, which says how far is far; where w hardly varies along a direction, that of directions on the whole.

        Where w never varies at all it is 1, the unit itself.
        """
        sigmas = self._sigmas[key]
        usual = float(np.sqrt(np.mean(np.square(sigmas))))
        return max(float(sigmas[index]), FLAT * usual) if usual > STILL else 1.0

    def _first_guess(self, key: int, root: float, scale: float) -> float:
        same = sorted(scaled for held, scaled, _ in self._seen if held == key)
        if same:
            return math.exp(np.mean(np.log(same))) / root
        others = sorted(sigmas for _, _, sigmas in self._seen)
        return scale * (math.exp(np.mean(np.log(others))) if others else FIRST)

    def _look(self, directions: Any, index: int, guess: float) -> tuple[float, np.ndarray, dict[int, float]]:
        """Render probes at plus and minus ``guess``: distance used, changes, brokenness of each side."""
        places = _places(len(self._before))
        for _ in range(6):
            try:
                shots = self.scene.shots_at(directions, index, [(who, sign * guess) for who, sign in places])
                break
            except FramesError:  # NaN or infinity: far too far
                guess /= 4
        else:
            shots = self.scene.shots_at(directions, index, [(who, sign * guess) for who, sign in places])
        self.advance(len(shots))
        after = [reduced(shot) for shot in shots]
        changes = np.array([visible_change(self._before[who], one) for (who, _), one in zip(places, after)])
        breaks = {
            sign: float(np.mean([broken(self._before[who], one) for (who, s), one in zip(places, after) if s == sign]))
            for sign in (-1, 1)
        }
        return guess, changes, breaks

    def _hear_noise(self, noise: float) -> None:
        if len(self._before) > 1:
            self._noise = sorted([*self._noise, noise])

    def _lean(self, changes: np.ndarray) -> float:
        """How much more, in logarithms of the distance, the high side changes than the low one.

        As on the whole, what may be noise between seeds counts the less the more of it there is.
        """
        high, low = (float(np.log(max(changes[start::2].mean(), 1e-6))) for start in (0, 1))
        noise = float(np.mean(self._noise)) / len(changes) if self._noise else 0.0
        return (high - low) / 2 / GROWTH * SIDES / (SIDES + noise)

    def _tempered(self, key: int, scaled: float) -> float:
        """Draw a noisy result towards the directions before, as far as seeds disagree more than directions do.

        Empirical Bayes on the logarithm of distance x sqrt(eigenvalue).
        """
        logs = [*sorted(math.log(held) for other, held, _ in self._seen if other == key), math.log(scaled)]
        if len(logs) < 4 or not self._noise:
            return scaled
        noise = float(np.mean(self._noise)) / len(self._before)
        real = max(float(np.var(logs, ddof=1)) - noise, 0.01)
        middle = float(np.mean(logs))
        return math.exp(middle + (logs[-1] - middle) * real / (real + noise))


def _noise_of(changes: np.ndarray) -> float:
    logs = np.log(np.maximum(changes, 1e-6))
    return float(np.mean([np.var(logs[start::2], ddof=1) for start in (0, 1)]))


def _places(count: int) -> list[tuple[int, int]]:
    """Subjects and signs of a look, in turn, so that no side rests on one subject alone if there are more."""
    subjects = [place % count for place in range(max(count, len(SEEDS)) // 2 * 2)] if count > 1 else [0, 0]
    return [(who, 1 if place % 2 == 0 else -1) for place, who in enumerate(subjects)]


def _rounded(distance: float) -> float:
    """To two digits: a range is not known better, and is read by people."""
    return float(f"{distance:.2g}")


def calibrate(
    G: Any,
    directions: Any,
    indices: Sequence[int] | None = None,
    *,
    seeds: Sequence[int] | None = None,
    look: Look | None = None,
) -> Any:
    """Measure the ranges of directions; gives ``Directions`` that carry them.

    Args:
        G: a generator of ``load_network``.
        directions: of W or Z.
        indices: which ones; None takes all.
        seeds: to measure with, :func:`seeds_for` by default; more of them are more exact and take longer.
        look: truncation, class and so on.

    Raises:
        FramesError: the network gives NaN or infinite pixels.
        ValueError: the network is conditional and ``look`` names no class.
    """
    look = look or Look()
    seeds = seeds_for(G) if seeds is None else tuple(seeds)
    calibrator = Calibrator(Scene(G, look, seeds))
    for index in range(len(directions)) if indices is None else indices:
        found = calibrator.measure(directions, index)
        directions = directions.with_range(index, found.sigma, found.low, found.high, found.broken, found.lesson)
    return replace(directions, calibration=settings_of(look, seeds))
