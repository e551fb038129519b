"""State dicts of our own generators of PGGAN and the first StyleGAN: ``torch.save(G.state_dict(), ...)``."""

from __future__ import annotations

from typing import Union

from sefa_plugin.hook import NetworkRecord

from .growing_parts import DENSE, PGGANPlan, StyleGAN1Plan
from .planned import PlannedHook
from .stylegan2_parts import assumed
from .tensors import count, length, widths

_FIRST = "synthesis.b4.conv0.affine.weight"  # of the first StyleGAN
_EMBED = "mapping.embed.weight"


class GrowingState(PlannedHook[Union[PGGANPlan, StyleGAN1Plan]]):
    """Reads state dicts of PGGAN and the first StyleGAN with our own names."""

    name = "growing_state"

    def fits(self, record: NetworkRecord) -> bool:
        held = record.tensors
        first = f"{DENSE}.weight" in held or _FIRST in held
        return record.family == "state_dict" and "synthesis.lod" in held and first

    def remarks(self, record: NetworkRecord) -> list[str]:
        if f"{DENSE}.weight" in record.tensors:
            return super().remarks(record)
        return [*super().remarks(record), assumed("blur_filter 1, 2, 1, mapping_lrmul 0.01, nonlinearity lrelu")]

    def plan(self, record: NetworkRecord) -> PGGANPlan | StyleGAN1Plan:
        blocks = widths(record, lambda index: f"synthesis.b{4 << index}.conv1.weight")
        colours = length(record, f"synthesis.b{2 << len(blocks)}.torgb.weight", 0, 4)
        if f"{DENSE}.weight" in record.tensors:
            return PGGANPlan(length(record, f"{DENSE}.weight", 1, 2), colours, blocks)
        c_dim = length(record, _EMBED, 1, 2) if _EMBED in record.tensors else 0
        hidden, z_dim = (length(record, "mapping.fc0.weight", axis, 2) for axis in (0, 1))
        z_dim = length(record, _EMBED, 0, 2) if c_dim else z_dim
        depth = count(record, "mapping.fc{}.weight".format)
        return StyleGAN1Plan(z_dim, c_dim, length(record, _FIRST, 1, 2), colours, blocks, depth, hidden)


HOOK = GrowingState()
