"""Rendering in bfloat16 on processors with bfloat16 instructions."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import torch

if TYPE_CHECKING:
    from ..generators.ops import Layer
    from ..networks.generator import Generator


class PrecisionError(ValueError):
    """A precision that this processor or this network does not have."""


def cpu_has_bfloat16() -> bool:
    """Whether this processor has bfloat16 convolutions; without them they take a hundred times as long.

    This is oneDNN's own check, which follows ``ONEDNN_MAX_CPU_ISA``. False for an old torch that does not have it.
    """
    try:
        supported = torch.ops.mkldnn._is_mkldnn_bf16_supported()
        return bool(supported and torch.cpu._is_avx512_bf16_supported())
    except (AttributeError, RuntimeError):
        return False


def use_bfloat16(G: Generator, wanted: bool = True) -> None:
    """Make the synthesis of ``G`` compute in bfloat16 on a CPU, unless it is called with ``force_fp32``.

    Styles, demodulation, StyleGAN3's filters and the sum of the ToRGB outputs stay in float32.

    Raises:
        PrecisionError: the generator is not one of our StyleGAN2 or StyleGAN3, or the processor lacks bfloat16.
    """
    layers = [cast("Layer", module) for module in G.synthesis.modules() if hasattr(module, "bfloat16_on_cpu")]
    if wanted and not layers:
        raise PrecisionError("--precision bf16: this network renders in float32 only; leave --precision out")
    if wanted and not cpu_has_bfloat16():
        raise PrecisionError("--precision bf16: this processor has no bfloat16; leave --precision out")
    for layer in layers:
        layer.bfloat16_on_cpu = wanted


def uses_bfloat16(G: Generator) -> bool:
    """Whether :func:`use_bfloat16` is on for ``G``."""
    return any(getattr(module, "bfloat16_on_cpu", False) for module in G.synthesis.modules())
