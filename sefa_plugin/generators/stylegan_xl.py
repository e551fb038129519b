"""StyleGAN-XL: StyleGAN3 with a mapping network for many classes.

Sauer et al., "StyleGAN-XL: Scaling StyleGAN to Large Diverse Datasets" (2022), sections 3.2 and 3.3.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from .mapping import (
    BaseGenerator,
    BaseMapping,
    FullyConnectedLayer,
    Keywords,
    normalize_2nd_moment,
    refuse_unknown,
)
from .stylegan3 import SynthesisNetwork
from .stylegan3_plan import SynthesisOptions, SynthesisPlan

if TYPE_CHECKING:
    from typing_extensions import Unpack


class MappingNetwork(BaseMapping):
    """Latents and classes to intermediate latents; truncation is towards the average of the class.

    Classes are embedded by a table of features of a pretrained classifier, with a row for each of its classes; networks
    without labels have the table, too.
    """

    def __init__(
        self,
        z_dim: int,
        c_dim: int,
        w_dim: int,
        num_ws: int,
        embeddings: tuple[int, int],
        num_layers: int = 2,
        lr_multiplier: float = 0.01,
        w_avg_per_class: bool = True,
    ) -> None:
        widths = [z_dim * (2 if c_dim else 1)] + [w_dim] * num_layers
        super().__init__(z_dim, c_dim, w_dim, num_ws, widths, "lrelu", lr_multiplier)
        self.embed = nn.Embedding(*embeddings)
        if c_dim:
            self.embed_proj = FullyConnectedLayer(embeddings[1], z_dim, activation="lrelu")
        self.register_buffer("w_avg", torch.zeros(*([c_dim] if c_dim and w_avg_per_class else []), w_dim))

    def forward(
        self,
        z: Tensor,
        c: Tensor | None = None,
        truncation_psi: float = 1,
        truncation_cutoff: int | None = None,
        **keywords: object,
    ) -> Tensor:
        """Map latents ``[N, z_dim]`` and labels ``[N, c_dim]``, of which the largest entry counts.

        Returns:
            float32 ``[N, num_ws, w_dim]``.

        Raises:
            ValueError: shapes are wrong, or a network with labels was given none.
        """
        refuse_unknown(keywords, "mapping")
        z, c = self.checked(z, c)
        w, average = normalize_2nd_moment(z), self.w_avg
        if c is not None:
            classes = c.argmax(dim=1).to(self.w_avg.device)
            w = torch.cat([w, normalize_2nd_moment(self.embed_proj(self.embed(classes)))], dim=1)
            average = average[classes][:, None] if average.ndim == 2 else average
        return self.layers(w, average, truncation_psi, truncation_cutoff)


class Generator(BaseGenerator):
    """StyleGAN-XL.

    Args:
        z_dim, c_dim, w_dim: sizes of latents, labels (0: none) and intermediate latents.
        img_resolution: side of the picture in pixels; img_channels: 1 to 4.
        embeddings: rows and columns of the table of classes.
        mapping_kwargs: further keywords of :class:`MappingNetwork`.
        plan: the layers of a super-resolution network; None computes them from the keywords.
        synthesis_kwargs: keywords of StyleGAN3's synthesis network.
    """

    def __init__(
        self,
        z_dim: int,
        c_dim: int,
        w_dim: int,
        img_resolution: int,
        img_channels: int,
        embeddings: tuple[int, int],
        mapping_kwargs: Keywords | None = None,
        plan: SynthesisPlan | None = None,
        **synthesis_kwargs: Unpack[SynthesisOptions],
    ) -> None:
        synthesis = SynthesisNetwork(w_dim, img_resolution, img_channels, plan, **synthesis_kwargs)
        mapping = MappingNetwork(z_dim, c_dim, w_dim, synthesis.num_ws, embeddings, **(mapping_kwargs or {}))
        super().__init__(z_dim, c_dim, synthesis, mapping)
