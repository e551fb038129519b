"""What the writers of network files write: which names, called with which arguments, with which states.

The writers are NVIDIA's toolkits (PyTorch and TensorFlow) and their forks, ``torch.save`` and NumPy; beside networks,
checkpoints hold a few harmless records (``argparse.Namespace``, paths, dates). Each name that may be called has one
entry here, which makes an inert value of it; nothing is imported or called. An object of another class, as
``object.__reduce_ex__`` writes it, is a record that stays unused.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from .pickle_machine import MAX_KEY_PARTS, Budget, Global, Machine, OtherForm, ValueProblem
from .tensor_view import ELEMENT_TYPES, TensorError, TensorView, contiguous_strides

if TYPE_CHECKING:
    from .tensor_view import Bytes


class UnknownGlobal(OtherForm, ValueProblem):
    """Something that is needed depends on an unknown name."""

    def __init__(self, what: object, where: str = "") -> None:
        self.path = what.path if isinstance(what, Global) else f"something made by the file ({type(what).__name__})"
        place = f" ({where})" if where else ""
        super().__init__(f"needs {self.path}, which is not known to be harmless and is not run{place}")


class _Misfit(Exception):
    """Arguments or a state that a name's writer does not write; the message says which."""


class Keyed(dict[object, object]):
    """An ``OrderedDict`` or an ``EasyDict``; ``open`` while it is being filled."""

    __slots__ = ("kind", "open")

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.open = True


class Object:
    """An object of the class ``kind``, and the state that it was given (None without one)."""

    __slots__ = ("kind", "state")

    def __init__(self, kind: Global, state: dict[object, object] | None = None) -> None:
        self.kind = kind
        self.state = state


class Persistent(Object):
    """An object that is pickled with the source of its class (``torch_utils.persistence``)."""

    __slots__ = ("class_name", "source")

    def __init__(self, kind: Global, class_name: str, source: str, state: dict[object, object]) -> None:
        super().__init__(kind, state)
        self.class_name, self.source = class_name, source


class Storage:
    """The numbers that tensors view, filled in once they are found in the file.

    Attributes:
        dtype: of its elements (``uint8`` where the storage has no type).
        data: its bytes.
        check: raises where they are not those that were saved.
        blob: the file of ``torch.save`` that it lies in, inside of a pickle.
    """

    __slots__ = ("blob", "check", "data", "dtype", "where")

    def __init__(self, dtype: str, data: Bytes = b"", check: Callable[[], None] | None = None) -> None:
        self.dtype, self.data, self.check = dtype, data, check
        self.blob: bytes | memoryview = b""
        self.where = ""


class Tensor(NamedTuple):
    """A tensor of torch; ``dtype`` is '' for that of its storage."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    dtype: str = ""


class Dtype:
    """An element type of NumPy, a key of ``ELEMENT_TYPES``; complete once it has its state."""

    __slots__ = ("name", "whole")

    def __init__(self, name: str) -> None:
        self.name, self.whole = name, False


class Array:
    """An array of NumPy; its ``view`` comes with its state."""

    __slots__ = ("view",)

    def __init__(self, view: TensorView | None = None) -> None:
        self.view = view


class Source(NamedTuple):
    """A source text that the file's toolkit would run: of the class or function ``owner``, at ``where``."""

    text: str
    owner: str
    where: str


_BUILTINS, _COPYREG = ("builtins", "__builtin__"), ("copyreg", "copy_reg")
_CORES = ("numpy.core.multiarray", "numpy._core.multiarray")
_NUMERICS = ("numpy.core.numeric", "numpy._core.numeric")
_CODES = {code[1:]: name for name, (_, code) in ELEMENT_TYPES.items() if code}
_UNPACK = {"float16": "<e", "float32": "<f", "float64": "<d", "bool": "<?"}
# What every version of torch gives a module; what it looks up beside, it sets where it is missing.
MODULE_STATE = {"training", "_parameters", "_buffers", "_modules", "_forward_hooks", "_backward_hooks"}
_META = ["type", "version", "module_src", "class_name", "state"]
_TF_NETWORKS = {("tfutil", "Network"), ("dnnlib.tflib.network", "Network")}
_TF_STATE = {"version", "name", "static_kwargs", "build_module_src", "build_func_name", "variables"}
_TF_STATES = {2: _TF_STATE, 3: {*_TF_STATE, "components"}, 4: {*_TF_STATE, "components"}}
_TF_STATES[5] = {*_TF_STATES[4], "input_shapes", "output_shapes", "input_names", "output_names"}
_PATHS = {f"{pure}{kind}Path" for pure in ("", "Pure") for kind in ("Posix", "Windows")}


