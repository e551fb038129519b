"""Read a network file into an inert record: no code of the file is run, no object of its classes is made.

Files of NVIDIA's PyTorch toolkits hold a dict of networks (``G``, ``D``, ``G_ema``), each a call of
``torch_utils.persistence._reconstruct_persistent_obj`` on a dict with the class name, the source of the
class's module and the module's ``__dict__``. :func:`read_network` reads one of them.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from ..system.messages import quoted, shown
from ..system.regular_files import mapped
from . import converted_file, state_dicts, tf_networks
from .containers import hint, parse, without_cycle_collection
from .module_walk import ModuleRecord, NetworkWalk, describe, is_module
from .network_record import (
    NETWORK_NAMES,
    ForeignNetworkError,
    NetworkFileError,
    NetworkRecord,
    Taken,
    json_list,
    json_object,
)
from .pickle_forms import UnknownGlobal, is_known
from .pickle_machine import InertPickleError
from .pickle_values import ValueProblem, shared_parts
from .torch_file import TorchFileError

if TYPE_CHECKING:
    from .containers import Parsed

    T = TypeVar("T")

__all__ = ["ForeignNetworkError", "NetworkFileError", "NetworkRecord", "read_network", "write_converted"]
MAX_SHARING = 4  # highest ratio of all tensors to the file: few networks share tensors between modules


def read_network(path: str | os.PathLike[str], which: str = "G_ema") -> NetworkRecord:
    """Read one network of a file.

    Args:
        path: a ``.pkl`` or ``.pt`` of a PyTorch toolkit, or a ``.safetensors`` of ``sefa convert``.
        which: the entry to read; only its tensors are read.

    Raises:
        NetworkFileError: one line with what is wrong, where, and what to do.
    """
    shown_path = os.fspath(path)
    if which not in NETWORK_NAMES:
        raise NetworkFileError(f"--which {which}: choose one of {', '.join(NETWORK_NAMES)}")
    data = mapped(shown_path, NetworkFileError)
    try:
        if converted_file.looks_converted(data):
            return _from_converted(shown_path, which)
        with without_cycle_collection():
            record = _take_network(shown_path, parse(shown_path, data), which)
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
        if self.which not in entries:
            only = "only a discriminator" if set(entries) == {"D"} else f"no {self.which}"
            raise NetworkFileError(f"{self.path}: holds {only}; it holds {', '.join(entries)} (choose with --which)")
        return entries[self.which]

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


def _take_network(path: str, file: Parsed, which: str) -> NetworkRecord:
    value, values = file.loaded.value, file.values
    others = tuple(sorted({name.path for name in file.loaded.globals if not is_known(name)}))
    asked = _Asked(path, which, file.format, others)
    if networks := tf_networks.entries(value):
        network = asked.entry(networks)
        _check_apart(network, file)
        return asked.record(networks, tf_networks.take(network, values), "tensorflow")
    if held := state_dicts.entries(value):
        if isinstance(value, dict) and any(is_module(value.get(name)) for name in NETWORK_NAMES):
            raise ValueProblem("it holds networks under the names of two toolkits, which read different ones")
        weights = asked.entry(held)
        _check_apart(weights.tensors, file)
        return asked.record(held, state_dicts.take(weights, values), "state_dict")
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


def _from_converted(path: str, which: str) -> NetworkRecord:
    held = converted_file.read(path)
    if which != held.which:
        raise NetworkFileError(f"{path}: holds only {held.which}, not {which}")
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
    )


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
        ),
    )
