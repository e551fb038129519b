"""Load a network by running the code in its file (``--trust-pickle``).

This is the only module that unpickles. Imports of ``dnnlib`` and ``torch_utils`` in the file's source are resolved from
the toolkit's checkout in which the command runs, else from ``third_party``, for that source alone.
"""

from __future__ import annotations

import inspect
import io
import os
import pickle
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import IO, NamedTuple, Optional

from ..reading.network_record import chosen_by

TOOLKIT = ("dnnlib", "torch_utils")
_NAMES = ("G_ema", "G", "D")
# Import name -> pip name of packages that networks' sources import; other imports may be modules of a toolkit.
_SAME_NAME = ("dill", "einops", "kornia", "omegaconf", "requests", "scipy", "timm", "torchvision", "tqdm")
_PACKAGES = {"cv2": "opencv-python", "PIL": "pillow", **{name: name for name in _SAME_NAME}}
_ModuleFor = Callable[[str], Optional[ModuleType]]  # our module for a toolkit's; None for any other


class TrustedFileError(Exception):
    """The file's own code cannot be run, or fails; one line."""


class Loaded(NamedTuple):
    """A network that was made by its own code.

    Attributes:
        network: the object.
        entries: names of the networks in its file.
        modules_of: origin of the modules that its source imported: the folder of a toolkit, or ``sefa_plugin``.
        remark: why those of the toolkit's checkout were not used; '' if they were, or without a checkout.
    """

    network: object
    entries: tuple[str, ...]
    modules_of: str
    remark: str = ""


class Absent:
    """Placeholder for an object that could not be made; an error only inside the requested network."""

    error: Exception = ImportError("nothing")

    def __init__(self, *args: object, **kwargs: object) -> None:
        """Ignore arguments; likewise the state and the items that a pickle adds."""

    __setstate__ = __setitem__ = append = extend = __init__


def _absent(error: Exception, problems: list[Exception]) -> type[Absent]:
    """A class derived from :class:`Absent`, since pickles call classes.

    Names that are missing in a module may follow from the first import that failed, which is then the error.
    """
    problems.append(error)
    if isinstance(error, (KeyError, AttributeError)):
        error = next((problem for problem in problems if isinstance(problem, ImportError)), error)
    return type("Absent", (Absent,), {"error": error})


def host_folder() -> Path | None:
    """Find a toolkit's checkout: imported modules, working folder, the script's folder, then Python's path."""
    file = getattr(sys.modules.get("torch_utils"), "__file__", None)
    if file:
        return Path(file).resolve().parent.parent
    script = os.path.dirname(os.path.abspath(sys.argv[0])) if sys.argv and sys.argv[0] else ""
    for folder in dict.fromkeys([os.getcwd(), script, *sys.path]):
        place = Path(folder or ".")
        if (place / "torch_utils" / "persistence.py").is_file() and (place / "dnnlib").is_dir():
            return place.resolve()
    return None


def run_file(path: str, which: str, check: Callable[[object], None]) -> Loaded:
    """Unpickle ``path``, running its code, and give the network ``which`` of it.

    Args:
        path: a local file, pickled or of ``torch.save``.
        which: ``G_ema``, ``G`` or ``D``.
        check: called with the network; if it fails with a toolkit's own modules, ours are tried.

    Raises:
        TrustedFileError: the code fails, imports a missing module, or makes no such network.
    """
    if os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())  # where the modules of a plain network may be
    host = host_folder()
    if host is None:
        return _attempt(path, which, check, _ours, "sefa_plugin")
    if str(host) not in sys.path:
        sys.path.insert(0, str(host))  # also for what the network imports later
    try:
        return _attempt(path, which, check, None, str(host))
    except TrustedFileError as error:
        first = error
    try:
        loaded = _attempt(path, which, check, _ours, "sefa_plugin")
    except TrustedFileError as error:
        second = str(error).removeprefix(f"{path}: ")
        raise TrustedFileError(f"{first}; with sefa_plugin's own modules: {second}") from None
    return loaded._replace(remark=f"run with sefa_plugin's modules, since those of {host} fail: {first}")


def _ours(module: str) -> ModuleType | None:
    """Our module for one of a toolkit's; None for any other."""
    from ..third_party.source_imports import find, ours

    return find(ours(module)) if ours(module) else None


