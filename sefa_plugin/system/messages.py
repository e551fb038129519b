"""Text for messages: printable lines, durations and number ranges; warnings."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence


def warn(text: str) -> None:
    """Issue a Python warning at the line that called into this package."""
    package, level, frame = __name__.partition(".")[0], 1, sys._getframe()
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] == package:
        level, frame = level + 1, frame.f_back
    warnings.warn(text, stacklevel=level)


def shown(text: str, limit: int = 200) -> str:
    """Text as one line of printable ASCII, at most ``limit`` characters."""
    safe = text[: limit + 1].encode("unicode_escape").decode("ascii")
    return safe if len(safe) <= limit else safe[: limit - 3] + "..."


def printable(text: str) -> str:
    """Text with escapes for unprintable characters, line breaks included."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def without_unprintable(text: str) -> str:
    """Text with a question mark for each unprintable character."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def quoted(value: object) -> str:
    """A value from a file, for a message: a short scalar as it is, anything else by its type.

    The ``repr`` of lists that contain each other, and of huge numbers, may take too long.
    """
    if value is None or isinstance(value, (bool, float)) or (isinstance(value, int) and abs(value) < 1 << 64):
        return repr(value)
    return f"'{shown(value, 40)}'" if isinstance(value, str) else f"of type {type(value).__name__}"


def spans(rows: Sequence[int]) -> str:
    """``0-3, 5`` for 0, 1, 2, 3, 5."""
    found: list[list[int]] = []
    for row in sorted(set(rows)):
        if found and row == found[-1][1] + 1:
            found[-1][1] = row
        else:
            found.append([row, row])
    return ", ".join(f"{first}" if first == last else f"{first}-{last}" for first, last in found)


def one_line(text: str) -> str:
    """Text as one line, with escapes for unprintable characters."""
    return printable(" ".join(text.split()))


def readable(seconds: float) -> str:
    """A duration in words: ``40 s``, ``3 min``, ``1 h 10 min``."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
