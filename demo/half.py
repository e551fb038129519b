"""Convolutions in bfloat16, everything else as it was: on processors that have it, training is half as fast again."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

CONVOLUTIONS = (torch.conv2d, torch.conv_transpose2d, F.conv2d, F.conv_transpose2d)


class HalfConvolutions(TorchFunctionMode):
    """Within it, and in the backward passes of what ran within it, 2D convolutions multiply in bfloat16.

    Inputs, outputs, weights and their gradients stay float32. Convolutions of fewer than 8 channels and grouped
    ones (the filters between two sizes) stay as they are.
    """

    def __torch_function__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        kwargs = kwargs or {}
        if func in CONVOLUTIONS and kwargs.get("groups", 1) == 1 and args[0].shape[1] >= 8:
            x, weight, *others = args
            return func(x.bfloat16(), weight.bfloat16(), *others, **kwargs).float()
        return func(*args, **kwargs)
