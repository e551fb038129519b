"""Pictures as arrays: convert to RGB, resize, join side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from PIL.Image import Image as PillowImage
    from PIL.PngImagePlugin import PngInfo


SMALL = 256  # pixels of the longer side: smaller pictures are enlarged in clips, unless a scale is given
CANVASES = {"1080p": (1920, 1080), "square": (1080, 1080)}  # width and height
PAPER = (18, 18, 20)  # of a canvas, where there is no picture


@dataclass(frozen=True)
class Size:
    """The size of the pictures of a clip: the one place where it is decided.

    Attributes:
        width: of a whole frame, at most, in pixels; None sets no limit.
        scale: how many times pictures are enlarged; None: as many whole times as bring them to ``SMALL``, unless there
            is no limit of the width either.
        canvas: a key of ``CANVASES``: frames have that size, pictures as large as fit; '' for none.
    """

    width: int | None = 1920
    scale: int | None = 1
    canvas: str = ""

    def of(self, shape: Sequence[int], count: int) -> tuple[int, int, int]:
        """Height and width of each of ``count`` pictures of a shape ``(H, W, ...)``, and how many are in a row."""
        high, wide = shape[:2]
        if self.canvas:
            room, tall = CANVASES[self.canvas]
            factors = [
                min(room / (columns * wide), tall / (-(-count // columns) * high)) for columns in range(1, count + 1)
            ]
            factor = max(factors)
            # Of arrangements that are as good the widest.
            return max(1, int(high * factor)), max(1, int(wide * factor)), count - factors[::-1].index(factor)
        times = self.scale or (1 if self.width is None else -(-SMALL // max(high, wide)))
        high2, wide2 = high * times, wide * times
        if self.width is not None and wide2 * count > self.width:
            wide2 = max(1, self.width // count)
            high2 = max(1, round(high * wide2 / wide))
        return high2, wide2, count


def side_by_side(pictures: Sequence[np.ndarray], size: Size | None = None) -> np.ndarray:
    """Join pictures of one size in a row, or in rows on a canvas, without gaps.

    They are resized by Lanczos' filter, each on its own, so that neighbours do not blend at their edges.

    Args:
        pictures: uint8 ``[H, W, C]``, C 1 to 4.
        size: that of the result; None: as they are, but at most 1920 pixels wide.

    Returns:
        uint8 RGB ``[H', W', 3]``; every picture equally wide.

    Raises:
        ValueError: as :func:`as_rgb`.
    """
    high, wide, columns = (size or Size()).of(pictures[0].shape, len(pictures))
    colours = [_resized(as_rgb(picture), high, wide) for picture in pictures]
    result = _paper(-(-len(colours) // columns) * high, columns * wide)
    for place, colour in enumerate(colours):
        row, column = divmod(place, columns)
        left = (
            (columns - min(columns, len(colours) - row * columns)) * wide // 2
        )  # a row with fewer stands in the middle
        result[row * high :, left + column * wide :][:high, :wide] = colour
    return result


def on_canvas(frame: np.ndarray, canvas: str) -> np.ndarray:
    """A frame, uint8 RGB ``[H, W, 3]``, in the middle of a canvas of ``CANVASES``; as large as fits."""
    wide, high = CANVASES[canvas]
    factor = min(high / frame.shape[0], wide / frame.shape[1])
    if factor < 1 or factor >= 1.02:  # a row of pixels that is missing is no reason to resample all
        frame = _resized(
            frame, *(max(1, min(most, round(side * factor))) for side, most in zip(frame.shape, (high, wide)))
        )
    result = _paper(high, wide)
    top, left = ((most - side) // 2 for side, most in zip(frame.shape, (high, wide)))
    result[top : top + frame.shape[0], left : left + frame.shape[1]] = frame
    return result


def _paper(high: int, wide: int) -> np.ndarray:
    return np.broadcast_to(np.array(PAPER, np.uint8), (high, wide, 3)).copy()


def _resized(colour: np.ndarray, high: int, wide: int) -> np.ndarray:
    from PIL import Image

    if colour.shape[:2] == (high, wide):
        return colour
    return np.asarray(Image.fromarray(colour).resize((wide, high), 1))  # 1: Lanczos


def stacked(rows: Sequence[np.ndarray], count: int, width: int | None = 1920) -> np.ndarray:
    """Turn rows of pictures into columns, side by side.

    Args:
        rows: uint8 RGB ``[H, W, 3]``, of one size, each ``count`` pictures side by side.
        width: of the result, at most, in pixels; None keeps the size.

    Returns:
        uint8 RGB: a column for each row, a row for each picture.
    """
    wide = rows[0].shape[1] // count
    columns = [np.concatenate([row[:, i * wide : (i + 1) * wide] for i in range(count)]) for row in rows]
    return side_by_side(columns, Size(width))


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
