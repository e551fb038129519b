"""Networks of classes that nobody knows, in files as the toolkits write them: for what runs a file's own code."""

from __future__ import annotations

import pickle
import sys
from pathlib import Path

import numpy as np
import torch

from sefa_plugin import third_party
from sefa_plugin.third_party.torch_utils import persistence

# A generator with names of its own: layers called nothing like "affine", a gain at run time, an extra row.
STYLED = """
import torch
import dnnlib
from torch_utils import persistence


@persistence.persistent_class
class Scaled(torch.nn.Module):
    def __init__(self, inputs, outputs, activate=False):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.randn(outputs, inputs))
        self.bias = torch.nn.Parameter(torch.randn(outputs))
        self.weight_gain = 0.25
        self.activate = activate

    def forward(self, x):
        x = x @ (self.weight * self.weight_gain).t() + self.bias
        return torch.nn.functional.leaky_relu(x, 0.2) if self.activate else x


@persistence.persistent_class
class Stage(torch.nn.Module):
    def __init__(self, w_dim, channels, out, size):
        super().__init__()
        self.entry = Scaled(w_dim, channels)
        self.mix = torch.nn.Linear(w_dim, 3)  # never used
        self.weight = torch.nn.Parameter(torch.randn(out, channels, 1, 1))
        self.size = size

    def forward(self, x, w):
        x = torch.nn.functional.interpolate(x, size=(self.size, self.size))
        return torch.nn.functional.conv2d(x * self.entry(w)[:, :, None, None], self.weight)


@persistence.persistent_class
class Mapping(torch.nn.Module):
    def __init__(self, z_dim, c_dim, w_dim):
        super().__init__()
        self.first = Scaled(z_dim + c_dim, w_dim, activate=True)
        self.register_buffer("w_avg", torch.randn(w_dim))

    def forward(self, z, c, truncation_psi=1, truncation_cutoff=None):
        z = z / (z.square().mean(dim=1, keepdim=True) + 1e-8).sqrt()
        ws = self.first(torch.cat([z, c], dim=1))[:, None].repeat(1, 3, 1)
        ws[:, :truncation_cutoff] = self.w_avg.lerp(ws[:, :truncation_cutoff], truncation_psi)
        return ws


@persistence.persistent_class
class Synthesis(torch.nn.Module):
    def __init__(self, w_dim):
        super().__init__()
        self.start = torch.nn.Parameter(torch.randn(1, 5, 4, 4))
        self.late = Stage(w_dim, 6, 3, 16)
        self.early = Stage(w_dim, 5, 6, 8)

    def forward(self, ws, noise_mode="const"):
        from dnnlib.util import EasyDict  # found whenever it is asked for

        assert EasyDict(rows=3).rows == ws.shape[1]
        x = self.early(self.start.expand(len(ws), -1, -1, -1), ws[:, 2])
        return self.late(x, ws[:, 0])


@persistence.persistent_class
class Strange(torch.nn.Module):
    def __init__(self, z_dim=6, c_dim=0, w_dim=8):
        super().__init__()
        self.z_dim, self.c_dim, self.w_dim = z_dim, c_dim, w_dim
        self.mapping = Mapping(z_dim, c_dim, w_dim)
        self.synthesis = Synthesis(w_dim)
        self.options = dnnlib.EasyDict(a=1)
"""

# A generator without W, conditional, called as G(z, c); z enters a transposed convolution.
UNSTYLED = """
import torch
from torch_utils import persistence


@persistence.persistent_class
class Unstyled(torch.nn.Module):
    def __init__(self, z_dim=6, c_dim=2):
        super().__init__()
        self.z_dim, self.c_dim = z_dim, c_dim
        self.first = torch.nn.ConvTranspose2d(z_dim, 5, 4)
        self.label = torch.nn.Linear(max(1, c_dim), 5)
        self.colours = torch.nn.Conv2d(5, 1, 1)

    def forward(self, z, c):
        z = z / (z.square().mean(dim=1, keepdim=True) + 1e-8).sqrt()
        x = self.first(z[:, :, None, None])
        if self.c_dim:
            x = x + self.label(c)[:, :, None, None]
        return self.colours(torch.tanh(x))
"""

