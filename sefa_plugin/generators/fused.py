"""The alias-free non-linearity in one pass over the picture, compiled by Numba (the extra ``fast``).

Karras et al., "Alias-Free Generative Adversarial Networks" (2021), section 3.2. The layout is channels last, and blocks
of channels (lanes) are processed together, so inner loops run over adjacent numbers and vectorise. Up-sampling is
polyphase: the phases are stored separately, and inserted zeros are never multiplied.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypedDict, TypeVar, Union, cast

import numpy as np
from numba import config, njit, prange, set_num_threads, types
from numba.extending import overload

if TYPE_CHECKING:
    from numba.core.dispatcher import Dispatcher
    from numpy.typing import NDArray
    from typing_extensions import Unpack

    Floats = NDArray[np.float32]
    Wholes = NDArray[np.int64]
    Pixels = Union[Floats, NDArray[np.uint16]]  # uint16: the bits of bfloat16
    Six = tuple[Floats, Floats, Floats, Floats, Floats, Floats]

PHASE_TAPS = 6  # of the up-sampling filter, per phase; the loops are written out for them
PAIRS = 6  # pairs of symmetric taps of the down-sampling filter per loop
NEGLIGIBLE = 1e-5  # relative to the largest singular value of a radial filter; smaller ones change a result by 1e-6
REACHED = 6  # output rows that an up-sampled row is added to per loop
# Channels processed together: whole cache lines, so that no load crosses two.
_LANES = (128, 64, 48, 32, 16)
_RING = 8  # input rows in the ring buffer, at least PHASE_TAPS
_PAGE, _SPREAD = 1024, 80  # numbers: a way of the L1 cache; a twelfth of it, in whole cache lines
_PART = 2048  # numbers of a row per step: they and their results fit the L1 cache
_TILE = 20480  # numbers of an up-sampled row per unit of work; six output rows fit the L2 cache

_Function = TypeVar("_Function", bound=Callable[..., object])


class _Options(TypedDict, total=False):
    inline: Literal["never", "always"]
    parallel: bool


def _compiled(**options: Unpack[_Options]) -> Callable[[_Function], _Function]:
    def decorate(function: _Function) -> _Function:
        try:
            compiled = njit(cache=True, fastmath=True, nogil=True, **options)(function)
        except RuntimeError:  # no writable folder for the compiled code
            compiled = njit(fastmath=True, nogil=True, **options)(function)
        return cast("_Function", compiled)

    return decorate


def _compiles(function: Callable[..., None]) -> Callable[[_Function], _Function]:
    """Register the decorated function to choose the compiled implementation of ``function`` by argument types."""

    def decorate(choose: _Function) -> _Function:
        # Not strict: that would compare annotations, which differ between implementations.
        chosen: _Function = overload(function, inline="always", strict=False)(choose)
        return chosen

    return decorate


@_compiled(inline="always")
def _apart(numbers: int) -> int:
    """A row stride of at least ``numbers`` with which rows that are read together use different cache sets."""
    return numbers + (_SPREAD - numbers) % _PAGE


@_compiled(inline="always")
def _zeros(count: int) -> Floats:
    """Zeros aligned to a cache line."""
    held = np.zeros(count + 16, np.float32)
    first = -(held.ctypes.data // 4) % 16
    return held[first : first + count]


def _widen(into: Floats, i: int, source: Pixels, bias: Floats) -> None:
    """Store a pixel plus bias as the i-th of ``into``, float32."""
    raise NotImplementedError  # compiled code only


@_compiles(_widen)
def _widen_by_type(into: types.Array, i: types.Type, source: types.Array, bias: types.Array) -> Callable[..., None]:
    def float32(into: Floats, i: int, source: Floats, bias: Floats) -> None:
        for lane in range(len(source)):
            into[i, lane] = source[lane] + bias[lane]

    def bfloat16(into: Floats, i: int, source: NDArray[np.uint16], bias: Floats) -> None:
        bits = into.view(np.uint32)
        for lane in range(len(source)):
            bits[i, lane] = np.uint32(source[lane]) << np.uint32(16)
        for lane in range(len(source)):
            into[i, lane] += bias[lane]

    return bfloat16 if source.dtype == types.uint16 else float32


def _narrow(into: Pixels, source: Floats, i: int) -> None:
    """Store the i-th pixel of ``source``; to bfloat16 with rounding to nearest, ties to even."""
    raise NotImplementedError  # compiled code only


@_compiles(_narrow)
def _narrow_by_type(into: types.Array, source: types.Array, i: types.Type) -> Callable[..., None]:
    def float32(into: Floats, source: Floats, i: int) -> None:
        for lane in range(len(into)):
            into[lane] = source[i, lane]

    def bfloat16(into: NDArray[np.uint16], source: Floats, i: int) -> None:
        bits = source.view(np.uint32)
        for lane in range(len(into)):
            even = (bits[i, lane] >> np.uint32(16)) & np.uint32(1)
            into[lane] = np.uint16((bits[i, lane] + np.uint32(0x7FFF) + even) >> np.uint32(16))

    return bfloat16 if into.dtype == types.uint16 else float32


@_compiled(inline="always")
def _load(into: Floats, count: int, x: Pixels, bias: Floats, left: int, first: int, width: int, lanes: int) -> None:
    """Load pixels of a row from column ``left`` on, ``width`` channels plus bias; 0 beyond the edges."""
    pixels, biases = into[: count * lanes].reshape(count, lanes), bias[first : first + width]
    for i in range(count):
        if 0 <= left + i < x.shape[0]:
            _widen(pixels, i, x[left + i, first : first + width], biases)
        else:
            pixels[i, :] = 0


@_compiled(inline="always")
def _advance(
    ring: Floats,
    count: int,
    x: Pixels,
    bias: Floats,
    left: int,
    first: int,
    width: int,
    lanes: int,
    loaded: int,
    wanted: int,
) -> int:
    """Load the rows of a picture up to ``wanted``, 0 beyond its edges; gives the number of loaded rows."""
    while loaded < wanted:
        row = ring[loaded % _RING]
        if 0 <= loaded < x.shape[0]:
            _load(row, count, x[loaded], bias, left, first, width, lanes)
        else:
            row[:] = 0
        loaded += 1
    return loaded


@_compiled()
def _mix_rows(row: Floats, begin: int, stop: int, ring: Floats, top: int, taps: Floats) -> None:
    """Vertical up-sampling: six input rows from ``top`` on to one row."""
    c0, c1, c2, c3, c4, c5 = taps[0], taps[1], taps[2], taps[3], taps[4], taps[5]
    # Slices: an index that may be negative would be tested for every number.
    i0, i1, i2 = ring[top % _RING, begin:], ring[(top + 1) % _RING, begin:], ring[(top + 2) % _RING, begin:]
    i3, i4, i5 = ring[(top + 3) % _RING, begin:], ring[(top + 4) % _RING, begin:], ring[(top + 5) % _RING, begin:]
    into = row[begin:stop]
    for i in range(len(into)):
        into[i] = c0 * i0[i] + c1 * i1[i] + c2 * i2[i] + c3 * i3[i] + c4 * i4[i] + c5 * i5[i]


@_compiled()
def _enlarge(
    phases: Floats,
    begin: int,
    stop: int,
    row: Floats,
    lanes: int,
    taps: Floats,
    starts: Wholes,
    slope: np.float32,
    clamp: np.float32,
) -> None:
    """Horizontal up-sampling and activation of a part of a row, into phases."""
    for p in range(phases.shape[0]):
        t0, t1, t2, t3, t4, t5 = taps[p, 0], taps[p, 1], taps[p, 2], taps[p, 3], taps[p, 4], taps[p, 5]
        into, r0 = phases[p, begin:stop], row[begin + starts[p] * lanes :]
        r1, r2, r3, r4, r5 = r0[lanes:], r0[2 * lanes :], r0[3 * lanes :], r0[4 * lanes :], r0[5 * lanes :]
        for i in range(len(into)):
            v = t0 * r0[i] + t1 * r1[i] + t2 * r2[i] + t3 * r3[i] + t4 * r4[i] + t5 * r5[i]
            v = max(v, v * slope)
            into[i] = min(max(v, -clamp), clamp)


@_compiled(inline="always")
def _from(phases: Floats, place: int, up: int, lanes: int, begin: int) -> Floats:
    """A view of a row in phases, from pixel ``place`` on."""
    return phases[place % up, place // up * lanes + begin :]


@_compiled()
def _fold_one(into: Floats, taps: Floats, add: bool, ahead: Six, mirrored: Six) -> None:
    """Apply six taps of a symmetric filter to sums of mirrored pixels: half the multiplications."""
    g0, g1, g2, g3, g4, g5 = taps[0], taps[1], taps[2], taps[3], taps[4], taps[5]
    a0, a1, a2, a3, a4, a5 = ahead
    b0, b1, b2, b3, b4, b5 = mirrored
    for z in range(len(into)):
        v = g0 * (a0[z] + b0[z]) + g1 * (a1[z] + b1[z]) + g2 * (a2[z] + b2[z])
        v += g3 * (a3[z] + b3[z]) + g4 * (a4[z] + b4[z]) + g5 * (a5[z] + b5[z])
        into[z] = v + into[z] if add else v


@_compiled()
def _fold_two(one: Floats, two: Floats, taps: Floats, more: Floats, add: bool, ahead: Six, mirrored: Six) -> None:
    """The same for two filters, which share the sums."""
    g0, g1, g2, g3, g4, g5 = taps[0], taps[1], taps[2], taps[3], taps[4], taps[5]
    h0, h1, h2, h3, h4, h5 = more[0], more[1], more[2], more[3], more[4], more[5]
    a0, a1, a2, a3, a4, a5 = ahead
    b0, b1, b2, b3, b4, b5 = mirrored
    for z in range(len(one)):
        c0, c1, c2 = a0[z] + b0[z], a1[z] + b1[z], a2[z] + b2[z]
        c3, c4, c5 = a3[z] + b3[z], a4[z] + b4[z], a5[z] + b5[z]
        v = g0 * c0 + g1 * c1 + g2 * c2 + g3 * c3 + g4 * c4 + g5 * c5
        w = h0 * c0 + h1 * c1 + h2 * c2 + h3 * c3 + h4 * c4 + h5 * c5
        one[z] = v + one[z] if add else v
        two[z] = w + two[z] if add else w


@_compiled()
def _reduce_sideways(
    into: Floats, begin: int, stop: int, phases: Floats, taps: Floats, up: int, down: int, lanes: int
) -> None:
    """Horizontal down-sampling of a part of a row with every factor; results are in phases again."""
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
            ahead, mirrored = (a0, a1, a2, a3, a4, a5), (b0, b1, b2, b3, b4, b5)
            for f in range(0, factors - 1, 2):
                one, two = into[e, f, begin:stop], into[e, f + 1, begin:stop]
                _fold_two(one, two, taps[f, k:], taps[f + 1, k:], k > 0, ahead, mirrored)
            if factors % 2:
                _fold_one(into[e, factors - 1, begin:stop], taps[factors - 1, k:], k > 0, ahead, mirrored)


@_compiled()
def _spread_one(v: Floats, g: Floats, out: Six) -> None:
    """Add one factor of a row to six output rows. A branch in these loops would prevent vectorisation."""
    g0, g1, g2, g3, g4, g5 = g[0], g[1], g[2], g[3], g[4], g[5]
    o0, o1, o2, o3, o4, o5 = out
    for z in range(len(v)):
        a = v[z]
        o0[z] += g0 * a
        o1[z] += g1 * a
        o2[z] += g2 * a
        o3[z] += g3 * a
        o4[z] += g4 * a
        o5[z] += g5 * a


@_compiled()
def _spread_two(v: Floats, w: Floats, g: Floats, h: Floats, out: Six) -> None:
    """The same for two factors: sums are read and written once for both."""
    g0, g1, g2, g3, g4, g5 = g[0], g[1], g[2], g[3], g[4], g[5]
    h0, h1, h2, h3, h4, h5 = h[0], h[1], h[2], h[3], h[4], h[5]
    o0, o1, o2, o3, o4, o5 = out
    for z in range(len(v)):
        a, b = v[z], w[z]
        o0[z] += g0 * a + h0 * b
        o1[z] += g1 * a + h1 * b
        o2[z] += g2 * a + h2 * b
        o3[z] += g3 * a + h3 * b
        o4[z] += g4 * a + h4 * b
        o5[z] += g5 * a + h5 * b


@_compiled()
def _spread_three(v: Floats, w: Floats, x: Floats, g: Floats, h: Floats, i: Floats, out: Six) -> None:
    """The same for three, the number of most radial filters."""
    g0, g1, g2, g3, g4, g5 = g[0], g[1], g[2], g[3], g[4], g[5]
    h0, h1, h2, h3, h4, h5 = h[0], h[1], h[2], h[3], h[4], h[5]
    i0, i1, i2, i3, i4, i5 = i[0], i[1], i[2], i[3], i[4], i[5]
    o0, o1, o2, o3, o4, o5 = out
    for z in range(len(v)):
        a, b, c = v[z], w[z], x[z]
        o0[z] += g0 * a + h0 * b + i0 * c
        o1[z] += g1 * a + h1 * b + i1 * c
        o2[z] += g2 * a + h2 * b + i2 * c
        o3[z] += g3 * a + h3 * b + i3 * c
        o4[z] += g4 * a + h4 * b + i4 * c
        o5[z] += g5 * a + h5 * b + i5 * c


@_compiled()
def _spread(sums: Floats, e: int, begin: int, stop: int, done: int, rows: Floats, taps: Floats, down: int) -> None:
    """Vertical down-sampling: add a part of an up-sampled row, by factor, to all output rows that it contributes to."""
    factors, reached = taps.shape[1], taps.shape[2]
    newest = done // down + reached  # keeps indices from being negative
    for j in range(0, reached, REACHED):
        y, g = newest - j, taps[done % down, :, j:]
        o0, o1 = sums[y % reached, e, begin:stop], sums[(y - 1) % reached, e, begin:stop]
        o2, o3 = sums[(y - 2) % reached, e, begin:stop], sums[(y - 3) % reached, e, begin:stop]
        o4, o5 = sums[(y - 4) % reached, e, begin:stop], sums[(y - 5) % reached, e, begin:stop]
        out = (o0, o1, o2, o3, o4, o5)
        if j == 0 and done % down == 0:
            o0[:] = 0  # its first contribution
        if factors == 3:
            v, w, x = rows[0, begin:stop], rows[1, begin:stop], rows[2, begin:stop]
            _spread_three(v, w, x, g[0], g[1], g[2], out)
            continue
        if factors % 2:
            _spread_one(rows[factors - 1, begin:stop], g[factors - 1], out)
        for f in range(0, factors - 1, 2):
            _spread_two(rows[f, begin:stop], rows[f + 1, begin:stop], g[f], g[f + 1], out)


@_compiled(inline="always")
def _store(out: Pixels, kept: Floats, begin: int, first: int, width: int, count: int, lanes: int) -> None:
    """Store output pixels, from the ``begin``-th of each phase on, in a row ``[W, C]``."""
    step = kept.shape[0]
    for e in range(step):
        pixels = kept[e][: count * lanes].reshape(count, lanes)
        for z in range(count):
            place = (begin + z) * step + e
            if place < out.shape[0]:
                _narrow(out[place, first : first + width], pixels, z)


@_compiled(parallel=True)
def _run(
    x: Pixels,
    bias: Floats,
    out: Pixels,
    x_taps: Floats,
    x_starts: Wholes,
    y_taps: Floats,
    y_starts: Wholes,
    across: Floats,
    along: Floats,
    up: int,
    down: int,
    slope: np.float32,
    clamp: np.float32,
    lanes: int,
    tile: int,
    bands: int,
) -> None:
    """See :func:`filtered_lrelu`; a unit of work: ``lanes`` channels, ``tile`` output pixels per phase, a band of rows.

    ``across`` and ``along`` are the results of :func:`_factors`.
    """
    step, factors, reached = up // down, along.shape[1], along.shape[2]
    size = reached * down
    blocks, kept = (x.shape[3] + lanes - 1) // lanes, (out.shape[2] + step - 1) // step
    tiles, rows = (kept + tile - 1) // tile, (out.shape[1] + bands - 1) // bands
    reach, lowest = (size - 1 + down * (step - 1)) // up, x_starts.min()  # pixels of a phase ahead of an output pixel
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
        reduced = _zeros(step * factors * spaced).reshape(step, factors, spaced)
        sums = _zeros(reached * step * spaced).reshape(reached, step, spaced)
        done = band * rows * down
        loaded = done // up + y_starts[done % up]
        for y in range(band * rows, min((band + 1) * rows, out.shape[1])):
            while done < y * down + size:
                top, taps = done // up + y_starts[done % up], y_taps[done % up]
                loaded = _advance(
                    ring, wide // lanes, x[n], bias, begin + lowest, first, width, lanes, loaded, top + PHASE_TAPS
                )
                mixed = enlarged = 0
                while enlarged < reading:  # in parts that stay in the L1 cache
                    stop = min(enlarged + part, reading)
                    _mix_rows(row, mixed, stop + further * lanes, ring, top, taps)
                    mixed = stop + further * lanes
                    _enlarge(phases, enlarged, stop, row, lanes, x_taps, starts, slope, clamp)
                    ready, until = max(enlarged - reach * lanes, 0), max(stop - reach * lanes, 0)
                    _reduce_sideways(reduced, ready, until, phases, across, up, down, lanes)
                    for e in range(step):
                        _spread(sums, e, ready, until, done, reduced[e], along, down)
                    enlarged = stop
                done += 1
            _store(out[n, y], sums[y % reached], begin, first, width, count, lanes)


def _phases(taps: Floats, up: int, low: int) -> tuple[Floats, Wholes]:
    """Taps ``[up, PHASE_TAPS]`` of every phase of the up-sampled signal, and the input pixel where each starts."""
    kernel = np.ascontiguousarray(taps[::-1] * up, dtype=np.float32)
    chosen = [(low - phase) % up for phase in range(up)]
    starts = [(phase + first - low) // up for phase, first in enumerate(chosen)]
    return np.stack([kernel[first::up] for first in chosen]), np.array(starts, dtype=np.int64)


def is_compiled() -> bool:
    """Whether Numba's folder holds the compiled loops, or they were compiled in this process."""
    dispatcher = cast("Dispatcher", _run)
    if dispatcher.signatures:
        return True
    folder, line = dispatcher.stats.cache_path, dispatcher.py_func.__code__.co_firstlineno
    return folder is not None and any(Path(folder).glob(f"fused._run-{line}.*.nbi"))


