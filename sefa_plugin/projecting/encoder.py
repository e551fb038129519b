"""An encoder of one network: from a picture to w, trained on pictures that the network makes itself.

It is kept by the network's digest, in the folder of downloads; what it finds is one of the codes to begin with.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..generators.frozen import Frozen
from ..reading.download import cache_folder
from ..system.whole_files import whole_file
from .loss import at_height, difference
from .manifold import SMALL, Manifold, codes, drawn, pictures_of, synthesised

if TYPE_CHECKING:
    from ..networks.generator import Generator

STEPS, BATCH, RATE = 400, 16, 2e-3
PICTURES = 3.0  # weight of the pictures of what it finds, beside that of the codes
WIDTHS = (32, 64, 128, 192)  # of its layers, each at half the size of the one before


class Encoder(nn.Module):
    """Pictures ``[N, C, h, w]`` of up to ``SMALL`` pixels to whitened coordinates ``[N, w_dim]``."""

    def __init__(self, channels: int, w_dim: int) -> None:
        super().__init__()
        widths = [channels, *WIDTHS]
        self.layers = nn.ModuleList(nn.Conv2d(a, b, 3, stride=2, padding=1) for a, b in zip(widths, widths[1:]))
        self.last = nn.Linear(WIDTHS[-1] * 16, w_dim)

    def forward(self, x: Tensor) -> Tensor:
        """``[N, C, h, w]`` to ``[N, w_dim]``."""
        for layer in self.layers:
            x = F.leaky_relu(layer(x), 0.2)
            x = x * (x.square().mean(dim=1, keepdim=True) + 1e-8).rsqrt()
        found: Tensor = self.last(F.adaptive_avg_pool2d(x, 4).flatten(1))
        return found

    def u_of(self, target: Tensor) -> Tensor:
        """The code of a target ``[1, C, H, W]``, whitened: ``[1, w_dim]``."""
        with torch.no_grad():
            found: Tensor = self(at_height(target, SMALL))
            return found


def train(
    G: Generator, manifold: Manifold, channels: int, seed: int, advance: Callable[[int], None] = lambda done: None
) -> Encoder:
    """Train an encoder; equal seeds give equal ones."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = Encoder(channels, G.w_dim).to(manifold.mean.device)
    adam = torch.optim.Adam(net.parameters(), RATE)
    frozen = Frozen()
    z = drawn(G, seed + 1, STEPS * BATCH).to(manifold.mean.device)
    for step, part in enumerate(torch.split(z, BATCH)):
        ws = codes(G, manifold.label, part)
        pictures = at_height(pictures_of(G, ws, SMALL), SMALL)
        for group in adam.param_groups:
            group["lr"] = RATE * (0.5 + 0.5 * math.cos(math.pi * step / STEPS))
        found = net(pictures)
        made = synthesised(G, manifold.w_of(found)[:, None].expand(-1, G.num_ws, -1), SMALL, frozen)
        loss = (found - manifold.u_of(ws[:, 0])).square().mean()
        loss = loss + PICTURES * difference(at_height(made, SMALL), pictures).mean()
        adam.zero_grad(set_to_none=True)
        loss.backward()
        adam.step()
        advance(1)
    return net.eval().requires_grad_(False)


def place_of(digest: str, label: object, seed: int) -> Path:
    """The file of the encoder of a network and class."""
    name = digest[:16] + ("" if label is None else f"-{label}".replace(" ", ""))[:60]
    return cache_folder().parent / "encoders" / f"{name}-{seed}.safetensors"


def load(path: Path, channels: int, w_dim: int) -> Encoder | None:
    """The encoder of a file; None where there is none that fits."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    net = Encoder(channels, w_dim)
    try:
        net.load_state_dict(load_file(path))
    except (OSError, SafetensorError, RuntimeError):
        return None
    return net.eval().requires_grad_(False)


def save(path: Path, net: Encoder) -> None:
    """Write an encoder.

    Raises:
        OSError: it cannot be written.
    """
    from safetensors.torch import save as packed

    with whole_file(path) as part:
        part.write_bytes(packed(net.state_dict()))
