"""Networks of the stylegan3 toolkit: StyleGAN3 (T and R) and its StyleGAN2."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Union

from sefa_plugin.generators.stylegan3_plan import DEFAULTS, SynthesisOptions, SynthesisPlan, plan_synthesis
from sefa_plugin.hook import SIZES, ArrayLike, HookError, NetworkRecord, StyleLayer
from sefa_plugin.reading.tensor_view import TensorView

from . import stylegan2_ada
from .arguments import MAX_LAYERS, MAX_POWER, Options, Sizes, completed, named_arguments, sizes
from .planned import PlannedHook, Shapes, Weights
from .stylegan2_parts import StyleGAN2Plan, dense_layers, first_mapping_layer, linear
from .tensors import array

if TYPE_CHECKING:
    from torch import nn

# Keywords and defaults of the toolkit's classes.
MAPPING = {"num_layers": 2, "lr_multiplier": 0.01, "w_avg_beta": 0.998}
STYLEGAN2_MAPPING = {**stylegan2_ada.MAPPING, "w_avg_beta": 0.998}
STYLEGAN2_SYNTHESIS = {**stylegan2_ada.SYNTHESIS, "num_fp16_res": 4}
STYLEGAN2_BLOCK = {**stylegan2_ada.BLOCK, "conv_clamp": 256, "fused_modconv_default": True}  # last: no effect


class MappingOptions(NamedTuple):
    """Keywords of the mapping network."""

    num_layers: int
    lr_multiplier: float = 0.01
    w_avg_beta: float | None = 0.998


@dataclass(frozen=True)
class StyleGAN3Plan:
    """Constructor arguments of a StyleGAN3 generator, and the layers that follow from them; see ``planned.Plan``."""

    dims: Sizes
    mapping: MappingOptions
    options: SynthesisOptions
    synthesis: SynthesisPlan

    def sizes(self) -> dict[str, int]:
        *latents, resolution, channels = self.dims
        return dict(zip(SIZES, (*latents, self.synthesis.num_ws, resolution, channels)))

    def tensors(self) -> Shapes:
        w_dim, plan = self.dims.w_dim, self.synthesis
        shapes = {**self.mapping_tensors(), **dict(linear("synthesis.input.affine", w_dim, 4))}
        shapes["synthesis.input.weight"] = (plan.channels, plan.channels)
        shapes["synthesis.input.transform"] = (3, 3)
        shapes["synthesis.input.freqs"] = (plan.channels, 2)
        shapes["synthesis.input.phases"] = (plan.channels,)
        for layer in plan.layers:
            inside = f"synthesis.{layer.name}"
            shapes[f"{inside}.weight"] = (layer.out_channels, layer.in_channels, layer.conv_kernel, layer.conv_kernel)
            shapes[f"{inside}.bias"] = (layer.out_channels,)
            shapes[f"{inside}.magnitude_ema"] = ()
            shapes.update(linear(f"{inside}.affine", w_dim, layer.in_channels))
            if layer.up_taps > 1:
                shapes[f"{inside}.up_filter"] = (layer.up_taps,)
            if layer.down_taps > 1:
                shapes[f"{inside}.down_filter"] = (layer.down_taps,) * (2 if layer.down_radial else 1)
        return shapes

    def mapping_tensors(self) -> Shapes:
        """The tensors of the mapping network."""
        z_dim, c_dim, w_dim = self.dims[:3]
        inputs = z_dim + (w_dim if c_dim else 0)
        shapes: Shapes = dict(linear("mapping.embed", c_dim, w_dim)) if c_dim else {}
        shapes.update(dense_layers(inputs, w_dim, w_dim, self.mapping.num_layers))
        if self.mapping.w_avg_beta is not None:
            shapes["mapping.w_avg"] = (w_dim,)
        return shapes

    def style_layers(self, weights: Weights) -> list[StyleLayer]:
        """Every affine in the order of execution; the first is the input's rigid motion, not a style."""
        gain, name = 1 / math.sqrt(self.dims.w_dim), "synthesis.input.affine"
        layers = [StyleLayer(name, weights(f"{name}.weight"), 0, "input", gain, size=self.synthesis.size)]
        for row, layer in enumerate(self.synthesis.layers, start=1):
            name = f"synthesis.{layer.name}.affine"
            kind, style_gain = "conv", 1.0
            if layer.is_torgb:
                kind, style_gain = "torgb", 1 / math.sqrt(layer.in_channels * layer.conv_kernel**2)
            weight, detail = weights(f"{name}.weight"), 2 * layer.out_cutoff
            layers.append(StyleLayer(name, weight, row, kind, gain, style_gain, layer.out_size, detail))
        return layers

    def mapping_layer(self, weights: Weights) -> StyleLayer:
        return first_mapping_layer(weights, self.mapping.lr_multiplier)

    def build(self) -> nn.Module:
        from sefa_plugin.generators.stylegan3 import Generator

        return Generator(*self.dims, mapping_kwargs=self.mapping._asdict(), **self.options)


