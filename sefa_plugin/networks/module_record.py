"""Records of networks in memory, like those read from files."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from ..reading.module_walk import ModuleRecord
from ..reading.network_record import NetworkRecord


def record_of(network: nn.Module, path: str, which: str, entries: tuple[str, ...]) -> NetworkRecord:
    """The record of a network in memory; the digest of an official network is that of its file."""
    return NetworkRecord(
        path=path,
        which=which,
        entries=entries,
        class_name=type(network).__name__,
        init_args=tuple(getattr(network, "init_args", ()) or ()),
        init_kwargs=dict(getattr(network, "init_kwargs", {}) or {}),
        tensors={name: _array(tensor) for name, tensor in network.state_dict().items()},
        none_buffers=frozenset(
            f"{name}.{key}" if name else key
            for name, module in network.named_modules()
            for key, held in (*module._parameters.items(), *module._buffers.items())
            if held is None
        ),
        modules={name: _module(module) for name, module in network.named_modules()},
    )


def _module(module: nn.Module) -> ModuleRecord:
    kind = type(module)
    inside = kind.__module__.startswith("torch.nn.modules.")  # in files, too, torch's classes have full names
    plain = {key: value for key, value in vars(module).items() if _is_plain(value)}
    return ModuleRecord(f"{kind.__module__}.{kind.__qualname__}" if inside else kind.__name__, plain, "")


def _is_plain(value: object) -> bool:
    if isinstance(value, (list, tuple)):
        return all(map(_is_plain, value))
    if isinstance(value, dict):
        return all(map(_is_plain, (*value.keys(), *value.values())))
    return value is None or isinstance(value, (bool, int, float, str, np.number))


def _array(tensor: Tensor) -> np.ndarray:
    tensor = tensor.detach().cpu()
    return (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy()  # NumPy has no bfloat16
