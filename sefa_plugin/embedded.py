"""Networks that run their file's own code: NVIDIA's interface around whatever that code makes.

Only with ``--trust-pickle`` (``trusted_file``). Nothing is known of such a class but what it does, so its
keywords are tried, its sizes are taken from its outputs, and pictures are rendered one by one.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from . import orbit

_SIZES = ("z_dim", "c_dim", "w_dim", "num_ws")
_NOISE_SEED = 0


class EmbeddedError(Exception):
    """A network's own code has an interface that cannot be used here; one clear line."""


class _Part:
    """``G.mapping`` or ``G.synthesis``: callable as in NVIDIA's toolkits, otherwise the network's own part."""

    def __init__(self, call: Any, network: nn.Module, name: str) -> None:
        self._call, self._owners = call, (getattr(network, name, None), network)

    def __call__(self, *args: Any, **kwargs: Any) -> Tensor:
        return self._call(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        for owner in self._owners:  # where a part is a method (EG3D), the network has what is asked for
            if hasattr(owner, name):
                return getattr(owner, name)
        raise AttributeError(name)


class EmbeddedGenerator(nn.Module):
    """NVIDIA's interface around ``network``, an ``nn.Module`` of any class.

    * A network without ``mapping`` and ``synthesis``: its z, followed by its label, stands for ws (one row).
    * A network that is conditioned on a camera (EG3D): ``camera`` ``[1, 25]`` is where it is seen from; its
      latents are those of the frontal camera, and to its user it has no classes.

    Raises:
        EmbeddedError: it says neither how large its latents are, nor how it wants to be called.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        parts = (getattr(network, "mapping", None), getattr(network, "synthesis", None))
        self.styled = all(callable(part) for part in parts)
        for name in _SIZES:
            held = (getattr(owner, name, None) for owner in (network, *parts))
            setattr(self, name, next((int(n) for n in held if isinstance(n, (int, np.integer)) and n >= 0), 0))
        if not self.z_dim:
            raise EmbeddedError(
                f"{type(network).__name__} does not say how large its latents are (z_dim): no generator?"
            )
        self.labels = self.c_dim  # what the network itself takes
        if self.styled and self.labels == orbit.SIZE and "c" in _needed(network.synthesis, 1):
            self.c_dim = 0
            self.register_buffer("front", self.seen_from(0, 0), persistent=False)
            self.register_buffer("camera", self.front.clone(), persistent=False)
        self._refused: set[str] = set()
        with torch.no_grad():
            ws = self.mapping(torch.zeros(1, self.z_dim), None)
            img = self.synthesis(ws)
        self.num_ws, self.w_dim = int(ws.shape[1]), int(ws.shape[2])
        self.img_channels, self.img_resolution = int(img.shape[1]), int(img.shape[2])

    @property
    def mapping(self) -> _Part:
        """``mapping(z, c, truncation_psi, truncation_cutoff) -> ws [N, num_ws, w_dim]`` float32."""
        return _Part(self._map, self.network, "mapping")

    @property
    def synthesis(self) -> _Part:
        """``synthesis(ws, noise_mode, force_fp32) -> img [N, C, H, W]`` float32, about -1 to 1."""
        return _Part(self._synthesize, self.network, "synthesis")

    def get_submodule(self, target: str) -> nn.Module:
        """Give a module by its name in the network itself."""
        return self.network.get_submodule(target)

    def seen_from(self, yaw: float, pitch: float, fov: float = orbit.FIELD_OF_VIEW) -> Tensor:
        """A camera ``[1, 25]`` at angles in degrees, on the sphere that the network was trained with."""
        held = getattr(self.network, "rendering_kwargs", None) or {}
        radius = float(held.get("avg_camera_radius", orbit.RADIUS))
        code = orbit.camera_code(yaw, pitch, fov, radius, held.get("avg_camera_pivot", (0, 0, 0)))
        return torch.from_numpy(code)[None]

    def forward(self, z: Tensor, c: Tensor | None = None, *args: Any, **synthesis_kwargs: Any) -> Tensor:
        """Latents ``[N, z_dim]`` (and labels) to pictures; further arguments as for ``mapping``."""
        names = ("truncation_psi", "truncation_cutoff")
        held = {**dict(zip(names, args)), **{n: synthesis_kwargs.pop(n) for n in names if n in synthesis_kwargs}}
        return self.synthesis(self.mapping(z, c, **held), **synthesis_kwargs)

    def _map(
        self,
        z: Tensor,
        c: Tensor | None = None,
        truncation_psi: float = 1,
        truncation_cutoff: int | None = None,
        **keywords: Any,
    ) -> Tensor:
        z = z.to(torch.float32)
        c = self._label(z, c)
        if not self.styled:
            if truncation_psi != 1:
                raise ValueError("this network has no mapping and keeps no average, so truncation is not possible")
            return torch.cat([z, c], dim=1)[:, None]
        module = self.network.mapping
        keywords = {"truncation_psi": truncation_psi, "truncation_cutoff": truncation_cutoff}
        taken = _accepted(module, keywords)
        if truncation_psi != 1 and "truncation_psi" not in taken:
            raise ValueError("this network's mapping does not truncate; use a psi of 1")
        ws = _first(module(z, c, **taken) if _places(module) > 1 else module(z, **taken))
        return (ws if ws.ndim == 3 else ws[:, None].repeat(1, max(1, self.num_ws), 1)).to(torch.float32)

    def _label(self, z: Tensor, c: Tensor | None) -> Tensor:
        """Labels for the network itself: the given ones, the frontal camera, or class 0 where none is given."""
        if hasattr(self, "front"):
            return self.front.expand(len(z), -1)
        if c is not None:
            return c.to(z)
        return nn.functional.one_hot(torch.zeros(len(z), dtype=torch.long, device=z.device), max(1, self.labels))[
            :, : self.labels
        ].to(z)

    def _synthesize(self, ws: Tensor, noise_mode: str = "const", force_fp32: bool = False, **keywords: Any) -> Tensor:
        keywords = {"noise_mode": noise_mode, "force_fp32": force_fp32 or ws.device.type != "cuda"}
        random = noise_mode == "random"
        with torch.random.fork_rng(devices=[ws.device] if ws.device.type == "cuda" else [], enabled=not random):
            pictures = []
            for row in ws.split(1):  # one by one: what an unknown class does with its neighbours is not known
                if not random:
                    torch.manual_seed(_NOISE_SEED)  # renderers that sample must not flicker
                pictures.append(self._picture(row, keywords))
        return torch.cat(pictures)

    def _picture(self, ws: Tensor, keywords: Mapping[str, Any]) -> Tensor:
        if not self.styled:
            z, c = ws[:, 0, : self.z_dim], ws[:, 0, self.z_dim :]
            call, given = self.network, [z, c] if _places(self.network) > 1 else [z]
        else:
            call, given = self.network.synthesis, [ws, *(self._extra(name, ws) for name in self._extras())]
        held = {key: value for key, value in _accepted(call, keywords).items() if key not in self._refused}
        while True:
            try:
                return _first(call(*given, **held)).to(torch.float32)
            except TypeError as error:
                refused = [key for key in held if f"'{key}'" in str(error)]
                if not refused:
                    raise
                self._refused.add(refused[0])
                held.pop(refused[0])

    def _extras(self) -> list[str]:
        return _needed(self.network.synthesis, 1)

    def _extra(self, name: str, ws: Tensor) -> Tensor:
        """Further arguments of a synthesis network: the camera, the first moment of a video."""
        if name == "c":
            return self.camera if hasattr(self, "camera") else self._label(ws[:, 0], None)
        if name == "t":
            return torch.zeros(len(ws), 1, device=ws.device)
        raise EmbeddedError(f"its synthesis network needs {name!r}, and what that is to be is not known here")


def _parameters(function: Any) -> list[inspect.Parameter]:
    target = function.forward if isinstance(function, nn.Module) else function
    return list(inspect.signature(target).parameters.values())


def _accepted(function: Any, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Those keywords that a function takes (all, if it takes any)."""
    held = _parameters(function)
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in held):
        return dict(wanted)
    names = {parameter.name for parameter in held}
    return {name: value for name, value in wanted.items() if name in names}


def _positional(function: Any) -> list[inspect.Parameter]:
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return [parameter for parameter in _parameters(function) if parameter.kind in kinds]


def _places(function: Any) -> int:
    """How many of NVIDIA's first two arguments (z, c) a function takes by position."""
    held = _positional(function)
    return 2 if len(held) > 1 and held[1].name not in ("truncation_psi", "noise_mode") else 1


def _needed(function: Any, after: int) -> list[str]:
    """Names of the arguments without default beyond the first ``after``."""
    return [place.name for place in _positional(function)[after:] if place.default is place.empty]


def _first(value: Any) -> Tensor:
    """The picture or the latents in what a network gives: alone, first of several, or by name."""
    if isinstance(value, Mapping):
        value = value.get("image", value.get("img", value.get("ws")))
    value = value[0] if isinstance(value, (tuple, list)) and value else value
    if not isinstance(value, Tensor):
        raise EmbeddedError(f"its network gives a {type(value).__name__} where a tensor was expected")
    return value
