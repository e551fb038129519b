"""Common parts of the hooks of state dicts: shapes of tensors, StyleGAN2's tensors by other names."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sefa_plugin.hook import ArrayLike, HookError, NetworkRecord

from . import stylegan2_parts
from .arguments import MAX_SIZE

if TYPE_CHECKING:
    import numpy as np

MAX_BLOCKS = 15  # 65536 pixels
TAPS = (1, 3, 3, 1)
MAX_TAPS = 64


@dataclass(frozen=True)
class Held:
    """Where a tensor of our generator lies in the file: its name and shape there."""

    name: str
    shape: tuple[int, ...]


def count(record: NetworkRecord, names: Callable[[int], str], first: int = 0) -> int:
    """How many tensors are named ``names(first)``, ``names(first + 1)``, ... without a gap."""
    index = first
    while names(index) in record.tensors:
        index += 1
    return index - first


def length(record: NetworkRecord, name: str, axis: int, axes: int) -> int:
    """Length of an axis of a tensor that must have ``axes`` axes.

    Raises:
        HookError: the tensor is missing, or has other axes.
    """
    if name not in record.tensors:
        raise HookError(f"{record.path}: this state_dict lacks tensor {name}: a modified or damaged network")
    shape = tuple(record.tensors[name].shape)
    if len(shape) != axes or not 1 <= shape[axis] <= MAX_SIZE:
        raise HookError(f"{record.path}: this state_dict has mis-shaped tensor {name} {shape}: {axes} axes expected")
    return int(shape[axis])


def stylegan2_plan(
    record: NetworkRecord,
    sizes: tuple[int, int, int, int],
    channels: Mapping[int, int],
    mapping: stylegan2_parts.MappingOptions,
    block: stylegan2_parts.BlockOptions | None = None,
) -> stylegan2_parts.Plan:
    """Plan of a StyleGAN2 with the widths of its tensors.

    Args:
        sizes: z_dim, c_dim, w_dim and img_channels.
        channels: features of every block by its resolution.

    Raises:
        HookError: it has more blocks than any network.
    """
    if len(channels) > MAX_BLOCKS:
        raise HookError(f"{record.path}: this state_dict has {len(channels)} blocks: a modified or damaged network")
    z_dim, c_dim, w_dim, img_channels = sizes
    return stylegan2_parts.Plan(
        z_dim,
        c_dim,
        w_dim,
        max(channels),
        img_channels,
        mapping,
        stylegan2_parts.SynthesisOptions(channels=dict(channels)),
        block or stylegan2_parts.BlockOptions(),
    )


def expected(table: Mapping[str, Held]) -> dict[str, tuple[int, ...]]:
    """Names and shapes that the file must hold."""
    return {held.name: held.shape for held in table.values()}


def renamed(record: NetworkRecord, table: Mapping[str, Held]) -> NetworkRecord:
    """The record with our generator's names; shapes are still the file's."""
    return replace(record, tensors={ours: record.tensors[held.name] for ours, held in table.items()})


def is_filter(name: str) -> bool:
    """Whether a tensor of our generator is a low-pass filter, which other toolkits store differently."""
    return name.endswith(".resample_filter")


def stylegan2_state(
    record: NetworkRecord, plan: stylegan2_parts.Plan, table: Mapping[str, Held]
) -> dict[str, np.ndarray]:
    """Arrays (float32) of StyleGAN2 by our names and shapes, filters included; those not in ``table`` are left out.

    Toolkits that scale convolutions at run time add the demodulation's epsilon (section 2.2) to scaled
    weights; ours does not scale, so the factor is multiplied into the weights. ToRGB is scaled in both.
    """
    state = {}
    for name, shape in stylegan2_parts.expected_tensors(plan).items():
        if is_filter(name):
            state[name] = low_pass()
        elif name in table:
            state[name] = array(record.tensors[table[name].name]).reshape(shape)
        if name.endswith((".conv0.weight", ".conv1.weight")):
            state[name] /= math.sqrt(math.prod(shape[1:]))
    return state


def array(tensor: ArrayLike) -> np.ndarray:
    """A tensor of the file as a float32 array of its own."""
    import numpy as np

    return np.array(tensor, dtype=np.float32)


def low_pass() -> np.ndarray:
    """The filter of all these networks, ``[4, 4]`` float32 of sum 1."""
    import numpy as np

    taps = np.array(TAPS, dtype=np.float32)
    return np.outer(taps, taps) / np.float32(sum(TAPS) ** 2)


def check_filters(record: NetworkRecord, names: Iterable[str], gain: float) -> None:
    """Compare stored filters with ``gain`` times :func:`low_pass`.

    Raises:
        HookError: names the first that is another one.
    """
    import numpy as np

    wanted = low_pass() * gain
    for name in names:
        held = array(record.tensors[name]).reshape(wanted.shape)
        if not np.abs(held - wanted).max() <= 0.005 * gain:  # float16 differs by less, other taps by more
            raise HookError(f"{record.path}: {name} is not the filter 1, 3, 3, 1: a modified network")


def mean_w(state: Mapping[str, np.ndarray], layers: int, lr_multiplier: float, samples: int = 4096) -> np.ndarray:
    """Average w ``[w_dim]`` float32 of random latents (seed 0), for networks without one.

    StyleGAN (2019), appendix B. ``state`` holds ``mapping.fc{i}.weight`` and ``.bias``, leaky ReLU after each.
    """
    import numpy as np

    width = state["mapping.fc0.weight"].shape[1]
    x = np.random.RandomState(0).randn(samples, width).astype(np.float32)
    x /= np.sqrt((x * x).mean(axis=1, keepdims=True) + 1e-8)
    for index in range(layers):
        weight, bias = state[f"mapping.fc{index}.weight"], state[f"mapping.fc{index}.bias"]
        x = x @ weight.T * np.float32(lr_multiplier / math.sqrt(weight.shape[1])) + bias * np.float32(lr_multiplier)
        x = np.where(x > 0, x, x * np.float32(0.2)) * np.float32(math.sqrt(2))
    mean: np.ndarray = x.mean(axis=0)
    return mean


def assumed(what: str) -> str:
    """The remark that names arguments which no tensor shows."""
    return f"a state_dict does not say how its network was set up; assumed: {what}"
