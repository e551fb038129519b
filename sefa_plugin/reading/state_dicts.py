"""State dicts: files of ``torch.save`` that hold tensors by name, without their network.

Known layouts: rosinality's ``{"g_ema": ..., "latent_avg": ...}`` (training checkpoints hold ``g``, ``d``,
optimisers and an ``argparse.Namespace`` beside), genforce's ``{"generator_smooth": ...}`` (training checkpoints:
inside ``models``), NVIDIA's ``{"G_ema": ...}``, and the bare state dict. In other files, generators are searched for by
their tensors: inside of dicts, and behind any prefix of their names (``decoder.`` in pSp and e4e). Of several
the one that is called as a moving average is taken.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from ..system.messages import shown
from .network_record import Taken
from .pickle_forms import Tensor
from .pickle_values import ValueProblem
from .tensor_view import TensorView

MAX_TENSORS = 100_000
# layout -> the file's own names of its networks
LAYOUTS = {
    "rosinality": {"G_ema": "g_ema", "G": "g", "D": "d"},
    "genforce": {"G_ema": "generator_smooth", "G": "generator", "D": "discriminator"},
    "bare": {"G_ema": "G_ema", "G": "G", "D": "D"},
}
# Parts of names that are wrappers' own: of DataParallel and DDP, torch.compile, FSDP, checkpointed activations.
_WRAPPERS = {"module", "_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"}
_COUNTER = "n_averaged"  # beside a network that torch's AveragedModel wraps
_OF_AVERAGES = re.compile(r"EMA|(?<![A-Za-z])[Ee]ma(?![a-z])|(?i:avg|averag|smooth|shadow|running)")
_EXTRA = "latent_avg"  # average w, beside the network in rosinality's files
_AVERAGES = (_EXTRA, "w_avg")
_MAX_DEPTH = 3  # of dicts, and of parts of a name before the generator's own
_MAX_DICTS = 1_000
_UNNAMED = {"state_dict", "module", "_orig_mod"}  # say nothing about the network inside
View = Callable[[object], "TensorView | None"]  # the tensor that an inert value is; None for other values


@dataclass(frozen=True, eq=False)
class Entry:
    """One network of a file, not converted yet.

    Attributes:
        layout: a key of ``LAYOUTS``.
        tensors: the state_dict.
        average: the average w beside it, or None.
        whole: whether this is the file itself, and no entry of it.
    """

    layout: str
    tensors: dict[object, object]
    average: object = None
    whole: bool = False


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
    if networks := _of_lucidrains(_dict(held.get("GAN")) or held):
        return networks
    found = []
    for layout, names in LAYOUTS.items():
        for inside in [held, _dict(held.get("models"))][: 2 if layout == "genforce" else 1]:
            parts = {ours: part for ours, theirs in names.items() if (part := _dict(inside.get(theirs)))}
            found += [{ours: Entry(layout, part, held.get(_EXTRA)) for ours, part in parts.items()}] if parts else []
    generators = [parts for parts in found if parts.keys() != {"D"}]
    if len(generators) > 1:
        raise ValueProblem("it holds networks under the names of two toolkits, which read different ones")
    if found:
        return (generators or found)[0]
    inner = _dict(held.get("state_dict"))
    bare = inner or held
    if not all(isinstance(key, str) for key in bare) or not all(map(_is_tensor, list(bare.values())[:8])):
        return None
    average = held.get(_EXTRA) if inner and not any(str(key).endswith(_AVERAGES) for key in inner) else None
    return {"G_ema": Entry("bare", bare, average, whole=True)}


def _of_lucidrains(held: dict[object, object]) -> dict[str, Entry]:
    """Networks of lucidrains/stylegan2-pytorch: generator and mapping network, as ``G.`` and ``S.``."""
    found: dict[str, Entry] = {}
    for name, prefixes in {"G_ema": {"GE.": "G.", "SE.": "S."}, "G": {"G.": "G.", "S.": "S."}}.items():
        part: dict[object, object] = {}
        for theirs, ours in prefixes.items():
            inside = [key for key in held if isinstance(key, str) and key.startswith(theirs)]
            part.update({ours + key[len(theirs) :]: held[key] for key in inside})
        if "G.blocks.0.to_style1.weight" in part:
            found[name] = Entry("lucidrains", part)
    return found


def _is_tensor(value: object) -> bool:
    return isinstance(value, (Tensor, TensorView))


def is_average(name: str) -> bool:
    """Whether a network of this name is a moving average of weights (``params_ema``, ``g_running``)."""
    return _OF_AVERAGES.search(name) is not None


def holds_encoder(value: object) -> bool:
    """Whether a file has the weights of an encoder (pSp, e4e, ReStyle)."""
    inner = _dict(_dict(value).get("state_dict"))
    return any(key.startswith("encoder.") for key in inner if isinstance(key, str))


def search(
    value: object, view: View, is_generator: Callable[[dict[str, TensorView]], bool], average: object = None
) -> dict[str, Entry]:
    """Generators that are found by their tensors, in dicts up to three levels down and behind prefixes of names.

    Args:
        value: the file's value, or a part of it.
        view: gives tensors.
        is_generator: whether tensors are those of a generator, by their names in it.
        average: the average w beside the value, or None.

    Returns:
        By name: the keys of the dicts and the parts of the prefix, joined by dots; ``G_ema`` for the value itself.
    """
    found: dict[str, Entry] = {}
    for path, held, beside in _dicts(value, average):
        views = {name: tensor for name, item in held.items() if (tensor := _viewed(item, view)) is not None}
        inside: list[str] = []
        for prefix, names in _prefixes(views):
            if not any(prefix.startswith(outer) for outer in inside) and is_generator(
                {name[len(prefix) :]: views[name] for name in names}
            ):
                part: dict[object, object] = {name[len(prefix) :]: held[name] for name in names}
                inside.append(prefix)
                whole = any(name.endswith(_AVERAGES) for name in names)
                found[_name(path, prefix, found)] = Entry("bare", part, None if whole else beside)
    return found


def _dicts(value: object, average: object) -> Iterator[tuple[tuple[str, ...], dict[str, object], object]]:
    """A dict and those inside of it, each with the keys that lead there and the average w beside it."""
    waiting: list[tuple[tuple[str, ...], object, object]] = [((), value, average)]
    for path, part, outer in waiting:  # grows
        held = {key: item for key, item in _dict(part).items() if isinstance(key, str)}
        beside = held[_EXTRA] if _is_tensor(held.get(_EXTRA)) else outer
        if held and len(held) <= MAX_TENSORS:
            yield path, held, beside
        inside = [((*path, key), item, beside) for key, item in held.items() if isinstance(item, dict)]
        waiting += inside[: _MAX_DICTS - len(waiting)] if len(path) < _MAX_DEPTH else []


def _viewed(item: object, view: View) -> TensorView | None:
    try:
        return view(item)
    except ValueProblem:
        return None


def _prefixes(names: dict[str, TensorView]) -> Iterator[tuple[str, list[str]]]:
    """Prefixes of names, each with the names that have it, short ones first."""
    groups: dict[str, list[str]] = {"": list(names)}
    for name in names:
        parts = name.split(".")
        for depth in range(1, min(len(parts), _MAX_DEPTH + 1)):
            groups.setdefault(".".join(parts[:depth]) + ".", []).append(name)
    yield from sorted(groups.items(), key=lambda group: group[0].count("."))


def _name(path: tuple[str, ...], prefix: str, taken: dict[str, Entry]) -> str:
    steps = [*path, *prefix.split(".")[:-1]]
    short = ".".join(step for step in steps if step not in _UNNAMED) or "G_ema"
    return ".".join(steps) if short in taken else short


def take(entry: Entry, view: View) -> Taken:
    """Read the tensors of one network; ``view`` gives tensors.

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
            tensor = view(item)
        except ValueProblem as error:
            raise ValueProblem(f"tensor {shown(name, 80)}: {error}") from None
        if name in tensors:
            raise ValueProblem(f"a state_dict with {shown(name, 80)} inside of it and beside it")
        if tensor is None:
            raise ValueProblem(f"a state_dict in which {shown(name, 80)} is no tensor")
        tensors[name] = tensor
    return Taken("state_dict", unwrapped(tensors), layout=entry.layout)


def unwrapped(tensors: Mapping[str, TensorView]) -> Mapping[str, TensorView]:
    """Tensors by names without the parts that wrappers of the network, or of modules inside, have put there."""
    names = [name for name in tensors if name != _COUNTER]
    plain = {".".join(part for part in name.split(".") if part not in _WRAPPERS): name for name in names}
    return {name: tensors[held] for name, held in plain.items()} if len(plain) == len(names) else tensors
