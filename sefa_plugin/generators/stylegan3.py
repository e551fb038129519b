"""The StyleGAN3 generator, configurations T and R.

Karras et al., "Alias-Free Generative Adversarial Networks" (2021). As in ``stylegan2``, styles scale
activations around one shared convolution.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from . import ops
from .kaiser import lowpass
from .mapping import BaseGenerator, FullyConnectedLayer, Keywords, MappingNetwork, Synthesis, refuse_unknown
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

    def __init__(self, w_dim: int, plan: LayerPlan, conv_clamp: float | None) -> None:
        super().__init__()
        self.plan = plan
        self.conv_clamp = conv_clamp
        self.use_fp16 = plan.use_fp16
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

    def toolkit_attributes(self) -> dict[str, object]:
        """The attributes of NVIDIA's layers that are kept in the plan here."""
        plan = self.plan
        sizes = {key: [width(size, plan.square), size] for key, size in vars(plan).items() if key.endswith("_size")}
        return {**vars(plan), **sizes, "padding": plan.padding}

    @property
    def out_cutoff(self) -> float:
        """As NVIDIA's layers have it: half the detail that this one can draw, in pixels."""
        return self.plan.out_cutoff

    def forward(self, x: Tensor, w: Tensor, force_fp32: bool = False) -> Tensor:
        """``[N, in, h, w]`` and ``[N, w_dim]`` to ``[N, out, h', w']``."""
        styles: Tensor = self.affine(w)
        plan = self.plan
        if plan.is_torgb:
            styles = styles / math.sqrt(plan.in_channels * plan.conv_kernel**2)
            scale = None
        else:
            # Weights and styles are normalised first, which changes only the effect of the epsilon (appendix F).
            power = ops.power_of(self.weight)
            norm = (power.mean(dim=1) / plan.conv_kernel**2).rsqrt()
            styles = styles * styles.square().mean().rsqrt()
            scale = norm * ops.style_scale(power * norm.square()[:, None], styles)
        styles = styles * self.magnitude_ema.rsqrt()
        x = x.to(ops.working_dtype(self, x.device, force_fp32))
        x = styled_conv(x, self.weight, styles, scale, partial(F.conv2d, padding=plan.conv_kernel - 1))
        x = x.to(torch.float32) if plan.is_torgb and x.dtype == torch.bfloat16 else x
        return ops.filtered_lrelu(
            x,
            self.up_filter,
            self.down_filter,
            self.bias if x.dtype == torch.bfloat16 else self.bias.to(x.dtype),
            up=plan.up_factor,
            down=plan.down_factor,
            padding=plan.padding,
            gain=1 if plan.is_torgb else math.sqrt(2),
            slope=1 if plan.is_torgb else 0.2,
            clamp=self.conv_clamp,
        )


class SynthesisNetwork(Synthesis):
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
        unknown = sorted(set(options) - set(DEFAULTS))
        if unknown:
            raise TypeError(f"synthesis does not take {', '.join(unknown)}")
        options = {**DEFAULTS, **options}
        plan = plan or plan_synthesis(img_resolution, img_channels, options)
        super().__init__(w_dim, plan.num_ws, img_resolution, img_channels)
        self.output_scale = options["output_scale"]
        self.input = SynthesisInput(w_dim, plan)
        self.layer_names = [layer.name for layer in plan.layers]
        for layer in plan.layers:
            setattr(self, layer.name, SynthesisLayer(w_dim, layer, options["conv_clamp"]))

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
        rows = self.checked(ws).unbind(dim=1)
        layers = list(zip(self.layer_names, rows[1:]))
        done = 0  # layers that need not be computed again
        if prefixes is not None and not torch.is_grad_enabled():
            done = max(prefixes.deepest(range(1, self.num_ws + 1)) - 1, 0)

        def start() -> tuple[Tensor, None]:
            x = self.input(rows[0])
            if x.device.type == "cpu":  # halves the time of the following layers
                x = x.contiguous(memory_format=torch.channels_last)
            return self._run(layers[:done], x, force_fp32), None

        x, _ = prefixes.features(ws[:, : done + 1], force_fp32, start) if prefixes and done else start()
        assert x is not None
        return self._run(layers[done:], x, force_fp32).to(torch.float32) * self.output_scale

    def _run(self, layers: Sequence[tuple[str, Tensor]], x: Tensor, force_fp32: bool) -> Tensor:
        for name, w in layers:
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
        synthesis = SynthesisNetwork(w_dim, img_resolution, img_channels, **synthesis_kwargs)
        options: Keywords = {"num_layers": 2, "w_avg_beta": 0.998, **(mapping_kwargs or {})}
        mapping = MappingNetwork(z_dim, c_dim, w_dim, synthesis.num_ws, **options)
        super().__init__(z_dim, c_dim, synthesis, mapping)
