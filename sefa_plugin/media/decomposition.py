"""Split the change from one picture to another into what the eye tells apart.

In this order, each from what the ones before leave: the *motion* of the subject, *light* that subject and backdrop
share, *colour* of the subject and of the *backdrop*, and the *shape*: what no motion and no recolouring explains.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from .alignment import CORRELATED, SMALLEST, register

KINDS = ("motion", "shape", "colour", "light", "backdrop")
COLOURS = 8  # of the clusters: a backdrop with its shades, and a handful for the subject
RIM, MIDDLE = 1 / 12, 1 / 2  # widths, as shares of the sides: where a backdrop and where a subject is looked for
LEAST = 0.05  # share of the picture that subject and backdrop must have to be told apart
WINDOW = 1 / 7  # of the longer side, deviation of the window that moves as one: a head or a car has several
STEPS = 4  # of Gauss-Newton on a level
STIFF = 0.02  # of the mean structure: where there is less, the motion goes to 0
RIGID = 1 / 3  # share of the motion of all points that a motion of the subject as a whole must explain; else it bends
SHARED = 0.5  # share of the change in subject and in backdrop, each, that one law of colours must explain to be light


@dataclass(frozen=True, eq=False)
class Body:
    """The motion of a subject as a whole: the part of a field of motion that six numbers explain.

    Attributes:
        shift_x, shift_y: of its middle, in pixels right and down.
        grown, turned: what is at (x, y) from its middle moves by (grown x - turned y, grown y + turned x).
        turn_x, turn_y: how far its inside goes further than its outline, in pixels right and down.
        field: float ``[h, w, 2]``: the motion of each point.
    """

    shift_x: float
    shift_y: float
    grown: float
    turned: float
    turn_x: float
    turn_y: float
    field: np.ndarray


@dataclass(frozen=True, eq=False)
class Change:
    """The change from a picture to another, in parts.

    Attributes:
        powers: mean square of each of ``KINDS`` in OKLab, over the area that it concerns.
        as_body: the part of that of motion that is explained by ``body``.
        subject: bool ``[h, w]``; all true where there is no backdrop.
        body: the motion of the subject as a whole.
        light, colour, shape: float ``[h, w, 3]`` in OKLab, of the picture before.
    """

    powers: dict[str, float]
    as_body: float
    subject: np.ndarray
    body: Body
    light: np.ndarray
    colour: np.ndarray
    shape: np.ndarray


def strengths(changes: Sequence[Change]) -> list[dict[str, float]]:
    """For several pictures of one direction, the root mean square of each of ``KINDS``.

    Where a motion of the subjects as a whole explains little of what moves, they bend: a change of shape.
    """
    bends = sum(one.as_body for one in changes) < RIGID * sum(one.powers["motion"] for one in changes)
    found = []
    for one in changes:
        moved = one.powers["motion"]
        powers = {**one.powers, "motion": 0.0, "shape": one.powers["shape"] + moved} if bends else one.powers
        found.append({kind: powers[kind] ** 0.5 for kind in KINDS})
    return found


def overall(changes: Sequence[Change], each: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """How strong each of ``KINDS`` is in several pictures of one direction: the median of their :func:`strengths`.

    Whether it is a motion or a change of shape, the motion of all points says: a motion where that explains more than
    it leaves. How strong a motion is beside the other kinds, that of the subjects as a whole says.
    """
    found = {kind: float(np.median([one[kind] for one in each])) for kind in KINDS}
    if found["motion"]:
        body = float(np.median([min(max(one.as_body, 0.0), one.powers["motion"]) ** 0.5 for one in changes]))
        if found["motion"] > found["shape"]:
            found["shape"] = min(found["shape"], body)
        found["motion"] = body
    return found


@dataclass(frozen=True, eq=False)
class Split:
    """The parts of one picture.

    Attributes:
        labels: int ``[h, w]``: the cluster of each pixel.
        subject, backdrop: bool ``[h, w]``; both are all where they cannot be told apart.
    """

    labels: np.ndarray
    subject: np.ndarray
    backdrop: np.ndarray


def split(colour: np.ndarray) -> Split:
    """Tell subject and backdrop of a picture, sRGB 0 to 1 ``[h, w, 3]``, apart.

    Colours are clustered; those with a larger share of the rim than of the middle are the backdrop's.
    """
    from PIL import Image

    levels = np.rint(255 * colour).astype(np.uint8)
    labels = np.asarray(Image.fromarray(levels).quantize(COLOURS, method=0, kmeans=1))  # median cut, then refined
    y, x = (np.abs(axis) for axis in _places(labels.shape))
    rim, middle = (y > 1 - 2 * RIM) | (x > 1 - 2 * RIM), (y < MIDDLE) & (x < MIDDLE)
    shares = [np.bincount(labels[part], minlength=256) / max(part.sum(), 1) for part in (rim, middle)]
    backdrop = (shares[0] > shares[1])[labels]
    if not LEAST <= backdrop.mean() <= 1 - LEAST:
        whole = np.ones(labels.shape, bool)
        return Split(labels, whole, whole)
    return Split(labels, ~backdrop, backdrop)


def decompose(parts: Split, before: np.ndarray, after: np.ndarray) -> Change:
    """Split the change between two pictures in OKLab, ``[h, w, 3]``.

    Args:
        parts: those of the picture before.
        before, after: the two.
    """
    motion = local_motion(before, after)
    if _correlation(_structure(before), warped(_structure(after), motion), parts.subject & inside(motion)) < CORRELATED:
        motion = np.zeros_like(motion)  # it leads to something else
    still = warped(after, motion)
    body = body_motion(parts.subject, motion)
    whole, as_body, as_points = (
        _power(picture - before, parts.subject) for picture in (after, warped(after, body.field), still)
    )
    rest = still - before
    light = _light(parts, before, rest)
    rest = rest - light
    counts = np.maximum(np.bincount(parts.labels.ravel(), minlength=256), 1)
    sums = [np.bincount(parts.labels.ravel(), channel.ravel(), minlength=256) for channel in np.moveaxis(rest, 2, 0)]
    colour = (np.stack(sums, axis=-1) / counts[:, None])[parts.labels]
    powers = {
        "motion": max(0.0, whole - as_points),
        "shape": _power(rest - colour, parts.subject),
        "colour": _power(colour, parts.subject),
        "light": _power(light, np.ones(parts.subject.shape, bool)),
        "backdrop": _power(colour, parts.backdrop) if parts.backdrop is not parts.subject else 0.0,
    }
    return Change(powers, whole - as_body, parts.subject, body, light, colour, rest - colour)


def body_motion(subject: np.ndarray, motion: np.ndarray) -> Body:
    """The motion of a subject ``[h, w]`` as a whole, of the motion of its points ``[h, w, 2]``."""
    from scipy.ndimage import distance_transform_edt

    high, wide = subject.shape
    seen = subject & inside(motion)
    if seen.sum() < 12:
        return Body(0, 0, 0, 0, 0, 0, np.zeros((high, wide, 2)))
    rows, columns = np.mgrid[:high, :wide]
    x, y = columns - columns[seen].mean(), rows - rows[seen].mean()
    depth = distance_transform_edt(np.pad(subject, 1))[1:-1, 1:-1]
    depth = depth / depth[seen].max()
    depth = depth - depth[seen].mean()
    zero, one = np.zeros(x.shape), np.ones(x.shape)
    across = np.stack([one, zero, x, -y, depth, zero], axis=-1)
    down = np.stack([zero, one, y, x, zero, depth], axis=-1)
    terms, wanted = np.concatenate([across[seen], down[seen]]), np.concatenate([*motion[seen].T])
    found = np.linalg.lstsq(terms, wanted, rcond=None)[0]
    shift_x, shift_y, grown, turned, turn_x, turn_y = map(float, found)
    field = np.stack([across @ found, down @ found], axis=-1)
    return Body(shift_x, shift_y, grown, turned, turn_x, turn_y, field)


def local_motion(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """How far each point has moved, in pixels right and down: float ``[h, w, 2]``.

    From the motion of the whole picture, if one is found, coarse to fine Gauss-Newton in windows (Lucas and Kanade
    1981) on pictures without their smooth part: a change of light is no motion.
    """
    from scipy.ndimage import gaussian_filter

    if min(before.shape[:2]) < SMALLEST:
        return np.zeros((*before.shape[:2], 2))
    pyramid = [(_structure(before), _structure(after))]
    while min(pyramid[-1][0].shape[:2]) >= 2 * SMALLEST:
        pyramid.append((_halved(pyramid[-1][0]), _halved(pyramid[-1][1])))
    motion = _resized(_start(before, after), pyramid[-1][0].shape[:2])
    for one, other in reversed(pyramid):
        motion = _resized(motion, one.shape[:2])
        deviation = max(one.shape) * WINDOW

        for _ in range(STEPS):
            now, seen = warped(other, motion), inside(motion)

            def mean(values: np.ndarray, seen: np.ndarray = seen, deviation: float = deviation) -> np.ndarray:
                found: np.ndarray = gaussian_filter(seen * values.sum(axis=2), deviation, mode="nearest")
                return found

            down, right = np.gradient((one + now) / 2, axis=(0, 1))
            late = now - one
            xx, yy, xy = mean(right * right), mean(down * down), mean(right * down)
            xt, yt = mean(right * late), mean(down * late)
            stiff = STIFF * float((xx + yy).mean()) + 1e-9
            xx, yy = xx + stiff, yy + stiff
            step = np.stack([yy * xt - xy * yt, xx * yt - xy * xt], axis=-1) / (xx * yy - xy * xy)[..., None]
            motion = motion - np.clip(step, -1, 1)
    return motion


def warped(picture: np.ndarray, motion: np.ndarray) -> np.ndarray:
    """``[h, w, C]`` at the places where points of the other picture have moved to (bilinear)."""
    from scipy.ndimage import map_coordinates

    rows, columns = np.mgrid[: picture.shape[0], : picture.shape[1]]
    places = [rows + motion[..., 1], columns + motion[..., 0]]
    channels = [map_coordinates(channel, places, order=1, mode="nearest") for channel in np.moveaxis(picture, 2, 0)]
    return np.stack(channels, axis=-1)


def inside(motion: np.ndarray) -> np.ndarray:
    """Which points have moved to places within the picture: bool ``[h, w]``."""
    high, wide = motion.shape[:2]
    rows, columns = np.mgrid[:high, :wide] + np.moveaxis(motion, 2, 0)[::-1]
    within: np.ndarray = (rows >= 0) & (rows <= high - 1) & (columns >= 0) & (columns <= wide - 1)
    return within


def _start(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """The motion of the whole picture in pixels; none where it does not move as one."""
    high, wide = before.shape[:2]
    found = register(before[..., 0], after[..., 0])
    if found is None:
        return np.zeros((high, wide, 2))
    side, angle = max(high, wide), np.radians(found.rotation)
    rows, columns = np.mgrid[:high, :wide]
    x, y = columns - (wide - 1) / 2, rows - (high - 1) / 2
    cos, sin = found.zoom * np.cos(angle), found.zoom * np.sin(angle)
    return np.stack(
        [cos * x - sin * y + found.shift_x * side - x, sin * x + cos * y + found.shift_y * side - y], axis=-1
    )


def _light(parts: Split, before: np.ndarray, change: np.ndarray) -> np.ndarray:
    """The part of a change that subject and backdrop have in common.

    One law for the whole picture if it explains most of the change in both: a ramp of lightness, more or less contrast
    and saturation, a turn of all hues, a tint. Else the mean and the ramp that both have, as large as in the one where
    it is smaller.
    """
    (y, x), ones = _places(before.shape), np.ones(before.shape[:2])
    ramp = np.stack([ones, x, y], axis=-1)
    lightness = np.concatenate([ramp, before[..., :1]], axis=-1)
    chroma, shift = before[..., 1] + 1j * before[..., 2], change[..., 1] + 1j * change[..., 2]
    tint = _fitted(np.stack([ones, chroma], axis=-1), shift)
    light = np.stack([_fitted(lightness, change[..., 0]), tint.real, tint.imag], axis=-1)
    if all(
        _power(change - light, part) <= (1 - SHARED) * _power(change, part) for part in (parts.subject, parts.backdrop)
    ):
        return light
    one, other = (np.linalg.lstsq(ramp[part], change[part], rcond=None)[0] for part in (parts.subject, parts.backdrop))
    both = np.where(one * other > 0, np.sign(one) * np.minimum(np.abs(one), np.abs(other)), 0.0)
    both[1:, 1:] = 0  # light that comes from a side has no colour of its own
    shared: np.ndarray = ramp @ both
    return shared


def _fitted(law: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Values ``[h, w]`` as the best sum of the ``n`` terms of a law ``[h, w, n]``, real or complex."""
    terms = law.reshape(-1, law.shape[-1])
    found: np.ndarray = law @ np.linalg.lstsq(terms, values.ravel(), rcond=None)[0]
    return found


