"""Pictures before and after a known motion."""

import numpy as np


def moved(picture, shift=(0, 0), zoom=1.0, degrees=0.0):
    """The middle half of a picture before and after a motion about its centre; shifts in pixels."""
    wide, high = picture.size
    cos, sin = np.cos(np.radians(degrees)) / zoom, np.sin(np.radians(degrees)) / zoom
    x, y = wide / 2, high / 2
    # Pillow wants where each output pixel comes from.
    a, b, d, e = cos, sin, -sin, cos
    data = (a, b, x - a * (x + shift[0]) - b * (y + shift[1]), d, e, y - d * (x + shift[0]) - e * (y + shift[1]))
    after = picture.transform(picture.size, 0, data, resample=2)
    box = (wide // 4, high // 4, wide - wide // 4, high - high // 4)
    return np.asarray(picture.crop(box)) / 255, np.asarray(after.crop(box)) / 255
