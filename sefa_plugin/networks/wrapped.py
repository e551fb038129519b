"""NVIDIA's interface around networks of any class: made by a file's own code (``trusted``), or in ``in_memory``.

The class is unknown, so keywords are tried, sizes are taken from outputs, and pictures are rendered one by one.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from . import eg3d_camera, generator
from .entered import Entered, find_entered, given_to, inputs_of
from .plain import USUAL, PlainCall, find_call, shown_range

_SIZES = ("z_dim", "c_dim", "w_dim", "num_ws")
_ROWS = ("num_layers", "n_latent")  # other names of num_ws in toolkits
_MOST_ROWS = 64
_NOISE_SEED = 0
_SHOWN_SEEDS = 4  # of the pictures that show the range of a plain generator


class EmbeddedError(Exception):
    """A network has an interface that is not supported; one line."""


class _Part:
    """``G.mapping`` or ``G.synthesis``: called as in NVIDIA's toolkits; other attributes are the network's own."""

    def __init__(self, call: Callable[..., Tensor], network: nn.Module, name: str) -> None:
        self._call, self._owners = call, (getattr(network, name, None), network)

    def __call__(self, *args: object, **kwargs: object) -> Tensor:
        return self._call(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        for owner in self._owners:  # if the part is a method (EG3D), the network has the attribute
            if hasattr(owner, name):
                return getattr(owner, name)
        raise AttributeError(name)


class EmbeddedGenerator(nn.Module):
    """NVIDIA's interface around ``network``, an ``nn.Module`` of any class, in evaluation mode.

    * A plain generator, without ``mapping`` and ``synthesis``: rows of ws are its z, followed by its label. There is
      one for each layer that z enters (see ``entered``). Pictures are scaled to -1 to 1.
    * A network that is conditioned on a camera (EG3D): pictures are rendered from ``camera`` ``[1, 25]``, the mapping
      gets the frontal camera, and ``c_dim`` is 0.

    Args:
        network: the module.
        was_training: whether its batch normalisation was in training mode before.

    Attributes:
        entered: the layers of a plain generator that z enters; None for others.
        normalizes_z: whether the network scales z itself.
        notes: what may surprise in its pictures, a line each.

    Raises:
        EmbeddedError, CallError: the size of its latents or its arguments cannot be determined.
        ProbeError: no layer is found that z enters.
    """

    z_dim: int
    c_dim: int
    notes: tuple[str, ...]
    w_dim: int
    num_ws: int
    front: Tensor
    camera: Tensor

    def __init__(self, network: nn.Module, was_training: bool = False) -> None:
        super().__init__()
        self.network = network
        parts = (getattr(network, "mapping", None), getattr(network, "synthesis", None))
        self.styled = all(callable(part) for part in parts)
        self.flat = False  # whether synthesis takes w itself, [N, w_dim]
        self._refused: set[str] = set()  # keywords
        self._types: dict[str, torch.dtype] = {}  # of the inputs of each part
        self.entered: Entered | None = None
        self.normalizes_z = True
        self.notes = (TRAINING,) if was_training else ()
        for name in _SIZES:
            held = (getattr(owner, name, None) for owner in (network, *map(unwrapped, parts)))
            setattr(self, name, next((int(n) for n in held if isinstance(n, (int, np.integer)) and n >= 0), 0))
        self.labels = self.c_dim  # of the network itself
        if not self.styled:
            self._find_out()
            return
        if not self.z_dim:
            self.z_dim = self._width_of_z()
        if not self.z_dim:
            raise EmbeddedError(f"{type(network).__name__} has no z_dim (size of its latents): is it a generator?")
        if self.labels == eg3d_camera.SIZE and "c" in _needed(self._own("synthesis"), 1):
            self.c_dim = 0
            self.register_buffer("front", self.seen_from(0, 0), persistent=False)
            self.register_buffer("camera", self.front.clone(), persistent=False)
        with torch.no_grad():
            ws = self.mapping(torch.zeros(1, self.z_dim), None)
            ws, img = self._first_picture(ws)
        self.num_ws, self.w_dim = int(ws.shape[1]), int(ws.shape[2])
        self.img_channels, self.img_resolution = int(img.shape[1]), int(img.shape[2])

    def _find_out(self) -> None:
        """How a plain generator is called, the layers that z enters, and what its pictures' numbers mean."""
        network = self.network
        has_labels = isinstance(getattr(network, "c_dim", None), (int, np.integer))
        with torch.no_grad(), not_compiled():
            self._plain = find_call(network, self._called, self.z_dim, self.c_dim if has_labels else None)
            self.z_dim, self.c_dim = self._plain.z_dim, self._plain.c_dim
            code = self._plain.labelled(torch.zeros(1, self.z_dim))
            self.entered = find_entered(network, lambda code: self._called(self._plain, code), code, self.z_dim)
            drawn = [np.random.RandomState(seed).randn(1, self.z_dim) for seed in range(_SHOWN_SEEDS)]
            codes = [self._plain.labelled(torch.from_numpy(z).float()) for z in drawn]
            pictures = [self._called(self._plain, code) for code in codes]
        self.labels, self.w_dim, self.num_ws = self.c_dim, self.z_dim + self.c_dim, len(self.entered.modules)
        self.normalizes_z, self._shown = self.entered.normalises, shown_range(torch.cat(pictures))
        self.img_channels, self.img_resolution = int(pictures[0].shape[1]), int(pictures[0].shape[2])
        if self._shown is not USUAL:
            self.notes += (f"its pictures are numbers from {self._shown.words}, which are scaled to -1 to 1",)

    def _called(self, way: PlainCall, code: Tensor, random: bool = False) -> Tensor:
        """The picture ``[1, C, H, W]`` of a plain generator for a code ``[1, z_dim + c_dim]``, in its own numbers."""
        devices = [self.device] if self.device.type == "cuda" else []
        with torch.random.fork_rng(devices=devices, enabled=not random):
            if not random:  # so that each call draws the same noise; the one of all devices takes ten times as long
                (torch.default_generator if self.device.type == "cpu" else torch).manual_seed(_NOISE_SEED)
            made = _first(self._in_its_type("synthesis", self.network, *way.arguments(code.to(self.device))))
        return made.to(torch.float32)

    def _of_rows(self, rows: Tensor, random: bool) -> Tensor:
        """The picture of rows of ws ``[num_ws, w_dim]`` of a plain generator.

        Layers of a row that differs from the first one are given what they are given when the network is called with
        that row.
        """
        assert self.entered is not None
        codes = rows.to(torch.float32)
        others: dict[int, list[str]] = {}
        for row in range(1, len(codes)):
            same = next(known for known in range(row + 1) if torch.equal(codes[known], codes[row]))
            if same:
                others.setdefault(same, []).extend(self.entered.modules[row])
        inputs: dict[str, list[tuple[object, ...]]] = {}
        with not_compiled() if others else nullcontext():
            for row, names in others.items():
                code = codes[row : row + 1]
                inputs.update(inputs_of(self.network, names, lambda c: self._called(self._plain, c, random), code))
            with given_to(self.network, inputs):
                made = self._called(self._plain, codes[:1], random)
        return made * self._shown.scale + self._shown.shift

    @property
    def rows_are_z(self) -> bool:
        """Whether rows of ws are z, followed by its label."""
        return not self.styled

    @property
    def mapping(self) -> generator.Mapping:
        """``mapping(z, c, truncation_psi, truncation_cutoff) -> ws [N, num_ws, w_dim]`` float32."""
        return cast(generator.Mapping, _Part(self._map, self.network, "mapping"))

    @property
    def synthesis(self) -> generator.Synthesis:
        """``synthesis(ws, noise_mode, force_fp32) -> img [N, C, H, W]`` float32, about -1 to 1."""
        return cast(generator.Synthesis, _Part(self._synthesize, self.network, "synthesis"))

    def _own(self, name: str) -> Callable[..., object]:
        """The network's own mapping or synthesis: a module, or a method."""
        part: Callable[..., object] = getattr(self.network, name)
        return part

    def _width_of_z(self) -> int:
        """z_dim where no attribute gives it: the width of the first of the mapping's matrices that works."""
        mapping = self._own("mapping")
        held = [*mapping.state_dict().values()] if isinstance(mapping, nn.Module) else []
        widths = [int(tensor.shape[1]) - self.labels for tensor in held if tensor.ndim == 2]
        for width in dict.fromkeys(width for width in widths if width > 0):
            try:
                with torch.no_grad():
                    self.mapping(torch.zeros(1, width), None)
            except Exception:  # not this one
                continue
            return width
        return 0

    def _first_picture(self, ws: Tensor) -> tuple[Tensor, Tensor]:
        """ws and their picture; finds ``num_ws`` by trying where the mapping gives only w."""
        if self.num_ws or ws.shape[1] > 1:
            return ws, self.synthesis(ws)
        hints = [getattr(owner, name, 0) for owner in (self.network, self._own("synthesis")) for name in _ROWS]
        counts = [n for n in hints if isinstance(n, int) and 0 < n <= _MOST_ROWS] + [*range(1, _MOST_ROWS + 1)]
        problem: Exception | None = None
        for count in dict.fromkeys([0, *counts]):
            self.flat, self.num_ws = count == 0, max(1, count)
            rows = ws.expand(-1, self.num_ws, -1)
            try:
                return rows, self.synthesis(rows)
            except Exception as error:  # try the next count; the first error is reported
                problem = problem or error
        raise problem or EmbeddedError("its synthesis network takes no number of rows")

    @property
    def device(self) -> torch.device:
        """The network's device."""
        return next((t.device for t in (*self.network.parameters(), *self.network.buffers())), torch.device("cpu"))

    def get_submodule(self, target: str) -> nn.Module:
        """Give a module by its name in the network itself."""
        return self.network.get_submodule(target)

    def seen_from(self, yaw: float, pitch: float, fov: float = eg3d_camera.FIELD_OF_VIEW) -> Tensor:
        """A camera ``[1, 25]`` at angles in degrees, on the sphere that the network was trained with."""
        held: Mapping[str, Any] = getattr(self.network, "rendering_kwargs", None) or {}
        radius = float(held.get("avg_camera_radius", eg3d_camera.RADIUS))
        code = eg3d_camera.camera_code(yaw, pitch, fov, radius, held.get("avg_camera_pivot", (0, 0, 0)))
        return torch.from_numpy(code)[None]

    def forward(
        self,
        z: Tensor,
        c: Tensor | None = None,
        truncation_psi: float = 1,
        truncation_cutoff: int | None = None,
        **synthesis_kwargs: object,
    ) -> Tensor:
        """Latents ``[N, z_dim]`` (and labels) to pictures; further arguments as for ``mapping``."""
        synthesis: Callable[..., Tensor] = self.synthesis
        return synthesis(self.mapping(z, c, truncation_psi, truncation_cutoff), **synthesis_kwargs)

    def _running(self, noise: bool = False) -> AbstractContextManager[object]:
        """The context of each call of the network; ``noise``: it draws random numbers for the caller."""
        return nullcontext()

    def _map(
        self,
        z: Tensor,
        c: Tensor | None = None,
        truncation_psi: float = 1,
        truncation_cutoff: int | None = None,
        **keywords: object,
    ) -> Tensor:
        z = z.to(self.device, torch.float32)
        c = self._label(z, c)
        if not self.styled:
            if truncation_psi != 1:
                raise ValueError("this network has no mapping and keeps no average, so truncation is not possible")
            return torch.cat([z, c], dim=1)[:, None].repeat(1, self.num_ws, 1)
        module = self._own("mapping")
        keywords = {"truncation_psi": truncation_psi, "truncation_cutoff": truncation_cutoff}
        taken = _accepted(module, keywords)
        if truncation_psi != 1 and "truncation_psi" not in taken:
            raise ValueError("this network's mapping does not truncate; use a psi of 1")
        parts = (z, c) if _places(module) > 1 else (z,)
        with self._running():
            ws = _first(self._in_its_type("mapping", lambda *given: module(*given, **taken), *parts))
        return (ws if ws.ndim == 3 else ws[:, None].repeat(1, max(1, self.num_ws), 1)).to(torch.float32)

    def _label(self, z: Tensor, c: Tensor | None) -> Tensor:
        """Labels for the network itself: the frontal camera, the given ones, or class 0 without any."""
        if hasattr(self, "front"):
            return self.front.to(z).expand(len(z), -1)
        if c is not None:
            return c.to(z)
        return torch.eye(1, self.labels).to(z).expand(len(z), -1)

    def _in_its_type(self, name: str, call: Callable[..., object], *given: Tensor) -> object:
        """Call a part with float32 inputs, or with its own dtype if that fails (a network converted to half)."""
        part = getattr(self.network, name, None)
        part = part if isinstance(part, nn.Module) else self.network
        own = next((p.dtype for p in part.parameters() if p.is_floating_point()), torch.float32)
        types = [self._types[name]] if name in self._types else list(dict.fromkeys((torch.float32, own)))
        for kind in types:
            try:
                result = call(*(tensor.to(kind) if tensor.is_floating_point() else tensor for tensor in given))
            except RuntimeError:
                if kind is types[-1]:
                    raise
            else:
                self._types[name] = kind
                break
        return result

    def _synthesize(
        self, ws: Tensor, noise_mode: str = "const", force_fp32: bool = False, **keywords: object
    ) -> Tensor:
        ws = ws.to(self.device)
        keywords = {"noise_mode": noise_mode, "force_fp32": force_fp32 or ws.device.type != "cuda"}
        random, devices = noise_mode == "random", [ws.device] if ws.device.type == "cuda" else []
        with self._running(random), torch.random.fork_rng(devices=devices, enabled=not random):
            pictures = []
            for row in torch.split(ws, 1):  # one by one: unknown classes may mix pictures of a batch
                if not random:
                    torch.manual_seed(_NOISE_SEED)  # so that renderers with random sampling do not flicker
                pictures.append(self._picture(row, keywords))
        return torch.cat(pictures)

    def _picture(self, ws: Tensor, keywords: Mapping[str, object]) -> Tensor:
        if not self.styled:
            return self._of_rows(ws[0], keywords["noise_mode"] == "random")
        extras = [self._extra(name, ws) for name in _needed(self._own("synthesis"), 1)]
        call, given = self._own("synthesis"), [ws[:, 0] if self.flat else ws, *extras]
        held = {key: value for key, value in _accepted(call, keywords).items() if key not in self._refused}
        while True:
            try:
                made = self._in_its_type("synthesis", lambda *parts: call(*parts, **held), *given)
                return _first(made).to(torch.float32)
            except TypeError as error:
                refused = [key for key in held if f"'{key}'" in str(error)]
                if not refused:
                    raise
                self._refused.add(refused[0])
                held.pop(refused[0])

    def _extra(self, name: str, ws: Tensor) -> Tensor:
        """A further argument of a synthesis network: the camera or label, or time 0 of a video."""
        if name == "c":
            return self.camera.to(ws.device) if hasattr(self, "camera") else self._label(ws[:, 0], None)
        if name == "t":
            return torch.zeros(len(ws), 1, device=ws.device)
        raise EmbeddedError(f"its synthesis network needs {name!r}, an argument that is not known here")