class StyleGAN3(PlannedHook[Union[StyleGAN3Plan, StyleGAN2Plan]]):
    """Reads ``Generator`` networks with StyleGAN3's Fourier input, or of StyleGAN2 blocks that this toolkit built."""

    name = "stylegan3"

    def fits(self, record: NetworkRecord) -> bool:
        return record.class_name == "Generator" and (_is_stylegan3(record) or _is_stylegan2(record))

    def plan(self, record: NetworkRecord) -> StyleGAN3Plan | StyleGAN2Plan:
        if not _is_stylegan3(record):
            return _stylegan2_plan(record)
        arguments = named_arguments(record)
        dims = sizes(record, arguments)
        mapping = completed(record, arguments.pop("mapping_kwargs", {}), MAPPING, "mapping_kwargs")
        return StyleGAN3Plan(dims, mapping_options(mapping), *synthesis_plan(record, dims, arguments))


def _is_identity(matrix: ArrayLike) -> bool:
    """Whether a matrix ``[3, 3]`` of a file is the identity; the usual one is compared without NumPy."""
    if isinstance(matrix, TensorView) and (matrix.dtype, matrix.strides) == ("float32", (3, 1)):
        start = 4 * matrix.offset
        if bytes(matrix.data[start : start + 36]) == struct.pack("<9f", 1, 0, 0, 0, 1, 0, 0, 0, 1):
            return True
    import numpy as np

    return bool((array(matrix) == np.eye(3)).all())


def kept_transform(record: NetworkRecord) -> tuple[str, ...]:
    """A line on the transform of the input, where the file stores another one than the identity."""
    held = record.tensors.get("synthesis.input.transform")
    if held is None or tuple(held.shape) != (3, 3) or _is_identity(held):
        return ()
    return (
        "this file stores a transform of its input, which moves or turns every picture: it is kept here, "
        "while the toolkit's own scripts replace it; --translate or --rotate replaces it",
    )


def _is_stylegan3(record: NetworkRecord) -> bool:
    held = record.tensors
    return "synthesis.input.freqs" in held and "synthesis.input.transform" in held


def _is_stylegan2(record: NetworkRecord) -> bool:
    """StyleGAN2 of this toolkit: by an attribute only of it, or by flat synthesis keywords (DragGAN nests them)."""
    if not stylegan2_ada.is_stylegan2(record):
        return False
    synthesis = record.modules.get("synthesis")
    if synthesis is not None and "num_fp16_res" in synthesis.attributes:
        return True
    flat = set(record.init_kwargs) & (set(STYLEGAN2_SYNTHESIS) | set(STYLEGAN2_BLOCK))
    return bool(flat) and "synthesis_kwargs" not in record.init_kwargs and len(record.init_args) <= 6


def _stylegan2_plan(record: NetworkRecord) -> StyleGAN2Plan:
    arguments = named_arguments(record)
    nested = arguments.pop("synthesis_kwargs", {})
    keys = {*STYLEGAN2_SYNTHESIS, *STYLEGAN2_BLOCK}
    flat = {key: arguments.pop(key) for key in keys if key in arguments}
    if flat and nested:
        raise HookError(f"{record.path}: {record.class_name} was given synthesis keywords twice")
    held = flat or nested
    return stylegan2_ada.make_plan(record, arguments, held, STYLEGAN2_MAPPING, STYLEGAN2_SYNTHESIS, STYLEGAN2_BLOCK)


def mapping_options(given: Options) -> MappingOptions:
    """Keywords of the mapping network by type.

    Raises:
        HookError: one is of another type or out of range.
    """
    depth = given.whole("num_layers", 1, MAX_LAYERS)
    return MappingOptions(depth, given.number("lr_multiplier"), given.number_or_none("w_avg_beta"))


def synthesis_plan(
    record: NetworkRecord, dims: Sizes, given: dict[str, object]
) -> tuple[SynthesisOptions, SynthesisPlan]:
    """Synthesis keywords with their defaults, and the layers that follow from them.

    Raises:
        HookError: one is unknown or invalid, or they allow no network.
    """
    options = read_options(completed(record, given, DEFAULTS, "synthesis keywords"))
    try:
        return options, plan_synthesis(dims.img_resolution, dims.img_channels, options)
    except (ValueError, TypeError, OverflowError, ZeroDivisionError) as error:
        raise HookError(f"{record.path}: its constructor arguments allow no network ({error})") from None


def read_options(options: Options) -> SynthesisOptions:
    """Synthesis keywords by type; every one must be there.

    Raises:
        HookError: one is of another type, or a size is invalid.
    """
    return {
        "channel_base": options.whole("channel_base", 1),
        "channel_max": options.whole("channel_max", 1),
        "num_layers": options.whole("num_layers", 1, MAX_LAYERS),
        "num_critical": options.whole("num_critical"),
        "first_cutoff": options.number("first_cutoff"),
        "first_stopband": options.number("first_stopband"),
        "last_stopband_rel": options.number("last_stopband_rel"),
        "margin_size": options.whole("margin_size"),
        "output_scale": options.number("output_scale"),
        "num_fp16_res": options.whole("num_fp16_res", -MAX_POWER, MAX_POWER),
        "conv_kernel": options.whole("conv_kernel", 1),
        "filter_size": options.whole("filter_size", 1),
        "lrelu_upsampling": options.whole("lrelu_upsampling", 1),
        "use_radial_filters": options.flag("use_radial_filters"),
        "conv_clamp": options.number_or_none("conv_clamp"),
        "magnitude_ema_beta": options.number("magnitude_ema_beta"),
        "square": options.switch("square"),
    }


HOOK = StyleGAN3()
