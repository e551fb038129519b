"""Limits that the user sets on a command: how long it may take, and how much memory.

They are for files of strangers and for machines that others share. What a reader of this project takes is bounded
without them, too (SECURITY.md); these also bound what is done with a file afterwards.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import sys
import threading
import time
from typing import TYPE_CHECKING

from .interrupts import AGAIN, Stop, is_importing, to_main_thread
from .processor import is_out_of_memory

if TYPE_CHECKING:
    from types import FrameType

    from .interrupts import Handling

GRACE = 5.0  # seconds between the polite end and the hard one
LEAST_MEMORY = 256 * 10**6  # Python, NumPy and PyTorch take about as much before anything is done
_SECONDS = {"": 1, "s": 1, "m": 60, "min": 60, "h": 3600}
_BYTES = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12, "ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40}


class TimeIsUp(Stop):
    """Raised in the main thread when the time is up."""

    signal_name = "SIGALRM"


def parse_seconds(text: str) -> float:
    """Read a duration: ``90``, ``90s``, ``5m``, ``1.5h``.

    Raises:
        ValueError: it is none, or not from a hundredth of a second to ten days.
    """
    found = re.fullmatch(r"(\d{1,9}(?:\.\d{1,9})?)\s*(|s|m|min|h)", text.strip().lower())
    seconds = float(found[1]) * _SECONDS[found[2]] if found else 0.0
    if not 0.01 <= seconds <= 864_000:
        raise ValueError(f"{text!r:.40}: expected a time like 90, 90s, 5m or 2h, at most ten days")
    return seconds


def parse_bytes(text: str) -> int:
    """Read an amount of memory: ``2GB`` (10^9), ``1.5GiB`` (2^30), ``800M``.

    Raises:
        ValueError: it is none, or less than ``LEAST_MEMORY``.
    """
    found = re.fullmatch(r"(\d{1,15}(?:\.\d{1,9})?)\s*([kmgt]i?|)b?", text.strip().lower())
    if not found:
        raise ValueError(f"{text!r:.40}: expected an amount of memory like 2GB or 800MB")
    amount = int(float(found[1]) * _BYTES[found[2]])
    if not LEAST_MEMORY <= amount < 2**60:
        raise ValueError(f"{text!r:.40}: at least {LEAST_MEMORY // 10**6}MB are needed (2GB means 2 * 10^9 bytes)")
    return amount


# --- time -----------------------------------------------------------------------------------------


class _Clock:
    """Ends the command when its time is up.

    First an exception in the main thread, so that what is half-written goes. If nothing comes of it for ``GRACE``
    seconds, because native code does not return, a thread prints the line, removes what is half-written, and ends the
    process. Where native code does not even let other threads run, the interpreter's own watchdog, which is not
    Python, ends it after as long again, without a line.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.is_up = self._deferred = False
        self._over = threading.Event()
        self._before: Handling = None
        if hasattr(signal, "SIGALRM"):
            self._before = signal.signal(signal.SIGALRM, self._raise)
        self._last_resort()
        threading.Thread(target=self._wait, name="timeout", daemon=True).start()

    def _raise(self, number: int, frame: FrameType | None) -> None:
        self._deferred = is_importing(frame)
        if not self._deferred:
            raise TimeIsUp

    def _last_resort(self) -> None:
        import faulthandler

        self._nowhere = open(os.devnull, "w")  # noqa: SIM115 - the watchdog writes its traceback there
        faulthandler.dump_traceback_later(self.seconds + 2 * GRACE, exit=True, file=self._nowhere)

    def _wait(self) -> None:
        if self._over.wait(self.seconds):
            return
        self.is_up = True
        # Without an alarm it is the signal of Ctrl-C; ``is_up`` distinguishes it from the user's.
        alarm = getattr(signal, "SIGALRM", signal.SIGINT)
        to_main_thread(alarm)
        begun = time.monotonic()
        while time.monotonic() - begun < GRACE:
            if self._over.wait(AGAIN):
                return
            if self._deferred:
                to_main_thread(alarm)
        self._end()

    def _end(self) -> None:
        from .whole_files import remove_unfinished

        with contextlib.suppress(BaseException):
            remove_unfinished()
        line = f"\nError: {time_is_up(self.seconds)}; it did not stop by itself\n"
        with contextlib.suppress(OSError):
            os.write(2, line.encode())
        os._exit(1)

    def stop(self) -> None:
        import faulthandler

        self._over.set()
        faulthandler.cancel_dump_traceback_later()
        self._nowhere.close()
        if self._before is not None:
            signal.signal(signal.SIGALRM, self._before)