def _power(change: np.ndarray, part: np.ndarray) -> float:
    return float(np.square(change[part]).sum(axis=-1).mean())


def _correlation(one: np.ndarray, other: np.ndarray, part: np.ndarray) -> float:
    one, other = one[part], other[part]
    return float((one * other).sum() / max(1e-9, float(np.sqrt(np.square(one).sum() * np.square(other).sum()))))


def _places(shape: tuple[int, ...]) -> np.ndarray:
    """Rows and columns from -1 to 1: float ``[2, h, w]``."""
    high, wide = shape[:2]
    rows, columns = np.mgrid[:high, :wide]
    return np.stack([(2 * rows + 1) / high - 1, (2 * columns + 1) / wide - 1])


def _structure(picture: np.ndarray) -> np.ndarray:
    """A picture without its smooth part, with deviation 1."""
    from scipy.ndimage import gaussian_filter

    smooth = [gaussian_filter(one, max(picture.shape) / 10, mode="nearest") for one in np.moveaxis(picture, 2, 0)]
    rest: np.ndarray = picture - np.stack(smooth, axis=-1)
    rest /= rest.std() + 1e-3
    return rest


def _halved(picture: np.ndarray) -> np.ndarray:
    high, wide = (side // 2 * 2 for side in picture.shape[:2])
    halves: np.ndarray = picture[:high, :wide].reshape(high // 2, 2, wide // 2, 2, -1).mean(axis=(1, 3))
    return halves


def _resized(motion: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """A field of motion for another size of picture."""
    from scipy.ndimage import zoom

    factors = [new / old for new, old in zip(shape, motion.shape)]
    if factors == [1.0, 1.0]:
        return motion
    larger: np.ndarray = zoom(motion, (*factors, 1), order=1, mode="nearest", grid_mode=True)
    larger *= np.array(factors[::-1])
    return larger
