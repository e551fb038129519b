"""Resolution of ``import dnnlib`` and ``import torch_utils`` inside the source of a network file that is run.

It applies to those sources alone: ``sys.modules`` gets no such names, so a toolkit's own modules of the same names are
neither hidden nor replaced.
"""

from __future__ import annotations

import builtins
from importlib import import_module
from types import ModuleType
from typing import Any

NAMES = ("dnnlib", "torch_utils")
_RENAMED = {"pytorch_utils": "torch_utils"}
_HOME = __name__.rpartition(".")[0]  # sefa_plugin.third_party


def find(name: str) -> ModuleType:
    """Import our implementation of ``name`` (``torch_utils.ops.bias_act``).

    Raises:
        ModuleNotFoundError: there is none; its ``name`` is ``name``.
    """
    try:
        return import_module(f"{_HOME}.{name}")
    except ModuleNotFoundError as error:
        if (error.name or "").startswith(f"{_HOME}."):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name) from None
        raise


def ours(name: str) -> str:
    """The name of our implementation of a toolkit's module, '' for other modules.

    Forks move the two packages (``src.torch_utils.misc``) or rename them (``pytorch_utils.misc``).
    """
    parts = [_RENAMED.get(part, part) for part in name.split(".")]
    start = next((index for index, part in enumerate(parts) if part in NAMES), None)
    return "" if start is None else ".".join(parts[start:])


def _import(name: str, globals: Any = None, locals: Any = None, fromlist: Any = (), level: int = 0) -> Any:
    """``__import__`` for sources of network files."""
    known = "" if level else ours(name)
    if not known or (not fromlist and known != name):  # `import src.dnnlib` binds src, which is not replaced
        return builtins.__import__(name, globals, locals, fromlist, level)
    module = find(known)
    for item in fromlist or ():
        if item != "*" and not hasattr(module, item):
            try:
                find(f"{known}.{item}")
            except ModuleNotFoundError as error:
                if error.name != f"{known}.{item}":
                    raise  # without the item, Python raises ImportError itself
    return module if fromlist else find(known.partition(".")[0])


def builtins_for_sources() -> dict[str, Any]:
    """Give ``__builtins__`` for a module, with which its imports are resolved here."""
    return {**vars(builtins), "__import__": _import}
