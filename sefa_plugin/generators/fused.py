"""The alias-free non-linearity in one pass over the picture, compiled by Numba (the extra ``fast``).

Karras et al., "Alias-Free Generative Adversarial Networks" (2021), section 3.2. Channels come last, and some dozens
of them (lanes) go through together, as if the numbers of a picture were vectors. Enlarging is split into its phases,
which stay apart until the end: inner loops run over neighbouring numbers, and no zero is multiplied.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import config, njit, prange, set_num_threads, types
from numba.extending import overload

PHASE_TAPS = 6  # of the up-sampling filter, per phase; the loops are written out for them
PAIRS = 6  # of taps of the down-sampling filter that one loop applies: each loop reads and writes its sums
NEGLIGIBLE = 1e-6  # of the largest part of a filter
# Channels that go through together, a line of the cache or more: then no load straddles two of them.
_LANES = (128, 64, 48, 32, 16)
_RING = 8  # input rows that are held, at least PHASE_TAPS
_PAGE, _SPREAD = 1024, 80  # numbers: what a way of the first cache holds; a twelfth of it, in whole lines
_PART = 2048  # numbers of it that go from step to step together; they and what they become fit the first cache
_TILE = 20480  # numbers in an enlarged row that is worked on at once; twelve reduced ones fit the second cache


def _compiled(**options: Any) -> Any:
    def decorate(function: Any) -> Any:
        try:
            return njit(cache=True, fastmath=True, nogil=True, **options)(function)
        except RuntimeError:  # nowhere to keep the compiled code
            return njit(fastmath=True, nogil=True, **options)(function)

    return decorate


@_compiled(inline="always")
def _apart(numbers: int) -> int:
    """A length of rows, at least this, that keeps those read together out of each other's sets of the cache."""
    return numbers + (_SPREAD - numbers) % _PAGE


