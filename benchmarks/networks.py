"""The networks that are rendered: their settings, how we and the official code make them, what they multiply."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import types
from dataclasses import dataclass, field
from typing import Any

W_DIM = 512


@dataclass(frozen=True)
class Case:
    """One row: a network with random weights, rendered in batches.

    Attributes:
        name: of the row.
        family: ``stylegan2`` or ``stylegan3``.
        resolution, synthesis: of the network; the keywords of its synthesis.
        batch: pictures at once.
        checkout: the folder name of the official repository.
        goals: wanted ratio to the official code, by precision (issue and docs/performance.md).
    """

    name: str
    family: str
    resolution: int
    synthesis: dict[str, Any] = field(default_factory=dict)
    batch: int = 1
    goals: dict[str, float] = field(default_factory=dict)

    @property
    def checkout(self) -> str:
        """Name of the official repository."""
        return "stylegan2-ada-pytorch" if self.family == "stylegan2" else "stylegan3"


_R = {"channel_base": 65536, "channel_max": 1024, "conv_kernel": 1, "use_radial_filters": True}
_SG2 = {"conv_clamp": 256, "num_fp16_res": 4}  # float16 on CUDA only
_SG2_256 = {"channel_base": 16384, **_SG2}
CASES = (
    Case("sg2-1024-b1", "stylegan2", 1024, _SG2, 1, {"float32": 1.6, "bfloat16": 4}),
    Case("sg2-256-b1", "stylegan2", 256, _SG2_256, 1),
    Case("sg2-256-b8", "stylegan2", 256, _SG2_256, 8, {"float32": 1.8, "bfloat16": 4}),
    Case("sg3t-512-b1", "stylegan3", 512, {}, 1, {"float32": 6, "bfloat16": 12}),
    Case("sg3t-256-b1", "stylegan3", 256, {}, 1),
    Case("sg3r-256-b1", "stylegan3", 256, _R, 1, {"float32": 10, "bfloat16": 20}),
)


def ours(case: Case, w_dim: int = W_DIM) -> Any:
    """Our generator, weights drawn from seed 0."""
    import torch

    generators = importlib.import_module(f"sefa_plugin.generators.{case.family}")
    torch.manual_seed(0)
    G = generators.Generator(w_dim, 0, w_dim, case.resolution, 3, **_keywords(case))
    with torch.no_grad():
        for name, buffer in G.named_buffers():
            if name.endswith("noise_const"):
                buffer.normal_()
        for name, parameter in G.named_parameters():
            if name.endswith("noise_strength"):
                parameter.fill_(0.1)
    return G.eval().requires_grad_(False)


def official(case: Case, checkout: str) -> Any:
    """The official generator with the same weights; ``checkout`` is put on the path of this process."""
    use_checkout(checkout)
    networks = importlib.import_module(f"training.networks_{case.family}" if _is_new(case) else "training.networks")
    G = networks.Generator(W_DIM, 0, W_DIM, case.resolution, 3, **_keywords(case))
    G.load_state_dict(ours(case).state_dict())
    return G.eval().requires_grad_(False)


def use_checkout(checkout: str) -> None:
    """Put an official repository on the path of this process; it imports ``requests`` only to download."""
    sys.path.insert(0, checkout)
    if importlib.util.find_spec("requests") is None:
        sys.modules["requests"] = types.ModuleType("requests")


def _is_new(case: Case) -> bool:
    return case.family == "stylegan3"


def _keywords(case: Case) -> dict[str, Any]:
    return dict(case.synthesis) if _is_new(case) else {"synthesis_kwargs": dict(case.synthesis)}


def convolution_work(G: Any) -> float:
    """Floating-point operations of the convolutions of one picture, a multiplication and an addition being two."""
    total = 0
    synthesis = G.synthesis
    if hasattr(synthesis, "layer_names"):
        size = synthesis.input.size[0]
        for name in synthesis.layer_names:
            layer = getattr(synthesis, name)
            plan = layer.plan
            grown = size + plan.conv_kernel - 1
            total += layer.weight.numel() * grown**2
            enlarged = grown * plan.up_factor + plan.padding[0] + plan.padding[1] - plan.up_taps + 1
            size = (enlarged - plan.down_taps) // plan.down_factor + 1
        return 2 * total
    for resolution in synthesis.block_resolutions:
        block = getattr(synthesis, f"b{resolution}")
        for name in ("conv0", "conv1", "torgb"):
            layer = getattr(block, name, None)
            if layer is not None:  # a transposed convolution multiplies each pixel of the small picture
                total += layer.weight.numel() * (resolution // getattr(layer, "up", 1)) ** 2
    return 2 * total