def fits(up_taps: Floats, down_taps: Floats, up: int, down: int) -> bool:
    """Whether these loops support such filters."""
    if up < 2 or up % down or up_taps.ndim != 1 or len(up_taps) != PHASE_TAPS * up:
        return False
    if len(down_taps) % (2 * PAIRS) or len(down_taps) % (REACHED * down):
        return False
    return all(np.array_equal(down_taps, np.flip(down_taps, axis)) for axis in range(down_taps.ndim))


def _factors(taps: Floats, down: int) -> tuple[Floats, Floats]:
    """A filter as a sum of separable ones.

    Returns:
        Horizontal half filters ``[factors, size / 2]``; vertical taps ``[down, factors, size / down]``, by row index
        modulo ``down``, for the output rows that a row contributes to, newest first.

    StyleGAN3's radial filters, 12 x 12 taps, are sums of two to five separable ones within float32 rounding.
    """
    half = len(taps) // 2
    if taps.ndim == 1:
        across = along = taps[None, :half]
    else:
        columns, sizes, rows = np.linalg.svd(np.asarray(taps, dtype=np.float64)[:half, :half])
        count = max(1, int(np.sum(sizes > NEGLIGIBLE * sizes[0])))
        roots = np.sqrt(sizes[:count, None])
        across, along = rows[:count] * roots, columns.T[:count] * roots
    along = np.concatenate([along, along[:, ::-1]], axis=1).reshape(len(along), -1, down)
    # Always contiguous: another memory layout would be compiled again.
    across, along = (np.ascontiguousarray(part, dtype=np.float32) for part in (across, along.transpose(2, 0, 1)))
    return across, along


