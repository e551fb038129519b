"""How a network is rendered: truncation, noise, class, StyleGAN3's input transform, EG3D's camera."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Optional, Union

from ..networks.eg3d_camera import FIELD_OF_VIEW

NOISE_MODES = ("const", "random", "none")
Label = Union[int, tuple[float, ...], None]  # a class, or a label of any numbers


class LookError(ValueError):
    """A network cannot be rendered so."""


@dataclass(frozen=True)
class Look:
    """How a network is rendered; names and meanings as in the toolkits.

    Attributes:
        trunc, trunc_cutoff: truncation psi, and how many rows it applies to (None: all).
        noise_mode: ``const``, ``random`` or ``none``.
        label: class of a conditional network, or its whole label: a number for each class.
        translate, rotate: StyleGAN3's input transform, in picture widths and degrees.
        camera, fov: EG3D's camera: yaw and pitch, and field of view, in degrees.
        force_fp32: float32 even where the network has float16 layers.
        bf16: bfloat16 on a CPU that has it (``set_up.use_bfloat16``).
        background: red, green and blue, 0 to 255, that transparent pictures are laid over; None: nothing.
    """

    trunc: float = 1.0
    trunc_cutoff: Optional[int] = None
    noise_mode: str = "const"
    label: Label = None
    translate: tuple[float, float] = (0.0, 0.0)
    rotate: float = 0.0
    camera: tuple[float, float] = (0.0, 0.0)
    fov: float = FIELD_OF_VIEW
    force_fp32: bool = False
    bf16: bool = False
    background: Optional[tuple[int, int, int]] = None

    def __post_init__(self) -> None:
        numbers: tuple[float, ...] = (self.trunc, *self.translate, self.rotate, *self.camera, self.fov)
        if self.noise_mode not in NOISE_MODES:
            raise ValueError(f"noise mode {self.noise_mode!r:.20}: choose one of {', '.join(NOISE_MODES)}")
        if isinstance(self.label, Iterable):
            label = tuple(map(float, self.label))
            object.__setattr__(self, "label", label)
            numbers += label
        elif self.label is not None:
            object.__setattr__(self, "label", operator.index(self.label))
        if not all(map(math.isfinite, numbers)):
            raise ValueError(f"truncation, shifts and angles of a look are {numbers}: expected finite numbers")
        if (self.trunc_cutoff or 0) < 0 or (isinstance(self.label, int) and self.label < 0):
            raise ValueError(f"cutoff {self.trunc_cutoff}, class {self.label} of a look: expected at least 0")


def check_label(label: Label, c_dim: int) -> None:
    """Check that a conditional network has a label that fits.

    Raises:
        ValueError: there is none, no such class, or its label has another number of entries.
    """
    if label is None:
        raise ValueError(f"this network is conditional: choose a class with --class 0-{c_dim - 1}")
    if isinstance(label, int) and not 0 <= label < c_dim:
        raise ValueError(f"class {label}: this network has classes 0-{c_dim - 1}")
    if not isinstance(label, int) and len(label) != c_dim:
        example = ",".join("1" if place == 0 else "0" for place in range(min(c_dim, 4))) + (",..." if c_dim > 4 else "")
        raise ValueError(
            f"a label of {len(label)} numbers: this network's labels have {c_dim} (--class 0 is {example})"
        )
