"""Seeds, distances and edits as they are typed: ``0,4-6``, ``-5,5``, ``coarse:0=+2@4-7``."""

from __future__ import annotations

import math
import re
from typing import NamedTuple

from ..directions.keys import LAYERS, Key, parse_key, parse_numbers

MAX_SEED = 2**32 - 1
MAX_PARTS = 100  # of a calibrated range
MAX_DISTANCE = 1e6  # beyond it, float32 rounding would erase the latent itself


def parse_seeds(text: str) -> list[int]:
    """Read seeds like ``0,1,4-6``.

    Raises:
        ValueError: the text cannot be read, or a seed is not within 0 to 2^32 - 1.
    """
    return parse_numbers(text, "seed", MAX_SEED)


AGAIN = "auto:"  # before a range, in commands that make outputs again


class MeasuredRange(NamedTuple):
    """A range that ``auto`` has measured before: no more accurate than that, so columns need not be at its ends."""

    low: float
    high: float


def parse_distance(text: str) -> tuple[float, float] | MeasuredRange | None:
    """Read ``3`` (from -3 to 3) or ``-5,5``, in units of w along a unit direction; None for ``auto``.

    ``auto:-5,5`` is what ``auto`` has measured before.

    Raises:
        ValueError: the text cannot be read, or the first number is not below the second.
    """
    if str(text).strip() == "auto":
        return None
    again = str(text).startswith(AGAIN)
    parts = str(text)[len(AGAIN) * again :].split(",")
    try:
        numbers = [float(part) for part in parts]
    except ValueError:
        numbers = []
    if len(numbers) not in (1, 2) or not all(math.isfinite(number) for number in numbers):
        raise ValueError(f"distance {text!r:.60}: expected a number like 3, two like -5,5, or auto")
    low, high = (-abs(numbers[0]), abs(numbers[0])) if len(numbers) == 1 else numbers
    if low >= high:
        cure = "the first number must be below the second" if len(numbers) == 2 else "0 leads nowhere"
        raise ValueError(f"distance {text!r:.60}: {cure}")
    if max(abs(low), abs(high)) > MAX_DISTANCE:
        raise ValueError(f"distance {text!r:.60}: at most {MAX_DISTANCE:g} can be used")
    return MeasuredRange(low, high) if again else (low, high)


class TypedEdit(NamedTuple):
    """``coarse:smile=+2@4-7``: layers that are factorised, direction, distance, layers that are edited.

    ``group`` and ``rows`` are ``''`` where nothing is typed. A ``relative`` distance is a factor of the end of the
    calibrated range on its side.
    """

    group: str
    key: Key
    distance: float
    relative: bool
    rows: str


def parse_edit(text: str) -> TypedEdit:
    """Read an edit: ``0=+2.5``, ``smile=-1``, ``coarse:0=2``, ``3=auto``, ``3=-50%``, ``0=2@4-7``.

    Raises:
        ValueError: it cannot be read, or the distance is out of range.
    """
    direction, equals, rest = str(text).rpartition("=")
    distance, at, rows = rest.partition("@")
    if not equals or (at and not rows.strip()):
        raise ValueError(f"edit {text!r:.60}: expected direction=distance, like 0=+2.5 or smile=-1")
    group, key = parse_key(direction)
    match = re.fullmatch(r"\s*([+-]?)(?:auto|(\d+(?:\.\d*)?)\s*%)\s*", distance)
    try:
        number = float(f"{match[1]}{match[2] or 100}") / 100 if match else float(distance)
    except ValueError:
        number = math.nan
    if not abs(number) <= (MAX_PARTS if match else MAX_DISTANCE):  # also true for NaN
        kinds = f"a number like +2.5 (at most {MAX_DISTANCE:g}), auto or 50%"
        raise ValueError(f"edit {text!r:.60}: its distance is {kinds}")
    return TypedEdit(group, key, number, bool(match), rows.strip())


class TypedAxis(NamedTuple):
    """``coarse:smile=-2,3@4-7``: as in :class:`TypedEdit`, with a range, None for ``auto``."""

    group: str
    key: Key
    ends: tuple[float, float] | MeasuredRange | None
    rows: str

    @property
    def measured(self) -> bool:
        """Whether its range is one that ``auto`` measures, or has measured."""
        return self.ends is None or isinstance(self.ends, MeasuredRange)


def parse_axis(text: str) -> TypedAxis:
    """Read a direction with or without a range: ``0``, ``smile=2`` (from -2 to 2), ``coarse:0=-1,3@4-7``.

    Raises:
        ValueError: it cannot be read, or the range is empty.
    """
    direction, equals, rest = str(text).rpartition("=")
    if not equals:
        rows_typed = re.search(rf"@\s*(?:{LAYERS})\Z", rest)
        direction, rest = (rest[: rows_typed.start()], f"auto{rows_typed[0]}") if rows_typed else (rest, "auto")
    distance, at, rows = rest.partition("@")
    if at and not rows.strip():
        raise ValueError(f"direction {text!r:.60}: expected layers after @, like 0=2@4-7")
    return TypedAxis(*parse_key(direction), parse_distance(distance), rows.strip())
