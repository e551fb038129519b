"""Describe what a direction changes in pictures, in words chosen by measurements of the pixels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .decomposition import KINDS, Change, decompose, overall, split, strengths
from .pictures import as_rgb, reduced_by

LONGEST = 128  # pixels of the pictures that are measured
HEAT = 32  # pixels of the map, longest side
CONSISTENT = 2 / 3  # share of the measurements that must have the sign of their mean
MOST_WORDS = 4
UNSEEN = 0.3  # per cent of root mean square change: below it nothing is described
MINOR = 1 / 2  # of the strength of the strongest kind: weaker ones are not mentioned
TOGETHER = 0.8  # length of the mean of unit vectors: about 37 degrees of spread
GREY = 0.02  # mean chroma of OKLab below which colours have no hue
# By kind, for each number the smallest noticeable change, and words for more and less.
_TONE = {
    "brightness": (2.0, "{}brighter by {{}} %", "{}darker by {{}} %"),
    "saturation": (12.0, "{}{{}} % more saturated", "{}{{}} % less saturated"),
    "hue": (8.0, "{}hue turns by +{{}}°", "{}hue turns by -{{}}°"),
}
_HUES = {29.0: "redder", 103.0: "yellower", 143.0: "greener", 264.0: "bluer"}  # angles of these colours in OKLab


def _tone(kind: str, whose: str) -> dict[str, tuple[float, str, str]]:
    start = f"{kind}_" if whose else ""
    return {
        f"{start}{name}": (least, more.format(whose), less.format(whose)) for name, (least, more, less) in _TONE.items()
    }


NOTICED: dict[str, dict[str, tuple[float, str, str]]] = {
    "motion": {
        "shift_x": (2.0, "moves right by {} %", "moves left by {} %"),
        "shift_y": (2.0, "moves down by {} %", "moves up by {} %"),
        "zoom": (3.0, "grows by {} %", "shrinks by {} %"),
        "rotation": (2.0, "tilts clockwise by {}°", "tilts anticlockwise by {}°"),
        # A quarter of a shift: the windows of ``local_motion`` blend the middle with the outline that it moves against.
        "turn_x": (0.5, "turns to the right", "turns to the left"),
        "turn_y": (0.5, "turns down", "turns up"),
    },
    "shape": {"detail": (20.0, "{} % more fine detail", "{} % less fine detail")},
    "colour": _tone("colour", "subject "),
    "light": {
        **_tone("light", ""),
        "contrast": (10.0, "{} % more contrast", "{} % less contrast"),
        "side_x": (4.0, "lit from the right", "lit from the left"),
        "side_y": (4.0, "lit from below", "lit from above"),
    },
    "backdrop": _tone("backdrop", "background "),
}
# Of a kind of which no single number is large and consistent.
_OTHERWISE = {
    "motion": "moves and turns, not all subjects the same way",
    "shape": "shape and details change",
    "colour": "subject changes its colours",
    "light": "light and tone change",
    "backdrop": "background changes",
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
            subjects and sides (of the low side with the opposite sign). Brightness in points of lightness (0-100),
            sides of light as well, from edge to edge; contrast, saturation, detail and zoom in per cent of before; hue
            in degrees, from red towards yellow; shifts in per cent of width and height, right and down, turns as the
            shift of the middle of the subject against its outline; rotation in degrees, clockwise.
            ``change`` is the root mean square difference in per cent of the full range. What could not be
            measured is absent.
        kinds: by kind (``decomposition.KINDS``) how strong it is, in per cent of lightness.
        words: the changes that are noticeable and consistent, the strongest kind first, at most four.
        where: the place of the change: a ninth of the picture, or a part of it.
        heat: uint8 ``[h, w]``, at most ``HEAT`` pixels a side: 0 unchanged, 255 the most changed place.
    """

    numbers: dict[str, float]
    kinds: dict[str, float]
    words: tuple[str, ...]
    where: str
    heat: np.ndarray

    @property
    def kind(self) -> str:
        """The strongest kind, which the words begin with."""
        return max(KINDS, key=self.kinds.__getitem__)


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
    parts = [split(colour) for colour, _ in first]
    found: dict[str, list[float]] = {name: [] for kind in KINDS for name in NOTICED[kind]}
    hues: dict[str, list[complex]] = {name: [] for name in found if name.endswith("hue")}
    changes, maps, split_up = [], [], []
    for sign, side in sides:
        for (colour, lab), part, picture in zip(first, parts, side):
            colour2, lab2 = _lab(picture)
            changes.append(100 * float(np.sqrt(np.mean((colour - colour2) ** 2))))
            maps.append(np.sqrt(((lab - lab2) ** 2).sum(axis=2)))
            split_up.append((sign, decompose(part, lab, lab2), lab, lab2))
    each = [change for _, change, _, _ in split_up]
    kinds = strengths(each)
    for (sign, change, lab, lab2), strong in zip(split_up, kinds):
        numbers, there = _numbers(change, lab, lab2, strong["motion"] > strong["shape"])
        for name, value in numbers.items():
            found[name].append(sign * value)
        for name, hue in there.items():
            hues[name].append(hue)
    strength = {kind: 100 * value for kind, value in overall(each, kinds).items()}
    change_ = float(np.mean(changes))
    means = {name: _mean(name, values) for name, values in found.items() if 2 * len(values) > len(changes)}
    numbers = {name: value for name, value in means.items() if value is not None}
    heat = reduced_by(np.mean(maps, axis=0), max(maps[0].shape) / HEAT)
    seen = change_ >= UNSEEN
    words = _words(strength, numbers, found, hues, len(changes)) if seen else ()
    where = _where(heat) if seen else "nowhere"
    if where == "everywhere":
        where = _part(maps, [part.subject for part in parts])
    peak = float(heat.max())
    shown = np.rint(255 * heat / peak).astype(np.uint8) if peak > 1e-6 else np.zeros(heat.shape, np.uint8)
    return Effect({"change": change_, **numbers}, strength, words, where, shown)


