"""Conversion of inert records into tensors, NumPy values and plain containers.

Supported globals are listed by their full names; any other raises :class:`UnknownGlobal` when its value is needed.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, overload

from ..system.messages import quoted
from .pickle_machine import MAX_OPCODES, Budget, Call, Global, InertPickleError, PersistentId, is_plain_key
from .tensor_view import ELEMENT_TYPES, TensorError, TensorView, contiguous_strides
from .torch_file import Storage, TorchFileError, is_legacy, read_legacy, read_zip

if TYPE_CHECKING:
    from .pickle_machine import Pairs

MAX_DEPTH = 64
MAX_VALUES = 1_000_000  # values visited in one read; shared parts count each time
MAX_SHARING = 16  # values visited for each instruction of the file
FEW_VALUES = 10_000  # allowed in addition
MAX_LETTERS = 1 << 24  # of all texts and byte strings among the values, without tensors and sources
MAX_ODD_KEYS = 4_096
_DICTS = {
    ("collections", "OrderedDict"),
    ("dnnlib.util", "EasyDict"),
    ("dnnlib", "EasyDict"),
    ("torch_utils.misc", "EasyDict"),
    ("builtins", "dict"),
    ("__builtin__", "dict"),
}
_SETS = {(home, kind) for home in ("builtins", "__builtin__") for kind in ("set", "frozenset")}
_LISTS = {(home, "list") for home in ("builtins", "__builtin__")} | {("torch", "Size")}
_NUMPY_CORE = ("numpy.core.multiarray", "numpy._core.multiarray")
_NUMPY_NUMERIC = ("numpy.core.numeric", "numpy._core.numeric")
_NUMPY_NUMBERS = {name.replace("bool", "bool_") for name in ELEMENT_TYPES} | {"bool"}
_NUMPY_CODES = {code[1:]: name for name, (_, code) in ELEMENT_TYPES.items() if code}
_TENSOR_CALLS = {
    "_rebuild_tensor": 4,
    "_rebuild_tensor_v2": 6,
    "_rebuild_tensor_v3": 7,
}
_NEW_CALLS = {(home, name) for home in ("copyreg", "copy_reg") for name in ("_reconstructor", "__newobj__")}
_PARAMETER_CALLS = ("_rebuild_parameter", "_rebuild_parameter_with_state")
_UNPACK = {"float16": "<e", "float32": "<f", "float64": "<d", "bool": "<?"}


class ValueProblem(Exception):
    """A known global is used in an invalid way."""


class UnknownGlobal(ValueProblem):
    """A value that is needed depends on an unknown global."""

    def __init__(self, what: object) -> None:
        self.what = what
        self.path = what.path if isinstance(what, Global) else f"something made by the file ({type(what).__name__})"
        super().__init__(f"needs {self.path}, which is not known to be harmless and is not run")


def _is_easy_dict(key: tuple[str, str]) -> bool:
    """Whether a name is ``EasyDict``, also in a fork's ``dnnlib`` (``src.dnnlib.util``)."""
    return key[1] == "EasyDict" and "dnnlib" in key[0].split(".")


def _key(call: object) -> tuple[str, str] | None:
    """Module and name of a global, or of the global that a call calls; None for anything else."""
    func = call.func if isinstance(call, Call) else call
    return (func.module, func.name) if isinstance(func, Global) else None


_KNOWN_HOMES = (
    "torch_utils.persistence", "dnnlib", "dnnlib.util", "collections", "torch", "torch._utils",
    "torch.storage", "torch._tensor", "torch.nn.parameter", "numpy", "numpy.core.multiarray",
    "numpy._core.multiarray", "numpy.core.numeric", "numpy._core.numeric", "builtins", "__builtin__",
    "_codecs", "copyreg", "copy_reg", "tfutil", "dnnlib.tflib.network",
)  # fmt: skip


def is_known(name: Global) -> bool:
    """Whether a global is known to be harmless (only for the list that ``info`` shows)."""
    if name.module in ("builtins", "__builtin__"):
        return name.name in ("set", "frozenset", "dict", "list", "bytes", "object")
    return name.module in _KNOWN_HOMES or (name.module, name.name) == ("argparse", "Namespace")


