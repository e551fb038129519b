"""Common parts of the hooks of TensorFlow networks: arguments, and the names and layouts of variables.

All building functions of a network get the same arguments and use those that they have parameters for. Arguments that
are left out have the function's default.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sefa_plugin.hook import HookError, NetworkRecord

from .arguments import Options, refuse
from .planned import Held
from .tensors import array, count, widths

# Arguments of training, graph construction, or default truncation, which do not change pictures.
HARMLESS = {
    "components",
    "D_func",
    "dlatent_avg_beta",
    "dlatent_broadcast",
    "dtype",
    "force_clean_graph",
    "func_name",
    "fused_modconv",
    "G_func",
    "is_template_graph",
    "is_training",
    "is_validation",
    "label_fmaps",
    "mapping_func",
    "num_fp16_res",
    "randomize_noise",
    "return_dlatents",
    "structure",
    "style_mixing_prob",
    "synthesis_func",
    "truncation_cutoff",
    "truncation_cutoff_val",
    "truncation_psi",
    "truncation_psi_val",
}  # fmt: skip
# Arguments that shapes determine; both must agree (see `agree`).
SHAPES = {
    "dlatent_size",
    "fmap_base",
    "fmap_const",
    "fmap_decay",
    "fmap_max",
    "fmap_min",
    "label_size",
    "latent_size",
    "mapping_fmaps",
    "mapping_layers",
    "num_channels",
    "resolution",
}


def arguments(
    record: NetworkRecord, known: Mapping[str, Sequence[object]], numbers: Mapping[str, float | None] | None = None
) -> Options:
    """Check every argument, and give those in ``known`` and ``numbers``.

    Args:
        known: the values that an argument may have, the first of which is the default.
        numbers: arguments that may be any positive number, with their defaults (None: may be None).

    Raises:
        HookError: names an argument that is not known, or has a value that is not supported.
    """
    numbers = numbers or {}
    options: dict[str, object] = {}
    for module in record.modules.values():
        for name, value in module.attributes.items():
            if name in (*known, *numbers) and options.get(name, value) != value:
                raise HookError(f"{record.path}: {record.class_name} was given {name} twice: {value!r:.40}")
            options[name] = list(value) if isinstance(value, tuple) else value
    refuse(record, set(options) - set(known) - set(numbers) - HARMLESS - SHAPES)
    result: dict[str, object] = {}
    for name, values in known.items():
        value = result[name] = options.get(name, values[0])
        if not any(type(value) is type(item) and value == item for item in values):
            raise HookError(
                f"{record.path}: {record.class_name} was built with {name} = {value!r:.40}, which is not supported "
                f"({', '.join(map(repr, values))} are)"
            )
    for name, default in numbers.items():
        value = result[name] = options.get(name, default)
        number = isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < 1e6
        if not number and not (value is None and default is None):
            raise HookError(f"{record.path}: {record.class_name} was built with {name} = {value!r:.40}")
    return Options(record, result)


def agree(record: NetworkRecord, sizes: Mapping[str, int]) -> None:
    """Compare the sizes of a network with the arguments that name them, if given.

    Raises:
        HookError: names the first that differs.
    """
    found = {
        "resolution": sizes["resolution"],
        "num_channels": sizes["channels"],
        "latent_size": sizes["z_dim"],
        "label_size": sizes["c_dim"],
        "dlatent_size": sizes["w_dim"],
        "dlatent_broadcast": sizes["num_ws"],
        "mapping_layers": count(record, "mapping/Dense{}/weight".format),
    }
    for module in record.modules.values():
        for name, size in found.items():
            given = module.attributes.get(name)
            if given is not None and given != size:
                raise HookError(
                    f"{record.path}: {record.class_name} says {name} {given!r:.40}, its variables say {size}: "
                    "a modified or damaged network"
                )


def level_of_detail(record: NetworkRecord, blocks: int) -> float:
    """The level of detail (lod) of progressive growing: 0 for a fully grown network.

    Raises:
        HookError: the variable is missing or out of range.
    """
    tensor = record.tensors.get("lod")
    lod = float(array(tensor)) if tensor is not None and tuple(tensor.shape) == () else -1.0
    if not 0 <= lod <= blocks - 1:  # the highest level is 4 pixels
        raise HookError(f"{record.path}: its level of detail (lod) is missing or {lod:g}: a damaged network")
    return lod


def block_widths(record: NetworkRecord, prefix: str = "") -> list[int]:
    """Channels of every block, from 4 pixels on, of a network whose variables begin with ``prefix``."""
    return widths(record, lambda block: f"{prefix}{{0}}x{{0}}/Conv{1 if block else ''}/weight".format(4 << block), 3)


def held(ours: str, shape: tuple[int, ...], theirs: str, flipped: bool = False) -> Held:
    """The variable ``theirs`` in TensorFlow's layout: matrices ``[in, out]``, kernels ``[kh, kw, in, out]``."""
    if len(shape) == 2 and ours.endswith(".weight"):
        return Held(theirs, shape[::-1], (1, 0))
    if len(shape) == 4:
        return Held(theirs, (shape[2], shape[3], shape[1], shape[0]), (3, 2, 0, 1), flipped)
    return Held(theirs, (1,) * {"const": 1, "noise_const": 2}.get(ours.rpartition(".")[2], 0) + shape)


CONST = "synthesis/4x4/Const/const"


def variable(ours: str, torgb: str, parts: Mapping[str, str], first_noise: int = 0, label: str = "LabelConcat") -> str:
    """The variable of a style-based network that is a tensor of our generator.

    Args:
        torgb: the ToRGB layer of the same resolution.
        parts: names of a layer's variables, where they differ from ours.
        first_noise: number of the noise inputs that our generator has before the first one of the file.
        label: the layer that embeds labels.
    """
    alone = {"mapping.w_avg": "dlatent_avg", "synthesis.lod": "lod", "synthesis.b4.const": CONST}
    if ours in alone:
        return alone[ours]
    network, block, part = ours.split(".", 2)
    if network == "mapping":
        return f"mapping/{label if block == 'embed' else block.replace('fc', 'Dense')}/{part}"
    layer, part = part.split(".", 1)
    side = int(block[1:])
    if part == "noise_const":
        return f"synthesis/noise{2 * side.bit_length() - 6 + (layer == 'conv1') - first_noise}"
    others = {"conv0": "Conv0_up", "conv1": "Conv1", "skip": "Skip"}
    place = f"{side}x{side}/{({'conv0': 'Const', 'conv1': 'Conv'} if side == 4 else others).get(layer)}"
    return f"synthesis/{torgb if layer == 'torgb' else place}/{parts.get(part, part)}"
