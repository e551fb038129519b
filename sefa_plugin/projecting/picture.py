"""A picture of any kind as the target of a projection: upright, cropped, of the network's size and channels."""

from __future__ import annotations

import io
import math
import os
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..media.pictures import as_rgb
from ..system.messages import shown
from ..system.regular_files import open_regular, reading
from .settings import Crop

if TYPE_CHECKING:
    from PIL.Image import Image as PillowImage

MOST_PIXELS = 120_000_000  # of a picture
MOST_BYTES = 256 << 20  # of its file
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".jfif", ".ppm")
FINER = 2  # pixels of a turned crop for each one of the target, both ways


class PictureError(Exception):
    """A picture that cannot be used; the message is one line that begins with its name."""


def read_picture(source: str | os.PathLike[str] | bytes, name: str = "") -> np.ndarray:
    """Read a picture, turned upright as its EXIF data says; of an animation the first frame.

    Args:
        source: a path, or the content of a file.
        name: of the picture in messages; the path by default.

    Returns:
        uint8 ``[H, W, 3]``, or ``[H, W, 4]`` where it has transparent parts.

    Raises:
        PictureError: it is missing, broken, too large, or of a format that Pillow does not read.
    """
    name = name or (shown(os.fspath(source), 200) if not isinstance(source, bytes) else "the picture")
    if not isinstance(source, bytes):
        with reading(source, PictureError), open_regular(source) as file:
            source = file.read(MOST_BYTES + 1)
    if len(source) > MOST_BYTES:
        raise PictureError(f"{name}: has over {MOST_BYTES >> 20} MB; save it smaller")
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # on many pixels, which are counted below, and on broken EXIF data
            image: PillowImage = Image.open(io.BytesIO(source))
            if image.width * image.height > MOST_PIXELS:
                raise PictureError(
                    f"{name}: has {image.width} x {image.height} pixels, at most {MOST_PIXELS // 10**6} million can be "
                    "used; save it smaller"
                )
            image.load()
            image = ImageOps.exif_transpose(image) or image
            return _pixels(image)
    except UnidentifiedImageError:
        raise PictureError(f"{name}: is no picture that can be read; save it as JPEG or PNG") from None
    except Image.DecompressionBombError:
        raise PictureError(f"{name}: has too many pixels; save it smaller") from None
    except (OSError, SyntaxError, ValueError, EOFError, OverflowError) as error:
        raise PictureError(f"{name}: is a broken picture ({shown(str(error), 80)})") from None


def _pixels(image: PillowImage) -> np.ndarray:
    """uint8 ``[H, W, 3]`` or, with transparency, ``[H, W, 4]``."""
    if image.mode.startswith(("I", "F")):  # 16 bits, which Pillow would clip to 8
        values = np.asarray(image, np.float64)
        top = max(255.0, float(values.max(initial=0)))
        grey = np.clip(values * (255 / (65535 if 255 < top <= 65535 else top)), 0, 255).astype(np.uint8)
        return np.repeat(grey[:, :, None], 3, axis=2)
    clear = image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info
    pixels = np.asarray(image.convert("RGBA" if clear else "RGB"))
    return pixels[:, :, :3] if clear and int(pixels[:, :, 3].min()) == 255 else pixels


def target_of(
    picture: np.ndarray, crop: Crop, height: int, width: int, channels: int, name: str = "the picture"
) -> np.ndarray:
    """Crop a picture and bring it to the size and channels of a network.

    Args:
        picture: uint8 ``[H, W, 3 or 4]``.
        crop: which part; one of eyes has its points.
        height, width, channels: of the network's pictures.
        name: of the picture in messages.

    Returns:
        uint8 ``[height, width, channels]``.

    Raises:
        PictureError: the part lies outside of the picture, or the network has an unusual number of channels.
    """
    if channels not in (1, 3, 4):
        raise PictureError(f"{name}: this network's pictures have {channels} channels, a photograph has 1, 3 or 4")
    if channels != 4:
        picture = as_rgb(picture)
    corners = _corners(picture.shape[0], picture.shape[1], crop, width / height)
    middle = corners.mean(axis=0)
    if not (0 <= middle[0] <= picture.shape[1] and 0 <= middle[1] <= picture.shape[0]):
        raise PictureError(
            f"{name}: --crop {crop} lies outside of the picture, which has {picture.shape[1]} x {picture.shape[0]} "
            "pixels; numbers are pixels of the upright picture, from its left and its top"
        )
    cut = _cut(picture, corners, height, width)
    if channels == 1:
        return np.rint(cut.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)).astype(np.uint8)[
            :, :, None
        ]
    if channels == 4 and cut.shape[2] == 3:
        return np.concatenate([cut, np.full_like(cut[:, :, :1], 255)], axis=2)
    return cut