TRAINING = (
    "it was in training mode; its pictures are those of evaluation mode (running averages of batch normalisation)"
)


def not_compiled() -> AbstractContextManager[object]:
    """Run compiled modules eagerly within the block, so that their hooks are called."""
    if "torch._dynamo" not in sys.modules:  # nothing is compiled, and importing it takes seconds
        return nullcontext()
    stance = getattr(sys.modules.get("torch.compiler"), "set_stance", None)  # from torch 2.6 on
    return nullcontext() if stance is None else stance("force_eager")


def unwrapped(module: object) -> object:
    """A module without the wrappers of ``DataParallel``, ``DistributedDataParallel`` and ``torch.compile``."""
    while isinstance(module, nn.Module):
        parallel = isinstance(module, (nn.DataParallel, nn.parallel.DistributedDataParallel))
        inside = module._modules.get("module" if parallel else "_orig_mod")
        if inside is None:
            break
        module = inside
    return module


def _parameters(function: Callable[..., object]) -> list[inspect.Parameter]:
    inside = unwrapped(function)
    target = inside.forward if isinstance(inside, nn.Module) else function
    return list(inspect.signature(target).parameters.values())


def _accepted(function: Callable[..., object], wanted: Mapping[str, object]) -> dict[str, object]:
    """The keywords that a function takes (all if it has ``**kwargs``)."""
    held = _parameters(function)
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in held):
        return dict(wanted)
    names = {parameter.name for parameter in held}
    return {name: value for name, value in wanted.items() if name in names}


