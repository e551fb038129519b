"""The StyleGAN3 generator, configurations T and R.

Karras et al., "Alias-Free Generative Adversarial Networks" (2021). As in ``stylegan2``, styles scale
activations around one shared convolution.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from . import ops
from .kaiser import lowpass
from .mapping import BaseGenerator, FullyConnectedLayer, Keywords, MappingNetwork, check_ws, refuse_unknown
from .prefixes import Prefixes
from .stylegan2 import styled_conv
from .stylegan3_plan import DEFAULTS, LayerPlan, SynthesisOptions, SynthesisPlan, plan_synthesis, width

if TYPE_CHECKING:
    from typing_extensions import Unpack


class SynthesisInput(nn.Module):
    """Fourier features, rotated and translated by w (section 3.2 and appendix F)."""

    transform: Tensor
    freqs: Tensor
    phases: Tensor

    def __init__(self, w_dim: int, plan: SynthesisPlan) -> None:
        super().__init__()
        self.w_dim = w_dim
        self.channels = plan.channels
        self.size = [width(plan.size, plan.square), plan.size]
        self.sampling_rate = plan.sampling_rate
        self.bandwidth = plan.bandwidth
        self.weight = nn.Parameter(torch.randn(self.channels, self.channels))
        self.affine = FullyConnectedLayer(w_dim, 4)
        # Random until they are loaded from a network's file.
        self.register_buffer("transform", torch.eye(3, 3))
        self.register_buffer("freqs", torch.randn(self.channels, 2))
        self.register_buffer("phases", torch.rand(self.channels))

    def motion(self, w: Tensor) -> Tensor:
        """The rigid motion of the features: ``[N, 3, 3]``, the user's ``transform`` first."""
        t: Tensor = self.affine(w)
        t = t / t[:, :2].norm(dim=1, keepdim=True)
        cos, sin, x, y = t.unbind(dim=1)
        zero, one = torch.zeros_like(cos), torch.ones_like(cos)
        turn = torch.stack([cos, -sin, zero, sin, cos, zero, zero, zero, one], dim=1).reshape(-1, 3, 3)
        shift = torch.stack([one, zero, -x, zero, one, -y, zero, zero, one], dim=1).reshape(-1, 3, 3)
        return turn @ shift @ self.transform

    def forward(self, w: Tensor) -> Tensor:
        """``[N, w_dim]`` to ``[N, channels, size, size]``."""
        motion = self.motion(w)
        phases = self.phases + (self.freqs @ motion[:, :2, 2:]).squeeze(2)  # [N, channels]
        freqs = self.freqs @ motion[:, :2, :2]  # [N, channels, 2]
        # Frequencies that leave the band are faded out.
        beyond = freqs.norm(dim=2) - self.bandwidth
        amplitudes = (1 - beyond / (self.sampling_rate / 2 - self.bandwidth)).clamp(0, 1)
        wide, high = self.size
        reach = torch.tensor([wide, high], device=w.device) * 0.5 / self.sampling_rate
        column = ((torch.arange(wide, device=w.device) + 0.5) * 2 / wide - 1) * reach[0]
        row = ((torch.arange(high, device=w.device) + 0.5) * 2 / high - 1) * reach[1]
        angle = freqs[:, None, None, :, 0] * column[None, None, :, None]
        angle = angle + freqs[:, None, None, :, 1] * row[None, :, None, None] + phases[:, None, None]
        x: Tensor = torch.sin(angle * (2 * math.pi)) * amplitudes[:, None, None]
        x = x @ (self.weight / math.sqrt(self.channels)).t()
        return x.permute(0, 3, 1, 2)  # [N, H, W, C] -> [N, C, H, W]


