"""How much two pictures differ, and whether one of them is broken, in numbers."""

from __future__ import annotations

import math

import numpy as np

POWER = 1.5
LONGEST = 128  # pixels of the pictures that are compared
CLIPPED = 0.1


def reduced(picture: np.ndarray) -> np.ndarray:
    """uint8 ``[H, W, C]`` to float32 ``[h, w, C]``, 0 to 1, at most ``LONGEST`` pixels a side."""
    from PIL import Image

    factor = math.ceil(max(picture.shape[:2]) / LONGEST)
    if factor > 1:
        channels = np.moveaxis(picture, 2, 0)
        picture = np.stack([np.asarray(Image.fromarray(channel).reduce(factor)) for channel in channels], axis=2)
    return picture.astype(np.float32) / 255


def visible_change(before: np.ndarray, after: np.ndarray, weights: np.ndarray | None = None) -> float:
    """How much two pictures of :func:`reduced` differ, 0 to 1; with weights ``[h, w]`` of their pixels, if given."""
    powers = np.abs(before - after) ** POWER
    return float(
        (np.mean(powers) if weights is None else np.average(powers.mean(axis=2), weights=weights)) ** (1 / POWER)
    )


def broken(before: np.ndarray, after: np.ndarray) -> float:
    """How far a picture of :func:`reduced` is on its way to being broken: 0 not at all, 1 is broken."""
    (contrast, detail, clipped), (contrast2, detail2, clipped2) = _state(before), _state(after)
    ratios = [math.log2(contrast2 / contrast), math.log2(detail2 / detail)]
    return max(*map(abs, ratios), (clipped2 - clipped) / CLIPPED)


def _state(picture: np.ndarray) -> tuple[float, float, float]:
    """Contrast, fine detail, share of clipped values."""
    grey = picture.mean(axis=2)
    detail = np.abs(np.diff(grey, axis=0)).mean() + np.abs(np.diff(grey, axis=1)).mean() if grey.size > 1 else 0.0
    clipped = np.mean((picture < 1.5 / 255) | (picture > 253.5 / 255))
    return float(grey.std()) + 1e-3, float(detail) + 1e-3, float(clipped)
