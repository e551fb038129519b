"""Settings of a session, each a small frozen value: which network, which directions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ..directions.directions import known_order

DEVICES = ("auto", "cpu", "cuda", "mps")


class SettingsError(ValueError):
    """A setting that does not fit the network, or this computer; the message names what to choose instead."""


@contextmanager
def settings_checked() -> Iterator[None]:
    """Turn a ``ValueError`` into a :class:`SettingsError`."""
    try:
        yield
    except SettingsError:
        raise
    except ValueError as error:
        raise SettingsError(str(error)) from error


@dataclass(frozen=True)
class NetworkChoice:
    """Which network is opened, and where it runs.

    Attributes:
        path: a file, an ``http(s)`` address, or ``demo`` for the network that ships with this package.
        which: entry of the file: ``G_ema``, ``G`` or ``D``.
        sha256: the digest that the file must have, in hex; None takes any.
        trust_pickle: run the file's own code where its network is not known; that code can do anything on this
            computer.
        allow_local: follow a redirection of a download from a public server into a private network.
        strict: raise an error where otherwise there is a warning.
        device: ``auto`` (CUDA where there is any, else the CPU), ``cpu``, ``cuda`` or ``mps``; checked when a
            generator is built.
    """

    path: str
    which: str = "G_ema"
    sha256: str | None = None
    trust_pickle: bool = False
    allow_local: bool = False
    strict: bool = False
    device: str = "auto"

    def __post_init__(self) -> None:
        if self.device not in DEVICES:
            raise SettingsError(f"device {self.device!r:.20}: choose one of {', '.join(DEVICES)}")


@dataclass(frozen=True)
class Wanted:
    """Which directions of a network are wanted.

    Attributes:
        keys: numbers (``-1`` is the weakest) and names; None takes the first ``count``.
        count: how many are found at least, the first in ``order``; None for all.
        file: a directions file to use instead of factorising; None factorises.
        order: ``strength``, or ``clean`` for sharp directions: those that do one thing first.
        edit_layers: which layers edits change, as ``layers.select_layers`` takes them; None: the factorised ones.
    """

    keys: tuple[int | str, ...] | None = None
    count: int | None = None
    file: Path | None = None
    edit_layers: str | None = None
    order: str = "strength"

    def __post_init__(self) -> None:
        with settings_checked():
            known_order(self.order)
        if self.count is not None and self.count < 1:
            raise SettingsError(f"{self.count} directions: at least 1 is needed")
