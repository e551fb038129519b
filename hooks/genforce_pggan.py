"""State dicts of genforce/genforce and genforce/sefa: PGGAN."""

from __future__ import annotations

from sefa_plugin.hook import ArrayLike, NetworkRecord

from .growing_parts import DENSE, PGGANPlan
from .planned import Held, RenamedHook
from .stylegan2_parts import assumed
from .tensors import array, length, widths

_FIRST = "layer0.weight"


class GenForcePGGAN(RenamedHook[PGGANPlan]):
    """Reads state dicts of PGGAN with genforce's names."""

    name = "genforce_pggan"

    def fits(self, record: NetworkRecord) -> bool:
        held = record.tensors
        parts = (_FIRST, "layer1.weight", "output0.weight", "lod")
        return record.family == "state_dict" and all(key in held for key in parts) and len(held[_FIRST].shape) == 4

    def remarks(self, record: NetworkRecord) -> list[str]:
        fused = "" if len(set(self.plan(record).widths)) > 1 else "fused_scale off, "
        return [*super().remarks(record), assumed(f"{fused}final_tanh off, use_wscale on")]

    def plan(self, record: NetworkRecord) -> PGGANPlan:
        blocks = widths(record, lambda index: f"layer{2 * index + 1}.weight")
        colours = length(record, f"output{len(blocks) - 1}.weight", 0, 4)
        return PGGANPlan(length(record, _FIRST, 1, 4), colours, blocks)

    def table(self, record: NetworkRecord, plan: PGGANPlan) -> dict[str, Held]:
        fused = _is_fused(record, plan)
        table = {"synthesis.lod": Held("lod", ())}
        for ours, shape in plan.tensors().items():
            if ours == f"{DENSE}.weight":
                table[ours] = Held(_FIRST, (plan.widths[0], plan.z_dim, 4, 4))
            elif ours not in table:
                _, block, layer, part = ours.split(".")
                number = int(block[1:]).bit_length() - 3
                theirs = f"output{number}" if layer == "torgb" else f"layer{2 * number + (layer == 'conv1')}"
                if fused and layer == "conv0" and part == "weight":  # a transposed convolution
                    table[ours] = Held(f"{theirs}.{part}", (shape[1], shape[0], 3, 3), (1, 0, 2, 3), flipped=True)
                else:
                    table[ours] = Held(f"{theirs}.{part}", shape)
        return table

    def tensor(self, record: NetworkRecord, ours: str, held: Held) -> ArrayLike:
        if ours != f"{DENSE}.weight":
            return super().tensor(record, ours, held)
        # A 4x4 convolution over one padded pixel, so its output is the flipped kernel: [channels * 16, z_dim].
        kernel = array(record.tensors[_FIRST])[:, :, ::-1, ::-1]
        return kernel.transpose(0, 2, 3, 1).reshape(-1, kernel.shape[1])


def _is_fused(record: NetworkRecord, plan: PGGANPlan) -> bool:
    """Whether up-sampling and convolution are fused (``fused_scale``): then kernels are stored ``[in, out]``."""
    for number, (before, width) in enumerate(zip(plan.widths, plan.widths[1:]), start=1):
        if before != width:
            return length(record, f"layer{2 * number}.weight", 0, 4) == before
    return False  # the default, since equal widths do not show it


HOOK = GenForcePGGAN()
