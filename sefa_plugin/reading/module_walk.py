"""Collect the modules and tensors of a pickled network by dotted name, in the order of the file."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..system.messages import shown
from .pickle_forms import MODULE_STATE, Object, Persistent, UnknownGlobal, is_plain_module
from .pickle_values import ValueProblem, Values

if TYPE_CHECKING:
    from typing import TypeGuard

    from .tensor_view import TensorView

    Arguments = Mapping[str, Any]  # plain values by name, whose types the hook checks

MAX_MODULES = 20_000
MAX_MODULE_DEPTH = 32
MAX_TENSORS = 100_000
MAX_NAME = 1_000  # letters of a dotted name
_MEMBERS = ("_parameters", "_buffers", "_modules")
MAX_SOURCE = 1 << 22  # letters of a module's source text; NVIDIA's largest has 40,000


@dataclass(frozen=True)
class ModuleRecord:
    """One module inside a network.

    Attributes:
        class_name: bare name of its class.
        attributes: its plain attributes (scalars, lists, dicts; arrays as :class:`TensorView`).
        source_digest: digest of the source of its module, '' where the file has none.
    """

    class_name: str
    attributes: Arguments
    source_digest: str


def source_digest(text: str) -> str:
    """SHA-256 of a source text with any line ends; '' where it has no code."""
    text = text.lstrip("\ufeff").replace("\r\n", "\n").replace("\r", "\n").strip("\n")
    if not any(line.strip() and not line.lstrip().startswith("#") for line in text.split("\n")):
        return ""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def is_module(value: object) -> TypeGuard[Object]:
    """Whether a value is a torch module: a persistent object, or a plain one with parameters and modules."""
    if not isinstance(value, Object) or value.state is None:
        return False
    return isinstance(value, Persistent) or {"_parameters", "_modules"} <= value.state.keys()


def describe(value: object) -> str:
    """What an inert value is, in words for a message."""
    if isinstance(value, Object):
        return f"an object of {value.kind.path}"
    return {"NoneType": "None"}.get(type(value).__name__, f"a {type(value).__name__.lower()}")


class NetworkWalk:
    """Collects modules and tensors of one network, in the order of the file."""

    def __init__(self, values: Values) -> None:
        self.values = values
        self.tensors: dict[str, TensorView] = {}
        self.nones: list[str] = []
        self.modules: dict[str, ModuleRecord] = {}
        self.sources: dict[str, str] = {}
        self.unknown: list[UnknownGlobal] = []  # what the network needs and is not known
        self._digests: dict[int, str] = {}

    def module(self, value: object, name: str) -> None:
        """Collect a module and its submodules under a dotted name; '' is the root.

        Raises:
            ValueProblem: it is no module, is malformed, or is too large.
        """
        class_name, source, state = self._open(value, name)
        if len(self.modules) >= MAX_MODULES or name.count(".") > MAX_MODULE_DEPTH:
            raise ValueProblem(f"the network has too many modules or too deep ones ({shown(name, 60)})")
        self.values.count(len(state))
        members = {kind: self._members(state, kind, name) for kind in _MEMBERS}
        names = [key for held in members.values() for key in held]
        attributes = {}
        for key, item in state.items():
            if not isinstance(key, str):
                raise ValueProblem(f"module {shown(name, 60) or 'root'} has an attribute that is not named by text")
            if key in _MEMBERS:
                continue
            names.append(key)
            if (key.endswith("_hooks") or "_hooks_" in key) and item is not None and not isinstance(item, bool):
                if not isinstance(item, dict) or item:
                    raise ValueProblem(f"module {shown(name, 60) or 'root'} has hooks ({shown(key, 60)})")
                continue
            try:
                attributes[key] = self.values.plain(item)
            except UnknownGlobal as error:
                self.unknown.append(error)
        if len(set(names)) != len(names):
            raise ValueProblem(f"module {shown(name, 60) or 'root'} has two things of one name")
        self.modules[name] = ModuleRecord(class_name, attributes, self._digest(source))
        for kind in ("_parameters", "_buffers"):
            for key, item in members[kind].items():
                self._tensor(self._joined(name, key), item)
        for key, item in members["_modules"].items():
            if item is not None:
                self.module(item, self._joined(name, key))

    @staticmethod
    def _joined(name: str, key: str) -> str:
        if len(name) + len(key) >= MAX_NAME:
            raise ValueProblem(f"the network has a name of more than {MAX_NAME} letters ({shown(key, 60)})")
        return f"{name}.{key}" if name else key

    def _digest(self, source: str) -> str:
        digest = self._digests.get(id(source))
        if digest is None:
            if len(source) > MAX_SOURCE:
                raise ValueProblem(f"the network has a source of more than {MAX_SOURCE} letters")
            digest = self._digests[id(source)] = source_digest(source)
            if digest:
                self.sources[digest] = source
        return digest

    def _open(self, value: object, name: str) -> tuple[str, str, dict[object, object]]:
        """Class name, source and state of a module: a persistent object, or a plain one of torch.nn."""
        if not is_module(value):
            if isinstance(value, Object) and value.state is not None:
                raise UnknownGlobal(value.kind)
            raise ValueProblem(f"{shown(name or 'the network', 60)} is {describe(value)}, not a network")
        state = value.state or {}
        if missing := MODULE_STATE - state.keys():
            raise ValueProblem(f"module {shown(name, 60) or 'root'} lacks {min(missing)}, which all of torch have")
        if isinstance(value, Persistent):
            return shown(value.class_name, 80), value.source, state
        if not is_plain_module(value.kind):
            self.unknown.append(UnknownGlobal(value.kind))
        return value.kind.path, "", state

    def _members(self, state: dict[object, object], kind: str, name: str) -> dict[str, object]:
        """The entries of a module's ``_parameters``, ``_buffers`` or ``_modules``, by name."""
        held = state[kind]
        if not isinstance(held, dict):
            raise ValueProblem(f"module {shown(name, 60) or 'root'} has a malformed {kind}")
        self.values.count(len(held))
        for key in held:
            if not isinstance(key, str) or not key or "." in key:
                raise ValueProblem(f"module {shown(name, 60) or 'root'} has a malformed name in {kind}")
        return held

    def _tensor(self, name: str, item: object) -> None:
        if len(self.tensors) + len(self.nones) >= MAX_TENSORS:
            raise ValueProblem(f"the network has more than {MAX_TENSORS} tensors")
        if item is None:
            self.nones.append(name)
            return
        try:
            tensor = self.values.tensor(item)
        except ValueProblem as error:
            raise ValueProblem(f"tensor {shown(name, 80)}: {error}") from None
        if tensor is None:
            if isinstance(item, Object):
                self.unknown.append(UnknownGlobal(item.kind))
                return
            raise ValueProblem(f"tensor {shown(name, 80)} is {describe(item)}")
        if name in self.tensors:
            raise ValueProblem(f"tensor {shown(name, 80)} occurs twice")
        self.tensors[name] = tensor
