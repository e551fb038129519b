"""What a run is doing, on standard error: lines, and one bar with an estimate."""

from __future__ import annotations

import sys
from typing import Any, ClassVar

import click

from ..system.messages import readable


class Progress:
    """Shows what a run does on standard error: lines, and one bar with an estimate."""

    _bar: ClassVar[Any] = None  # the one of this process, which has one terminal

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *error: object) -> None:
        if self._bar is not None:
            self._bar.render_finish()
            Progress._bar = None

    @classmethod
    def say(cls, text: str) -> None:
        """One line, whoever says it; in the place of the bar, where there is one, which comes again below."""
        clear = "\r\x1b[K" if cls._bar is not None and sys.stderr.isatty() else ""
        click.echo(f"{clear}{text}", err=True)

    def expect(self, pictures: int, seconds: float) -> None:
        """Announce the work and start the bar."""
        self.say(f"{pictures} pictures to render, about {readable(seconds)}")
        Progress._bar = click.progressbar(length=pictures, label="rendering", file=sys.stderr, width=30)
        Progress._bar.render_progress()

    def advance(self, pictures: int) -> None:
        """Move the bar."""
        if self._bar is not None:
            self._bar.update(pictures)


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
