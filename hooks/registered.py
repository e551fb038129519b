"""Hooks of third parties: found by the entry-point group ``sefa_plugin.hooks`` and checked.

An entry names a ``Hook``, a class derived from it, or any object with the same attributes, such as a module.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from importlib.metadata import entry_points

from sefa_plugin.hook import Hook, HookError

GROUP = "sefa_plugin.hooks"
_METHODS = ("fits", "check", "style_layers", "mapping_layer", "describe", "build")
_OPTIONAL = ("state", "cannot_render", "remarks")


def registered_hooks() -> Iterator[Hook]:
    """Give the hook of every entry.

    Raises:
        HookError: one cannot be loaded, or breaks the contract (see :func:`as_hook`).
    """
    found = entry_points(group=GROUP) if sys.version_info >= (3, 10) else entry_points().get(GROUP, ())
    for entry in found:
        try:
            given = entry.load()
        except Exception as error:  # any error is reported with the name of the hook
            raise HookError(f"hook {entry.name} ({entry.value}) cannot be loaded: {error}") from error
        yield as_hook(given, entry.name)


def as_hook(given: object, entry: str) -> Hook:
    """Check an entry's object and give it as a hook: instances unchanged, classes instantiated, others adapted.

    Raises:
        HookError: names the entry and what is missing or of the wrong type.
    """
    if isinstance(given, type) and issubclass(given, Hook):
        _refuse_without(entry, [part for part in _METHODS if part in given.__abstractmethods__])
        kind = given.__name__
        try:
            given = given()
        except Exception as error:
            raise HookError(f"hook {entry} cannot be made of its class {kind}: {error}") from error
    parts = {part: getattr(given, part) for part in ("name", *_METHODS, *_OPTIONAL) if hasattr(given, part)}
    _refuse_without(entry, [part for part in ("name", *_METHODS) if part not in parts])
    name, has_mapping = parts.pop("name"), getattr(given, "has_mapping", True)
    if not isinstance(name, str) or not name:
        raise HookError(f"hook {entry}: name is {name!r:.40}, expected text (see sefa_plugin.hook.Hook)")
    if not isinstance(has_mapping, bool):
        raise HookError(f"hook {entry}: has_mapping is {has_mapping!r:.40}, expected True or False")
    wrong = [part for part, value in parts.items() if not callable(value)]
    if wrong:
        raise HookError(f"hook {entry}: {', '.join(wrong)} cannot be called (see sefa_plugin.hook.Hook)")
    if isinstance(given, Hook):
        return given
    own = {part: staticmethod(value) for part, value in parts.items()}
    adapted: Hook = type("Adapted", (Hook,), {"name": name, "has_mapping": has_mapping, **own})()
    return adapted


def _refuse_without(entry: str, missing: Sequence[str]) -> None:
    if missing:
        raise HookError(f"hook {entry} lacks {', '.join(missing)} (see sefa_plugin.hook.Hook)")
