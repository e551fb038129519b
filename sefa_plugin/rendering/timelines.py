"""Timelines: the distances, or positions between key frames, of a video or a sheet."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

LOOPS = ("pingpong", "once")
EASINGS = ("linear", "sine")
PATH_LOOPS = (*LOOPS, "closed")  # through key frames
BEYOND = 0.15  # share of a side by which a round number may lie beyond its end


@dataclass(frozen=True)
class Schedule:
    """Distances along a direction over a video.

    Attributes:
        distances: the distinct distances, ascending; each is rendered once.
        order: for every frame the index of its distance.
    """

    distances: tuple[float, ...]
    order: tuple[int, ...]

    @property
    def per_frame(self) -> list[float]:
        """The distance of every frame."""
        return [self.distances[index] for index in self.order]


def spread(low: float, high: float, count: int, easing: str = "linear") -> tuple[float, ...]:
    """``count`` steps from ``low`` to ``high``, both included; the one nearest 0 becomes exactly 0.

    ``linear`` steps are even, ``sine`` ones begin and end slowly. One step is 0 (or the middle, where 0 is
    outside the range); two steps are the ends as they are.
    """
    if count == 1:
        return (0.0,) if low <= 0 <= high else ((low + high) / 2,)
    parts = [index / (count - 1) for index in range(count)]
    if easing == "sine":
        parts = [(1 - math.cos(math.pi * part)) / 2 for part in parts]
    values = [low + (high - low) * part for part in parts]
    values[-1] = high
    if low <= 0 <= high and count > 2:
        values[min(range(count), key=lambda index: abs(values[index]))] = 0.0
    return tuple(values)


def schedule(low: float, high: float, frames: int, loop: str = "pingpong", easing: str = "linear") -> Schedule:
    """Plan a video of exactly ``frames`` frames.

    ``pingpong`` goes low to high and back, so that it loops without a jump (for an odd number the top
    is shown for two frames); ``once`` goes low to high. ``sine`` easing slows down at both ends.

    Raises:
        ValueError: fewer than one frame, or an unknown loop or easing.
    """
    if frames < 1:
        raise ValueError(f"{frames} frames: at least 1 is needed")
    if loop not in LOOPS:
        raise ValueError(f"loop {loop!r}: choose one of {', '.join(LOOPS)}")
    if easing not in EASINGS:
        raise ValueError(f"easing {easing!r}: choose one of {', '.join(EASINGS)}")
    count = frames if loop == "once" or frames == 1 else frames // 2 + 1
    order = list(range(count))
    if loop == "pingpong" and frames > 1:
        back = order[-2:0:-1] if frames % 2 == 0 else order[:0:-1]
        order += back
    return Schedule(spread(low, high, count, easing), tuple(order))


def timeline(frames: int, keys: int, loop: str) -> Schedule:
    """Positions of exactly ``frames`` frames; each key frame is one of them if there are enough frames.

    ``once`` goes from the first key frame to the last, ``pingpong`` there and back, ``closed`` on to the first one.
    Positions are evenly spaced between key frames; stretches differ by at most one frame.

    Raises:
        ValueError: fewer than one frame or key frame, or an unknown loop.
    """
    if frames < 1 or keys < 1:
        raise ValueError(f"{frames} frames through {keys} key frames: at least 1 is needed")
    if loop not in PATH_LOOPS:
        raise ValueError(f"loop {loop!r}: choose one of {', '.join(PATH_LOOPS)}")
    if keys == 1 or frames == 1:
        return Schedule((0.0,), (0,) * frames)
    if loop == "closed":
        return Schedule(_spaced(frames, keys)[:-1], tuple(range(frames)))
    line = schedule(0, 1, frames, loop)
    return Schedule(_spaced(len(line.distances) - 1, keys - 1), line.order)


def _spaced(steps: int, stretches: int) -> tuple[float, ...]:
    """``steps`` + 1 positions from 0 to ``stretches``, with all whole numbers if there are enough steps."""
    if steps < stretches:
        return tuple(step * stretches / steps for step in range(steps + 1))
    starts = [round(stretch * steps / stretches) for stretch in range(stretches + 1)]
    positions = []
    for stretch, (start, end) in enumerate(zip(starts, starts[1:])):
        positions += [stretch + step / (end - start) for step in range(end - start)]
    return (*positions, float(stretches))


def round_steps(low: float, high: float, count: int) -> tuple[float, ...]:
    """Round, evenly spaced numbers from about ``low`` to about ``high``: ``count``, or up to two fewer or one more.

    They are multiples of a number of one digit (or of 25), so that 0 is one of them where the range has it. Of all such
    numbers those that come nearest to both ends; an end of 0 stays.
    """
    power = math.floor(math.log10(max(abs(low), abs(high))))
    best, least = spread(low, high, count), math.inf
    for width in (digit * 10.0**tens for tens in (power - 1, power) for digit in (1.0, 2.0, 2.5, 3.0, 4.0, 5.0)):
        for first, last in product(_near(low, width), _near(high, width)):
            off = (abs(first * width - low) + abs(last * width - high)) / (high - low)
            off += 0.02 * abs(last - first + 1 - count)  # of nearly equal ones, the usual number
            if count - 2 <= last - first + 1 <= count + 1 and off < least:
                best, least = tuple(float(f"{place * width:.9g}") for place in range(first, last + 1)), off
    return best


def _near(end: float, width: float) -> set[int]:
    """How many widths come next to an end, within or not far beyond."""
    within = math.trunc(end / width)
    beyond = within + (1 if end > 0 else -1 if end < 0 else 0)
    return {within, beyond} if abs(beyond * width) <= (1 + BEYOND) * abs(end) else {within}


def pick(steps: Sequence[float], count: int) -> tuple[float, ...]:
    """``count`` of the ascending steps, spaced as evenly as possible, including both ends and 0."""
    low, high = steps[0], steps[-1]
    free = set(range(len(steps)))
    places = []
    for index in range(count):
        wanted = low + (high - low) * index / (count - 1)
        places.append(min(free, key=lambda place: (abs(steps[place] - wanted), place)))
        free.discard(places[-1])
    places.sort()
    places[0], places[-1] = 0, len(steps) - 1
    if 0.0 in steps and steps.index(0.0) not in places:
        zero = steps.index(0.0)
        inner = min(places[1:-1], key=lambda place: abs(place - zero))
        places[places.index(inner)] = zero
    return tuple(steps[place] for place in sorted(places))
