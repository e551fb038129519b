"""Common parts of the hooks of TensorFlow networks: arguments, shapes, and layouts of variables.

All building functions of a network get the same arguments and use those that they have parameters for. Arguments that
are left out have the function's default.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from sefa_plugin.hook import ArrayLike, HookError, NetworkRecord

from .arguments import MAX_SIZE, Options

if TYPE_CHECKING:
    import numpy as np

MAX_BLOCKS = 15  # 65536 pixels
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
    unknown = sorted(set(options) - set(known) - set(numbers) - HARMLESS - SHAPES)
    if unknown:
        raise HookError(
            f"{record.path}: {record.class_name} was built with {', '.join(unknown)[:120]}, "
            "which the known toolkits do not have: a modified network?"
        )
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


def agree(record: NetworkRecord, **sizes: int) -> None:
    """Compare sizes of the variables with the arguments of the same names, if given.

    Raises:
        HookError: names the first that differs.
    """
    for module in record.modules.values():
        for name, found in sizes.items():
            given = module.attributes.get(name)
            if given is not None and given != found:
                raise HookError(
                    f"{record.path}: {record.class_name} says {name} {given!r:.40}, its variables say {found}: "
                    "a modified or damaged network"
                )


def axis(record: NetworkRecord, name: str, index: int, axes: int) -> int:
    """Length of an axis of a variable that must have ``axes`` axes.

    Raises:
        HookError: the variable is missing, or has other axes.
    """
    tensor = record.tensors.get(name)
    if tensor is None:
        raise HookError(f"{record.path}: this {record.class_name} lacks variable {name}: a modified or damaged network")
    shape = tuple(tensor.shape)
    if len(shape) != axes or not 1 <= shape[index] <= MAX_SIZE:
        raise HookError(f"{record.path}: variable {name} has shape {shape}, {axes} axes were expected")
    return int(shape[index])


def count(record: NetworkRecord, pattern: str) -> int:
    """How many variables ``pattern.format(0)``, ``(1)``, ... there are without a gap."""
    index = 0
    while pattern.format(index) in record.tensors:
        index += 1
    return index


def blocks(record: NetworkRecord, pattern: str) -> list[int]:
    """4, then resolutions from 8 on that have a variable ``pattern.format(resolution)``.

    Raises:
        HookError: there are more than any network has.
    """
    found = [4]
    while pattern.format(found[-1] * 2) in record.tensors:
        found.append(found[-1] * 2)
        if len(found) > MAX_BLOCKS:
            raise HookError(f"{record.path}: this {record.class_name} has more blocks than any network")
    return found


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


def array(tensor: ArrayLike) -> np.ndarray:
    """A variable as a float32 array of its own."""
    import numpy as np

    return np.array(tensor, dtype=np.float32)


def dense(tensor: ArrayLike) -> np.ndarray:
    """``[in, out]`` to ``[out, in]``."""
    return array(tensor).T.copy()


def conv(tensor: ArrayLike, turned: bool = False) -> np.ndarray:
    """``[kh, kw, in, out]`` to ``[out, in, kh, kw]``; ``turned`` flips both kernel axes."""
    kernel = array(tensor).transpose(3, 2, 0, 1)
    return (kernel[:, :, ::-1, ::-1] if turned else kernel).copy()
