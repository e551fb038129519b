"""The hooks that come with this package and those of third parties; a copy without its hooks says so."""

from __future__ import annotations

from typing import Any

from ..hook import HookError


def known_hooks() -> tuple[Any, Any]:
    """``all_hooks`` and ``judge`` of the hooks; as late as this, since a copy may lack them.

    Raises:
        HookError: it does.
    """
    try:
        from ..hooks import all_hooks
        from ..hooks.known_sources import judge
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith("sefa_plugin.hooks"):
            raise
        raise HookError(
            "the folder hooks/ is missing: copy it beside sefa_plugin/, or pip install this project"
        ) from None
    return all_hooks, judge
