"""From an opened network to a generator with the weights of the file.

G = load_network("ffhq.pkl")
ws = G.mapping(z, None)
img = G.synthesis(ws, noise_mode="const")
"""

from __future__ import annotations

import copy
import inspect
import math
import os
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ..hook import HookError, built_state, check_attribute
from ..reading.network_record import NetworkRecord
from ..reading.tensor_view import in_place
from .opening import OpenNetwork, open_network
from .style_layers import NetworkInfo, without_weight


def load_network(
    path: str | os.PathLike,
    *,
    which: str = "G_ema",
    device: Any = "cpu",
    trust_pickle: bool = False,
    strict: bool = False,
) -> Any:
    """Load a generator from a file, an address, or ``demo``; nothing of the file is run unless it is trusted.

    Args:
        path, which, strict: see :func:`open_network`.
        device: where the generator goes, as torch names it.
        trust_pickle: run the file's own code where the network is not one that is known for certain; that
            code can do anything to this computer.

    Returns:
        An ``nn.Module`` in evaluation mode with the interface of NVIDIA's generators:
        ``G.mapping(z [N, z_dim], c, truncation_psi, truncation_cutoff) -> ws [N, num_ws, w_dim]``,
        ``G.synthesis(ws, noise_mode, force_fp32) -> img [N, C, H, W]``, about -1 to 1, and ``G(z, c, ...)``.

    Raises:
        NetworkFileError, HookError, DownloadError: one line that says what is wrong and what to do.
        TrustedFileError: the file's code was run, and failed.
    """
    return build_network(open_network(path, which=which, strict=strict, trust_pickle=trust_pickle), device)


def build_network(opened: OpenNetwork, device: Any = "cpu") -> Any:
    """Build the generator of an opened network; see :func:`load_network`.

    Raises:
        HookError: weights hold NaN or infinity, or the built generator disagrees with the file.
    """
    from concurrent.futures import ThreadPoolExecutor

    record = opened.record
    if opened.why_no_pictures:
        raise HookError(f"{record.path}: {opened.why_no_pictures}")
    opened.check_unchanged()  # before tensors are touched: what was cut off a mapped file must not be
    with ThreadPoolExecutor(1) as aside:
        digest = aside.submit(record.digest)  # takes as long as the rest, and lets the interpreter run
        held = built_state(opened.hook, record)
        G = opened.hook.build(record) if held is None else _filled(opened, held)
    opened.check_unchanged()
    if held is record.tensors:
        _compare_attributes(G, record)
    G.init_args, G.init_kwargs = record.init_args, copy.deepcopy(dict(record.init_kwargs))
    G.sefa = NetworkInfo(
        path=record.path,
        name=record.name,
        which=record.which,
        hook=opened.hook.name,
        digest=digest.result(),
        layers=tuple(without_weight(G, layer) for layer in opened.layers),
        mapping=without_weight(G, opened.mapping) if opened.has_mapping else None,
    )
    return G.eval().requires_grad_(False).to(device)


def _filled(opened: OpenNetwork, held: Mapping[str, Any]) -> Any:
    """The generator with the tensors of the file."""
    import torch

    from .building import filled

    record = opened.record
    state = {name: torch.tensor(finite(record.path, name, tensor)) for name, tensor in held.items()}
    try:
        return filled(lambda: opened.hook.build(record), state)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:200]
        raise HookError(f"{record.path}: hook {opened.hook.name} built another network: {reason}") from None


def finite(path: str, name: str, tensor: Any) -> Any:
    """The elements of a tensor of a file as a NumPy array, which is not to be written to.

    Raises:
        HookError: it holds NaN or infinity, or numbers that are infinite in float32.
    """
    import numpy as np

    array = in_place(tensor)
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise HookError(f"{path}: tensor {name} holds NaN or infinity: the training diverged?")
    if array.dtype == np.float64 and np.abs(array).max(initial=0) > np.finfo(np.float32).max:
        raise HookError(f"{path}: tensor {name} holds {np.abs(array).max():.3g}, more than float32 can: damaged?")
    return array


# Attributes that training and the toolkit's own fast paths use; they do not change a picture.
_HARMLESS = {"training", "w_avg_beta", "magnitude_ema_beta", "use_fp16", "channels_last", "num_fp16_res"}


def _compare_attributes(G: Any, record: NetworkRecord) -> None:
    """Compare what the file's modules say of themselves (gains, clamps, kinds) with the built ones.

    A fork may change a gain and nothing else; where it is kept as an attribute, it shows here.
    """
    for name, module in G.named_modules():
        for key, ours in module.__dict__.items():
            plain = ours is None or isinstance(ours, (bool, int, float, str))  # None: no clamp
            if plain and not key.startswith("_") and key not in _HARMLESS:
                check_attribute(record, name, key, ours)


try:
    from torch.overrides import TorchFunctionMode
except ImportError:  # torch below 1.13
    TorchFunctionMode = object
_ASSIGNS = "assign" in inspect.signature(nn.Module.load_state_dict).parameters  # from torch 2.1 on


class _Undrawn(TorchFunctionMode):
    """Lets torch give NaN, one number in memory for all elements, where it would draw random numbers."""

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        if function not in (torch.randn, torch.rand):
            return function(*args, **kwargs)
        kwargs.pop("generator", None)
        like = torch.empty(*args, **kwargs)  # for its shape: memory that is not touched is not taken
        return torch.full((), math.nan, dtype=like.dtype, device=like.device).expand(like.shape)


def filled(build: Callable[[], nn.Module], state: Mapping[str, Tensor]) -> nn.Module:
    """Build a module and give it a state.

    Args:
        build: makes the module. Where it does more with random numbers than to keep them as parameters and buffers,
            it is called a second time, with real ones.
        state: every parameter and buffer by name. The module keeps these tensors themselves, if they are of its type.

    Raises:
        RuntimeError: names or shapes are not those of the module.
    """
    if _ASSIGNS:
        try:
            module = _assigned(build, state)
        except (RuntimeError, ValueError):  # perhaps only for want of numbers
            pass
        else:
            if not _hollow(module, state):
                return module
    module = build()
    module.load_state_dict(state)
    return module


def _assigned(build: Callable[[], nn.Module], state: Mapping[str, Tensor]) -> nn.Module:
    with _Undrawn():
        module = build()
    types = {name: tensor.dtype for name, tensor in module.state_dict().items()}
    state = {name: tensor.to(types.get(name, tensor.dtype)) for name, tensor in state.items()}
    module.load_state_dict(state, assign=True)
    return module


def _hollow(module: nn.Module, state: Mapping[str, Tensor]) -> bool:
    """Whether NaN is left in a tensor that the state does not reach."""
    attributes = [value for part in module.modules() for value in vars(part).values()]
    buffers = [buffer for name, buffer in module.named_buffers() if name not in state]
    held = [value for value in [*attributes, *buffers] if isinstance(value, Tensor)]
    return any(tensor.is_floating_point() and bool(tensor.isnan().any()) for tensor in held)
