"""Operators of the StyleGAN family in ordinary PyTorch operations.

Sources: Karras et al., "Analyzing and Improving the Image Quality of StyleGAN" (2020), section 2.2, and
"Alias-Free Generative Adversarial Networks" (2021), section 3 and appendix C.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional as F

# activation -> (function, gain that preserves the variance)
ACTIVATIONS: dict[str, tuple[Callable[[Tensor, float], Tensor], float]] = {
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
SEPARABLE_FROM = 8  # taps; shorter filters become two-dimensional kernels


def setup_filter(
    taps: float | Sequence[float] | Sequence[Sequence[float]] | Tensor | None,
    normalize: bool = True,
    flip_filter: bool = False,
    gain: float = 1,
    separable: bool | None = None,
    device: torch.device | str | None = None,
) -> Tensor:
    """Make a low-pass filter from its taps.

    Args:
        taps: ``[n]``, ``[kh, kw]``, one number, or None for the identity.
        normalize: divide by the sum.
        flip_filter: reverse the taps.
        gain: factor on the filter's result.
        separable: keep one axis, used for rows and columns; None decides by the length.

    Returns:
        float32 ``[n, n]`` (the outer product), or ``[n]`` from ``SEPARABLE_FROM`` taps on; ``[1, 1]`` for None.

    Raises:
        ValueError: no taps, more than two axes, or two axes with ``separable``.
    """
    kernel = torch.as_tensor(1.0 if taps is None else taps, dtype=torch.float32)
    kernel = kernel[None] if kernel.ndim == 0 else kernel
    if kernel.ndim > 2 or kernel.numel() == 0 or (separable and kernel.ndim == 2):
        wanted = "[n]" if separable else "[n] or [kh, kw]"
        raise ValueError(f"a filter of shape {list(kernel.shape)}: taps of shape {wanted} are needed")
    if kernel.ndim == 1 and not (kernel.numel() >= SEPARABLE_FROM if separable is None else separable):
        kernel = kernel[:, None] * kernel[None, :]
    if normalize:
        kernel = kernel / kernel.sum()
    if flip_filter:
        kernel = kernel.flip(list(range(kernel.ndim)))
    factor: float = gain ** (kernel.ndim / 2)  # a separable filter is applied twice
    return (kernel * factor).to(device=device)


def bias_act(
    x: Tensor,
    bias: Tensor | None = None,
    act: str = "linear",
    alpha: float = 0.2,
    gain: float | None = None,
    clamp: float | None = None,
    overwrite: bool = False,
    dim: int = 1,
) -> Tensor:
    """Add a bias along axis ``dim``, apply an activation and a gain, clamp to ``[-clamp, clamp]``.

    ``gain`` None means the activation's own. ``overwrite`` allows computing in place in ``x``, which is done where no
    gradient is needed: allocating memory takes longer than the arithmetic.
    """
    function, own = ACTIVATIONS[act]
    gain = own if gain is None else gain
    if bias is not None:
        bias = bias.reshape([-1 if axis == dim else 1 for axis in range(x.ndim)])
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
    up: int | Sequence[int] = 1,
    down: int | Sequence[int] = 1,
    padding: Sequence[int] = (0, 0, 0, 0),
    gain: float = 1,
    flip_filter: bool = False,
    bias: Tensor | None = None,
) -> Tensor:
    """Insert zeros, pad, filter, keep every ``down``-th pixel, and add a bias ``[C]``.

    Args:
        x: ``[N, C, H, W]``.
        kernel: ``[n]`` (used along both axes) or ``[kh, kw]``; None does not filter.
        up, down: whole factors, one number or (along x, along y).
        padding: left, right, top, bottom, in pixels after up-sampling; negative crops.
        gain: factor on the result.
        flip_filter: False convolves, True correlates; equal for symmetric kernels.
    """
    (up_x, up_y), (down_x, down_y) = _pair(up), _pair(down)
    if max(up_x, up_y) > 1 and kernel is not None and kernel.ndim == 1 and x.device.type == "cpu":
        taps = (kernel.flip(0) if flip_filter else kernel).to(x.dtype) * gain**0.5
        x = _stretched(x, taps, up_y, padding[2], padding[3], 2)
        x = _stretched(x, taps, up_x, padding[0], padding[1], 3)[:, :, ::down_y, ::down_x]
        return x if bias is None else x + bias[:, None, None]
    if up_x > 1 or up_y > 1:
        n, c, h, w = x.shape
        x = F.pad(x.reshape(n, c, h, 1, w, 1), [0, up_x - 1, 0, 0, 0, up_y - 1])
        x = x.reshape(n, c, h * up_y, w * up_x)
    left, right, top, bottom = padding
    even = kernel is not None and left == right >= 0 and top == bottom >= 0  # conv2d pads
    if not even:
        x = _pad(x, padding)
    if kernel is None:
        x = x[:, :, ::down_y, ::down_x] * gain
        return x if bias is None else x + bias[:, None, None]
    wide, high = (left, top) if even else (0, 0)
    kernel = (kernel * gain ** (kernel.ndim / 2)).to(x.dtype)
    if not flip_filter:
        kernel = kernel.flip(list(range(kernel.ndim)))
    channels = x.shape[1]
    if kernel.ndim == 2:
        weight = kernel.expand(channels, 1, -1, -1)
        return F.conv2d(x, weight, bias, stride=(down_y, down_x), padding=(high, wide), groups=channels)
    rows = kernel[:, None].expand(channels, 1, -1, -1)
    columns = kernel[None, :].expand(channels, 1, -1, -1)
    x = F.conv2d(x, rows, stride=(down_y, 1), padding=(high, 0), groups=channels)
    return F.conv2d(x, columns, bias, stride=(1, down_x), padding=(0, wide), groups=channels)


def _stretched(x: Tensor, taps: Tensor, up: int, low: int, high: int, axis: int) -> Tensor:
    """Insert zeros, pad and convolve along one axis, as a transposed convolution without the inserted zeros.

    On a CPU with channels last it takes a sixth of the time.
    """
    size, channels = len(taps), x.shape[1]
    full = (x.shape[axis] - 1) * up + size
    first, stop = size - 1 - low, size - 1 - low + x.shape[axis] * up + low + high - size + 1
    if stop <= first:
        raise RuntimeError(f"a picture of {x.shape[axis]} pixels is too small for this filter and padding")
    crop = min(max(first, 0), max(full - stop, 0), size - 1)  # cropped by the convolution itself
    vertical = axis == 2
    weight = (taps[:, None] if vertical else taps[None]).expand(channels, 1, -1, -1)
    stride, padding = ((up, 1), (crop, 0)) if vertical else ((1, up), (0, crop))
    x = F.conv_transpose2d(x, weight, stride=stride, padding=padding, groups=channels)
    around = (crop - first, stop - full + crop)
    return _pad(x, (0, 0, *around) if vertical else (*around, 0, 0))


def upsample2d(
    x: Tensor,
    kernel: Tensor | None,
    up: int | Sequence[int] = 2,
    padding: Sequence[int] = (0, 0, 0, 0),
    gain: float = 1,
    flip_filter: bool = False,
) -> Tensor:
    """Enlarge ``[N, C, H, W]`` by whole factors; the picture stays centred and keeps its mean.

    ``padding`` (left, right, top, bottom, after up-sampling) is added to that which centres the picture.
    """
    if _pair(up) == (2, 2) and gain == 1 and not any(padding) and _is_bilinear(kernel):
        # Doubling with these taps is bilinear interpolation of a picture padded with zeros.
        x = F.interpolate(F.pad(x, (1, 1, 1, 1)), scale_factor=2, mode="bilinear", align_corners=False)
        return x[:, :, 2:-2, 2:-2]
    up_x, up_y = _pair(up)
    padding = _plus(padding, _centred_up(kernel, up_x, up_y))
    return upfirdn2d(x, kernel, up, padding=padding, gain=gain * up_x * up_y, flip_filter=flip_filter)


def downsample2d(
    x: Tensor,
    kernel: Tensor | None,
    down: int | Sequence[int] = 2,
    padding: Sequence[int] = (0, 0, 0, 0),
    gain: float = 1,
    flip_filter: bool = False,
) -> Tensor:
    """Reduce ``[N, C, H, W]`` by whole factors; the picture stays centred and keeps its mean."""
    padding = _plus(padding, _centred_down(kernel, *_pair(down)))
    return upfirdn2d(x, kernel, down=down, padding=padding, gain=gain, flip_filter=flip_filter)


def filter2d(
    x: Tensor,
    kernel: Tensor | None,
    padding: Sequence[int] = (0, 0, 0, 0),
    gain: float = 1,
    flip_filter: bool = False,
) -> Tensor:
    """Filter ``[N, C, H, W]`` to the same size, padded with zeros."""
    wide, high = filter_size(kernel)
    around = (wide // 2, (wide - 1) // 2, high // 2, (high - 1) // 2)
    return upfirdn2d(x, kernel, padding=_plus(padding, around), gain=gain, flip_filter=flip_filter)


def conv2d_up(
    x: Tensor,
    weight: Tensor,
    kernel: Tensor | None,
    up: int,
    bias: Tensor | None = None,
    padding: Sequence[int] | None = None,
    groups: int = 1,
    flip_weight: bool = False,
    flip_filter: bool = False,
) -> Tensor:
    """Convolve, enlarge by ``up`` and add a bias, as one transposed convolution and one low-pass filter.

    ``weight`` is ``[out, in / groups, kh, kw]``; the result is that of inserting zeros, convolving (with
    ``flip_weight``: correlating) and filtering. ``padding`` None keeps the size, times ``up``.
    """
    high, wide = weight.shape[2:]
    if high == wide == 1:  # commutes with the filter, and is cheaper before it
        padding = _plus((0, 0, 0, 0) if padding is None else padding, _centred_up(kernel, up, up))
        x = F.conv2d(x, weight, groups=groups)
        return upfirdn2d(x, kernel, up, 1, padding, gain=up * up, flip_filter=flip_filter, bias=bias)
    if flip_weight:
        weight = weight.flip([2, 3])
    return conv2d_up_transposed(x, transposed(weight, groups), kernel, up, bias, padding, groups, flip_filter)


def transposed(weight: Tensor, groups: int = 1) -> Tensor:
    """A kernel ``[out, in / groups, kh, kw]`` as transposed convolutions have it: ``[in, out / groups, kh, kw]``."""
    out, _, high, wide = weight.shape
    return weight.reshape(groups, out // groups, -1, high, wide).transpose(1, 2).flatten(0, 1)


def conv2d_up_transposed(
    x: Tensor,
    weight: Tensor,
    kernel: Tensor | None,
    up: int,
    bias: Tensor | None = None,
    padding: Sequence[int] | None = None,
    groups: int = 1,
    flip_filter: bool = False,
) -> Tensor:
    """As :func:`conv2d_up`, of a kernel larger than a point that is :func:`transposed` already."""
    high, wide = weight.shape[2:]
    if padding is None:
        padding = (wide // 2, wide // 2, high // 2, high // 2)
    padding = _plus(padding, _centred_up(kernel, up, up))
    # A transposed convolution gives the full margin.
    padding = _plus(padding, (1 - wide, up - wide, 1 - high, up - high))
    x = F.conv_transpose2d(x, weight, stride=up, groups=groups)
    return upfirdn2d(x, kernel, padding=padding, gain=up * up, flip_filter=flip_filter, bias=bias)


def conv2d_resample(
    x: Tensor,
    weight: Tensor,
    kernel: Tensor | None = None,
    up: int = 1,
    down: int = 1,
    padding: Sequence[int] = (0, 0, 0, 0),
    groups: int = 1,
    flip_weight: bool = True,
    flip_filter: bool = False,
) -> Tensor:
    """Enlarge by ``up``, convolve without padding, reduce by ``down``; both with the low-pass filter ``kernel``.

    Args:
        x: ``[N, in, H, W]``.
        weight: ``[out, in / groups, kh, kw]``.
        padding: left, right, top, bottom, after up-sampling, in addition to that which centres the filters.
        flip_weight: True correlates, as ``conv2d`` does; False convolves.
        flip_filter: the same of ``kernel``.
    """
    if down > 1:
        padding = _plus(padding, _centred_down(kernel, down, down))
    if up > 1:
        x = conv2d_up(x, weight, kernel, up, None, padding, groups, flip_weight, flip_filter)
        return x if down == 1 else upfirdn2d(x, kernel, down=down, flip_filter=flip_filter)
    if not flip_weight:
        weight = weight.flip([2, 3])
    if down > 1:  # convolutions without padding commute; the cheaper one goes first
        pointwise = weight.shape[2] == weight.shape[3] == 1
        x = upfirdn2d(x, kernel, down=down if pointwise else 1, padding=padding, flip_filter=flip_filter)
        return F.conv2d(x, weight, stride=1 if pointwise else down, groups=groups)
    left, right, top, bottom = padding
    if left == right >= 0 and top == bottom >= 0:
        return F.conv2d(x, weight, padding=(top, left), groups=groups)
    return F.conv2d(_pad(x, padding), weight, groups=groups)


def filter_size(kernel: Tensor | None) -> tuple[int, int]:
    """Width and height of a filter; ``[n]`` is used for both axes, and None is one tap."""
    return (1, 1) if kernel is None else (int(kernel.shape[-1]), int(kernel.shape[0]))


def _centred_up(kernel: Tensor | None, up_x: int, up_y: int) -> tuple[int, int, int, int]:
    """Padding (left, right, top, bottom) that keeps a picture centred in up-sampling."""
    wide, high = filter_size(kernel)
    return (wide + up_x - 1) // 2, (wide - up_x) // 2, (high + up_y - 1) // 2, (high - up_y) // 2


def _centred_down(kernel: Tensor | None, down_x: int, down_y: int) -> tuple[int, int, int, int]:
    """Padding (left, right, top, bottom) that keeps a picture centred in down-sampling."""
    wide, high = filter_size(kernel)
    return (wide - down_x + 1) // 2, (wide - down_x) // 2, (high - down_y + 1) // 2, (high - down_y) // 2


def _is_bilinear(kernel: Tensor | None) -> bool:
    if kernel is None or kernel.shape != (4, 4):
        return False
    return torch.equal(kernel, _bilinear().to(kernel))


@lru_cache(maxsize=1)
def _bilinear() -> Tensor:
    return setup_filter((1, 3, 3, 1))


def _pad(x: Tensor, padding: Sequence[int]) -> Tensor:
    """Pad with zeros at the left, right, top and bottom; negative sizes crop."""
    if max(padding) > 0:
        x = F.pad(x, [max(size, 0) for size in padding])
    if min(padding) < 0:
        left, right, top, bottom = (max(-size, 0) for size in padding)
        x = x[:, :, top : max(x.shape[2] - bottom, 0), left : max(x.shape[3] - right, 0)]
    return x


def _pair(factor: int | Sequence[int]) -> tuple[int, int]:
    """A factor along x and along y."""
    return (factor, factor) if isinstance(factor, int) else (factor[0], factor[1])


def _plus(padding: Sequence[int], more: Sequence[int]) -> tuple[int, ...]:
    return tuple(one + other for one, other in zip(padding, more))


def power_of(weight: Tensor) -> Tensor:
    """Squared weights of a kernel, summed over its taps: ``[out, in, k, k]`` to ``[out, in]``."""
    squares = weight.square()
    return squares[:, :, 0, 0] if weight.shape[2:] == (1, 1) else squares.sum(dim=(2, 3))


def style_scale(power: Tensor, styles: Tensor) -> Tensor:
    """Demodulation: factors that restore unit variance of a styled convolution's outputs.

    StyleGAN2, equation 3. ``power`` ``[out, in]`` of :func:`power_of` and ``styles`` ``[N, in]`` give ``[N, out]``.
    """
    return (styles.square() @ power.t() + 1e-8).rsqrt()


class Layer(Protocol):
    """The attributes that :func:`working_dtype` reads."""

    use_fp16: bool
    bfloat16_on_cpu: bool


def working_dtype(layer: Layer, device: torch.device, force_fp32: bool) -> torch.dtype:
    """The type a layer computes in: float16 on CUDA with ``use_fp16``, bfloat16 on a CPU with ``bfloat16_on_cpu``.

    Otherwise, and with ``force_fp32``, it is float32.
    """
    if device.type == "cuda" and layer.use_fp16 and not force_fp32:
        return torch.float16
    return torch.bfloat16 if device.type == "cpu" and layer.bfloat16_on_cpu and not force_fp32 else torch.float32


@lru_cache(maxsize=1)
def numba_works() -> bool:
    """Whether the module ``fused``, with loops compiled by Numba, can be used."""
    try:
        from . import fused  # noqa: F401
    except Exception:  # an ImportError, or errors of an old Numba with a new NumPy
        return False
    return True


def _fits_compiled_loops(x: Tensor, up_kernel: Tensor, down_kernel: Tensor, up: int, down: int) -> bool:
    if x.device.type != "cpu" or x.dtype not in (torch.float32, torch.bfloat16) or torch.is_grad_enabled():
        return False
    if x.ndim != 4 or {up_kernel.dtype, down_kernel.dtype} != {torch.float32} or not numba_works():
        return False
    from . import fused

    return fused.fits(up_kernel.detach().numpy(), down_kernel.detach().numpy(), up, down)


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

    StyleGAN3, section 3.2: add the bias, up-sample, activate, down-sample. On a CPU, where no gradient is needed and
    Numba is installed (the extra ``fast``), this is one pass over each channel.
    """
    kernels = None if up_kernel is None or down_kernel is None or flip_filter or gain <= 0 else (up_kernel, down_kernel)
    if kernels and _fits_compiled_loops(x, *kernels, up, down):
        from . import fused

        biases = torch.zeros(x.shape[1]) if bias is None else bias.to(torch.float32)
        up_taps, down_taps, offsets = (tensor.detach().contiguous().numpy() for tensor in (*kernels, biases))
        pixels = x.detach().permute(0, 2, 3, 1).contiguous()  # channels last, as in the convolution's result
        array = pixels.view(torch.int16).numpy().view("uint16") if x.dtype == torch.bfloat16 else pixels.numpy()
        numbers = (slope, math.inf if clamp is None else clamp, gain, torch.get_num_threads())
        made = fused.filtered_lrelu(array, up_taps, down_taps, offsets, up, down, padding, *numbers)
        bits = made.view("int16") if x.dtype == torch.bfloat16 else made  # NumPy has no bfloat16
        return torch.from_numpy(bits).view(x.dtype).permute(0, 3, 1, 2)
    dtype = x.dtype
    if dtype == torch.bfloat16 and x.device.type == "cpu":  # the filters are not faster in bfloat16
        x, bias = x.to(torch.float32), None if bias is None else bias.to(torch.float32)
    x = bias_act(x, bias)
    x = upfirdn2d(x, up_kernel, up=up, padding=padding, gain=up * up, flip_filter=flip_filter)
    x = bias_act(x, act="lrelu", alpha=slope, gain=gain, clamp=clamp, overwrite=True)
    return upfirdn2d(x, down_kernel, down=down, flip_filter=flip_filter).to(dtype)
