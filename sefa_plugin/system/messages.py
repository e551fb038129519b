"""Text in messages: one printable line, whatever names of files and values it holds; durations and number ranges."""

from __future__ import annotations

from collections.abc import Sequence


def shown(text: str, limit: int = 200) -> str:
    """Text of a file made fit for a message: one line, printable ASCII, at most ``limit`` characters."""
    safe = text[: limit + 1].encode("unicode_escape").decode("ascii")
    return safe if len(safe) <= limit else safe[: limit - 3] + "..."


def printable(text: str) -> str:
    """Text with escapes for what a terminal would act on, line breaks included."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def quoted(value: object) -> str:
    """A value of a file in a message: a short scalar as it is, all else by its type.

    Lists may hold each other, and numbers may be of any length: their ``repr`` need not end.
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
    """Text that may hold parts of a stranger's file: one line, and nothing that a terminal would act on."""
    return printable(" ".join(text.split()))


def readable(seconds: float) -> str:
    """A duration in words: ``40 s``, ``3 min``, ``1 h 10 min``."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
