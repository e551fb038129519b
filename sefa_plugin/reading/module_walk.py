"""Collect the modules and tensors of a pickled network by dotted name, in the order of the file."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sized
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from ..system.messages import shown
from .pickle_machine import Call, Global
from .pickle_values import UnknownGlobal, ValueProblem, Values, unwrap_new
from .tensor_view import TensorView

if TYPE_CHECKING:
    from typing import TypeGuard

    Arguments = Mapping[str, Any]  # plain values by name, whose types the hook checks

MAX_MODULES = 20_000
MAX_MODULE_DEPTH = 32
MAX_ENTRIES = 1_000_000  # of all modules' states; a module that occurs twice counts twice
MAX_TENSORS = 100_000
MAX_NAME = 1_000  # letters of a dotted name
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
    """SHA-256 of a source text, independent of white space and byte-order mark; '' where it has no code."""
    text = text.lstrip("\ufeff")
    lines = (line.split("#", 1)[0] if line.lstrip().startswith("#") else line for line in text.splitlines())
    if not "".join(lines).strip():
        return ""
    return hashlib.sha256(" ".join(text.split()).encode("utf-8", "surrogatepass")).hexdigest()


def is_persistent(value: object) -> TypeGuard[Call]:
    """Whether a value is pickled with its class's source (``torch_utils.persistence``, in forks elsewhere)."""
    return (
        isinstance(value, Call)
        and isinstance(value.func, Global)
        and value.func.module.split(".")[-1] == "persistence"
        and value.func.name == "_reconstruct_persistent_obj"
    )


def is_module(value: object) -> bool:
    """Whether a value is a torch module: a persistent object, or a plain one with parameters and modules."""
    return is_persistent(value) or (
        isinstance(value, Call)
        and isinstance(value.func, Global)
        and isinstance(value.state, dict)
        and {"_parameters", "_modules"} <= value.state.keys()
    )


def describe(value: object) -> str:
    """What an inert value is, in words for a message."""
    if isinstance(value, Call):
        return f"an object of {value.func.path}" if isinstance(value.func, Global) else "an object"
    return {"NoneType": "None"}.get(type(value).__name__, f"a {type(value).__name__}")


class NetworkWalk:
    """Collects modules and tensors of one network, in the order of the file."""

    def __init__(self, values: Values) -> None:
        self.values = values
        self.tensors: dict[str, TensorView] = {}
        self.nones: list[str] = []
        self.modules: dict[str, ModuleRecord] = {}
        self.sources: dict[str, str] = {}
        self.unknown: list[object] = []  # callables that the network needs and that are not known
        self._digests: dict[int, str] = {}
        self._entries = 0

    def module(self, value: object, name: str) -> None:
        """Collect a module and its submodules under a dotted name; '' is the root.

        Raises:
            ValueProblem: it is no module, is malformed, or is too large.
        """
        value = unwrap_new(value)
        class_name, source, state = self._open(value, name)
        if len(self.modules) >= MAX_MODULES or name.count(".") > MAX_MODULE_DEPTH:
            raise ValueProblem(f"the network has too many modules or too deep ones ({shown(name, 60)})")
        self._count(state)
        plain = {k: v for k, v in state.items() if k not in ("_parameters", "_buffers", "_modules")}
        attributes = {}
        for key, item in plain.items():
            if not isinstance(key, str):
                raise ValueProblem(f"module {shown(name, 60) or 'root'} has an attribute that is not named by text")
            if not key.endswith("_hooks") and not key.startswith("_forward_") and not key.startswith("_backward_"):
                try:
                    attributes[key] = self.values.plain(item)
                except UnknownGlobal as error:
                    self.unknown.append(error.what)
        self.modules[name] = ModuleRecord(class_name, attributes, self._digest(source))
        for kind in ("_parameters", "_buffers"):
            for key, item in self._members(state, kind, name):
                self._tensor(self._joined(name, key), item)
        for key, item in self._members(state, "_modules", name):
            if item is not None:
                self.module(item, self._joined(name, key))

    def _count(self, held: Sized) -> None:
        self._entries += len(held)
        if self._entries > MAX_ENTRIES:
            raise ValueProblem(f"the network's modules have more than {MAX_ENTRIES} entries")

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
        where = name or "the network"
        if is_persistent(value):
            meta = value.args[0] if len(value.args) == 1 else None
            if isinstance(meta, Call):
                meta = dict(meta.pairs)
            fields = meta if isinstance(meta, dict) and meta.get("type") == "class" else {}
            kind, source, state = fields.get("class_name"), fields.get("module_src"), fields.get("state")
            if type(kind) is not str or type(source) is not str or type(state) is not dict:
                raise ValueProblem(f"{shown(where, 60)} is a malformed persistent object")
            return shown(kind, 80), source, state
        if isinstance(value, Call) and isinstance(value.func, Global) and isinstance(value.state, dict):
            if not is_module(value):
                raise UnknownGlobal(value.func)
            if not value.func.module.startswith("torch.nn.modules."):
                self.unknown.append(value.func)
            return value.func.path, "", value.state
        raise ValueProblem(f"{shown(where, 60)} is {describe(value)}, not a network")

    def _members(self, state: dict[object, object], kind: str, name: str) -> list[tuple[str, object]]:
        """The entries of a module's ``_parameters``, ``_buffers`` or ``_modules``, by name."""
        held = state.get(kind, {})
        pairs: Collection[tuple[object, object]]
        if isinstance(held, dict):
            pairs = held.items()
        elif isinstance(held, Call):
            pairs = unwrap_new(held).pairs
        else:
            raise ValueProblem(f"module {shown(name, 60) or 'root'} has a malformed {kind}")
        self._count(pairs)
        result = list(pairs)
        if isinstance(held, Call):  # protocols 0 and 1 give an OrderedDict its pairs as an argument
            for arg in held.args:
                if isinstance(arg, list):
                    self._count(arg)
                    result.extend((p[0], p[1]) for p in arg if isinstance(p, (list, tuple)) and len(p) == 2)
        for key, _ in result:
            if not isinstance(key, str) or not key or "." in key:
                raise ValueProblem(f"module {shown(name, 60) or 'root'} has a malformed name in {kind}")
        return cast("list[tuple[str, object]]", result)

    def _tensor(self, name: str, item: object) -> None:
        if len(self.tensors) + len(self.nones) >= MAX_TENSORS:
            raise ValueProblem(f"the network has more than {MAX_TENSORS} tensors")
        if item is None:
            self.nones.append(name)
            return
        try:
            tensor = self.values.tensor(item)
        except UnknownGlobal as error:
            self.unknown.append(error.what)
            return
        except ValueProblem as error:
            raise ValueProblem(f"tensor {shown(name, 80)}: {error}") from None
        if tensor is None:
            if isinstance(item, Call) and isinstance(item.func, Global):
                self.unknown.append(item.func)
                return
            raise ValueProblem(f"tensor {shown(name, 80)} is {describe(item)}")
        if name in self.tensors:
            raise ValueProblem(f"tensor {shown(name, 80)} occurs twice")
        self.tensors[name] = tensor
