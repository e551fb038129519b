"""What a pickle is made of once nothing in it is run: names, calls that were not made, references."""

from __future__ import annotations

from typing import Any


class InertPickleError(Exception):
    """The stream is not a pickle, is cut short, or breaks a limit."""


class TruncatedPickle(InertPickleError):
    """The stream ends before the pickle does."""


def shown(text: str, limit: int = 200) -> str:
    """Text of a file made fit for a message: one line, printable ASCII, at most ``limit`` characters."""
    safe = text[: limit + 1].encode("unicode_escape").decode("ascii")
    return safe if len(safe) <= limit else safe[: limit - 3] + "..."


def printable(text: str) -> str:
    """Text with escapes for what a terminal would act on; a line break is some."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def told(value: Any) -> str:
    """A value of a file in a message: a short scalar as it is, all else by its type.

    Lists may hold each other, and numbers may be of any length: their ``repr`` need not end.
    """
    if value is None or isinstance(value, (bool, float)) or (isinstance(value, int) and abs(value) < 1 << 64):
        return repr(value)
    return f"'{shown(value, 40)}'" if isinstance(value, str) else f"of type {type(value).__name__}"


class Global:
    """A name that the stream refers to, ``module`` and ``name``; never looked up."""

    __slots__ = ("module", "name")

    def __init__(self, module: str, name: str) -> None:
        self.module = module
        self.name = name

    @property
    def path(self) -> str:
        """``module.name``, for messages and tables: printable, one line, at most 200 characters."""
        return shown(f"{self.module}.{self.name}")

    def __repr__(self) -> str:
        return f"Global({self.path!r})"


class Call:
    """An object that the stream wanted made: what it would call, with what, and what it then adds.

    Attributes:
        func: a :class:`Global`, or whatever else the stream put there.
        args: positional arguments (tuple).
        kwargs: keyword arguments (dict; only ``NEWOBJ_EX`` gives any).
        state: argument of ``BUILD``, or None.
        items: what was appended or added; ``pairs``: what was set by key.
    """

    __slots__ = ("args", "func", "items", "kwargs", "pairs", "state")

    def __init__(self, func: Any, args: tuple, kwargs: dict | None = None) -> None:
        self.func = func
        self.args = args
        self.kwargs = kwargs or {}
        self.state: Any = None
        self.items: list = []
        self.pairs: list[tuple[Any, Any]] = []

    def __repr__(self) -> str:
        return f"Call({self.func!r}, {len(self.args)} arguments)"


class PersistentId:
    """A reference to something outside the stream (a tensor's storage, in ``torch.save`` files)."""

    __slots__ = ("pid",)

    def __init__(self, pid: Any) -> None:
        self.pid = pid
