"""Pictures of a generator: a schedule of ws to a stream of frames, one batch in memory at a time."""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING, cast
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import Tensor

from ..generators.ops import working_dtype
from ..generators.prefixes import Prefixes
from ..networks.in_memory import evaluating, usable
from ..system.processor import is_out_of_memory
from .set_up import uses_bfloat16
from .shards import FramesError

if TYPE_CHECKING:
    from torch import nn

    from ..generators.ops import Layer
    from ..generators.quick import Quick
    from ..networks.generator import Generator

NOISE_SEED = 0
# For synthesis networks that have run out of memory: how many pictures fit into memory at once.
_fitting: WeakKeyDictionary[object, int] = WeakKeyDictionary()


_IN_FLOAT32 = (
    "a smaller --distance or --trunc may help; if even its unedited pictures are so, its weights are too large for "
    "float32, or damaged"
)


def to_uint8(img: Tensor, cure: str = _IN_FLOAT32) -> np.ndarray:
    """Pictures ``[N, C, H, W]``, about -1 to 1, to uint8 ``[N, H, W, C]`` as the toolkits round them.

    Raises:
        FramesError: a value is NaN or infinite; the message ends with ``cure``.
    """
    if not torch.isfinite(img).all():
        raise FramesError(f"the network gives NaN or infinite pixels: {cure}")
    pixels = (img.permute(0, 2, 3, 1) * 127.5 + 128).clamp(0, 255).to(torch.uint8)
    return pixels.cpu().numpy()


