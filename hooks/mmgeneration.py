"""State dicts of MMGeneration and mmagic, whose StyleGAN2 is rosinality's with other names."""

from __future__ import annotations

from sefa_plugin.hook import NetworkRecord

from .rosinality import Rosinality

_RENAMED = (  # in this order
    ("noises.noise_", "injected_noise_"),
    ("input.input", "constant_input.input"),
    (".conv.modulation.weight", ".conv.style_modulation.linear.weight_orig"),
    (".conv.modulation.bias", ".conv.style_modulation.bias"),
    (".conv.weight", ".conv.weight_orig"),
    (".noise.weight", ".noise_injector.weight"),
)


class MMGeneration(Rosinality):
    """Reads state dicts of StyleGAN2 with the names of OpenMMLab's toolkits."""

    name = "mmgeneration"

    def theirs(self, name: str) -> str:
        if name.startswith("style."):
            renamed = f"style_mapping.{name[len('style.') :]}"
            return renamed.replace(".weight", ".linear.weight_orig")
        for old, new in _RENAMED:
            if name.startswith(old) or name.endswith(old):
                return name.replace(old, new)
        return name

    def remarks(self, record: NetworkRecord) -> list[str]:
        order = "a checkpoint of MMGeneration or mmagic does not say the order of its colours; they are taken to be RGB"
        return [*super().remarks(record), order]


HOOK = MMGeneration()
