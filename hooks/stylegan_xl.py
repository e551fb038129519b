"""StyleGAN-XL: its generator, and its super-resolution networks, which are laid out by their modules alone."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from sefa_plugin.generators.stylegan3_plan import DEFAULTS, LayerPlan, SynthesisPlan, plan_synthesis
from sefa_plugin.hook import HookError, StyleLayer
from sefa_plugin.reading.network_record import NetworkRecord

from . import stylegan3
from .arguments import MAX_SIZE, compare_tensors, completed, named_arguments, sizes

name = "stylegan_xl"

MAPPING = {"num_layers": 2, "lr_multiplier": 0.01, "w_avg_beta": 0.998, "rand_embedding": False}
_SUPERRES = "SuperresGenerator"
_EMBED = "mapping.embed.weight"
_MAX_LAYERS = 256
# What a synthesis network that was grown keeps of its keywords.
_KEPT = ("margin_size", "output_scale", "num_layers", "num_critical", "num_fp16_res")


def fits(record: NetworkRecord) -> bool:
    """StyleGAN3's Fourier input, and a table of classes (an embedding has no bias)."""
    held = record.tensors
    return (
        record.family == "module"
        and record.class_name in ("Generator", _SUPERRES)
        and "synthesis.input.freqs" in held
        and _EMBED in held
        and "mapping.embed.bias" not in held
    )


def _whole(record: NetworkRecord, module: str, key: str, most: int = MAX_SIZE) -> int:
    """A whole number among a module's attributes; of a pair (width, height) that is equal, the one number."""
    value = _attributes(record, module).get(key)
    if hasattr(value, "numpy"):  # in a pickle; a list in a converted file
        value = value.numpy().reshape(-1).tolist() if math.prod(value.shape) <= 2 else None
    if isinstance(value, list):
        value = value[0] if value and all(item == value[0] for item in value) else None
    value = int(value) if isinstance(value, float) and value.is_integer() else value
    if type(value) is not int or not 0 <= value <= most:
        raise HookError(f"{record.path}: {module or record.class_name} has no valid {key} ({value!r:.40})")
    return value


def _number(record: NetworkRecord, module: str, key: str) -> float:
    value = _attributes(record, module).get(key)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value <= MAX_SIZE:
        raise HookError(f"{record.path}: {module} has no valid {key} ({value!r:.40})")
    return float(value)


def _attributes(record: NetworkRecord, module: str) -> Mapping[str, Any]:
    if module not in record.modules:
        raise HookError(f"{record.path}: this {record.class_name} lacks module {module}: a modified or damaged network")
    return record.modules[module].attributes