class SynthesisLayer(nn.Module):
    """Styled convolution and filtered non-linearity; the last layer is ToRGB."""

    bfloat16_on_cpu = False  # see ops.working_dtype
    magnitude_ema: Tensor
    up_filter: Tensor | None
    down_filter: Tensor | None

    def __init__(self, w_dim: int, plan: LayerPlan, conv_clamp: float | None, magnitude_ema_beta: float) -> None:
        super().__init__()
        self.w_dim = w_dim
        self.is_torgb = plan.is_torgb
        self.is_critically_sampled = plan.is_critically_sampled
        self.use_fp16 = plan.use_fp16
        self.in_channels = plan.in_channels
        self.out_channels = plan.out_channels
        self.in_sampling_rate = plan.in_sampling_rate
        self.out_sampling_rate = plan.out_sampling_rate
        self.tmp_sampling_rate = plan.tmp_sampling_rate
        self.in_cutoff = plan.in_cutoff
        self.out_cutoff = plan.out_cutoff
        self.in_half_width = plan.in_half_width
        self.out_half_width = plan.out_half_width
        self.conv_kernel = plan.conv_kernel
        self.conv_clamp = conv_clamp
        self.magnitude_ema_beta = magnitude_ema_beta
        self.up_factor = plan.up_factor
        self.up_taps = plan.up_taps
        self.down_factor = plan.down_factor
        self.down_taps = plan.down_taps
        self.down_radial = plan.down_radial
        self.padding = plan.padding
        self.affine = FullyConnectedLayer(w_dim, plan.in_channels, bias_init=1)
        kernel = (plan.conv_kernel, plan.conv_kernel)
        self.weight = nn.Parameter(torch.randn(plan.out_channels, plan.in_channels, *kernel))
        self.bias = nn.Parameter(torch.zeros(plan.out_channels))
        self.register_buffer("magnitude_ema", torch.ones([]))
        rate = plan.tmp_sampling_rate
        up = lowpass(plan.up_taps, plan.in_cutoff, plan.in_half_width * 2, rate)
        down = lowpass(plan.down_taps, plan.out_cutoff, plan.out_half_width * 2, rate, plan.down_radial)
        self.register_buffer("up_filter", None if up is None else torch.as_tensor(up, dtype=torch.float32))
        self.register_buffer("down_filter", None if down is None else torch.as_tensor(down, dtype=torch.float32))

    def forward(self, x: Tensor, w: Tensor, force_fp32: bool = False) -> Tensor:
        """``[N, in, h, w]`` and ``[N, w_dim]`` to ``[N, out, h', w']``."""
        styles: Tensor = self.affine(w)
        if self.is_torgb:
            styles = styles / math.sqrt(self.in_channels * self.conv_kernel**2)
            scale = None
        else:
            # Weights and styles are normalised first, which changes only the effect of the epsilon (appendix F).
            power = ops.power_of(self.weight)
            norm = (power.mean(dim=1) / self.conv_kernel**2).rsqrt()
            styles = styles * styles.square().mean().rsqrt()
            scale = norm * ops.style_scale(power * norm.square()[:, None], styles)
        styles = styles * self.magnitude_ema.rsqrt()
        x = x.to(ops.working_dtype(self, x.device, force_fp32))
        x = styled_conv(x, self.weight, styles, scale, self._conv)
        x = x.to(torch.float32) if self.is_torgb and x.dtype == torch.bfloat16 else x
        return ops.filtered_lrelu(
            x,
            self.up_filter,
            self.down_filter,
            self.bias if x.dtype == torch.bfloat16 else self.bias.to(x.dtype),
            up=self.up_factor,
            down=self.down_factor,
            padding=self.padding,
            gain=1 if self.is_torgb else math.sqrt(2),
            slope=1 if self.is_torgb else 0.2,
            clamp=self.conv_clamp,
        )

    def _conv(self, x: Tensor, weight: Tensor) -> Tensor:
        return F.conv2d(x, weight, padding=self.conv_kernel - 1)


