"""Directions and the file that they are kept in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any


@dataclass
class Group:
    """Directions of one group of layers, how they are kept when more is known of them, and in which file."""

    directions: Any
    save: Callable[[Any], None] = lambda directions: None
    path: Path | None = None


def joined(mine: Any, now: Any) -> Any:
    """Directions with the names of their file as it is now, and the ranges of both; of two for one direction, mine."""
    if not mine.same_as(now):
        return mine
    both = mine.adopting(now)
    measured = [index for index, ends in enumerate(mine.ranges) if ends is not None]
    if measured and mine.calibration != both.calibration:
        both = replace(both, ranges=(), broken=(), lessons=(), calibration=mine.calibration)
    lists = {field: list(getattr(both, field)) for field in ("sigmas", "ranges", "broken", "lessons")}
    for index in measured:
        for field, values in lists.items():
            values[index] = getattr(mine, field)[index]
    return replace(both, **{field: tuple(values) for field, values in lists.items()})
