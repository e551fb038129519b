"""Writes pickles out of inert records, so that tests can make any file, honest or hostile, byte by byte.

Nothing here needs a toolkit: a network is `persistent("Generator", state)`, a tensor is `tensor(array)`.
"""

from __future__ import annotations

import io
import pickle
import warnings

import numpy as np
import torch


class Global:
    """A name of a module, which need not exist here."""

    def __init__(self, module: str, name: str) -> None:
        self.module, self.name = module, name


class Call:
    """What a name is called with, and what is then appended, set and given as a state.

    ``new``: whether it is a class, of which an object is made (NEWOBJ) as picklers do it.
    """

    def __init__(self, func: object, args: tuple, new: bool = False) -> None:
        self.func, self.args, self.new = func, args, new
        self.state: object = None
        self.items: list = []
        self.pairs: list = []


class PersistentId:
    """A reference to a storage outside of the pickle."""

    def __init__(self, pid: object) -> None:
        self.pid = pid


PERSISTENT = Global("torch_utils.persistence", "_reconstruct_persistent_obj")
ORDERED = Global("collections", "OrderedDict")
_CLASSES = ("Network", "EasyDict", "Namespace")


class Writer(pickle._Pickler):
    """Python's own writer, taught to write names and calls that do not exist here."""

    dispatch = dict(pickle._Pickler.dispatch)

    def save_name(self, obj: Global) -> None:
        if self.proto >= 4:
            self.save(obj.module)
            self.save(obj.name)
            self.write(pickle.STACK_GLOBAL)
        else:
            self.write(b"c" + f"{obj.module}\n{obj.name}\n".encode())
        self.memoize(obj)

    def save_call(self, obj: Call) -> None:
        if not obj.new:
            self._save_made(obj.func, obj.args, pickle.REDUCE)
            pairs = obj.pairs
        elif self.proto >= 2:
            self._save_made(obj.func, obj.args, pickle.NEWOBJ)
            pairs = obj.pairs
        else:
            base = "dict" if obj.func.name == "EasyDict" else "object"
            held = dict(obj.pairs) if base == "dict" else None
            args = (obj.func, Global("__builtin__", base), held)
            self._save_made(Global("copy_reg", "_reconstructor"), args, pickle.REDUCE)
            pairs = []
        self.memoize(obj)
        for item in obj.items:
            self.save(item)
            self.write(pickle.APPEND)
        for key, value in pairs:
            self.save(key)
            self.save(value)
            self.write(pickle.SETITEM)
        if obj.state is not None:
            self.save(obj.state)
            self.write(pickle.BUILD)

    def _save_made(self, func: object, args: tuple, code: bytes) -> None:
        self.save(func)
        self.save(args)
        self.write(code)

    def save_view(self, obj: memoryview) -> None:
        """Bytes of a pickle that was read."""
        self.save(bytes(obj))

    def save_reference(self, obj: PersistentId) -> None:
        self.save(obj.pid)
        self.write(pickle.BINPERSID)

    dispatch[Global] = save_name
    dispatch[Call] = save_call
    dispatch[PersistentId] = save_reference
    dispatch[memoryview] = save_view


class RawReader(pickle._Unpickler):
    """Python's own reader, which makes the records above of names and calls; nothing is imported."""

    dispatch = dict(pickle._Unpickler.dispatch)

    def find_class(self, module: str, name: str) -> Global:
        names = vars(self).setdefault("names", {})
        return names.setdefault((module, name), Global(module, name))

    def persistent_load(self, pid: object) -> PersistentId:
        return PersistentId(pid)

    def load_reduce(self) -> None:
        args = self.stack.pop()
        self.stack[-1] = Call(self.stack[-1], args)

    def load_newobj(self) -> None:
        args = self.stack.pop()
        self.stack[-1] = Call(self.stack[-1], args, new=True)

    def load_build(self) -> None:
        state = self.stack.pop()
        self.stack[-1].state = state

    def load_setitem(self) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self._set([(key, value)])

    def load_setitems(self) -> None:
        flat = self.pop_mark()
        self._set(list(zip(flat[::2], flat[1::2])))

    def _set(self, pairs: list) -> None:
        held = self.stack[-1]
        if isinstance(held, Call):
            held.pairs.extend(pairs)
        else:
            held.update(pairs)

    dispatch[pickle.REDUCE[0]] = load_reduce
    dispatch[pickle.NEWOBJ[0]] = load_newobj
    dispatch[pickle.BUILD[0]] = load_build
    dispatch[pickle.SETITEM[0]] = load_setitem
    dispatch[pickle.SETITEMS[0]] = load_setitems


def loads(data: bytes) -> object:
    """The records that a pickle is made of."""
    return RawReader(io.BytesIO(data), encoding="latin1").load()


def dumps(value: object, protocol: int = 4) -> bytes:
    """Pickle ``value``, which may hold inert records."""
    file = io.BytesIO()
    Writer(file, protocol).dump(value)
    return file.getvalue()