# Seen by a camera of 25 numbers, sampling at random, giving a dict: EG3D's interface.
SEEN = """
import torch
from torch_utils import persistence


@persistence.persistent_class
class Mapping(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.first = torch.nn.Linear(4 + 25, 6)

    def forward(self, z, c, truncation_psi=1, truncation_cutoff=None):
        return self.first(torch.cat([z, c], dim=1))[:, None].repeat(1, 2, 1)


@persistence.persistent_class
class Seen(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.z_dim, self.c_dim, self.w_dim = 4, 25, 6
        self.mapping = Mapping()
        self.backbone = torch.nn.Linear(6, 3)
        self.rendering_kwargs = dict(avg_camera_radius=2.0, avg_camera_pivot=[0, 0, 0.2])

    def synthesis(self, ws, c, neural_rendering_resolution=None, **kwargs):
        colour = self.backbone(ws[:, 0]) + c[:, 3:12:4] + 1e-3 * torch.rand(1)
        return dict(image=colour[:, :, None, None].repeat(1, 1, 4, 4), image_depth=None)
"""


class Planted(torch.nn.Module):
    """A generator whose pictures show its latents: attribute k is the brightness of one patch, row ``k % 3`` of ws says
    how bright, and nothing else does. Its W is its Z. With classes, the class is a shift of attribute 0."""

    z_dim = w_dim = 6
    num_ws, img_resolution, img_channels = 3, 8, 3
    STEP = 0.2  # brightness for one unit of w; beyond 5 units a patch is white

    def __init__(self, classes: int = 0) -> None:
        super().__init__()
        self.c_dim = classes
        self.synthesis = _Patches()

    def mapping(self, z, c=None, truncation_psi=1, truncation_cutoff=None):
        w = z.float().clone()
        if self.c_dim:
            w[:, 0] += c.argmax(dim=1) * 1.0
        return (w * truncation_psi)[:, None].repeat(1, 3, 1)


class _Patches(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.one = torch.nn.Parameter(torch.ones(()))

    def forward(self, ws, noise_mode="const", force_fp32=False):
        shown = torch.stack([ws[:, k % 3, k] for k in range(6)], dim=1) * self.one * Planted.STEP
        return shown.reshape(-1, 3, 2, 1, 1).expand(-1, -1, -1, 4, 8).reshape(-1, 3, 8, 8)


def patches(pictures: np.ndarray) -> dict[str, np.ndarray]:
    """The scorer that reads a ``Planted`` picture: in units of w, exact but for the rounding of pixels."""
    bright = (pictures.astype(float) - 127.5) / 127.5 / Planted.STEP
    means = bright.reshape(len(pictures), 2, 4, 8, 3).mean(axis=(2, 3)).transpose(0, 2, 1).reshape(-1, 6)
    return {f"a{k}": means[:, k] for k in range(6)}


def live(source: str, name: str, seed: int = 0, **arguments: object) -> torch.nn.Module:
    """An object of class ``name`` of a source text, with weights drawn from ``seed``."""
    torch.manual_seed(seed)
    return getattr(persistence._module_of(source), name)(**arguments)


def write(path: Path, content: object, monkeypatch, *, torch_save: bool = False, write=None) -> Path:
    """Pickle networks under the toolkits' names, as if ``torch_utils`` were a module of its own here.

    ``write`` gives the bytes; by default those of protocol 4, or of ``torch_save``.
    """
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "torch_utils", third_party.torch_utils)
        patch.setitem(sys.modules, "torch_utils.persistence", persistence)
        patch.setitem(sys.modules, "dnnlib", third_party.dnnlib)
        patch.setitem(sys.modules, "dnnlib.util", third_party.dnnlib.util)
        patch.setattr(persistence._reconstruct_persistent_obj, "__module__", "torch_utils.persistence")
        patch.setattr(third_party.dnnlib.EasyDict, "__module__", "dnnlib.util")
        if write is not None:
            path.write_bytes(write(content))
        elif torch_save:
            torch.save(content, path)
        else:
            path.write_bytes(pickle.dumps(content, protocol=4))
    return path


# A plain generator with labels as indices and pictures from 0 to 1; all of z enters two layers.
PLAIN = """
import torch
from torch_utils import persistence


@persistence.persistent_class
class Plain(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.names = torch.nn.Embedding(3, 2)
        self.entry, self.second = torch.nn.Linear(7, 12), torch.nn.Linear(5, 3)
        self.norm = torch.nn.BatchNorm2d(3)

    def forward(self, noise, labels):
        x = self.entry(torch.cat([self.names(labels), noise], dim=1)).view(-1, 3, 2, 2)
        x = torch.relu(self.norm(x)) + self.second(noise)[:, :, None, None]
        return torch.sigmoid(torch.nn.functional.interpolate(x, scale_factor=8))
"""
