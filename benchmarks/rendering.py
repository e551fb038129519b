"""Contestants that render: ours in each precision, plain operators, the official code."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from . import networks, plain


def our_pictures(case_name: str, precision: str, device: str) -> Callable[[int], Any]:
    """Our generator."""
    from sefa_plugin.rendering.set_up import use_bfloat16
    from sefa_plugin.system.processor import keep_freed_memory

    if device == "cpu":
        keep_freed_memory()  # as the commands do
    case = _case(case_name)
    G = networks.ours(case).to(device)
    full = precision == "float32"
    if not full and device == "cpu":
        use_bfloat16(G)
    return _on(device, case, G, lambda ws: G.synthesis(ws, noise_mode="const", force_fp32=full))


def plain_pictures(case_name: str, device: str) -> Callable[[int], Any]:
    """The reference operators of this folder with the same weights."""
    case = _case(case_name)
    G = networks.ours(case).to(device)
    return _on(device, case, G, lambda ws: plain.synthesize(G, ws))


def official_pictures(case_name: str, checkout: str, device: str, plugins: bool = True) -> Callable[[int], Any]:
    """The official code with the same weights; without its ``plugins`` as where they do not compile."""
    case = _case(case_name)
    networks.use_checkout(checkout)
    for name in () if plugins else ("bias_act", "upfirdn2d", "filtered_lrelu"):
        try:
            module = importlib.import_module(f"torch_utils.ops.{name}")
        except ModuleNotFoundError:  # StyleGAN2 has no filtered_lrelu
            continue
        module._init = lambda: False
    G = networks.official(case, checkout).to(device)
    # Without `force_fp32` the official code takes minutes for a picture on a CPU.
    half = device == "cuda"
    return _on(device, case, G, lambda ws: G.synthesis(ws, noise_mode="const", force_fp32=not half))


def _on(device: str, case: networks.Case, G: Any, synthesize: Callable[[Any], Any]) -> Callable[[int], Any]:
    import torch

    def run(number: int) -> Any:
        z = torch.randn(case.batch, networks.W_DIM, generator=torch.Generator().manual_seed(number))
        with torch.no_grad():
            img = synthesize(G.mapping(z.to(device), None)).clamp(-1, 1).cpu()
        if not torch.isfinite(img).all():
            raise ArithmeticError("NaN or infinity in a picture")
        return img

    return run


def _case(name: str) -> networks.Case:
    return next(case for case in networks.CASES if case.name == name)
