"""A procedural world of simple faces, each drawn from a known vector of factors.

The factors are what a generator trained on these pictures has to discover, so edits can be judged
against the truth. A few are correlated on purpose, as in real photographs: glasses and grey hair come
more often with wrinkles, and dark skin more often with dark hair.
"""

from __future__ import annotations

import colorsys
import math
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

SIZE = 64  # pixels, both ways
OVERSAMPLE = 4

# name -> (lowest, highest)
FACTORS = {
    "turn": (-1.0, 1.0),  # looks to the viewer's left (-1) or right
    "tilt": (-1.0, 1.0),  # head leans left or right
    "size": (-1.0, 1.0),
    "smile": (-1.0, 1.0),  # corners of the mouth down or up
    "eyes": (0.0, 1.0),  # nearly shut to wide open
    "hair_length": (0.0, 1.0),
    "hair_colour": (0.0, 1.0),  # black, brown, red, blond, grey
    "skin": (0.0, 1.0),  # dark to light
    "wrinkles": (0.0, 1.0),
    "background": (0.0, 1.0),  # hue
    "light": (-1.0, 1.0),  # from the left or from the right
    "glasses": (0.0, 1.0),  # worn from 0.5 on
    "x": (-1.0, 1.0),  # place in the picture
    "y": (-1.0, 1.0),
}
NAMES = tuple(FACTORS)

_HAIR = np.array([(28, 22, 22), (84, 50, 26), (168, 70, 28), (228, 186, 92), (205, 205, 210)], float)
_SKIN = np.array([(92, 56, 36), (156, 104, 70), (214, 160, 122), (250, 214, 186)], float)


USUAL, OTHER = "usual", "other"  # which factors are correlated


def sample_factors(rng: np.random.RandomState, count: int, correlations: str = USUAL) -> np.ndarray:
    """Draw ``[count, len(NAMES)]`` float64 factors, each within its range in ``FACTORS``.

    Args:
        rng: source of the numbers.
        count: how many faces.
        correlations: those of the bundled network's faces, or ``OTHER`` ones: glasses and narrow eyes come more
            often with light from the right, and smiles more often with long hair.
    """
    spans = np.array(list(FACTORS.values()))
    values = rng.uniform(spans[:, 0], spans[:, 1], (count, len(NAMES)))
    at = {name: index for index, name in enumerate(NAMES)}
    if correlations == OTHER:
        right = values[:, at["light"]] > 0
        values[:, at["glasses"]] = rng.uniform(size=count) < np.where(right, 0.6, 0.2)
        eyes, smile = values[:, at["eyes"]], values[:, at["smile"]]
        narrow = right & (rng.uniform(size=count) < 0.5)
        values[:, at["eyes"]] = np.where(narrow, eyes * 0.4, eyes)
        smiling = (values[:, at["hair_length"]] > 0.6) & (rng.uniform(size=count) < 0.7)
        values[:, at["smile"]] = np.where(smiling, 0.2 + 0.4 * (smile + 1), smile)
        return values
    wrinkles = values[:, at["wrinkles"]] = values[:, at["wrinkles"]] ** 1.5  # most faces are young
    worn = rng.uniform(size=count) < 0.2 + 0.6 * wrinkles
    values[:, at["glasses"]] = np.where(worn, 1.0, 0.0)
    colour = values[:, at["hair_colour"]]
    colour = np.where(rng.uniform(size=count) < 0.7 * wrinkles, rng.uniform(0.85, 1.0, count), colour)
    dark = (values[:, at["skin"]] < 0.4) & (rng.uniform(size=count) < 0.7)
    values[:, at["hair_colour"]] = np.where(dark & (colour < 0.85), colour * 0.3, colour)
    return values


def draw(factors: Sequence[float]) -> np.ndarray:
    """Draw one face: uint8 RGB ``[SIZE, SIZE, 3]`` of the factors in the order of ``NAMES``.

    Raises:
        ValueError: the number of factors is wrong.
    """
    if len(factors) != len(NAMES):
        raise ValueError(f"{len(factors)} factors given, a face has {len(NAMES)}")
    return _Face(dict(zip(NAMES, map(float, factors)))).picture()


