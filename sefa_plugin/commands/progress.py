"""Progress on standard error: lines, and one bar with an estimate of the time."""

from __future__ import annotations

import math
import sys
import time
from collections import deque
from typing import Any, ClassVar

import click

from ..system.messages import readable

QUIET = "sefa_plugin.quiet"  # key of a click context's ``meta``: whether ``--quiet`` was typed
SETTLED = 0.5  # seconds of rendering before the time is estimated
LONGEST = 200  # advances that the rate follows from, at most


class Progress:
    """A ``Reporter`` that prints lines, and one bar with an estimate of the time, to standard error."""

    _bar: ClassVar[Any] = None  # one for the process, since there is one terminal

    def __init__(self) -> None:
        self._total, self._estimated = 0, False
        self._done: deque[tuple[float, int]] = deque()  # when how many pictures were done

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
        self._total, self._estimated = pictures, False
        self._done.clear()
        if pictures:
            self.say(f"{pictures} pictures to render")

    def advance(self, pictures: int) -> None:
        """Note that pictures are done; print the estimate, or move the bar."""
        if not pictures:
            return
        done = pictures + (self._done[-1][1] if self._done else 0)
        self._done.append((time.monotonic(), done))
        left = self._seconds_to_go()
        if self._bar is not None:
            self._bar.update(pictures, left)
        elif left is not None and self._total and not self._estimated:
            self._estimated = True
            self.say(f"about {readable(left)} to go")
            if sys.stderr.isatty():
                bar: Any = click.progressbar(
                    length=self._total,
                    label="rendering",
                    file=sys.stderr,
                    width=30,
                    show_eta=False,
                    item_show_func=lambda left: None if left is None else f"{readable(left)} to go",
                )
                bar.update(done, left)
                Progress._bar = bar

    def _seconds_to_go(self) -> float | None:
        """At the usual rate of the later half of the pictures that are done, since a run has phases; None at first.

        The first ones are left out: building the network, and compiling, is in their time. The usual rate is the
        geometric mean of two: of the mean, which holds all work between pictures (layouts of sheets, comparisons), and
        of the median, which holds none. Sheets come first and have much of it, videos have little.
        """
        now, done = self._done[-1]
        while len(self._done) > 2 and 2 * self._done[1][1] <= done:
            self._done.popleft()
        while len(self._done) > LONGEST:
            self._done.popleft()
        if now - self._done[0][0] <= SETTLED:
            return None
        from statistics import median

        steps = list(self._done)
        rates = [
            (end - start) / (after - before)
            for (start, before), (end, after) in zip(steps, steps[1:])
            for _ in range(after - before)
        ]
        return max(0.0, (self._total - done) * math.sqrt(median(rates) * sum(rates) / len(rates)))


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

    def advance(self, pictures: int) -> None:
        """Nothing."""


def reporter() -> Progress:
    """The progress of a command, which prints nothing with ``--quiet``."""
    return _Quiet() if quiet() else Progress()


def download() -> Download | None:
    """The progress of a download; None with ``--quiet``."""
    return None if quiet() else Download()
