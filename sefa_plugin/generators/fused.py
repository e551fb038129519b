"""The alias-free non-linearity in one pass over the picture, compiled by Numba (the extra ``fast``).

Karras et al., "Alias-Free Generative Adversarial Networks" (2021), section 3.2. Channels come last, and some dozens
of them (lanes) go through together, as if the numbers of a picture were vectors. Enlarging is split into its phases,
which stay apart until the end: inner loops run over neighbouring numbers, and no zero is multiplied.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import config, njit, prange, set_num_threads

PHASE_TAPS = 6  # of the up-sampling filter, per phase; the loops are written out for them
GROUP = 12  # taps of the down-sampling filter that one loop applies: each loop reads and writes its sums
_LANES = (64, 48, 32, 16)  # channels that go through together, 64 bytes or more: then no load straddles cache lines
_RING = 8  # input rows that are held, at least PHASE_TAPS
_TILE = 10240  # numbers in an enlarged row that is worked on at once; twelve of them fit the second cache


def _compiled(**options: Any) -> Any:
    def decorate(function: Any) -> Any:
        try:
            return njit(cache=True, fastmath=True, nogil=True, **options)(function)
        except RuntimeError:  # nowhere to keep the compiled code
            return njit(fastmath=True, nogil=True, **options)(function)

    return decorate


@_compiled(inline="always")
def _load(into: Any, x: Any, bias: Any, left: int, first: int, width: int, lanes: int) -> None:
    """Pixels of a row from column ``left`` on, ``width`` of its channels and their bias; black beyond its edges."""
    for i in range(len(into) // lanes):
        pixel = into[i * lanes : (i + 1) * lanes]
        if 0 <= left + i < x.shape[0]:
            source, biases = x[left + i, first : first + width], bias[first : first + width]
            for lane in range(width):
                pixel[lane] = source[lane] + biases[lane]
        else:
            pixel[:] = 0


@_compiled(inline="always")
def _advance(
    ring: Any, x: Any, bias: Any, left: int, first: int, width: int, lanes: int, loaded: int, wanted: int
) -> int:
    """Load the rows of a picture up to ``wanted``; those beyond its edges are black."""
    while loaded < wanted:
        row = ring[loaded % _RING]
        if 0 <= loaded < x.shape[0]:
            _load(row, x[loaded], bias, left, first, width, lanes)
        else:
            row[:] = 0
        loaded += 1
    return loaded


@_compiled(inline="always")
def _enlarge(into, ring, row, top, lanes, y_taps, x_taps, x_starts, slope, clamp):
    """Six input rows from ``top`` on to the phases of one row of the enlarged picture, activated."""
    c0, c1, c2, c3, c4, c5 = y_taps[0], y_taps[1], y_taps[2], y_taps[3], y_taps[4], y_taps[5]
    i0, i1, i2 = ring[top % _RING], ring[(top + 1) % _RING], ring[(top + 2) % _RING]
    i3, i4, i5 = ring[(top + 3) % _RING], ring[(top + 4) % _RING], ring[(top + 5) % _RING]
    for i in range(len(row)):
        row[i] = c0 * i0[i] + c1 * i1[i] + c2 * i2[i] + c3 * i3[i] + c4 * i4[i] + c5 * i5[i]
    count = into.shape[1]
    for p in range(into.shape[0]):
        t0, t1, t2, t3, t4, t5 = x_taps[p, 0], x_taps[p, 1], x_taps[p, 2], x_taps[p, 3], x_taps[p, 4], x_taps[p, 5]
        phase = into[p]
        # Slices, since an index that might be negative is tested at every number.
        r0 = row[x_starts[p] * lanes :]
        r1, r2, r3, r4, r5 = r0[lanes:], r0[2 * lanes :], r0[3 * lanes :], r0[4 * lanes :], r0[5 * lanes :]
        for i in range(count):
            v = t0 * r0[i] + t1 * r1[i] + t2 * r2[i] + t3 * r3[i] + t4 * r4[i] + t5 * r5[i]
            v = max(v, v * slope)
            phase[i] = min(max(v, -clamp), clamp)


@_compiled(inline="always")
def _from(phases: Any, place: int, up: int, lanes: int) -> Any:
    """A row that is kept in phases, from a pixel on."""
    return phases[place % up, place // up * lanes :]


@_compiled(inline="always")
def _reduce_sideways(into: Any, phases: Any, taps: Any, up: int, down: int, lanes: int, add: bool) -> None:
    """Filter a row of phases and keep every ``down``-th pixel, the kept ones in phases again."""
    for e in range(into.shape[0]):
        kept = into[e]
        for k in range(0, len(taps), GROUP):
            t = down * e + k
            a0, a1 = _from(phases, t, up, lanes), _from(phases, t + 1, up, lanes)
            a2, a3 = _from(phases, t + 2, up, lanes), _from(phases, t + 3, up, lanes)
            a4, a5 = _from(phases, t + 4, up, lanes), _from(phases, t + 5, up, lanes)
            a6, a7 = _from(phases, t + 6, up, lanes), _from(phases, t + 7, up, lanes)
            a8, a9 = _from(phases, t + 8, up, lanes), _from(phases, t + 9, up, lanes)
            a10, a11 = _from(phases, t + 10, up, lanes), _from(phases, t + 11, up, lanes)
            g0, g1, g2, g3, g4, g5 = taps[k], taps[k + 1], taps[k + 2], taps[k + 3], taps[k + 4], taps[k + 5]
            g6, g7, g8, g9, g10, g11 = taps[k + 6], taps[k + 7], taps[k + 8], taps[k + 9], taps[k + 10], taps[k + 11]
            for z in range(into.shape[1]):
                v = g0 * a0[z] + g1 * a1[z] + g2 * a2[z] + g3 * a3[z] + g4 * a4[z] + g5 * a5[z]
                v += g6 * a6[z] + g7 * a7[z] + g8 * a8[z] + g9 * a9[z] + g10 * a10[z] + g11 * a11[z]
                kept[z] = v + kept[z] if add or k > 0 else v


@_compiled(inline="always")
def _store(out: Any, kept: Any, begin: int, first: int, width: int, lanes: int) -> None:
    """Phases of kept pixels, from the ``begin``-th of each phase on, to a row ``[W, C]``."""
    step = kept.shape[0]
    for z in range(kept.shape[1] // lanes):
        for e in range(step):
            place = (begin + z) * step + e
            if place < out.shape[0]:
                pixel, into = kept[e, z * lanes : z * lanes + width], out[place, first : first + width]
                for lane in range(width):
                    into[lane] = pixel[lane]


@_compiled(parallel=True)
def separable(x, bias, out, x_taps, x_starts, y_taps, y_starts, down_taps, up, down, slope, clamp, lanes, tile, bands):
    """See :func:`filtered_lrelu`; a unit of work is ``lanes`` channels, ``tile`` kept pixels of each phase, a band."""
    step, size = up // down, len(down_taps)
    blocks, kept = (x.shape[3] + lanes - 1) // lanes, (out.shape[2] + step - 1) // step
    tiles, rows = (kept + tile - 1) // tile, (out.shape[1] + bands - 1) // bands
    reach, lowest = (size + down * step) // up + 1, x_starts.min()  # phases that a tile reads beyond its own
    for unit in prange(x.shape[0] * blocks * tiles * bands):
        n, block = unit // (blocks * tiles * bands), unit // (tiles * bands) % blocks
        first, begin, band = block * lanes, unit // bands % tiles * tile, unit % bands
        width, count = min(lanes, x.shape[3] - first), min(tile, kept - begin)
        ring = np.zeros((_RING, (count + reach + PHASE_TAPS + x_starts.max() - lowest) * lanes), np.float32)
        row = np.zeros(ring.shape[1], np.float32)
        phases = np.zeros((up, (count + reach) * lanes), np.float32)
        reduced = np.zeros((size, step, count * lanes), np.float32)
        total = np.zeros((step, count * lanes), np.float32)
        done = band * rows * down
        loaded = done // up + y_starts[done % up]
        for y in range(band * rows, min((band + 1) * rows, out.shape[1])):
            while done < y * down + size:
                top, taps = done // up + y_starts[done % up], y_taps[done % up]
                loaded = _advance(ring, x[n], bias, begin + lowest, first, width, lanes, loaded, top + PHASE_TAPS)
                _enlarge(phases, ring, row, top, lanes, taps, x_taps, x_starts - lowest, slope, clamp)
                _reduce_sideways(reduced[done % size], phases, down_taps, up, down, lanes, False)
                done += 1
            for e in range(step):
                sums = total[e]
                for k in range(0, size, GROUP):
                    t = y * down + k
                    d0, d1, d2 = reduced[t % size, e], reduced[(t + 1) % size, e], reduced[(t + 2) % size, e]
                    d3, d4, d5 = reduced[(t + 3) % size, e], reduced[(t + 4) % size, e], reduced[(t + 5) % size, e]
                    d6, d7, d8 = reduced[(t + 6) % size, e], reduced[(t + 7) % size, e], reduced[(t + 8) % size, e]
                    d9, d10, d11 = reduced[(t + 9) % size, e], reduced[(t + 10) % size, e], reduced[(t + 11) % size, e]
                    g0, g1, g2, g3 = down_taps[k], down_taps[k + 1], down_taps[k + 2], down_taps[k + 3]
                    g4, g5, g6, g7 = down_taps[k + 4], down_taps[k + 5], down_taps[k + 6], down_taps[k + 7]
                    g8, g9, g10, g11 = down_taps[k + 8], down_taps[k + 9], down_taps[k + 10], down_taps[k + 11]
                    for z in range(len(sums)):
                        v = g0 * d0[z] + g1 * d1[z] + g2 * d2[z] + g3 * d3[z] + g4 * d4[z] + g5 * d5[z]
                        v += g6 * d6[z] + g7 * d7[z] + g8 * d8[z] + g9 * d9[z] + g10 * d10[z] + g11 * d11[z]
                        sums[z] = v + sums[z] if k > 0 else v
            _store(out[n, y], total, begin, first, width, lanes)


@_compiled(parallel=True)
def radial(x, bias, out, x_taps, x_starts, y_taps, y_starts, down_taps, up, down, slope, clamp, lanes, tile, bands):
    """The same with a down-sampling filter ``[n, n]`` that is its own mirror image from top to bottom."""
    step, size = up // down, len(down_taps)
    blocks, kept = (x.shape[3] + lanes - 1) // lanes, (out.shape[2] + step - 1) // step
    tiles, rows = (kept + tile - 1) // tile, (out.shape[1] + bands - 1) // bands
    reach, lowest = (size + down * step) // up + 1, x_starts.min()
    for unit in prange(x.shape[0] * blocks * tiles * bands):
        n, block = unit // (blocks * tiles * bands), unit // (tiles * bands) % blocks
        first, begin, band = block * lanes, unit // bands % tiles * tile, unit % bands
        width, count = min(lanes, x.shape[3] - first), min(tile, kept - begin)
        ring = np.zeros((_RING, (count + reach + PHASE_TAPS + x_starts.max() - lowest) * lanes), np.float32)
        row = np.zeros(ring.shape[1], np.float32)
        enlarged = np.zeros((size, up, (count + reach) * lanes), np.float32)
        folded = np.zeros((up, (count + reach) * lanes), np.float32)
        total = np.zeros((step, count * lanes), np.float32)
        done = band * rows * down
        loaded = done // up + y_starts[done % up]
        for y in range(band * rows, min((band + 1) * rows, out.shape[1])):
            while done < y * down + size:
                top, taps = done // up + y_starts[done % up], y_taps[done % up]
                loaded = _advance(ring, x[n], bias, begin + lowest, first, width, lanes, loaded, top + PHASE_TAPS)
                _enlarge(enlarged[done % size], ring, row, top, lanes, taps, x_taps, x_starts - lowest, slope, clamp)
                done += 1
            for k in range(size // 2):
                upper, lower = enlarged[(y * down + k) % size], enlarged[(y * down + size - 1 - k) % size]
                for p in range(up):
                    a, b, into = upper[p], lower[p], folded[p]
                    for i in range(len(into)):
                        into[i] = a[i] + b[i]
                _reduce_sideways(total, folded, down_taps[k], up, down, lanes, k > 0)
            _store(out[n, y], total, begin, first, width, lanes)


def _phases(taps: Any, up: int, low: int) -> tuple[Any, Any]:
    """Taps ``[up, PHASE_TAPS]`` of every phase of the enlarged signal, and where each starts in the small one."""
    kernel = np.ascontiguousarray(taps[::-1] * up, dtype=np.float32)
    chosen = [(low - phase) % up for phase in range(up)]
    starts = [(phase + first - low) // up for phase, first in enumerate(chosen)]
    return np.stack([kernel[first::up] for first in chosen]), np.array(starts, dtype=np.int64)


def fits(up_taps: Any, down_taps: Any, up: int, down: int) -> bool:
    """Whether the loops above are written for such filters, ``up_taps`` and ``down_taps`` as arrays."""
    if up < 2 or up % down or up_taps.ndim != 1 or len(up_taps) != PHASE_TAPS * up or len(down_taps) % GROUP:
        return False
    return down_taps.ndim == 1 or np.array_equal(down_taps, down_taps[::-1])


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
        x: float32 ``[N, H, W, C]``, contiguous; ``bias`` is float32 ``[C]``.
        up_taps, down_taps: float32 ``[n]``, the second also ``[n, n]``; convolved, as they are symmetric.
        clamp: infinity for none; ``gain`` is above 0.
        threads: how many to use at most.

    Returns:
        float32 ``[N, H', W', C]``.
    """
    threads = max(1, min(threads, config.NUMBA_NUM_THREADS))
    set_num_threads(threads)
    left, right, top, bottom = padding
    x_taps, x_starts = _phases(up_taps, up, left)
    y_taps, y_starts = _phases(up_taps, up, top)
    tall = x.shape[1] * up + top + bottom - len(up_taps) + 1
    wide = x.shape[2] * up + left + right - len(up_taps) + 1
    size = len(down_taps)
    out = np.empty((x.shape[0], (tall - size) // down + 1, (wide - size) // down + 1, x.shape[3]), np.float32)
    kernel = np.ascontiguousarray(np.flip(down_taps), dtype=np.float32)
    run = separable if kernel.ndim == 1 else radial
    y_taps *= np.float32(gain)  # which a leaky ReLU lets through
    lanes = min(_LANES, key=lambda lanes: -(-x.shape[3] // lanes) * (lanes + 8))
    kept = -(-out.shape[2] * down // up)
    tile = max(4, min(kept, _TILE // (up * lanes) - (size + up) // up - 1))
    tile = -(-kept // -(-kept // tile))  # all alike
    units = x.shape[0] * -(-x.shape[3] // lanes) * -(-kept // tile)
    bands = min(-(-4 * threads // units), -(-out.shape[1] // size))  # enough for all, at little repeated work
    numbers = (np.float32(slope), np.float32(clamp), lanes, tile, bands)
    run(x, bias, out, x_taps, x_starts, y_taps, y_starts, kernel, up, down, *numbers)
    return out