def called_as_usual(synthesis: Callable[..., object]) -> bool:
    """Whether a synthesis network takes NVIDIA's keywords, needs no others, and is float32."""
    keywords = {"noise_mode": "const", "force_fp32": True}
    tensors = synthesis.parameters() if isinstance(synthesis, nn.Module) else ()
    plain = all(t.dtype == torch.float32 for t in tensors if t.is_floating_point())
    return plain and len(_accepted(synthesis, keywords)) == len(keywords) and not _needed(synthesis, 1)


def _positional(function: Callable[..., object]) -> list[inspect.Parameter]:
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return [parameter for parameter in _parameters(function) if parameter.kind in kinds]


def _places(function: Callable[..., object]) -> int:
    """How many of NVIDIA's first two arguments (z, c) a function takes by position."""
    held = _positional(function)
    return 2 if len(held) > 1 and held[1].name not in ("truncation_psi", "noise_mode") else 1


def _needed(function: Callable[..., object], after: int) -> list[str]:
    """Names of the arguments without default beyond the first ``after``."""
    return [place.name for place in _positional(function)[after:] if place.default is place.empty]


def _first(value: object) -> Tensor:
    """The picture or ws in a network's output: a tensor, the first of a list, or a named entry."""
    if isinstance(value, Mapping):
        value = next((value[name] for name in ("image", "img", "ws", "wp", "w") if name in value), None)
    value = value[0] if isinstance(value, (tuple, list)) and value else value
    if not isinstance(value, Tensor):
        raise EmbeddedError(f"its network gives a {type(value).__name__} where a tensor was expected")
    return value
