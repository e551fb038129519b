"""How a picture is projected, as plain data."""

from __future__ import annotations

from dataclasses import dataclass, field

from .picture import Crop

SPACES = ("w+", "w", "z")
STEPS = 400


@dataclass(frozen=True)
class HowToProject:
    """The settings of a projection.

    Attributes:
        crop: which part of the picture.
        space: ``w`` (one row for all layers), ``w+`` (a row for each) or ``z``.
        steps: of the main descent; what comes before and after it is in proportion.
        prior: how strongly codes are held near those that the network draws itself; 1 is the usual.
        seed: of the samples to begin with.
        label: class of a conditional network, or a whole label; None: that of the nearest sample.
        noise: whether the noise maps of StyleGAN and StyleGAN2 are searched as well.
        tune: steps on the weights of the network afterwards; 0 for none.
        encoder: begin at what an encoder of this network finds.
        perceptual: the name of a loss of the user, ``module:function``; '' for none.
    """

    crop: Crop = field(default_factory=Crop)
    space: str = "w+"
    steps: int = STEPS
    prior: float = 1.0
    seed: int = 0
    label: int | tuple[float, ...] | None = None
    noise: bool = False
    tune: int = 0
    encoder: bool = False
    perceptual: str = ""

    def __post_init__(self) -> None:
        if self.space not in SPACES:
            raise ValueError(f"space {self.space!r:.20}: choose one of {', '.join(SPACES)}")
        if self.steps < 1 or self.prior < 0 or self.tune < 0:
            raise ValueError("steps must be at least 1, the prior and the steps of tuning at least 0")
