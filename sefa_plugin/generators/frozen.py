"""StyleGAN2's layers for gradients with respect to ws, of weights that stay as they are; on a CPU.

Each layer is one operation with its gradient by hand. What depends on the weights alone is computed once, convolutions
are those of ``quick`` both ways, and of a layer's four intermediate results one is kept. Results differ from the usual
ones by rounding.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from . import ops
from .quick import FROM_CHANNELS, in_tiles, winograd, winograd_weights

if TYPE_CHECKING:
    from .mapping import FullyConnectedLayer
    from .stylegan2 import SynthesisLayer, ToRGBLayer

FOLD_FROM = 64  # pixels from which on scaling the weights of one picture is cheaper than scaling its features
SLOPE = 0.2  # of the activation
_BLUR = 4  # taps of the low-pass filter of a layer to twice the size


@dataclass
class _Layer:
    """What is computed once for a layer and gain.

    Attributes:
        affine: kernel ``[w_dim, in]`` and bias of the styles.
        weight: of the convolution, ``[out, in, 3, 3]``, to twice the size ``[in, out, 3, 3]``.
        tiles: kernels of ``winograd``, there and back; None where it is not faster.
        power: ``[out, in]`` of ``ops.power_of``.
        blur: the low-pass filter of a layer to twice the size, ``[out, 1, 4, 4]``, there and back.
        bias: ``[out]``, times gain.
        noise: ``[H, W]``, times strength and gain.
        sums: ``[2, H * W]``, ones and that noise.
        shares: ``[2, out]``, by which gradients summed up with them count in that of the demodulation.
    """

    affine: tuple[Tensor, Tensor]
    weight: Tensor
    tiles: tuple[Tensor, Tensor] | None
    power: Tensor
    blur: tuple[Tensor, Tensor] | None
    bias: Tensor
    noise: Tensor
    sums: Tensor
    shares: Tensor
    gain: float
    clamp: float | None


class Frozen:
    """Prepared weights of a network, passed as ``synthesis(ws, quick=...)``; invalid after a change of the weights."""

    def __init__(self) -> None:
        self._layers: dict[tuple[SynthesisLayer, float], _Layer] = {}
        self._colours: dict[ToRGBLayer, tuple[Tensor, Tensor, Tensor]] = {}

    def suits(self, layer: SynthesisLayer, x: Tensor, noise_mode: str) -> bool:
        """Whether :meth:`convolved` has a layer and its input ``[N, in, h, w]``."""
        return (
            x.device.type == "cpu"
            and x.dtype == torch.float32
            and torch.is_grad_enabled()
            and not layer.weight.requires_grad
            and layer.use_noise
            and noise_mode == "const"
            and layer.activation == "lrelu"
            and layer.weight.shape[2:] == (3, 3)
            and (layer.up == 1 or (layer.up == 2 and layer.resample_filter.shape == (_BLUR, _BLUR)))
        )

    def convolved(self, layer: SynthesisLayer, x: Tensor, w: Tensor, gain: float) -> Tensor:
        """A layer: ``[N, in, h, w]`` and ``[N, w_dim]`` to ``[N, out, resolution, resolution]``."""
        key = layer, gain
        held = self._layers.get(key)
        if held is None:
            held = self._layers[key] = _prepared(layer, gain)
        made: Tensor = _Styled.apply(x, torch.addmm(held.affine[1], w, held.affine[0]), held)  # type: ignore[no-untyped-call]
        return made

    def coloured(self, layer: ToRGBLayer, x: Tensor, w: Tensor) -> Tensor:
        """ToRGB: ``[N, in, h, w]`` and ``[N, w_dim]`` to ``[N, out, h, w]``."""
        held = self._colours.get(layer)
        if held is None:
            kernel, bias = (part * layer.weight_gain for part in _affine(layer.affine))
            held = self._colours[layer] = kernel, bias, layer.weight[:, :, 0, 0]
        styles = torch.addmm(held[1], w, held[0])
        made: Tensor = _Coloured.apply(x, styles, held[2], layer.bias, layer.conv_clamp)  # type: ignore[no-untyped-call]
        return made


def _affine(layer: FullyConnectedLayer) -> tuple[Tensor, Tensor]:
    return (layer.weight * layer.weight_gain).t().contiguous(), layer.bias * layer.bias_gain


def _prepared(layer: SynthesisLayer, gain: float) -> _Layer:
    clamp = None if layer.conv_clamp is None else layer.conv_clamp * gain
    gain = layer.act_gain * gain
    weight: Tensor = layer.weight
    bias = layer.bias * gain
    tiles = None
    if layer.up == 1 and min(weight.shape[:2]) >= FROM_CHANNELS and in_tiles(layer.noise_const.shape):
        tiles = winograd_weights(weight), winograd_weights(weight.transpose(0, 1).flip(2, 3))
    power = ops.power_of(weight)
    if layer.up == 2:
        weight = ops.transposed(weight)
    weight = weight.contiguous(memory_format=torch.channels_last)
    noise = layer.noise_const * (layer.noise_strength * gain)
    sums = torch.stack([torch.ones(noise.numel()), noise.flatten()])
    shares = torch.stack([bias, torch.ones_like(bias)])
    blur = None
    if layer.up == 2:
        kernel = (layer.resample_filter * 4).expand(len(bias), 1, -1, -1)
        blur = kernel.flip(2, 3).contiguous(), kernel.contiguous()
    return _Layer(_affine(layer.affine), weight, tiles, power, blur, bias, noise, sums, shares, gain, clamp)


class _Styled(torch.autograd.Function):
    """Styled convolution, noise, bias and leaky ReLU, with gradients for the features and the styles."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, styles: Tensor, held: _Layer) -> Tensor:
        restored = ops.style_scale(held.power, styles)
        scale = restored * held.gain
        half = None
        if held.tiles is None and len(x) == 1 and x.shape[-1] >= FOLD_FROM:
            axis = 0 if held.blur is None else 1  # of the outputs
            half = held.weight * scale[0].reshape([-1 if place == axis else 1 for place in range(4)])
            weight = half * styles[0].reshape([-1 if place == 1 - axis else 1 for place in range(4)])
            made = _there(x, weight, held, held.bias)
        else:
            made = _there(x * styles[:, :, None, None], held.weight, held)
            made.mul_(scale[:, :, None, None]).add_(held.bias[:, None, None])
        F.leaky_relu_(made.add_(held.noise), SLOPE)
        ctx.held, ctx.clamped = held, _clamped(made, held.clamp)
        ctx.save_for_backward(x, styles, restored, scale, made, half)
        return made

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor, None]:
        held: _Layer = ctx.held
        x, styles, restored, scale, made, half = ctx.saved_tensors
        if ctx.clamped is not None:
            gradient = gradient * ctx.clamped
        # The activation is its own slope times its input, so with the gradient's product this one is had for less.
        inner = torch.ops.aten.leaky_relu_backward(gradient, made, SLOPE, True)
        of_scale = (gradient * made).sum(dim=(2, 3))  # times the scale
        of_scale -= (torch.matmul(held.sums, _pixels(inner)) * held.shares).sum(dim=1)
        if half is None:
            inner.mul_(scale[:, :, None, None])
        entering = _back(inner, held.weight if half is None else half, held)
        of_styles = (entering * x).sum(dim=(2, 3))
        of_styles -= styles * torch.mm(of_scale * restored.square(), held.power)
        return entering.mul_(styles[:, :, None, None]) if ctx.needs_input_grad[0] else None, of_styles, None


