"""The entry points of the programs."""

from __future__ import annotations

import gc
import sys

TYPE_CHECKING = False  # a type checker takes it for that of typing
if TYPE_CHECKING:
    from typing import Any


def gen_sefa() -> None:
    """Run ``gen_sefa.py``; ends the process."""
    _run("gen_sefa")


def sefa() -> None:
    """Run ``sefa``; ends the process."""
    _run("sefa")


def gen_sefa_of_checkout() -> None:
    """Run the ``gen_sefa.py`` of a toolkit's checkout, for whose Python nobody has installed what SeFa needs."""
    _run("gen_sefa", "gen_sefa.py", ("too_old", "missing"))


def python_m() -> None:
    """Run ``python -m sefa_plugin``, in whatever Python that is; ends the process."""
    _run("sefa", "python -m sefa_plugin", ("too_old",))


def _run(command: str, called: str | None = None, checks: tuple[str, ...] = ()) -> None:
    """Run a command of ``cli``, unless one of the checks of ``environment`` has a line to say."""
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
        gc.freeze()  # else Python goes through PyTorch's objects several times before it ends: a third of a second


def _commands() -> Any:
    """The module of the commands; where a checkout runs that nobody has installed, a line may say what it lacks."""
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
