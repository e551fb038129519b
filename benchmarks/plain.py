"""The generators' arithmetic as their papers write it, with nothing done for speed: what ours is measured against.

Every sample gets a weight of its own (StyleGAN2, section 2.2), filters run over zero-stuffed pictures, and each
step is an operation of its own. The weights are those of our generators.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F


def filtered(x: Tensor, kernel: Tensor | None, up: int = 1, down: int = 1, padding: Any = (0, 0, 0, 0)) -> Tensor:
    """Stuff ``[N, C, H, W]`` with zeros, pad or crop, convolve with a kernel of ``[n]`` or ``[n, n]``, keep some."""
    n, channels, high, wide = x.shape
    stuffed = x.new_zeros(n, channels, high * up, wide * up)
    stuffed[:, :, ::up, ::up] = x
    x = F.pad(stuffed, list(padding))
    if kernel is None:
        return x[:, :, ::down, ::down]
    if kernel.ndim == 2:
        weight = kernel.flip([0, 1]).mul(up * up).expand(channels, 1, -1, -1)
        return F.conv2d(x, weight, groups=channels)[:, :, ::down, ::down]
    weight = kernel.flip([0]).mul(up).expand(channels, 1, -1)
    x = F.conv2d(x, weight[:, :, :, None], groups=channels)
    return F.conv2d(x, weight[:, :, None], groups=channels)[:, :, ::down, ::down]


def modulated(x: Tensor, weight: Tensor, styles: Tensor, demodulate: bool, padding: int, up: int = 1) -> Tensor:
    """A convolution with weights scaled for each sample: a grouped one, with ``up`` 2 a transposed one."""
    n, channels = styles.shape
    weight = weight[None] * styles[:, None, :, None, None]
    if demodulate:
        weight = weight * (weight.square().sum(dim=(2, 3, 4), keepdim=True) + 1e-8).rsqrt()
    grouped = x.reshape(1, n * channels, *x.shape[2:])
    if up == 1:
        y = F.conv2d(grouped, weight.flatten(0, 1), padding=padding, groups=n)
    else:
        weight = weight.transpose(1, 2)
        y = F.conv_transpose2d(grouped, weight.flatten(0, 1), stride=up, groups=n)
    return y.reshape(n, -1, *y.shape[2:])


def stylegan2(synthesis: Any, ws: Tensor) -> Tensor:
    """Render ws ``[N, num_ws, w_dim]`` with the weights of a skip network; constant noise."""
    x = img = None
    index = 0
    for resolution in synthesis.block_resolutions:
        block = getattr(synthesis, f"b{resolution}")
        if x is None:
            x = block.const.expand(len(ws), -1, -1, -1)
        else:
            x = _stylegan2_layer(block.conv0, x, ws[:, index])
            index += 1
        x = _stylegan2_layer(block.conv1, x, ws[:, index])
        index += 1
        torgb = block.torgb
        styles = torgb.affine(ws[:, index]) * torgb.weight_gain
        colours = modulated(x, torgb.weight, styles, False, 0) + torgb.bias[:, None, None]
        if torgb.conv_clamp is not None:
            colours = colours.clamp(-torgb.conv_clamp, torgb.conv_clamp)
        img = colours if img is None else filtered(img, block.resample_filter, up=2, padding=(2, 1, 2, 1)) + colours
    return img


def _stylegan2_layer(layer: Any, x: Tensor, w: Tensor) -> Tensor:
    x = modulated(x, layer.weight, layer.affine(w), True, layer.padding, layer.up)
    if layer.up == 2:
        x = filtered(x, layer.resample_filter * 4, padding=(1, 1, 1, 1))
    x = x + layer.noise_const * layer.noise_strength
    x = F.leaky_relu(x + layer.bias[:, None, None], 0.2) * math.sqrt(2)
    return x if layer.conv_clamp is None else x.clamp(-layer.conv_clamp, layer.conv_clamp)


def stylegan3(synthesis: Any, ws: Tensor) -> Tensor:
    """Render ws ``[N, num_ws, w_dim]`` with the weights of a StyleGAN3 network."""
    x = synthesis.input(ws[:, 0])
    for name, w in zip(synthesis.layer_names, ws.unbind(dim=1)[1:]):
        layer = getattr(synthesis, name)
        styles, weight, plan = layer.affine(w), layer.weight, layer.plan
        if plan.is_torgb:
            styles = styles / math.sqrt(plan.in_channels * plan.conv_kernel**2)
        else:
            weight = weight * weight.square().mean(dim=(1, 2, 3), keepdim=True).rsqrt()
            styles = styles * styles.square().mean().rsqrt()
        styles = styles * layer.magnitude_ema.rsqrt() if plan.is_torgb else styles
        x = modulated(x, weight, styles, not plan.is_torgb, plan.conv_kernel - 1)
        x = x if plan.is_torgb else x * layer.magnitude_ema.rsqrt()
        x = filtered(x + layer.bias[:, None, None], layer.up_filter, up=plan.up_factor, padding=plan.padding)
        x = x if plan.is_torgb else F.leaky_relu(x, 0.2) * math.sqrt(2)
        x = x if layer.conv_clamp is None else x.clamp(-layer.conv_clamp, layer.conv_clamp)
        x = filtered(x, layer.down_filter, down=plan.down_factor)
    return x * synthesis.output_scale


def synthesize(G: Any, ws: Tensor) -> Tensor:
    """Render with ``G``'s weights, ``noise_mode='const'``, float32."""
    with torch.no_grad():
        return (stylegan3 if hasattr(G.synthesis, "input") else stylegan2)(G.synthesis, ws)
