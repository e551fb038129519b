"""Open a network file by running it: a record and a hook, so that all else is as with native networks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch

from . import probe
from .embedded import EmbeddedError, EmbeddedGenerator
from .hook import HookError, StyleLayer
from .network_record import NetworkRecord
from .trusted_file import Loaded, run_file

_SEED = 0


class EmbeddedHook:
    """The hook of one file that has been run: the generator is there already, its layers are measured."""

    name = "embedded"

    def __init__(self, G: EmbeddedGenerator) -> None:
        self.G = G
        generator = torch.Generator().manual_seed(_SEED)
        # The first latents are handed over as they are only if normalising leaves them so.
        z = torch.randn(G.z_dim, generator=generator)
        z = z * z.square().mean().rsqrt()
        with torch.no_grad():
            self._mapping = probe.mapping_layer(G.network, self._map, z)
            if G.styled:
                rows = torch.randn(G.num_ws, G.w_dim, generator=generator)
                rows = rows * rows.square().mean(dim=1, keepdim=True).rsqrt()
                self._layers = probe.style_layers(G.network, G.synthesis, rows, G.img_channels)
                if self._mapping is None and len(self._layers) == 1 and G.z_dim == G.w_dim:
                    # Its mapping hands z on: what ws enter by, z enters by (FastGAN).
                    self._mapping = replace(self._layers[0], ws_index=-1, kind="mapping")
            else:
                self._layers = [self._first_layer()]

    def _map(self, z: Any) -> None:
        ws = self.G.mapping(z)
        if not self.G.styled:
            self.G.synthesis(ws)

    def _first_layer(self) -> StyleLayer:
        """Where z itself enters: the columns of the label, which follow it, are no directions."""
        if self._mapping is None:
            raise probe.ProbeError("no affine layer that is fed by z was found in it")
        import numpy as np

        weight = np.asarray(self._mapping.weight)
        weight = np.pad(weight, ((0, 0), (0, self.G.w_dim - weight.shape[1])))
        return replace(self._mapping, weight=weight, ws_index=0, kind="conv", size=self.G.img_resolution)

    @property
    def has_mapping(self) -> bool:
        """Whether an affine layer that z enters was found."""
        return self._mapping is not None

    def fits(self, record: NetworkRecord) -> bool:
        """It stands for its own file only."""
        return True

    def check(self, record: NetworkRecord) -> None:
        """There is nothing to compare with: the network is what its code makes."""

    def style_layers(self, record: NetworkRecord) -> list[StyleLayer]:
        """What ``probe`` found."""
        return self._layers

    def mapping_layer(self, record: NetworkRecord) -> StyleLayer:
        """The first affine layer that z enters.

        Raises:
            HookError: none was found.
        """
        if self._mapping is None:
            raise HookError(f"{record.path}: no affine layer that z enters was found; use --space w")
        return self._mapping

    def describe(self, record: NetworkRecord) -> dict[str, int]:
        """Sizes, as measured."""
        G = self.G
        return {
            "z_dim": G.z_dim,
            "c_dim": G.c_dim,
            "w_dim": G.w_dim,
            "num_ws": G.num_ws,
            "resolution": G.img_resolution,
            "channels": G.img_channels,
        }

    def build(self, record: NetworkRecord) -> EmbeddedGenerator:
        """Give the generator that the file made."""
        return self.G

    def state(self, record: NetworkRecord) -> None:
        """Nothing is left to be loaded."""


def open_trusted(path: str, which: str) -> tuple[NetworkRecord, EmbeddedHook, Loaded]:
    """Run a file; gives its network as record and hook, and how it was loaded.

    Raises:
        TrustedFileError: the code fails, or makes nothing that can be used; one line.
    """
    made: dict[str, Any] = {}

    def check(network: Any) -> None:
        if not isinstance(network, torch.nn.Module):
            raise EmbeddedError(f"holds a {type(network).__name__}, not a network")
        network.eval().requires_grad_(False)
        made["hook"] = EmbeddedHook(EmbeddedGenerator(network))

    loaded = run_file(path, which, check)
    network = loaded.network
    record = NetworkRecord(
        path=path,
        which=which,
        entries=loaded.entries,
        class_name=type(network).__name__,
        init_args=tuple(getattr(network, "init_args", ()) or ()),
        init_kwargs=dict(getattr(network, "init_kwargs", {}) or {}),
        tensors={name: _array(tensor) for name, tensor in network.state_dict().items()},
    )
    return record, made["hook"], loaded


def _array(tensor: torch.Tensor) -> Any:
    tensor = tensor.detach().cpu()
    return (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy()  # NumPy has no bfloat16