def render(
    G: Generator | nn.Module,
    ws_schedule: Iterable[Tensor | np.ndarray],
    *,
    batch_size: int = 1,
    noise_mode: str = "const",
    force_fp32: bool = False,
    unchanged_rows: int = 0,
    prefixes: Prefixes | None = None,
    up_to: int | None = None,
    quick: Quick | None = None,
) -> Iterator[np.ndarray]:
    """Render a schedule of intermediate latents.

    Args:
        G: a generator with NVIDIA's interface, of which only ``G.synthesis`` is used; or any module in memory
            with ``mapping`` and ``synthesis`` (see ``in_memory.adopt``).
        ws_schedule: ``[num_ws, w_dim]`` tensors, or ``[N, num_ws, w_dim]`` ones whose rows are N frames;
            any iterable, pulled as frames are needed. Of a generator ``G(z)`` without W also z, ``[N, z_dim]`` or
            ``[N, z_dim, 1, 1]``, N frames (of class 0, where it is conditional).
        batch_size: frames rendered at once; fewer once a batch has not fitted into memory.
        noise_mode: ``const``, ``none``, or ``random``: drawn once, then the same in every frame.
        force_fp32: float32 even where the network has float16 layers (on CUDA; elsewhere these are computed in
            float32 anyway) or bfloat16 ones (see ``use_bfloat16``).
        unchanged_rows: how many leading rows of ws repeat among the frames: a StyleGAN2 or StyleGAN3 computes their
            layers once. The pictures are the same.
        prefixes: a cache of such layers that is kept from call to call; ``unchanged_rows`` is then unused.
        up_to: stop at this resolution, where the network can (``sums_pictures``); None renders in full.
        quick: prepared weights of this network: less time and other rounding where it can, for previews.

    Yields:
        uint8 ``[H, W, C]``, C as the network has it.

    Raises:
        ValueError: ``batch_size`` is below 1, or ws are of a wrong shape.
        FramesError: pixels are NaN or infinite.
        LiveError: ``G`` is no generator, or one that cannot be run.
        RuntimeError, MemoryError: not even one picture fits into memory (see ``processor.is_out_of_memory``).
    """
    if batch_size < 1:
        raise ValueError(f"batch_size {batch_size}: at least 1 is needed")
    network: Generator = usable(G)
    device = _device(network)
    force_fp32 = force_fp32 or (device.type != "cuda" and not uses_bfloat16(network))
    rows = _rows(ws_schedule, network)
    reuse: dict[str, Prefixes] = {}
    if prefixes is None and unchanged_rows:
        prefixes = Prefixes(unchanged_rows)
    if prefixes is not None and getattr(network.synthesis, "takes_prefixes", False):
        reuse = {"prefixes": prefixes}
    less: dict[str, object] = {} if up_to is None else {"up_to": up_to}
    if quick is not None and getattr(network.synthesis, "takes_quick", False):
        less["quick"] = quick
    cure = _cure(network, device, force_fp32)
    # Random noise depends on the place in the batch, so frames are rendered one at a time.
    size = 1 if noise_mode == "random" else batch_size

    def pictures(ws: list[Tensor]) -> np.ndarray:
        stacked = torch.stack([row.to(device) for row in ws])
        with torch.no_grad(), evaluating(network.synthesis), _same_noise(noise_mode == "random", device):
            img = network.synthesis(stacked, noise_mode=noise_mode, force_fp32=force_fp32, **reuse, **less)
            return to_uint8(img, cure)

    while True:
        batch = list(islice(rows, size))
        if not batch:
            return
        while batch:
            size = min(size, _fitting.get(network.synthesis, size))
            try:
                made = pictures(batch[:size])
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error) or (len(batch[:size]) == 1 and not reuse):
                    raise
                made = None
            if made is not None:
                del batch[:size]
                yield from made
                continue
            # Outside of the except block: its error keeps the tensors of the failed batch in memory.
            reuse = {}
            size = _fitting[network.synthesis] = max(1, len(batch[:size]) // 2)
            _release(device)


def fitting(G: Generator, size: int) -> int:
    """The batch size to use for a wanted ``size``: smaller, if such a batch has not fitted into memory before."""
    return min(size, _fitting.get(G.synthesis, size))


def _cure(G: Generator, device: torch.device, force_fp32: bool) -> str:
    """Advice against NaN pixels: float32 if layers compute in half precision, else a smaller edit."""
    layers = [] if force_fp32 else [module for module in G.synthesis.modules() if hasattr(module, "use_fp16")]
    kinds = {working_dtype(cast("Layer", layer), device, force_fp32) for layer in layers}
    if torch.float16 in kinds:
        return "its float16 layers overflow; use --precision float32 (in Python force_fp32=True)"
    return "leave --precision bf16 out" if torch.bfloat16 in kinds else _IN_FLOAT32


def _rows(ws_schedule: Iterable[Tensor | np.ndarray], G: Generator) -> Iterator[Tensor]:
    """Each frame's ws ``[num_ws, w_dim]``."""
    for item in [ws_schedule] if isinstance(ws_schedule, (Tensor, np.ndarray)) else ws_schedule:
        ws = torch.as_tensor(item)
        if getattr(G, "rows_are_z", False) and (ws.ndim == 4 or tuple(ws.shape) == (len(ws), G.z_dim) != _shape(G)):
            ws = G.mapping(ws.flatten(1), None)
        if ws.ndim not in (2, 3):
            raise ValueError(f"a schedule of ws holds {list(ws.shape)}, expected [num_ws, w_dim]")
        yield from ws if ws.ndim == 3 else [ws]


def _shape(G: Generator) -> tuple[int, int]:
    return G.num_ws, G.w_dim


def _release(device: torch.device) -> None:
    """Free the memory that allocators keep for later."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif device.type == "mps":
        torch.mps.empty_cache()


def _device(G: Generator) -> torch.device:
    first = next(iter(G.synthesis.parameters()), None)
    return torch.device("cpu") if first is None else first.device


@contextmanager
def _same_noise(wanted: bool, device: torch.device) -> Iterator[None]:
    """Inside, torch draws the same numbers each time; afterwards its generators are as they were."""
    if not wanted:
        yield
        return
    # Not torch.manual_seed: that also seeds devices whose state is not restored.
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.default_generator.manual_seed(NOISE_SEED)
        if device.type == "cuda":
            with torch.cuda.device(device):
                torch.cuda.manual_seed(NOISE_SEED)
        elif device.type == "mps":
            torch.mps.manual_seed(NOISE_SEED)
        yield
