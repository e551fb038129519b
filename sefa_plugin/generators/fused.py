"""The alias-free non-linearity in one pass over each channel, compiled by Numba (the extra ``fast``).

Karras et al., "Alias-Free Generative Adversarial Networks" (2021), section 3.2. Enlarging is split into its
phases, which stay apart until the end: inner loops run over neighbouring numbers, and no zero is multiplied.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import config, njit, prange, set_num_threads

PHASE_TAPS = 6  # of the up-sampling filter, per phase; the loops are written out for them
GROUP = 4  # taps of the down-sampling filter that one loop applies
_PAD = 16  # numbers around a row: more than a filter reaches beyond it


def _compiled(**options: Any) -> Any:
    def decorate(function: Any) -> Any:
        try:
            return njit(cache=True, fastmath=True, nogil=True, **options)(function)
        except RuntimeError:  # nowhere to keep the compiled code
            return njit(fastmath=True, nogil=True, **options)(function)

    return decorate


@_compiled(inline="always")
def _enlarge_sideways(into: Any, x: Any, bias: Any, row: Any, taps: Any, starts: Any) -> None:
    """A row and its bias to the phases of the enlarged row."""
    for i in range(len(x)):
        row[_PAD + i] = x[i] + bias
    for p in range(into.shape[0]):
        c0, c1, c2, c3, c4, c5 = taps[p, 0], taps[p, 1], taps[p, 2], taps[p, 3], taps[p, 4], taps[p, 5]
        start = _PAD + starts[p]
        phase, count = into[p], into.shape[1]
        # Slices, since an index that might be negative is tested at every number.
        r0, r1, r2 = row[start : start + count], row[start + 1 : start + 1 + count], row[start + 2 : start + 2 + count]
        r3, r4 = row[start + 3 : start + 3 + count], row[start + 4 : start + 4 + count]
        r5 = row[start + 5 : start + 5 + count]
        for i in range(count):
            phase[i] = c0 * r0[i] + c1 * r1[i] + c2 * r2[i] + c3 * r3[i] + c4 * r4[i] + c5 * r5[i]


@_compiled(inline="always")
def _enlarge_and_activate(into: Any, wide: Any, first: int, taps: Any, slope: Any, clamp: Any) -> None:
    """Six rows that are enlarged sideways to one row of the enlarged picture, activated."""
    c0, c1, c2, c3, c4, c5 = taps[0], taps[1], taps[2], taps[3], taps[4], taps[5]
    for p in range(into.shape[0]):
        r0, r1, r2 = wide[first, p], wide[first + 1, p], wide[first + 2, p]
        r3, r4, r5 = wide[first + 3, p], wide[first + 4, p], wide[first + 5, p]
        phase = into[p]
        for i in range(wide.shape[2]):
            v = c0 * r0[i] + c1 * r1[i] + c2 * r2[i] + c3 * r3[i] + c4 * r4[i] + c5 * r5[i]
            v = max(v, v * slope)
            phase[i] = min(max(v, -clamp), clamp)


@_compiled(inline="always")
def _reduce_sideways(into: Any, phases: Any, taps: Any, up: int, down: int, add: bool) -> None:
    """Filter a row of phases and keep every ``down``-th number, the kept ones in phases again."""
    for e in range(into.shape[0]):
        kept = into[e]
        for k in range(0, len(taps), GROUP):
            t = down * e + k
            a0, a1 = phases[t % up, t // up :], phases[(t + 1) % up, (t + 1) // up :]
            a2, a3 = phases[(t + 2) % up, (t + 2) // up :], phases[(t + 3) % up, (t + 3) // up :]
            g0, g1, g2, g3 = taps[k], taps[k + 1], taps[k + 2], taps[k + 3]
            if add or k > 0:
                for z in range(into.shape[1]):
                    kept[z] += g0 * a0[z] + g1 * a1[z] + g2 * a2[z] + g3 * a3[z]
            else:
                for z in range(into.shape[1]):
                    kept[z] = g0 * a0[z] + g1 * a1[z] + g2 * a2[z] + g3 * a3[z]


@_compiled(inline="always")
def _interleave(into: Any, phases: Any) -> None:
    step = phases.shape[0]
    if step == 1:
        for z in range(len(into)):
            into[z] = phases[0, z]
    else:
        for z in range(len(into)):
            into[z] = phases[z % step, z // step]


@_compiled(parallel=True)
def separable(x, bias, out, x_taps, x_starts, y_taps, y_starts, down_taps, up, down, slope, clamp, tall, wide):
    """See :func:`filtered_lrelu`; ``tall`` and ``wide`` are the sizes of the enlarged picture."""
    channels, high = x.shape[1], x.shape[2]
    step, columns = up // down, (wide + up - 1) // up
    kept = (out.shape[3] + step - 1) // step
    for plane in prange(x.shape[0] * channels):
        n, c = plane // channels, plane % channels
        row = np.zeros(x.shape[3] + columns + 4 * _PAD, np.float32)
        sideways = np.zeros((high + 2 * _PAD + tall // up, up, columns), np.float32)
        phases = np.zeros((up, columns + _PAD), np.float32)
        reduced = np.zeros((tall, step, kept), np.float32)
        total = np.zeros((step, kept), np.float32)
        for y in range(high):
            _enlarge_sideways(sideways[_PAD + y], x[n, c, y], bias[c], row, x_taps, x_starts)
        for y in range(tall):
            _enlarge_and_activate(phases, sideways, _PAD + y // up + y_starts[y % up], y_taps[y % up], slope, clamp)
            _reduce_sideways(reduced[y], phases, down_taps, up, down, False)
        for y in range(out.shape[2]):
            for k in range(0, len(down_taps), GROUP):
                first = y * down + k
                g0, g1, g2, g3 = down_taps[k], down_taps[k + 1], down_taps[k + 2], down_taps[k + 3]
                for e in range(step):
                    d0, d1, d2, d3 = (
                        reduced[first, e],
                        reduced[first + 1, e],
                        reduced[first + 2, e],
                        reduced[first + 3, e],
                    )
                    sums = total[e]
                    if k == 0:
                        for z in range(kept):
                            sums[z] = g0 * d0[z] + g1 * d1[z] + g2 * d2[z] + g3 * d3[z]
                    else:
                        for z in range(kept):
                            sums[z] += g0 * d0[z] + g1 * d1[z] + g2 * d2[z] + g3 * d3[z]
            _interleave(out[n, c, y], total)


@_compiled(parallel=True)
def radial(x, bias, out, x_taps, x_starts, y_taps, y_starts, down_taps, up, down, slope, clamp, tall, wide):
    """The same with a down-sampling filter ``[n, n]`` that is its own mirror image from top to bottom."""
    channels, high = x.shape[1], x.shape[2]
    step, columns = up // down, (wide + up - 1) // up
    kept = (out.shape[3] + step - 1) // step
    size = len(down_taps)
    for plane in prange(x.shape[0] * channels):
        n, c = plane // channels, plane % channels
        row = np.zeros(x.shape[3] + columns + 4 * _PAD, np.float32)
        sideways = np.zeros((high + 2 * _PAD + tall // up, up, columns), np.float32)
        ring = np.zeros((size, up, columns + _PAD), np.float32)
        folded = np.zeros((up, columns + _PAD), np.float32)
        total = np.zeros((step, kept), np.float32)
        for y in range(high):
            _enlarge_sideways(sideways[_PAD + y], x[n, c, y], bias[c], row, x_taps, x_starts)
        done = 0
        for y in range(out.shape[2]):
            while done < y * down + size:
                first = _PAD + done // up + y_starts[done % up]
                _enlarge_and_activate(ring[done % size], sideways, first, y_taps[done % up], slope, clamp)
                done += 1
            for k in range(size // 2):
                upper, lower = ring[(y * down + k) % size], ring[(y * down + size - 1 - k) % size]
                for p in range(up):
                    a, b, into = upper[p], lower[p], folded[p]
                    for i in range(columns):
                        into[i] = a[i] + b[i]
                _reduce_sideways(total, folded, down_taps[k], up, down, k > 0)
            _interleave(out[n, c, y], total)


def _phases(taps: Any, up: int, low: int) -> tuple[Any, Any]:
    """Taps ``[up, PHASE_TAPS]`` of every phase of the enlarged signal, and where each starts in the small one."""
    kernel = np.ascontiguousarray(taps[::-1] * up, dtype=np.float32)
    chosen = [(low - phase) % up for phase in range(up)]
    starts = [(phase + first - low) // up for phase, first in enumerate(chosen)]
    return np.stack([kernel[first::up] for first in chosen]), np.array(starts, dtype=np.int64)


def fits(up_taps: Any, down_taps: Any, up: int, down: int, padding: Any) -> bool:
    """Whether the loops above are written for such filters, ``up_taps`` and ``down_taps`` as arrays."""
    if up < 2 or up % down or up_taps.ndim != 1 or len(up_taps) != PHASE_TAPS * up or len(down_taps) % GROUP:
        return False
    mirrored = down_taps.ndim == 1 or np.array_equal(down_taps, down_taps[::-1])
    return mirrored and min(padding) > -_PAD * up and max(padding) < _PAD


def filtered_lrelu(
    x: Any,
    up_taps: Any,
    down_taps: Any,
    bias: Any,
    up: int,
    down: int,
    padding: Any,
    slope: float,
    clamp: float,
    gain: float,
    threads: int,
) -> Any:
    """Enlarge, activate, reduce: see ``ops.filtered_lrelu``. ``fits`` must hold for the filters.

    Args:
        x: float32 ``[N, C, H, W]``, contiguous; ``bias`` is float32 ``[C]``.
        up_taps, down_taps: float32 ``[n]``, the second also ``[n, n]``; convolved, as they are symmetric.
        clamp: infinity for none; ``gain`` is above 0.
        threads: how many to use at most.

    Returns:
        float32 ``[N, C, H', W']``.
    """
    set_num_threads(max(1, min(threads, config.NUMBA_NUM_THREADS)))
    left, right, top, bottom = padding
    x_taps, x_starts = _phases(up_taps, up, left)
    y_taps, y_starts = _phases(up_taps, up, top)
    tall = x.shape[2] * up + top + bottom - len(up_taps) + 1
    wide = x.shape[3] * up + left + right - len(up_taps) + 1
    size = len(down_taps)
    out = np.empty((*x.shape[:2], (tall - size) // down + 1, (wide - size) // down + 1), np.float32)
    kernel = np.ascontiguousarray(np.flip(down_taps), dtype=np.float32)
    run = separable if kernel.ndim == 1 else radial
    y_taps *= np.float32(gain)  # which a leaky ReLU lets through
    numbers = (np.float32(slope), np.float32(clamp))
    run(x, bias, out, x_taps, x_starts, y_taps, y_starts, kernel, up, down, *numbers, tall, wide)
    return out
