"""StyleGAN2 networks of stylegan2-ada-pytorch, and of forks that keep its generator."""

from __future__ import annotations

from collections.abc import Mapping

from sefa_plugin.hook import HookError, NetworkRecord

from .arguments import MAX_LAYERS, MAX_POWER, completed, named_arguments, refuse, sizes
from .planned import PlannedHook
from .stylegan2_parts import ARCHITECTURES, BlockOptions, MappingOptions, StyleGAN2Plan, SynthesisOptions

# Keywords and defaults of the toolkit's classes. The last of BLOCK changes only the memory layout.
MAPPING = {
    key: value
    for key, value in MappingOptions()._asdict().items()
    if key not in ("label_concat", "normalize_latents")  # of the TensorFlow toolkits
}
SYNTHESIS = {"channel_base": 32768, "channel_max": 512, "num_fp16_res": 0}
BLOCK = {**BlockOptions()._asdict(), "fp16_channels_last": False}
del BLOCK["first_size"]


class StyleGAN2ADA(PlannedHook[StyleGAN2Plan]):
    """Reads ``Generator`` networks with nested synthesis keywords, or none."""

    name = "stylegan2_ada"

    def fits(self, record: NetworkRecord) -> bool:
        return is_stylegan2(record)

    def plan(self, record: NetworkRecord) -> StyleGAN2Plan:
        arguments = named_arguments(record)
        given = arguments.pop("synthesis_kwargs", {})
        return make_plan(record, arguments, given, MAPPING, SYNTHESIS, BLOCK)


def is_stylegan2(record: NetworkRecord) -> bool:
    """Whether this is a ``Generator`` of StyleGAN2 blocks, of either toolkit."""
    held = record.tensors
    first = "synthesis.b4.const" in held and "synthesis.b4.conv1.affine.weight" in held
    return record.class_name == "Generator" and first


def make_plan(
    record: NetworkRecord,
    arguments: dict[str, object],
    given: object,
    mapping: Mapping[str, object],
    synthesis: Mapping[str, object],
    block: Mapping[str, object],
) -> StyleGAN2Plan:
    """Sort and check arguments; the two toolkits with StyleGAN2 differ in the defaults they pass here.

    Args:
        arguments: of the constructor, by name, without the synthesis keywords; it is emptied.
        given: the synthesis keywords.
        mapping, synthesis, block: the defaults.

    Raises:
        HookError: an argument is unknown, missing or invalid.
    """
    dims = sizes(record, arguments)
    first_size = _first_size(record, arguments)
    mapped = completed(record, arguments.pop("mapping_kwargs", {}), mapping, "mapping_kwargs")
    refuse(record, arguments)
    options = completed(record, given, {**synthesis, **block}, "synthesis_kwargs")
    resolution = dims.img_resolution
    if resolution < 4 or resolution & (resolution - 1):
        raise HookError(f"{record.path}: img_resolution {resolution} is not a power of two from 4 on")
    architecture = options.text("architecture")
    if architecture not in ARCHITECTURES:
        raise HookError(f"{record.path}: architecture {architecture!r:.40} is not known")
    return StyleGAN2Plan(
        *dims,
        mapping=MappingOptions(
            num_layers=mapped.whole("num_layers", 1, MAX_LAYERS),
            embed_features=mapped.whole_or_none("embed_features"),
            layer_features=mapped.whole_or_none("layer_features"),
            activation=mapped.text("activation"),
            lr_multiplier=mapped.number("lr_multiplier"),
            w_avg_beta=mapped.number_or_none("w_avg_beta"),
        ),
        synthesis=SynthesisOptions(
            channel_base=options.whole("channel_base", 1),
            channel_max=options.whole("channel_max", 1),
            num_fp16_res=options.whole("num_fp16_res", -MAX_POWER, MAX_POWER),
        ),
        block=BlockOptions(
            architecture=architecture,
            resample_filter=options.numbers_or_none("resample_filter"),
            conv_clamp=options.number_or_none("conv_clamp"),
            kernel_size=options.whole("kernel_size"),
            use_noise=options.flag("use_noise"),
            activation=options.text("activation"),
            first_size=first_size,
        ),
    )


def _first_size(record: NetworkRecord, arguments: dict[str, object]) -> tuple[int, int]:
    """Height and width of the constant input, which forks let differ: StyleGAN-Human, eps696."""
    square = arguments.pop("square", True)
    if type(square) is not bool:
        raise HookError(f"{record.path}: square is {square!r:.40}, expected True or False")
    size = arguments.pop("init_res", [4, 4 if square else 2])
    if not isinstance(size, (list, tuple)) or len(size) != 2 or not all(type(n) is int and 0 < n <= 64 for n in size):
        raise HookError(f"{record.path}: init_res is {size!r:.40}, expected a height and a width")
    return int(size[0]), int(size[1])


HOOK = StyleGAN2ADA()
