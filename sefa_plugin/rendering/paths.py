"""Paths through key frames: the position of each, and interpolation between them.

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
    """A path that passes exactly through key frames.

    Args:
        keys: ``[K, ...]``, floats.
        easing: ``linear`` is straight at constant speed; ``sine`` straight, with speed 0 at each key frame;
            ``cubic`` is the cubic spline: no jump in position, velocity or acceleration; ``spherical`` see
            :func:`slerp` (keys ``[K, dim]``).
        loop: ``closed`` leads back to the first key frame; for ``pingpong`` a spline has speed 0 at both ends, so
            that it reverses without a jump; for ``once`` its ends are free (a natural spline).

    Returns:
        A function of the position that gives float64 ``[...]``.

    Raises:
        ValueError: no key frame, or an unknown easing or loop.
    """
    keys = np.asarray(keys, dtype=np.float64)
    if easing not in EASINGS or loop not in PATH_LOOPS or not len(keys):
        raise ValueError(f"easing {easing!r}, loop {loop!r}, {len(keys)} key frames")
    spline = _spline(keys, loop) if easing == "cubic" and len(keys) > 1 else None

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
        if spline is not None:
            return spline(position)
        part = (1 - math.cos(math.pi * part)) / 2 if easing == "sine" else part
        return _straight(first, second, part)

    return at


def _straight(a: np.ndarray, b: np.ndarray, t: float) -> np.ndarray:
    between: np.ndarray = a + (b - a) * t
    return between


def _spline(keys: np.ndarray, loop: str) -> Path:
    from scipy.interpolate import CubicSpline

    if loop == "closed":
        keys = np.concatenate([keys, keys[:1]])
    ends = {"closed": "periodic", "once": "natural", "pingpong": "clamped"}[loop]
    spline: Path = CubicSpline(np.arange(len(keys)), keys, bc_type=ends)
    return spline


def slerp(a: np.ndarray, b: np.ndarray, t: float) -> np.ndarray:
    """Interpolate from ``a`` to ``b`` ``[dim]`` on the arc between them: angle and length both change linearly.

    Shoemake, "Animating rotation with quaternion curves" (1985). Opposite vectors, which no single arc joins, are
    interpolated on a straight line.
    """
    if t in (0, 1):
        return b if t else a
    length_a, length_b = float(np.linalg.norm(a)), float(np.linalg.norm(b))
    if not length_a or not length_b:
        return _straight(a, b, t)
    start, end = a / length_a, b / length_b
    # From chord lengths: an arc cosine is inaccurate for small angles.
    angle = 2 * math.atan2(float(np.linalg.norm(end - start)), float(np.linalg.norm(end + start)))
    if angle < 1e-9 or math.pi - angle < 1e-6:
        return _straight(a, b, t)
    turned: np.ndarray = (math.sin((1 - t) * angle) * start + math.sin(t * angle) * end) / math.sin(angle)
    turned = turned * (length_a + (length_b - length_a) * t)
    return turned
