"""State dicts of genforce/genforce and genforce/sefa: the first StyleGAN."""

from __future__ import annotations

from sefa_plugin.hook import HookError, NetworkRecord

from .buffers import low_pass
from .growing_parts import FUSED_FROM, StyleGAN1Plan, StyleGAN1RenamedHook
from .planned import Held, Shapes
from .stylegan2_parts import assumed
from .tensors import array, count, length, widths

_PARTS = {
    "noise_strength": "apply_noise.weight",
    "noise_const": "apply_noise.noise",
    "affine.weight": "style.weight",
    "affine.bias": "style.bias",
}


class GenForceStyleGAN1(StyleGAN1RenamedHook):
    """Reads state dicts of the first StyleGAN with genforce's names."""

    name = "genforce_stylegan1"

    def fits(self, record: NetworkRecord) -> bool:
        held = record.tensors
        first = "synthesis.layer0.const" in held and "synthesis.layer0.style.weight" in held
        return record.family == "state_dict" and first

    def check(self, record: NetworkRecord) -> None:
        super().check(record)
        for name in self.filters(record, self.plan(record)):
            if name not in record.tensors:
                continue
            held = array(record.tensors[name])
            if held.shape[-2:] != (3, 3) or not abs(held - low_pass((1, 2, 1))).max() <= 1e-3:
                raise HookError(f"{record.path}: {name} is not the filter 1, 2, 1: a modified network")

    def remarks(self, record: NetworkRecord) -> list[str]:
        return [
            *super().remarks(record),
            assumed("fused_scale auto, final_tanh off, mapping_lr_mul 0.01, use_wscale on"),
        ]

    def plan(self, record: NetworkRecord) -> StyleGAN1Plan:
        blocks = widths(record, lambda index: f"synthesis.layer{2 * index + 1}.weight")
        hidden, z_dim = (length(record, "mapping.dense0.weight", axis, 2) for axis in (0, 1))
        w_dim = length(record, "synthesis.layer0.style.weight", 1, 2)
        colours = length(record, f"synthesis.output{len(blocks) - 1}.weight", 0, 4)
        depth = count(record, "mapping.dense{}.weight".format)
        return StyleGAN1Plan(z_dim, 0, w_dim, colours, blocks, depth, hidden)

    def table(self, record: NetworkRecord, plan: StyleGAN1Plan) -> dict[str, Held]:
        table, side = {}, 0
        for ours, shape in plan.tensors().items():
            if ours in ("mapping.w_avg", "synthesis.lod"):
                theirs = ours.replace("mapping.", "truncation.")
            elif ours.startswith("mapping."):
                theirs = ours.replace(".fc", ".dense")
            elif ours == "synthesis.b4.const":
                theirs, shape = "synthesis.layer0.const", (1, *shape)
            else:
                _, block, layer, part = ours.split(".", 3)
                side = int(block[1:])
                number = side.bit_length() - 3
                theirs = f"output{number}" if layer == "torgb" else f"layer{2 * number + (layer == 'conv1')}"
                theirs = f"synthesis.{theirs}.{_PARTS.get(part, part)}"
                shape = (1, 1, *shape) if part == "noise_const" else shape
            # Up-sampling and convolution of large blocks are one transposed convolution.
            flipped = ours.endswith(".conv0.weight") and side >= FUSED_FROM
            table[ours] = Held(theirs, shape, flipped=flipped)
        return table

    def filters(self, record: NetworkRecord, plan: StyleGAN1Plan) -> Shapes:
        """The filters after up-sampling."""
        numbered = enumerate(plan.widths[1:], start=1)
        return {f"synthesis.layer{2 * number}.blur.kernel": (width, 1, 3, 3) for number, width in numbered}


HOOK = GenForceStyleGAN1()
