"""``EasyDict``, times, types, and the helpers of the modules beside this one under their usual names."""

from __future__ import annotations

import ctypes
import functools
import operator
import sys
from collections.abc import Iterable
from typing import Any

from .by_name import (
    call_func_by_name,
    construct_class_by_name,
    get_module_dir_by_obj_name,
    get_module_from_obj_name,
    get_obj_by_name,
    get_obj_from_module,
    get_top_level_function_name,
    is_top_level_function,
)
from .files import (
    copy_files_and_create_dirs,
    is_url,
    list_dir_recursively_with_ignore,
    make_cache_dir_path,
    open_url,
    set_cache_dir,
)

__all__ = [
    "EasyDict",
    "call_func_by_name",
    "construct_class_by_name",
    "copy_files_and_create_dirs",
    "format_time",
    "format_time_brief",
    "get_dtype_and_ctype",
    "get_module_dir_by_obj_name",
    "get_module_from_obj_name",
    "get_obj_by_name",
    "get_obj_from_module",
    "get_top_level_function_name",
    "is_top_level_function",
    "is_url",
    "list_dir_recursively_with_ignore",
    "make_cache_dir_path",
    "open_url",
    "set_cache_dir",
    "tuple_product",
]

_PUBLIC_HOME = "dnnlib.util"  # the name of this module in network files
_CTYPES = {
    "int8": ctypes.c_int8,
    "int16": ctypes.c_int16,
    "int32": ctypes.c_int32,
    "int64": ctypes.c_int64,
    "uint8": ctypes.c_uint8,
    "uint16": ctypes.c_uint16,
    "uint32": ctypes.c_uint32,
    "uint64": ctypes.c_uint64,
    "float32": ctypes.c_float,
    "float64": ctypes.c_double,
}


class EasyDict(dict):
    """A dict with attribute access, ``d.key``; missing keys raise ``AttributeError``."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None

    def __setattr__(self, name: str, value: Any) -> None:
        self[name] = value

    def __delattr__(self, name: str) -> None:
        try:
            del self[name]
        except KeyError:
            raise AttributeError(name) from None

    def __reduce_ex__(self, protocol: int) -> Any:
        # Pickled by the public name, so that toolkits can read it, if that name is this module.
        known = getattr(sys.modules.get(_PUBLIC_HOME), "EasyDict", None) is EasyDict
        EasyDict.__module__ = _PUBLIC_HOME if known else __name__
        return super().__reduce_ex__(protocol)


def format_time(seconds: float) -> str:
    """``1d 02h 03m``, ``1h 02m 03s``, ``1m 02s`` or ``1s``."""
    days, hours, minutes, rest = _parts(seconds)
    if days:
        return f"{days}d {hours:02}h {minutes:02}m"
    if hours:
        return f"{hours}h {minutes:02}m {rest:02}s"
    return f"{minutes}m {rest:02}s" if minutes else f"{rest}s"


def format_time_brief(seconds: float) -> str:
    """``1d 02h``, ``1h 02m``, ``1m 02s`` or ``1s``."""
    days, hours, _, _ = _parts(seconds)
    long = format_time(seconds)
    return long.rsplit(" ", 1)[0] if days or hours else long


def tuple_product(t: Iterable) -> Any:
    """The product of all elements; 1 for none."""
    return functools.reduce(operator.mul, t, 1)


def get_dtype_and_ctype(type_obj: Any) -> tuple[Any, Any]:
    """Give the NumPy dtype and the ctypes type of a name such as "float32", or of a type or dtype of that name.

    Raises:
        ValueError: there is no such pair.
    """
    import numpy as np

    name = type_obj if isinstance(type_obj, str) else getattr(type_obj, "__name__", getattr(type_obj, "name", None))
    if name not in _CTYPES:
        raise ValueError(f"{type_obj!r} is none of the types {', '.join(_CTYPES)}")
    return np.dtype(name), _CTYPES[name]


def _parts(seconds: float) -> tuple[int, int, int, int]:
    minutes, rest = divmod(int(round(float(seconds))), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    return days, hours, minutes, rest