class _Coloured(torch.autograd.Function):
    """Styled pointwise convolution and bias, with gradients for the features and the styles."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, styles: Tensor, weight: Tensor, bias: Tensor, clamp: float | None) -> Tensor:
        styled = styles[:, None] * weight  # [N, out, in]
        pixels = _pixels(x)
        made = torch.baddbmm(bias, pixels, styled.transpose(1, 2))
        ctx.clamped = _clamped(made, clamp)
        ctx.save_for_backward(pixels, styled, weight)
        ctx.sides = x.shape[2:]
        return made.view(len(x), *x.shape[2:], -1).permute(0, 3, 1, 2)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None, None, None]:
        pixels, styled, weight = ctx.saved_tensors
        gradient = _pixels(gradient)
        if ctx.clamped is not None:
            gradient = gradient * ctx.clamped
        of_styles = (torch.bmm(gradient.transpose(1, 2), pixels) * weight).sum(dim=1)
        entering = torch.bmm(gradient, styled)
        return entering.view(len(entering), *ctx.sides, -1).permute(0, 3, 1, 2), of_styles, None, None, None


def _pixels(x: Tensor) -> Tensor:
    """``[N, C, H, W]`` to ``[N, H * W, C]``, without a copy if channels are last."""
    return x.permute(0, 2, 3, 1).flatten(1, 2)


def _clamped(x: Tensor, most: float | None) -> Tensor | None:
    """Clamp in place; returns where that changed nothing, None for everywhere."""
    if most is None:
        return None
    low, high = torch.aminmax(x)
    if max(-float(low), float(high)) <= most:
        return None
    return x.clamp_(-most, most).abs() < most


def _there(x: Tensor, weight: Tensor, held: _Layer, bias: Tensor | None = None) -> Tensor:
    """The convolution of a layer."""
    if held.tiles is not None:
        return winograd(x, held.tiles[0])
    if held.blur is None:
        return F.conv2d(x, weight, bias, padding=1)
    made = F.conv_transpose2d(x, weight, stride=2)
    return F.conv2d(made, held.blur[0], bias, padding=1, groups=len(held.blur[0]))


def _back(gradient: Tensor, weight: Tensor, held: _Layer) -> Tensor:
    """The gradient of its input."""
    if held.tiles is not None:
        return winograd(gradient, held.tiles[1])
    if held.blur is None:
        return F.conv_transpose2d(gradient, weight, padding=1)
    gradient = F.conv2d(gradient, held.blur[1], padding=_BLUR - 2, groups=len(held.blur[1]))
    return F.conv2d(gradient, weight, stride=2)
