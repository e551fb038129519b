"""Work in the background: how far it is, for the page."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from ..runs.settings import SettingsError
from ..system.messages import readable
from .turns import Stopped, Turns

if TYPE_CHECKING:
    from .network import Network


@dataclass(eq=False)
class Work:
    """Work that waits, is done now, or is over; also the :class:`Reporter` of a run.

    Attributes:
        state: ``waiting``, ``running``, ``done``, ``failed`` or ``cancelled``.
        message: why it failed.
        done, total: pictures.
    """

    state: str = "waiting"
    message: str = ""
    done: int = 0
    total: int = 0
    cancelled: threading.Event = field(default_factory=threading.Event)
    _began: float = 0.0

    def say(self, text: str) -> None:
        """Nothing."""

    def expect(self, pictures: int) -> None:
        """The amount of work is known; the time begins."""
        self.total, self._began = self.total + pictures, self._began or time.monotonic()

    def advance(self, pictures: int) -> None:
        """Some pictures are done."""
        self.done += pictures

    @property
    def is_over(self) -> bool:
        """Whether nothing more will happen."""
        return self.state not in ("waiting", "running")

    @property
    def left(self) -> str:
        """The time to go in words; '' where it is not known."""
        if self.state != "running" or not self.done:
            return ""
        return readable((time.monotonic() - self._began) / self.done * max(0, self.total - self.done))

    def about(self) -> dict[str, object]:
        """What a page gets."""
        return {key: getattr(self, key) for key in ("state", "message", "done", "total", "left")}


class Stated(Protocol):
    """What has a state, and a message where that is ``failed``; see :class:`Work`."""

    state: str
    message: str


@contextmanager
def stated(
    made: Stated, what: str, log: Callable[[str], None], explain: Callable[[BaseException], str]
) -> Iterator[None]:
    """Set the state of work that is stopped or fails inside; ``log`` gets a line on the latter, ``what: why``."""
    try:
        yield
    except Stopped:
        made.state = "cancelled"
    except Exception as error:  # of any kind: the studio lives on
        made.state, made.message = "failed", explain(error)
        log(f"{what}: {made.message}")


SomeWork = TypeVar("SomeWork", bound=Work)


class OneAtATime(Generic[SomeWork]):
    """Work of one kind on the networks of a studio, one piece at a time, while nobody waits for a picture.

    Attributes:
        last: the last piece of each network, by its id.

    Args:
        what: this work in words, for messages.
        turns: those of visitors.
        log: called with one line on what failed.
        explain: an error as one line.
    """

    def __init__(
        self, what: str, turns: Turns, log: Callable[[str], None], explain: Callable[[BaseException], str]
    ) -> None:
        self._what, self._turns, self._log, self._explain = what, turns, log, explain
        self._thread = ThreadPoolExecutor(1, "studio-work")
        self.last: dict[str, SomeWork] = {}

    def begin(self, network: Network, made: SomeWork, work: Callable[[], None]) -> SomeWork:
        """Begin a piece: ``work`` is called in a thread.

        Raises:
            SettingsError: another one is on its way.
        """
        if any(not one.is_over for one in self.last.values()):
            raise SettingsError(f"{self._what} are on their way already; cancel that first")
        self.last[network.id] = made
        self._thread.submit(self._do, made, work)
        return made

    def _do(self, made: SomeWork, work: Callable[[], None]) -> None:
        with stated(made, f"no {self._what}", self._log, self._explain):
            made.state = "running"
            self._turns.share_threads()
            work()
            made.state = "done"

    def cancel(self, network: Network) -> None:
        """Stop the work on a network."""
        if network.id in self.last:
            self.last[network.id].cancelled.set()

    def close(self) -> None:
        """Stop."""
        for one in self.last.values():
            one.cancelled.set()
        self._thread.shutdown(wait=False, cancel_futures=True)
