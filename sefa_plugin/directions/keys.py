"""Numbers and names of directions as they are typed: ``0,3,7-9,smile``, ``-1``, ``coarse:0``."""

from __future__ import annotations

import re
from typing import Union

from .names import check_name

MAX_SEEDS = 10_000
MAX_DIRECTION = 10**6
Key = Union[int, str]  # the number of a direction (-1 is the weakest), or its name


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


def parse_keys(text: str) -> list[Key]:
    """Read a list of directions as typed: numbers, ranges and names, ``0,3,7-9,smile``.

    Numbers below 0 count from the weakest one, which is -1.

    Raises:
        ValueError: a part is empty, or neither a number nor a possible name.
    """
    keys: list[Key] = []
    for part in map(str.strip, str(text).split(",")):
        if re.match(r"-\s*\d", part) and re.fullmatch(r"[\s\d-]*", part):
            keys += _from_the_end(part)
        elif re.fullmatch(r"[\s\d+-]*", part):
            keys += parse_numbers(part, "direction", MAX_DIRECTION)
        else:
            check_name(part)
            keys.append(part)
    return keys


# At the end of labels of local directions: of a rectangle, or of a mask.
IN_REGION = r"-in-((?:[\d.e-]+[_,]){3}[\d.e-]+|[A-Za-z0-9-]{1,20}\.[0-9a-f]{6})"
# After that: of a direction that marks took apart from another one of its set.
APART = r"-apart-(\d{1,7}-\d{1,7})"
LAYERS = r"all|coarse|middle|fine|input|[\d\s,-]*\d\s*"  # regular expression


def parse_key(text: str) -> tuple[str, Key]:
    """Read one direction with or without its layers, ``3``, ``smile``, ``coarse:0``, ``all-sharp:0``: layers, and key.

    Raises:
        ValueError: there are several, or it is neither a number nor a possible name.
    """
    typed = str(text).strip()
    group = re.match(rf"(z|(?:{LAYERS})(?:-sharp(?:-pictures)?|{IN_REGION})?(?:{APART})?):", typed)
    keys = parse_keys(typed[group.end() :] if group else typed)
    if len(keys) != 1:
        raise ValueError(f"direction {text!r:.60}: one is needed here")
    return "".join(group[1].split()) if group else "", keys[0]


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
