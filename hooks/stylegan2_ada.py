"""StyleGAN2 networks of stylegan2-ada-pytorch, and of forks that keep its generator."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from sefa_plugin.hook import Hook, HookError, NetworkRecord, StyleLayer

from . import stylegan2_parts as parts
from .arguments import MAX_NUMBER, Options, compare_tensors, completed, named_arguments, sizes

if TYPE_CHECKING:
    from torch import nn

# Keywords and defaults of the toolkit's classes. The last of BLOCK changes only the memory layout.
MAPPING = {
    key: value
    for key, value in parts.MappingOptions()._asdict().items()
    if key not in ("label_concat", "normalize_latents")  # of the TensorFlow toolkits
}
SYNTHESIS = {"channel_base": 32768, "channel_max": 512, "num_fp16_res": 0}
BLOCK = {**parts.BlockOptions()._asdict(), "fp16_channels_last": False}
MAX_LAYERS = 256  # bounds the work before tensors are compared


class StyleGAN2ADA(Hook):
    """Reads ``Generator`` networks with nested synthesis keywords, or none."""

    name = "stylegan2_ada"

    def fits(self, record: NetworkRecord) -> bool:
        """A ``Generator`` of StyleGAN2 blocks."""
        return is_stylegan2(record)

    def check(self, record: NetworkRecord) -> None:
        """Compare arguments and tensors with what this generator consists of."""
        compare_tensors(record, parts.expected_tensors(_plan(record)))

    def describe(self, record: NetworkRecord) -> dict[str, int]:
        """Sizes of the network."""
        return _plan(record).described()

    def style_layers(self, record: NetworkRecord) -> list[StyleLayer]:
        """Every affine of the synthesis network, in the order of execution."""
        return parts.style_layers(_plan(record), record)

    def mapping_layer(self, record: NetworkRecord) -> StyleLayer:
        """The first mapping layer."""
        return parts.mapping_layer(_plan(record), record)

    def build(self, record: NetworkRecord) -> nn.Module:
        """Build the generator (see ``sefa_plugin.generators.stylegan2``)."""
        return parts.build(_plan(record))


def is_stylegan2(record: NetworkRecord) -> bool:
    """Whether this is a ``Generator`` of StyleGAN2 blocks, of either toolkit."""
    return (
        record.class_name == "Generator"
        and "synthesis.b4.const" in record.tensors
        and "synthesis.b4.conv1.affine.weight" in record.tensors
    )


def _plan(record: NetworkRecord) -> parts.Plan:
    """Constructor arguments with this toolkit's defaults.

    Raises:
        HookError: an argument is unknown, missing or invalid.
    """
    arguments = named_arguments(record)
    given = arguments.pop("synthesis_kwargs", {})
    return make_plan(record, arguments, given, MAPPING, SYNTHESIS, BLOCK)


def make_plan(
    record: NetworkRecord,
    arguments: dict[str, object],
    given: object,
    mapping: Mapping[str, object],
    synthesis: Mapping[str, object],
    block: Mapping[str, object],
) -> parts.Plan:
    """Sort and check arguments; the two toolkits with StyleGAN2 differ in the defaults they pass here.

    Args:
        arguments: of the constructor, by name, without the synthesis keywords; it is emptied.
        given: the synthesis keywords.
        mapping, synthesis, block: the defaults.

    Raises:
        HookError: an argument is unknown, missing or invalid.
    """
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
    options = completed(record, given, {**synthesis, **block}, "synthesis_kwargs")
    resolution = dims.img_resolution
    if resolution < 4 or resolution & (resolution - 1):
        raise HookError(f"{record.path}: img_resolution {resolution} is not a power of two from 4 on")
    architecture = options.text("architecture")
    if architecture not in parts.ARCHITECTURES:
        raise HookError(f"{record.path}: architecture {architecture!r:.40} is not known")
    return parts.Plan(
        *dims,
        mapping=_mapping_options(mapped),
        synthesis=parts.SynthesisOptions(
            channel_base=options.whole("channel_base", 1, MAX_NUMBER),
            channel_max=options.whole("channel_max", 1, MAX_NUMBER),
            num_fp16_res=options.whole("num_fp16_res"),
        ),
        block=parts.BlockOptions(
            architecture=architecture,
            resample_filter=options.numbers_or_none("resample_filter"),
            conv_clamp=options.number_or_none("conv_clamp"),
            kernel_size=options.whole("kernel_size"),
            use_noise=options.flag("use_noise"),
            activation=options.text("activation"),
            square=square,
        ),
    )


def _mapping_options(given: Options) -> parts.MappingOptions:
    return parts.MappingOptions(
        num_layers=given.whole("num_layers", 1, MAX_LAYERS),
        embed_features=given.whole_or_none("embed_features"),
        layer_features=given.whole_or_none("layer_features"),
        activation=given.text("activation"),
        lr_multiplier=given.number("lr_multiplier"),
        w_avg_beta=given.number_or_none("w_avg_beta"),
    )


HOOK = StyleGAN2ADA()
