"""Ctrl-C and the like, from a program's first line to its last: one line is printed, and nothing is half-written.

While a command works, a signal is an exception, so that everything on the way cleans up; what is being imported is
imported first. Before a command there is nothing to clean up, and the process ends at once. Afterwards, while the last
line is printed and Python shuts down, a signal has nothing left to stop, and is ignored.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import contextmanager, suppress

TYPE_CHECKING = False  # a type checker takes it for that of typing, whose import takes a third of the time of all this
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

    Handler = Callable[[int, FrameType | None], object]  # called with a signal's number, and where it found the program
    Handling = Handler | int | None  # what ``signal.getsignal`` gives: that, or to ignore it, or the system's default

NAMES = ("SIGINT", "SIGTERM", "SIGHUP")
INTERRUPTED, TERMINATED = 130, 143  # exit codes
STOPPED = "stopped; what is whole was kept"
IMPATIENCE = 1.0  # seconds in which further signals belong to the first: they would only disturb what it cleans up
AGAIN = 0.05  # seconds after which a signal that came at a bad moment is sent once more
LONGEST_IMPORT = 10.0  # seconds that are waited for one


class Stop(BaseException):
    """Ends a command from outside. As after Ctrl-C, everything cleans up, and ``except Exception`` does not catch it.

    Attributes:
        signal_name: what raises it.
    """

    signal_name = ""


class Interrupted(KeyboardInterrupt):
    """Ctrl-C. Python ends by the signal, whatever happens later, if its own one passes certain evaluations."""

    signal_name = "SIGINT"


class Terminated(Stop):
    """A job scheduler ends the command, or its terminal was closed (SIGTERM or SIGHUP)."""

    signal_name = "SIGTERM"


@contextmanager
def handled(handler: Handler, replaces: Callable[[Handling], bool]) -> Iterator[dict[int, Handling]]:
    """Handle the signals that end a program for the length of the block, where this is its main thread.

    Args:
        handler: as for ``signal.signal``.
        replaces: called with what handles a signal now; whether ``handler`` takes its place.

    Gives what each signal was handled by, and is again afterwards.
    """
    before: dict[int, Handling] = {}
    numbers = [getattr(signal, name) for name in NAMES if hasattr(signal, name)]
    with suppress(ValueError):  # another thread than the main one
        for number in numbers:
            if replaces(signal.getsignal(number)):
                before[number] = signal.signal(number, handler)
    try:
        yield before
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)


def _by_default(handler: Handling) -> bool:
    """Where a signal is ignored (nohup) it stays ignored; a program that has a handler of its own keeps it."""
    return handler in (signal.SIG_DFL, signal.default_int_handler)


class Course:
    """What a signal does, in the course of a program; :func:`working` gives it to a command."""

    def __init__(self) -> None:
        self._working = self._over = False
        self._number, self._came = 0, -IMPATIENCE  # the last signal that was heeded, and when
        self._deferred: float | None = None  # since when one waits
        self._hook: Callable[[sys.UnraisableHookArgs], object] | None = None  # sys.unraisablehook before ours

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """Handle a signal."""
        if self._over:
            return
        if not self._working:
            _leave("stopped before it began", number)
        now = time.monotonic()
        if now - self._came < IMPATIENCE:
            return
        if is_importing(frame):
            self._deferred = self._deferred or now
            if now - self._deferred < LONGEST_IMPORT:
                return self._again(number)
        self._number, self._came, self._deferred = number, now, None
        raise _error(number)

    def begin(self) -> None:
        """A command works: signals are exceptions from now on."""
        self._working, self._over = True, False
        self._hook, sys.unraisablehook = sys.unraisablehook, self._lost

    def end(self, error: BaseException | None = None) -> BaseException | None:
        """The command has ended: signals are ignored from now on. Gives what ended it.

        That is the error, unless a signal came just before: what was interrupted may fail in ways of its own.
        """
        self._over = True
        if self._hook is not None:
            sys.unraisablehook, self._hook = self._hook, None
        ours = error is None or isinstance(error, (KeyboardInterrupt, Stop))
        return error if ours or time.monotonic() - self._came >= IMPATIENCE else _error(self._number)

    def leave(self) -> None:
        """End the process for the last signal, unless all was over before it."""
        if not self._over:
            _leave(STOPPED, self._number)

    def _lost(self, lost: sys.UnraisableHookArgs) -> None:
        """Python prints exceptions of finalisers and goes on; one of a signal that came during such is sent again."""
        if not isinstance(lost.exc_value, (KeyboardInterrupt, Stop)):
            (self._hook or sys.__unraisablehook__)(lost)
            return
        self._came = -IMPATIENCE
        self._again(getattr(signal, getattr(lost.exc_value, "signal_name", "SIGINT")))

    def _again(self, number: int) -> None:
        import _thread  # starting a Thread takes a lock, which what was interrupted here may hold

        _thread.start_new_thread(self._send, (number,))

    def _send(self, number: int) -> None:
        time.sleep(AGAIN)
        if not self._over:
            to_main_thread(number)


def to_main_thread(number: int) -> None:
    """Send a signal to the main thread, so that what waits for the system there is interrupted, too.

    Where that is not to be had (Windows) it is Ctrl-C's, and waiting goes on.
    """
    if hasattr(signal, "pthread_kill"):
        import threading

        main = threading.main_thread().ident
        assert main is not None  # it has started
        signal.pthread_kill(main, number)
    else:
        import _thread

        _thread.interrupt_main()


def is_importing(frame: FrameType | None) -> bool:
    """Whether this frame, or one that waits for it, belongs to an import.

    An exception there can become any other one, and native modules that are being set up (PyTorch's) even abort.
    """
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False


def _error(number: int) -> BaseException:
    return Interrupted() if number == signal.SIGINT else Terminated()


def _leave(line: str, number: int) -> None:
    """End the process without unwinding."""
    if sys.stderr is not None:
        with suppress(OSError):
            os.write(2, f"Error: {line}\n".encode())
    os._exit(INTERRUPTED if number == signal.SIGINT else TERMINATED)


_program: Course | None = None


@contextmanager
def whole_program() -> Iterator[None]:
    """Wrap a program: everything that it imports and does but for this module. Signals are ignored from its end on."""
    global _program
    _program = Course()
    with handled(_program, _by_default) as before:
        try:
            yield
        except (KeyboardInterrupt, Terminated):
            _program.leave()  # it came after the command's last error and before its end
            raise
        finally:
            _program.end()
            if not sys.flags.interactive:
                before.update(dict.fromkeys(before, signal.SIG_IGN))


@contextmanager
def working() -> Iterator[Course]:
    """Wrap a command, in a program of :func:`whole_program` or of somebody else; it says when it ends."""
    if _program is not None:
        _program.begin()
        yield _program
        return
    course = Course()
    with handled(course, _by_default) as before:
        if before:  # else this is not the main thread, or the program has handlers of its own
            course.begin()
        try:
            yield course
        finally:
            course.end()
