"""Common parts of generators without W: each row of ws is z, and a label behind it."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .mapping import BaseGenerator, BaseMapping, refuse_unknown
from .mapping import Synthesis as BaseSynthesis


class Mapping(BaseMapping):
    """Repeats z, and an embedding of its class, for every row of ws.

    Args:
        z_dim, c_dim, num_ws: as everywhere.
        embed_dim: numbers of the embedding.
        more: numbers behind it in every row, which :meth:`settings` gives.
        truncates: whether truncation scales z, whose mean is 0.
    """

    def __init__(
        self, z_dim: int, c_dim: int, num_ws: int, embed_dim: int = 0, more: int = 0, truncates: bool = False
    ) -> None:
        super().__init__(z_dim, c_dim, z_dim + embed_dim + more, num_ws, [], "linear", 1)
        self.truncates = truncates
        if c_dim:
            self.embed = nn.Linear(c_dim, embed_dim, bias=False)

    def forward(
        self,
        z: Tensor,
        c: Tensor | None = None,
        truncation_psi: float = 1,
        truncation_cutoff: int | None = None,
        **keywords: object,
    ) -> Tensor:
        """``[N, z_dim]`` of any float type and labels ``[N, c_dim]`` to float32 ``[N, num_ws, w_dim]``.

        Raises:
            ValueError: shapes are wrong, or truncation is not possible.
        """
        refuse_unknown(keywords, "mapping")
        z, c = self.checked(z, c)
        if truncation_psi != 1 and not self.truncates:
            raise ValueError(
                "this network has no W and keeps no average, so truncation is not possible: use a psi of 1"
            )
        parts = [z] if c is None else [z, self.embed(c)]

        def row(psi: float) -> Tensor:
            more = z.new_tensor(self.settings(psi)).expand(len(z), -1)
            return torch.cat([z * psi, *parts[1:], more], dim=1)

        cutoff = self.num_ws if truncation_cutoff is None else truncation_cutoff
        rows = [row(truncation_psi if index < cutoff else 1) for index in range(self.num_ws)]
        return torch.stack(rows, dim=1)

    def settings(self, psi: float) -> list[float]:
        """Further numbers of a row, by its truncation."""
        return []


class Generator(BaseGenerator):
    """The interface of the toolkits' generators, of a network without W."""

    rows_are_z = True
    normalizes_z = False


class Synthesis(BaseSynthesis):
    """The interface of the toolkits' synthesis networks, of one without noise and float16."""

    def forward(self, ws: Tensor, noise_mode: str = "const", force_fp32: bool = False, **keywords: object) -> Tensor:
        """Render ``ws`` ``[N, num_ws, w_dim]`` to float32 ``[N, C, H, W]``, -1 to 1; there is no noise.

        Raises:
            ValueError: ``ws`` has another shape.
        """
        refuse_unknown(keywords, "synthesis")
        return torch.tanh(self.features(self.checked(ws)))

    def features(self, ws: Tensor) -> Tensor:
        """float32 ws to what tanh makes pictures of."""
        raise NotImplementedError


class Norm(nn.Module):
    """Batch normalisation by stored statistics."""

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, channels: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.eps = eps
        self.weight, self.bias = nn.Parameter(torch.ones(channels)), nn.Parameter(torch.zeros(channels))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        """``[N, channels, h, w]`` to the same shape."""
        return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)
