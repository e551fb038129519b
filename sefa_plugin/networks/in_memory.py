"""Generators in memory: any module with ``mapping`` and ``synthesis``, of any toolkit, and any ``G(z)`` or ``G(z, c)``.

Their layers are found with forward hooks during one run (``probe``), which leaves the modules unchanged.
"""

from __future__ import annotations

import random
import traceback
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, cast

import numpy as np
import torch
from torch import nn

from ..hook import HookError, NetworkRecord, StyleLayer
from ..system.messages import warn
from .module_record import record_of
from .plain import CallError, normalises_batches
from .probe import ProbeError, style_and_mapping
from .wrapped import EmbeddedError, EmbeddedGenerator, called_as_usual, not_compiled, unwrapped

if TYPE_CHECKING:
    from .generator import Generator
    from .style_layers import NetworkInfo

_PARTS = ("mapping", "synthesis")


class LiveError(HookError):
    """A module in memory that cannot be used as a generator; one line."""


class LiveGenerator(EmbeddedGenerator):
    """NVIDIA's interface around a module in memory; see :func:`adopt`.

    ``sefa`` is set by ``style_layers.generator_of``.

    Raises:
        LiveError: it cannot be run.
    """

    sefa: NetworkInfo

    def __init__(self, network: nn.Module) -> None:
        was_training = normalises_batches(network)
        with _explained(network), undisturbed(network):
            super().__init__(network, was_training)
        if not self.styled:
            for note in self.notes:
                warn(f"{type(network).__name__}: {note}")

    def look(self) -> tuple[list[StyleLayer], StyleLayer | None]:
        """Find its style layers, with their weights, and its first mapping layer (None where there is none).

        Raises:
            LiveError: no style layer is found.
        """
        with _explained(self.network), undisturbed(self.network), not_compiled():
            layers, first = style_and_mapping(self)
        usual = [_named_as_usual(self.network, layer) for layer in layers]
        return usual, first and _named_as_usual(self.network, first)

    def record(self) -> NetworkRecord:
        """Class, arguments and tensors; see ``record_of``."""
        name = type(self.network).__name__
        return record_of(self.network, name, "", (name,))

    def _running(self, noise: bool = False) -> AbstractContextManager[object]:
        return undisturbed(self.network, noise)


def adopt(G: object) -> LiveGenerator:
    """Put NVIDIA's interface around a generator in memory: find its sizes and the arguments that it takes.

    It is run once, without gradients, in evaluation mode and on its own device; then its training flags, buffers and
    the states of the random generators are restored. Wrappers (``nn.DataParallel``, ``torch.compile``) are removed.

    Args:
        G: an object with ``mapping(z, c) -> ws`` ``[N, num_ws, w_dim]`` or ``w`` ``[N, w_dim]``, and
            ``synthesis(ws) -> pictures`` ``[N, C, H, W]``; ``c`` and the usual keywords may be missing. Or a module
            that is called with z, ``[N, z_dim]`` or ``[N, z_dim, 1, 1]``, and perhaps a label (see ``plain``).

    Raises:
        LiveError: it is neither, is on the meta device, or cannot be called this way.
    """
    G = unwrapped(G)
    if isinstance(G, LiveGenerator):
        return G
    name = type(G).__name__
    missing = [part for part in _PARTS if not callable(getattr(G, part, None))]
    if len(missing) == 1 or (missing and not isinstance(G, nn.Module)):
        raise LiveError(
            f"{name} is not a generator: it has no {' and no '.join(missing)}; give one with mapping(z, c) and "
            "synthesis(ws), a module G(z), or load its file with load_network"
        )
    network = G if isinstance(G, nn.Module) else _held(G)
    network = network.network if isinstance(network, EmbeddedGenerator) else network
    tensors = [*network.parameters(), *network.buffers()]
    if any(tensor.is_meta for tensor in tensors):
        raise LiveError(f"{name} is on the meta device, without weights; load them first")
    broken = next((key for key, t in network.named_parameters() if not torch.isfinite(t).all()), None)
    if broken:
        raise LiveError(f"{name}: tensor {broken} holds NaN or infinity: the training diverged?")
    return LiveGenerator(network)


