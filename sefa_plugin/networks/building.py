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
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn

from ..hook import ArrayLike, HookError, NetworkRecord, check_attribute
from .generator import GENERATOR_SIZES
from .opening import OpenNetwork, open_network
from .style_layers import NetworkInfo, without_weight
from .weights import finite

if TYPE_CHECKING:
    from .generator import LoadedGenerator


def load_network(
    path: str | os.PathLike[str],
    *,
    which: str = "G_ema",
    device: str | torch.device = "cpu",
    trust_pickle: bool = False,
    strict: bool = False,
    sha256: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> LoadedGenerator:
    """Load a generator from a file, an address, or ``demo``; no code of the file is run without ``trust_pickle``.

    Args:
        path, which, strict, sha256, progress: see :func:`open_network`.
        device: where the generator goes, as torch names it.
        trust_pickle: run the file's own code where no hook recognises the network reliably; that code can do anything
            to this computer.

    Returns:
        An ``nn.Module`` in evaluation mode with the interface of NVIDIA's generators:
        ``G.mapping(z [N, z_dim], c, truncation_psi, truncation_cutoff) -> ws [N, num_ws, w_dim]``,
        ``G.synthesis(ws, noise_mode, force_fp32) -> img [N, C, H, W]``, about -1 to 1, and ``G(z, c, ...)``.

    Raises:
        NetworkFileError, HookError, DownloadError: one line with what is wrong and what to do.
        TrustedFileError: the file's code was run, and failed.
    """
    opened = open_network(path, which=which, strict=strict, trust_pickle=trust_pickle, sha256=sha256, progress=progress)
    return build_network(opened, device)


def build_network(opened: OpenNetwork, device: str | torch.device = "cpu") -> LoadedGenerator:
    """Build the generator of an opened network; see :func:`load_network`.

    Raises:
        HookError: weights hold NaN or infinity, or the built generator disagrees with the file.
    """
    record = opened.record
    if opened.why_no_pictures:
        raise HookError(f"{record.path}: {opened.why_no_pictures}")
    opened.check_unchanged()  # first: reading the missing part of a truncated mapped file would crash
    with ThreadPoolExecutor(1) as aside:
        digest = aside.submit(record.digest)  # takes as long as the rest, and releases the GIL
        held = opened.hook.state(record)
        G = _built(opened) if held is None else _filled(opened, held)
    opened.check_unchanged()
    if held is record.tensors:
        _compare_attributes(G, record)
        if not opened.source.startswith("unknown"):
            _compare_classes(G, record)
    info = NetworkInfo(
        path=record.path,
        name=record.name,
        which=record.which,
        hook=opened.hook.name,
        digest=digest.result(),
        layers=tuple(without_weight(G, layer) for layer in opened.layers),
        mapping=without_weight(G, opened.listing.mapping) if opened.listing.mapping else None,
        lineage=record.parent,
    )
    vars(G).update(init_args=record.init_args, init_kwargs=copy.deepcopy(dict(record.init_kwargs)), sefa=info)
    return cast("LoadedGenerator", G.eval().requires_grad_(False).to(device))


def _built(opened: OpenNetwork) -> nn.Module:
    """The generator that the hook builds, if it has the interface and the described sizes."""
    G, hook = opened.hook.build(opened.record), opened.hook.name
    if not isinstance(G, nn.Module):
        raise HookError(f"hook {hook} built a {type(G).__name__}, expected an nn.Module")
    missing = [part for part in (*GENERATOR_SIZES, "mapping", "synthesis") if not hasattr(G, part)]
    if missing:
        raise HookError(f"hook {hook} built a generator without {', '.join(missing)}")
    for ours, described in GENERATOR_SIZES.items():
        if getattr(G, ours) != opened.sizes[described]:
            raise HookError(
                f"hook {hook} built a generator with {ours} {getattr(G, ours)!r:.40}, "
                f"and describes {described} {opened.sizes[described]}"
            )
    return G


def _filled(opened: OpenNetwork, held: Mapping[str, ArrayLike]) -> nn.Module:
    """The generator with the tensors of the file."""
    record, hook = opened.record, opened.hook.name
    if not isinstance(held, Mapping):
        raise HookError(f"hook {hook} gives a {type(held).__name__} as state, expected a dict of arrays")
    state = {name: torch.tensor(finite(record.path, name, tensor)) for name, tensor in held.items()}
    try:
        return filled(lambda: _built(opened), state)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:200]
        raise HookError(f"{record.path}: hook {hook} built another network: {reason}") from None