@overload
def unwrap_new(value: Call) -> Call: ...
@overload
def unwrap_new(value: object) -> object: ...
def unwrap_new(value: object) -> object:
    """Replace a call of ``copyreg`` (protocols 0 and 1) by the call of the class itself."""
    if not isinstance(value, Call):
        return value
    key = _key(value)
    if key is None or key not in _NEW_CALLS:
        return value
    if not value.args or not isinstance(value.args[0], Global):
        raise ValueProblem("makes an object of no class")
    # In copyreg._reconstructor(class, base, value), value holds the contents of an EasyDict.
    reconstructed = key[1] == "_reconstructor"
    held = value.args[2] if reconstructed and len(value.args) == 3 else None
    plain = Call(value.args[0], () if reconstructed else value.args[1:])
    plain.state, plain.items, plain.pairs = value.state, value.items, value.pairs
    if isinstance(held, dict):
        plain.pairs = [*held.items(), *value.pairs]
    return plain


class Values:
    """Turns inert records of one file into plain values and tensor views.

    Args:
        storages: the file's storages by ``id`` of their reference, where the whole file is of
            ``torch.save``; NVIDIA's pickles carry their storages inside.
        budget: the file's remaining limits; storages inside of it are pickles, too.
    """

    def __init__(self, storages: Mapping[int, Storage] | None = None, budget: Budget | None = None) -> None:
        self._storages = dict(storages or {})
        self._budget = budget or Budget()
        self._visited = self._letters = self._odd_keys = 0
        self._most = min(MAX_VALUES, FEW_VALUES + MAX_SHARING * (MAX_OPCODES - self._budget.opcodes))
        # Shared parts are converted once; by ``id`` of the part, which is stored too so that the id stays valid.
        self._encoded: dict[int, tuple[str, bytes]] = {}
        self._nested: dict[int, tuple[object, Storage]] = {}

    # --- tensors ----------------------------------------------------------------------------------

    def tensor(self, value: object) -> TensorView | None:
        """Give the tensor that ``value`` describes, or None if it is not a tensor.

        Raises:
            ValueProblem: the tensor is inconsistent, or its parts need unknown globals.
        """
        call = value
        for _ in range(5):  # parameter -> from_type -> tensor
            if not isinstance(call, Call):
                return None
            key = _key(call)
            if key is None:
                return None
            if key[0] == "torch._utils" and key[1] in _TENSOR_CALLS:
                return self._rebuild(key[1], call.args)
            if key[0] == "torch._utils" and key[1] in _PARAMETER_CALLS and call.args:
                call = call.args[0]
            elif key == ("torch._tensor", "_rebuild_from_type_v2") and len(call.args) == 4:
                call = Call(call.args[0], call.args[2] if isinstance(call.args[2], tuple) else ())
            elif key in (("torch.nn.parameter", "Parameter"), ("torch", "Tensor")) and call.args:
                call = call.args[0]
            else:
                return None
        return None

    def _rebuild(self, name: str, args: tuple[Any, ...]) -> TensorView:
        """The tensor of a call of torch; :class:`TensorView` checks the offset, shape and strides among ``args``."""
        if len(args) < min(4, _TENSOR_CALLS[name]):
            raise ValueProblem("a tensor is made of too few parts")
        storage = self.storage(args[0])
        dtype = storage.dtype
        if name == "_rebuild_tensor_v3":
            kind = args[6] if len(args) > 6 else None
            if not isinstance(kind, Global) or kind.module != "torch" or kind.name not in ELEMENT_TYPES:
                raise ValueProblem("a tensor of an unknown element type")
            dtype = kind.name
        try:
            return TensorView(dtype, args[2], args[3], args[1], storage.data)
        except TensorError as error:
            raise ValueProblem(f"a tensor that cannot be read: {error}") from None

    def storage(self, value: object) -> Storage:
        """Give the storage that ``value`` describes: a reference, or a ``torch.save`` file inside the pickle."""
        if isinstance(value, PersistentId):
            held = self._storages.get(id(value))
            if held is None:
                raise ValueProblem("a tensor whose data is outside the file")
            return _checked(held)
        if not isinstance(value, Call):
            raise ValueProblem("a tensor without a storage")
        held = self._storages.get(id(value))
        if held is None:
            if _key(value) != ("torch.storage", "_load_from_bytes") or len(value.args) != 1:
                raise UnknownGlobal(value.func)
            held = self._storages[id(value)] = self._in_pickle(self.binary(value.args[0]))
        return held

    def _in_pickle(self, data: bytes | memoryview) -> Storage:
        """The storage in a ``torch.save`` file inside a pickle."""
        if id(data) not in self._nested:
            self._nested[id(data)] = (data, _nested_storage(data, self._budget))
        return self._nested[id(data)][1]

    def binary(self, value: object) -> bytes | memoryview:
        """Give a byte string, also one that protocols 0-2 store as encoded text."""
        if isinstance(value, (bytes, memoryview)):
            return value
        if isinstance(value, Call) and _key(value) == ("_codecs", "encode") and len(value.args) == 2:
            text, code = value.args
            if isinstance(text, str) and code in ("latin1", "latin-1"):
                return self._latin(text)
        empty = isinstance(value, Call) and not value.args
        if empty and _key(value) in (("builtins", "bytes"), ("__builtin__", "bytes")):
            return b""
        if isinstance(value, str):  # a byte string of Python 2
            return self._latin(value)
        raise ValueProblem("bytes were expected, something else is there")

    def _latin(self, text: str) -> bytes:
        if id(text) not in self._encoded:
            try:
                self._encoded[id(text)] = (text, text.encode("latin-1"))
            except UnicodeEncodeError:
                raise ValueProblem("a byte string with characters beyond 255") from None
        return self._encoded[id(text)][1]

    # --- plain values -----------------------------------------------------------------------------

    def plain(self, value: object, depth: int = 0) -> object:
        """Turn a value into Python's own scalars and containers, tensors into :class:`TensorView`.

        Raises:
            UnknownGlobal: it needs an unknown global.
            ValueProblem: it is nested too deeply, too large, or invalid.
        """
        self._visited += 1
        if depth > MAX_DEPTH:
            raise ValueProblem(f"values nested deeper than {MAX_DEPTH}")
        if self._visited > self._most:
            raise ValueProblem(f"more than {self._most} values")
        if value is None or isinstance(value, (bool, float)):
            return value
        if isinstance(value, int):
            if not -(1 << 63) <= value < 1 << 64:
                raise ValueProblem(f"a whole number of {value.bit_length()} bits")
            return value
        if isinstance(value, (str, bytes, memoryview)):
            return self._counted(value)
        if isinstance(value, (list, tuple)):
            return type(value)(self.plain(item, depth + 1) for item in value)
        if isinstance(value, (set, frozenset)):
            return [self.plain(item, depth + 1) for item in value]
        if isinstance(value, dict):
            return self._dict(value.items(), depth)
        if isinstance(value, Global):
            return self._name(value)
        if isinstance(value, Call):
            return self._call(unwrap_new(value), depth)
        raise ValueProblem(f"a {type(value).__name__} where a value was expected")

    def _counted(self, value: str | bytes | memoryview) -> str | bytes:
        self._letters += len(value)
        if self._letters > MAX_LETTERS:
            raise ValueProblem(f"more than {MAX_LETTERS} letters and bytes of text")
        return value if isinstance(value, str) else bytes(value)

    def _dict(self, pairs: Iterable[tuple[object, object]], depth: int) -> dict[object, object]:
        result: dict[object, object] = {}
        for key, value in pairs:
            name = self.plain(key, depth + 1)
            if not is_plain_key(name):
                self._odd_keys += 1
                if not isinstance(name, (int, float, tuple)) or self._odd_keys > MAX_ODD_KEYS:
                    raise ValueProblem(f"a key of type {type(name).__name__}, or very many of them")
            result[name] = self.plain(value, depth + 1)
        return result

    def _name(self, value: Global) -> str:
        """The name of an element type that is used as a value."""
        if value.module == "torch" and (value.name in ELEMENT_TYPES or value.name in ("float", "half", "long")):
            return f"torch.{value.name}"
        if value.module == "numpy" and value.name in _NUMPY_NUMBERS:
            return f"numpy.{value.name}"
        raise UnknownGlobal(value)

    def _call(self, call: Call, depth: int) -> object:
        key = _key(call)
        if key is None:
            raise UnknownGlobal(call.func)
        tensor = self.tensor(call)
        if tensor is not None:
            return tensor
        if key in _DICTS or _is_easy_dict(key):
            return self._filled_dict(call, depth)
        if key in _SETS or key in _LISTS:
            items = list(call.args[0]) if call.args and isinstance(call.args[0], (list, tuple, set)) else []
            return [self.plain(item, depth + 1) for item in items + call.items]
        if key == ("torch", "device"):
            parts = [self.plain(part, depth + 1) for part in call.args]
            if not all(isinstance(part, (str, int)) for part in parts):
                raise ValueProblem("a device that is no name and number")
            return ":".join(map(str, parts))
        if key == ("_codecs", "encode"):
            return self._counted(self.binary(call))
        if key[0] in _NUMPY_CORE and key[1] == "scalar":
            return self._scalar(call)
        if key[0] in _NUMPY_CORE and key[1] == "_reconstruct":
            return self._array(call)
        if key[0] in _NUMPY_NUMERIC and key[1] == "_frombuffer" and len(call.args) == 4:
            raw, kind, shape, order = call.args
            return self._view(kind, shape, order == "F", raw)
        if key == ("numpy", "dtype"):
            return f"numpy.{self._element(call)}"
        raise UnknownGlobal(call.func)

    def _filled_dict(self, call: Call, depth: int) -> dict[object, object]:
        pairs: Pairs = []
        for arg in call.args:
            if isinstance(arg, dict):
                pairs.extend(arg.items())
            elif isinstance(arg, list) and all(isinstance(p, (list, tuple)) and len(p) == 2 for p in arg):
                pairs.extend(arg)
            else:
                raise ValueProblem("a dict made of something that is not pairs")
        return self._dict(pairs + call.pairs, depth)

    # --- NumPy ------------------------------------------------------------------------------------

    def _element(self, kind: object) -> str:
        """Element type of a pickled ``numpy.dtype``, a key of ``ELEMENT_TYPES``."""
        if not (isinstance(kind, Call) and _key(kind) == ("numpy", "dtype") and kind.args):
            raise ValueProblem("an array without an element type")
        code = kind.args[0]
        if isinstance(code, Global) and code.module == "numpy":
            name = "bool" if code.name == "bool_" else code.name
        else:
            name = _NUMPY_CODES.get(code.lstrip("<|=") if isinstance(code, str) else "", "")
        if isinstance(kind.state, tuple) and len(kind.state) > 1 and kind.state[1] == ">":
            raise ValueProblem("an array of big-endian numbers")
        if name not in ELEMENT_TYPES:
            what = code.path if isinstance(code, Global) else quoted(code)
            raise ValueProblem(f"an array of {what}, only numbers are read")
        return name

    def _scalar(self, call: Call) -> float:
        if len(call.args) != 2:
            raise ValueProblem("a NumPy scalar without a value")
        name, raw = self._element(call.args[0]), self.binary(call.args[1])
        if len(raw) != ELEMENT_TYPES[name][0]:
            raise ValueProblem(f"a NumPy {name} of {len(raw)} bytes")
        if name in _UNPACK:
            number: float = struct.unpack(_UNPACK[name], raw)[0]
            return number
        if name.startswith("complex"):
            raise ValueProblem("a complex number where a real one was expected")
        return int.from_bytes(raw, "little", signed=name.startswith("int"))

    def _array(self, call: Call) -> TensorView:
        if not isinstance(call.state, tuple) or len(call.state) != 5:
            raise ValueProblem("an array without contents")
        _, shape, kind, fortran, raw = call.state
        return self._view(kind, shape, bool(fortran), raw)

    def _view(self, kind: object, shape: object, fortran: bool, raw: object) -> TensorView:
        name, data = self._element(kind), self.binary(raw)
        if isinstance(shape, int):
            shape = (shape,)
        try:
            if not isinstance(shape, (tuple, list)) or not all(type(n) is int and n >= 0 for n in shape):
                raise ValueProblem("an array with a malformed shape")
            strides = contiguous_strides(shape[::-1])[::-1] if fortran else contiguous_strides(shape)
            return TensorView(name, tuple(shape), strides, 0, data)
        except TensorError as error:
            raise ValueProblem(f"an array that cannot be read: {error}") from None


def _checked(storage: Storage) -> Storage:
    if storage.checksum is not None:
        try:
            storage.checksum.check()
        except TorchFileError as error:
            raise ValueProblem(f"its file {error}") from None
    return storage


def _nested_storage(data: bytes | memoryview, budget: Budget) -> Storage:
    try:
        file = read_legacy(data, budget) if is_legacy(data) else read_zip(data, budget)
    except (TorchFileError, InertPickleError) as error:
        raise ValueProblem(f"a tensor whose data {error}") from None
    if not isinstance(file.value, PersistentId):
        raise ValueProblem("a tensor whose data is something else than a storage")
    return _checked(file.storages[id(file.value)])