def usable(G: object) -> Generator:
    """A generator for ``frames.render``: ``G`` if its synthesis takes NVIDIA's arguments, else that of :func:`adopt`.

    Raises:
        LiveError: as :func:`adopt`.
    """
    G = unwrapped(G)
    if isinstance(G, EmbeddedGenerator):
        return G
    synthesis = getattr(G, "synthesis", None)
    if unwrapped(synthesis) is synthesis and callable(synthesis) and called_as_usual(synthesis):
        return cast("Generator", G)
    return adopt(G)


@contextmanager
def _explained(network: nn.Module) -> Iterator[None]:
    """Raise errors of the network's code as :class:`LiveError`, with the class and the part that failed."""
    name = type(network).__name__
    try:
        yield
    except LiveError:
        raise
    except (EmbeddedError, ProbeError) as error:
        raise LiveError(f"{name}: {error}") from None
    except CallError as error:
        raise LiveError(f"{name} is not a generator: it has no mapping and no synthesis, and {error}") from None
    except Exception as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        how = "mapping(z, c) -> ws, synthesis(ws) -> pictures" if hasattr(network, "synthesis") else "G(z) -> pictures"
        raise LiveError(f"{name} cannot be run as {how}: {_place(error)}{reason}") from error


def _held(G: object) -> nn.Module:
    """A module with the parts and sizes of an object of another type."""
    parts = {name: getattr(G, name) for name in _PARTS}
    if not all(isinstance(part, nn.Module) for part in parts.values()):
        raise LiveError(f"{type(G).__name__} is no torch module, and neither are its mapping and synthesis")
    module: nn.Module = type(type(G).__name__, (nn.Module,), {})()
    for name, value in [*vars(G).items(), *parts.items()]:
        if isinstance(value, (int, np.integer)) or name in parts:
            setattr(module, name, value)
    return module


def _place(error: BaseException) -> str:
    """The part (mapping or synthesis) in which an error was raised, from its traceback."""
    names = [frame.name for frame in traceback.extract_tb(error.__traceback__)]
    called = [word for place, word in (("_map", "mapping"), ("_synthesize", "synthesis")) if place in names]
    return f"in {called[-1]}, " if called else ""


def _named_as_usual(network: nn.Module, layer: StyleLayer) -> StyleLayer:
    """The layer by its name without the parts that wrappers inside the network add."""
    module: nn.Module | None = network
    steps = []
    for step in layer.name.split("."):
        if unwrapped(module) is module:
            steps.append(step)
        module = getattr(module, step, None)  # the last part may end in a row: affine[3]
    return replace(layer, name=".".join(steps))


@contextmanager
def evaluating(module: object) -> Iterator[None]:
    """Put a module in evaluation mode for the block; then restore the mode of each submodule."""
    flags = {part: part.training for part in module.modules()} if isinstance(module, nn.Module) else {}
    try:
        for part in flags:
            part.training = False
        yield
    finally:
        for part, flag in flags.items():
            part.training = flag


@contextmanager
def undisturbed(network: nn.Module, noise: bool = False) -> Iterator[None]:
    """Put a network in evaluation mode for the block; then restore its flags, buffers and the random generators.

    With ``noise``, the states of the random generators are neither saved nor restored.
    """
    held = [(buffer, buffer.detach().clone()) for buffer in network.buffers()]
    devices = {t.device for t in (*network.parameters(), *network.buffers()) if t.device.type == "cuda"}
    state = random.getstate(), np.random.get_state()
    with ExitStack() as stack:
        if not noise:
            stack.enter_context(torch.random.fork_rng(devices=sorted(devices, key=str)))
        for kind in {"cpu", *(device.type for device in devices)}:
            if hasattr(torch, "autocast"):
                stack.enter_context(torch.autocast(kind, enabled=False))
        stack.enter_context(torch.no_grad())
        stack.enter_context(evaluating(network))
        try:
            yield
        finally:
            for buffer, before in held:
                if not torch.equal(buffer, before):
                    buffer.copy_(before)
            if not noise:
                random.setstate(state[0])
                np.random.set_state(state[1])
