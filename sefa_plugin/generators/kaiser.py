"""Low-pass filters from Kaiser windows, as StyleGAN3 designs them.

Kaiser's formulae: J. F. Kaiser, "Nonrecursive digital filter design using the I0-sinh window function"
(1974). Filters of loaded networks come from their files; these are the initial ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def _window(taps: int, width: float, rate: float) -> NDArray[np.float64]:
    """Kaiser window for a transition band of ``width`` at the sampling ``rate``."""
    attenuation = 2.285 * (taps - 1) * np.pi * width / (rate / 2) + 7.95  # decibels
    if attenuation > 50:
        beta = 0.1102 * (attenuation - 8.7)
    elif attenuation > 21:
        beta = 0.5842 * (attenuation - 21) ** 0.4 + 0.07886 * (attenuation - 21)
    else:
        beta = 0.0
    window: NDArray[np.float64] = np.kaiser(taps, beta)
    return window


def bessel_j1(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Bessel function of the first kind and order 1, from its integral; accurate to 1e-12 for arguments up to 200."""
    angles = (np.arange(512) + 0.5) * np.pi / 512
    values: NDArray[np.float64] = np.cos(angles - np.asarray(x)[..., None] * np.sin(angles)).mean(axis=-1)
    return values


def lowpass(taps: int, cutoff: float, width: float, rate: float, radial: bool = False) -> NDArray[np.float64] | None:
    """Design a low-pass filter with sum 1.

    Args:
        taps: length; 1 gives None (no filter).
        cutoff, width: of the pass band and of the transition band, in the unit of ``rate``.
        radial: a round filter ``[taps, taps]`` instead of a separable one ``[taps]``.
    """
    if taps == 1:
        return None
    kernel: NDArray[np.float64]
    place = (np.arange(taps) - (taps - 1) / 2) / rate
    window = _window(taps, width, rate)
    if not radial:
        kernel = np.sinc(2 * cutoff * place) * window
        kernel /= kernel.sum()
        return kernel
    radius = np.hypot(place[:, None], place[None, :])
    safe = np.where(radius == 0, 1, radius)
    kernel = np.where(radius == 0, cutoff, bessel_j1(2 * np.pi * cutoff * safe) / (np.pi * safe)) * np.pi
    kernel *= np.outer(window, window)
    kernel /= kernel.sum()
    return kernel
