"""Operators of the StyleGAN line, each in one implementation, on ordinary PyTorch operations.

Sources: Karras et al., "Analyzing and Improving the Image Quality of StyleGAN" (2020), section 2.2, and
"Alias-Free Generative Adversarial Networks" (2021), section 3 and appendix C.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

# activation -> (function, the gain that keeps the variance of its output)
ACTIVATIONS = {
    "linear": (lambda x, alpha: x, 1.0),
    "relu": (lambda x, alpha: F.relu(x), math.sqrt(2)),
    "lrelu": (lambda x, alpha: F.leaky_relu(x, alpha), math.sqrt(2)),
    "tanh": (lambda x, alpha: torch.tanh(x), 1.0),
    "sigmoid": (lambda x, alpha: torch.sigmoid(x), 1.0),
    "elu": (lambda x, alpha: F.elu(x), 1.0),
    "selu": (lambda x, alpha: F.selu(x), 1.0),
    "softplus": (lambda x, alpha: F.softplus(x), 1.0),
    "swish": (lambda x, alpha: torch.sigmoid(x) * x, math.sqrt(2)),
}
SEPARABLE_FROM = 8  # taps; shorter filters are kept as two-dimensional kernels


def setup_filter(taps: Sequence[float] | Tensor | None) -> Tensor:
    """Make a low-pass filter with sum 1 from its taps.

    Returns:
        float32 ``[n, n]`` (the outer product), or ``[n]`` from ``SEPARABLE_FROM`` taps on; ``[1, 1]`` for None.
    """
    kernel = torch.as_tensor([1.0] if taps is None else taps, dtype=torch.float32)
    if kernel.ndim == 1 and kernel.numel() < SEPARABLE_FROM:
        kernel = kernel[:, None] * kernel[None, :]
    return kernel / kernel.sum()


def bias_act(
    x: Tensor,
    bias: Tensor | None = None,
    act: str = "linear",
    alpha: float = 0.2,
    gain: float | None = None,
    clamp: float | None = None,
    overwrite: bool = False,
) -> Tensor:
    """Add a bias along axis 1, apply an activation and a gain, clamp to ``[-clamp, clamp]``.

    ``gain`` None means the activation's own. ``overwrite`` allows the result to take the place of ``x``,
    which it does where no gradient is needed: new memory costs more than the arithmetic.
    """
    function, own = ACTIVATIONS[act]
    gain = own if gain is None else gain
    if bias is not None:
        bias = bias.reshape([1, -1] + [1] * (x.ndim - 2))
    if overwrite and not torch.is_grad_enabled():
        x = x if bias is None else x.add_(bias)
        x = F.leaky_relu_(x, alpha) if act == "lrelu" else function(x, alpha)
        x = x if gain == 1 else x.mul_(gain)
        return x if clamp is None else x.clamp_(-clamp, clamp)
    x = function(x if bias is None else x + bias, alpha)
    x = x if gain == 1 else x * gain
    return x if clamp is None else x.clamp(-clamp, clamp)


def upfirdn2d(
    x: Tensor,
    kernel: Tensor | None,
    up: int = 1,
    down: int = 1,
    padding: Sequence[int] = (0, 0, 0, 0),
    gain: float = 1,
    flip_filter: bool = False,
    bias: Tensor | None = None,
) -> Tensor:
    """Stuff with zeros, pad, filter, keep every ``down``-th pixel, and add a bias ``[C]``.

    Args:
        x: ``[N, C, H, W]``.
        kernel: ``[n]`` (used along both axes) or ``[kh, kw]``; None does not filter.
        padding: left, right, top, bottom, in pixels after up-sampling; negative crops.
        gain: factor on the result.
        flip_filter: False convolves, True correlates; equal for symmetric kernels.
    """
    if up > 1:
        n, c, h, w = x.shape
        x = F.pad(x.reshape(n, c, h, 1, w, 1), [0, up - 1, 0, 0, 0, up - 1])
        x = x.reshape(n, c, h * up, w * up)
    left, right, top, bottom = padding
    even = kernel is not None and left == right >= 0 and top == bottom >= 0  # then the convolution pads
    if any(padding) and not even:
        x = F.pad(x, list(padding))
    if kernel is None:
        x = x[:, :, ::down, ::down] * gain
        return x if bias is None else x + bias[:, None, None]
    wide, high = (left, top) if even else (0, 0)
    kernel = kernel.to(x.dtype)
    if not flip_filter:
        kernel = kernel.flip(list(range(kernel.ndim)))
    channels = x.shape[1]
    if kernel.ndim == 2:
        weight = (kernel * gain).expand(channels, 1, -1, -1)
        return F.conv2d(x, weight, bias, stride=down, padding=(high, wide), groups=channels)
    kernel = kernel * math.sqrt(gain)
    rows = kernel[:, None].expand(channels, 1, -1, -1)
    columns = kernel[None, :].expand(channels, 1, -1, -1)
    x = F.conv2d(x, rows, stride=(down, 1), padding=(high, 0), groups=channels)
    return F.conv2d(x, columns, bias, stride=(1, down), padding=(0, wide), groups=channels)


def upsample2d(x: Tensor, kernel: Tensor, up: int = 2) -> Tensor:
    """Enlarge ``[N, C, H, W]`` by a whole factor; the picture stays centred and keeps its mean."""
    if up == 2 and kernel.shape == (4, 4) and torch.equal(kernel, setup_filter((1, 3, 3, 1)).to(kernel)):
        # Doubling with these taps is bilinear interpolation of a picture with a black border.
        x = F.interpolate(F.pad(x, (1, 1, 1, 1)), scale_factor=2, mode="bilinear", align_corners=False)
        return x[:, :, 2:-2, 2:-2]
    size = kernel.shape[-1]
    low, high = (size + up - 1) // 2, (size - up) // 2
    return upfirdn2d(x, kernel, up=up, padding=(low, high, low, high), gain=up * up)


def conv2d_up(x: Tensor, weight: Tensor, kernel: Tensor, up: int, bias: Tensor | None = None) -> Tensor:
    """Convolve, enlarge by ``up`` and add a bias, as one transposed convolution and one low-pass filter.

    ``weight`` is ``[out, in, k, k]``; the result is that of stuffing with zeros, convolving and filtering.
    """
    size, taps = weight.shape[-1], kernel.shape[-1]
    low, high = (taps + up - 1) // 2, (taps - up) // 2
    if size == 1:  # the filter commutes with a pointwise convolution, which is cheaper first
        return upfirdn2d(F.conv2d(x, weight), kernel, up=up, padding=(low, high, low, high), gain=up * up, bias=bias)
    low, high = low + size // 2 - (size - 1), high + size // 2 - (size - up)
    x = F.conv_transpose2d(x, weight.transpose(0, 1), stride=up)
    return upfirdn2d(x, kernel, padding=(low, high, low, high), gain=up * up, bias=bias)


def style_scale(weight: Tensor, styles: Tensor) -> Tensor:
    """Demodulation: what brings every output of a styled convolution back to unit variance.

    StyleGAN2, equation 3. ``weight`` ``[out, in, k, k]`` and ``styles`` ``[N, in]`` give ``[N, out]``.
    """
    power = weight.square().sum(dim=(2, 3))  # [out, in]
    return (styles.square() @ power.t() + 1e-8).rsqrt()


def filtered_lrelu(
    x: Tensor,
    up_kernel: Tensor | None,
    down_kernel: Tensor | None,
    bias: Tensor | None = None,
    up: int = 1,
    down: int = 1,
    padding: Sequence[int] = (0, 0, 0, 0),
    gain: float = math.sqrt(2),
    slope: float = 0.2,
    clamp: float | None = None,
    flip_filter: bool = False,
) -> Tensor:
    """Leaky ReLU between an up- and a down-sampling filter (alias-free non-linearity).

    StyleGAN3, section 3.2: add the bias, enlarge by ``up``, activate, reduce by ``down``.
    """
    x = bias_act(x, bias)
    x = upfirdn2d(x, up_kernel, up=up, padding=padding, gain=up * up, flip_filter=flip_filter)
    x = bias_act(x, act="lrelu", alpha=slope, gain=gain, clamp=clamp, overwrite=True)
    return upfirdn2d(x, down_kernel, down=down, flip_filter=flip_filter)