def share_inside(before: Sequence[np.ndarray], after: Sequence[np.ndarray], weights: np.ndarray) -> float:
    """The share of the squared change of pictures that is inside a region; 0 where nothing changes.

    Args:
        before: uint8 pictures ``[H, W, C]``.
        after: the same subjects, changed, once or several times over.
        weights: how much of each pixel is inside, 0 to 1, ``[H, W]``.
    """
    again = [*before] * (len(after) // len(before))
    squares = sum(np.square(one.astype(float) - other).sum(axis=2) for one, other in zip(again, after))
    return float((squares * weights).sum() / max(np.sum(squares), 1))


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


def _numbers(
    change: Change, lab: np.ndarray, lab2: np.ndarray, moves: bool
) -> tuple[dict[str, float], dict[str, complex]]:
    """The numbers of a change by their names in ``NOTICED``, and by those of hues the ones before, as complex units."""
    lit = lab + change.light
    light, light2 = lab[..., 0], lab2[..., 0]
    spread, spread2 = float(light.std()) + 0.01, float(light2.std()) + 0.01
    found = {
        "contrast": 100 * ((float(lit[..., 0].std()) + 0.01) / spread - 1),
        "detail": 100 * (_detail(light2) / spread2 / (_detail(light) / spread) - 1),
        "side_x": 200 * _slope(change.light[..., 0], 1),
        "side_y": 200 * _slope(change.light[..., 0], 0),
    }
    hues: dict[str, complex] = {}
    areas = {"": np.ones(light.shape, bool), "colour_": change.subject, "backdrop_": ~change.subject}
    for start, area in areas.items():
        added = change.colour if start else change.light
        # The colours of the area that changes, each as much as it changes.
        weight = area * np.square(added).sum(axis=2) if start else area.astype(float)
        if weight.sum() > 0:
            tone, hue = _toned(lit if start else lab, added, weight / weight.sum())
            found.update({f"{start}{name}": value for name, value in tone.items()})
            hues[f"{start}hue"] = hue
    if moves:  # else what looks like motion may be anything
        found.update(_motion(change))
    return found, {name: hue for name, hue in hues.items() if name in found}


def _toned(lab: np.ndarray, added: np.ndarray, weight: np.ndarray) -> tuple[dict[str, float], complex]:
    """Brightness, saturation and hue that are added to the colours of a picture, and their mean hue before."""
    chroma, chroma2 = (one[..., 1] + 1j * one[..., 2] for one in (lab, lab + added))
    much, much2 = (float((weight * np.abs(one)).sum()) for one in (chroma, chroma2))
    found = {"brightness": 100 * float((weight * added[..., 0]).sum())}
    if max(much, much2) > GREY:
        found["saturation"] = 100 * (much2 / max(much, GREY) - 1)
    if min(much, much2) > GREY:
        turn = weight * chroma.conj() * chroma2
        if abs(turn.sum()) > 0.5 * np.abs(turn).sum():  # colours turn together
            found["hue"] = math.degrees(np.angle(turn.sum()))
    mean = complex((weight * chroma).sum())
    return found, mean / max(abs(mean), 1e-9)


def _slope(light: np.ndarray, axis: int) -> float:
    """How much light rises from the middle to the far edge of an axis, on average."""
    size = light.shape[axis]
    places = (2 * np.arange(size) + 1) / size - 1
    along = light.mean(axis=1 - axis)
    return float((places * along).sum() / max(float(np.square(places).sum()), 1e-9))


def _motion(change: Change) -> dict[str, float]:
    """The motion of the subject: a shift, zoom and rotation about its middle, and how far its inside goes further."""
    high, wide = change.subject.shape
    body = change.body
    return {
        "shift_x": 100 * body.shift_x / wide,
        "shift_y": 100 * body.shift_y / high,
        "zoom": 100 * (math.hypot(1 + body.grown, body.turned) - 1),
        "rotation": math.degrees(math.atan2(body.turned, 1 + body.grown)),
        "turn_x": 100 * body.turn_x / wide,
        "turn_y": 100 * body.turn_y / high,
    }


def _detail(light: np.ndarray) -> float:
    """Mean difference from the mean of the four neighbours."""
    padded = np.pad(light, 1, "edge")
    around = (padded[:-2, 1:-1] + padded[2:, 1:-1] + padded[1:-1, :-2] + padded[1:-1, 2:]) / 4
    return float(np.abs(light - around).mean()) + 1e-3


def _mean(name: str, values: list[float]) -> float | None:
    """Of angles, the direction of the mean (+179 and -179 degrees are nearly the same turn); None if they differ."""
    if not name.endswith("hue"):
        return float(np.mean(values))
    turn = np.exp(1j * np.radians(values)).mean()
    return math.degrees(np.angle(turn)) if abs(turn) > TOGETHER else None


def _words(
    strength: dict[str, float],
    numbers: dict[str, float],
    found: dict[str, list[float]],
    hues: dict[str, list[complex]],
    count: int,
) -> tuple[str, ...]:
    """Phrases of the strong kinds, of the strongest first; of one kind at most half of all, so that others follow."""
    said: list[str] = []
    for kind in sorted(KINDS, key=strength.__getitem__, reverse=True):
        if strength[kind] < MINOR * max(strength.values()) or not strength[kind]:
            break
        phrases = []
        for name, (threshold, more, less) in NOTICED[kind].items():
            value, values = numbers.get(name, 0.0), found[name]
            if name.endswith("hue"):
                agreeing = sum(abs((one - value + 180) % 360 - 180) < min(90, abs(value)) for one in values)
            else:
                agreeing = sum(one * value > 0 for one in values)
            if abs(value) >= threshold and agreeing >= CONSISTENT * count:
                phrases.append(
                    (abs(value) / threshold, _phrase(more if value > 0 else less, value, hues.get(name, [])))
                )
        said += [words for _, words in sorted(phrases, reverse=True)[: MOST_WORDS // 2]]
        said = said or [_OTHERWISE[kind]]
    return tuple(said[:MOST_WORDS])


def _phrase(words: str, value: float, hues: list[complex]) -> str:
    """Words with their amount; of hues that were alike before, the name of the colour that they turn towards."""
    if hues and abs(sum(hues)) > TOGETHER * len(hues):
        before = math.degrees(np.angle(sum(hues)))
        # A colour that is as good as there already is not the one that they turn towards.
        ahead = {name: ((angle - before) * (1 if value > 0 else -1) - 15) % 360 for angle, name in _HUES.items()}
        return words.partition("hue")[0] + min(ahead, key=ahead.__getitem__)
    amount = f"{abs(value):.1f}" if abs(value) < 3 else f"{abs(value):.0f}" if abs(value) <= 200 else "over 200"
    return words.format(amount)


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


def _part(maps: Sequence[np.ndarray], subjects: Sequence[np.ndarray]) -> str:
    """The part of pictures that holds half as much again as its share of the area: subject, its outline, background."""
    from scipy.ndimage import binary_dilation, binary_erosion

    if any(subject.all() for subject in subjects):
        return "everywhere"
    shares: dict[str, list[float]] = {"the outline of the subject": [], "the subject": [], "the background": []}
    for place, change in enumerate(maps):
        subject = subjects[place % len(subjects)]
        width = max(1, round(max(subject.shape) / 32))
        inside, grown = binary_erosion(subject, iterations=width), binary_dilation(subject, iterations=width)
        for name, part in zip(shares, (grown & ~inside, subject, ~grown)):
            shares[name].append(float((change * part).sum() / change.sum() / max(part.mean(), 1e-3)))
    best = max(shares, key=lambda name: np.mean(shares[name]))
    return f"mostly {best}" if np.mean(shares[best]) >= 1.5 else "everywhere"
