"""Read a network file into an inert record: nothing in the file is run, no class of it is made.

Files of NVIDIA's PyTorch toolkits hold a dict of networks (``G``, ``D``, ``G_ema``), each a call of
``torch_utils.persistence._reconstruct_persistent_obj`` on a dict with the class name, the source of the
class's module and the module's ``__dict__``. :func:`read_network` takes one of them apart.
"""

from __future__ import annotations

import hashlib
import json
import mmap
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from . import converted_file
from .inert_pickle import load
from .network_walk import ModuleRecord, NetworkWalk, describe, is_persistent
from .pickle_records import Call, Global, InertPickleError, TruncatedPickle, shown
from .pickled_values import UnknownGlobal, ValueProblem, Values, unwrap_new
from .tensor_view import TensorView
from .torch_file import TorchFileError, is_legacy, read_legacy, read_zip

NETWORK_NAMES = ("G", "D", "G_ema")
_TF_CLASSES = {("tfutil", "Network"), ("dnnlib.tflib.network", "Network")}


class NetworkFileError(Exception):
    """The file is missing, broken, or not a network that can be read; one clear line."""


@dataclass(frozen=True, eq=False)
class NetworkRecord:
    """A network, taken apart.

    Attributes:
        path: the file, as the user named it.
        which: the entry of the file (``G_ema``).
        entries: names of all networks in the file.
        class_name: class of the root module.
        init_args, init_kwargs: what the constructor was given.
        tensors: parameters and buffers by dotted name.
        none_buffers: dotted names of buffers and parameters that are None.
        modules: every module by dotted name ('' is the root).
        sources: digest -> source text of the modules' classes, empty and comment-only ones left out.
        other_globals: names used elsewhere in the file that are not known; never needed, never run.
        format: ``pickle``, ``torch`` or ``safetensors``.
    """

    path: str
    which: str
    entries: tuple[str, ...]
    class_name: str
    init_args: tuple
    init_kwargs: Mapping[str, Any]
    tensors: Mapping[str, Any]
    none_buffers: frozenset[str] = frozenset()
    modules: Mapping[str, ModuleRecord] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)
    other_globals: tuple[str, ...] = ()
    format: str = "pickle"

    def digest(self) -> str:
        """SHA-256 of what the network is: class, constructor arguments and every tensor.

        The same for a pickle and for the safetensors that ``sefa convert`` makes of it.
        """
        return self._digest

    @cached_property
    def _digest(self) -> str:
        import numpy as np

        kwargs = json.dumps([self.class_name, _jsonable(self.init_args), _jsonable(self.init_kwargs)])
        total = hashlib.sha256(" ".join(kwargs.split()).encode())
        for name in sorted(self.tensors):
            array = np.asarray(self.tensors[name])
            total.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
            total.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
        return total.hexdigest()

    @property
    def name(self) -> str:
        """The file's name without folders and suffix."""
        return Path(self.path).stem


def _jsonable(value: Any) -> Any:
    """A form of plain values that JSON keeps (tuples become lists; arrays their lists)."""
    if isinstance(value, Mapping):
        return {str(key): _jsonable(item) for key, item in sorted(value.items(), key=lambda kv: str(kv[0]))}
    if isinstance(value, (list, tuple)):
        return [_jsonable(item) for item in value]
    if isinstance(value, TensorView):
        return value.numpy().tolist()
    if isinstance(value, (bytes, bytearray)):
        return bytes(value).decode("latin-1")
    return value


