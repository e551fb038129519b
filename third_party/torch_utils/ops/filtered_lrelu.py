"""Leaky ReLU between an up- and a down-sampling filter (StyleGAN3, section 3.2)."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor

from sefa_plugin.generators import ops

from .upfirdn2d import WHOLE, _check, _get_filter_size, _parse_padding


def filtered_lrelu(
    x: Tensor,
    fu: Tensor | None = None,
    fd: Tensor | None = None,
    b: Tensor | None = None,
    up: int = 1,
    down: int = 1,
    padding: int | Sequence[int] = 0,
    gain: float = math.sqrt(2),
    slope: float = 0.2,
    clamp: float | None = None,
    flip_filter: bool = False,
    impl: str = "cuda",
) -> Tensor:
    """Add a bias ``[C]``, enlarge by ``up``, leaky ReLU with gain and clamp, reduce by ``down``.

    Args:
        x: ``[N, C, H, W]``.
        fu, fd: float32 ``[n]`` or ``[kh, kw]``, or None to filter nothing.
        b: bias, of the dtype of ``x``.
        padding: pixels after up-sampling: one number, (x, y), or (left, right, top, bottom); negative crops.
        slope: of the leaky ReLU below zero.
        impl: "ref" or "cuda", which makes no difference here.

    Raises:
        AssertionError: an argument of another kind or out of its range.
    """
    _check(x, fu, impl)
    _check(x, fd, impl)
    if b is not None:
        fine = isinstance(b, Tensor) and b.shape == (x.shape[1],) and b.dtype == x.dtype
        assert fine, f"filtered_lrelu: the bias must be {x.dtype} of shape [{x.shape[1]}]"
    for factor in (up, down):
        assert isinstance(factor, WHOLE) and factor >= 1, f"filtered_lrelu: {factor!r} is no whole factor"
    assert gain > 0, f"filtered_lrelu: gain is {gain}, not above zero"
    assert slope >= 0, f"filtered_lrelu: slope is {slope}, below zero"
    assert clamp is None or clamp >= 0, f"filtered_lrelu: clamp is {clamp}, below zero"
    return ops.filtered_lrelu(
        x,
        fu,
        fd,
        b,
        int(up),
        int(down),
        _parse_padding(padding),
        float(gain),
        float(slope),
        None if clamp is None else float(clamp),
        flip_filter,
    )


__all__ = ["_get_filter_size", "_parse_padding", "filtered_lrelu"]