def is_network_of_tensorflow(kind: Global) -> bool:
    """Whether a name is the class of the TensorFlow toolkits' networks."""
    return (kind.module, kind.name) in _TF_NETWORKS


def is_plain_module(kind: Global) -> bool:
    """Whether a name is a class of ``torch.nn``."""
    return kind.module.startswith("torch.nn.modules.") and kind.name.isidentifier()


def is_known(kind: Global) -> bool:
    """Whether a name is one that writers of network files write."""
    return (
        (kind.module, kind.name) in _CALLS
        or (kind.module, kind.name) in _NAMES
        or _of_a_toolkit(kind) is not None
        or is_plain_module(kind)
        or (kind.module == "torch" and (kind.name in ELEMENT_TYPES or kind.name.endswith("Storage")))
        or (kind.module == "numpy" and kind.name.rstrip("_") in ELEMENT_TYPES)
    )


def _of_a_toolkit(kind: Global) -> str | None:
    """The bare name of a toolkit's name, also inside of a fork's package (``src.torch_utils.persistence``)."""
    for home, name in _TOOLKIT:
        if kind.name == name and (kind.module == home or kind.module.endswith(f".{home}")):
            parts = kind.module.split(".")
            own = kind.module == home or parts[0] not in (*getattr(sys, "stdlib_module_names", ()), "torch", "numpy")
            return name if own and all(part.isidentifier() for part in parts) and "__main__" not in parts else None
    return None


_TOOLKIT = (
    ("torch_utils.persistence", "_reconstruct_persistent_obj"),
    ("dnnlib.util", "EasyDict"),
    ("dnnlib", "EasyDict"),
    ("torch_utils.misc", "EasyDict"),
)


