"""Paths through key frames: when each is reached, and what lies between them.

A path is a function of a position: 0 is the first key frame, 1 the second, 1.5 half-way to the third. Closed paths
of K key frames go on from K - 1 to K, which is the first one again.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from .timelines import PATH_LOOPS

EASINGS = ("linear", "sine", "cubic", "spherical")
Path = Callable[[float], np.ndarray]


def path(keys: np.ndarray, easing: str = "linear", loop: str = "once") -> Path:
    """A path through key frames, each of which it meets exactly.

    Args:
        keys: ``[K, ...]``, floats.
        easing: ``linear`` goes straight and evenly; ``sine`` straight, and rests for a moment at each key frame;
            ``cubic`` is the cubic spline: no jump in position, velocity or acceleration; ``spherical`` see
            :func:`slerp` (keys ``[K, dim]``).
        loop: ``closed`` leads back to the first key frame; for ``pingpong`` a spline comes to rest at both ends, so
            that it turns without a jump; for ``once`` its ends are free (a natural spline).

    Returns:
        A function of the position that gives float64 ``[...]``.

    Raises:
        ValueError: no key frame, or an unknown easing or loop.
    """
    keys = np.asarray(keys, dtype=np.float64)
    if easing not in EASINGS or loop not in PATH_LOOPS or not len(keys):
        raise ValueError(f"easing {easing!r}, loop {loop!r}, {len(keys)} key frames")
    slopes = _slopes(keys, loop) if easing == "cubic" and len(keys) > 1 else None

    def at(position: float) -> np.ndarray:
        start = math.floor(position)
        part = position - start
        here = start % len(keys)
        first: np.ndarray = keys[here]
        if not part or len(keys) == 1:
            return first
        there = (start + 1) % len(keys)
        second: np.ndarray = keys[there]
        if easing == "spherical":
            return slerp(first, second, part)
        if slopes is not None:
            return _hermite(first, second, slopes[here], slopes[there], part)
        part = (1 - math.cos(math.pi * part)) / 2 if easing == "sine" else part
        return _straight(first, second, part)

    return at


def _straight(a: np.ndarray, b: np.ndarray, t: float) -> np.ndarray:
    between: np.ndarray = a + (b - a) * t
    return between


def _hermite(a: np.ndarray, b: np.ndarray, va: np.ndarray, vb: np.ndarray, t: float) -> np.ndarray:
    """The cubic from ``a`` to ``b`` with velocities ``va`` and ``vb`` there."""
    rest = 1 - t
    return rest * rest * ((1 + 2 * t) * a + t * va) + t * t * ((1 + 2 * rest) * b - rest * vb)


def _slopes(keys: np.ndarray, loop: str) -> np.ndarray:
    """Velocities at the key frames that leave no jump in acceleration between them.

    At every inner one ``v[i-1] + 4 v[i] + v[i+1] = 3 (k[i+1] - k[i-1])``.
    """
    if loop == "closed":  # the same at each: diagonal in frequencies
        right = 3 * (np.roll(keys, -1, axis=0) - np.roll(keys, 1, axis=0))
        waves = 4 + 2 * np.cos(2 * np.pi * np.arange(len(keys) // 2 + 1) / len(keys))
        shaped = waves.reshape(-1, *[1] * (keys.ndim - 1))
        return np.fft.irfft(np.fft.rfft(right, axis=0) / shaped, n=len(keys), axis=0)
    right = np.zeros_like(keys)
    right[1:-1] = 3 * (keys[2:] - keys[:-2])
    diagonal, beside = np.full(len(keys), 4.0), 1.0
    if loop == "once":
        right[0], right[-1] = 3 * (keys[1] - keys[0]), 3 * (keys[-1] - keys[-2])
        diagonal[0] = diagonal[-1] = 2
    else:
        diagonal[0] = diagonal[-1] = 1
        beside = 0.0
    # Elimination from the first to the last, and back; `beside` is the ends' entry next to the diagonal.
    upper = np.ones(len(keys))
    upper[0] = beside
    for row in range(1, len(keys)):
        lower = beside if row == len(keys) - 1 else 1.0
        factor = lower / diagonal[row - 1]
        diagonal[row] -= factor * upper[row - 1]
        right[row] -= factor * right[row - 1]
    slopes = right
    slopes[-1] /= diagonal[-1]
    for row in range(len(keys) - 2, -1, -1):
        slopes[row] = (slopes[row] - upper[row] * slopes[row + 1]) / diagonal[row]
    return slopes


def slerp(a: np.ndarray, b: np.ndarray, t: float) -> np.ndarray:
    """From ``a`` to ``b`` ``[dim]`` on the arc between them: the direction turns evenly, the length changes evenly.

    Shoemake, "Animating rotation with quaternion curves" (1985). Opposite directions, between which every arc is as
    good as another, are joined by a straight line.
    """
    if t in (0, 1):
        return b if t else a
    long, wide = float(np.linalg.norm(a)), float(np.linalg.norm(b))
    if not long or not wide:
        return _straight(a, b, t)
    start, end = a / long, b / wide
    # By the chord: arc cosines are blunt for small angles.
    angle = 2 * math.atan2(float(np.linalg.norm(end - start)), float(np.linalg.norm(end + start)))
    if angle < 1e-9 or math.pi - angle < 1e-6:
        return _straight(a, b, t)
    turned: np.ndarray = (math.sin((1 - t) * angle) * start + math.sin(t * angle) * end) / math.sin(angle)
    turned = turned * (long + (wide - long) * t)
    return turned
