"""EG3D: its backbone, a StyleGAN2 that generates three feature planes, is factorised; rendering needs its own code."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sefa_plugin.hook import Hook, HookError, NetworkRecord, StyleLayer

from . import stylegan3
from .arguments import named_arguments, sizes

if TYPE_CHECKING:
    from torch import nn

_PREFIX = "backbone."
_OTHERS = ("superresolution.", "decoder.")
_PLANES = 3 * 32  # three planes of 32 features
_SIDE = 256
_CAMERA = 25  # 16 numbers of the pose, 9 of the intrinsics


class EG3D(Hook):
    """Reads ``TriPlaneGenerator`` networks; their pictures need the toolkit's own renderer."""

    name = "eg3d"

    def fits(self, record: NetworkRecord) -> bool:
        return record.class_name == "TriPlaneGenerator" and f"{_PREFIX}synthesis.b4.const" in record.tensors

    def check(self, record: NetworkRecord) -> None:
        """Check the backbone's arguments and tensors; of the renderer's tensors, only the names."""
        inner = _backbone(record)
        if not stylegan3.HOOK.fits(inner):
            raise HookError(f"{record.path}: its backbone is no StyleGAN2 of the stylegan3 toolkit: a modified network")
        stylegan3.HOOK.check(inner)
        planes = stylegan3.HOOK.describe(inner)
        if (planes["channels"], planes["resolution"]) != (_PLANES, _SIDE):
            raise HookError(
                f"{record.path}: its backbone gives {planes['channels']} channels of {planes['resolution']} px"
            )
        extra = [key for key in record.tensors if not key.startswith((_PREFIX, *_OTHERS))]
        if extra:
            raise HookError(
                f"{record.path}: this {record.class_name} has extra tensor {extra[0][:100]}: a modified network"
            )
        self.describe(record)

    def describe(self, record: NetworkRecord) -> dict[str, int]:
        """Sizes: of the backbone's latents, and of the final picture."""
        own = sizes(record, named_arguments(record))
        inner = stylegan3.HOOK.describe(_backbone(record))
        if own.c_dim != _CAMERA or own[:3] != tuple(inner[key] for key in ("z_dim", "c_dim", "w_dim")):
            raise HookError(
                f"{record.path}: its backbone does not go with it, or it is not seen by a camera of {_CAMERA}"
            )
        return {**inner, "resolution": own.img_resolution, "channels": own.img_channels}

    def style_layers(self, record: NetworkRecord) -> list[StyleLayer]:
        """Every affine of the backbone, without those of the super-resolution, which use its last row."""
        layers = stylegan3.HOOK.style_layers(_backbone(record))
        return [replace(layer, name=f"{_PREFIX}{layer.name}") for layer in layers]

    def mapping_layer(self, record: NetworkRecord) -> StyleLayer:
        """The first mapping layer; its first ``z_dim`` columns belong to z, the rest to the camera."""
        layer = stylegan3.HOOK.mapping_layer(_backbone(record))
        return replace(layer, name=f"{_PREFIX}{layer.name}")

    def cannot_render(self, record: NetworkRecord) -> str:
        return (
            "an EG3D network is factorised as it is; for pictures run this inside a checkout of eg3d with "
            "--trust-pickle, which runs the code in the file (only if you trust its maker)"
        )

    def build(self, record: NetworkRecord) -> nn.Module:
        """Never called: see :func:`cannot_render`."""
        raise HookError(f"{record.path}: {self.cannot_render(record)}")


def _backbone(record: NetworkRecord) -> NetworkRecord:
    """The backbone as a network of its own."""
    root = record.modules.get("backbone")
    kwargs = None if root is None else root.attributes.get("_init_kwargs")
    if root is None or not isinstance(kwargs, dict):
        raise HookError(f"{record.path}: its backbone does not say what it was given: a modified or damaged network")
    cut = len(_PREFIX)
    return replace(
        record,
        class_name="Generator",
        init_args=tuple(root.attributes.get("_init_args", ())),
        init_kwargs=kwargs,
        tensors={key[cut:]: tensor for key, tensor in record.tensors.items() if key.startswith(_PREFIX)},
        modules={key[cut:]: module for key, module in record.modules.items() if key.startswith(_PREFIX)},
    )


HOOK = EG3D()