class SynthesisNetwork(nn.Module):
    """Intermediate latents to pictures; keywords and defaults as in ``stylegan3_plan.DEFAULTS``.

    ``plan`` replaces the layers computed from these keywords (StyleGAN-XL's super-resolution).
    """

    takes_prefixes = True

    def __init__(
        self,
        w_dim: int,
        img_resolution: int,
        img_channels: int,
        plan: SynthesisPlan | None = None,
        **options: Unpack[SynthesisOptions],
    ) -> None:
        super().__init__()
        unknown = sorted(set(options) - set(DEFAULTS))
        if unknown:
            raise TypeError(f"synthesis does not take {', '.join(unknown)}")
        options = {**DEFAULTS, **options}
        plan = plan or plan_synthesis(img_resolution, img_channels, options)
        self.w_dim = w_dim
        self.num_ws = plan.num_ws
        self.img_resolution = img_resolution
        self.img_channels = img_channels
        self.num_layers = options["num_layers"]
        self.num_critical = options["num_critical"]
        self.margin_size = options["margin_size"]
        self.output_scale = options["output_scale"]
        self.num_fp16_res = options["num_fp16_res"]
        self.input = SynthesisInput(w_dim, plan)
        self.layer_names: list[str] = []
        for layer in plan.layers:
            made = SynthesisLayer(w_dim, layer, options["conv_clamp"], options["magnitude_ema_beta"])
            setattr(self, layer.name, made)
            self.layer_names.append(layer.name)

    def forward(
        self,
        ws: Tensor,
        noise_mode: str = "const",
        force_fp32: bool = False,
        prefixes: Prefixes | None = None,
        **keywords: object,
    ) -> Tensor:
        """Render ``ws`` ``[N, num_ws, w_dim]`` to float32 ``[N, C, H, W]``, about -1 to 1, not clipped.

        ``noise_mode`` has no effect: these networks have no noise. ``prefixes`` is a cache of features, read and
        extended.

        Raises:
            ValueError: ``ws`` has another shape.
        """
        refuse_unknown(keywords, "synthesis")
        rows = check_ws(ws, self.num_ws, self.w_dim).unbind(dim=1)
        prefixes = None if torch.is_grad_enabled() else prefixes
        done = 0 if prefixes is None else max(prefixes.deepest(range(1, self.num_ws + 1)) - 1, 0)  # layers
        kept = prefixes if done else None
        key = None if kept is None else kept.key(ws, done + 1, force_fp32)
        held = None if kept is None else kept.get(key)
        x = None if held is None else held[0]
        if x is None:
            x = self.input(rows[0])
            if x.device.type == "cpu":  # halves the time of the following layers
                x = x.contiguous(memory_format=torch.channels_last)
            x = self._layers(0, done, x, rows, force_fp32)
            if kept is not None:
                kept.put(key, x)
        return self._layers(done, len(self.layer_names), x, rows, force_fp32).to(torch.float32) * self.output_scale

    def _layers(self, first: int, stop: int, x: Tensor, rows: Sequence[Tensor], force_fp32: bool) -> Tensor:
        for name, w in zip(self.layer_names[first:stop], rows[first + 1 : stop + 1]):
            x = getattr(self, name)(x, w, force_fp32)
        return x


class Generator(BaseGenerator):
    """StyleGAN3.

    Args:
        z_dim, c_dim, w_dim: sizes of latents, labels (0: none) and intermediate latents.
        img_resolution: side of the picture in pixels; img_channels: 1 to 4.
        mapping_kwargs: keywords of :class:`MappingNetwork` (here 2 layers by default).
        synthesis_kwargs: keywords of :class:`SynthesisNetwork`.
    """

    mapping: MappingNetwork
    synthesis: SynthesisNetwork

    def __init__(
        self,
        z_dim: int,
        c_dim: int,
        w_dim: int,
        img_resolution: int,
        img_channels: int,
        mapping_kwargs: Keywords | None = None,
        **synthesis_kwargs: Unpack[SynthesisOptions],
    ) -> None:
        super().__init__(z_dim, c_dim, w_dim, img_resolution, img_channels)
        self.synthesis = SynthesisNetwork(w_dim, img_resolution, img_channels, **synthesis_kwargs)
        self.num_ws = self.synthesis.num_ws
        mapping: Keywords = {"num_layers": 2, "w_avg_beta": 0.998, **(mapping_kwargs or {})}
        self.mapping = MappingNetwork(z_dim, c_dim, w_dim, self.num_ws, **mapping)