_clock: _Clock | None = None
_memory: tuple[int, int, tuple[int, int]] | None = None  # bytes allowed, which limit, and what it was before


def start_clock(seconds: float) -> None:
    """Let the command end after so many seconds, until :func:`lift`.

    Raises:
        ValueError: this is not the program's main thread, which alone can be interrupted.
    """
    global _clock
    if threading.current_thread() is not threading.main_thread():
        raise ValueError("a time limit needs the program's main thread")
    lift_time()
    _clock = _Clock(seconds)


def lift_time() -> None:
    """Take the limit of time away."""
    global _clock
    if _clock is not None:
        _clock.stop()
        _clock = None


def ended_by_time(error: BaseException) -> str:
    """The line for a command that this error ended, if it is because its time was up; else ''."""
    if _clock is not None and (isinstance(error, TimeIsUp) or (_clock.is_up and isinstance(error, KeyboardInterrupt))):
        return time_is_up(_clock.seconds)
    return ""


def time_is_up(seconds: float) -> str:
    """The line that says so."""
    return f"stopped after {seconds:g} s (--timeout); what is whole was kept"


# --- memory ---------------------------------------------------------------------------------------


def limit_memory(amount: int) -> None:
    """Let this process, and those that it starts, take so many bytes more than now, until :func:`lift_memory`.

    On Linux what counts is memory of its own that it may write to (``RLIMIT_DATA``): not files that are mapped, not
    what a GPU has, nor the address space that CUDA reserves. Where the system does not count that, all address space
    is limited (``RLIMIT_AS``).

    Raises:
        ValueError: this system has no such limit.
    """
    global _memory
    if sys.platform != "linux":
        raise ValueError(f"{sys.platform} has no limit of memory that holds; a container or a virtual machine has")
    import resource

    lift_memory()
    for kind, field in ((resource.RLIMIT_DATA, "VmData"), (resource.RLIMIT_AS, "VmSize")):
        before = resource.getrlimit(kind)
        most = _mapped(field) + amount
        if before[0] != resource.RLIM_INFINITY and before[0] <= most:
            return  # a stricter one is there already
        if before[1] != resource.RLIM_INFINITY:
            most = min(most, before[1])
        resource.setrlimit(kind, (most, before[1]))
        _memory = (amount, kind, before)
        if _holds(amount):
            return
        lift_memory()
    raise ValueError("this system does not keep to limits of memory; a container does")


def _mapped(field: str) -> int:
    """Bytes of a line of ``/proc/self/status``; 0 where there is none."""
    with contextlib.suppress(OSError, StopIteration, ValueError), open("/proc/self/status", encoding="ascii") as status:
        return 1024 * int(next(line for line in status if line.startswith(field)).split()[1])
    return 0


def _holds(amount: int) -> bool:
    """Whether more than the limit is refused; mapped only, nothing is taken."""
    import mmap

    try:
        mmap.mmap(-1, amount + (1 << 26), flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS).close()
    except (OSError, ValueError, OverflowError):
        return True
    return False


def lift_memory() -> None:
    """Take the limit of memory away."""
    global _memory
    if _memory is not None:
        import resource

        resource.setrlimit(_memory[1], _memory[2])
        _memory = None


# Parts of messages of threads and native code that get no memory; they count only where memory is limited.
_REFUSED = ("can't start new thread", "could not create a primitive", "bad_alloc", "allocate")


def ended_by_memory(error: BaseException) -> str:
    """The line for a command that this error ended, if memory is limited and it lacked some; else ''."""
    lacking = is_out_of_memory(error) or any(words in str(error) for words in _REFUSED)
    if _memory is None or not lacking:
        return ""
    return f"out of memory: --max-memory {_memory[0] / 1e6:.0f}MB is not enough for this"


def lift() -> None:
    """Take both limits away."""
    lift_time()
    lift_memory()
