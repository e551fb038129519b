"""How a picture is projected, as plain data."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

SPACES = ("w+", "w", "z")
STEPS = 300


@dataclass(frozen=True)
class Crop:
    """The part of a picture that is projected.

    Attributes:
        kind: ``center`` (the largest part of the network's shape), ``square`` or ``eyes``.
        numbers: of a square the left and top edge and the height, in pixels of the upright picture; of eyes the x and y
            of the eye on the left, of the one on the right and of the mouth, () if they are found by a detector.
    """

    kind: str = "center"
    numbers: tuple[float, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Crop:
        """Read ``center``, ``x,y,size``, ``eyes`` or ``eyes=x,y,x,y,x,y``.

        Raises:
            ValueError: it is none of these.
        """
        kind, _, rest = text.partition("=")
        if text in ("center", "eyes"):
            return cls(text)
        try:
            numbers = tuple(map(float, (rest if kind == "eyes" else text).split(",")))
        except ValueError:
            numbers = ()
        finite = all(map(math.isfinite, numbers))
        if kind == "eyes" and len(numbers) == 6 and finite and _are_apart(numbers):
            return cls("eyes", numbers)
        if kind == text and len(numbers) == 3 and finite and numbers[2] >= 1:
            return cls("square", numbers)
        raise ValueError(
            f"{text!r:.60}: expected center, x,y,size in pixels, eyes (with --landmarks), or eyes=x,y,x,y,x,y: the eye "
            "on the left, the one on the right, and the mouth"
        )

    def __str__(self) -> str:
        numbers = ",".join(f"{number:g}" for number in self.numbers)
        return numbers if self.kind == "square" else f"{self.kind}={numbers}" if numbers else self.kind


def _are_apart(numbers: Sequence[float]) -> bool:
    """Whether the eyes are not in one place: the size of the face follows from their distance."""
    return math.dist(numbers[:2], numbers[2:4]) >= 1


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
