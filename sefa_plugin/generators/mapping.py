"""Common parts of the generators: the linear layer, the mapping network, and their interface."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from . import ops

Keywords = Mapping[str, Any]  # of a constructor, as stored in a network's file
# Keywords of the toolkits that have no effect in inference.
_TRAINING_ONLY = {"update_emas", "skip_w_avg_update", "fused_modconv", "force_fp32"}


def refuse_unknown(keywords: Mapping[str, object], where: str) -> None:
    """Raise ``TypeError`` for keywords that are not of the toolkits' interface."""
    unknown = sorted(set(keywords) - _TRAINING_ONLY)
    if unknown:
        raise TypeError(f"{where} does not take {', '.join(unknown)}")


def normalize_2nd_moment(x: Tensor) -> Tensor:
    """Divide ``[N, features]`` by the root of the mean square over the features."""
    return x * (x.square().mean(dim=1, keepdim=True) + 1e-8).rsqrt()


class FullyConnectedLayer(nn.Module):
    """Linear layer with run-time gains: ``act(x @ (gain * weight)^T + bias_gain * bias)``."""

    def __init__(
        self,
        in_features: int,
        out_features: int,
        activation: str = "linear",
        lr_multiplier: float = 1,
        bias_init: float = 0,
    ) -> None:
        super().__init__()
        self.in_features = in_features
        self.out_features = out_features
        self.activation = activation
        self.weight = nn.Parameter(torch.randn(out_features, in_features) / lr_multiplier)
        self.bias = nn.Parameter(torch.full((out_features,), float(bias_init)))
        self.weight_gain = lr_multiplier / math.sqrt(in_features)
        self.bias_gain = lr_multiplier

    def forward(self, x: Tensor) -> Tensor:
        """``[N, in_features]`` to ``[N, out_features]``."""
        x = F.linear(x, self.weight * self.weight_gain, self.bias * self.bias_gain)
        return ops.bias_act(x, act=self.activation)


class MappingNetwork(nn.Module):
    """Latents and labels to intermediate latents, with truncation.

    StyleGAN (2019), section 2; truncation as in its appendix B.

    Labels are embedded and normalised separately from z. With ``label_concat`` (StyleGAN and StyleGAN2 in TensorFlow)
    they are multiplied by a matrix, appended to z, and both are normalised together.
    """

    w_avg: Tensor

    def __init__(
        self,
        z_dim: int,
        c_dim: int,
        w_dim: int,
        num_ws: int,
        num_layers: int = 8,
        embed_features: int | None = None,
        layer_features: int | None = None,
        activation: str = "lrelu",
        lr_multiplier: float = 0.01,
        w_avg_beta: float | None = 0.995,
        label_concat: bool = False,
        normalize_latents: bool = True,
    ) -> None:
        super().__init__()
        self.z_dim = z_dim
        self.c_dim = c_dim
        self.w_dim = w_dim
        self.num_ws = num_ws
        self.num_layers = num_layers
        self.w_avg_beta = w_avg_beta
        self.label_concat = label_concat
        self.normalize_latents = normalize_latents
        embed = (w_dim if embed_features is None else embed_features) if c_dim else 0
        hidden = w_dim if layer_features is None else layer_features
        widths = [z_dim + embed] + [hidden] * (num_layers - 1) + [w_dim]
        if c_dim:
            self.embed = nn.Linear(c_dim, embed, bias=False) if label_concat else FullyConnectedLayer(c_dim, embed)
        for index, (inputs, outputs) in enumerate(zip(widths, widths[1:])):
            setattr(self, f"fc{index}", FullyConnectedLayer(inputs, outputs, activation, lr_multiplier))
        if w_avg_beta is not None:
            self.register_buffer("w_avg", torch.zeros(w_dim))

    def forward(
        self,
        z: Tensor,
        c: Tensor | None = None,
        truncation_psi: float = 1,
        truncation_cutoff: int | None = None,
        **keywords: object,
    ) -> Tensor:
        """Map latents.

        Args:
            z: ``[N, z_dim]``, any float type.
            c: ``[N, c_dim]`` labels (one-hot); None or ``[N, 0]`` for networks without labels.
            truncation_psi: 1 leaves ws unchanged, 0 gives w_avg.
            truncation_cutoff: how many rows of ws are truncated; None means all.

        Returns:
            float32 ``[N, num_ws, w_dim]``.

        Raises:
            ValueError: shapes are wrong, or a network with labels was given none.
        """
        refuse_unknown(keywords, "mapping")
        w = self._input(z, c)
        for index in range(self.num_layers):
            w = getattr(self, f"fc{index}")(w)
        ws = w.unsqueeze(1).repeat(1, self.num_ws, 1)
        if truncation_psi != 1:
            if not hasattr(self, "w_avg"):
                raise ValueError("this network keeps no average w, so truncation is not possible")
            rows = slice(0, truncation_cutoff)
            ws[:, rows] = self.w_avg.lerp(ws[:, rows], truncation_psi)
        return ws

    def _input(self, z: Tensor, c: Tensor | None) -> Tensor:
        z, c = checked_latents(z, self.z_dim), checked_labels(c, self.c_dim)
        parts = [z] if self.z_dim else []
        if c is not None:
            parts.append(self.embed(c))
        if self.label_concat:
            parts = [torch.cat(parts, dim=1)]
        normal = [self.normalize_latents] * bool(self.z_dim or self.label_concat) + [True]
        return torch.cat([normalize_2nd_moment(x) if wanted else x for x, wanted in zip(parts, normal)], dim=1)


