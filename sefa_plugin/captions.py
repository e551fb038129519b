"""A strip of text below a frame, and how distances read in it and on sheets."""

from __future__ import annotations

from typing import Any

import numpy as np

from .lettering import font_of, legible, width_of
from .pictures import as_rgb

GAP = "   "
PAPER, INK = (18, 18, 20), (235, 235, 232)


def captioned(frame: np.ndarray, *texts: str) -> np.ndarray:
    """Add a strip with texts, each centred below its equal share of the width, cut where it is too long.

    Args:
        frame: uint8 ``[H, W, C]``, C 1 to 4.
        texts: what stands after the last ``GAP`` of one, a distance, stays whole for longer than what is before it.

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
    """A distance as people read it: ``+1.5``, ``-2``, ``0``."""
    return "0" if distance == 0 else f"{distance:+.3g}"


def _cut(text: str, font: Any, room: float) -> str:
    """What can be drawn of a text in the room for it: words give way to the distance, then it ends early."""
    words, _, distance = text.rpartition(GAP)
    words, distance = legible(words), legible(distance)
    while words and width_of(font, f"{words} {distance}") > room:
        words = words[:-1].rstrip()
    text = f"{words} {distance}".strip()
    while len(text) > 1 and width_of(font, text) > room:
        text = text[:-1]
    return text
