"""How pictures are computed on this computer, which determines their rounding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..networks.generator import Generator

SLOW_FILTERS = (
    "the extra fast (pip install numba) would make StyleGAN3-T's pictures about 1.5 times as fast on this CPU, "
    "StyleGAN3-R's more than 10 times"
)
COMPILING = (
    "StyleGAN3's filters are compiled with the first picture, once for this installation; that takes 15 s or more"
)


@dataclass(frozen=True)
class Arithmetic:
    """What the rounding of pictures depends on, beside their settings; equal values give equal bytes.

    Attributes:
        device: ``cpu``, or the name of a graphics card.
        at_once: pictures in a batch, at most.
        threads: of torch on the CPU.
        instructions: the CPU's instruction set, as torch names it.
        kernels: the implementation of StyleGAN3's non-linearity: ``torch``, or ``numba`` and its version.
        torch: its version.
    """

    device: str
    at_once: int
    threads: int
    instructions: str
    kernels: str
    torch: str


def note_on_filters(G: Generator) -> str:
    """One line where StyleGAN3's filters are slow on a CPU, always or the first time; else ''."""
    from ..generators.ops import numba_works

    if not hasattr(G.synthesis, "input") or next(G.parameters()).device.type != "cpu":
        return ""
    if not numba_works():
        return SLOW_FILTERS
    from ..generators.fused import is_compiled

    return "" if is_compiled() else COMPILING


def arithmetic_of(G: Generator, at_once: int | None = None) -> Arithmetic:
    """How pictures of a generator are computed here.

    Args:
        at_once: pictures in a batch, at most; None for a default by device and resolution.
    """
    import torch

    from ..generators.ops import numba_works
    from .frames import fitting

    device = next(G.parameters()).device
    if at_once is None:  # batches are faster for small pictures; for large ones they only take more memory
        at_once = max(1, (16 if device.type == "cuda" else 4) * 256**2 // G.img_resolution**2)
    capability = getattr(getattr(torch.backends, "cpu", None), "get_cpu_capability", None)  # from torch 2.0 on
    kernels = "torch"
    if hasattr(G.synthesis, "input") and numba_works():  # StyleGAN3
        import numba

        kernels = f"numba {numba.__version__}"
    return Arithmetic(
        device=torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        at_once=fitting(G, at_once),
        threads=torch.get_num_threads(),
        instructions=capability() if capability else "unknown",
        kernels=kernels,
        torch=str(torch.__version__),
    )
