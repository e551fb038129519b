"""Ctrl-C, SIGTERM and SIGHUP as exceptions in the main thread, so that ``finally`` blocks run."""

from __future__ import annotations

import signal
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

    Handler = Callable[[int, FrameType | None], object]
    Handling = Handler | int | None  # what ``signal.getsignal`` gives

INTERRUPTED, TERMINATED = 130, 143  # exit codes
STOPPED = "stopped; what is whole was kept"
REPEATED = 1.0  # seconds within which further signals are ignored: ``timeout`` sends SIGTERM twice


class Terminated(KeyboardInterrupt):
    """A job scheduler ends the command (SIGTERM), or its terminal was closed (SIGHUP)."""


def exit_code(error: BaseException | None) -> int | None:
    """The exit code of a command that a signal stopped; None for any other error.

    Interrupted code may raise another error, whose cause or context is then the signal's exception.
    """
    while error is not None:
        if isinstance(error, KeyboardInterrupt):
            return TERMINATED if isinstance(error, Terminated) else INTERRUPTED
        error = error.__cause__ or error.__context__
    return None


@contextmanager
def stoppable() -> Iterator[None]:
    """Raise :class:`Terminated` for SIGTERM and SIGHUP within the block, unless they are already handled or ignored."""
    last = -REPEATED

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= REPEATED:
            last = now
            raise Terminated

    with _handled(stop, lambda handler: handler == signal.SIG_DFL):
        yield


@contextmanager
def postponed() -> Iterator[None]:
    """Postpone signals, Ctrl-C included, to the end of the block."""
    waiting: list[tuple[int, FrameType | None]] = []
    before: dict[int, Handling] = {}
    try:
        with _handled(lambda *signalled: waiting.append(signalled), callable) as before:
            yield
    finally:
        for number, frame in waiting:
            earlier = before[number]
            assert callable(earlier)  # only callable handlers were replaced
            earlier(number, frame)


@contextmanager
def _handled(handler: Handler, replaces: Callable[[Handling], bool]) -> Iterator[dict[int, Handling]]:
    """Replace handlers within the block; gives the earlier ones. Does nothing outside the main thread."""
    before: dict[int, Handling] = {}
    if threading.current_thread() is threading.main_thread():
        numbers = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
        before = {number: signal.getsignal(number) for number in numbers if replaces(signal.getsignal(number))}
    for number in before:
        signal.signal(number, handler)
    try:
        yield before
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)
