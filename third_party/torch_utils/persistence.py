"""Objects that pickle together with the source of their class, in NVIDIA's format version 6.

The pickle of such an object calls ``torch_utils.persistence._reconstruct_persistent_obj`` with one dict: ``type``,
``version``, ``module_src``, ``class_name`` and ``state`` (its ``__dict__``, with ``_init_args`` and ``_init_kwargs``).
So it can be read without its class, and unpickling it **runs that source**: do that only with files that you trust.
``sefa_plugin`` does it only with ``--trust-pickle``.

Network files and the sources in them use these names, and ``persistent_class``, ``is_persistent``, ``import_hook``,
``init_args`` and ``init_kwargs``; the other names here may change.
"""

from __future__ import annotations

import builtins
import copy
import functools
import hashlib
import inspect
import io
import linecache
import pickle
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

from sefa_plugin.third_party.dnnlib import EasyDict

FORMAT = 6
_PUBLIC_HOME = "torch_utils.persistence"  # the name of this module in network files
_persistent: set[type] = set()
_changes: list[Callable[[EasyDict], EasyDict]] = []
_sources: dict[ModuleType, str] = {}
_modules: dict[str, ModuleType] = {}


def persistent_class(kind: type) -> type:
    """Change a class so that its objects pickle with its source and store their arguments; returns it.

    Making an object raises ``TypeError`` if it could not be pickled and read back: its class is not at the top of
    its module, or it holds something that cannot be pickled.
    """
    if is_persistent(kind):
        return kind
    home, name, construct = sys.modules[kind.__module__], kind.__name__, kind.__init__
    text = _text_of(home)

    @functools.wraps(construct)
    def constructed(self: Any, *args: Any, **kwargs: Any) -> None:
        construct(self, *args, **kwargs)
        if not hasattr(home, name):
            raise TypeError(f"{home.__name__}.{name}: a persistent class must stand at the top of its module")
        try:
            self._init_args, self._init_kwargs = copy.deepcopy((args, kwargs))
            _Trial(self).dump(self)
        except (pickle.PicklingError, TypeError, AttributeError) as error:
            raise TypeError(f"{home.__name__}.{name}: holds what cannot be pickled ({error})") from error

    def reduced(self: Any) -> tuple:
        # Pickled by the public name, so that toolkits can read it, if that name is this module.
        public = sys.modules.get(_PUBLIC_HOME) is sys.modules.get(__name__)
        _reconstruct_persistent_obj.__module__ = _PUBLIC_HOME if public else __name__
        meta = {"type": "class", "version": FORMAT, "module_src": text, "class_name": name, "state": _state(self)}
        return _reconstruct_persistent_obj, (meta,)

    kind.__init__, kind.__reduce__ = constructed, reduced
    kind.init_args = property(lambda self: copy.deepcopy(self._init_args))
    kind.init_kwargs = property(lambda self: EasyDict(copy.deepcopy(self._init_kwargs)))
    _persistent.add(kind)
    return kind


def is_persistent(thing: Any) -> bool:
    """Whether a class, or the class of an object, is persistent itself (a base class is not enough)."""
    return (thing if isinstance(thing, type) else type(thing)) in _persistent


def import_hook(hook: Callable[[EasyDict], EasyDict]) -> Callable[[EasyDict], EasyDict]:
    """Call ``hook(meta)`` for every persistent object that is read; usable as a decorator.

    ``meta`` has ``type``, ``version``, ``module_src``, ``class_name`` and ``state``; the hook returns it,
    changed or not.
    """
    assert callable(hook), "an import hook is a function of one argument"
    _changes.append(hook)
    return hook


class _Trial(pickle.Pickler):
    """Pickles an object to find errors, without the tensors and persistent objects in it."""

    def __init__(self, tried: Any) -> None:
        super().__init__(io.BytesIO())
        self._tried = tried

    def persistent_id(self, obj: Any) -> str | None:
        if obj is self._tried:
            return None
        import numpy as np
        import torch

        return "" if isinstance(obj, (torch.Tensor, np.ndarray)) or is_persistent(obj) else None


def _state(obj: Any) -> Any:
    """The state to pickle: from the class's ``__getstate__``, or the attributes."""
    own = getattr(type(obj), "__getstate__", None)
    return obj.__dict__ if own is None or own is getattr(object, "__getstate__", None) else obj.__getstate__()


def _text_of(module: ModuleType) -> str:
    """The source of a module."""
    if module not in _sources:
        _sources[module] = text = inspect.getsource(module)
        _modules.setdefault(text, module)
    return _sources[module]


def _module_of(text: str) -> ModuleType:
    """The module with this source; runs the source as a module if there is none yet."""
    if text in _modules:
        return _modules[text]
    module = ModuleType(f"_from_a_file_{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()[:16]}")
    place = f"<{module.__name__}>"
    vars(module)["__builtins__"] = _builtins()
    code = compile(text, place, "exec")
    linecache.cache[place] = (len(text), None, text.splitlines(keepends=True), place)  # for tracebacks
    sys.modules[module.__name__], _sources[module], _modules[text] = module, text, module
    try:
        exec(code, vars(module))
    except BaseException:
        del sys.modules[module.__name__], _sources[module], _modules[text], linecache.cache[place]
        raise
    return module


def _builtins() -> dict[str, Any]:
    """``__builtins__`` of a source, with our modules for the toolkit's (unless this is imported as ``torch_utils``)."""
    if __package__ == "torch_utils":  # the folder is on Python's path
        return vars(builtins)
    from ..source_imports import builtins_for_sources

    return builtins_for_sources()


def _reconstruct_persistent_obj(meta: dict) -> Any:
    """Make the object that ``meta`` describes; runs the source in it. Called by pickles.

    Raises:
        ValueError: another type or version than this module writes, no such class in the source, or a hook
            that gives nothing back.
    """
    meta = EasyDict(meta)
    meta.state = EasyDict(meta.state)
    for hook in _changes:
        meta = hook(meta)
        if meta is None:
            raise ValueError(f"the import hook {getattr(hook, '__name__', hook)!r} gave nothing back; return meta")
    if (meta.type, meta.version) != ("class", FORMAT):
        raise ValueError(f"a persistent {meta.type!r} of version {meta.version} is not known: class, {FORMAT}")
    kind = getattr(_module_of(meta.module_src), meta.class_name, None)
    if not isinstance(kind, type):
        raise ValueError(f"the source in the file defines no class {meta.class_name!r}")
    made = persistent_class(kind).__new__(kind)
    take = getattr(made, "__setstate__", made.__dict__.update)
    take(meta.state)
    return made
