"""State dicts of NVIDIA's StyleGAN2 in PyTorch, and of our own: ``torch.save(G.state_dict(), path)``."""

from __future__ import annotations

from sefa_plugin.hook import NetworkRecord

from .buffers import TAPS
from .planned import PlannedHook
from .stylegan2_parts import BlockOptions, MappingOptions, StyleGAN2Plan, assumed, plan_of
from .tensors import count, length, widths

_EMBED = "mapping.embed.weight"
_CONST = "synthesis.b4.const"
_FIRST = "synthesis.b4.conv1"
_FILTER = "synthesis.b4.resample_filter"
_CLAMP = 256  # default of both toolkits' training
_MAX_TAPS = 64


class StyleGAN2State(PlannedHook[StyleGAN2Plan]):
    """Reads state dicts of StyleGAN2 with NVIDIA's names."""

    name = "stylegan2_state"

    def fits(self, record: NetworkRecord) -> bool:
        parts = (_CONST, f"{_FIRST}.affine.weight", f"{_FIRST}.weight")
        return record.family == "state_dict" and all(part in record.tensors for part in parts)

    def remarks(self, record: NetworkRecord) -> list[str]:
        return [*super().remarks(record), assumed(f"conv_clamp {_CLAMP}, leaky ReLU, mapping lr_multiplier 0.01")]

    def plan(self, record: NetworkRecord) -> StyleGAN2Plan:
        held = record.tensors
        depth = count(record, "mapping.fc{}.weight".format)
        blocks = widths(record, lambda index: f"synthesis.b{4 << index}.conv1.weight")
        c_dim = length(record, _EMBED, 1, 2) if _EMBED in held else 0
        embed = length(record, _EMBED, 0, 2) if c_dim else None
        hidden, inputs = (length(record, "mapping.fc0.weight", axis, 2) for axis in (0, 1))
        architecture = "skip" if len(blocks) == 1 or "synthesis.b4.torgb.weight" in held else "orig"
        taps = length(record, _FILTER, 0, len(held[_FILTER].shape)) if _FILTER in held else len(TAPS)
        block = BlockOptions(
            architecture="resnet" if "synthesis.b8.skip.weight" in held else architecture,
            resample_filter=[1.0] * min(taps, _MAX_TAPS),  # only the length: the taps are in the state
            kernel_size=length(record, f"{_FIRST}.weight", 2, 4),
            use_noise=any(f"{_FIRST}.{part}" in held for part in ("noise_const", "noise_strength")),
            conv_clamp=_CLAMP,
            first_size=_size(record),
        )
        mapping = MappingOptions(
            num_layers=depth,
            embed_features=embed,
            layer_features=hidden if depth > 1 else None,
        )
        w_dim = length(record, f"{_FIRST}.affine.weight", 1, 2)
        colours = length(record, f"synthesis.b{2 << len(blocks)}.torgb.weight", 0, 4)
        return plan_of((inputs - (embed or 0), c_dim, w_dim, colours), blocks, mapping, block)


def _size(record: NetworkRecord) -> tuple[int, int]:
    """Height and width of the constant input."""
    return length(record, _CONST, 1, 3), length(record, _CONST, 2, 3)


HOOK = StyleGAN2State()