def _grown_layer(record: NetworkRecord, name: str) -> LayerPlan:
    inside = f"synthesis.{name}"
    held = _attributes(record, inside)
    number = name[1:].partition("_")[0]
    if not (name.startswith("L") and number.isdigit() and len(number) < 5):
        raise HookError(f"{record.path}: layer {name[:40]!r} has another name than such layers have")
    whole = ("in_channels", "out_channels", "in_size", "out_size", "conv_kernel")
    factors = ("up_factor", "up_taps", "down_factor", "down_taps")
    rates = ("in_sampling_rate", "out_sampling_rate", "tmp_sampling_rate")
    bands = ("in_cutoff", "out_cutoff", "in_half_width", "out_half_width")
    layer = LayerPlan(
        index=int(number),
        **{key: bool(held.get(key)) for key in ("is_torgb", "is_critically_sampled", "use_fp16", "down_radial")},
        **{key: _whole(record, inside, key) for key in (*whole, *factors)},
        **{key: _number(record, inside, key) for key in (*rates, *bands)},
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
    """The layers of a super-resolution network, in the order that it keeps; its names skip numbers.

    Raises:
        HookError: a layer contradicts itself, or does not go with the one before.
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


def _parts(record: NetworkRecord) -> tuple[dict[str, int], dict[str, Any], dict[str, Any], SynthesisPlan]:
    """Sizes, mapping keywords, synthesis keywords and layers."""
    if record.class_name == _SUPERRES:
        return _grown_parts(record)
    arguments = named_arguments(record)
    dims = sizes(record, arguments)
    mapping = completed(record, arguments.pop("mapping_kwargs", {}), MAPPING, "mapping_kwargs")
    options = stylegan3.checked_options(record, arguments, mapping)
    return dims, mapping, options, plan_synthesis(dims["img_resolution"], dims["img_channels"], options)


def _grown_parts(record: NetworkRecord) -> tuple[dict[str, int], dict[str, Any], dict[str, Any], SynthesisPlan]:
    plan = _grown_plan(record)
    dims = {key: _whole(record, "", key) for key in ("z_dim", "c_dim", "w_dim", "img_resolution", "img_channels")}
    last = plan.layers[-1]
    if (last.out_size, last.out_channels) != (dims["img_resolution"], dims["img_channels"]):
        raise HookError(f"{record.path}: its last layer does not give its picture: a modified network")
    mapping = {**MAPPING, "num_layers": _whole(record, "mapping", "num_layers", _MAX_LAYERS)}
    first = _attributes(record, "mapping.fc0")
    mapping["lr_multiplier"] = first.get("bias_gain", mapping["lr_multiplier"])
    clamps = {_attributes(record, f"synthesis.{layer.name}").get("conv_clamp") for layer in plan.layers}
    if len(clamps) != 1 or not all(c is None or (isinstance(c, (int, float)) and c > 0) for c in clamps):
        raise HookError(f"{record.path}: its layers have different or odd clamps: a modified network")
    held = _attributes(record, "synthesis")
    kept = {key: held[key] for key in _KEPT if isinstance(held.get(key), (int, float))}
    options = {**DEFAULTS, **kept, "conv_clamp": clamps.pop()}
    return dims, mapping, options, plan


def _embeddings(record: NetworkRecord) -> tuple[int, int]:
    shape = tuple(record.tensors[_EMBED].shape)
    if len(shape) != 2 or not all(1 <= length <= MAX_SIZE for length in shape):
        raise HookError(f"{record.path}: its table of classes is {shape}: a damaged network")
    return shape


def _per_class(record: NetworkRecord) -> bool:
    """Whether there is an average for each class; the code's first version had one for all."""
    average = record.tensors.get("mapping.w_avg")
    return average is not None and len(average.shape) == 2


def check(record: NetworkRecord) -> None:
    """Compare arguments, modules and tensors with what this generator consists of.

    Raises:
        HookError: names the first that differs.
    """
    dims, mapping, _, plan = _parts(record)
    rows, features = _embeddings(record)
    z_dim, c_dim, w_dim = dims["z_dim"], dims["c_dim"], dims["w_dim"]
    if c_dim > rows:
        raise HookError(f"{record.path}: {c_dim} classes, but a table of {rows}: a damaged network")
    shapes: dict[str, tuple[int, ...]] = {
        _EMBED: (rows, features),
        "mapping.w_avg": (c_dim, w_dim) if c_dim and _per_class(record) else (w_dim,),
    }
    if c_dim:
        shapes["mapping.embed_proj.weight"], shapes["mapping.embed_proj.bias"] = (z_dim, features), (z_dim,)
    for index in range(mapping["num_layers"]):
        inputs = w_dim if index else z_dim * (2 if c_dim else 1)
        shapes[f"mapping.fc{index}.weight"], shapes[f"mapping.fc{index}.bias"] = (w_dim, inputs), (w_dim,)
    compare_tensors(record, {**shapes, **stylegan3.synthesis_shapes(w_dim, plan)})


def describe(record: NetworkRecord) -> dict[str, int]:
    """Sizes of the network."""
    dims, _, _, plan = _parts(record)
    return {
        **{key: dims[key] for key in ("z_dim", "c_dim", "w_dim")},
        "num_ws": plan.num_ws,
        "resolution": dims["img_resolution"],
        "channels": dims["img_channels"],
    }


def style_layers(record: NetworkRecord) -> list[StyleLayer]:
    """Every affine in the order of execution; the first is the input's rigid motion, not a style."""
    dims, _, _, plan = _parts(record)
    return stylegan3.synthesis_layers(record, dims["w_dim"], plan)


def mapping_layer(record: NetworkRecord) -> StyleLayer:
    """The first mapping layer; its first ``z_dim`` columns belong to z, the rest to the class."""
    _, mapping, _, _ = _parts(record)
    weight = record.tensors["mapping.fc0.weight"]
    return StyleLayer("mapping.fc0", weight, -1, "mapping", mapping["lr_multiplier"] / math.sqrt(weight.shape[1]))


def build(record: NetworkRecord) -> Any:
    """Build the generator (see ``sefa_plugin.generators.stylegan_xl``)."""
    from sefa_plugin.generators.stylegan_xl import Generator

    dims, mapping, options, plan = _parts(record)
    kwargs = {key: mapping[key] for key in ("num_layers", "lr_multiplier")}
    kwargs["w_avg_per_class"] = _per_class(record)
    return Generator(**dims, embeddings=_embeddings(record), mapping_kwargs=kwargs, plan=plan, **options)
