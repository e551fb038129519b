"""A region of a picture: a rectangle in fractions of its sides, or a mask."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Optional

import numpy as np

SIDE = 64  # cells of a mask, both ways
DIGITS = 4  # of the numbers of a rectangle
ROUNDED = 2 * 10**-DIGITS  # what rounding may add beyond the edge
MEAN = 4  # Pillow's filter: over areas
MASK = "mask:"  # begins the text of one
_EXPECTED = "expected x,y,width,height as parts of the picture, like 0.3,0.6,0.4,0.2, or a picture that is white inside"

if TYPE_CHECKING:
    from .directions import Directions

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Region:
    """A part of every picture of a network.

    Attributes:
        box: left, top, width and height in parts of the picture's sides, 0 to 1; None of a mask.
        mask: the cells of a mask, a bit for each, row by row; b'' of a rectangle.
        name: of the mask's file, without its suffix.

    Raises:
        ValueError: it is empty, is the whole picture, or reaches beyond it.
    """

    box: Optional[Box] = None
    mask: bytes = b""
    name: str = ""

    def __post_init__(self) -> None:
        if self.box is not None:
            left, top, wide, high = box = tuple(round(float(number), DIGITS) for number in self.box)
            object.__setattr__(self, "box", box)
            if max(box) > 1:
                raise ValueError(f"region {self.numbers}: parts of the picture, 0 to 1, are expected, not pixels")
            if min(left, top) < 0 or min(wide, high) <= 0 or max(left + wide, top + high) > 1 + ROUNDED:
                raise ValueError(f"region {self.numbers}: x,y,width,height enclose nothing, or more than the picture")
        inside = self.weights(SIDE, SIDE).mean()
        if not 0 < inside < 1:
            what = "is the whole picture" if inside else "has no white part"
            raise ValueError(f"region {self.name or self.numbers}: {what}; a part of the picture is needed")

    @classmethod
    def of(cls, given: str | os.PathLike[str] | Box | Region) -> Region:
        """Read a region as it is typed: ``0.3,0.6,0.4,0.2``, or the path of a picture that is white inside.

        Raises:
            ValueError: it is neither, or cannot be a region.
        """
        if isinstance(given, Region):
            return given
        if isinstance(given, tuple):
            return cls(given)
        text = os.fspath(given)
        if text.startswith(MASK):
            return cls.parse(text)
        try:
            numbers = tuple(map(float, text.split(",")))
        except ValueError:
            if not Path(text).is_file():
                raise ValueError(f"region {text!r:.60}: {_EXPECTED}; there is no such file") from None
            return cls._of_picture(Path(text))
        if len(numbers) != 4 or not np.isfinite(numbers).all():
            raise ValueError(f"region {text!r:.60}: {_EXPECTED}")
        return cls(numbers)

    @classmethod
    def _of_picture(cls, path: Path) -> Region:
        from PIL import Image

        try:
            with Image.open(path) as picture:
                grey = np.asarray(picture.convert("LA").resize((SIDE, SIDE), MEAN))
        except (OSError, ValueError, Image.DecompressionBombError) as error:
            raise ValueError(f"region {path}: is no picture that can be read ({str(error)[:80]})") from None
        white = grey[..., 0].astype(float) * grey[..., 1] / 255 >= 127.5
        name = re.sub(r"[^A-Za-z0-9]+", "-", path.stem).strip("-")[:20] or "mask"
        return cls(mask=np.packbits(white).tobytes(), name=name)

    @classmethod
    def parse(cls, text: str) -> Region:
        """Read what :meth:`__str__` gives.

        Raises:
            ValueError: it is no such text.
        """
        if not text.startswith(MASK):
            return cls.of(text)
        name, _, cells = text[len(MASK) :].partition(":")
        try:
            bits = zlib.decompressobj().decompress(base64.b64decode(cells, validate=True), SIDE**2)
        except (ValueError, zlib.error):
            bits = b""
        if len(bits) != SIDE**2 // 8 or not re.fullmatch(r"[A-Za-z0-9-]{1,20}", name):
            raise ValueError(f"region {text!r:.40}: the cells of its mask are not whole")
        return cls(mask=bits, name=name)

    def __str__(self) -> str:
        """All of it as text: that of a rectangle can be typed."""
        if self.box is not None:
            return self.numbers
        return f"{MASK}{self.name}:{base64.b64encode(zlib.compress(self.mask, 9)).decode('ascii')}"

    @property
    def numbers(self) -> str:
        """The numbers of a rectangle, as they are typed."""
        return ",".join(f"{number:g}" for number in self.box or ())

    @property
    def label(self) -> str:
        """For labels of directions and names of files: ``0.3_0.6_0.4_0.2``, ``mouth.1f0a3c``."""
        if self.box is not None:
            return self.numbers.replace(",", "_")
        return f"{self.name}.{hashlib.sha256(self.mask).hexdigest()[:6]}"

    @property
    def words(self) -> str:
        """For display."""
        return f"inside {self.numbers}" if self.box is not None else f"inside the mask {self.name}"

    def weights(self, high: int, wide: int) -> np.ndarray:
        """How much of each pixel lies inside, 0 to 1: float32 ``[high, wide]``."""
        if self.box is None:
            from PIL import Image

            bits = np.unpackbits(np.frombuffer(self.mask, np.uint8)).reshape(SIDE, SIDE)
            resized = Image.fromarray(bits.astype(np.float32)).resize((wide, high), MEAN)
            return np.asarray(resized, dtype=np.float32)
        left, top, width, height = self.box
        return np.outer(_covered(top, height, high), _covered(left, width, wide)).astype(np.float32)


def region_of(directions: Directions) -> Region | None:
    """The region of a set of local directions; None of any other set."""
    return Region.parse(directions.region) if directions.region else None


def _covered(start: float, length: float, count: int) -> np.ndarray:
    """How much of each of ``count`` equal parts of 0 to 1 an interval covers."""
    edges = np.arange(count + 1) / count
    covered = np.minimum(edges[1:], start + length) - np.maximum(edges[:-1], start)
    within: np.ndarray = np.clip(covered, 0, None) * count
    return within