# Attributes for training and for the toolkits' fast paths, which do not change pictures.
_HARMLESS = {"training", "w_avg_beta", "magnitude_ema_beta", "use_fp16", "channels_last", "num_fp16_res"}


def _compare_attributes(G: nn.Module, record: NetworkRecord) -> None:
    """Compare attributes of the file's modules with those of the built ones: some forks change only a gain."""
    for name, module in G.named_modules():
        attributes = {**vars(module), **getattr(module, "toolkit_attributes", dict)()}
        for key, ours in attributes.items():
            plain = ours is None or isinstance(ours, (bool, int, float, str, list, tuple))  # None: no clamp
            if plain and not key.startswith("_") and key not in _HARMLESS:
                check_attribute(record, name, key, ours)


def _compare_classes(G: nn.Module, record: NetworkRecord) -> None:
    """Compare classes of the file's modules, where it holds their source, with those of the built ones: each must stand
    for one built class, and be called like no other one."""
    built = dict(G.named_modules())
    names = {type(module).__name__ for module in built.values()}
    ours_of, theirs_of = dict[str, str](), dict[str, str]()
    for name, module in built.items():
        if name not in record.modules or not record.modules[name].source_digest:
            continue
        ours, theirs = type(module).__name__, record.modules[name].class_name
        alone = ours_of.setdefault(theirs, ours) == ours and theirs_of.setdefault(ours, theirs) == theirs
        if not alone or (theirs != ours and theirs in names):
            raise HookError(
                f"{record.path}: {name or 'the network'} is a {theirs}, where the known toolkits have a {ours}: "
                "a modified network, which would be rendered wrong"
            )


_ASSIGNS = "assign" in inspect.signature(nn.Module.load_state_dict).parameters  # from torch 2.1 on


def _undrawn() -> AbstractContextManager[object]:
    """Make ``torch.randn`` and ``torch.rand`` return NaN within the block, one number expanded to the shape."""
    from torch.overrides import TorchFunctionMode  # from torch 1.13 on

    empty: Callable[..., Tensor] = torch.empty

    class Undrawn(TorchFunctionMode):
        def __torch_function__(
            self,
            function: Callable[..., object],
            types: object,
            args: tuple[object, ...] = (),
            kwargs: Mapping[str, object] | None = None,
        ) -> object:
            keywords = dict(kwargs or {})
            if function not in (torch.randn, torch.rand):
                return function(*args, **keywords)
            keywords.pop("generator", None)
            like = empty(*args, **keywords)  # for its shape; untouched memory is not allocated
            return torch.full((), math.nan, dtype=like.dtype, device=like.device).expand(like.shape)

    return Undrawn()


def filled(build: Callable[[], nn.Module], state: Mapping[str, Tensor]) -> nn.Module:
    """Build a module and load a state, without drawing the random initial weights if possible.

    Args:
        build: makes the module. It is called a second time, with random numbers, if it uses them for anything but
            parameters and buffers.
        state: every parameter and buffer by name. Tensors of the right dtype are used without a copy.

    Raises:
        RuntimeError: names or shapes are not those of the module.
    """
    if _ASSIGNS:
        try:
            module = _assigned(build, state)
        except (RuntimeError, ValueError):  # possibly because of the NaN
            pass
        else:
            if not _hollow(module, state):
                return module
    module = build()
    module.load_state_dict(state)
    return module


def _assigned(build: Callable[[], nn.Module], state: Mapping[str, Tensor]) -> nn.Module:
    with _undrawn():
        module = build()
    types = {name: tensor.dtype for name, tensor in module.state_dict().items()}
    state = {name: tensor.to(types.get(name, tensor.dtype)) for name, tensor in state.items()}
    module.load_state_dict(state, assign=True)
    return module


def _hollow(module: nn.Module, state: Mapping[str, Tensor]) -> bool:
    """Whether a tensor that is not part of the state holds NaN."""
    attributes = [value for part in module.modules() for value in vars(part).values()]
    buffers = [buffer for name, buffer in module.named_buffers() if name not in state]
    held = [value for value in [*attributes, *buffers] if isinstance(value, Tensor)]
    return any(tensor.is_floating_point() and bool(tensor.isnan().any()) for tensor in held)
