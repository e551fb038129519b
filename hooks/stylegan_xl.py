"""StyleGAN-XL: its generator, and its super-resolution networks, whose layers are read from module attributes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from sefa_plugin.generators.stylegan3_plan import DEFAULTS, LayerPlan, SynthesisOptions, SynthesisPlan
from sefa_plugin.hook import Hook, HookError, NetworkRecord, StyleLayer
from sefa_plugin.reading.tensor_view import TensorView

from . import stylegan3
from .arguments import MAX_SIZE, Options, Sizes, compare_tensors, completed, named_arguments, sizes

if TYPE_CHECKING:
    from torch import nn

MAPPING = {"num_layers": 2, "lr_multiplier": 0.01, "w_avg_beta": 0.998, "rand_embedding": False}
_SUPERRES = "SuperresGenerator"
_EMBED = "mapping.embed.weight"
_MAX_LAYERS = 256
# Keywords that a super-resolution network stores as attributes.
_KEPT = ("margin_size", "output_scale", "num_layers", "num_critical", "num_fp16_res")


class StyleGANXL(Hook):
    """Reads StyleGAN-XL's ``Generator`` and ``SuperresGenerator`` networks."""

    name = "stylegan_xl"

    def fits(self, record: NetworkRecord) -> bool:
        """StyleGAN3's Fourier input, and a table of classes (an embedding has no bias)."""
        held = record.tensors
        return (
            record.family == "module"
            and record.class_name in ("Generator", _SUPERRES)
            and "synthesis.input.freqs" in held
            and _EMBED in held
            and "mapping.embed.bias" not in held
        )

    def check(self, record: NetworkRecord) -> None:
        """Compare arguments, modules and tensors with what this generator consists of."""
        parts = _parts(record)
        rows, features = _embeddings(record)
        z_dim, c_dim, w_dim, _, _ = parts.dims
        if c_dim > rows:
            raise HookError(f"{record.path}: {c_dim} classes, but a table of {rows}: a damaged network")
        shapes: dict[str, tuple[int, ...]] = {
            _EMBED: (rows, features),
            "mapping.w_avg": (c_dim, w_dim) if c_dim and _per_class(record) else (w_dim,),
        }
        if c_dim:
            shapes["mapping.embed_proj.weight"], shapes["mapping.embed_proj.bias"] = (z_dim, features), (z_dim,)
        for index in range(parts.mapping_layers):
            inputs = w_dim if index else z_dim * (2 if c_dim else 1)
            shapes[f"mapping.fc{index}.weight"], shapes[f"mapping.fc{index}.bias"] = (w_dim, inputs), (w_dim,)
        compare_tensors(record, {**shapes, **stylegan3.synthesis_shapes(w_dim, parts.plan)})

    def describe(self, record: NetworkRecord) -> dict[str, int]:
        """Sizes of the network."""
        parts = _parts(record)
        return parts.dims.described(parts.plan.num_ws)

    def style_layers(self, record: NetworkRecord) -> list[StyleLayer]:
        """Every affine in the order of execution; the first is the input's rigid motion, not a style."""
        parts = _parts(record)
        return stylegan3.synthesis_layers(record, parts.dims.w_dim, parts.plan)

    def mapping_layer(self, record: NetworkRecord) -> StyleLayer:
        """The first mapping layer; its first ``z_dim`` columns belong to z, the rest to the class."""
        return stylegan3.first_mapping_layer(record, _parts(record).lr_multiplier)

    def build(self, record: NetworkRecord) -> nn.Module:
        """Build the generator (see ``sefa_plugin.generators.stylegan_xl``)."""
        from sefa_plugin.generators.stylegan_xl import Generator

        parts = _parts(record)
        mapping = {
            "num_layers": parts.mapping_layers,
            "lr_multiplier": parts.lr_multiplier,
            "w_avg_per_class": _per_class(record),
        }
        return Generator(*parts.dims, _embeddings(record), mapping, parts.plan, **parts.options)


class _Parts(NamedTuple):
    """Arguments and layers of a network; ``mapping_layers`` and ``lr_multiplier`` are of the mapping network."""

    dims: Sizes
    mapping_layers: int
    lr_multiplier: float
    options: SynthesisOptions
    plan: SynthesisPlan


def _whole(record: NetworkRecord, module: str, key: str, most: int = MAX_SIZE) -> int:
    """A whole number among a module's attributes; of a pair (width, height) of equal numbers, that number."""
    value: object = _attributes(record, module).get(key)
    if isinstance(value, TensorView):  # in a pickle; a list in a converted file
        value = value.numpy().reshape(-1).tolist() if math.prod(value.shape) <= 2 else None
    if isinstance(value, list):
        value = value[0] if value and all(item == value[0] for item in value) else None
    value = int(value) if isinstance(value, float) and value.is_integer() else value
    if type(value) is not int or not 0 <= value <= most:
        raise HookError(f"{record.path}: {module or record.class_name} has no valid {key} ({value!r:.40})")
    return value


def _number(record: NetworkRecord, module: str, key: str) -> float:
    value: object = _attributes(record, module).get(key)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value <= MAX_SIZE:
        raise HookError(f"{record.path}: {module} has no valid {key} ({value!r:.40})")
    return float(value)


def _attributes(record: NetworkRecord, module: str) -> Mapping[str, object]:
    if module not in record.modules:
        raise HookError(f"{record.path}: this {record.class_name} lacks module {module}: a modified or damaged network")
    return record.modules[module].attributes


