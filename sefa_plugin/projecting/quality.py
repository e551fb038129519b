"""How good a projection is: how like the picture, and how near to the codes that the network draws itself."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import torch

from .loss import at_height, difference, psnr, ssim
from .manifold import Manifold, pictures_of

if TYPE_CHECKING:
    from torch import Tensor

    from ..networks.generator import Generator

FAR, DISTANCE = 1.4, 1.9  # up to which edits change pictures as they do those of samples: docs/projecting.md
LIKENESS = 0.15  # difference above which the network has nothing like the picture: docs/projecting.md


@dataclass(frozen=True)
class Quality:
    """The figures of a projection.

    Attributes:
        psnr: in dB.
        ssim: -1 to 1.
        difference: on several scales (``loss.difference``), 0 is equal.
        far: whitened length of the mean row; 1 is that of a typical sample.
        apart: root mean square distance of the rows from it.
    """

    psnr: float
    ssim: float
    difference: float
    far: float
    apart: float

    @classmethod
    def of(cls, G: Generator, manifold: Manifold, ws: Tensor, target: Tensor) -> Quality:
        """Measure ws ``[num_ws, w_dim]`` against a target ``[1, C, H, W]``, -1 to 1."""
        made = at_height(pictures_of(G, ws[None]), target.shape[-2])
        with torch.no_grad():
            u = manifold.u_of(ws)
            middle = u.mean(dim=0)
            return cls(
                float(psnr(made, target)),
                float(ssim(made, target)),
                float(difference(made.clamp(-1, 1), target)),
                float(middle.square().mean().sqrt()),
                float((u - middle).square().mean().sqrt()),
            )

    @property
    def distance(self) -> float:
        """From the network's own codes: root mean square of all rows; 1 is a typical sample."""
        return float((self.far**2 + self.apart**2) ** 0.5)

    @property
    def sentence(self) -> str:
        """What may be expected of edits."""
        if self.difference > LIKENESS:
            return "this network draws nothing like it: is the picture aligned, and of what the network was trained on?"
        if self.far > FAR or self.distance > DISTANCE:
            return (
                "edits may break: the code is far from those of the network's own pictures; is this one aligned, and "
                "of what the network was trained on? A larger --prior may help"
            )
        return "edits will look like edits of a sample"

    def as_json(self) -> dict[str, object]:
        """The figures, rounded, and the sentence."""
        figures = {name: round(value, 4) for name, value in asdict(self).items()}
        return {**figures, "distance": round(self.distance, 4), "sentence": self.sentence}

    def line(self) -> str:
        """The figures in one line."""
        return (
            f"PSNR {self.psnr:.1f} dB, SSIM {self.ssim:.3f}, difference {self.difference:.3f}, "
            f"distance from samples {self.distance:.2f} (1 is typical)"
        )
