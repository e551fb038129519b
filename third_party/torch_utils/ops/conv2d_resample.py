"""Convolution together with up- or down-sampling."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from sefa_plugin.generators import ops

from .conv2d_gradfix import _gated
from .upfirdn2d import WHOLE, _check, _get_filter_size, _parse_padding


def conv2d_resample(
    x: Tensor,
    w: Tensor,
    f: Tensor | None = None,
    up: int = 1,
    down: int = 1,
    padding: int | Sequence[int] = 0,
    groups: int = 1,
    flip_weight: bool = True,
    flip_filter: bool = False,
) -> Tensor:
    """Enlarge by ``up``, convolve, reduce by ``down``, with the low-pass filter ``f`` for both.

    Args:
        x: ``[N, in, H, W]``.
        w: ``[out, in / groups, kh, kw]``, of the dtype of ``x``.
        f: from ``upfirdn2d.setup_filter``, or None.
        padding: pixels after up-sampling: one number, (x, y), or (left, right, top, bottom).
        flip_weight: True correlates (as ``conv2d`` does), False convolves.
        flip_filter: the same of ``f``.

    Raises:
        AssertionError: an argument of another kind or out of its range.
    """
    _check(x, f, "ref")
    fine = isinstance(w, Tensor) and w.ndim == 4 and w.dtype == x.dtype
    assert fine, f"conv2d_resample: the weight must be {x.dtype} of shape [out, in / groups, kh, kw]"
    for name, number in (("up", up), ("down", down), ("groups", groups)):
        assert isinstance(number, WHOLE) and number >= 1, f"conv2d_resample: {name} is {number!r}"
    padding = _parse_padding(padding)
    return ops.conv2d_resample(x, _gated(w), f, int(up), int(down), padding, int(groups), flip_weight, flip_filter)


__all__ = ["_get_filter_size", "_parse_padding", "conv2d_resample"]