class Reader(Machine):
    """Reads one pickle of such a file.

    Attributes:
        blobs: storages that lie in files of ``torch.save`` inside of the pickle, still to be read.
        strangers: objects of unknown classes.
        tensors: every tensor.
        sources: source texts that the file's toolkit would run.
    """

    def __init__(
        self,
        data: memoryview,
        pos: int,
        budget: Budget,
        resolve: Callable[[object], Storage | Global] | None = None,
        prefix: str = "",
    ) -> None:
        super().__init__(data, pos, budget, prefix)
        self.resolve = resolve
        self.globals: dict[tuple[str, str], Global] = {}
        self.blobs: list[Storage] = []
        self.strangers: list[Object] = []
        self.tensors: list[Tensor] = []
        self.sources: list[Source] = []
        self.unfinished: list[Dtype | Array | Object] = []

    def run(self) -> object:
        """Read the pickle."""
        value = super().run()
        for held in self.unfinished:
            whole = held.state if isinstance(held, Object) else held.view if isinstance(held, Array) else held.whole
            if not whole:
                self.odd(f"makes a {type(held).__name__.lower()} without its state, in the pickle that ends")
        return value

    # --- names ------------------------------------------------------------------------------------

    def name(self, module: str, name: str) -> Global:
        """The record of a global."""
        key = (module, name)
        if key not in self.globals:
            self.globals[key] = Global(module, name, self.here)
        return self.globals[key]

    def called(self, func: object, args: tuple[object, ...]) -> object:
        """The value of a call."""
        if not isinstance(func, Global):
            self.odd("calls what the file itself has made")
            return None
        self.check_new(args, *args)
        make = _CALLS.get((func.module, func.name))
        if _of_a_toolkit(func) == "_reconstruct_persistent_obj":
            make = _persistent
        if make is None:
            if self.budget.findings is None:
                raise UnknownGlobal(func, self.where)
            self.odd(f"calls {func.path}")
            return None
        try:
            return make(self, func, args)
        except _Misfit as error:
            self.odd(f"calls {func.path} with {error}")
        return None

    def made(self, kind: object, args: tuple[object, ...]) -> object:
        """An object."""
        if not isinstance(kind, Global) or args:
            self.odd(f"makes an object of {kind.path if isinstance(kind, Global) else 'no class'} from arguments")
            return None
        return self.new_object(kind)

    def new_object(self, kind: Global, contents: dict[object, object] | None = None) -> object:
        """An object of a class, without a state; an ``EasyDict`` with contents, or to be filled."""
        if _of_a_toolkit(kind) == "EasyDict":
            held = Keyed("EasyDict")
            if contents is not None:
                held.update(contents)
                held.open = False
            return held
        made = Object(kind)
        if is_network_of_tensorflow(kind) or is_plain_module(kind):
            self.unfinished.append(made)
        elif is_known(kind) and (kind.module, kind.name) != ("argparse", "Namespace"):
            self.odd(f"makes an object of {kind.path}")
        elif not is_known(kind):
            self.strangers.append(made)
        return made

    def reference(self, pid: object) -> object:
        """The storage that a persistent id names."""
        if self.resolve is None:
            raise OtherForm(f"refers to data outside the file (a persistent id) at {self.where}")
        return self.resolve(pid)

    # --- states -----------------------------------------------------------------------------------

    def built(self, target: object, state: object) -> None:
        """Set the state of an object."""
        if id(target) in self.used:
            raise OtherForm(f"sets a state after something referred to the object at {self.where}")
        self.check_new(state)
        try:
            if isinstance(target, Object) and type(target) is Object and target.state is None:
                self._object_state(target, state)
            elif isinstance(target, Keyed) and target.open:
                # torch gives an OrderedDict of tensors the versions of its modules; Python 2 an EasyDict nothing.
                wanted = ["_metadata"] if target.kind == "OrderedDict" else []
                if type(state) is not dict or list(state) != wanted:
                    raise _Misfit(f"a state that no {target.kind} has")
                target.open = False
            elif isinstance(target, Dtype) and not target.whole:
                order = _one("|" if ELEMENT_TYPES[target.name][0] == 1 else "<")
                _fitting(state, _one(3), order, *[_one(None)] * 3, _one(-1), _one(-1), _one(0))
                target.whole = True
            elif isinstance(target, Array) and target.view is None:
                version, shape, kind, fortran, raw = _fitting(state, _one(1), tuple, Dtype, bool, object)
                target.view = _viewed(self, kind, shape, fortran, raw)
            else:
                raise _Misfit("a state, which it has none of")
        except _Misfit as error:
            self.odd(f"gives {_described(target)} {error}")

    def _object_state(self, target: Object, state: object) -> None:
        kind = target.kind
        if type(state) is not dict or not all(isinstance(key, str) for key in state):
            raise _Misfit("a state that is no dict of attributes")
        if is_plain_module(kind) and not state.keys() >= MODULE_STATE:
            raise _Misfit("a state that no module has")
        if is_network_of_tensorflow(kind):
            version = state.get("version")
            if type(version) is int and state.keys() != _TF_STATES.get(version, state.keys()):
                raise _Misfit(f"other attributes than those of version {version}")
            text, owner = state.get("build_module_src"), state.get("build_func_name")
            if isinstance(text, str) and isinstance(owner, str):
                self.sources.append(Source(text, owner, self.where))
        target.state = state

    def check_new(self, *values: object) -> None:
        """Check that long containers were written where they are used, as picklers write them: so each is read once.

        Raises:
            OtherForm: one was recalled.
        """
        for value in values:
            if isinstance(value, (tuple, list, dict)) and id(value) in self.used and len(value) > MAX_KEY_PARTS:
                raise OtherForm(f"makes two things of one {type(value).__name__} at {self.where}")

    def fresh(self, value: str | bytes | memoryview) -> None:
        """Check that a text or bytes were written where they are used, as picklers write them: so each is read once.

        Raises:
            _Misfit: they were recalled.
        """
        if id(value) in self.used and len(value) > 1:
            raise _Misfit("bytes that are used twice")

    def binary(self, value: object) -> bytes | memoryview:
        """A byte string; in Python 2 those are texts.

        Raises:
            _Misfit: it is none.
        """
        if isinstance(value, (bytes, memoryview)):
            return value
        if isinstance(value, str):
            self.fresh(value)
            return _latin(value)
        raise _Misfit("something else than bytes")


