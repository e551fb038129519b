"""Set a generator up for a look, one scene at a time: StyleGAN3's input transform, EG3D's camera, precision."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock, RLock
from typing import TYPE_CHECKING, cast
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from .look import Look

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
    layers = _layers(G)
    if wanted and not layers:
        raise PrecisionError("--precision bf16: this network renders in float32 only; leave --precision out")
    if wanted and not cpu_has_bfloat16():
        raise PrecisionError("--precision bf16: this processor has no bfloat16; leave --precision out")
    for layer in layers:
        layer.bfloat16_on_cpu = wanted


def can_use_bfloat16(G: Generator) -> bool:
    """Whether :func:`use_bfloat16` has an effect on ``G`` here."""
    return bool(_layers(G)) and next(G.parameters()).device.type == "cpu" and cpu_has_bfloat16()


def _layers(G: Generator) -> list[Layer]:
    return [cast("Layer", module) for module in G.synthesis.modules() if hasattr(module, "bfloat16_on_cpu")]


def uses_bfloat16(G: Generator) -> bool:
    """Whether :func:`use_bfloat16` is on for ``G``."""
    return any(getattr(module, "bfloat16_on_cpu", False) for module in G.synthesis.modules())


class _Use:
    """The state of a generator that scenes render with."""

    def __init__(self, G: Generator) -> None:
        self.lock = RLock()  # held while a batch is rendered
        held = _transform(G)
        self.transform = None if held is None else held.clone()  # StyleGAN3's [3, 3], as in the network file
        self.look: Look | None = None  # how the generator is set up now


_uses: WeakKeyDictionary[Generator, _Use] = WeakKeyDictionary()
_uses_lock = Lock()


@contextmanager
def rendering_as(G: Generator, look: Look) -> Iterator[None]:
    """Set a generator up for a look; other threads that render with it wait until the context ends.

    Raises:
        PrecisionError: the look has bfloat16, which the network or the processor does not support.
    """
    with _uses_lock:
        if G not in _uses:
            _uses[G] = _Use(G)
        use = _uses[G]
    with use.lock:
        if use.look != look:
            before, use.look = use.look, None  # stays None if setting up fails
            if look.bf16 or (before is not None and before.bf16):
                use_bfloat16(G, look.bf16)
            _set_up(G, look, use)
            use.look = look
        yield


def _set_up(G: Generator, look: Look, use: _Use) -> None:
    """StyleGAN3's input transform and EG3D's camera, each only where the network has it."""
    held = _transform(G)
    if not set_transform(G, look.translate, look.rotate) and held is not None and use.transform is not None:
        with torch.no_grad():
            held.copy_(use.transform)
    camera, seen_from = getattr(G, "camera", None), getattr(G, "seen_from", None)
    if camera is not None and seen_from is not None:
        camera.copy_(seen_from(*look.camera, look.fov))


def set_transform(G: Generator, translate: tuple[float, float], rotate: float) -> bool:
    """Set StyleGAN3's input transform: where the picture is moved (in widths) and turned (in degrees).

    The buffer holds the inverse, since it transforms coordinates. Returns False, and changes nothing, where ``G`` has
    no such buffer, or the picture is neither moved nor turned.
    """
    transform = _transform(G)
    if transform is None or (*translate, rotate) == (0, 0, 0):
        return False
    cos, sin = math.cos(math.radians(rotate)), math.sin(math.radians(rotate))
    forward = torch.tensor([[cos, sin, translate[0]], [-sin, cos, translate[1]], [0.0, 0.0, 1.0]])
    with torch.no_grad():
        transform.copy_(torch.linalg.inv(forward.double()))
    return True


def _transform(G: Generator) -> Tensor | None:
    return getattr(getattr(G.synthesis, "input", None), "transform", None)