def filtered_lrelu(
    x: Pixels,
    up_taps: Floats,
    down_taps: Floats,
    bias: Floats,
    up: int,
    down: int,
    padding: Sequence[int],
    slope: float,
    clamp: float,
    gain: float,
    threads: int,
) -> Pixels:
    """Enlarge, activate, reduce: see ``ops.filtered_lrelu``. ``fits`` must hold for the filters.

    Args:
        x: float32 ``[N, H, W, C]``, contiguous, or uint16, the bits of bfloat16; ``bias`` is float32 ``[C]``.
        up_taps, down_taps: float32 ``[n]``, the second also ``[n, n]``; convolved, as they are symmetric.
        clamp: infinity for none; ``gain`` is above 0.
        threads: how many to use at most.

    Returns:
        ``[N, H', W', C]`` of the dtype of ``x``; computed in float32.
    """
    threads = max(1, min(threads, vars(config)["NUMBA_NUM_THREADS"]))
    set_num_threads(threads)
    left, right, top, bottom = padding
    x_taps, x_starts = _phases(up_taps, up, left)
    y_taps, y_starts = _phases(up_taps, up, top)
    tall = x.shape[1] * up + top + bottom - len(up_taps) + 1
    wide = x.shape[2] * up + left + right - len(up_taps) + 1
    size = len(down_taps)
    out = np.empty((x.shape[0], (tall - size) // down + 1, (wide - size) // down + 1, x.shape[3]), x.dtype)
    across, along = _factors(down_taps, down)
    y_taps *= np.float32(gain)  # commutes with the leaky ReLU
    lanes = min(_LANES, key=lambda lanes: -(-x.shape[3] // lanes) * (lanes + 8))
    kept = -(-out.shape[2] * down // up)
    tile = max(4, min(kept, _TILE // (up * lanes) - (size + up) // up - 1))
    tile = -(-kept // -(-kept // tile))  # equal tiles
    units = x.shape[0] * -(-x.shape[3] // lanes) * -(-kept // tile)
    # Enough units for all threads, with few rows computed twice.
    bands = min(-(-4 * threads // units), -(-out.shape[1] // size))
    numbers = (np.float32(slope), np.float32(clamp), lanes, tile, bands)
    _run(x, bias, out, x_taps, x_starts, y_taps, y_starts, across, along, up, down, *numbers)
    return out
