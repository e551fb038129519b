"""Progress on standard error: lines, and one bar with an estimate of the time."""

from __future__ import annotations

import sys
import time
from typing import Any, ClassVar

import click

from ..system.messages import readable

QUIET = "sefa_plugin.quiet"  # key of a click context's ``meta``: whether ``--quiet`` was typed
SETTLED = 0.5  # seconds of rendering before the time is estimated


class Progress:
    """A ``Reporter`` that prints lines, and one bar with an estimate of the time, to standard error."""

    _bar: ClassVar[Any] = None  # one for the process, since there is one terminal

    def __init__(self) -> None:
        self._total = self._done = 0
        self._first: tuple[float, int] | None = None  # when the first pictures came, and how many

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *error: object) -> None:
        if self._bar is not None:
            self._bar.render_finish()
            Progress._bar = None

    @classmethod
    def say(cls, text: str) -> None:
        """Print one line; it replaces a bar, which is drawn again below it."""
        clear = "\r\x1b[K" if cls._bar is not None and sys.stderr.isatty() else ""
        click.echo(f"{clear}{text}", err=True)

    def expect(self, pictures: int) -> None:
        """Print the amount of work; its time is estimated from the first pictures."""
        self._total, self._done, self._first = pictures, 0, None
        if pictures:
            self.say(f"{pictures} pictures to render")

    def advance(self, pictures: int) -> None:
        """Move the bar."""
        if not pictures:
            return
        self._done += pictures
        if self._bar is not None:
            self._bar.update(pictures)
        elif self._first is None:  # the first pictures, with the building of the network, take longer than later ones
            self._first = time.monotonic(), self._done
        elif self._total:
            start, before = self._first
            taken = time.monotonic() - start
            if taken > SETTLED:
                left = (self._total - self._done) * taken / (self._done - before)
                self.say(f"about {readable(left)} to go")
                bar: Any = click.progressbar(length=self._total, label="rendering", file=sys.stderr, width=30)
                bar.update(self._done)
                Progress._bar = bar


class Download:
    """A progress callback for ``download.fetch``, with a bar in bytes."""

    def __init__(self) -> None:
        self._bar: Any = None
        self._seen = 0

    def __call__(self, received: int, total: int) -> None:
        if self._bar is None and total:
            self._bar = click.progressbar(length=total, label="downloading", file=sys.stderr, width=30)
        if self._bar is not None:
            self._bar.update(received - self._seen)
            if received >= total:
                self._bar.render_finish()
        self._seen = received


def quiet() -> bool:
    """Whether the command that runs was typed with ``--quiet``."""
    ctx = click.get_current_context(silent=True)
    return ctx is not None and bool(ctx.meta.get(QUIET))


class _Quiet(Progress):
    """A ``Progress`` that prints nothing."""

    @classmethod
    def say(cls, text: str) -> None:
        """Nothing; warnings are printed by ``Progress`` itself."""

    def expect(self, pictures: int) -> None:
        """Nothing."""

    def advance(self, pictures: int) -> None:
        """Nothing."""


def reporter() -> Progress:
    """The progress of a command, which prints nothing with ``--quiet``."""
    return _Quiet() if quiet() else Progress()


def download() -> Download | None:
    """The progress of a download; None with ``--quiet``."""
    return None if quiet() else Download()
