"""Buffers that are no weights, made anew where a state_dict lacks them or has them with another number of axes.

Directions depend on none of them. Noise is drawn, filters have their usual taps, and the average w is estimated. Other
buffers (StyleGAN3's frequencies, for example) cannot be made anew: without them there are no pictures.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from .tensors import array

if TYPE_CHECKING:
    import numpy as np

    from sefa_plugin.hook import ArrayLike

NOISE_SEED = 0
AVERAGE_OF = 4096  # latents
LR_MULTIPLIER = 0.01  # of the mapping networks of all toolkits; no state_dict has another one
TAPS = (1, 3, 3, 1)  # of the usual low-pass filter, which layers that do not resample always have
_KINDS = {
    "noise_const": "noise",
    "resample_filter": "filters",
    "up_filter": "filters",
    "down_filter": "filters",
    "w_avg": "the average w",
    "lod": "the level of detail",
    "transform": "the transform of the input",
    "magnitude_ema": "lost",
    "freqs": "lost",
    "phases": "lost",
}
_HOW = {
    "noise": f"noise from seed {NOISE_SEED}",
    "the average w": f"the average w over {AVERAGE_OF} random latents of seed 0",
    "filters": "filters as the toolkit has them by default",
}


def kind(ours: str) -> str:
    """What a tensor of our generator is: '' for a weight, ``lost`` for a buffer that cannot be made anew."""
    return _KINDS.get(ours.rpartition(".")[2], "")


def told(names: Sequence[str], kinds: Sequence[str]) -> str:
    """The remark on buffers that were made anew: their names in the file, and what they are."""
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    how = ", ".join(_HOW.get(one, one) for one in dict.fromkeys(kinds))
    return f"this file lacks {names[0][:80]}{more}, no weights: made anew ({how}); directions do not depend on them"


def reshaped(ours: str, held: ArrayLike, shape: tuple[int, ...]) -> np.ndarray | None:
    """A buffer with another number of axes in the file, in the shape of ours (float32); None if it must be made anew.

    Equal numbers are only reshaped; an average w with a row for each layer must have equal rows, and taps of a filter
    are multiplied by each other.
    """
    made = array(held)
    if made.size == math.prod(shape):
        return made.reshape(shape)
    if kind(ours) == "the average w":
        rows = made.reshape(-1, made.shape[-1])
        same = rows.shape[1:] == shape and bool((rows == rows[:1]).all())
        return rows[0] if same and len(rows) else None
    if kind(ours) == "filters" and shape == made.shape * 2:
        return low_pass(made.tolist())
    return None


def made_anew(shapes: Mapping[str, tuple[int, ...]], wanted: Sequence[str]) -> dict[str, np.ndarray]:
    """Buffers other than the average w, by our names.

    Args:
        shapes: of all tensors of the generator: noise is drawn in their order, so that it is the same whichever are
            missing.
        wanted: names of those to make.
    """
    import numpy as np

    drawn, made = np.random.RandomState(NOISE_SEED), {}
    for name, shape in shapes.items():
        what = kind(name)
        numbers = drawn.randn(*shape) if what == "noise" else None
        if name not in wanted:
            continue
        if numbers is not None:
            made[name] = numbers.astype(np.float32)
        elif what == "filters":
            made[name] = low_pass()
        elif what == "the transform of the input":
            made[name] = np.eye(3, dtype=np.float32)
        elif what == "the level of detail":
            made[name] = np.zeros(shape, np.float32)
    return made


def low_pass(taps: Sequence[float] = TAPS) -> np.ndarray:
    """A filter ``[n, n]`` float32 of sum 1."""
    import numpy as np

    kernel: np.ndarray = np.outer(taps, taps).astype(np.float32)
    kernel /= kernel.sum()
    return kernel


def mean_w(state: Mapping[str, ArrayLike]) -> np.ndarray:
    """Average w ``[w_dim]`` float32 of 4096 random latents and classes (seed 0). StyleGAN (2019), appendix B.

    Args:
        state: the mapping network's tensors by our names. An embedding without biases is appended to z before both are
            normalised, as in TensorFlow.
    """
    import numpy as np

    def normalized(x: np.ndarray) -> np.ndarray:
        scaled: np.ndarray = x / np.sqrt((x * x).mean(axis=1, keepdims=True) + 1e-8)
        return scaled

    held = {name: array(tensor) for name, tensor in state.items() if name.startswith("mapping.")}
    drawn = np.random.RandomState(0)
    embed, bias = held.get("mapping.embed.weight"), held.get("mapping.embed.bias")
    width = held["mapping.fc0.weight"].shape[1] - (0 if embed is None else embed.shape[0])
    x = drawn.randn(AVERAGE_OF, width).astype(np.float32)
    if embed is not None:
        labels = embed.T[drawn.randint(embed.shape[1], size=AVERAGE_OF)]
        if bias is not None:
            x, labels = normalized(x), labels / np.float32(math.sqrt(embed.shape[1])) + bias
            labels = normalized(labels)
        x = np.concatenate([x, labels], axis=1)
    if embed is None or bias is None:
        x = normalized(x)
    index = 0
    while f"mapping.fc{index}.weight" in held:
        weight, bias = held[f"mapping.fc{index}.weight"], held[f"mapping.fc{index}.bias"]
        x = x @ weight.T * np.float32(LR_MULTIPLIER / math.sqrt(weight.shape[1])) + bias * np.float32(LR_MULTIPLIER)
        x = np.where(x > 0, x, x * np.float32(0.2)) * np.float32(math.sqrt(2))
        index += 1
    mean: np.ndarray = x.mean(axis=0)
    return mean
