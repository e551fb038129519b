"""The parts of a network: the result of every reader and the input of every hook. Holds no code objects."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

from ..system.file_names import safe_name
from .module_walk import ModuleRecord
from .tensor_view import TensorView, in_place

if TYPE_CHECKING:
    from .module_walk import Arguments
    from .tensor_view import Array

    Tensors = Mapping[str, TensorView | Array]

NETWORK_NAMES = ("G", "D", "G_ema")
DEFAULT = "G_ema"  # the entry that is read where none is asked for


def chosen_by(names: Sequence[str]) -> str:
    """What to type for one of the networks of a file."""
    return "choose with " + " or ".join(f"--which {quote(name)}" for name in names[:4])


class NetworkFileError(Exception):
    """The file is missing, broken, or not a network that can be read; one line."""


class ForeignNetworkError(NetworkFileError):
    """A network of unknown classes.

    Attributes:
        record: the parts that could be read, to identify the network; never to be built.
    """

    def __init__(self, message: str, record: NetworkRecord) -> None:
        super().__init__(message)
        self.record = record


@dataclass(frozen=True, eq=False)
class NetworkRecord:
    """The parts of a network.

    Attributes:
        path: the file, as the user named it.
        which: the entry of the file (``G_ema``; ``decoder``, where it was found by its tensors).
        entries: names of all networks in the file.
        class_name: class of the root module.
        init_args, init_kwargs: the constructor's arguments, as plain values.
        tensors: parameters and buffers by dotted name.
        none_buffers: dotted names of buffers and parameters that are None.
        modules: every module by dotted name ('' is the root).
        sources: digest -> source text of the modules' classes, without empty and comment-only ones.
        other_globals: unknown names that other parts of the file refer to; never imported or called.
        format: ``pickle``, ``torch`` or ``safetensors``.
        family: ``module`` (torch modules), ``tensorflow`` or ``state_dict`` (tensors without their network).
        layout: within the family, the version of a TensorFlow pickle (``4``), or whose state_dict it is
            (``rosinality``, ``genforce``, or ``bare`` for one that is not inside another dict).
        parent: digest of the network that this one was tuned from, with the same style layers; '' for most.
    """

    path: str
    which: str
    entries: tuple[str, ...]
    class_name: str
    init_args: tuple[Any, ...]
    init_kwargs: Arguments
    tensors: Tensors
    none_buffers: frozenset[str] = frozenset()
    modules: Mapping[str, ModuleRecord] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)
    other_globals: tuple[str, ...] = ()
    format: str = "pickle"
    family: str = "module"
    layout: str = ""
    parent: str = ""

    @property
    def lineage(self) -> str:
        """The digest that directions are known by: that of the network which this one was tuned from, or its own."""
        return self.parent or self.digest()

    def digest(self) -> str:
        """SHA-256 of the class, the constructor arguments and every tensor.

        The same for a pickle and for the safetensors that ``sefa convert`` makes of it.
        """
        return self._digest

    @cached_property
    def _digest(self) -> str:
        import numpy as np

        kwargs = json.dumps([self.class_name, jsonable(self.init_args), jsonable(self.init_kwargs)], default=str)
        total = hashlib.sha256(" ".join(kwargs.split()).encode())
        for name in sorted(self.tensors):
            array = in_place(self.tensors[name])
            total.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
            total.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
        return total.hexdigest()

    @property
    def name(self) -> str:
        """The name of the file, or of the download, without folders and suffix; valid in names of outputs."""
        return safe_name(re.sub(r"^[0-9a-f]{32}_(?=.)", "", Path(self.path).stem))


@dataclass(frozen=True, eq=False)
class Taken:
    """The part of a :class:`NetworkRecord` that describes the network, not its file; attributes as there."""

    class_name: str
    tensors: Tensors
    init_args: tuple[Any, ...] = ()
    init_kwargs: Arguments = field(default_factory=dict)
    none_buffers: frozenset[str] = frozenset()
    modules: Mapping[str, ModuleRecord] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)
    layout: str = ""


def jsonable(value: object) -> object:
    """Plain values as JSON types (tuples and arrays become lists)."""
    if isinstance(value, Mapping):
        return json_object(value)
    if isinstance(value, (list, tuple)):
        return json_list(value)
    if isinstance(value, TensorView):
        return value.numpy().tolist()
    if isinstance(value, (bytes, bytearray)):
        return bytes(value).decode("latin-1")
    return value


def json_object(held: Mapping[str, object]) -> dict[str, object]:
    """:func:`jsonable` of a dict, sorted by the text of its keys."""
    return {str(key): jsonable(item) for key, item in sorted(held.items(), key=lambda kv: str(kv[0]))}


def json_list(items: Iterable[object]) -> list[object]:
    """:func:`jsonable` of a list or a tuple."""
    return [jsonable(item) for item in items]
