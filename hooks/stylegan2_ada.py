"""StyleGAN2 networks of stylegan2-ada-pytorch, and of forks that keep its generator."""

from __future__ import annotations

from typing import Any

from sefa_plugin.hook import HookError, StyleLayer
from sefa_plugin.reading.network_record import NetworkRecord

from . import stylegan2_parts as parts
from .arguments import compare_tensors, completed, named_arguments, sizes

name = "stylegan2_ada"

# Keywords and defaults of the toolkit's classes.
MAPPING = {
    "num_layers": 8,
    "embed_features": None,
    "layer_features": None,
    "activation": "lrelu",
    "lr_multiplier": 0.01,
    "w_avg_beta": 0.995,
}
SYNTHESIS = {"channel_base": 32768, "channel_max": 512, "num_fp16_res": 0}
BLOCK = {
    "architecture": "skip",
    "resample_filter": [1, 3, 3, 1],
    "conv_clamp": None,
    "fp16_channels_last": False,
    "kernel_size": 3,
    "use_noise": True,
    "activation": "lrelu",
    "square": True,
}


def fits(record: NetworkRecord) -> bool:
    """A ``Generator`` of StyleGAN2 blocks whose synthesis keywords are nested, or were all left out."""
    return (
        record.class_name == "Generator"
        and "synthesis.b4.const" in record.tensors
        and "synthesis.b4.conv1.affine.weight" in record.tensors
    )


def plan(record: NetworkRecord) -> parts.Plan:
    """Constructor arguments with this toolkit's defaults.

    Raises:
        HookError: an argument is unknown, missing or makes no sense.
    """
    arguments = named_arguments(record)
    given = arguments.pop("synthesis_kwargs", {})
    return make_plan(record, arguments, given, MAPPING, SYNTHESIS, BLOCK)


def make_plan(
    record: NetworkRecord, arguments: dict, given: Any, mapping: dict, synthesis: dict, block: dict
) -> parts.Plan:
    """Sort and check arguments; the two toolkits with StyleGAN2 differ in the defaults they pass here."""
    dims = sizes(record, arguments)
    square = arguments.pop("square", True)  # of StyleGAN-Human
    if type(square) is not bool or (isinstance(given, dict) and "square" in given):
        raise HookError(f"{record.path}: square is {square!r:.40}, or not where it belongs")
    mapped = completed(record, arguments.pop("mapping_kwargs", {}), mapping, "mapping_kwargs")
    if arguments:
        raise HookError(
            f"{record.path}: {record.class_name} was built with {', '.join(map(str, arguments))[:120]}, "
            "which the known toolkits do not have: a modified network?"
        )
    options = {**completed(record, given, {**synthesis, **block}, "synthesis_kwargs"), "square": square}
    resolution = dims["img_resolution"]
    if resolution < 4 or resolution & (resolution - 1):
        raise HookError(f"{record.path}: img_resolution {resolution} is not a power of two from 4 on")
    if options["architecture"] not in parts.ARCHITECTURES:
        raise HookError(f"{record.path}: architecture {options['architecture']!r:.40} is not known")
    for key, held in (("channel_base", options), ("channel_max", options), ("num_layers", mapped)):
        most = 256 if key == "num_layers" else 1 << 24  # every layer is laid out before tensors are compared
        if type(held[key]) is not int or not 1 <= held[key] <= most:
            raise HookError(f"{record.path}: {key} is {held[key]!r:.40}")
    return parts.Plan(
        **dims,
        mapping=mapped,
        synthesis={key: options[key] for key in synthesis},
        block={key: options[key] for key in block},
    )


def check(record: NetworkRecord) -> None:
    """Compare arguments and tensors with what this generator consists of.

    Raises:
        HookError: names the first that differs.
    """
    compare_tensors(record, parts.expected_tensors(plan(record)))


def describe(record: NetworkRecord) -> dict[str, int]:
    """Sizes of the network."""
    return sizes_of(plan(record))


def sizes_of(made: parts.Plan) -> dict[str, int]:
    """Sizes in the words that ``info`` uses."""
    return {
        "z_dim": made.z_dim,
        "c_dim": made.c_dim,
        "w_dim": made.w_dim,
        "num_ws": made.num_ws,
        "resolution": made.img_resolution,
        "channels": made.img_channels,
    }


def style_layers(record: NetworkRecord) -> list[StyleLayer]:
    """Every affine of the synthesis network, in the order of execution."""
    return parts.style_layers(plan(record), record)


def mapping_layer(record: NetworkRecord) -> StyleLayer:
    """The first mapping layer."""
    return parts.mapping_layer(plan(record), record)


def build(record: NetworkRecord) -> Any:
    """Build the generator (see ``sefa_plugin.generators.stylegan2``)."""
    return parts.build(plan(record))
