"""Modules, functions and classes by their dotted names."""

from __future__ import annotations

import importlib
import inspect
import sys
import types
from pathlib import Path
from typing import Any

_SHORT = {"np": "numpy", "tf": "tensorflow"}


def get_module_from_obj_name(obj_name: str) -> tuple[types.ModuleType, str]:
    """Split ``package.module.Class.member`` into the module, imported, and the rest of the name.

    Raises:
        ImportError: no such module, or one that cannot be imported.
        AttributeError: a module without such a member.
    """
    first, *others = obj_name.split(".")
    parts = [_SHORT.get(first, first) if others else first, *others]
    lacking = None
    for count in range(len(parts), 0, -1):
        name, rest = ".".join(parts[:count]), ".".join(parts[count:])
        try:
            module = importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name and (name == error.name or name.startswith(error.name + ".")):
                continue  # not a module: perhaps a member of one
            raise
        try:
            get_obj_from_module(module, rest)
        except AttributeError as error:
            lacking = lacking or error
        else:
            return module, rest
    raise lacking or ImportError(f"{obj_name}: there is no module of this name")


def get_obj_from_module(module: types.ModuleType, obj_name: str) -> Any:
    """Give the member ``a.b.c`` of a module; the module itself for an empty name."""
    found: Any = module
    for part in obj_name.split(".") if obj_name else ():
        found = getattr(found, part)
    return found


def get_obj_by_name(name: str) -> Any:
    """Give the object of this dotted name; imports its module."""
    return get_obj_from_module(*get_module_from_obj_name(name))


def call_func_by_name(*args: Any, func_name: str | None = None, **kwargs: Any) -> Any:
    """Call the function of this dotted name."""
    assert func_name is not None, "call_func_by_name needs func_name"
    function = get_obj_by_name(func_name)
    assert callable(function), f"{func_name} cannot be called"
    return function(*args, **kwargs)


def construct_class_by_name(*args: Any, class_name: str | None = None, **kwargs: Any) -> Any:
    """Make an object of the class of this dotted name."""
    return call_func_by_name(*args, func_name=class_name, **kwargs)


def get_module_dir_by_obj_name(obj_name: str) -> str:
    """The folder of the file in which something is defined."""
    module, _ = get_module_from_obj_name(obj_name)
    return str(Path(inspect.getfile(module)).parent)


def is_top_level_function(obj: Any) -> bool:
    """Whether something is callable and found in its module by its name."""
    return callable(obj) and obj.__name__ in vars(sys.modules[obj.__module__])


def get_top_level_function_name(obj: Any) -> str:
    """The dotted name of a function at the top of its module; the script's name stands for ``__main__``."""
    assert is_top_level_function(obj), f"{obj!r} is not at the top of its module"
    module = obj.__module__
    if module == "__main__":
        module = Path(sys.modules[module].__file__).stem
    return f"{module}.{obj.__name__}"
