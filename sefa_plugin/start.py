"""The entry points of the programs."""

from __future__ import annotations

import gc
import sys

TYPE_CHECKING = False  # for type checkers the same as typing's, without the import
if TYPE_CHECKING:
    from typing import Any


def gen_sefa() -> None:
    """Run ``gen_sefa.py``; ends the process."""
    _run("gen_sefa")


def sefa() -> None:
    """Run ``sefa``; ends the process."""
    _run("sefa")


def gen_sefa_of_checkout() -> None:
    """Run ``gen_sefa.py`` in a toolkit's checkout, whose Python may be too old or lack packages; ends the process."""
    _run("gen_sefa", "gen_sefa.py", ("too_old", "missing"))


def python_m() -> None:
    """Run ``python -m sefa_plugin``, whose Python may be too old; ends the process."""
    _run("sefa", "python -m sefa_plugin", ("too_old",))


def _run(command: str, called: str | None = None, checks: tuple[str, ...] = ()) -> None:
    """Run a command of ``cli``; exits with one line if one of the ``checks`` of ``environment`` fails."""
    try:
        for check in checks:
            from .system import environment

            _refuse(getattr(environment, check)())
        run = getattr(_commands(), command)
    except KeyboardInterrupt:
        print("Error: stopped before it began", file=sys.stderr)
        sys.exit(130)
    try:
        run(prog_name=called)
    finally:
        gc.freeze()  # no garbage collection over PyTorch's objects at exit: saves a third of a second


def _commands() -> Any:
    """Import the module of the commands; exits with one line if a required package is missing."""
    try:
        from .commands import cli
    except ModuleNotFoundError:
        from .system.environment import missing

        _refuse(missing())
        raise
    return cli


def _refuse(reason: str | None) -> None:
    if reason:
        sys.exit(f"Error: {reason}")