def call(path: str, *args: object, state: object = None, pairs: tuple = ()) -> Call:
    """A call of the function named ``module.name``."""
    module, _, name = path.rpartition(".")
    new = not args and (state is not None or name in _CLASSES)
    made = Call(Global(module, name), args, new)
    made.state, made.pairs = state, list(pairs)
    return made


def storage_bytes(array: np.ndarray) -> bytes:
    """What torch stores inside a pickle for one storage."""
    file = io.BytesIO()
    values = torch.from_numpy(np.array(array).reshape(-1)) if isinstance(array, np.ndarray) else array
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # typed storages are what these files hold
        storage = values.storage()
    torch.save(storage, file, _use_new_zipfile_serialization=False)
    return file.getvalue()


def tensor(array: np.ndarray, *, parameter: bool = False, shape=None, stride=None, offset=0) -> Call:
    """The pickled form of a tensor; shape, stride and offset may lie."""
    array = np.asarray(array)
    strides = tuple(step // array.itemsize for step in np.ascontiguousarray(array).strides)
    made = call(
        "torch._utils._rebuild_tensor_v2",
        call("torch.storage._load_from_bytes", storage_bytes(array)),
        offset,
        array.shape if shape is None else shape,
        strides[: array.ndim] if stride is None else stride,
        False,
        Call(ORDERED, ()),
    )
    return call("torch._utils._rebuild_parameter", made, False, Call(ORDERED, ())) if parameter else made


def ordered(pairs: dict) -> Call:
    """A pickled OrderedDict."""
    made = Call(ORDERED, ())
    made.pairs = list(pairs.items())
    return made


def module_state(parameters=(), buffers=(), modules=(), **attributes) -> dict:
    """The ``__dict__`` of a torch module."""
    return {
        "training": False,
        "_parameters": ordered(dict(parameters)),
        "_buffers": ordered(dict(buffers)),
        "_non_persistent_buffers_set": set(),
        "_forward_hooks": Call(ORDERED, ()),
        "_backward_hooks": Call(ORDERED, ()),
        "_modules": ordered(dict(modules)),
        **attributes,
    }


def persistent(class_name: str, state: dict, source: str = "# no source\n") -> Call:
    """A persistent object as NVIDIA's toolkits pickle it."""
    meta = {"type": "class", "version": 6, "module_src": source, "class_name": class_name, "state": state}
    return Call(PERSISTENT, (meta,))


def network(
    tensors: dict, kwargs: dict, class_name="Generator", source="# no source\n", none=(), attributes=None, **extra
) -> Call:
    """A whole network from its tensors by dotted name; inner classes are all called ``Part``.

    ``attributes`` are those of inner modules, by dotted name; ``extra`` those of the network itself.
    """
    given = attributes or {}
    tree: dict = {}
    for name, value in tensors.items():
        *path, last = name.split(".")
        node = tree
        for part in path:
            node = node.setdefault(part, {})
        node[last] = value if isinstance(value, Call) else tensor(value)
    for name in none:
        *path, last = name.split(".")
        node = tree
        for part in path:
            node = node.setdefault(part, {})
        node[last] = None

    def build(node: dict, name: str, path: str, **attributes) -> Call:
        inner = {
            key: build(item, "Part", f"{path}{key}.", **given.get(f"{path}{key}", {}))
            for key, item in node.items()
            if isinstance(item, dict)
        }
        held = {key: item for key, item in node.items() if not isinstance(item, dict)}
        return persistent(name, module_state(buffers=held, modules=inner, **attributes), source)

    return build(tree, class_name, "", _init_args=(), _init_kwargs=kwargs, **extra)


def numpy_array(values, kind="f4") -> Call:
    """A NumPy array as NumPy itself pickles it, under its name in NumPy 1."""
    held = np.asarray(values, "<" + kind)
    dtype = call("numpy.dtype", kind, 0, 1, state=(3, "<", None, None, None, -1, -1, 0))
    made = call("numpy.core.multiarray._reconstruct", Global("numpy", "ndarray"), (0,), b"b")
    made.state = (1, held.shape, dtype, False, held.tobytes())
    return made


def numpy_scalar(value) -> Call:
    """A NumPy float32 as NumPy itself pickles it."""
    dtype = call("numpy.dtype", "f4", 0, 1, state=(3, "<", None, None, None, -1, -1, 0))
    return call("numpy.core.multiarray.scalar", dtype, np.float32(value).tobytes())


def tensorflow_network(version, build, kwargs, variables, components=None, source="# a comment only\n") -> Call:
    """A network as the TensorFlow toolkits pickle it; ``variables`` are arrays by name."""
    state = {
        "version": version,
        "name": "Gs",
        "static_kwargs": kwargs,
        "components": components or {},
        "build_module_src": source,
        "build_func_name": build,
        "variables": [(k, numpy_array(v) if np.ndim(v) else numpy_scalar(v)) for k, v in dict(variables).items()],
    }
    if version == 2:
        del state["components"]
    if version == 5:
        state.update(input_shapes=[], output_shapes=[], input_names=[], output_names=[])
    return call("tfutil.Network" if version == 2 else "dnnlib.tflib.network.Network", state=state)
