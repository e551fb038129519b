"""StyleGAN-XL: its generator, and its super-resolution networks, whose layers are read from module attributes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sefa_plugin.generators.stylegan3_plan import DEFAULTS, LayerPlan, SynthesisOptions, SynthesisPlan
from sefa_plugin.hook import HookError, NetworkRecord
from sefa_plugin.reading.tensor_view import TensorView

from . import stylegan3
from .arguments import MAX_LAYERS, Options, Sizes, completed, named_arguments, sizes
from .planned import PlannedHook, Shapes
from .stylegan2_parts import dense_layers, linear
from .stylegan3 import MappingOptions, StyleGAN3Plan
from .tensors import MAX_SIZE

if TYPE_CHECKING:
    from torch import nn

MAPPING = {**stylegan3.MAPPING, "rand_embedding": False}
_SUPERRES = "SuperresGenerator"
_EMBED = "mapping.embed.weight"
# Keywords that a super-resolution network stores as attributes.
_STORED = ("margin_size", "output_scale", "num_layers", "num_critical", "num_fp16_res")


@dataclass(frozen=True)
class StyleGANXLPlan(StyleGAN3Plan):
    """The plan of a StyleGAN-XL generator.

    Attributes:
        classes: rows and columns of the table of classes.
        per_class: whether there is a w_avg for each class; the first version of the code had one for all.
    """

    classes: tuple[int, int]
    per_class: bool

    def mapping_tensors(self) -> Shapes:
        z_dim, c_dim, w_dim = self.dims[:3]
        shapes: Shapes = {_EMBED: self.classes, "mapping.w_avg": (c_dim, w_dim) if self._averages else (w_dim,)}
        if c_dim:
            shapes.update(linear("mapping.embed_proj", self.classes[1], z_dim))
        shapes.update(dense_layers(z_dim * (2 if c_dim else 1), w_dim, w_dim, self.mapping.num_layers))
        return shapes

    @property
    def _averages(self) -> bool:
        return bool(self.dims.c_dim) and self.per_class

    def build(self) -> nn.Module:
        from sefa_plugin.generators.stylegan_xl import Generator

        mapping = {
            "num_layers": self.mapping.num_layers,
            "lr_multiplier": self.mapping.lr_multiplier,
            "w_avg_per_class": self.per_class,
        }
        return Generator(*self.dims, self.classes, mapping, self.synthesis, **self.options)


class StyleGANXL(PlannedHook[StyleGANXLPlan]):
    """Reads StyleGAN-XL's ``Generator`` and ``SuperresGenerator`` networks."""

    name = "stylegan_xl"

    def fits(self, record: NetworkRecord) -> bool:
        """StyleGAN3's Fourier input, and a table of classes (an embedding has no bias)."""
        held = record.tensors
        table = "synthesis.input.freqs" in held and _EMBED in held and "mapping.embed.bias" not in held
        return record.family == "module" and record.class_name in ("Generator", _SUPERRES) and table

    def plan(self, record: NetworkRecord) -> StyleGANXLPlan:
        if record.class_name == _SUPERRES:
            dims, mapping, options, synthesis = _superres_parts(record)
        else:
            arguments = named_arguments(record)
            dims = sizes(record, arguments)
            given = completed(record, arguments.pop("mapping_kwargs", {}), MAPPING, "mapping_kwargs")
            mapping = stylegan3.mapping_options(given)
            options, synthesis = stylegan3.synthesis_plan(record, dims, arguments)
        rows, features = (int(length) for length in _table_of_classes(record))
        if dims.c_dim > rows:
            raise HookError(f"{record.path}: {dims.c_dim} classes, but a table of {rows}: a damaged network")
        average = record.tensors.get("mapping.w_avg")
        per_class = average is not None and len(average.shape) == 2
        return StyleGANXLPlan(dims, mapping, options, synthesis, (rows, features), per_class)


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


def _superres_layer(record: NetworkRecord, name: str) -> LayerPlan:
    """A layer of a super-resolution network, from its attributes."""
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


def _superres_plan(record: NetworkRecord) -> SynthesisPlan:
    """The layers of a super-resolution network, in the order of ``layer_names``, whose numbers have gaps."""
    names = _attributes(record, "synthesis").get("layer_names")
    if not isinstance(names, list) or not 1 <= len(names) <= MAX_LAYERS or not all(type(n) is str for n in names):
        raise HookError(f"{record.path}: its synthesis network has no valid layer_names")
    layers = tuple(_superres_layer(record, name) for name in names)
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


def _superres_parts(record: NetworkRecord) -> tuple[Sizes, MappingOptions, SynthesisOptions, SynthesisPlan]:
    plan = _superres_plan(record)
    dims = Sizes(*(_whole(record, "", key) for key in Sizes._fields))
    last = plan.layers[-1]
    if (last.out_size, last.out_channels) != (dims.img_resolution, dims.img_channels):
        raise HookError(f"{record.path}: its last layer does not give its picture: a modified network")
    mapping = MappingOptions(_whole(record, "mapping", "num_layers", MAX_LAYERS))
    if "bias_gain" in _attributes(record, "mapping.fc0"):
        mapping = mapping._replace(lr_multiplier=_number(record, "mapping.fc0", "bias_gain"))
    return dims, mapping, _superres_options(record, plan), plan


def _superres_options(record: NetworkRecord, plan: SynthesisPlan) -> SynthesisOptions:
    """Stored keywords of a super-resolution network, completed with defaults."""
    clamp, *others = (_attributes(record, f"synthesis.{layer.name}").get("conv_clamp") for layer in plan.layers)
    if any(other != clamp for other in others) or not (
        clamp is None or (isinstance(clamp, (int, float)) and clamp > 0)
    ):
        raise HookError(f"{record.path}: its layers have different or invalid clamps: a modified network")
    held = _attributes(record, "synthesis")
    kept = {key: held[key] for key in _STORED if isinstance(held.get(key), (int, float))}
    return stylegan3.read_options(Options(record, {**DEFAULTS, **kept, "conv_clamp": clamp}))


def _table_of_classes(record: NetworkRecord) -> tuple[int, ...]:
    shape = tuple(record.tensors[_EMBED].shape)
    if len(shape) != 2 or not all(1 <= length <= MAX_SIZE for length in shape):
        raise HookError(f"{record.path}: its table of classes is {shape}: a damaged network")
    return shape


HOOK = StyleGANXL()
