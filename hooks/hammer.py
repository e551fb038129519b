"""State dicts of bytedance/Hammer, whose StyleGAN2 is genforce's with other names of filters and averages."""

from __future__ import annotations

from sefa_plugin.hook import NetworkRecord

from .buffers import TAPS
from .genforce import GenForce
from .planned import Shapes
from .stylegan2_parts import StyleGAN2Plan


class Hammer(GenForce):
    """Reads state dicts of StyleGAN2 with Hammer's names."""

    name = "hammer"
    adds_one = False
    average, embedding = "w_avg", "mapping.embedding"
    flips = False
    filter_gain = 1

    def fits(self, record: NetworkRecord) -> bool:
        held = record.tensors
        own = any(name in held for name in ("w_avg", "synthesis.filter", "synthesis.layer1.filter"))
        return super().fits(record) and own and "truncation.w_avg" not in held

    def filters(self, record: NetworkRecord, plan: StyleGAN2Plan) -> Shapes:
        names = [f"synthesis.layer{2 * index - 1}.filter" for index in range(1, len(plan.resolutions))]
        names += ["synthesis.filter"] if plan.block.architecture == "skip" else []
        return dict.fromkeys(names, (len(TAPS), len(TAPS)))


HOOK = Hammer()
