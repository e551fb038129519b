"""One render at a time: visitors take turns, and of a visitor's waiting previews only the newest is made."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

if TYPE_CHECKING:
    from ..directions.directions import Directions
    from ..rendering.arithmetic import Arithmetic
    from ..rendering.engine import Engine
    from ..rendering.shards import Shard, View

T = TypeVar("T")
VISITORS, WAITING = 64, 8  # visitors with renders that wait, and renders of each that do
CALM, PATIENCE = 0.6, 20.0  # seconds without a render before one in the background, and the longest wait for that


class Superseded(Exception):
    """A newer preview was asked for before this one was begun."""


class TooMany(Exception):
    """More renders wait than are accepted."""


class Stopped(Exception):
    """The background work was cancelled."""


@dataclass(eq=False)
class _Turn:
    work: Callable[[], Any]
    kind: str
    future: asyncio.Future[Any]


class Turns:
    """The queue of renders; :meth:`take` belongs to the server's event loop, :meth:`wait_for_calm` to threads.

    Args:
        waiting: renders of each visitor that may wait.
    """

    def __init__(self, waiting: int = WAITING) -> None:
        self._most = waiting
        self._waiting: OrderedDict[str, deque[_Turn]] = OrderedDict()
        self._thread = ThreadPoolExecutor(1, "studio-render")
        self._running: asyncio.Task[None] | None = None
        self._last = 0.0
        self._threads: int | None = None  # of torch
        self.closed = threading.Event()

    async def take(self, visitor: str, work: Callable[[], T], kind: str = "", over: Sequence[str] = ()) -> T:
        """Do some work in the render thread, when it is this visitor's turn.

        Args:
            visitor: whose turn it is.
            work: called without arguments.
            kind: of work, for ``over``.
            over: kinds of this visitor's earlier work that is no longer wanted, if it still waits.

        Raises:
            Superseded: replaced by newer work.
            TooMany: of this visitor, or of all.
        """
        queue = self._waiting.get(visitor)
        if queue is None:
            if len(self._waiting) >= VISITORS:
                raise TooMany("the studio is busy: too many visitors at once; try again in a moment")
            queue = self._waiting[visitor] = deque()
        for older in [turn for turn in queue if turn.kind in over]:
            queue.remove(older)
            if not older.future.done():
                older.future.set_exception(Superseded())
        if len(queue) >= self._most:
            raise TooMany("too many pictures are asked for at once; wait for some of them")
        turn = _Turn(work, kind, asyncio.get_running_loop().create_future())
        queue.append(turn)
        if self._running is None:
            self._running = asyncio.create_task(self._run())
        made: T = await turn.future
        return made

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            visitor, queue = self._waiting.popitem(last=False)
            if not queue:
                continue
            turn = queue.popleft()
            if queue:
                self._waiting[visitor] = queue  # behind the others
            if turn.future.done():  # its request is gone
                continue
            try:
                made = await loop.run_in_executor(self._thread, turn.work)
            except Exception as error:
                if not turn.future.done():
                    turn.future.set_exception(error)
            else:
                if not turn.future.done():
                    turn.future.set_result(made)
            self._last = time.monotonic()
        self._running = None

    def warm(self, work: Callable[[], object]) -> None:
        """Do some work in the render thread before the first turn; its errors are those of the first turn, too."""

        def first() -> None:
            import torch

            self._threads = torch.get_num_threads()
            work()

        self._thread.submit(first)

    def share_threads(self) -> None:
        """Let torch use as many threads in this thread as in the render thread, so that pictures have the same bits."""
        from ..rendering.previews import use_threads

        use_threads(self._threads)

    def wait_for_calm(self, stopped: Callable[[], bool] = lambda: False) -> None:
        """Wait in a background thread until nobody renders, or the longest wait is over.

        Raises:
            Stopped: the studio ends, or ``stopped``.
        """
        began = time.monotonic()
        while True:
            now = time.monotonic()
            if self.closed.is_set() or stopped():
                raise Stopped
            if (self._running is None and now - self._last > CALM) or now - began > PATIENCE:
                return
            time.sleep(0.02)

    def close(self) -> None:
        """End background work; a render that has begun is completed."""
        self.closed.set()
        self._thread.shutdown(wait=False, cancel_futures=True)


class Patient:
    """An :class:`Engine` for background work: each picture waits until no visitor waits for one.

    Args:
        engine: makes the pictures.
        turns: those of visitors.
        stopped: whether the work is cancelled.
    """

    def __init__(self, engine: Engine, turns: Turns, stopped: Callable[[], bool] = lambda: False) -> None:
        self._engine, self._turns, self._stopped = engine, turns, stopped

    def pictures(self, view: View, shard: Shard) -> Iterator[np.ndarray]:
        pictures = iter(self._engine.pictures(view, shard))
        while True:
            self._turns.wait_for_calm(self._stopped)
            picture = next(pictures, None)
            if picture is None:
                return
            yield picture

    def latents(self, view: View, shard: Shard) -> np.ndarray:
        return self._engine.latents(view, shard)

    def spread(self, view: View, directions: Directions) -> np.ndarray:
        return self._engine.spread(view, directions)

    def arithmetic(self, view: View) -> Arithmetic:
        return self._engine.arithmetic(view)