def _attempt(
    path: str, which: str, check: Callable[[object], None], module_for: _ModuleFor | None, modules_of: str
) -> Loaded:
    try:
        value = _unpickle(path, module_for)
        entries = _networks_in(value) or {which: value}
        if which not in entries:
            choice = chosen_by([name for name in entries if name != "D"])
            raise TrustedFileError(f"{path}: holds no {which}; it holds {', '.join(entries)} ({choice})")
        network = entries[which]
        absent = _first_absent(network)
        if absent is not None:
            raise absent
        check(network)
    except TrustedFileError:
        raise
    except ImportError as error:
        raise TrustedFileError(f"{path}: {_missing(error)}") from error
    except Exception as error:  # the file's own code may raise anything
        if isinstance(error, AttributeError) and "__main__" in str(error):
            raise TrustedFileError(
                f"{path}: its class was defined in the script that saved it (__main__), which a file cannot name: "
                "save it again from a script that imports the class, or use the network in memory"
            ) from error
        reason = " ".join(str(error).split())[:200]
        raise TrustedFileError(f"{path}: its own code fails ({type(error).__name__}: {reason})") from error
    return Loaded(network, tuple(entries), modules_of)


def _networks_in(value: object) -> dict[str, object]:
    held = value if isinstance(value, dict) else {}
    return {name: held[name] for name in _NAMES if held.get(name) is not None}


def _missing(error: ImportError) -> str:
    name = error.name or str(error)
    top = name.partition(".")[0]
    if top == "pkg_resources":
        return "it imports pkg_resources, which newer setuptools no longer have: pip install 'setuptools<81'"
    if top in _PACKAGES:
        return f"its source imports {top}, which is not installed here: pip install {_PACKAGES[top]}"
    if top in TOOLKIT or not isinstance(error, ModuleNotFoundError):
        return f"its source needs something of {name} that is not there ({' '.join(str(error).split())[:150]})"
    return (
        f"its source imports {name}, which is not here: run this inside the checkout of the toolkit that made the "
        f"file (the folder that holds {top}), or install the package {top} if it is one"
    )


def _first_absent(network: object) -> Exception | None:
    """The error of the first part of the network that could not be made; None if all were made."""
    from torch.nn import Module

    todo: list[object] = [network]
    seen: set[int] = set()
    while todo:
        item = todo.pop()
        kind = item if isinstance(item, type) else type(item)
        if issubclass(kind, Absent):
            return kind.error
        if id(item) in seen or not isinstance(item, Module):
            continue
        seen.add(id(item))
        for held in (vars(item), item._modules, item._buffers, item._parameters):
            todo += [part for part in held.values() if part is not None]
    return None


def _unpickle(path: str, module_for: _ModuleFor | None) -> object:
    """Run the pickle; without ``module_for``, the toolkit's own modules are imported."""
    from ..reading.torch_file import is_legacy

    problems: list[Exception] = []

    class Unpickler(pickle.Unpickler):
        def find_class(self, module: str, name: str) -> object:
            if (module, name) == ("torch.storage", "_load_from_bytes"):
                return lambda data: _torch_load(io.BytesIO(data))  # onto the CPU
            try:
                home = None if module_for is None else module_for(module)
                found = super().find_class(_numpy_name(module), name) if home is None else getattr(home, name)
            except (ImportError, AttributeError) as error:
                return _absent(error, problems)
            return _guarded(found, problems) if name == "_reconstruct_persistent_obj" else found

    with open(path, "rb") as file:
        head = file.read(64)
        file.seek(0)
        if head.startswith(b"PK\x03\x04") or is_legacy(head):
            shim = SimpleNamespace(
                Unpickler=Unpickler, load=lambda f, **kw: Unpickler(f, **kw).load(), __name__="pickle"
            )
            return _torch_load(file, shim)
        return Unpickler(file, encoding="latin1").load()


def _numpy_name(module: str) -> str:
    """NumPy 2 renamed ``numpy.core``; files hold either name."""
    import numpy as np

    new = int(np.__version__.partition(".")[0]) >= 2
    old_home, new_home = "numpy.core", "numpy._core"
    here, there = (new_home, old_home) if new else (old_home, new_home)
    return here + module[len(there) :] if module == there or module.startswith(f"{there}.") else module


def _torch_load(file: IO[bytes], pickle_module: object = pickle) -> object:
    import torch

    if "weights_only" not in inspect.signature(torch.load).parameters:  # before torch 1.13
        return torch.load(file, map_location="cpu", pickle_module=pickle_module)
    if not torch.__version__.startswith("1.13."):
        return torch.load(file, map_location="cpu", pickle_module=pickle_module, weights_only=False)
    names = vars(torch.serialization)
    own, names["pickle"] = names["pickle"], pickle_module  # torch 1.13 ignores pickle_module here
    try:
        return torch.load(file, map_location="cpu", weights_only=False)
    finally:
        names["pickle"] = own


def _guarded(reconstruct: Callable[[object], object], problems: list[Exception]) -> Callable[[object], object]:
    """Make :class:`Absent` of objects whose imports fail: other networks of the file may need missing modules."""

    def attempt(meta: object) -> object:
        try:
            return reconstruct(meta)
        except (ImportError, AttributeError, KeyError) as error:
            return _absent(error, problems)()

    return attempt
