"""``EasyDict``; times and types; modules, functions and classes by their dotted names; files and downloads."""

from __future__ import annotations

import contextlib
import ctypes
import fnmatch
import functools
import importlib
import inspect
import io
import operator
import os
import shutil
import sys
import tempfile
import types
from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import urlparse
from urllib.request import url2pathname

from sefa_plugin.reading import download

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
_SHORT = {"np": "numpy", "tf": "tensorflow"}
_cache_dir: str | None = None


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
    minutes, rest = divmod(int(round(float(seconds))), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days}d {hours:02}h {minutes:02}m"
    if hours:
        return f"{hours}h {minutes:02}m {rest:02}s"
    return f"{minutes}m {rest:02}s" if minutes else f"{rest}s"


def format_time_brief(seconds: float) -> str:
    """``1d 02h``, ``1h 02m``, ``1m 02s`` or ``1s``."""
    parts = format_time(seconds).split(" ")
    return " ".join(parts[:2])


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


def set_cache_dir(path: str | None) -> None:
    """Keep downloads below another folder than ``$DNNLIB_CACHE_DIR`` or ``~/.cache/dnnlib``."""
    global _cache_dir
    _cache_dir = path


def make_cache_dir_path(*paths: str) -> str:
    """A path below the cache folder, which is not created."""
    return os.path.join(_cache_dir or str(download.cache_folder().parent), *paths)


def is_url(obj: Any, allow_file_urls: bool = False) -> bool:
    """Tell whether something is the text of an address on the web (or of a file, if that is allowed)."""
    if not isinstance(obj, str) or "://" not in obj:
        return False
    try:
        parts = urlparse(obj)
    except ValueError:
        return False
    if parts.scheme == "file":
        return allow_file_urls
    return bool(parts.scheme) and "." in parts.netloc


def open_url(
    url: str,
    cache_dir: str | None = None,
    num_attempts: int = 10,
    verbose: bool = True,
    return_filename: bool = False,
    cache: bool = True,
) -> BinaryIO | str:
    """Open an address or a path for reading; downloads are kept in ``cache_dir``.

    Args:
        num_attempts: how often a download is tried.
        verbose: print downloads to stderr.
        return_filename: give the path instead; needs ``cache``.
        cache: store the download, and use a stored one.

    Raises:
        sefa_plugin.reading.download.DownloadError: it could not be fetched.
        OSError: there is no such file.
    """
    assert num_attempts >= 1, f"open_url: {num_attempts} attempts"
    assert cache or not return_filename, "open_url: without a cache there is no file to name"
    if not is_url(url):
        path = url2pathname(urlparse(url).path) if url.startswith("file://") else url
        return path if return_filename else open(path, "rb")
    if not cache:
        with tempfile.TemporaryDirectory() as folder:
            return io.BytesIO(_fetched(url, Path(folder), num_attempts, verbose).read_bytes())
    folder = Path(cache_dir or make_cache_dir_path("downloads"))
    path = _fetched(url, folder, num_attempts, verbose)
    return str(path) if return_filename else open(path, "rb")


def _fetched(url: str, folder: Path, attempts: int, verbose: bool) -> Path:
    if verbose and download.cached(url, folder) is None:
        print(f"Downloading {url} ...", file=sys.stderr, flush=True)
    for _ in range(attempts - 1):
        with contextlib.suppress(download.DownloadError):
            return download.fetch(url, folder=folder)
    return download.fetch(url, folder=folder)


def list_dir_recursively_with_ignore(
    dir_path: str, ignores: Iterable[str] | None = None, add_base_to_relative: bool = False
) -> list[tuple[str, str]]:
    """All files below a folder, as (path, path from the folder).

    Args:
        ignores: patterns of names of files and folders that are left out.
        add_base_to_relative: start the second path with the folder's own name.
    """
    assert os.path.isdir(dir_path), f"{dir_path} is not a folder"
    patterns = list(ignores or ())
    base = os.path.basename(os.path.normpath(dir_path)) if add_base_to_relative else ""

    def kept(names: list[str]) -> list[str]:
        return [name for name in names if not any(fnmatch.fnmatch(name, pattern) for pattern in patterns)]

    found = []
    for root, folders, names in os.walk(dir_path):
        folders[:] = kept(folders)
        paths = [os.path.join(root, name) for name in kept(names)]
        found += [(path, os.path.join(base, os.path.relpath(path, dir_path))) for path in paths]
    return found


def copy_files_and_create_dirs(files: Iterable[tuple[str, str]]) -> None:
    """Copy files (from, to), making the folders that are missing."""
    for source, target in files:
        os.makedirs(os.path.dirname(target) or ".", exist_ok=True)
        shutil.copyfile(source, target)