def read_network(path: str | os.PathLike, which: str = "G_ema") -> NetworkRecord:
    """Read one network of a file.

    Args:
        path: a ``.pkl`` or ``.pt`` of a PyTorch toolkit, or a ``.safetensors`` of ``sefa convert``.
        which: the entry wanted; only its tensors are touched.

    Raises:
        NetworkFileError: one line that says what is wrong, where, and what to do.
    """
    shown_path = os.fspath(path)
    if which not in NETWORK_NAMES:
        raise NetworkFileError(f"--which {which}: choose one of {', '.join(NETWORK_NAMES)}")
    data = _map(shown_path)
    try:
        if converted_file.looks_converted(data):
            return _from_converted(shown_path, which)
        value, values, names, kind = _parse(shown_path, data)
        return _take_network(shown_path, value, values, names, kind, which)
    except (InertPickleError, TorchFileError, ValueProblem, converted_file.ConvertedFileError) as error:
        raise NetworkFileError(f"{shown_path}: {_hint(error)}") from None
    except RecursionError:
        raise NetworkFileError(f"{shown_path}: is nested too deeply to be a network file") from None


def _hint(error: Exception) -> str:
    if isinstance(error, TruncatedPickle) or "cut short" in str(error):
        return f"the file {error}; it is truncated: download or copy it again"
    if isinstance(error, UnknownGlobal):
        return f"refused: the network {error}"
    return str(error) if isinstance(error, ValueProblem) else f"the file {error}"


def _map(path: str) -> Any:
    try:
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size == 0:
                raise NetworkFileError(f"{path}: the file is empty; download or copy it again")
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except FileNotFoundError:
        raise NetworkFileError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise NetworkFileError(f"{path}: is a folder; name the network file in it") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise NetworkFileError(f"{path}: cannot be read ({reason})") from None


def _parse(path: str, data: Any) -> tuple[Any, Values, list[Global], str]:
    """Read the bytes as a pickle or as a file of ``torch.save``."""
    _refuse_other_kinds(path, bytes(data[:1024]))
    if data[:4] == b"PK\x03\x04":
        file = read_zip(data)
        return file.value, Values(file.storages), file.globals, "torch"
    if is_legacy(data):
        file = read_legacy(data)
        return file.value, Values(file.storages), file.globals, "torch"
    try:
        loaded = load(data)
    except TruncatedPickle:
        if data[0] not in b"\x80(c]}l":  # a file that was never a pickle is not a truncated one
            raise NetworkFileError(f"{path}: not a pickle, nor any other network file known here") from None
        raise
    except InertPickleError as error:
        if data[0] != 0x80:
            raise NetworkFileError(f"{path}: not a pickle, nor any other network file known here") from None
        raise InertPickleError(f"is a broken pickle: {error}") from None
    return loaded.value, Values(), loaded.globals, "pickle"


def _refuse_other_kinds(path: str, head: bytes) -> None:
    """Name the usual mix-ups, each with its cure."""
    start = head.lstrip()[:200].lower()
    if head.startswith(b"version https://git-lfs"):
        what = "is a Git LFS pointer, not the network itself; fetch it with `git lfs pull`"
    elif start.startswith((b"<!doctype", b"<html", b"<head", b"<?xml")):
        what = "is a web page saved under this name; download the file itself (the link wants a click or a login)"
    elif start.startswith((b"{", b"[")) and b'"' in start:
        what = "is a text file (JSON?), not a network"
    elif head.startswith(b"\x1f\x8b"):
        what = "is packed with gzip; unpack it first"
    elif head.startswith((b"\x89PNG", b"\xff\xd8\xff", b"GIF8")):
        what = "is a picture, not a network"
    elif head.startswith(b"\x89HDF"):
        what = "is an HDF5 (Keras) file, not a network pickle"
    else:
        return
    raise NetworkFileError(f"{path}: {what}")


