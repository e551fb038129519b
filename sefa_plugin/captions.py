"""A strip of text below a frame."""

from __future__ import annotations

import numpy as np

from .lettering import font_of, legible, width_of
from .pictures import as_rgb

PAPER, INK = (18, 18, 20), (235, 235, 232)


def captioned(frame: np.ndarray, *texts: str) -> np.ndarray:
    """Add a strip with texts, each centred below its equal share of the width, cut where it is too long.

    Args:
        frame: uint8 ``[H, W, C]``, C 1 to 4.

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
    for index, text in enumerate(map(legible, texts)):
        while len(text) > 1 and width_of(font, text) > share - 2:
            text = text[:-1]
        pen.text((int(share * index + (share - width_of(font, text)) / 2), size // 4), text, INK, font=font)
    return np.concatenate([as_rgb(frame), np.asarray(strip)])
