"""Bilinear sampling of pictures with a gradient that can be differentiated again, also in older PyTorch."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

enabled = False  # part of the interface; gradients of every order work either way


def grid_sample(input: Tensor, grid: Tensor) -> Tensor:
    """Sample ``[N, C, H, W]`` at ``grid`` ``[N, h, w, 2]`` (x, y from -1 to 1, edges of the outer pixels).

    Bilinear; black outside. Returns ``[N, C, h, w]``.
    """
    assert input.ndim == 4 and grid.ndim == 4, "grid_sample takes [N, C, H, W] and a grid [N, h, w, 2]"
    return _GridSample.apply(input, grid)


class _GridSample(torch.autograd.Function):
    """PyTorch's operator; its gradient is computed by ``_formula`` if it is to be differentiated again."""

    @staticmethod
    def forward(ctx, picture: Tensor, grid: Tensor) -> Tensor:
        ctx.save_for_backward(picture, grid)
        return _native(picture, grid)

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor | None, Tensor | None]:
        again = torch.is_grad_enabled()
        inputs = ctx.saved_tensors if again else [t.detach().requires_grad_() for t in ctx.saved_tensors]
        wanted = [i for i in (0, 1) if ctx.needs_input_grad[i]]
        with torch.enable_grad():
            sampled = (_formula if again else _native)(*inputs)
            found = torch.autograd.grad(sampled, [inputs[i] for i in wanted], gradient, create_graph=again)
        given = dict(zip(wanted, found))
        return given.get(0), given.get(1)


def _native(picture: Tensor, grid: Tensor) -> Tensor:
    return F.grid_sample(picture, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def _formula(picture: Tensor, grid: Tensor) -> Tensor:
    """The same from the four neighbours, each weighted by the opposite area."""
    n, channels, high, wide = picture.shape
    x = (grid[..., 0] + 1) * (wide / 2) - 0.5  # pixel centres are whole numbers
    y = (grid[..., 1] + 1) * (high / 2) - 0.5
    left, top = x.detach().floor(), y.detach().floor()
    flat = picture.flatten(2)
    total = 0
    for column, along in ((left, left + 1 - x), (left + 1, x - left)):
        for row, down in ((top, top + 1 - y), (top + 1, y - top)):
            inside = (column >= 0) & (column < wide) & (row >= 0) & (row < high)
            place = row.clamp(0, high - 1).long() * wide + column.clamp(0, wide - 1).long()
            corner = flat.gather(2, place.flatten(1)[:, None].expand(-1, channels, -1))
            share = along * down * inside.to(picture.dtype)
            total = total + corner.reshape(n, channels, *place.shape[1:]) * share[:, None]
    return total
