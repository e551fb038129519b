"""A generator in which everything is known: what its layers respond to, how w is spread, what pictures show."""

from __future__ import annotations

import numpy as np
import torch

from sefa_plugin.hook import StyleLayer
from sefa_plugin.networks.style_layers import InGenerator, NetworkInfo

ATTRIBUTES = ("turn", "tilt", "smile", "eyes", "skin", "hair")
DIM = 12
ROWS = (7, 6, 5, 4, 3, 2)  # channels that respond to each attribute: after normalisation, its eigenvalue
STEP = 0.12  # brightness for one unit of w


class Planted(torch.nn.Module):
    """Attribute ``a`` is the brightness of patch ``a``: ``axes[a] @ w`` of the layer that holds it, two to a layer.

    The axes are orthonormal and oblique to the components of w; its spread has axes of its own, ``spread_axes``.
    """

    z_dim = w_dim = DIM
    c_dim = 0
    num_ws, img_resolution, img_channels = 3, 12, 3

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        rng = np.random.RandomState(seed)
        self.axes = np.linalg.qr(rng.randn(DIM, DIM))[0][: len(ATTRIBUTES)]
        self.spread_axes = np.linalg.qr(rng.randn(DIM, DIM))[0]
        self.deviations = np.linspace(1.6, 0.7, DIM)
        self.synthesis = _Synthesis(self.axes, rng)
        layers = [
            StyleLayer(
                name, InGenerator((sum(ROWS[2 * row : 2 * row + 2]), DIM)), row, size=4 * 2**row, detail=8.0 * 4**row
            )
            for row, name in enumerate(("synthesis.affine0", "synthesis.affine1", "synthesis.affine2"))
        ]
        self.sefa = NetworkInfo("planted.pkl", "planted", "G_ema", "planted", f"digest{seed}", tuple(layers), None)
        self.eval().requires_grad_(False)

    def mapping(self, z, c=None, truncation_psi=1, truncation_cutoff=None):
        w = z.float() * torch.tensor(self.deviations).float() @ torch.tensor(self.spread_axes).float()
        return (w * truncation_psi)[:, None].repeat(1, 3, 1)


class _Synthesis(torch.nn.Module):
    def __init__(self, axes: np.ndarray, rng: np.random.RandomState) -> None:
        super().__init__()
        for row in range(3):
            mine = [2 * row, 2 * row + 1]
            weight = np.concatenate([np.repeat(axes[a : a + 1], ROWS[a], axis=0) for a in mine])
            affine = torch.nn.Linear(DIM, len(weight))
            affine.weight.data = torch.tensor(weight * rng.uniform(0.5, 2, (len(weight), 1))).float()
            setattr(self, f"affine{row}", affine)
        self.register_buffer("axes", torch.tensor(axes).float())

    def forward(self, ws, noise_mode="const", force_fp32=False):
        shown = torch.stack([ws[:, a // 2] @ self.axes[a] for a in range(len(ATTRIBUTES))], dim=1) * STEP
        return (
            shown.reshape(-1, 1, 3, 2, 1, 1)
            .expand(-1, 3, -1, -1, 4, 6)
            .permute(0, 1, 2, 4, 3, 5)
            .reshape(-1, 3, 12, 12)
        )


class Reader:
    """The scorer that reads such pictures: in units of w, but for the rounding of pixels."""

    title, identity = "reader", "reader 1"

    def __call__(self, pictures: np.ndarray) -> dict[str, np.ndarray]:
        return dict(zip(ATTRIBUTES, self.features(pictures).T.astype(float)))

    def features(self, pictures: np.ndarray) -> np.ndarray:
        bright = (pictures[..., 0].astype(np.float32) - 127.5) / 127.5 / STEP
        return bright.reshape(-1, 3, 4, 2, 6).mean(axis=(2, 4)).reshape(len(pictures), -1)
