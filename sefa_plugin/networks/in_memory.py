"""Generators that a script has in memory: any module with ``mapping`` and ``synthesis``, of any toolkit.

Their layers are found by watching them run once (``probe``); afterwards they are as they were before.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, cast

import numpy as np
import torch
from torch import Tensor, nn

from ..hook import HookError, NetworkRecord, StyleLayer
from .module_record import record_of
from .probe import ProbeError
from .watched_layers import style_and_mapping
from .wrapped import EmbeddedError, EmbeddedGenerator, called_as_usual, unwrapped

if TYPE_CHECKING:
    from .generator import Generator
    from .style_layers import NetworkInfo

_PARTS = ("mapping", "synthesis")


class LiveError(HookError):
    """A module in memory that cannot be used as a generator; one clear line."""


class LiveGenerator(EmbeddedGenerator):
    """NVIDIA's interface around a module of the user's own; see :func:`adopt`.

    ``sefa`` is set by ``style_layers.generator_of``.

    Raises:
        LiveError: it cannot be run.
    """

    sefa: NetworkInfo

    def __init__(self, network: nn.Module) -> None:
        with _explained(network), undisturbed(network):
            super().__init__(network)

    def look(self) -> tuple[list[StyleLayer], StyleLayer | None]:
        """Find its style layers, with their weights, and its first mapping layer (None where there is none).

        Raises:
            LiveError: no style layer is found.
        """
        with _explained(self.network), undisturbed(self.network), _not_compiled():
            layers, first = style_and_mapping(self)
        usual = [_named_as_usual(self.network, layer) for layer in layers]
        return usual, first and _named_as_usual(self.network, first)

    def record(self) -> NetworkRecord:
        """Class, arguments and tensors; of an official network with the digest of its file."""
        name = type(self.network).__name__
        return record_of(self.network, name, "", (name,))

    def _map(
        self,
        z: Tensor,
        c: Tensor | None = None,
        truncation_psi: float = 1,
        truncation_cutoff: int | None = None,
        **keywords: object,
    ) -> Tensor:
        with undisturbed(self.network):
            return super()._map(z, c, truncation_psi, truncation_cutoff, **keywords)

    def _synthesize(
        self, ws: Tensor, noise_mode: str = "const", force_fp32: bool = False, **keywords: object
    ) -> Tensor:
        with undisturbed(self.network, noise=noise_mode == "random"):
            return super()._synthesize(ws, noise_mode, force_fp32, **keywords)


def adopt(G: object) -> LiveGenerator:
    """Put NVIDIA's interface around a generator in memory: find its sizes, and how it is called.

    It is run once, without gradients, in evaluation mode and wherever it is; then its training flags, buffers and
    the state of the random generators are put back. Wrappers (``nn.DataParallel``, ``torch.compile``) are seen
    through.

    Args:
        G: an object with ``mapping(z, c) -> ws`` ``[N, num_ws, w_dim]`` or ``w`` ``[N, w_dim]``, and
            ``synthesis(ws) -> pictures`` ``[N, C, H, W]``; ``c`` and the usual keywords may be missing.

    Raises:
        LiveError: it has no such parts, is on the meta device, or cannot be called so.
    """
    G = unwrapped(G)
    if isinstance(G, LiveGenerator):
        return G
    name = type(G).__name__
    missing = [part for part in _PARTS if not callable(getattr(G, part, None))]
    if missing:
        raise LiveError(
            f"{name} is not a generator: it has no {' and no '.join(missing)}; give one with mapping(z, c) and "
            "synthesis(ws), or load its file with load_network"
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
    """What ``frames.render`` can call: ``G`` where its synthesis is called as NVIDIA's, else :func:`adopt`'s.

    Raises:
        LiveError: as :func:`adopt`.
    """
    G = unwrapped(G)
    if isinstance(G, EmbeddedGenerator):
        return G
    synthesis = getattr(G, "synthesis", None)
    wrapped = unwrapped(synthesis) is not synthesis
    if callable(synthesis) and not wrapped and called_as_usual(synthesis):
        return cast("Generator", G)
    return adopt(G)


@contextmanager
def _explained(network: nn.Module) -> Iterator[None]:
    """Whatever the user's own code raises, the message says where."""
    name = type(network).__name__
    try:
        yield
    except LiveError:
        raise
    except (EmbeddedError, ProbeError) as error:
        raise LiveError(f"{name}: {error}") from None
    except Exception as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise LiveError(
            f"{name} cannot be run as mapping(z, c) -> ws, synthesis(ws) -> pictures: {_place(error)}{reason}"
        ) from error


def _held(G: object) -> nn.Module:
    """A module that stands for an object that is none but has such parts."""
    parts = {name: getattr(G, name) for name in _PARTS}
    if not all(isinstance(part, nn.Module) for part in parts.values()):
        raise LiveError(f"{type(G).__name__} is no torch module, and neither are its mapping and synthesis")
    stand_in: nn.Module = type(type(G).__name__, (nn.Module,), {})()
    for name, value in [*vars(G).items(), *parts.items()]:
        if isinstance(value, (int, np.integer)) or name in parts:
            setattr(stand_in, name, value)
    return stand_in


def _place(error: BaseException) -> str:
    """In which part it happened, from the traceback."""
    trace, names = error.__traceback__, []
    while trace is not None:
        names.append(trace.tb_frame.f_code.co_name)
        trace = trace.tb_next
    called = [word for place, word in (("_map", "mapping"), ("_synthesize", "synthesis")) if place in names]
    return f"in {called[-1]}, " if called else ""


def _named_as_usual(network: nn.Module, layer: StyleLayer) -> StyleLayer:
    """The layer under a name without the steps that wrappers inside the network put into it."""
    module: nn.Module | None = network
    steps = []
    for step in layer.name.split("."):
        if unwrapped(module) is module:
            steps.append(step)
        module = getattr(module, step, None)  # the last step may have a row behind it
    return replace(layer, name=".".join(steps))


@contextmanager
def evaluating(module: object) -> Iterator[None]:
    """Inside, a module is in evaluation mode; afterwards each part of it is in the mode that it was in."""
    flags = {part: part.training for part in module.modules()} if isinstance(module, nn.Module) else {}
    try:
        for part in flags:
            part.training = False
        yield
    finally:
        for part, flag in flags.items():
            part.training = flag


def _not_compiled() -> AbstractContextManager[object]:
    """Inside, what ``torch.compile`` has made runs as it was written, so that its modules can be watched."""
    stance = getattr(sys.modules.get("torch.compiler"), "set_stance", None)  # from torch 2.6 on
    return nullcontext() if stance is None else stance("force_eager")


@contextmanager
def undisturbed(network: nn.Module, noise: bool = False) -> Iterator[None]:
    """Inside, a network is in evaluation mode; afterwards it is as it was: flags, buffers, random generators.

    With ``noise``, random numbers are drawn from the generators of the process, as they are outside.
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
