"""Text in pictures: captions below frames, titles and labels of sheets."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from .pictures import as_rgb

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont, ImageFont

    Font = FreeTypeFont | ImageFont


@lru_cache(maxsize=8)
def font_of(size: int) -> Font:
    """Pillow's own font in about ``size`` pixels."""
    from PIL import ImageFont

    try:
        return ImageFont.load_default(size)
    except (TypeError, ImportError, OSError):  # Pillow before 10.1, or without FreeType, has one size
        return ImageFont.load_default()


def legible(text: str) -> str:
    """Text in Latin-1, with ? for other characters, which the fallback font cannot draw."""
    return " ".join(text.encode("latin-1", "replace").decode("latin-1").split())


def width_of(font: Font, text: str) -> int:
    """Pixels that a line of text takes."""
    if hasattr(font, "getbbox"):
        return int(font.getbbox(text)[2])
    return int(font.getsize(text)[0])  # type: ignore[union-attr]  # Pillow before 9.2


def wrapped(text: str, font: Font, width: int) -> list[str]:
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


GAP = "   "
WIDEST = "-00.00"
PAPER, INK = (18, 18, 20), (235, 235, 232)


def captioned(frame: np.ndarray, *texts: str) -> np.ndarray:
    """Add a strip with texts, each below its equal share of the width, cut where it is too long.

    A text alone is centred; where it ends with a distance (after the last ``GAP``) the words begin at the left edge and
    the distance ends at the right one, so that neither moves when its digits change.

    Args:
        frame: uint8 ``[H, W, C]``, C 1 to 4.
        texts: a distance is cut only when the words before it are gone.

    Returns:
        uint8 RGB ``[H + h, W, 3]``; h depends on the width and the number of texts alone.
    """
    from PIL import Image, ImageDraw

    wide = frame.shape[1]
    share = wide / len(texts)
    size = int(max(9, min(22, share / 16)))
    font = font_of(size)
    strip = Image.new("RGB", (wide, 2 * (size * 9 // 10)), PAPER)
    pen = ImageDraw.Draw(strip)
    margin = size / 4
    for index, text in enumerate(texts):
        words, gap, distance = text.rpartition(GAP)
        if not gap:
            words = _cut(distance, font, share - 2 * margin)
            places = [(words, (share - width_of(font, words)) / 2)]
        else:
            distance = _cut(distance, font, share - 2 * margin)
            # Room for the widest distance, so that words are cut at the same letter in all frames.
            room = max(width_of(font, distance), width_of(font, WIDEST)) + size / 2
            places = [(_cut(words, font, share - 2 * margin - room), margin)]
            places.append((distance, share - margin - width_of(font, distance)))
        for part, left in places:
            pen.text((int(share * index + left), size // 4), part, INK, font=font)
    return np.concatenate([as_rgb(frame), np.asarray(strip)])


def signed(distance: float) -> str:
    """A distance for display: ``+1.5``, ``-2``, ``0``."""
    return "0" if distance == 0 else f"{distance:+.3g}"


def in_steps(distance: float, largest: float) -> str:
    """A distance for display beside others of up to ``largest``, all with the same decimals: ``+1.50``, ``-0.25``."""
    decimals = max(0, 2 - math.floor(math.log10(largest))) if largest > 0 else 0
    return f"{distance:+.{min(decimals, 9)}f}"


def _cut(text: str, font: Font, room: float) -> str:
    """The part of a text that fits into ``room`` pixels."""
    text = legible(text)
    while text and width_of(font, text) > room:
        text = text[:-1].rstrip()
    return text