def faces(seed: int, count: int, correlations: str = USUAL) -> tuple[np.ndarray, np.ndarray]:
    """Draw many: uint8 ``[count, SIZE, SIZE, 3]`` and their factors; equal seeds give equal faces."""
    factors = sample_factors(np.random.RandomState(seed), count, correlations)
    return np.stack([draw(row) for row in factors]), factors


def _mix(palette: np.ndarray, at: float) -> np.ndarray:
    place = min(max(at, 0.0), 1.0) * (len(palette) - 1)
    low = min(int(place), len(palette) - 2)
    return palette[low] + (palette[low + 1] - palette[low]) * (place - low)


def _ink(colour: np.ndarray, factor: float = 1.0) -> tuple[int, int, int]:
    return tuple(int(min(max(channel * factor, 0), 255)) for channel in colour)


class _Face:
    """The drawing of one face, in head coordinates: x right, y down, the head about one unit high."""

    def __init__(self, factors: dict[str, float]) -> None:
        self.f = factors
        side = SIZE * OVERSAMPLE
        self.unit = side * (0.345 + 0.05 * factors["size"])
        self.middle = side * (0.5 + 0.06 * factors["x"]), side * (0.51 + 0.05 * factors["y"])
        angle = 0.30 * factors["tilt"]
        self.cos, self.sin = math.cos(angle), math.sin(angle)
        self.skin = _mix(_SKIN, factors["skin"])
        self.hair = _mix(_HAIR, factors["hair_colour"])
        self.image = Image.new("RGB", (side, side))
        self.pen = ImageDraw.Draw(self.image)

    # --- geometry ---------------------------------------------------------------------------------

    def place(self, x: float, y: float) -> tuple[float, float]:
        return (
            self.middle[0] + self.unit * (self.cos * x - self.sin * y),
            self.middle[1] + self.unit * (self.sin * x + self.cos * y),
        )

    def around(self, x: float, depth: float) -> float:
        """Where a feature goes as the head turns: a point on the front of a ball."""
        return x * math.cos(0.5 * self.f["turn"]) + depth * math.sin(0.5 * self.f["turn"])

    def blob(self, x: float, y: float, wide: float, high: float, colour) -> None:
        steps = np.linspace(0, 2 * math.pi, 40, endpoint=False)
        points = [self.place(x + wide * math.cos(t), y + high * math.sin(t)) for t in steps]
        self.pen.polygon(points, fill=colour)

    def stroke(self, points: list[tuple[float, float]], width: float, colour) -> None:
        placed = [self.place(*point) for point in points]
        self.pen.line(placed, fill=colour, width=max(1, int(width * self.unit)), joint="curve")

    # --- parts ------------------------------------------------------------------------------------

    def picture(self) -> np.ndarray:
        self.ground()
        self.hair_behind()
        self.body()
        self.head()
        self.features()
        self.hair_in_front()
        if self.f["glasses"] >= 0.5:
            self.glasses()
        small = self.image.resize((SIZE, SIZE), Image.BOX)
        return self.lit(np.asarray(small, float))

    def ground(self) -> None:
        side = self.image.size[0]
        top = np.array(colorsys.hsv_to_rgb(self.f["background"] * 0.85, 0.55, 0.88)) * 255
        rows = np.linspace(1.0, 0.72, side)[:, None, None] * top[None, None, :]
        self.image.paste(Image.fromarray(np.broadcast_to(rows, (side, side, 3)).astype(np.uint8)))

    def hair_behind(self) -> None:
        length = self.f["hair_length"]
        if length > 0.15:
            x = self.around(0, -0.25)
            self.blob(x, -0.12, 0.80, 0.86, _ink(self.hair, 0.75))
            self.blob(x, 0.1 + 0.55 * length, 0.62 + 0.14 * length, 0.55 + 0.5 * length, _ink(self.hair, 0.75))

    def body(self) -> None:
        x = self.around(0, -0.1)
        self.blob(x * 0.5, 1.75, 1.05, 0.72, (70, 84, 120))
        self.blob(x * 0.7, 0.92, 0.27, 0.42, _ink(self.skin, 0.8))

    def head(self) -> None:
        for side in (-1, 1):
            self.blob(self.around(side * 0.70, -0.15), 0.05, 0.13, 0.2, _ink(self.skin, 0.86))
        self.blob(self.around(0, 0.0), 0.0, 0.70, 0.92, _ink(self.skin))

    def features(self) -> None:
        for side in (-1, 1):
            self.eye(self.around(side * 0.29, 0.62), side)
        nose = self.around(0, 0.85)
        dark = _ink(self.skin, 0.68)
        self.stroke([(self.around(0, 0.66), 0.0), (nose, 0.2), (nose - 0.07, 0.25)], 0.07, dark)
        self.mouth()
        self.wrinkles()

    def eye(self, x: float, side: int) -> None:
        high = 0.03 + 0.13 * self.f["eyes"]
        self.blob(x, -0.1, 0.165, high, (250, 250, 250))
        self.blob(x + 0.05 * self.f["turn"], -0.1, 0.085, min(high, 0.10), (40, 60, 74))
        self.stroke([(x - 0.17, -0.1 - high), (x, -0.13 - high), (x + 0.17, -0.1 - high)], 0.05, _ink(self.skin, 0.45))
        brow = _ink(self.hair, 0.7)
        self.stroke([(x - 0.18, -0.34), (x, -0.39), (x + 0.18, -0.34)], 0.075, brow)

    def mouth(self) -> None:
        smile = self.f["smile"]
        steps = np.linspace(-1, 1, 13)
        wide = 0.26 + 0.07 * smile
        lower = [(self.around(wide * t, 0.62), 0.52 + 0.20 * smile * (1 - t * t) - 0.07 * smile) for t in steps]
        if smile > 0.25:  # an open smile shows teeth
            upper = [(x, 0.52 - 0.06 * smile) for x, _ in lower]
            self.pen.polygon([self.place(*p) for p in lower + upper[::-1]], fill=(248, 244, 240))
            self.stroke(upper, 0.06, (168, 48, 58))
        self.stroke(lower, 0.10, (168, 48, 58))

    def wrinkles(self) -> None:
        strength = self.f["wrinkles"]
        if strength < 0.12:
            return
        colour = _ink(self.skin, 1 - 0.42 * strength)
        for y in (-0.50, -0.60):
            self.stroke([(self.around(t, 0.6), y + 0.05 * t * t) for t in np.linspace(-0.34, 0.34, 7)], 0.05, colour)
        for side in (-1, 1):
            self.stroke([(self.around(side * 0.22, 0.66), 0.24), (self.around(side * 0.40, 0.58), 0.50)], 0.055, colour)
            self.stroke([(self.around(side * 0.52, 0.42), -0.1), (self.around(side * 0.62, 0.3), -0.02)], 0.05, colour)

    def hair_in_front(self) -> None:
        length = self.f["hair_length"]
        x, colour = self.around(0, -0.12), _ink(self.hair)
        steps = np.linspace(math.pi, 2 * math.pi, 30)
        outer = [(x + 0.76 * math.cos(t), -0.12 + 0.88 * math.sin(t)) for t in steps]
        low = -0.42 - 0.12 * (1 - length)
        line = [(self.around(t, 0.3), low - 0.20 * math.cos(1.6 * t)) for t in np.linspace(0.70, -0.70, 20)]
        self.pen.polygon([self.place(*p) for p in outer + line], fill=colour)
        if length > 0.3:  # strands beside the face
            for side in (-1, 1):
                end = -0.1 + 1.1 * length
                edge = self.around(side * 0.74, -0.12)
                self.blob(edge, (end - 0.4) / 2, 0.13, 0.25 + 0.5 * length, colour)

    def glasses(self) -> None:
        ink = (24, 24, 30)
        for side in (-1, 1):
            x = self.around(side * 0.29, 0.66)
            ring = [(x + 0.24 * math.cos(t), -0.1 + 0.21 * math.sin(t)) for t in np.linspace(0, 2 * math.pi, 28)]
            self.stroke(ring, 0.075, ink)
            self.stroke([(x + side * 0.24, -0.12), (self.around(side * 0.70, -0.1), -0.08)], 0.06, ink)
        self.stroke([(self.around(-0.06, 0.68), -0.1), (self.around(0.06, 0.68), -0.1)], 0.075, ink)

    def lit(self, pixels: np.ndarray) -> np.ndarray:
        """Light from one side: a ramp over the whole picture."""
        ramp = np.linspace(-1, 1, SIZE)[None, :, None]
        return np.clip(pixels * (1 + 0.38 * self.f["light"] * ramp), 0, 255).astype(np.uint8)
