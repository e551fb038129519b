"""Set a generator up for a look, one scene at a time: StyleGAN3's input transform, EG3D's camera, precision."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock, RLock
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from .look import Look
from .precision import use_bfloat16

if TYPE_CHECKING:
    from ..networks.generator import Generator


class _Use:
    """The state of a generator that scenes render with.

    Attributes:
        lock: held while a batch is rendered.
        transform: StyleGAN3's input transform ``[3, 3]`` as in the network file; None for other networks.
        look: how the generator is set up now; None before its first picture.
    """

    def __init__(self, G: Generator) -> None:
        self.lock = RLock()
        held = _transform(G)
        self.transform = None if held is None else held.clone()
        self.look: Look | None = None


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
