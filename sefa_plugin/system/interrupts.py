"""Ctrl-C, SIGTERM and SIGHUP: each is an exception in the main thread, so that everything on the way cleans up."""

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
REPEATED = 1.0  # seconds in which further signals are the same one: ``timeout`` sends SIGTERM twice


class Terminated(KeyboardInterrupt):
    """A job scheduler ends the command (SIGTERM), or its terminal was closed (SIGHUP)."""


def exit_code(error: BaseException | None) -> int | None:
    """The exit code of a command that was stopped; None where no signal is behind its error.

    What is interrupted may fail in a way of its own, with the signal's exception as the reason.
    """
    while error is not None:
        if isinstance(error, KeyboardInterrupt):
            return TERMINATED if isinstance(error, Terminated) else INTERRUPTED
        error = error.__cause__ or error.__context__
    return None


@contextmanager
def stoppable() -> Iterator[None]:
    """Raise :class:`Terminated` for SIGTERM and SIGHUP within the block, where nobody handles or ignores them."""
    came = -REPEATED

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal came
        now = time.monotonic()
        if now - came >= REPEATED:
            came = now
            raise Terminated

    with _handled(stop, lambda handler: handler == signal.SIG_DFL):
        yield


@contextmanager
def postponed() -> Iterator[None]:
    """Let what comes within the block, Ctrl-C too, wait for its end."""
    waiting: list[tuple[int, FrameType | None]] = []
    before: dict[int, Handling] = {}
    try:
        with _handled(lambda *came: waiting.append(came), callable) as before:
            yield
    finally:
        for number, frame in waiting:
            earlier = before[number]
            assert callable(earlier)  # only such were replaced
            earlier(number, frame)


@contextmanager
def _handled(handler: Handler, replaces: Callable[[Handling], bool]) -> Iterator[dict[int, Handling]]:
    """Handle signals for the length of the block; gives what they were handled by. Only the main thread can."""
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