def _grown_layer(record: NetworkRecord, name: str) -> LayerPlan:
    inside = f"synthesis.{name}"
    held = _attributes(record, inside)
    number = name[1:].partition("_")[0]
    if not (name.startswith("L") and number.isdigit() and len(number) < 5):
        raise HookError(f"{record.path}: layer {name[:40]!r} has another name than such layers have")
    layer = LayerPlan(
        index=int(number),
        is_torgb=bool(held.get("is_torgb")),
        use_fp16=bool(held.get("use_fp16")),
        in_channels=_whole(record, inside, "in_channels"),
        out_channels=_whole(record, inside, "out_channels"),
        in_size=_whole(record, inside, "in_size"),
        out_size=_whole(record, inside, "out_size"),
        in_sampling_rate=_number(record, inside, "in_sampling_rate"),
        out_sampling_rate=_number(record, inside, "out_sampling_rate"),
        tmp_sampling_rate=_number(record, inside, "tmp_sampling_rate"),
        in_cutoff=_number(record, inside, "in_cutoff"),
        out_cutoff=_number(record, inside, "out_cutoff"),
        in_half_width=_number(record, inside, "in_half_width"),
        out_half_width=_number(record, inside, "out_half_width"),
        conv_kernel=_whole(record, inside, "conv_kernel"),
        up_factor=_whole(record, inside, "up_factor"),
        up_taps=_whole(record, inside, "up_taps"),
        down_factor=_whole(record, inside, "down_factor"),
        down_taps=_whole(record, inside, "down_taps"),
        down_radial=bool(held.get("down_radial")),
    )
    follows = (
        layer.up_factor * layer.in_sampling_rate == layer.tmp_sampling_rate
        and layer.down_factor * layer.out_sampling_rate == layer.tmp_sampling_rate
        and layer.name == name
        and held.get("padding") == layer.padding
    )
    if not follows:
        raise HookError(f"{record.path}: {inside} contradicts itself (rates, padding or name): a modified network")
    return layer


def _grown_plan(record: NetworkRecord) -> SynthesisPlan:
    """The layers of a super-resolution network, in the order of ``layer_names``, whose numbers have gaps.

    Raises:
        HookError: a layer is inconsistent, or does not fit the one before.
    """
    names = _attributes(record, "synthesis").get("layer_names")
    if not isinstance(names, list) or not 1 <= len(names) <= _MAX_LAYERS or not all(type(n) is str for n in names):
        raise HookError(f"{record.path}: its synthesis network has no valid layer_names")
    layers = tuple(_grown_layer(record, name) for name in names)
    start = "synthesis.input"
    plan = SynthesisPlan(
        channels=_whole(record, start, "channels"),
        size=_whole(record, start, "size"),
        sampling_rate=_number(record, start, "sampling_rate"),
        bandwidth=_number(record, start, "bandwidth"),
        layers=layers,
    )
    before = (plan.channels, plan.size, plan.sampling_rate)
    for layer in layers:
        if (layer.in_channels, layer.in_size, layer.in_sampling_rate) != before:
            raise HookError(f"{record.path}: {layer.name} does not go with the layer before it: a modified network")
        before = (layer.out_channels, layer.out_size, layer.out_sampling_rate)
    if not layers[-1].is_torgb or any(layer.is_torgb for layer in layers[:-1]):
        raise HookError(f"{record.path}: its last layer is not ToRGB, or not its only one: a modified network")
    return plan


def _parts(record: NetworkRecord) -> _Parts:
    if record.class_name == _SUPERRES:
        return _grown_parts(record)
    arguments = named_arguments(record)
    dims = sizes(record, arguments)
    mapping = completed(record, arguments.pop("mapping_kwargs", {}), MAPPING, "mapping_kwargs")
    options = stylegan3.checked_options(record, arguments, mapping)
    plan = stylegan3.laid_out(record, dims, options)
    return _Parts(dims, mapping.whole("num_layers"), mapping.number("lr_multiplier"), options, plan)


def _grown_parts(record: NetworkRecord) -> _Parts:
    plan = _grown_plan(record)
    dims = Sizes(*(_whole(record, "", key) for key in Sizes._fields))
    last = plan.layers[-1]
    if (last.out_size, last.out_channels) != (dims.img_resolution, dims.img_channels):
        raise HookError(f"{record.path}: its last layer does not give its picture: a modified network")
    depth, rate = _whole(record, "mapping", "num_layers", _MAX_LAYERS), MAPPING["lr_multiplier"]
    if "bias_gain" in _attributes(record, "mapping.fc0"):
        rate = _number(record, "mapping.fc0", "bias_gain")
    return _Parts(dims, depth, rate, _grown_options(record, plan), plan)


def _grown_options(record: NetworkRecord, plan: SynthesisPlan) -> SynthesisOptions:
    """Stored keywords of a super-resolution network, completed with defaults."""
    clamp, *others = (_attributes(record, f"synthesis.{layer.name}").get("conv_clamp") for layer in plan.layers)
    if any(other != clamp for other in others) or not (
        clamp is None or (isinstance(clamp, (int, float)) and clamp > 0)
    ):
        raise HookError(f"{record.path}: its layers have different or odd clamps: a modified network")
    held = _attributes(record, "synthesis")
    kept = {key: held[key] for key in _KEPT if isinstance(held.get(key), (int, float))}
    return stylegan3.read_options(Options(record, {**DEFAULTS, **kept, "conv_clamp": clamp}))


def _embeddings(record: NetworkRecord) -> tuple[int, int]:
    shape = tuple(record.tensors[_EMBED].shape)
    if len(shape) != 2 or not all(1 <= length <= MAX_SIZE for length in shape):
        raise HookError(f"{record.path}: its table of classes is {shape}: a damaged network")
    return int(shape[0]), int(shape[1])


def _per_class(record: NetworkRecord) -> bool:
    """Whether there is a w_avg for each class; the first version of the code had one for all."""
    average = record.tensors.get("mapping.w_avg")
    return average is not None and len(average.shape) == 2


HOOK = StyleGANXL()
