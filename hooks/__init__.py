"""The toolkits that are known: one module each, imported when a network is looked at.

A third party adds its own through the entry-point group ``sefa_plugin.hooks``; each entry is a module
or object with the attributes of :class:`sefa_plugin.hook.Hook`. Those are asked first, so that a fork
can claim its networks before the general hooks do.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib import import_module
from importlib.metadata import entry_points

from sefa_plugin.hook import Hook, HookError

# The first that fits is taken: the usual ones come first, and StyleGAN-XL before StyleGAN3, which it resembles.
BUILT_IN = (
    "stylegan_xl",
    "stylegan3",
    "stylegan2_ada",
    "eg3d",
    "pggan",
    "stylegan1",
    "stylegan2_tf",
    "rosinality",
    "genforce",
    "genforce_stylegan1",
    "genforce_pggan",
    "growing_state",
    "stylegan3_state",
    "stylegan2_state",
)
GROUP = "sefa_plugin.hooks"
_NEEDED = ("name", "fits", "check", "style_layers", "mapping_layer", "describe", "build")


def all_hooks() -> Iterator[Hook]:
    """Give every hook, third parties' first.

    Raises:
        HookError: a third party's hook cannot be imported or lacks a part of the contract.
    """
    found = entry_points(group=GROUP) if sys.version_info >= (3, 10) else entry_points().get(GROUP, ())
    for entry in found:
        try:
            hook = entry.load()
        except Exception as error:  # whatever goes wrong there, the message must name the culprit
            raise HookError(f"hook {entry.name} ({entry.value}) cannot be loaded: {error}") from error
        yield _checked(hook, entry.name)
    for name in BUILT_IN:
        yield import_module(f"{__name__}.{name}")


def _checked(hook: Hook, name: str) -> Hook:
    missing = [part for part in _NEEDED if not hasattr(hook, part)]
    if missing:
        raise HookError(f"hook {name} lacks {', '.join(missing)} (see sefa_plugin.hook.Hook)")
    return hook
