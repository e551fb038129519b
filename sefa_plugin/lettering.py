"""Text on pictures, with whatever font this Pillow has."""

from __future__ import annotations

from functools import lru_cache
from typing import Any


@lru_cache(maxsize=8)
def font_of(size: int) -> Any:
    """Pillow's own font in about ``size`` pixels."""
    from PIL import ImageFont

    try:
        return ImageFont.load_default(size)
    except (TypeError, ImportError, OSError):  # Pillow before 10.1, or without FreeType, has one size
        return ImageFont.load_default()


def legible(text: str) -> str:
    """Without what the one-size font cannot draw at all; the other shows a box there."""
    return " ".join(text.encode("latin-1", "replace").decode("latin-1").split())


def width_of(font: Any, text: str) -> int:
    """Pixels that a line of text takes."""
    if hasattr(font, "getbbox"):
        return int(font.getbbox(text)[2])
    return int(font.getsize(text)[0])  # Pillow before 9.2


def wrapped(text: str, font: Any, width: int) -> list[str]:
    """Break a line into lines that fit, within a word where that alone is too long."""
    lines: list[str] = []
    for word in text.split():
        if lines and width_of(font, f"{lines[-1]} {word}") <= width:
            lines[-1] += f" {word}"
            continue
        while len(word) > 1 and width_of(font, word) > width:
            fits = max(1, sum(width_of(font, word[: end + 1]) <= width for end in range(len(word))))
            lines.append(word[:fits])
            word = word[fits:]
        lines.append(word)
    return lines
