"""Networks of the stylegan3 toolkit: StyleGAN3 (T and R) and its StyleGAN2."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from sefa_plugin.generators.stylegan3_plan import DEFAULTS, SynthesisOptions, SynthesisPlan, plan_synthesis
from sefa_plugin.hook import Hook, HookError, NetworkRecord, StyleLayer

from . import stylegan2_ada, stylegan2_parts
from .arguments import Options, Sizes, compare_tensors, completed, named_arguments, sizes

if TYPE_CHECKING:
    from torch import nn

# Keywords and defaults of the toolkit's classes.
MAPPING = {"num_layers": 2, "lr_multiplier": 0.01, "w_avg_beta": 0.998}
STYLEGAN2_MAPPING = {**stylegan2_ada.MAPPING, "w_avg_beta": 0.998}
STYLEGAN2_SYNTHESIS = {**stylegan2_ada.SYNTHESIS, "num_fp16_res": 4}
STYLEGAN2_BLOCK = {**stylegan2_ada.BLOCK, "conv_clamp": 256, "fused_modconv_default": True}  # last: no effect
MAX_LAYERS = 256


class StyleGAN3(Hook):
    """Reads ``Generator`` networks with StyleGAN3's Fourier input, or of StyleGAN2 blocks that this toolkit built."""

    name = "stylegan3"

    def fits(self, record: NetworkRecord) -> bool:
        """By the class, and by tensors or keywords that only this toolkit has."""
        return record.class_name == "Generator" and (_is_stylegan3(record) or _is_stylegan2(record))

    def check(self, record: NetworkRecord) -> None:
        """Compare arguments and tensors with what this generator consists of."""
        if _is_stylegan3(record):
            compare_tensors(record, _expected(record))
        else:
            compare_tensors(record, stylegan2_parts.expected_tensors(_stylegan2_plan(record)))

    def describe(self, record: NetworkRecord) -> dict[str, int]:
        """Sizes of the network."""
        if not _is_stylegan3(record):
            return _stylegan2_plan(record).described()
        dims, _, _, plan = _parts(record)
        return dims.described(plan.num_ws)

    def style_layers(self, record: NetworkRecord) -> list[StyleLayer]:
        """Every affine in the order of execution; the first is the input's rigid motion, not a style."""
        if not _is_stylegan3(record):
            return stylegan2_parts.style_layers(_stylegan2_plan(record), record)
        dims, _, _, plan = _parts(record)
        return synthesis_layers(record, dims.w_dim, plan)

    def mapping_layer(self, record: NetworkRecord) -> StyleLayer:
        """The first mapping layer; its first ``z_dim`` columns belong to z, the rest to the label."""
        if not _is_stylegan3(record):
            return stylegan2_parts.mapping_layer(_stylegan2_plan(record), record)
        _, mapping, _, _ = _parts(record)
        return first_mapping_layer(record, mapping.number("lr_multiplier"))

    def build(self, record: NetworkRecord) -> nn.Module:
        """Build the generator (see ``sefa_plugin.generators``)."""
        if not _is_stylegan3(record):
            return stylegan2_parts.build(_stylegan2_plan(record))
        from sefa_plugin.generators.stylegan3 import Generator

        dims, mapping, options, _ = _parts(record)
        return Generator(*dims, mapping_kwargs=mapping.values, **options)


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
    flat = set(record.init_kwargs) & (set(STYLEGAN2_SYNTHESIS) | set(STYLEGAN2_BLOCK) - {"square"})
    return bool(flat) and "synthesis_kwargs" not in record.init_kwargs and len(record.init_args) <= 6


def _stylegan2_plan(record: NetworkRecord) -> stylegan2_parts.Plan:
    arguments = named_arguments(record)
    nested = arguments.pop("synthesis_kwargs", {})
    flat = {
        key: arguments.pop(key)
        for key in [*STYLEGAN2_SYNTHESIS, *STYLEGAN2_BLOCK]
        if key in arguments and key != "square"
    }
    if flat and nested:
        raise HookError(f"{record.path}: {record.class_name} was given synthesis keywords twice")
    held = flat or nested
    return stylegan2_ada.make_plan(record, arguments, held, STYLEGAN2_MAPPING, STYLEGAN2_SYNTHESIS, STYLEGAN2_BLOCK)


def _parts(record: NetworkRecord) -> tuple[Sizes, Options, SynthesisOptions, SynthesisPlan]:
    """Sizes, mapping keywords, synthesis keywords and the layers computed from them."""
    arguments = named_arguments(record)
    dims = sizes(record, arguments)
    mapping = completed(record, arguments.pop("mapping_kwargs", {}), MAPPING, "mapping_kwargs")
    options = checked_options(record, arguments, mapping)
    return dims, mapping, options, laid_out(record, dims, options)


def laid_out(record: NetworkRecord, dims: Sizes, options: SynthesisOptions) -> SynthesisPlan:
    """The layers of a synthesis network.

    Raises:
        HookError: the arguments allow no network.
    """
    try:
        return plan_synthesis(dims.img_resolution, dims.img_channels, options)
    except (ValueError, TypeError, OverflowError, ZeroDivisionError) as error:
        raise HookError(f"{record.path}: its constructor arguments allow no network ({error})") from None


