"""Measure how one picture is shifted, zoomed and rotated relative to another."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from .pictures import reduced_by

LEVELS = (16, 32, 64)  # pixels of the shorter side, coarse to fine
STEPS = 12  # of Gauss-Newton on a level
TRIED = 4  # starts of the grid that are refined
SMALLEST = 12  # pixels of a side: in fewer no motion can be measured
ALIKE = 0.1  # pictures that differ less (in standard deviations) have not moved
EXPLAINED = 0.7  # a motion must leave at most this share of the difference
CORRELATED = 0.6  # and a correlation of at least this
OVERLAP = 0.35  # share of the picture that must be inside both
# Larger motions, beyond the grid of starts, are chance matches: shift, logarithm of zoom, radians.
FARTHEST = np.array([0.25, 0.25, 0.35, 0.5])


@dataclass(frozen=True)
class Motion:
    """A similarity transformation about the centre of the picture.

    Attributes:
        shift_x, shift_y: right and down, as shares of the longer side.
        zoom: factor on sizes, above 1 where things get larger.
        rotation: degrees, clockwise.
    """

    shift_x: float = 0.0
    shift_y: float = 0.0
    zoom: float = 1.0
    rotation: float = 0.0


def register(before: np.ndarray, after: np.ndarray) -> Motion | None:
    """Find the motion from ``before`` to ``after``, float ``[h, w]`` pictures of lightness, of one size.

    Coarse to fine Gauss-Newton on pictures brought to mean 0 and deviation 1 (Lucas and Kanade 1981, with
    brightness and contrast left free), from a grid of starts.

    Returns:
        None where no such motion explains the difference; ``Motion()`` where there is none to explain.
    """
    if min(before.shape) < SMALLEST or before.std() < 1e-3 or after.std() < 1e-3:
        return None
    if _distance(before, after, np.zeros(4)) < ALIKE:
        return Motion()
    factors = [min(before.shape) / size for size in LEVELS if size < 2 * min(before.shape)]
    pyramid = [[reduced_by(one, factor).astype(np.float32) for one in (before, after)] for factor in factors]
    best = _start(*pyramid[0])
    for small, other in pyramid:
        best = _refined(small, other, best)
    small, other = pyramid[-1]
    still, moved = _distance(small, other, np.zeros(4), best), _distance(small, other, best)
    # For deviations of 1 a distance d is a correlation of 1 - d^2 / 2.
    if moved > EXPLAINED * still or 1 - moved**2 / 2 < CORRELATED:
        return None
    if (np.abs(best) > FARTHEST).any():
        return None
    return Motion(float(best[0]), float(best[1]), math.exp(best[2]), math.degrees(best[3]))


@lru_cache(maxsize=8)
def _grid(shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates of pixel centres from the middle, in units of the longer side."""
    high, wide = shape
    y, x = np.mgrid[:high, :wide].astype(np.float64)
    return (x - (wide - 1) / 2) / max(shape), (y - (high - 1) / 2) / max(shape)


def _sampled(picture: np.ndarray, motion: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """``picture`` at the places where points of the other one have moved to (bilinear), and a mask of those inside it.

    Both are ``[..., h, w]`` for motions ``[..., 4]``: many at once take little longer than one.
    """
    from scipy.ndimage import map_coordinates

    x, y = _grid(picture.shape)
    shift_x, shift_y, zoom, angle = np.moveaxis(motion, -1, 0)[..., None, None]
    cos, sin = np.exp(zoom) * np.cos(angle), np.exp(zoom) * np.sin(angle)
    side, (high, wide) = max(picture.shape), picture.shape
    column = (cos * x - sin * y + shift_x) * side + (wide - 1) / 2
    row = (sin * x + cos * y + shift_y) * side + (high - 1) / 2
    inside = (column >= 0) & (column <= wide - 1) & (row >= 0) & (row <= high - 1)
    return map_coordinates(picture, np.stack([row, column]), np.float64, order=1, mode="nearest"), inside


def _standard(values: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Brought to mean 0 and deviation 1 inside, and 0 elsewhere."""
    count = np.maximum(inside.sum(axis=(-2, -1), keepdims=True), 1)
    centred = (values - (values * inside).sum(axis=(-2, -1), keepdims=True) / count) * inside
    deviation = np.sqrt((centred**2).sum(axis=(-2, -1), keepdims=True) / count)
    standard: np.ndarray = centred / np.maximum(deviation, 1e-6)
    return standard


def _distance(before: np.ndarray, after: np.ndarray, motion: np.ndarray, other: np.ndarray | None = None) -> np.ndarray:
    """Root mean square difference after ``motion``, over pixels inside both (also after ``other``)."""
    warped, inside = _sampled(after, motion)
    if other is not None:
        inside &= _sampled(after, other)[1]
    rest = _standard(warped, inside) - _standard(before, inside)
    count = np.maximum(inside.sum(axis=(-2, -1)), 1)
    return np.where(inside.mean(axis=(-2, -1)) < OVERLAP, math.inf, np.sqrt((rest**2).sum(axis=(-2, -1)) / count))


def _start(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """The best of a grid of motions, after the most promising ones have been refined."""
    shifts, zooms, angles = (-0.12, -0.06, 0.0, 0.06, 0.12), (-0.15, 0.0, 0.15), (-0.25, 0.0, 0.25)
    trials = np.array([(x, y, z, a) for x in shifts for y in shifts for z in zooms for a in angles])
    promising = trials[np.argsort(_distance(before, after, trials), kind="stable")[:TRIED]]
    return min((_refined(before, after, trial) for trial in promising), key=lambda m: _distance(before, after, m))


def _refined(before: np.ndarray, after: np.ndarray, motion: np.ndarray) -> np.ndarray:
    damping, best = 1e-3, _distance(before, after, motion)
    step = 0.5 / max(before.shape)
    nudges = np.vstack([np.zeros(4), step * np.eye(4)])
    for _ in range(STEPS):
        warped, (inside, *_) = _sampled(after, motion + nudges)
        if inside.mean() < OVERLAP:
            return motion
        warped = _standard(warped, inside)[:, inside]
        rest = warped[0] - _standard(before, inside)[inside]
        slopes = (warped[1:] - warped[0]) / step
        square = slopes @ slopes.T
        change = np.linalg.solve(square + damping * np.diag(np.diag(square) + 1e-9), -slopes @ rest)
        trial = motion + np.clip(change, -0.15, 0.15)
        distance = _distance(before, after, trial)
        if distance < best:
            done = best - distance < 1e-5
            motion, best, damping = trial, distance, damping / 4
            if done:
                break
        else:
            damping *= 8
            if damping > 1e3:
                break
    return motion
