"""The hooks of this package and those of third parties."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from ..hook import Hook, HookError, NetworkRecord


class KnownHooks(NamedTuple):
    """The functions of the package of hooks.

    Attributes:
        all_hooks: gives every hook, in the order in which they are tried.
        source_of: origin of a network's source and a warning, from the record and the hook's name.
    """

    all_hooks: Callable[[], Iterator[Hook]]
    source_of: Callable[[NetworkRecord, str], tuple[str, str]]


def known_hooks() -> KnownHooks:
    """Import the package of hooks; not at import, since a copy of this package may lack it.

    Raises:
        HookError: it is missing.
    """
    try:
        from ..hooks import all_hooks
        from ..hooks.known_sources import source_of
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith("sefa_plugin.hooks"):
            raise
        raise HookError(
            "the folder hooks/ is missing: copy it beside sefa_plugin/, or pip install this project"
        ) from None
    return KnownHooks(all_hooks, source_of)