def _corners(high: int, wide: int, crop: Crop, aspect: float) -> np.ndarray:
    """The corners of a crop, ``[4, 2]`` x and y: top left, bottom left, bottom right, top right."""
    if crop.kind == "eyes":
        return face_corners(crop.numbers, aspect)
    if crop.kind == "center":
        tall = min(float(high), wide / aspect)
        left, top = (wide - tall * aspect) / 2, (high - tall) / 2
    else:
        left, top, tall = crop.numbers
    right, bottom = left + tall * aspect, top + tall
    return np.array([(left, top), (left, bottom), (right, bottom), (right, top)])


def face_corners(points: Sequence[float], aspect: float = 1.0) -> np.ndarray:
    """The corners of a face's picture as FFHQ has it, from x and y of the two eyes and the mouth.

    Karras et al. (2019), appendix C: the picture is turned as the eyes are, and their distance and that to the mouth
    give its size.

    Returns:
        ``[4, 2]``: top left, bottom left, bottom right, top right.
    """
    first, second, mouth = np.array(points, float).reshape(3, 2)
    eyes, apart = (first + second) / 2, second - first
    below = mouth - eyes
    across = apart + np.array([below[1], -below[0]])  # the line of the eyes, and that square to the face
    across *= max(2.0 * math.hypot(*apart), 1.8 * math.hypot(*below)) / max(math.hypot(*across), 1e-9)
    down = np.array([-across[1], across[0]])
    middle, across = eyes + 0.1 * below, across * aspect
    return np.array([middle - across - down, middle - across + down, middle + across + down, middle + across - down])


def _cut(picture: np.ndarray, corners: np.ndarray, height: int, width: int) -> np.ndarray:
    """The part of a picture within four corners, ``[height, width, C]``; what lies outside of it is mirrored."""
    # Around the part only, and reduced first: a transformation reads a few pixels for each one that it makes.
    size = math.dist(corners[0], corners[1])
    margin = 0.02 * size + 2
    low = np.floor(corners.min(axis=0) - margin).astype(int)
    high = np.ceil(corners.max(axis=0) + margin).astype(int)
    sides = np.array([picture.shape[1], picture.shape[0]])
    inner_low, inner_high = np.clip(low, 0, sides - 1), np.clip(high, 1, sides)
    part = picture[inner_low[1] : inner_high[1], inner_low[0] : inner_high[0]]
    before, after = inner_low - low, high - inner_high
    straight = float(np.abs(corners[0] - corners[1])[0]) < 1e-6
    if straight and not (corners.min(axis=0) < -0.5).any() and not (corners.max(axis=0) > sides + 0.5).any():
        box = np.concatenate([corners[0] - inner_low, corners[2] - inner_low])
        box = np.clip(box, 0, [part.shape[1], part.shape[0]] * 2)
        return _resized(part, (width, height), tuple(map(float, box)))
    factor = max(1, int(size / (FINER * height)))
    if factor > 1:
        part = np.asarray(_image(part).reduce(factor))
    before, after = np.maximum(before // factor, 0), np.maximum(after // factor, 0)
    padded = _mirrored(part, before, after, 0.02 * size / factor)
    origin = inner_low / factor - before
    quad = (corners / factor - origin).ravel()
    made = _image(padded).transform((FINER * width, FINER * height), 3, tuple(map(float, quad)), 2)  # type: ignore[arg-type] # quad, bilinear
    return _resized(np.asarray(made), (width, height), None)


def _mirrored(part: np.ndarray, before: np.ndarray, after: np.ndarray, blur: float) -> np.ndarray:
    """Mirror a picture at its edges, blurred there, so that no second face stands beside the first one."""
    if not before.any() and not after.any():
        return part
    from PIL import ImageFilter

    around = ((int(before[1]), int(after[1])), (int(before[0]), int(after[0])), (0, 0))
    padded = np.pad(part, around, "reflect") if min(part.shape[:2]) > 1 else np.pad(part, around, "edge")
    soft = np.asarray(_image(padded).filter(ImageFilter.GaussianBlur(max(1.0, blur))), np.float32)
    rows, columns = (
        np.maximum(first - np.arange(count), np.arange(count) - (count - 1 - last)).clip(0)
        for count, (first, last) in zip(padded.shape, around[:2])
    )
    share = np.minimum(np.maximum(rows[:, None], columns[None]) / max(3.0, 2 * blur), 1)[:, :, None]
    mixed: np.ndarray = np.rint(padded * (1 - share) + soft * share).astype(np.uint8)
    return mixed


def _image(pixels: np.ndarray) -> PillowImage:
    from PIL import Image

    return Image.fromarray(np.ascontiguousarray(pixels))


def _resized(pixels: np.ndarray, size: tuple[int, int], box: tuple[float, ...] | None) -> np.ndarray:
    return np.asarray(_image(pixels).resize(size, 1, box=box))  # type: ignore[arg-type] # 1: Lanczos
