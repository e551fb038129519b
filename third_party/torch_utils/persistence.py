"""Objects that pickle together with the source of their class, in NVIDIA's format version 6.

An object of a persistent class is pickled as a call of :func:`_reconstruct_persistent_obj` on a dict
with ``type``, ``version``, ``module_src``, ``class_name`` and ``state`` (its ``__dict__``), so that it can
be read where its class does not exist. Reading it back with ``pickle`` **runs that source**: do that
only with files of your own. ``sefa_plugin`` itself never does.
"""

from __future__ import annotations

import builtins
import copy
import inspect
import sys
import types
import uuid
from typing import Any

_VERSION = 6
_sources: dict[str, str] = {}  # module name -> source, for modules made from files
_modules: dict[str, types.ModuleType] = {}  # source -> module


def persistent_class(original: type) -> type:
    """Decorate a class so that its objects pickle with their source and remember their arguments."""
    if is_persistent(original):
        return original
    source = _source_of(sys.modules[original.__module__])

    class Persistent(original):
        _orig_module_src = source
        _orig_class_name = original.__name__

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self._init_args = copy.deepcopy(args)
            self._init_kwargs = copy.deepcopy(kwargs)

        @property
        def init_args(self) -> tuple:
            """Positional arguments of the constructor."""
            return copy.deepcopy(self._init_args)

        @property
        def init_kwargs(self) -> dict:
            """Keyword arguments of the constructor."""
            return copy.deepcopy(self._init_kwargs)

        def __reduce__(self) -> tuple:
            meta = {
                "type": "class",
                "version": _VERSION,
                "module_src": self._orig_module_src,
                "class_name": self._orig_class_name,
                "state": self.__dict__,
            }
            return _reconstruct_persistent_obj, (meta,)

    Persistent.__name__ = original.__name__
    Persistent.__qualname__ = original.__qualname__
    Persistent.__module__ = original.__module__
    return Persistent


def is_persistent(thing: Any) -> bool:
    """Tell whether a class, or the class of an object, is persistent."""
    return hasattr(thing if isinstance(thing, type) else type(thing), "_orig_module_src")


def _source_of(module: types.ModuleType) -> str:
    held = _sources.get(module.__name__)
    return inspect.getsource(module) if held is None else held


def _builtins() -> dict[str, Any]:
    """What a source's import statements use: our modules for a toolkit's, unless this is the toolkit itself."""
    if __package__ == "torch_utils":  # the folder is on Python's path
        return vars(builtins)
    from ..source_imports import builtins_for_sources

    return builtins_for_sources()


def _module_of(source: str) -> types.ModuleType:
    """Run a source text as a module of its own, once."""
    module = _modules.get(source)
    if module is None:
        module = types.ModuleType(f"_persistent_{uuid.uuid4().hex}")
        sys.modules[module.__name__] = module
        _sources[module.__name__] = source
        _modules[source] = module
        module.__dict__["__builtins__"] = _builtins()
        try:
            exec(compile(source, f"<{module.__name__}>", "exec"), module.__dict__)
        except BaseException:  # half a module must not be found again
            del sys.modules[module.__name__], _sources[module.__name__], _modules[source]
            raise
    return module


def _reconstruct_persistent_obj(meta: dict) -> Any:
    """Make the object that ``meta`` describes; runs the source in it."""
    if meta["type"] != "class":
        raise ValueError(f"a persistent object of type {meta['type']!r} is not known")
    made = persistent_class(getattr(_module_of(meta["module_src"]), meta["class_name"]))
    obj = made.__new__(made)
    if hasattr(obj, "__setstate__"):
        obj.__setstate__(meta["state"])
    else:
        obj.__dict__.update(meta["state"])
    return obj
