"""Common parts of the generators: the linear layer, the mapping network, and their interface."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
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
        self.activation = activation
        self.weight = nn.Parameter(torch.randn(out_features, in_features) / lr_multiplier)
        self.bias = nn.Parameter(torch.full((out_features,), float(bias_init)))
        self.weight_gain = lr_multiplier / math.sqrt(in_features)
        self.bias_gain = lr_multiplier

    def forward(self, x: Tensor) -> Tensor:
        """``[N, in_features]`` to ``[N, out_features]``."""
        x = F.linear(x, self.weight * self.weight_gain, self.bias * self.bias_gain)
        return ops.bias_act(x, act=self.activation)


class BaseMapping(nn.Module):
    """Sizes and linear layers of a mapping network; ``widths`` are those of its input and of every layer's output."""

    w_avg: Tensor

    def __init__(
        self,
        z_dim: int,
        c_dim: int,
        w_dim: int,
        num_ws: int,
        widths: Sequence[int],
        activation: str,
        lr_multiplier: float,
    ) -> None:
        super().__init__()
        self.z_dim = z_dim
        self.c_dim = c_dim
        self.w_dim = w_dim
        self.num_ws = num_ws
        self.num_layers = len(widths) - 1
        for index, (inputs, outputs) in enumerate(zip(widths, widths[1:])):
            setattr(self, f"fc{index}", FullyConnectedLayer(inputs, outputs, activation, lr_multiplier))

    def checked(self, z: Tensor, c: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Give latents and labels as float32, None for networks without labels; ``ValueError`` for other shapes."""
        if z.ndim != 2 or z.shape[1] != self.z_dim:
            raise ValueError(f"z is {list(z.shape)}, expected [N, {self.z_dim}]")
        given = "none" if c is None else list(c.shape)
        if not self.c_dim:
            if c is not None and c.shape[-1] != 0:
                raise ValueError(f"this network takes no labels, given: {given}")
            return z.to(torch.float32), None
        if c is None or c.ndim != 2 or c.shape[1] != self.c_dim:
            raise ValueError(f"this network needs labels c of [N, {self.c_dim}], given: {given}")
        return z.to(torch.float32), c.to(torch.float32)

    def layers(self, x: Tensor, average: Tensor | None, psi: float, cutoff: int | None) -> Tensor:
        """The linear layers, then truncation towards ``average``, which can be broadcast to ``[N, num_ws, w_dim]``."""
        for index in range(self.num_layers):
            x = getattr(self, f"fc{index}")(x)
        return self.truncated(x, average, psi, cutoff)

    def truncated(self, w: Tensor, average: Tensor | None, psi: float, cutoff: int | None) -> Tensor:
        """w ``[N, w_dim]`` for every row of ws, truncated as :meth:`layers` says."""
        ws = w.unsqueeze(1).repeat(1, self.num_ws, 1)
        if psi != 1:
            if average is None:
                raise ValueError("this network keeps no average w, so truncation is not possible")
            ws[:, :cutoff] = torch.lerp(average.expand_as(ws[:, :cutoff]), ws[:, :cutoff], psi)
        return ws


class MappingNetwork(BaseMapping):
    """Latents and labels to intermediate latents, with truncation.

    StyleGAN (2019), section 2; truncation as in its appendix B.

    Labels are embedded and normalised separately from z. With ``label_concat`` (StyleGAN and StyleGAN2 in TensorFlow)
    they are multiplied by a matrix, appended to z, and both are normalised together.
    """

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
        embed = (w_dim if embed_features is None else embed_features) if c_dim else 0
        hidden = w_dim if layer_features is None else layer_features
        widths = [z_dim + embed] + [hidden] * (num_layers - 1) + [w_dim]
        super().__init__(z_dim, c_dim, w_dim, num_ws, widths, activation, lr_multiplier)
        self.label_concat = label_concat
        self.normalize_latents = normalize_latents
        if c_dim:
            self.embed = nn.Linear(c_dim, embed, bias=False) if label_concat else FullyConnectedLayer(c_dim, embed)
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
        z, c = self.checked(z, c)
        parts = [z] if self.z_dim else []
        if c is not None:
            parts.append(self.embed(c))
        if self.label_concat:
            parts = [torch.cat(parts, dim=1)]
        normal = [self.normalize_latents] * bool(self.z_dim or self.label_concat) + [True]
        w = torch.cat([normalize_2nd_moment(x) if wanted else x for x, wanted in zip(parts, normal)], dim=1)
        return self.layers(w, getattr(self, "w_avg", None), truncation_psi, truncation_cutoff)


class Synthesis(nn.Module):
    """Sizes of a synthesis network: ws ``[N, num_ws, w_dim]`` to pictures ``[N, C, H, W]``."""

    def __init__(self, w_dim: int, num_ws: int, img_resolution: int, img_channels: int) -> None:
        super().__init__()
        self.w_dim = w_dim
        self.num_ws = num_ws
        self.img_resolution = img_resolution
        self.img_channels = img_channels

    def checked(self, ws: Tensor) -> Tensor:
        """Give ws as float32; ``ValueError`` if they are not ``[N, num_ws, w_dim]``."""
        if ws.ndim != 3 or tuple(ws.shape[1:]) != (self.num_ws, self.w_dim):
            raise ValueError(f"ws is {list(ws.shape)}, expected [N, {self.num_ws}, {self.w_dim}]")
        return ws.to(torch.float32)


class BaseGenerator(nn.Module):
    """The interface of the toolkits' generators around a ``mapping`` and a ``synthesis``."""

    def __init__(self, z_dim: int, c_dim: int, synthesis: Synthesis, mapping: nn.Module) -> None:
        super().__init__()
        self.z_dim = z_dim
        self.c_dim = c_dim
        self.w_dim = synthesis.w_dim
        self.num_ws = synthesis.num_ws
        self.img_resolution = synthesis.img_resolution
        self.img_channels = synthesis.img_channels
        self.synthesis = synthesis
        self.mapping = mapping

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