def _described(target: object) -> str:
    if isinstance(target, Object):
        return f"an object of {target.kind.path}"
    return target.path if isinstance(target, Global) else f"a {type(target).__name__.lower()}"


def _latin(text: str) -> bytes:
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        raise _Misfit("a byte string with characters beyond 255") from None


def _one(*values: object) -> Callable[[object], bool]:
    """Whether something is one of these values, of the same type."""
    return lambda given: any(given == value and type(given) is type(value) for value in values)


def _fitting(given: object, *kinds: Any) -> Any:
    """``given`` as a tuple whose parts are of these types, or pass these tests.

    Raises:
        _Misfit: it is something else.
    """
    if type(given) is not tuple or len(given) != len(kinds):
        raise _Misfit(f"{len(given) if isinstance(given, tuple) else 'no'} parts, {len(kinds)} were expected")
    for place, (part, kind) in enumerate(zip(given, kinds)):
        good = kind is object or (type(part) is kind if isinstance(kind, type) else kind(part))
        if not good:
            raise _Misfit(
                f"{part!r} as part {place + 1}"
                if type(part) in (int, str, bool) and len(repr(part)) < 40
                else f"a {type(part).__name__} as part {place + 1}"
            )
    return given


# --- calls ----------------------------------------------------------------------------------------


def _ints(value: object) -> bool:
    return type(value) is tuple and all(type(n) is int for n in value)


def _word(value: object) -> bool:
    return isinstance(value, str) and len(value) <= MAX_KEY_PARTS and value.isalnum()


def _hooks(value: object) -> bool:
    return isinstance(value, Keyed) and value.kind == "OrderedDict" and not value


def _ordered(reader: Reader, func: Global, args: tuple[object, ...]) -> Keyed:
    made = Keyed("OrderedDict")
    if args:  # Python 2 gives the pairs as an argument
        (pairs,) = _fitting(args, list)
        for pair in pairs:
            if type(pair) not in (list, tuple) or len(pair) != 2:
                raise _Misfit("something else than pairs")
        reader.fill(made, [pair[0] for pair in pairs], [pair[1] for pair in pairs])
    return made


def _persistent(reader: Reader, func: Global, args: tuple[object, ...]) -> Persistent:
    (meta,) = _fitting(args, dict)
    if list(meta) != _META:
        raise _Misfit("another dict than a persistent object's")
    kind, _, source, name, state = _fitting(tuple(meta.values()), _one("class"), int, str, str, dict)
    reader.check_new(state)
    reader.sources.append(Source(source, name, reader.where))
    return Persistent(func, name, source, state)


def _tensor(reader: Reader, func: Global, args: tuple[object, ...]) -> Tensor:
    view = (Storage, int, _ints, _ints)
    dtype = ""
    if func.name == "_rebuild_tensor":
        parts = _fitting(args, *view)
    elif func.name == "_rebuild_tensor_v2":
        parts = _fitting(args, *view, bool, _hooks)
    else:
        parts = _fitting(args, *view, bool, _hooks, Global)
        if parts[6].module != "torch" or parts[6].name not in ELEMENT_TYPES:
            raise _Misfit("an unknown element type")
        dtype = parts[6].name
    if len(parts[2]) != len(parts[3]) or min((parts[1], *parts[2], *parts[3])) < 0:
        raise _Misfit("a shape that does not go with its strides")
    made = Tensor(parts[0], parts[1], parts[2], parts[3], dtype)
    reader.tensors.append(made)
    return made


