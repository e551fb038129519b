"""What a person types: lists of numbers, seeds, distances, names."""

from __future__ import annotations

import math
import re
from typing import NamedTuple

MAX_SEED = 2**32 - 1
MAX_SEEDS = 10_000
MAX_DIRECTION = 10**6
MAX_PARTS = 100  # of a calibrated range
MAX_DISTANCE = 1e6  # further out float32 rounds the latent itself away


def parse_numbers(text: str, what: str, highest: int) -> list[int]:
    """Read a list like ``0,3,7-9``; numbers from 0 to ``highest``, at most ``MAX_SEEDS`` of them.

    Raises:
        ValueError: the text cannot be read or is out of range; the message names ``what``.
    """
    result: list[int] = []
    for part in str(text).split(","):
        match = re.fullmatch(r"\s*(\d{1,20})(?:-(\d{1,20}))?\s*", part)
        if match is None:
            raise ValueError(f"{what} {text!r:.60}: expected numbers like 0,3,7-9")
        first, last = int(match[1]), int(match[2] or match[1])
        if first > last:
            raise ValueError(f"{what} {part.strip()!r:.60}: the range runs backwards")
        if last > highest:
            raise ValueError(f"{what} {last}: out of range, 0-{highest} can be used")
        if len(result) + last - first >= MAX_SEEDS:
            raise ValueError(f"{what} {text!r:.60}: more than {MAX_SEEDS} numbers")
        result.extend(range(first, last + 1))
    return result


def parse_seeds(text: str) -> list[int]:
    """Read seeds like ``0,1,4-6``.

    Raises:
        ValueError: the text cannot be read, or a seed is not within 0 to 2^32 - 1.
    """
    return parse_numbers(text, "seed", MAX_SEED)


def parse_distance(text: str) -> tuple[float, float] | None:
    """Read ``3`` (from -3 to 3) or ``-5,5``, in units of w along a unit direction; None for ``auto``.

    Raises:
        ValueError: the text cannot be read, or the first number is not below the second.
    """
    if str(text).strip() == "auto":
        return None
    parts = str(text).split(",")
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
    return low, high


def parse_keys(text: str) -> list[int | str]:
    """Read what a person types for directions: numbers, ranges and names, ``0,3,7-9,smile``.

    Numbers below 0 count from the weakest one, which is -1.

    Raises:
        ValueError: a part is empty, or neither a number nor a possible name.
    """
    keys: list[int | str] = []
    for part in map(str.strip, str(text).split(",")):
        if re.match(r"-\s*\d", part) and re.fullmatch(r"[\s\d-]*", part):
            keys += _from_the_end(part)
        elif re.fullmatch(r"[\s\d+-]*", part):
            keys += parse_numbers(part, "direction", MAX_DIRECTION)
        else:
            check_name(part)
            keys.append(part)
    return keys


class TypedEdit(NamedTuple):
    """``coarse:smile=+2@4-7``: layers that are factorised, direction, distance, layers that are edited.

    ``group`` and ``rows`` are ``''`` where nothing is typed. A ``relative`` distance is a part of the calibrated range
    on its side.
    """

    group: str
    key: int | str
    distance: float
    relative: bool
    rows: str


_LAYERS = r"all|coarse|middle|fine|input|[\d\s,-]*\d\s*"
_GROUP = rf"(?:(?P<group>z|{_LAYERS}):)?"


def parse_key(text: str) -> tuple[str, int | str]:
    """Read one direction with or without its layers, ``3``, ``-1``, ``smile``, ``coarse:0``: layers, and key.

    Raises:
        ValueError: there are several, or it is neither a number nor a possible name.
    """
    match = re.fullmatch(_GROUP + r"\s*(?P<key>.*)", str(text).strip(), re.DOTALL)
    keys = parse_keys(match["key"])
    if len(keys) != 1:
        raise ValueError(f"direction {text!r:.60}: one is needed here")
    return "".join((match["group"] or "").split()), keys[0]


def parse_edit(text: str) -> TypedEdit:
    """Read an edit: ``0=+2.5``, ``smile=-1``, ``coarse:0=2``, ``3=auto``, ``3=-50%``, ``0=2@4-7``.

    Raises:
        ValueError: it cannot be read, or the distance is out of range.
    """
    key, equals, rest = str(text).rpartition("=")
    distance, at, rows = rest.partition("@")
    if not equals or (at and not rows.strip()):
        raise ValueError(f"edit {text!r:.60}: expected direction=distance, like 0=+2.5 or smile=-1")
    group, key = parse_key(key)
    match = re.fullmatch(r"\s*([+-]?)(?:auto|(\d+(?:\.\d*)?)\s*%)\s*", distance)
    try:
        number = float(f"{match[1]}{match[2] or 100}") / 100 if match else float(distance)
    except ValueError:
        number = math.nan
    if not abs(number) <= (MAX_PARTS if match else MAX_DISTANCE):  # NaN is not
        kinds = f"a number like +2.5 (at most {MAX_DISTANCE:g}), auto or 50%"
        raise ValueError(f"edit {text!r:.60}: its distance is {kinds}")
    return TypedEdit(group, key, number, bool(match), rows.strip())


class TypedAxis(NamedTuple):
    """``coarse:smile=-2,3@4-7``: as in :class:`TypedEdit`, with a range, None for ``auto``."""

    group: str
    key: int | str
    ends: tuple[float, float] | None
    rows: str


def parse_axis(text: str) -> TypedAxis:
    """Read a direction with or without a range: ``0``, ``smile=2`` (from -2 to 2), ``coarse:0=-1,3@4-7``.

    Raises:
        ValueError: it cannot be read, or leads nowhere.
    """
    key, equals, rest = str(text).rpartition("=")
    if not equals:
        match = re.fullmatch(rf"(.*?)(@\s*(?:{_LAYERS}))?", str(text), re.DOTALL)
        key, rest = match[1], f"auto{match[2] or ''}"
    distance, at, rows = rest.partition("@")
    if at and not rows.strip():
        raise ValueError(f"direction {text!r:.60}: expected layers after @, like 0=2@4-7")
    return TypedAxis(*parse_key(key), parse_distance(distance), rows.strip())


def _from_the_end(part: str) -> list[int]:
    """``-1``, or ``-3--1`` for -3, -2, -1."""
    match = re.fullmatch(r"-(\d{1,20})(?:-(-?)(\d{1,20}))?", part)
    if match is None or (match[3] and not match[2]):
        raise ValueError(f"direction {part!r:.60}: expected numbers like -1, or a range like -3--1")
    first, last = -int(match[1]), -int(match[3] or match[1])
    if first > last:
        raise ValueError(f"direction {part!r:.60}: the range runs backwards")
    if -first > MAX_DIRECTION or last - first >= MAX_SEEDS:
        raise ValueError(f"direction {part!r:.60}: out of range")
    return list(range(first, last + 1))


def check_name(name: str) -> None:
    """Check what may be the name of a direction: it must work wherever a number does.

    Raises:
        ValueError: it holds a comma or a line break, looks like a number or a range, or is over 100 letters.
    """
    if "," in name or not name.isprintable():
        raise ValueError(f"the name {name!r:.40} holds a comma or a line break")
    if re.fullmatch(r"[\s\d+-]+", name) or name != name.strip() or len(name) > 100:
        raise ValueError(f"the name {name!r:.40} is a number, begins or ends with a space, or is over 100 letters")
