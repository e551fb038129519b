"""Bias, activation, gain and clamp in one call."""

from __future__ import annotations

from torch import Tensor

from sefa_plugin.generators import ops
from sefa_plugin.third_party.dnnlib import EasyDict

_DEFAULT_ALPHA = {"lrelu": 0.2}
# What the toolkits' compiled operator saves for the gradient.
_SAVES = {"linear": "", "swish": "x"}
_SECOND_GRADIENT = {"tanh", "sigmoid", "elu", "selu", "softplus", "swish"}


def _record(number: int, name: str) -> EasyDict:
    function, gain = ops.ACTIVATIONS[name]
    default = _DEFAULT_ALPHA.get(name, 0)
    return EasyDict(
        func=lambda x, alpha=default, **_: function(x, alpha),
        def_alpha=default,
        def_gain=gain,
        cuda_idx=number,
        ref=_SAVES.get(name, "y"),
        has_2nd_grad=name in _SECOND_GRADIENT,
    )


activation_funcs = {name: _record(number, name) for number, name in enumerate(ops.ACTIVATIONS, start=1)}


def bias_act(
    x: Tensor,
    b: Tensor | None = None,
    dim: int = 1,
    act: str = "linear",
    alpha: float | None = None,
    gain: float | None = None,
    clamp: float | None = None,
    impl: str = "cuda",
) -> Tensor:
    """Add ``b`` along axis ``dim``, apply an activation and a gain, clamp to ``[-clamp, clamp]``.

    ``alpha`` and ``gain`` None mean the activation's own (``activation_funcs``). ``impl`` is "ref" or "cuda",
    and makes no difference here.

    Raises:
        AssertionError: ``x`` is no tensor, ``b`` does not fit axis ``dim``, a negative ``clamp``, or ``impl``.
        KeyError: an activation that does not exist.
    """
    assert isinstance(x, Tensor), "bias_act takes a tensor"
    assert impl in ("ref", "cuda"), f"bias_act: impl is 'ref' or 'cuda', not {impl!r}"
    assert clamp is None or clamp >= 0, f"bias_act: clamp is {clamp}, which is negative"
    if b is not None:
        assert isinstance(b, Tensor) and b.ndim == 1, "bias_act: the bias has one axis"
        assert 0 <= dim < x.ndim, f"bias_act: no axis {dim} in a tensor with {x.ndim}"
        assert len(b) == x.shape[dim], f"bias_act: {len(b)} biases for axis {dim} of {list(x.shape)}"
    record = activation_funcs[act]
    return ops.bias_act(
        x,
        b,
        act,
        alpha=float(record.def_alpha if alpha is None else alpha),
        gain=float(record.def_gain if gain is None else gain),
        clamp=None if clamp is None else float(clamp),
        dim=dim,
    )
