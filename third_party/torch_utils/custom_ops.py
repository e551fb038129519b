"""Compiled operators, of which there are none here."""

from __future__ import annotations

from typing import Any, NoReturn

verbosity = "brief"  # scripts set it; nothing reads it


def get_plugin(module_name: str, *args: Any, **kwargs: Any) -> NoReturn:
    """Refuse to compile ``module_name``.

    Raises:
        RuntimeError: always.
    """
    raise RuntimeError(
        f"{module_name}: sefa_plugin compiles no operators; for the compiled ones work inside the toolkit's checkout"
    )