@_compiled(inline="always")
def _zeros(count: int) -> Any:
    """Numbers from the beginning of a cache line on: otherwise every vector would straddle two."""
    held = np.zeros(count + 16, np.float32)
    first = -(held.ctypes.data // 4) % 16
    return held[first : first + count]


def _widen(into: Any, i: int, source: Any, bias: Any) -> None:
    """The numbers of the i-th pixel with their bias, as float32."""
    raise NotImplementedError  # compiled code only


@overload(_widen, inline="always")
def _widen_by_type(into, i, source, bias):
    def float32(into, i, source, bias):
        for lane in range(len(source)):
            into[i, lane] = source[lane] + bias[lane]

    def bfloat16(into, i, source, bias):
        bits = into.view(np.uint32)
        for lane in range(len(source)):
            bits[i, lane] = np.uint32(source[lane]) << np.uint32(16)
        for lane in range(len(source)):
            into[i, lane] += bias[lane]

    return bfloat16 if source.dtype == types.uint16 else float32


def _narrow(into: Any, source: Any, i: int) -> None:
    """The numbers of the i-th pixel, rounded to the nearest (of two, to the even one) where they become bfloat16."""
    raise NotImplementedError  # compiled code only


@overload(_narrow, inline="always")
def _narrow_by_type(into, source, i):
    def float32(into, source, i):
        for lane in range(len(into)):
            into[lane] = source[i, lane]

    def bfloat16(into, source, i):
        bits = source.view(np.uint32)
        for lane in range(len(into)):
            even = (bits[i, lane] >> np.uint32(16)) & np.uint32(1)
            into[lane] = np.uint16((bits[i, lane] + np.uint32(0x7FFF) + even) >> np.uint32(16))

    return bfloat16 if into.dtype == types.uint16 else float32


@_compiled(inline="always")
def _load(into: Any, count: int, x: Any, bias: Any, left: int, first: int, width: int, lanes: int) -> None:
    """Pixels of a row from column ``left`` on, ``width`` of its channels and their bias; black beyond its edges."""
    pixels, biases = into[: count * lanes].reshape(count, lanes), bias[first : first + width]
    for i in range(count):
        if 0 <= left + i < x.shape[0]:
            _widen(pixels, i, x[left + i, first : first + width], biases)
        else:
            pixels[i, :] = 0


@_compiled(inline="always")
def _advance(
    ring: Any, count: int, x: Any, bias: Any, left: int, first: int, width: int, lanes: int, loaded: int, wanted: int
) -> int:
    """Load the rows of a picture up to ``wanted``; those beyond its edges are black."""
    while loaded < wanted:
        row = ring[loaded % _RING]
        if 0 <= loaded < x.shape[0]:
            _load(row, count, x[loaded], bias, left, first, width, lanes)
        else:
            row[:] = 0
        loaded += 1
    return loaded


@_compiled(inline="always")
def _mix_rows(row, begin, stop, ring, top, taps):
    """Six input rows from ``top`` on to one row of the enlarged picture, which is not wider yet."""
    c0, c1, c2, c3, c4, c5 = taps[0], taps[1], taps[2], taps[3], taps[4], taps[5]
    # Slices, since an index that might be negative is tested at every number.
    i0, i1, i2 = ring[top % _RING, begin:], ring[(top + 1) % _RING, begin:], ring[(top + 2) % _RING, begin:]
    i3, i4, i5 = ring[(top + 3) % _RING, begin:], ring[(top + 4) % _RING, begin:], ring[(top + 5) % _RING, begin:]
    into = row[begin:stop]
    for i in range(len(into)):
        into[i] = c0 * i0[i] + c1 * i1[i] + c2 * i2[i] + c3 * i3[i] + c4 * i4[i] + c5 * i5[i]


@_compiled(inline="always")
def _enlarge(phases, begin, stop, row, lanes, taps, starts, slope, clamp):
    """A part of a row to its phases, activated."""
    for p in range(phases.shape[0]):
        t0, t1, t2, t3, t4, t5 = taps[p, 0], taps[p, 1], taps[p, 2], taps[p, 3], taps[p, 4], taps[p, 5]
        into, r0 = phases[p, begin:stop], row[begin + starts[p] * lanes :]
        r1, r2, r3, r4, r5 = r0[lanes:], r0[2 * lanes :], r0[3 * lanes :], r0[4 * lanes :], r0[5 * lanes :]
        for i in range(len(into)):
            v = t0 * r0[i] + t1 * r1[i] + t2 * r2[i] + t3 * r3[i] + t4 * r4[i] + t5 * r5[i]
            v = max(v, v * slope)
            into[i] = min(max(v, -clamp), clamp)


@_compiled(inline="always")
def _from(phases: Any, place: int, up: int, lanes: int, begin: int) -> Any:
    """A row that is kept in phases, from a pixel on."""
    return phases[place % up, place // up * lanes + begin :]


@_compiled(inline="always")
def _fold_one(into, taps, add, a0, a1, a2, a3, a4, a5, b0, b1, b2, b3, b4, b5):
    """Sums of pairs by six taps, from whose other halves they are the mirror image: half the multiplications."""
    g0, g1, g2, g3, g4, g5 = taps[0], taps[1], taps[2], taps[3], taps[4], taps[5]
    for z in range(len(into)):
        v = g0 * (a0[z] + b0[z]) + g1 * (a1[z] + b1[z]) + g2 * (a2[z] + b2[z])
        v += g3 * (a3[z] + b3[z]) + g4 * (a4[z] + b4[z]) + g5 * (a5[z] + b5[z])
        into[z] = v + into[z] if add else v


@_compiled(inline="always")
def _fold_two(one, two, taps, more, add, a0, a1, a2, a3, a4, a5, b0, b1, b2, b3, b4, b5):
    """The same with two filters, which share the sums."""
    g0, g1, g2, g3, g4, g5 = taps[0], taps[1], taps[2], taps[3], taps[4], taps[5]
    h0, h1, h2, h3, h4, h5 = more[0], more[1], more[2], more[3], more[4], more[5]
    for z in range(len(one)):
        c0, c1, c2 = a0[z] + b0[z], a1[z] + b1[z], a2[z] + b2[z]
        c3, c4, c5 = a3[z] + b3[z], a4[z] + b4[z], a5[z] + b5[z]
        v = g0 * c0 + g1 * c1 + g2 * c2 + g3 * c3 + g4 * c4 + g5 * c5
        w = h0 * c0 + h1 * c1 + h2 * c2 + h3 * c3 + h4 * c4 + h5 * c5
        one[z] = v + one[z] if add else v
        two[z] = w + two[z] if add else w


@_compiled(inline="always")
def _reduce_sideways(into, slot, begin, stop, phases, taps, up, down, lanes):
    """Filter a part of a row with every factor and keep each ``down``-th pixel, the kept ones in phases again."""
    factors, size = taps.shape[0], 2 * taps.shape[1]
    for e in range(into.shape[0]):
        for k in range(0, size // 2, PAIRS):
            t, u = down * e + k, down * e + size - 1 - k
            a0, b0 = _from(phases, t, up, lanes, begin), _from(phases, u, up, lanes, begin)
            a1, b1 = _from(phases, t + 1, up, lanes, begin), _from(phases, u - 1, up, lanes, begin)
            a2, b2 = _from(phases, t + 2, up, lanes, begin), _from(phases, u - 2, up, lanes, begin)
            a3, b3 = _from(phases, t + 3, up, lanes, begin), _from(phases, u - 3, up, lanes, begin)
            a4, b4 = _from(phases, t + 4, up, lanes, begin), _from(phases, u - 4, up, lanes, begin)
            a5, b5 = _from(phases, t + 5, up, lanes, begin), _from(phases, u - 5, up, lanes, begin)
            for f in range(0, factors - 1, 2):
                one, two = into[e, f, slot, begin:stop], into[e, f + 1, slot, begin:stop]
                g, h = taps[f, k:], taps[f + 1, k:]
                _fold_two(one, two, g, h, k > 0, a0, a1, a2, a3, a4, a5, b0, b1, b2, b3, b4, b5)
            if factors % 2:
                one, g = into[e, factors - 1, slot, begin:stop], taps[factors - 1, k:]
                _fold_one(one, g, k > 0, a0, a1, a2, a3, a4, a5, b0, b1, b2, b3, b4, b5)


@_compiled(inline="always")
def _sum_rows(total: Any, reduced: Any, first: int, taps: Any, add: bool) -> None:
    """Filter along columns: the rows from ``first`` on, held in a ring, to one."""
    size = len(reduced)
    for k in range(0, size // 2, PAIRS):
        t, u = first + k, first + size - 1 - k
        a0, b0 = reduced[t % size], reduced[u % size]
        a1, b1 = reduced[(t + 1) % size], reduced[(u - 1) % size]
        a2, b2 = reduced[(t + 2) % size], reduced[(u - 2) % size]
        a3, b3 = reduced[(t + 3) % size], reduced[(u - 3) % size]
        a4, b4 = reduced[(t + 4) % size], reduced[(u - 4) % size]
        a5, b5 = reduced[(t + 5) % size], reduced[(u - 5) % size]
        _fold_one(total, taps[k:], add or k > 0, a0, a1, a2, a3, a4, a5, b0, b1, b2, b3, b4, b5)


@_compiled(inline="always")
def _store(out: Any, kept: Any, begin: int, first: int, width: int, lanes: int) -> None:
    """Phases of kept pixels, from the ``begin``-th of each phase on, to a row ``[W, C]``."""
    step, count = kept.shape[0], kept.shape[1] // lanes
    for e in range(step):
        pixels = kept[e].reshape(count, lanes)
        for z in range(count):
            place = (begin + z) * step + e
            if place < out.shape[0]:
                _narrow(out[place, first : first + width], pixels, z)


@_compiled(parallel=True)
def _run(x, bias, out, x_taps, x_starts, y_taps, y_starts, across, along, up, down, slope, clamp, lanes, tile, bands):
    """See :func:`filtered_lrelu`; a unit of work is ``lanes`` channels, ``tile`` kept pixels of each phase, a band.

    ``across`` and ``along`` ``[factors, size / 2]`` are halves of the filters for rows and for columns.
    """
    step, size, factors = up // down, 2 * along.shape[1], len(along)
    blocks, kept = (x.shape[3] + lanes - 1) // lanes, (out.shape[2] + step - 1) // step
    tiles, rows = (kept + tile - 1) // tile, (out.shape[1] + bands - 1) // bands
    reach, lowest = (size - 1 + down * (step - 1)) // up, x_starts.min()  # phases that a kept pixel reads ahead
    starts = x_starts - lowest
    further = PHASE_TAPS - 1 + starts.max()  # pixels of the input, likewise
    part = _PART // lanes * lanes
    for unit in prange(x.shape[0] * blocks * tiles * bands):
        n, block = unit // (blocks * tiles * bands), unit // (tiles * bands) % blocks
        first, begin, band = block * lanes, unit // bands % tiles * tile, unit % bands
        width, count = min(lanes, x.shape[3] - first), min(tile, kept - begin)
        reading = (count + reach) * lanes
        wide = reading + further * lanes
        ring = _zeros(_RING * _apart(wide)).reshape(_RING, _apart(wide))
        row = _zeros(wide)
        phases = _zeros(up * _apart(reading)).reshape(up, _apart(reading))
        spaced = _apart(count * lanes)
        reduced = _zeros(step * factors * size * spaced).reshape(step, factors, size, spaced)
        total = _zeros(step * count * lanes).reshape(step, count * lanes)
        done = band * rows * down
        loaded = done // up + y_starts[done % up]
        for y in range(band * rows, min((band + 1) * rows, out.shape[1])):
            while done < y * down + size:
                top, taps = done // up + y_starts[done % up], y_taps[done % up]
                loaded = _advance(
                    ring, wide // lanes, x[n], bias, begin + lowest, first, width, lanes, loaded, top + PHASE_TAPS
                )
                mixed = enlarged = 0
                while enlarged < reading:  # in parts that stay in the first cache from step to step
                    stop = min(enlarged + part, reading)
                    _mix_rows(row, mixed, stop + further * lanes, ring, top, taps)
                    mixed = stop + further * lanes
                    _enlarge(phases, enlarged, stop, row, lanes, x_taps, starts, slope, clamp)
                    ready, until = max(enlarged - reach * lanes, 0), max(stop - reach * lanes, 0)
                    _reduce_sideways(reduced, done % size, ready, until, phases, across, up, down, lanes)
                    enlarged = stop
                done += 1
            for e in range(step):
                for f in range(factors):
                    _sum_rows(total[e], reduced[e, f], y * down, along[f], f > 0)
            _store(out[n, y], total, begin, first, width, lanes)


def _phases(taps: Any, up: int, low: int) -> tuple[Any, Any]:
    """Taps ``[up, PHASE_TAPS]`` of every phase of the enlarged signal, and where each starts in the small one."""
    kernel = np.ascontiguousarray(taps[::-1] * up, dtype=np.float32)
    chosen = [(low - phase) % up for phase in range(up)]
    starts = [(phase + first - low) // up for phase, first in enumerate(chosen)]
    return np.stack([kernel[first::up] for first in chosen]), np.array(starts, dtype=np.int64)


def fits(up_taps: Any, down_taps: Any, up: int, down: int) -> bool:
    """Whether the loops above are written for such filters, ``up_taps`` and ``down_taps`` as arrays."""
    if up < 2 or up % down or up_taps.ndim != 1 or len(up_taps) != PHASE_TAPS * up or len(down_taps) % (2 * PAIRS):
        return False
    return all(np.array_equal(down_taps, np.flip(down_taps, axis)) for axis in range(down_taps.ndim))


def _factors(taps: Any) -> tuple[Any, Any]:
    """A filter as a sum of separable ones: halves for rows and for columns, ``[factors, size / 2]`` float32.

    StyleGAN3's radial filters, 12 x 12 taps, are sums of two to five, to the precision of their own numbers.
    """
    if taps.ndim == 1:
        halves = np.ascontiguousarray(taps[None, : len(taps) // 2], dtype=np.float32)
        return halves, halves
    quarter = np.asarray(taps, dtype=np.float64)[: len(taps) // 2, : len(taps) // 2]
    columns, sizes, rows = np.linalg.svd(quarter)
    # The sum of what is left out is below the rounding of float32 sums.
    count = max(1, int(np.sum(sizes > NEGLIGIBLE * sizes[0])))
    roots = np.sqrt(sizes[:count, None])
    # Rows of both in memory as those of a separable filter are: another layout would be compiled a second time.
    return tuple((halves[:count] * roots).astype(np.float32, order="C") for halves in (rows, columns.T))


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
        x: float32 ``[N, H, W, C]``, contiguous, or uint16, the bits of bfloat16; ``bias`` is float32 ``[C]``.
        up_taps, down_taps: float32 ``[n]``, the second also ``[n, n]``; convolved, as they are symmetric.
        clamp: infinity for none; ``gain`` is above 0.
        threads: how many to use at most.

    Returns:
        ``[N, H', W', C]`` as ``x``; between them all is float32.
    """
    threads = max(1, min(threads, config.NUMBA_NUM_THREADS))
    set_num_threads(threads)
    left, right, top, bottom = padding
    x_taps, x_starts = _phases(up_taps, up, left)
    y_taps, y_starts = _phases(up_taps, up, top)
    tall = x.shape[1] * up + top + bottom - len(up_taps) + 1
    wide = x.shape[2] * up + left + right - len(up_taps) + 1
    size = len(down_taps)
    out = np.empty((x.shape[0], (tall - size) // down + 1, (wide - size) // down + 1, x.shape[3]), x.dtype)
    across, along = _factors(down_taps)
    y_taps *= np.float32(gain)  # which a leaky ReLU lets through
    lanes = min(_LANES, key=lambda lanes: -(-x.shape[3] // lanes) * (lanes + 8))
    kept = -(-out.shape[2] * down // up)
    tile = max(4, min(kept, _TILE // (up * lanes) - (size + up) // up - 1))
    tile = -(-kept // -(-kept // tile))  # all alike
    units = x.shape[0] * -(-x.shape[3] // lanes) * -(-kept // tile)
    bands = min(-(-4 * threads // units), -(-out.shape[1] // size))  # enough for all, at little repeated work
    numbers = (np.float32(slope), np.float32(clamp), lanes, tile, bands)
    _run(x, bias, out, x_taps, x_starts, y_taps, y_starts, across, along, up, down, *numbers)
    return out
