"""Tensors and style layers of a StyleGAN2 generator, from its constructor arguments.

For stylegan2-ada-pytorch, stylegan3 and state dicts; needs no torch.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from sefa_plugin.hook import NetworkRecord, StyleLayer

if TYPE_CHECKING:
    from torch import nn

ARCHITECTURES = ("orig", "skip", "resnet")


class MappingOptions(NamedTuple):
    """Keywords of the mapping network, with the defaults of stylegan2-ada-pytorch.

    The last two are of the TensorFlow toolkits: whether labels are multiplied by a matrix and appended to z, and
    whether z is normalised.
    """

    num_layers: int = 8
    embed_features: int | None = None
    layer_features: int | None = None
    activation: str = "lrelu"
    lr_multiplier: float = 0.01
    w_avg_beta: float | None = 0.995
    label_concat: bool = False
    normalize_latents: bool = True


class SynthesisOptions(NamedTuple):
    """Keywords of the synthesis network; ``channels``, by resolution, are set where they come from shapes."""

    channel_base: int = 32768
    channel_max: int = 512
    num_fp16_res: int = 0
    channels: Mapping[int, int] | None = None


class BlockOptions(NamedTuple):
    """Keywords of every block of the synthesis network."""

    architecture: str = "skip"
    resample_filter: Sequence[float] | None = (1, 3, 3, 1)
    conv_clamp: float | None = None
    kernel_size: int = 3
    use_noise: bool = True
    activation: str = "lrelu"
    square: bool = True


class Plan(NamedTuple):
    """Constructor arguments of a StyleGAN2 generator with the defaults filled in."""

    z_dim: int
    c_dim: int
    w_dim: int
    img_resolution: int
    img_channels: int
    mapping: MappingOptions
    synthesis: SynthesisOptions
    block: BlockOptions

    @property
    def resolutions(self) -> list[int]:
        """Block resolutions, from 4 to the picture's."""
        return [2**power for power in range(2, int(math.log2(self.img_resolution)) + 1)]

    @property
    def num_ws(self) -> int:
        """Rows of ws: one per convolution, and one for the last ToRGB."""
        return 2 * len(self.resolutions)

    def channels(self, resolution: int) -> int:
        """Feature channels of the block at ``resolution``."""
        options = self.synthesis
        if options.channels:
            return options.channels[resolution]
        return min(options.channel_base // resolution, options.channel_max)

    def width(self, resolution: int) -> int:
        """Width in pixels where the height is ``resolution``: the same, or half of it (StyleGAN-Human)."""
        return resolution if self.block.square else resolution // 2

    def has_torgb(self, resolution: int) -> bool:
        """Whether the block at ``resolution`` has a ToRGB layer."""
        return resolution == self.img_resolution or self.block.architecture == "skip"

    def described(self) -> dict[str, int]:
        """The result of ``Hook.describe``."""
        return {
            "z_dim": self.z_dim,
            "c_dim": self.c_dim,
            "w_dim": self.w_dim,
            "num_ws": self.num_ws,
            "resolution": self.img_resolution,
            "channels": self.img_channels,
        }


def _linear(name: str, inputs: int, outputs: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    yield f"{name}.weight", (outputs, inputs)
    yield f"{name}.bias", (outputs,)


DEFAULT_FILTER = (1, 3, 3, 1)  # of layers that do not resample


def _filter_shape(taps: Sequence[float] | None) -> tuple[int, ...]:
    """Shape of a stored low-pass filter: short ones are stored as their outer product."""
    if taps is None:
        return (1, 1)
    return (len(taps), len(taps)) if len(taps) < 8 else (len(taps),)


def _mapping_tensors(plan: Plan) -> Iterator[tuple[str, tuple[int, ...]]]:
    options = plan.mapping
    embed = options.embed_features if options.embed_features is not None else plan.w_dim
    embed = embed if plan.c_dim else 0
    hidden = options.layer_features if options.layer_features is not None else plan.w_dim
    widths = [plan.z_dim + embed] + [hidden] * (options.num_layers - 1) + [plan.w_dim]
    if plan.c_dim and options.label_concat:
        yield "mapping.embed.weight", (embed, plan.c_dim)
    elif plan.c_dim:
        yield from _linear("mapping.embed", plan.c_dim, embed)
    for index, (inputs, outputs) in enumerate(zip(widths, widths[1:])):
        yield from _linear(f"mapping.fc{index}", inputs, outputs)
    if options.w_avg_beta is not None:
        yield "mapping.w_avg", (plan.w_dim,)


def _layer_tensors(
    plan: Plan, name: str, inputs: int, outputs: int, resolution: int, taps: Sequence[float] | None
) -> Iterator[tuple[str, tuple[int, ...]]]:
    yield f"{name}.weight", (outputs, inputs, plan.block.kernel_size, plan.block.kernel_size)
    yield f"{name}.bias", (outputs,)
    yield f"{name}.resample_filter", _filter_shape(taps)
    if plan.block.use_noise:
        yield f"{name}.noise_const", (resolution, plan.width(resolution))
        yield f"{name}.noise_strength", ()
    yield from _linear(f"{name}.affine", plan.w_dim, inputs)


def expected_tensors(plan: Plan) -> dict[str, tuple[int, ...]]:
    """Every parameter and buffer by dotted name, with its shape."""
    shapes = dict(_mapping_tensors(plan))
    taps = plan.block.resample_filter
    inputs = 0
    for resolution in plan.resolutions:
        outputs = plan.channels(resolution)
        name = f"synthesis.b{resolution}"
        shapes[f"{name}.resample_filter"] = _filter_shape(taps)
        if inputs:
            shapes.update(_layer_tensors(plan, f"{name}.conv0", inputs, outputs, resolution, taps))
        else:
            shapes[f"{name}.const"] = (outputs, resolution, plan.width(resolution))
        shapes.update(_layer_tensors(plan, f"{name}.conv1", outputs, outputs, resolution, DEFAULT_FILTER))
        if plan.has_torgb(resolution):
            shapes[f"{name}.torgb.weight"] = (plan.img_channels, outputs, 1, 1)
            shapes[f"{name}.torgb.bias"] = (plan.img_channels,)
            shapes.update(_linear(f"{name}.torgb.affine", plan.w_dim, outputs))
        if inputs and plan.block.architecture == "resnet":
            shapes[f"{name}.skip.weight"] = (outputs, inputs, 1, 1)
            shapes[f"{name}.skip.resample_filter"] = _filter_shape(taps)
        inputs = outputs
    return shapes


def style_layers(plan: Plan, record: NetworkRecord) -> list[StyleLayer]:
    """Every affine in the order of execution. An inner ToRGB shares its ws row with the next convolution."""
    layers: list[StyleLayer] = []
    gain = 1 / math.sqrt(plan.w_dim)
    row = 0
    for resolution in plan.resolutions:
        names = ["conv1"] if resolution == 4 else ["conv0", "conv1"]
        for part in names:
            name = f"synthesis.b{resolution}.{part}.affine"
            weight = record.tensors[f"{name}.weight"]
            layers.append(StyleLayer(name, weight, row, "conv", gain, size=resolution, detail=float(resolution)))
            row += 1
        if plan.has_torgb(resolution):
            name = f"synthesis.b{resolution}.torgb.affine"
            weight = record.tensors[f"{name}.weight"]
            inner = 1 / math.sqrt(plan.channels(resolution))
            layers.append(
                StyleLayer(name, weight, row, "torgb", gain, inner, size=resolution, detail=float(resolution))
            )
    return layers


def mapping_layer(plan: Plan, record: NetworkRecord) -> StyleLayer:
    """The first mapping layer; its first ``z_dim`` columns belong to z, the rest to the label."""
    weight = record.tensors["mapping.fc0.weight"]
    gain = plan.mapping.lr_multiplier / math.sqrt(weight.shape[1])
    return StyleLayer("mapping.fc0", weight, -1, "mapping", gain)


def build(plan: Plan) -> nn.Module:
    """Build the generator, without loading weights."""
    from sefa_plugin.generators.stylegan2 import Generator

    return Generator(
        plan.z_dim,
        plan.c_dim,
        plan.w_dim,
        plan.img_resolution,
        plan.img_channels,
        mapping_kwargs=plan.mapping._asdict(),
        synthesis_kwargs={**plan.synthesis._asdict(), **plan.block._asdict()},
    )