def checked_options(record: NetworkRecord, given: dict[str, object], mapping: Options) -> SynthesisOptions:
    """Synthesis keywords with their defaults.

    Raises:
        HookError: one is unknown, or it or a mapping keyword is invalid.
    """
    options = read_options(completed(record, given, DEFAULTS, "synthesis keywords"))
    depth = mapping.values["num_layers"]
    if options["num_layers"] > MAX_LAYERS or type(depth) is not int or not 1 <= depth <= MAX_LAYERS:
        raise HookError(f"{record.path}: num_layers is not sensible")
    return options


def read_options(options: Options) -> SynthesisOptions:
    """Synthesis keywords by type; every one must be there.

    Raises:
        HookError: one is of another type, or a size is invalid.
    """
    square = options.values["square"]
    if type(square) is not bool:
        raise HookError(f"{options.record.path}: square is {square!r:.40}")
    return {
        "channel_base": options.whole("channel_base", 1),
        "channel_max": options.whole("channel_max", 1),
        "num_layers": options.whole("num_layers", 1),
        "num_critical": options.whole("num_critical"),
        "first_cutoff": options.number("first_cutoff"),
        "first_stopband": options.number("first_stopband"),
        "last_stopband_rel": options.number("last_stopband_rel"),
        "margin_size": options.whole("margin_size"),
        "output_scale": options.number("output_scale"),
        "num_fp16_res": options.whole("num_fp16_res"),
        "conv_kernel": options.whole("conv_kernel", 1),
        "filter_size": options.whole("filter_size", 1),
        "lrelu_upsampling": options.whole("lrelu_upsampling", 1),
        "use_radial_filters": options.flag("use_radial_filters"),
        "conv_clamp": options.number_or_none("conv_clamp"),
        "magnitude_ema_beta": options.number("magnitude_ema_beta"),
        "square": square,
    }


def _linear(name: str, inputs: int, outputs: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)}


def _expected(record: NetworkRecord) -> dict[str, tuple[int, ...]]:
    dims, mapping, _, plan = _parts(record)
    w_dim = dims.w_dim
    shapes: dict[str, tuple[int, ...]] = {}
    if dims.c_dim:
        shapes.update(_linear("mapping.embed", dims.c_dim, w_dim))
    for index in range(mapping.whole("num_layers")):
        inputs = dims.z_dim + (w_dim if dims.c_dim else 0) if index == 0 else w_dim
        shapes.update(_linear(f"mapping.fc{index}", inputs, w_dim))
    if mapping.values["w_avg_beta"] is not None:
        shapes["mapping.w_avg"] = (w_dim,)
    return {**shapes, **synthesis_shapes(w_dim, plan)}


def synthesis_shapes(w_dim: int, plan: SynthesisPlan) -> dict[str, tuple[int, ...]]:
    """Every tensor of the synthesis network with its shape."""
    shapes = _linear("synthesis.input.affine", w_dim, 4)
    shapes["synthesis.input.weight"] = (plan.channels, plan.channels)
    shapes["synthesis.input.transform"] = (3, 3)
    shapes["synthesis.input.freqs"] = (plan.channels, 2)
    shapes["synthesis.input.phases"] = (plan.channels,)
    for layer in plan.layers:
        inside = f"synthesis.{layer.name}"
        shapes[f"{inside}.weight"] = (layer.out_channels, layer.in_channels, layer.conv_kernel, layer.conv_kernel)
        shapes[f"{inside}.bias"] = (layer.out_channels,)
        shapes[f"{inside}.magnitude_ema"] = ()
        shapes.update(_linear(f"{inside}.affine", w_dim, layer.in_channels))
        if layer.up_taps > 1:
            shapes[f"{inside}.up_filter"] = (layer.up_taps,)
        if layer.down_taps > 1:
            shapes[f"{inside}.down_filter"] = (layer.down_taps,) * (2 if layer.down_radial else 1)
    return shapes


def synthesis_layers(record: NetworkRecord, w_dim: int, plan: SynthesisPlan) -> list[StyleLayer]:
    """The affines of a synthesis network."""
    gain = 1 / math.sqrt(w_dim)
    first = "synthesis.input.affine"
    layers = [StyleLayer(first, record.tensors[f"{first}.weight"], 0, "input", gain, size=plan.size)]
    for row, layer in enumerate(plan.layers, start=1):
        affine = f"synthesis.{layer.name}.affine"
        layers.append(
            StyleLayer(
                affine,
                record.tensors[f"{affine}.weight"],
                row,
                "torgb" if layer.is_torgb else "conv",
                gain,
                1 / math.sqrt(layer.in_channels * layer.conv_kernel**2) if layer.is_torgb else 1.0,
                size=layer.out_size,
                detail=2 * layer.out_cutoff,
            )
        )
    return layers


def first_mapping_layer(record: NetworkRecord, lr_multiplier: float) -> StyleLayer:
    """The first layer of a mapping network, by this toolkit's names."""
    weight = record.tensors["mapping.fc0.weight"]
    return StyleLayer("mapping.fc0", weight, -1, "mapping", lr_multiplier / math.sqrt(weight.shape[1]))


HOOK = StyleGAN3()