def _take_network(path: str, value: Any, values: Values, names: list[Global], kind: str, which: str) -> NetworkRecord:
    value = unwrap_new(value)
    # A file may be the network itself.
    entries = {which: value} if is_persistent(value) else _entries(path, value, values)
    if which not in entries:
        raise NetworkFileError(f"{path}: holds no {which}; it holds {', '.join(entries)} (choose with --which)")
    walk = NetworkWalk(values)
    walk.module(entries[which], "")
    root = walk.modules[""]
    args = root.attributes.get("_init_args", ())
    kwargs = root.attributes.get("_init_kwargs", {})
    if not isinstance(args, (tuple, list)) or not isinstance(kwargs, dict):
        raise ValueProblem("the network does not say what its constructor was given")
    unknown = sorted({name.path for name in names if not _is_known(name)})
    return NetworkRecord(
        path=path,
        which=which,
        entries=tuple(entries),
        class_name=root.class_name,
        init_args=tuple(args),
        init_kwargs=kwargs,
        tensors=walk.tensors,
        none_buffers=frozenset(walk.nones),
        modules=walk.modules,
        sources=walk.sources,
        other_globals=tuple(unknown),
        format=kind,
    )


_KNOWN_HOMES = (
    "torch_utils.persistence", "dnnlib", "dnnlib.util", "collections", "torch", "torch._utils",
    "torch.storage", "torch._tensor", "torch.nn.parameter", "numpy", "numpy.core.multiarray",
    "numpy._core.multiarray", "numpy.core.numeric", "numpy._core.numeric", "builtins", "__builtin__",
    "_codecs", "copyreg", "copy_reg",
)  # fmt: skip


def _is_known(name: Global) -> bool:
    """Whether a name is one of the harmless vocabulary (used for the list that ``info`` shows only)."""
    if name.module in ("builtins", "__builtin__"):
        return name.name in ("set", "frozenset", "dict", "list", "bytes", "object")
    return name.module in _KNOWN_HOMES


def _entries(path: str, value: Any, values: Values) -> dict[str, Any]:
    """Networks of the file by name; a clear refusal for everything that is no network file."""
    parts = value if isinstance(value, (tuple, list)) else ()
    if parts and all(isinstance(p, Call) and _global_key(p) in _TF_CLASSES for p in parts):
        raise NetworkFileError(
            f"{path}: holds networks of the TensorFlow toolkits ({parts[0].func.path}), which this version "
            "does not read; networks of the PyTorch toolkits are"
        )
    pairs = value.items() if isinstance(value, dict) else ()
    if isinstance(value, Call) and (value.pairs or isinstance(value.state, dict)):
        pairs = value.pairs or value.state.items()
    found = {key: unwrap_new(item) for key, item in pairs if key in NETWORK_NAMES and item is not None}
    if found:
        return found
    keys = [shown(str(key), 40) for key, _ in list(pairs)[:3]]
    if pairs and all(values.tensor(item) is not None for _, item in list(pairs)[:3]):
        what = f"a state_dict (tensors {', '.join(keys)}, ...): weights without their network"
    elif isinstance(value, dict):
        what = f"a dict of {', '.join(keys) or 'nothing'}"
    elif isinstance(value, (list, tuple)):
        what = f"a {type(value).__name__} of {len(value)} things"
    else:
        what = describe(value)
    raise NetworkFileError(
        f"{path}: is not a StyleGAN network file: it holds {what}, where a dict with G_ema was expected"
    )


def _global_key(call: Call) -> tuple[str, str] | None:
    return (call.func.module, call.func.name) if isinstance(call.func, Global) else None


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
        modules={name: ModuleRecord(*parts) for name, parts in held.modules.items()},
        sources=dict.fromkeys(held.source_digests, ""),
        format="safetensors",
    )


def write_converted(record: NetworkRecord, path: str | os.PathLike) -> None:
    """Write a record as safetensors: tensors, class name and arguments, and nothing that could run.

    Raises:
        OSError: the file cannot be written.
    """
    converted_file.write(
        path,
        converted_file.Converted(
            class_name=record.class_name,
            which=record.which,
            init_args=_jsonable(record.init_args),
            init_kwargs=_jsonable(record.init_kwargs),
            none_buffers=sorted(record.none_buffers),
            source_digests=sorted(record.sources),
            modules={
                name: [module.class_name, _jsonable(module.attributes), module.source_digest]
                for name, module in record.modules.items()
            },
            tensors=record.tensors,
        ),
    )
