"""The entry points of the programs.

Signal handlers are installed before heavy imports, which take a moment. At the end the process exits without Python's
own finalisation, in which PyTorch takes a third of a second and more.
"""

from __future__ import annotations

import atexit
import os
import sys

from .system.interrupts import whole_program

TYPE_CHECKING = False
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
    codes: list[int] = []
    if not getattr(atexit, "_ncallbacks", int)():  # else whoever has begun to watch this process would not see its end
        atexit.register(_go, codes)  # before all others, so that it is called after them
    try:
        with whole_program():
            for check in checks:
                from .system import environment

                _refuse(getattr(environment, check)())
            cli = _commands()
            getattr(cli, command)(prog_name=called)
    except SystemExit as ending:
        if ending.code is None or isinstance(ending.code, int):
            codes.append(ending.code or 0)
        raise


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


def _go(codes: list[int]) -> None:
    """End the process, where its code is known and all that was said has been taken."""
    if not codes:
        return
    try:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
    except (OSError, ValueError):  # Python's own finalisation reports it
        return
    os._exit(codes[0])
