"""Read a network file into an inert record: no code of the file is run, no object of its classes is made.

Files of NVIDIA's PyTorch toolkits hold a dict of networks (``G``, ``D``, ``G_ema``), each a call of
``torch_utils.persistence._reconstruct_persistent_obj`` on a dict with the class name, the source of the
class's module and the module's ``__dict__``. :func:`read_network` reads one of them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeVar

from ..system.messages import quoted, shown
from ..system.regular_files import mapped
from . import converted_file, state_dicts, tf_networks
from .containers import hint, parse, without_cycle_collection
from .module_walk import ModuleRecord, NetworkWalk, describe, is_module
from .network_record import (
    DEFAULT,
    NETWORK_NAMES,
    ForeignNetworkError,
    NetworkFileError,
    NetworkRecord,
    Taken,
    chosen_by,
    json_list,
    json_object,
)
from .pickle_forms import UnknownGlobal, is_known
from .pickle_machine import InertPickleError
from .pickle_values import ValueProblem, shared_parts
from .tensor_view import TensorView
from .torch_file import TorchFileError

if TYPE_CHECKING:
    from .containers import Parsed
    from .tensor_view import Bytes

    T = TypeVar("T")

__all__ = ["ForeignNetworkError", "NetworkFileError", "NetworkRecord", "read_network", "write_converted"]
MAX_CHANNELS = 4  # of pictures; a generator of more is a part of a larger one
MAX_SHARING = 4  # highest ratio of all tensors to the file: few networks share tensors between modules


def read_network(path: str | os.PathLike[str], which: str = DEFAULT, known: Recognition | None = None) -> NetworkRecord:
    """Read one network of a file.

    Args:
        path: a ``.pkl``, ``.pt`` or ``.safetensors``.
        which: the entry to read; only its tensors are read.
        known: recognises networks by their tensors, so that weights under any name are found; None does not search.

    Raises:
        NetworkFileError: one line with what is wrong, where, and what to do.
    """
    shown_path = os.fspath(path)
    data = mapped(shown_path, NetworkFileError)
    try:
        if converted_file.looks_converted(data):
            return _from_safetensors(shown_path, data, which, known)
        with without_cycle_collection():
            record = _take_network(shown_path, parse(shown_path, data), which, known)
            _check_size(record, len(data))
            return record
    except UnknownGlobal as error:
        nothing = NetworkRecord(shown_path, which, (which,), error.path, (), {}, {})
        raise ForeignNetworkError(f"{shown_path}: {hint(error)}", nothing) from None
    except (InertPickleError, TorchFileError, ValueProblem, converted_file.ConvertedFileError) as error:
        raise NetworkFileError(f"{shown_path}: {hint(error)}") from None
    except RecursionError:
        raise NetworkFileError(f"{shown_path}: is nested too deeply to be a network file") from None


def _check_size(record: NetworkRecord, size: int) -> None:
    """Refuse small files whose tensors share bytes to make a large network.

    Raises:
        ValueProblem: they are together more than ``MAX_SHARING`` times the size of the file.
    """
    held = sum(tensor.nbytes for tensor in record.tensors.values())
    if held > MAX_SHARING * size:
        raise ValueProblem(f"its tensors are together over {MAX_SHARING} times the size of the file: they share bytes")


class Recognition(Protocol):
    """Which records are networks that can be used: known to the caller, who knows the hooks."""

    def fits(self, record: NetworkRecord) -> bool:
        """Whether a hook fits."""

    def channels(self, record: NetworkRecord) -> int:
        """Channels of its pictures; 0 where no hook fits."""


class _Asked(NamedTuple):
    """The network to read: its file and its name there; attributes as in :class:`NetworkRecord`."""

    path: str
    which: str
    format: str
    other_globals: tuple[str, ...]

    def entry(self, entries: Mapping[str, T]) -> T:
        """The entry of that name.

        Raises:
            NetworkFileError: the file has no such entry.
        """
        return entries[self.entry_name(entries)]

    def entry_name(self, entries: Iterable[str], searched: bool = False) -> str:
        """The name of the entry that is asked for: exactly, by the end of its name, or of those that
        were searched the only one, or the only average.

        Raises:
            NetworkFileError: there is none, or several.
        """
        names = list(entries)
        if self.which in names:
            return self.which
        ends = [name for name in names if f".{name}".lower().endswith(f".{self.which}".lower())]
        if not ends and searched and self.which == DEFAULT:
            ends = [name for name in names if state_dicts.is_average(name)] or names
        if len(ends) == 1:
            return ends[0]
        only = "only a discriminator" if names == ["D"] else f"no {shown(self.which, 40)}"
        makers = [name for name in names if name != "D"]
        several = "several" if len(ends) > 1 and self.which != DEFAULT else only
        listed = ", ".join(shown(name, 60) for name in names[:12])
        choice = f" ({chosen_by(makers)})" if makers else ""
        raise NetworkFileError(f"{self.path}: holds {several}; it holds {listed}{choice}")

    def record(self, entries: Iterable[str], taken: Taken, family: str) -> NetworkRecord:
        """The record of a network from a file with these entries."""
        return NetworkRecord(
            path=self.path,
            which=self.which,
            entries=tuple(entries),
            class_name=taken.class_name,
            init_args=taken.init_args,
            init_kwargs=taken.init_kwargs,
            tensors=taken.tensors,
            none_buffers=taken.none_buffers,
            modules=taken.modules,
            sources=taken.sources,
            other_globals=self.other_globals,
            format=self.format,
            family=family,
            layout=taken.layout,
        )


def _take_network(path: str, file: Parsed, which: str, known: Recognition | None = None) -> NetworkRecord:
    value, values = file.loaded.value, file.values
    others = tuple(sorted({name.path for name in file.loaded.globals if not is_known(name)}))
    asked = _Asked(path, which, file.format, others)
    if networks := tf_networks.entries(value):
        network = asked.entry(networks)
        _check_apart(network, file)
        return asked.record(networks, tf_networks.take(network, values), "tensorflow")
    if (
        state_dicts.entries(value)
        and isinstance(value, dict)
        and any(is_module(value.get(name)) for name in NETWORK_NAMES)
    ):
        raise ValueProblem("it holds networks under the names of two toolkits, which read different ones")
    if record := _weights(asked, value, values.tensor, known, lambda part: _check_apart(part, file)):
        return record
    # A file may be the network itself.
    entries = {which: value} if is_module(value) else _entries(path, value)
    root = asked.entry(entries)
    _check_apart(root, file)
    walk = NetworkWalk(values)
    walk.module(root, "")
    record = asked.record(entries, _of_modules(walk), "module")
    if walk.unknown:
        raise ForeignNetworkError(f"{path}: refused: the network {walk.unknown[0]}", record)
    return record


def _weights(
    asked: _Asked,
    value: object,
    view: state_dicts.View,
    known: Recognition | None,
    check: Callable[[object], None] = lambda part: None,
) -> NetworkRecord | None:
    """The record of weights without their network; None where there are none.

    Where they are not under a known name, or no hook fits what is there, they are searched for by their tensors.
    """
    held = state_dicts.entries(value)

    def taken(entries: Mapping[str, state_dicts.Entry], which: str) -> NetworkRecord:
        check(entries[which].tensors)
        return asked._replace(which=which).record(entries, state_dicts.take(entries[which], view), "state_dict")

    def is_generator(tensors: Mapping[str, TensorView]) -> bool:
        part = asked.record((), Taken("state_dict", state_dicts.unwrapped(tensors), layout="bare"), "state_dict")
        return known is not None and 0 < known.channels(part) <= MAX_CHANNELS

    own = held.get(asked.which) if held else None
    record = taken(held, asked.which) if held and own else None
    if record is not None and known is not None and known.fits(record):
        return record
    found: dict[str, state_dicts.Entry] = {}
    if known is not None and own is not None:
        found = state_dicts.search(own.tensors, view, is_generator, own.average)
        if held and found and not own.whole:
            (first, *more) = found.values()
            if not more:
                return taken({**held, asked.which: first}, asked.which)
            found = {f"{asked.which}.{name}": entry for name, entry in found.items()}
    elif known is not None and (not held or asked.which not in NETWORK_NAMES or any(e.whole for e in held.values())):
        found = state_dicts.search(value, view, is_generator)
    elif known is not None and own is None and asked.which == DEFAULT:  # beside networks of known names
        searched = state_dicts.search(value, view, is_generator)
        found = searched if len(searched) == 1 or any(map(state_dicts.is_average, searched)) else {}
    if found:
        return taken(found, asked.entry_name(found, searched=True))
    if state_dicts.holds_encoder(value):
        raise ValueProblem(
            "it holds an encoder (pSp, e4e or ReStyle), which turns photographs into latents, and no generator as "
            "decoder; give the generator's own file"
        )
    return record or (taken(held, asked.entry_name(held)) if held else None)


def problems(path: str, file: Parsed) -> list[str]:
    """Why networks of a file cannot be read, one line each; [] for a file without networks."""
    found = []
    try:
        value = file.loaded.value
        names: Iterable[str] = tf_networks.entries(value) or state_dicts.entries(value) or ()
        if not names:
            names = NETWORK_NAMES[-1:] if is_module(value) else _entries(path, value)
    except ValueProblem as error:
        return [str(error)]
    except NetworkFileError:
        return []
    for which in names:
        try:
            _take_network(path, file, which)
        except (NetworkFileError, ValueProblem) as error:
            found.append(f"{which}: {str(error).removeprefix(f'{path}: ')}")
    return found


def _check_apart(network: object, file: Parsed) -> None:
    """Refuse a network of which objects of unknown classes elsewhere hold a part: their classes could change it.

    Raises:
        ValueProblem: there are some.
    """
    strangers = file.loaded.strangers
    if strangers and shared_parts(network, strangers):
        classes = ", ".join(sorted({held.kind.path for held in strangers})[:3])
        raise ValueProblem(f"refused: parts of the network are also parts of objects of unknown classes ({classes})")


def _of_modules(walk: NetworkWalk) -> Taken:
    root = walk.modules[""]
    args = root.attributes.get("_init_args", ())
    kwargs = root.attributes.get("_init_kwargs", {})
    if not isinstance(args, (tuple, list)) or not isinstance(kwargs, dict):
        raise ValueProblem("the network does not say what its constructor was given")
    return Taken(
        root.class_name,
        walk.tensors,
        init_args=tuple(args),
        init_kwargs=kwargs,
        none_buffers=frozenset(walk.nones),
        modules=walk.modules,
        sources=walk.sources,
    )


def _entries(path: str, value: object) -> dict[str, object]:
    """Networks of the file by name; ``NetworkFileError`` if it is not a network file."""
    pairs = value if isinstance(value, dict) else {}
    found = {
        key: pairs[key] for key in pairs if isinstance(key, str) and key in NETWORK_NAMES and pairs[key] is not None
    }
    if found:
        return found
    keys = [shown(key, 40) if isinstance(key, str) else quoted(key) for key in list(pairs)[:3]]
    if isinstance(value, dict):
        what = f"a dict of {', '.join(keys) or 'nothing'}"
    elif isinstance(value, (list, tuple)):
        what = f"a {type(value).__name__.lower()} of {len(value)} things"
    else:
        what = describe(value)
    raise NetworkFileError(
        f"{path}: is not a StyleGAN network file: it holds {what}, where a dict with G_ema was expected"
    )


def _from_safetensors(path: str, data: Bytes, which: str, known: Recognition | None) -> NetworkRecord:
    """A network of ``sefa convert``, or weights by any other tool."""
    if not converted_file.is_converted(data):
        tensors = converted_file.plain_tensors(path, data)
        record = _weights(_Asked(path, which, "safetensors", ()), tensors, _as_view, known)
        if record is None or known is None or not known.fits(record):
            names = ", ".join(shown(name, 40) for name in list(tensors)[:3])
            raise converted_file.ConvertedFileError(
                "is a safetensors file, but not a network written by `sefa convert`, nor does it hold the weights of a "
                f"generator that is known here ({len(tensors)} tensors: {names}, ...)"
            )
        return record
    held = converted_file.read(path)
    if which != held.which and (which != DEFAULT or held.which in NETWORK_NAMES):
        raise NetworkFileError(f"{path}: holds only {held.which}, not {shown(which, 40)} (--which {held.which})")
    return NetworkRecord(
        path=path,
        which=held.which,
        entries=(held.which,),
        class_name=held.class_name,
        init_args=tuple(held.init_args),
        init_kwargs=held.init_kwargs,
        tensors=held.tensors,
        none_buffers=frozenset(held.none_buffers),
        modules=held.modules,
        sources=dict.fromkeys(held.source_digests, ""),
        format="safetensors",
        family=held.family,
        layout=held.layout,
        parent=held.parent,
    )


def _as_view(item: object) -> TensorView | None:
    return item if isinstance(item, TensorView) else None


def write_converted(record: NetworkRecord, path: str | os.PathLike[str]) -> None:
    """Write a record as safetensors: tensors, class name and arguments, no code.

    Raises:
        OSError: the file cannot be written.
    """
    converted_file.write(
        path,
        converted_file.Converted(
            class_name=record.class_name,
            which=record.which,
            init_args=json_list(record.init_args),
            init_kwargs=json_object(record.init_kwargs),
            none_buffers=sorted(record.none_buffers),
            source_digests=sorted(record.sources),
            modules={
                name: ModuleRecord(module.class_name, json_object(module.attributes), module.source_digest)
                for name, module in record.modules.items()
            },
            tensors=record.tensors,
            family=record.family,
            layout=record.layout,
            parent=record.parent,
        ),
    )
