"""Describe what a direction changes in pictures, in words chosen by measurements of the pixels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .alignment import register
from .pictures import as_rgb, reduced_by

LONGEST = 128  # pixels of the pictures that are measured
HEAT = 32  # pixels of the map, longest side
CONSISTENT = 2 / 3  # share of the measurements that must have the sign of their mean
MOST_WORDS = 4
UNSEEN = 0.3  # per cent of root mean square change: below it nothing is described
TOGETHER = 0.8  # length of the mean of unit vectors: about 37 degrees of spread
GREY = 0.02  # mean chroma of OKLab below which colours have no hue
# The smallest noticeable change, and words for more and less.
NOTICED = {
    "brightness": (2.0, "brighter by {} %", "darker by {} %"),
    "contrast": (10.0, "{} % more contrast", "{} % less contrast"),
    "saturation": (12.0, "{} % more saturated", "{} % less saturated"),
    "hue": (8.0, "hue turns by +{}°", "hue turns by -{}°"),
    "detail": (20.0, "{} % more fine detail", "{} % less fine detail"),
    "shift_x": (2.0, "moves right by {} %", "moves left by {} %"),
    "shift_y": (2.0, "moves down by {} %", "moves up by {} %"),
    "zoom": (3.0, "zooms in by {} %", "zooms out by {} %"),
    "rotation": (2.0, "turns clockwise by {}°", "turns anticlockwise by {}°"),
}
# OKLab (Ottosson 2020)
_RGB_TO_LMS = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_LMS_TO_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)
_PLACES = ("upper left", "top", "upper right", "left", "centre", "right", "lower left", "bottom", "lower right")


@dataclass(frozen=True)
class Effect:
    """What one direction does, measured.

    Attributes:
        numbers: by name of ``NOTICED``: the effect of going to one end in the + direction, the mean over
            subjects and sides (of the low side with the opposite sign). Brightness in points of lightness (0-100);
            contrast, saturation, detail and zoom in per cent of before; hue in degrees, from red towards
            yellow; shifts in per cent of width and height, right and down; rotation in degrees, clockwise.
            ``change`` is the root mean square difference in per cent of the full range. What could not be
            measured is absent.
        words: the changes that are noticeable and consistent, strongest first, at most four.
        where: the place of the change by ninths of the picture.
        heat: uint8 ``[h, w]``, at most ``HEAT`` pixels a side: 0 unchanged, 255 the most changed place.
    """

    numbers: dict[str, float]
    words: tuple[str, ...]
    where: str
    heat: np.ndarray


def describe(
    before: Sequence[np.ndarray], low: Sequence[np.ndarray] | None, high: Sequence[np.ndarray] | None
) -> Effect:
    """Measure the change from ``before`` to the ends of a direction.

    Args:
        before, low, high: uint8 pictures ``[H, W, C]`` of one size, of the same subjects: unedited, at the low end,
            at the high end. One end may be None.
    """
    sides = [(sign, side) for sign, side in ((-1, low), (1, high)) if side is not None]
    first = [_lab(picture) for picture in before]
    found: dict[str, list[float]] = {name: [] for name in NOTICED}
    changes, maps = [], []
    for sign, side in sides:
        for (colour, lab), picture in zip(first, side):
            colour2, lab2 = _lab(picture)
            changes.append(100 * float(np.sqrt(np.mean((colour - colour2) ** 2))))
            maps.append(np.sqrt(((lab - lab2) ** 2).sum(axis=2)))
            for name, value in _differences(lab, lab2).items():
                found[name].append(sign * value)
    change = float(np.mean(changes))
    means = {name: _mean(name, values) for name, values in found.items() if 2 * len(values) > len(changes)}
    numbers = {name: value for name, value in means.items() if value is not None}
    heat = reduced_by(np.mean(maps, axis=0), max(maps[0].shape) / HEAT)
    words = _words(numbers, found, len(changes)) if change >= UNSEEN else ()
    where = _where(heat) if change >= UNSEEN else "nowhere"
    peak = float(heat.max())
    shown = np.rint(255 * heat / peak).astype(np.uint8) if peak > 1e-6 else np.zeros(heat.shape, np.uint8)
    return Effect({"change": change, **numbers}, words, where, shown)


def heat_picture(heat: np.ndarray) -> np.ndarray:
    """Colour a map, uint8 ``[h, w]`` to RGB ``[h, w, 3]``: dark blue for unchanged to light yellow for most."""
    stops = np.array([0, 64, 128, 192, 255])
    colours = np.array([[13, 16, 44], [76, 34, 106], [172, 51, 95], [236, 118, 66], [252, 232, 150]])
    return np.stack([np.interp(heat, stops, channel) for channel in colours.T], axis=-1).astype(np.uint8)


def _lab(picture: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A reduced picture in sRGB, 0 to 1, and in OKLab, both float ``[h, w, 3]``."""
    colour: np.ndarray = as_rgb(picture).astype(np.float32)
    factor = max(picture.shape[:2]) / LONGEST
    if factor > 1:
        colour = np.stack([reduced_by(channel, factor) for channel in np.moveaxis(colour, 2, 0)], axis=2)
    colour = colour / 255
    linear = np.where(colour <= 0.04045, colour / 12.92, ((colour + 0.055) / 1.055) ** 2.4)
    return colour, np.cbrt(np.maximum(linear @ _RGB_TO_LMS.T, 0)) @ _LMS_TO_LAB.T


