"""The interface of generators, as protocols for annotations; methods without a docstring are those of ``nn.Module``.

Our own generators, networks run from their file's code, and modules in memory have it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Protocol

from ..hook import SIZES

if TYPE_CHECKING:
    from torch import Tensor, nn

    from .style_layers import NetworkInfo

# Attribute of a generator -> key of Hook.describe.
GENERATOR_SIZES = dict(zip(("z_dim", "c_dim", "w_dim", "num_ws", "img_resolution", "img_channels"), SIZES))


class Mapping(Protocol):
    """``G.mapping``: latent codes to ws."""

    def __call__(
        self,
        z: Tensor,
        c: Tensor | None = None,
        truncation_psi: float = 1,
        truncation_cutoff: int | None = None,
    ) -> Tensor:
        """``z [N, z_dim]`` and labels ``c [N, c_dim]`` to ``ws [N, num_ws, w_dim]``, float32."""

    def parameters(self, recurse: bool = True) -> Iterator[nn.Parameter]: ...


class Synthesis(Protocol):
    """``G.synthesis``: ws to pictures."""

    def __call__(self, ws: Tensor, noise_mode: str = "const", force_fp32: bool = False, **keywords: object) -> Tensor:
        """``ws [N, num_ws, w_dim]`` to pictures ``[N, img_channels, H, W]``, float32, about -1 to 1."""

    def parameters(self, recurse: bool = True) -> Iterator[nn.Parameter]: ...

    def modules(self) -> Iterator[nn.Module]: ...


class Generator(Protocol):
    """A generator with the interface of NVIDIA's.

    Attributes:
        z_dim, c_dim, w_dim: widths of the latent codes, of the labels (0: no classes) and of a row of ws.
        num_ws: rows of ws.
        img_resolution, img_channels: height and width of its pictures in pixels, and their channels.
    """

    z_dim: int
    c_dim: int
    w_dim: int
    num_ws: int
    img_resolution: int
    img_channels: int

    @property
    def mapping(self) -> Mapping: ...
    @property
    def synthesis(self) -> Synthesis: ...

    def parameters(self, recurse: bool = True) -> Iterator[nn.Parameter]: ...

    def get_submodule(self, target: str) -> nn.Module: ...


class LoadedGenerator(Generator, Protocol):
    """A generator with a :class:`NetworkInfo`, from ``load_network`` or ``generator_of``."""

    @property
    def sefa(self) -> NetworkInfo: ...
