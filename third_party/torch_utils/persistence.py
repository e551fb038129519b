"""Objects that pickle together with the source of their class, in NVIDIA's format version 6.

An object of a persistent class is pickled as a call of :func:`_reconstruct_persistent_obj` on a dict
with ``type``, ``version``, ``module_src``, ``class_name`` and ``state`` (its ``__dict__``), so that it can
be read where its class does not exist. Reading it back with ``pickle`` **runs that source**: do that
only with files that you trust. ``sefa_plugin`` itself never does unless it is told to.
"""

from __future__ import annotations

import builtins
import copy
import inspect
import io
import linecache
import pickle
import sys
import types
import uuid
from collections.abc import Callable
from typing import Any

from sefa_plugin.third_party.dnnlib import EasyDict

_VERSION = 6
_PUBLIC_HOME = "torch_utils.persistence"  # the name that network files know this module by
_decorated: set[type] = set()
_hooks: list[Callable[[EasyDict], EasyDict]] = []
_sources: dict[types.ModuleType, str] = {}
_modules: dict[str, types.ModuleType] = {}  # source -> the module with it


def persistent_class(original: type) -> type:
    """Decorate a class so that its objects pickle with their source and remember their arguments.

    Making an object raises ``TypeError`` when it could not be pickled and read back: when its class is not
    at the top of its module, or when it holds something that does not pickle.
    """
    if is_persistent(original):
        return original
    home = sys.modules[original.__module__]
    source = _source_of(home)

    class Persistent(original):
        _orig_module_src = source
        _orig_class_name = original.__name__

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            name = f"{original.__module__}.{original.__name__}"
            if not hasattr(home, original.__name__):
                raise TypeError(f"{name}: a persistent class must stand at the top of its module")
            try:
                self._init_args = copy.deepcopy(args)
                self._init_kwargs = copy.deepcopy(kwargs)
                _Probe(io.BytesIO(), self).dump(self)
            except (pickle.PicklingError, TypeError, AttributeError) as error:
                raise TypeError(f"{name}: holds what cannot be pickled ({error})") from error

        @property
        def init_args(self) -> tuple:
            """Positional arguments of the constructor."""
            return copy.deepcopy(self._init_args)

        @property
        def init_kwargs(self) -> EasyDict:
            """Keyword arguments of the constructor."""
            return EasyDict(copy.deepcopy(self._init_kwargs))

        def __reduce__(self) -> tuple:
            meta = {
                "type": "class",
                "version": _VERSION,
                "module_src": self._orig_module_src,
                "class_name": self._orig_class_name,
                "state": _state(self),
            }
            # Pickled by the name under which every toolkit can read it, where that name is ours.
            known = sys.modules.get(_PUBLIC_HOME) is sys.modules.get(__name__)
            _reconstruct_persistent_obj.__module__ = _PUBLIC_HOME if known else __name__
            return _reconstruct_persistent_obj, (meta,)

    Persistent.__name__ = original.__name__
    Persistent.__qualname__ = original.__qualname__
    Persistent.__module__ = original.__module__
    Persistent.__doc__ = original.__doc__
    _decorated.add(Persistent)
    return Persistent


def is_persistent(thing: Any) -> bool:
    """Tell whether a class, or the class of an object, is persistent itself (a base class is not enough)."""
    return (thing if isinstance(thing, type) else type(thing)) in _decorated


def import_hook(hook: Callable[[EasyDict], EasyDict]) -> Callable[[EasyDict], EasyDict]:
    """Have ``hook(meta)`` called for every persistent object that is read; usable as a decorator.

    ``meta`` has ``type``, ``version``, ``module_src``, ``class_name`` and ``state``; the hook returns it,
    changed or not.
    """
    assert callable(hook), "an import hook is a function of one argument"
    _hooks.append(hook)
    return hook


class _Probe(pickle.Pickler):
    """Pickles an object for the sake of its errors, past the tensors and the persistent objects in it."""

    def __init__(self, file: io.BytesIO, probed: Any) -> None:
        super().__init__(file)
        self._probed = probed

    def persistent_id(self, obj: Any) -> str | None:
        if obj is self._probed:
            return None
        import numpy as np
        import torch

        return "" if isinstance(obj, (torch.Tensor, np.ndarray)) or is_persistent(obj) else None


def _state(obj: Any) -> Any:
    """What an object pickles: what its class says, or its attributes."""
    own = getattr(type(obj), "__getstate__", None)
    return obj.__dict__ if own is None or own is getattr(object, "__getstate__", None) else obj.__getstate__()


def _source_of(module: types.ModuleType) -> str:
    if module not in _sources:
        _sources[module] = source = inspect.getsource(module)
        _modules.setdefault(source, module)
    return _sources[module]


def _builtins() -> dict[str, Any]:
    """What a source's import statements use: our modules for a toolkit's, unless this is the toolkit itself."""
    if __package__ == "torch_utils":  # the folder is on Python's path
        return vars(builtins)
    from ..source_imports import builtins_for_sources

    return builtins_for_sources()


def _module_of(source: str) -> types.ModuleType:
    """The module with this source; if there is none yet, the source is run as one."""
    if source not in _modules:
        name = f"_imported_module_{uuid.uuid4().hex}"
        module = types.ModuleType(name)
        place = f"<{name}>"
        linecache.cache[place] = (len(source), None, source.splitlines(keepends=True), place)  # for tracebacks
        sys.modules[name] = module
        _sources[module], _modules[source] = source, module
        module.__dict__["__builtins__"] = _builtins()
        try:
            exec(compile(source, place, "exec"), vars(module))
        except BaseException:
            del sys.modules[name], _sources[module], _modules[source], linecache.cache[place]
            raise
    return _modules[source]


def _reconstruct_persistent_obj(meta: dict) -> Any:
    """Make the object that ``meta`` describes; runs the source in it.

    Raises:
        ValueError: another type or version than this module writes, no such class in the source, or a hook
            that gives nothing back.
    """
    meta = EasyDict(meta)
    meta.state = EasyDict(meta.state)
    for hook in _hooks:
        meta = hook(meta)
        if meta is None:
            raise ValueError(f"the import hook {getattr(hook, '__name__', hook)!r} gave nothing back; return meta")
    if meta.type != "class" or meta.version != _VERSION:
        raise ValueError(f"a persistent {meta.type!r} of version {meta.version} is not known: class, {_VERSION}")
    original = getattr(_module_of(meta.module_src), meta.class_name, None)
    if not isinstance(original, type):
        raise ValueError(f"the source in the file defines no class {meta.class_name!r}")
    made = persistent_class(original)
    obj = made.__new__(made)
    if callable(getattr(obj, "__setstate__", None)):
        obj.__setstate__(meta.state)
    else:
        obj.__dict__.update(meta.state)
    return obj