def _parameter(reader: Reader, func: Global, args: tuple[object, ...]) -> Tensor:
    made: Tensor = _fitting(args, Tensor, bool, _hooks)[0]
    return made


def _from_bytes(reader: Reader, func: Global, args: tuple[object, ...]) -> Storage:
    (given,) = _fitting(args, object)
    held = Storage("")
    held.blob, held.where = reader.binary(given), reader.where
    reader.fresh(held.blob)
    reader.blobs.append(held)
    return held


def _encode(reader: Reader, func: Global, args: tuple[object, ...]) -> bytes:
    text, _ = _fitting(args, str, _one("latin1"))
    reader.fresh(text)
    return _latin(text)


def _empty_bytes(reader: Reader, func: Global, args: tuple[object, ...]) -> bytes:
    _fitting(args)
    return b""


def _set(reader: Reader, func: Global, args: tuple[object, ...]) -> frozenset[object]:
    (items,) = _fitting(args, list)
    reader.new_set()
    return frozenset(reader.distinct(items))


def _device(reader: Reader, func: Global, args: tuple[object, ...]) -> str:
    kinds = (_word, int)[: max(1, len(args))]
    return ":".join(map(str, _fitting(args, *kinds)))


def _size(reader: Reader, func: Global, args: tuple[object, ...]) -> tuple[int, ...]:
    (shape,) = _fitting(args, _ints)
    return tuple(shape)


def _dtype(reader: Reader, func: Global, args: tuple[object, ...]) -> Dtype:
    code, _, _ = _fitting(args, str, _one(False, 0), _one(True, 1))
    if code not in _CODES:
        raise _Misfit(f"{code!r:.20}: only numbers are read")
    made = Dtype(_CODES[code])
    reader.unfinished.append(made)
    return made


def _scalar(reader: Reader, func: Global, args: tuple[object, ...]) -> float:
    kind, raw = _fitting(args, Dtype, object)
    data = reader.binary(raw)
    if not kind.whole or len(data) != ELEMENT_TYPES[kind.name][0]:
        raise _Misfit(f"{len(data)} bytes for a {kind.name}")
    if kind.name in _UNPACK:
        number: float = struct.unpack(_UNPACK[kind.name], data)[0]
        return number
    if kind.name.startswith("complex"):
        raise _Misfit("a complex number")
    return int.from_bytes(data, "little", signed=kind.name.startswith("int"))


def _array(reader: Reader, func: Global, args: tuple[object, ...]) -> Array:
    kind, _, _ = _fitting(args, Global, _one((0,)), _one(b"b", "b"))
    if (kind.module, kind.name) != ("numpy", "ndarray"):
        raise _Misfit(f"the class {kind.path}")
    made = Array()
    reader.unfinished.append(made)
    return made


def _from_buffer(reader: Reader, func: Global, args: tuple[object, ...]) -> Array:
    raw, kind, shape, order = _fitting(args, object, Dtype, tuple, _one("C", "F"))
    return Array(_viewed(reader, kind, shape, order == "F", raw))


def _viewed(reader: Reader, kind: Dtype, shape: tuple[Any, ...], fortran: bool, raw: object) -> TensorView:
    """The numbers of an array, which must be as many bytes as it needs."""
    data = reader.binary(raw)
    if not kind.whole or not _ints(shape) or min(shape, default=0) < 0:
        raise _Misfit("a malformed shape or type")
    strides = contiguous_strides(shape[::-1])[::-1] if fortran else contiguous_strides(shape)
    try:
        view = TensorView(kind.name, shape, strides, 0, data)
    except TensorError as error:
        raise _Misfit(f"an array that cannot be read ({error})") from None
    if view.nbytes != len(data):
        raise _Misfit(f"{len(data)} bytes for an array of {view.nbytes}")
    return view


