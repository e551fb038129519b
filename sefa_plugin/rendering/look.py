"""How a network is looked at: truncation, noise, class, StyleGAN3's input transform, EG3D's camera."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch

from ..networks.eg3d_camera import FIELD_OF_VIEW


@dataclass(frozen=True)
class Look:
    """How a network is looked at; names and meanings as in the toolkits.

    Attributes:
        trunc, trunc_cutoff: truncation psi, and how many rows it applies to (None: all).
        noise_mode: ``const``, ``random`` or ``none``.
        label: class of a conditional network.
        translate, rotate: StyleGAN3's input transform, in picture widths and degrees.
        camera, fov: where EG3D's networks are seen from (yaw and pitch) and how wide, in degrees.
        force_fp32: float32 even where the network asks for float16.
        bf16: bfloat16 on a CPU; the generator was told so by ``precision.use_bfloat16``.
    """

    trunc: float = 1.0
    trunc_cutoff: int | None = None
    noise_mode: str = "const"
    label: int | None = None
    translate: tuple[float, float] = (0.0, 0.0)
    rotate: float = 0.0
    camera: tuple[float, float] = (0.0, 0.0)
    fov: float = FIELD_OF_VIEW
    force_fp32: bool = False
    bf16: bool = False


def aim(G: Any, look: Look) -> None:
    """Turn a StyleGAN3's input, or EG3D's camera, as a look says; other networks have neither."""
    set_transform(G, look.translate, look.rotate)
    if hasattr(G, "camera"):
        G.camera.copy_(G.seen_from(*look.camera, look.fov))


def set_transform(G: Any, translate: tuple[float, float], rotate: float) -> bool:
    """Set StyleGAN3's input transform: where the picture is moved (in widths) and turned (in degrees).

    The buffer holds the inverse, since it moves the coordinates. Gives False where ``G`` has none.
    """
    transform = getattr(getattr(G.synthesis, "input", None), "transform", None)
    if transform is None:
        return False
    cos, sin = math.cos(math.radians(rotate)), math.sin(math.radians(rotate))
    forward = torch.tensor([[cos, sin, translate[0]], [-sin, cos, translate[1]], [0.0, 0.0, 1.0]])
    if (*translate, rotate) != (0, 0, 0):
        with torch.no_grad():
            transform.copy_(torch.linalg.inv(forward.double()))
    return True