def _differences(lab: np.ndarray, lab2: np.ndarray) -> dict[str, float]:
    """The measurable changes from ``lab`` to ``lab2``, by name."""
    light, light2 = lab[..., 0], lab2[..., 0]
    spread, spread2 = float(light.std()) + 0.01, float(light2.std()) + 0.01
    found = {
        "brightness": 100 * float(light2.mean() - light.mean()),
        "contrast": 100 * (spread2 / spread - 1),
        "detail": 100 * (_detail(light2) / spread2 / (_detail(light) / spread) - 1),
    }
    chroma, chroma2 = (float(np.hypot(one[..., 1], one[..., 2]).mean()) for one in (lab, lab2))
    if max(chroma, chroma2) > GREY:
        found["saturation"] = 100 * (chroma2 / max(chroma, GREY) - 1)
    if min(chroma, chroma2) > GREY:
        turn = ((lab[..., 1] - 1j * lab[..., 2]) * (lab2[..., 1] + 1j * lab2[..., 2])).ravel()
        if abs(turn.sum()) > 0.5 * np.abs(turn).sum():  # colours turn together
            found["hue"] = math.degrees(np.angle(turn.sum()))
    motion = register(light, light2)
    if motion is not None:
        high, wide = light.shape
        found["shift_x"] = 100 * motion.shift_x * max(high, wide) / wide
        found["shift_y"] = 100 * motion.shift_y * max(high, wide) / high
        found["zoom"] = 100 * (motion.zoom - 1)
        found["rotation"] = motion.rotation
    return found


def _detail(light: np.ndarray) -> float:
    """Mean difference from the mean of the four neighbours."""
    padded = np.pad(light, 1, "edge")
    around = (padded[:-2, 1:-1] + padded[2:, 1:-1] + padded[1:-1, :-2] + padded[1:-1, 2:]) / 4
    return float(np.abs(light - around).mean()) + 1e-3


def _mean(name: str, values: list[float]) -> float | None:
    """Of angles, the direction of the mean (+179 and -179 degrees are nearly the same turn); None if they differ."""
    if name != "hue":
        return float(np.mean(values))
    turn = np.exp(1j * np.radians(values)).mean()
    return math.degrees(np.angle(turn)) if abs(turn) > TOGETHER else None


def _words(numbers: dict[str, float], found: dict[str, list[float]], count: int) -> tuple[str, ...]:
    phrases = []
    for name, (threshold, more, less) in NOTICED.items():
        value, values = numbers.get(name, 0.0), found[name]
        if name == "hue":
            agreeing = sum(abs((one - value + 180) % 360 - 180) < min(90, abs(value)) for one in values)
        else:
            agreeing = sum(one * value > 0 for one in values)
        if abs(value) >= threshold and agreeing >= CONSISTENT * count:
            amount = f"{abs(value):.1f}" if abs(value) < 3 else f"{abs(value):.0f}" if abs(value) <= 200 else "over 200"
            phrases.append((abs(value) / threshold, (more if value > 0 else less).format(amount)))
    return tuple(words for _, words in sorted(phrases, reverse=True)[:MOST_WORDS])


def _where(heat: np.ndarray) -> str:
    """By ninths: the one with a fifth or more, else the edges if the middle has under half its share."""
    high, wide = heat.shape
    if min(heat.shape) < 3:
        return "everywhere"
    rows, columns = np.arange(high) * 3 // high, np.arange(wide) * 3 // wide
    means = np.array([[heat[rows == r][:, columns == c].mean() for c in range(3)] for r in range(3)]).ravel()
    shares = means / means.sum()
    most = int(shares.argmax())
    if shares[most] >= 0.2:
        return f"{_PLACES[most]} ({100 * shares[most]:.0f} % of the change)"
    if shares[4] < 0.5 / 9:
        return f"edges ({100 * (1 - shares[4]):.0f} % of the change)"
    return "everywhere"