def _reconstructor(reader: Reader, func: Global, args: tuple[object, ...]) -> object:
    """An object in protocols 0 and 1."""
    kind, base, held = _fitting(args, Global, Global, object)
    if base.module in _BUILTINS and base.name == "object" and held is None:
        return reader.new_object(kind)
    if base.module in _BUILTINS and base.name == "dict" and type(held) is dict and _of_a_toolkit(kind) == "EasyDict":
        return reader.new_object(kind, held)
    raise _Misfit(f"the class {kind.path} on {base.path}")


def _beside(reader: Reader, func: Global, args: tuple[object, ...]) -> str:
    """A path or a date beside a network."""
    _fitting(args, *[bytes if func.module == "datetime" else str] * len(args))
    return func.name


_Make = Callable[["Reader", Global, tuple[object, ...]], object]
_CALLS: dict[tuple[str, str], _Make] = {
    ("collections", "OrderedDict"): _ordered,
    ("torch._utils", "_rebuild_tensor"): _tensor,
    ("torch._utils", "_rebuild_tensor_v2"): _tensor,
    ("torch._utils", "_rebuild_tensor_v3"): _tensor,
    ("torch._utils", "_rebuild_parameter"): _parameter,
    ("torch.storage", "_load_from_bytes"): _from_bytes,
    ("torch", "device"): _device,
    ("torch", "Size"): _size,
    ("_codecs", "encode"): _encode,
    ("numpy", "dtype"): _dtype,
    **{(core, "scalar"): _scalar for core in _CORES},
    **{(core, "_reconstruct"): _array for core in _CORES},
    **{(numeric, "_frombuffer"): _from_buffer for numeric in _NUMERICS},
    **{(home, "bytes"): _empty_bytes for home in _BUILTINS},
    **{(home, kind): _set for home in _BUILTINS for kind in ("set", "frozenset")},
    **{(home, "_reconstructor"): _reconstructor for home in _COPYREG},
    **{(home, kind): _beside for home in ("pathlib", "pathlib._local") for kind in _PATHS},
    **{("datetime", kind): _beside for kind in ("date", "datetime", "time")},
}
# Names that stand for themselves or for a class of objects, not for a call.
_NAMES = {
    *_TF_NETWORKS,
    ("argparse", "Namespace"),
    ("numpy", "ndarray"),
    ("torch.storage", "UntypedStorage"),
    *((home, kind) for home in _BUILTINS for kind in ("object", "dict")),
}


class Loaded(NamedTuple):
    """The result of :func:`load`.

    Attributes:
        value: the object, made of dicts, lists, tuples, sets, scalars and the records of this module.
        end: the position after the pickle, in bytes.
        globals: every global of the stream, each once.
        blobs, strangers, tensors, sources: as in :class:`Reader`.
    """

    value: object
    end: int
    globals: list[Global]
    blobs: list[Storage]
    strangers: list[Object]
    tensors: list[Tensor]
    sources: list[Source]


def load(
    data: Bytes,
    start: int = 0,
    budget: Budget | None = None,
    resolve: Callable[[object], Storage | Global] | None = None,
    prefix: str = "",
) -> Loaded:
    """Read one pickle without running any of it.

    Args:
        data: bytes with the stream. Byte strings over ``SMALL_BYTES`` in the result are memoryviews of it.
        start: where the pickle begins, in bytes.
        budget: the remaining limits, where a file has several pickles.
        resolve: gives the storage (or class) of a persistent id; None where none may occur.
        prefix: of places in messages.

    Raises:
        InertPickleError: the stream is not a pickle, exceeds a limit (``TruncatedPickle``: ends early), or is none that
            the writers of network files write (``OtherForm``).
    """
    reader = Reader(memoryview(data).cast("B"), start, budget or Budget(), resolve, prefix)
    value = reader.run()
    names = list(reader.globals.values())
    return Loaded(value, reader.pos, names, reader.blobs, reader.strangers, reader.tensors, reader.sources)
