"""State dicts: files of ``torch.save`` that hold tensors by name, without their network.

Known layouts: rosinality's ``{"g_ema": ..., "latent_avg": ...}`` (training checkpoints hold ``g``, ``d``,
optimisers and an ``argparse.Namespace`` beside), genforce's ``{"generator_smooth": ...}`` (training checkpoints:
inside ``models``), NVIDIA's ``{"G_ema": ...}``, and the bare state dict.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..system.messages import shown
from .network_record import Taken
from .pickle_forms import Tensor
from .pickle_values import ValueProblem, Values
from .tensor_view import TensorView

MAX_TENSORS = 100_000
# layout -> the file's own names of its networks
LAYOUTS = {
    "rosinality": {"G_ema": "g_ema", "G": "g", "D": "d"},
    "genforce": {"G_ema": "generator_smooth", "G": "generator", "D": "discriminator"},
    "bare": {"G_ema": "G_ema", "G": "G", "D": "D"},
}
_WRAPPERS = ("module.", "_orig_mod.")  # prefixes of DataParallel and of torch.compile
_EXTRA = "latent_avg"  # average w, beside the network in rosinality's files


@dataclass(frozen=True, eq=False)
class Entry:
    """One network of a file, not converted yet.

    Attributes:
        layout: a key of ``LAYOUTS``.
        tensors: the state_dict.
        average: the average w beside it, or None.
    """

    layout: str
    tensors: dict[object, object]
    average: object = None


def _dict(value: object) -> dict[object, object]:
    return value if isinstance(value, dict) else {}


def entries(value: object) -> dict[str, Entry] | None:
    """Networks by the names of NVIDIA's files; None where there are none.

    Raises:
        ValueProblem: they are of an encoder, or under the names of more than one toolkit.
    """
    held = _dict(value)
    if not held:
        return None
    found = []
    for layout, names in LAYOUTS.items():
        for inside in [held, _dict(held.get("models"))][: 2 if layout == "genforce" else 1]:
            parts = {ours: part for ours, theirs in names.items() if (part := _dict(inside.get(theirs)))}
            found += [{ours: Entry(layout, part, held.get(_EXTRA)) for ours, part in parts.items()}] if parts else []
    if len(found) > 1:
        raise ValueProblem("it holds networks under the names of two toolkits, which read different ones")
    if found:
        return found[0]
    inner = _dict(held.get("state_dict"))
    if inner and any(key.startswith("encoder.") for key in inner if isinstance(key, str)):
        raise ValueProblem(
            "it holds an encoder (pSp, e4e or ReStyle), which turns photographs into latents; "
            "give the generator's own file"
        )
    bare = inner or held
    if not all(isinstance(key, str) for key in bare) or not all(isinstance(v, Tensor) for v in list(bare.values())[:8]):
        return None
    return {"G_ema": Entry("bare", bare)}


def take(entry: Entry, values: Values) -> Taken:
    """Read the tensors of one network.

    Raises:
        ValueProblem: something among them is no tensor.
    """
    if len(entry.tensors) > MAX_TENSORS:
        raise ValueProblem(f"a state_dict of {len(entry.tensors)} entries")
    beside = [(_EXTRA, entry.average)] if entry.average is not None else []
    tensors: dict[str, TensorView] = {}
    for name, item in [*entry.tensors.items(), *beside]:
        if not isinstance(name, str):
            raise ValueProblem("a state_dict with a key that is no text")
        try:
            tensor = values.tensor(item)
        except ValueProblem as error:
            raise ValueProblem(f"tensor {shown(name, 80)}: {error}") from None
        if name in tensors:
            raise ValueProblem(f"a state_dict with {shown(name, 80)} inside of it and beside it")
        if tensor is None:
            raise ValueProblem(f"a state_dict in which {shown(name, 80)} is no tensor")
        tensors[name] = tensor
    return Taken("state_dict", _unwrapped(tensors), layout=entry.layout)


def _unwrapped(tensors: dict[str, TensorView]) -> dict[str, TensorView]:
    """Tensors by names without the wrappers' prefixes."""
    for _ in range(len(_WRAPPERS)):  # wrappers may be nested
        for prefix in _WRAPPERS:
            inside = [name for name in tensors if name != _EXTRA]
            if inside and all(name.startswith(prefix) for name in inside):
                tensors = {name if name == _EXTRA else name[len(prefix) :]: item for name, item in tensors.items()}
    return tensors
