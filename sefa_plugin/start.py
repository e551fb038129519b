"""Where programs begin: signals are looked after before anything else is imported, which takes a moment."""

from __future__ import annotations

import sys

from .interrupts import whole_program


def gen_sefa() -> None:
    """Run ``gen_sefa.py``; ends the process."""
    with whole_program():
        from .cli import gen_sefa as command

        command()


def sefa() -> None:
    """Run ``sefa``; ends the process."""
    with whole_program():
        from .cli import sefa as command

        command()


def gen_sefa_of_checkout() -> None:
    """Run the ``gen_sefa.py`` of a toolkit's checkout, for whose Python nobody has installed what SeFa needs."""
    with whole_program():
        from .environment import missing, too_old

        _refuse(too_old() or missing())
        from .cli import gen_sefa as command

        command(prog_name="gen_sefa.py")


def python_m() -> None:
    """Run ``python -m sefa_plugin``, in whatever Python that is; ends the process."""
    with whole_program():
        from .environment import too_old

        _refuse(too_old())
        from .cli import sefa as command

        command(prog_name="python -m sefa_plugin")


def _refuse(reason: str | None) -> None:
    if reason:
        sys.exit(f"Error: {reason}")
