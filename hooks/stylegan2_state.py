"""State dicts of NVIDIA's StyleGAN2 in PyTorch, and of our own: ``torch.save(G.state_dict(), path)``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sefa_plugin.hook import Hook, NetworkRecord, StyleLayer

from . import state_parts as shared
from . import stylegan2_parts as parts
from .arguments import compare_tensors

if TYPE_CHECKING:
    from torch import nn

_EMBED = "mapping.embed.weight"
_CLAMP = 256  # default of both toolkits' training


class StyleGAN2State(Hook):
    """Reads state dicts of StyleGAN2 with NVIDIA's names."""

    name = "stylegan2_state"

    def fits(self, record: NetworkRecord) -> bool:
        """A state_dict with the constant and the first affine layer of these generators."""
        return (
            record.family == "state_dict"
            and "synthesis.b4.const" in record.tensors
            and "synthesis.b4.conv1.affine.weight" in record.tensors
            and "synthesis.b4.conv1.weight" in record.tensors
        )

    def check(self, record: NetworkRecord) -> None:
        """Compare tensors with what this generator consists of."""
        compare_tensors(record, parts.expected_tensors(_plan(record)))

    def remarks(self, record: NetworkRecord) -> list[str]:
        """Say what is taken for granted."""
        return [shared.assumed(f"conv_clamp {_CLAMP}, leaky ReLU, mapping lr_multiplier 0.01")]

    def describe(self, record: NetworkRecord) -> dict[str, int]:
        """Sizes of the network."""
        return _plan(record).described()

    def style_layers(self, record: NetworkRecord) -> list[StyleLayer]:
        """Every affine of the synthesis network, in the order of execution."""
        return parts.style_layers(_plan(record), record)

    def mapping_layer(self, record: NetworkRecord) -> StyleLayer:
        """The first mapping layer; its first ``z_dim`` columns belong to z, the rest to the label."""
        return parts.mapping_layer(_plan(record), record)

    def build(self, record: NetworkRecord) -> nn.Module:
        """Build the generator (see ``sefa_plugin.generators.stylegan2``)."""
        return parts.build(_plan(record))


def _plan(record: NetworkRecord) -> parts.Plan:
    held = record.tensors
    depth = shared.count(record, "mapping.fc{}.weight".format)
    blocks = shared.count(record, lambda index: f"synthesis.b{4 << index}.conv1.weight")
    w_dim = shared.length(record, "synthesis.b4.conv1.affine.weight", 1, 2)
    c_dim = shared.length(record, _EMBED, 1, 2) if _EMBED in held else 0
    embed = shared.length(record, _EMBED, 0, 2) if c_dim else None
    inputs = shared.length(record, "mapping.fc0.weight", 1, 2)
    hidden = shared.length(record, "mapping.fc0.weight", 0, 2) if depth > 1 else w_dim
    channels = {4 << i: shared.length(record, f"synthesis.b{4 << i}.conv1.weight", 0, 4) for i in range(blocks)}
    last = f"synthesis.b{max(channels)}"
    if "synthesis.b8.skip.weight" in held:
        architecture = "resnet"
    else:
        architecture = "skip" if blocks == 1 or "synthesis.b4.torgb.weight" in held else "orig"
    filters = "synthesis.b4.resample_filter"
    taps = shared.length(record, filters, 0, len(held[filters].shape) if filters in held else 2)
    colours = shared.length(record, f"{last}.torgb.weight", 0, 4)
    mapping = parts.MappingOptions(num_layers=depth, embed_features=embed, layer_features=hidden)
    if "mapping.w_avg" not in held:
        mapping = mapping._replace(w_avg_beta=None)
    block = parts.BlockOptions(
        architecture=architecture,
        resample_filter=[1.0] * min(taps, shared.MAX_TAPS),  # only the length: the taps are in the state
        kernel_size=shared.length(record, "synthesis.b4.conv1.weight", 2, 4),
        use_noise="synthesis.b4.conv1.noise_const" in held,
        conv_clamp=_CLAMP,
    )
    return shared.stylegan2_plan(record, (inputs - (embed or 0), c_dim, w_dim, colours), channels, mapping, block)


HOOK = StyleGAN2State()
