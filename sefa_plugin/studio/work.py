"""Work in the background: how far it is, for the page."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field

from ..system.messages import readable


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
