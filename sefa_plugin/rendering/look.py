"""How a network is rendered: truncation, noise, class, StyleGAN3's input transform, EG3D's camera."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Optional

from ..networks.eg3d_camera import FIELD_OF_VIEW

NOISE_MODES = ("const", "random", "none")


@dataclass(frozen=True)
class Look:
    """How a network is rendered; names and meanings as in the toolkits.

    Attributes:
        trunc, trunc_cutoff: truncation psi, and how many rows it applies to (None: all).
        noise_mode: ``const``, ``random`` or ``none``.
        label: class of a conditional network.
        translate, rotate: StyleGAN3's input transform, in picture widths and degrees.
        camera, fov: EG3D's camera: yaw and pitch, and field of view, in degrees.
        force_fp32: float32 even where the network has float16 layers.
        bf16: bfloat16 on a CPU that has it (``set_up.use_bfloat16``).
    """

    trunc: float = 1.0
    trunc_cutoff: Optional[int] = None
    noise_mode: str = "const"
    label: Optional[int] = None
    translate: tuple[float, float] = (0.0, 0.0)
    rotate: float = 0.0
    camera: tuple[float, float] = (0.0, 0.0)
    fov: float = FIELD_OF_VIEW
    force_fp32: bool = False
    bf16: bool = False

    def __post_init__(self) -> None:
        numbers = (self.trunc, *self.translate, self.rotate, *self.camera, self.fov)
        if self.noise_mode not in NOISE_MODES:
            raise ValueError(f"noise mode {self.noise_mode!r:.20}: choose one of {', '.join(NOISE_MODES)}")
        if not all(map(math.isfinite, numbers)):
            raise ValueError(f"truncation, shifts and angles of a look are {numbers}: expected finite numbers")
        if (self.trunc_cutoff or 0) < 0 or (self.label or 0) < 0:
            raise ValueError(f"cutoff {self.trunc_cutoff}, class {self.label} of a look: expected at least 0")
