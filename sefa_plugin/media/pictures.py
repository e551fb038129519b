"""Pictures as arrays: convert to RGB, reduce, join side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from PIL.Image import Image as PillowImage
    from PIL.PngImagePlugin import PngInfo


def side_by_side(pictures: Sequence[np.ndarray], max_width: int | None = 1920) -> np.ndarray:
    """Join pictures of one size in a row, without gaps.

    Args:
        pictures: uint8 ``[H, W, C]``, C 1 to 4.
        max_width: reduce so that the row is at most this wide (pixels); None keeps the size.

    Returns:
        uint8 RGB ``[H', W', 3]``; every picture equally wide.

    Raises:
        ValueError: as :func:`as_rgb`.
    """
    from PIL import Image

    (height, width), count = pictures[0].shape[:2], len(pictures)
    colours = [as_rgb(picture) for picture in pictures]
    if max_width is not None and width * count > max_width:
        # One by one, so that neighbours do not blend at their edges.
        wide = max(1, max_width // count)
        high = max(1, round(height * wide / width))
        small = [Image.fromarray(colour).resize((wide, high), 1) for colour in colours]  # 1: Lanczos
        colours = [np.asarray(image) for image in small]
    return np.concatenate(colours, axis=1)


def stacked(rows: Sequence[np.ndarray], count: int, max_width: int | None = 1920) -> np.ndarray:
    """Turn rows of pictures into columns, side by side.

    Args:
        rows: uint8 RGB ``[H, W, 3]``, of one size, each ``count`` pictures side by side.
        max_width: as in :func:`side_by_side`.

    Returns:
        uint8 RGB: a column for each row, a row for each picture.
    """
    wide = rows[0].shape[1] // count
    columns = [np.concatenate([row[:, i * wide : (i + 1) * wide] for i in range(count)]) for row in rows]
    return side_by_side(columns, max_width)


def fit(picture: np.ndarray, longest: int) -> np.ndarray:
    """Reduce uint8 ``[H, W, C]`` to RGB of at most ``longest`` pixels a side; smaller ones keep their size."""
    from PIL import Image

    rgb = as_rgb(picture)
    side = max(rgb.shape[:2])
    if side <= longest:
        return rgb
    high, wide = (max(1, round(length * longest / side)) for length in rgb.shape[:2])
    return np.asarray(Image.fromarray(rgb).resize((wide, high), 1))  # 1: Lanczos


def reduced_by(picture: np.ndarray, factor: float) -> np.ndarray:
    """Floats ``[h, w]`` with sides ``factor`` times shorter, by area; unchanged for a factor of up to 1."""
    from PIL import Image

    if factor <= 1:
        return picture
    size = [max(1, round(side / factor)) for side in picture.shape[::-1]]
    return np.asarray(Image.fromarray(picture.astype(np.float32)).resize(size, 4))  # 4: box


def as_rgb(picture: np.ndarray, background: tuple[int, int, int] = (255, 255, 255)) -> np.ndarray:
    """uint8 ``[H, W, C]`` to RGB: grey is repeated, transparency is laid over a background, white by default.

    Of two channels the first is shown, as grey.

    Raises:
        ValueError: the picture is not uint8 with 1 to 4 channels.
    """
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] not in (1, 2, 3, 4):
        raise ValueError(f"a picture of {picture.dtype} {list(picture.shape)}, expected uint8 [H, W, 1-4]")
    channels = picture.shape[2]
    if channels == 3:
        return picture
    if channels in (1, 2):
        return np.repeat(picture[:, :, :1], 3, axis=2)
    opacity = picture[:, :, 3:].astype(np.float32) / 255
    mixed = picture[:, :, :3] * opacity + np.array(background, np.float32) * (1 - opacity)
    return np.rint(mixed).astype(np.uint8)


def as_image(picture: np.ndarray) -> PillowImage:
    """uint8 ``[H, W, C]`` as a Pillow image, exact; of two channels the first is shown, as grey."""
    from PIL import Image

    return Image.fromarray(picture[..., 0] if picture.shape[2] in (1, 2) else picture)


def png_text(comment: str) -> PngInfo | None:
    """PNG metadata that holds ``comment``; None where there is none."""
    from PIL.PngImagePlugin import PngInfo

    if not comment:
        return None
    info = PngInfo()
    info.add_itxt("Comment", comment.encode("utf-8", "replace").decode("utf-8"))  # file names may be invalid Unicode
    return info
