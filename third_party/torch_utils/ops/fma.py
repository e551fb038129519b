"""Multiply and add in one call."""

from __future__ import annotations

import torch
from torch import Tensor


def fma(a: Tensor, b: Tensor, c: Tensor) -> Tensor:
    """``a * b + c``, with broadcasting."""
    return torch.addcmul(c, a, b)
