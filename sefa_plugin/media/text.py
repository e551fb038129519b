"""Text in pictures: captions below frames, titles and labels of sheets."""

from __future__ import annotations

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
PAPER, INK = (18, 18, 20), (235, 235, 232)


def captioned(frame: np.ndarray, *texts: str) -> np.ndarray:
    """Add a strip with texts, each centred below its equal share of the width, cut where it is too long.

    Args:
        frame: uint8 ``[H, W, C]``, C 1 to 4.
        texts: the part after the last ``GAP``, a distance, is cut only when the part before it is gone.

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
    for index, text in enumerate(texts):
        text = _cut(text, font, share - 2)
        pen.text((int(share * index + (share - width_of(font, text)) / 2), size // 4), text, INK, font=font)
    return np.concatenate([as_rgb(frame), np.asarray(strip)])


def signed(distance: float) -> str:
    """A distance for display: ``+1.5``, ``-2``, ``0``."""
    return "0" if distance == 0 else f"{distance:+.3g}"


def _cut(text: str, font: Font, room: float) -> str:
    """The part of a text that fits into ``room`` pixels: first the words are cut, then the distance behind them."""
    words, _, distance = text.rpartition(GAP)
    words, distance = legible(words), legible(distance)
    while words and width_of(font, f"{words} {distance}") > room:
        words = words[:-1].rstrip()
    text = f"{words} {distance}".strip()
    while len(text) > 1 and width_of(font, text) > room:
        text = text[:-1]
    return text
