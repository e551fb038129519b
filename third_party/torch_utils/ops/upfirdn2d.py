"""Resampling of pictures: insert zeros, pad, filter, keep every n-th pixel."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from sefa_plugin.generators import ops

WHOLE = (int, np.integer)


def setup_filter(
    f: float | Sequence | np.ndarray | Tensor | None,
    device: torch.device | str = "cpu",
    normalize: bool = True,
    flip_filter: bool = False,
    gain: float = 1,
    separable: bool | None = None,
) -> Tensor:
    """Make the filter of the functions here: float32 ``[n]`` (both axes) or ``[kh, kw]``; see ``ops.setup_filter``."""
    return ops.setup_filter(f, normalize, flip_filter, gain, separable, device)


def upfirdn2d(
    x: Tensor,
    f: Tensor | None,
    up: int | Sequence[int] = 1,
    down: int | Sequence[int] = 1,
    padding: int | Sequence[int] = 0,
    flip_filter: bool = False,
    gain: float = 1,
    impl: str = "cuda",
) -> Tensor:
    """Insert zeros into ``[N, C, H, W]``, pad, filter, and keep every ``down``-th pixel.

    Args:
        f: float32 ``[n]`` or ``[kh, kw]``, or None to filter nothing.
        up, down: a whole factor, or one along x and one along y.
        padding: pixels after up-sampling: one number, (x, y), or (left, right, top, bottom); negative crops.
        flip_filter: False convolves, True correlates.
        impl: "ref" or "cuda", which makes no difference here.

    Raises:
        AssertionError: an argument of another kind, or a picture that is smaller than the filter.
    """
    _check(x, f, impl)
    up_x, up_y = _parse_scaling(up)
    padding = _parse_padding(padding)
    wide, high = ops.filter_size(f)
    size = (x.shape[2] * up_y + sum(padding[2:]), x.shape[3] * up_x + sum(padding[:2]))
    assert size[0] >= high and size[1] >= wide, (
        f"upfirdn2d: a picture of {size[0]}x{size[1]} pixels after padding is smaller than the filter, {high}x{wide}"
    )
    return ops.upfirdn2d(x, f, (up_x, up_y), _parse_scaling(down), padding, gain, flip_filter)


def filter2d(
    x: Tensor,
    f: Tensor | None,
    padding: int | Sequence[int] = 0,
    flip_filter: bool = False,
    gain: float = 1,
    impl: str = "cuda",
) -> Tensor:
    """Filter to the same size; ``padding`` is added. The other arguments are those of :func:`upfirdn2d`."""
    _check(x, f, impl)
    return ops.filter2d(x, f, _parse_padding(padding), gain, flip_filter)


def upsample2d(
    x: Tensor,
    f: Tensor | None,
    up: int | Sequence[int] = 2,
    padding: int | Sequence[int] = 0,
    flip_filter: bool = False,
    gain: float = 1,
    impl: str = "cuda",
) -> Tensor:
    """Enlarge to ``up`` times the size; ``padding`` is added, in pixels of the result."""
    _check(x, f, impl)
    return ops.upsample2d(x, f, _parse_scaling(up), _parse_padding(padding), gain, flip_filter)


def downsample2d(
    x: Tensor,
    f: Tensor | None,
    down: int | Sequence[int] = 2,
    padding: int | Sequence[int] = 0,
    flip_filter: bool = False,
    gain: float = 1,
    impl: str = "cuda",
) -> Tensor:
    """Reduce to a ``down``-th of the size; ``padding`` is added, in pixels of ``x``."""
    _check(x, f, impl)
    return ops.downsample2d(x, f, _parse_scaling(down), _parse_padding(padding), gain, flip_filter)


def _check(x: Tensor, f: Tensor | None, impl: str) -> None:
    assert isinstance(x, Tensor) and x.ndim == 4, "a batch of pictures has the shape [N, C, H, W]"
    assert impl in ("ref", "cuda"), f"impl is 'ref' or 'cuda', not {impl!r}"
    _get_filter_size(f)
    assert f is None or f.is_floating_point(), f"filters are floating, not {f.dtype}"


def _parse_scaling(scaling: int | Sequence[int]) -> tuple[int, int]:
    """A factor, or one along each axis, as (x, y)."""
    both = [scaling, scaling] if isinstance(scaling, WHOLE) else scaling
    fine = isinstance(both, (list, tuple)) and len(both) == 2
    assert fine and all(isinstance(n, WHOLE) and n >= 1 for n in both), (
        f"{scaling!r} is no factor: a whole number from 1 on, or two"
    )
    return int(both[0]), int(both[1])


def _parse_padding(padding: int | Sequence[int]) -> tuple[int, int, int, int]:
    """One number, (x, y), or (left, right, top, bottom), as the latter."""
    sides = [padding, padding] if isinstance(padding, WHOLE) else padding
    fine = isinstance(sides, (list, tuple)) and len(sides) in (2, 4)
    assert fine and all(isinstance(n, WHOLE) for n in sides), (
        f"{padding!r} is no padding: one, two or four whole numbers"
    )
    if len(sides) == 2:
        sides = (sides[0], sides[0], sides[1], sides[1])
    left, right, top, bottom = (int(n) for n in sides)
    return left, right, top, bottom


def _get_filter_size(f: Tensor | None) -> tuple[int, int]:
    """Width and height of a filter; None is one tap."""
    assert f is None or (isinstance(f, Tensor) and f.ndim in (1, 2) and f.numel() > 0), (
        "a filter is a tensor [n] or [kh, kw]; make it with setup_filter"
    )
    return ops.filter_size(f)
