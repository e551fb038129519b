"""Pictures as arrays: to RGB, and side by side."""

from __future__ import annotations

import numpy as np


def side_by_side(pictures: list[np.ndarray], max_width: int | None = 1920) -> np.ndarray:
    """Join pictures of one size in a row.

    Args:
        pictures: uint8 ``[H, W, C]``, C 1, 3 or 4.
        max_width: reduce so that the row is at most this wide (pixels); None keeps the size.

    Returns:
        uint8 RGB ``[H', W', 3]``.
    """
    from PIL import Image

    row = np.concatenate([as_rgb(picture) for picture in pictures], axis=1)
    if max_width is None or row.shape[1] <= max_width:
        return row
    count = len(pictures)
    wide = max(1, max_width // count)
    high = max(1, round(row.shape[0] * wide * count / row.shape[1]))
    small = [Image.fromarray(as_rgb(picture)).resize((wide, high), Image.LANCZOS) for picture in pictures]
    return np.concatenate([np.asarray(picture) for picture in small], axis=1)


def as_rgb(picture: np.ndarray) -> np.ndarray:
    """uint8 ``[H, W, C]`` to RGB: grey is repeated, transparency is laid over white.

    Raises:
        ValueError: the picture is not uint8 with 1, 3 or 4 channels. Two channels are shown as grey and nothing.
    """
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] not in (1, 2, 3, 4):
        raise ValueError(f"a picture of {picture.dtype} {list(picture.shape)}, expected uint8 [H, W, 1-4]")
    channels = picture.shape[2]
    if channels == 3:
        return picture
    if channels in (1, 2):
        return np.repeat(picture[:, :, :1], 3, axis=2)
    opacity = picture[:, :, 3:].astype(np.float32) / 255
    mixed = picture[:, :, :3] * opacity + 255 * (1 - opacity)
    return np.rint(mixed).astype(np.uint8)
