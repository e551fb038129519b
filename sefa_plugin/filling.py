"""Put tensors into a module that is built for them: nothing is drawn that would be replaced, nothing copied twice."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

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