def checked_latents(z: Tensor, z_dim: int) -> Tensor:
    """Give latents as float32; ``ValueError`` if they are not ``[N, z_dim]``."""
    if z.ndim != 2 or z.shape[1] != z_dim:
        raise ValueError(f"z is {list(z.shape)}, expected [N, {z_dim}]")
    return z.to(torch.float32)


def checked_labels(c: Tensor | None, c_dim: int) -> Tensor | None:
    """Give labels as float32 ``[N, c_dim]``, None for networks without labels.

    Raises:
        ValueError: labels are missing, of another shape, or not supported by the network.
    """
    if not c_dim:
        if c is not None and c.shape[-1] != 0:
            raise ValueError(f"this network takes no labels, given: {list(c.shape)}")
        return None
    if c is None or c.ndim != 2 or c.shape[1] != c_dim:
        given = "none" if c is None else list(c.shape)
        raise ValueError(f"this network needs labels c of [N, {c_dim}], given: {given}")
    return c.to(torch.float32)


class BaseGenerator(nn.Module):
    """The interface of the toolkits' generators around a ``mapping`` and a ``synthesis``."""

    mapping: nn.Module
    synthesis: nn.Module

    def __init__(self, z_dim: int, c_dim: int, w_dim: int, img_resolution: int, img_channels: int) -> None:
        super().__init__()
        self.z_dim = z_dim
        self.c_dim = c_dim
        self.w_dim = w_dim
        self.img_resolution = img_resolution
        self.img_channels = img_channels

    def forward(
        self,
        z: Tensor,
        c: Tensor | None = None,
        truncation_psi: float = 1,
        truncation_cutoff: int | None = None,
        **synthesis_kwargs: object,
    ) -> Tensor:
        """Latents ``[N, z_dim]`` (and labels) to pictures ``[N, C, H, W]``, float32, about -1 to 1."""
        ws = self.mapping(z, c, truncation_psi=truncation_psi, truncation_cutoff=truncation_cutoff)
        pictures: Tensor = self.synthesis(ws, **synthesis_kwargs)
        return pictures


def check_ws(ws: Tensor, num_ws: int, w_dim: int) -> Tensor:
    """Give ws as float32; ``ValueError`` if they are not ``[N, num_ws, w_dim]``."""
    if ws.ndim != 3 or tuple(ws.shape[1:]) != (num_ws, w_dim):
        raise ValueError(f"ws is {list(ws.shape)}, expected [N, {num_ws}, {w_dim}]")
    return ws.to(torch.float32)
