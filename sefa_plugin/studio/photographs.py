"""Photographs that visitors drop on the page: kept in memory, cropped, projected, and forgotten at the end."""

from __future__ import annotations

import io
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Event
from typing import TYPE_CHECKING

import numpy as np

from ..media.pictures import fit, side_by_side
from ..projecting.picture import read_picture, target_of
from ..projecting.projector import Projector, as_target
from ..projecting.quality import Quality
from ..projecting.settings import Crop, HowToProject
from ..rendering.frames import to_uint8
from ..rendering.look import Look
from ..runs.settings import SettingsError
from .network import Network, as_jpeg
from .turns import TooMany, Turns
from .work import stated

if TYPE_CHECKING:
    from ..projecting.descent import Descent

MOST, LONGEST, SHOWN = 12, 2048, 640  # photographs that are kept, and pixels of each in memory and on the page
EVERY = 1.0  # seconds between pictures of the way


@dataclass(eq=False)
class Photograph:
    """A photograph, and its projection into one network.

    Attributes:
        id: by which it is asked for.
        name: of its file.
        network: into which it is projected.
        pixels: uint8 ``[H, W, 3 or 4]``, reduced to ``LONGEST``.
        state: ``new``, ``waiting``, ``running``, ``done``, ``failed`` or ``cancelled``.
        message: of a failure, or what the figures of a projection mean.
        done, total: steps.
        beside: JPEG of target and projection so far, side by side; b'' at first.
        ws: of what was found ``[1, num_ws, w_dim]``; None before.
    """

    id: str
    name: str
    network: Network
    pixels: np.ndarray
    state: str = "new"
    message: str = ""
    done: int = 0
    total: int = 0
    beside: bytes = b""
    ws: np.ndarray | None = None
    stopped: Event = field(default_factory=Event)


class Photographs:
    """The photographs of a studio; they are projected one after the other, while nobody waits for a picture."""

    def __init__(
        self,
        turns: Turns,
        log: Callable[[str], None],
        explain: Callable[[BaseException], str],
        steps: int | None = None,
    ) -> None:
        self._turns, self._log, self._explain = turns, log, explain
        self._how = HowToProject() if steps is None else HowToProject(steps=steps)
        self._thread = ThreadPoolExecutor(1, "studio-project")
        self._all: OrderedDict[str, Photograph] = OrderedDict()
        self._projectors: dict[object, Projector] = {}

    def add(self, network: Network, name: str, data: bytes) -> Photograph:
        """Take a picture's file.

        Raises:
            PictureError: it is no picture, or too large.
            TooMany: too many are kept.
        """
        if len(self._all) >= MOST:
            raise TooMany(f"{MOST} photographs are kept; remove one")
        pixels = read_picture(data, name[:80] or "the picture")
        made = Photograph(secrets.token_hex(8), name[:80], network, fit(pixels, LONGEST))
        self._all[made.id] = made
        return made

    def find(self, id: str) -> Photograph:
        """A photograph.

        Raises:
            SettingsError: there is none of this id.
        """
        if id not in self._all:
            raise SettingsError("this photograph is no longer here; drop it once more")
        return self._all[id]

    def of(self, network: Network) -> list[Photograph]:
        """Those of a network, in their order."""
        return [one for one in self._all.values() if one.network is network]

    def ws_of(self, id: str) -> np.ndarray:
        """The ws of a projected photograph ``[1, num_ws, w_dim]``.

        Raises:
            SettingsError: there are none.
        """
        ws = self.find(id).ws
        if ws is None:
            raise SettingsError("this photograph is not projected yet")
        return ws

    def start(self, id: str, crop: str) -> Photograph:
        """Project a photograph, or project it anew.

        Raises:
            SettingsError, ValueError: there is none, the crop cannot be read, or it is on its way already.
        """
        one, part = self.find(id), Crop.parse(crop)
        if one.state in ("waiting", "running"):
            raise SettingsError("this photograph is being projected; cancel that first")
        one.state, one.message, one.done, one.total, one.beside = "waiting", "", 0, 0, b""
        one.stopped = Event()
        self._thread.submit(self._project, one, part)
        return one

    def cancel(self, id: str) -> Photograph:
        """Stop a projection; the best so far can be used."""
        one = self.find(id)
        one.stopped.set()
        return one

    def remove(self, id: str) -> None:
        """Forget a photograph."""
        self.find(id).stopped.set()
        del self._all[id]

    def close(self) -> None:
        """Stop all, and forget all."""
        for one in self._all.values():
            one.stopped.set()
        self._all.clear()
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _project(self, one: Photograph, crop: Crop) -> None:
        with stated(one, "a projection failed", self._log, self._explain):
            self._turns.share_threads()
            projector = self._projector(one.network)
            target = target_of(one.pixels, crop, *projector.shape, name=one.name or "the picture")
            one.state, one.total = "running", projector.samples_to_draw

            def drawn(count: int) -> None:
                one.done += count
                self._wait(one)

            projector.draw(drawn)
            descent = projector.descent(target)
            one.done, one.total, shown = 0, descent.total, 0.0
            while not descent.is_done and not one.stopped.is_set():
                self._wait(one)
                descent.step()
                one.done = descent.done
                if time.monotonic() - shown > EVERY:
                    self._show(one, descent, target)
                    shown = time.monotonic()
            quality = Quality.of(descent.G, descent.manifold, descent.ws, as_target(target, projector.device))
            self._show(one, descent, target)
            one.message = f"{quality.line()}: {quality.sentence}"
            one.state = "cancelled" if one.stopped.is_set() else "done"

    def _wait(self, one: Photograph) -> None:
        self._turns.wait_for_calm(one.stopped.is_set)

    def _projector(self, network: Network) -> Projector:
        if network not in self._projectors:
            from dataclasses import replace

            how = replace(self._how, label=network.look.label)
            self._projectors[network] = Projector(network.session.generator(Look()), how)
        return self._projectors[network]

    def _show(self, one: Photograph, descent: Descent, target: np.ndarray) -> None:
        """Keep the best so far, and show it."""
        one.ws = descent.ws[None].cpu().numpy()
        one.beside = as_jpeg(side_by_side([target, to_uint8(descent.picture())[0]]))


def as_npz(ws: np.ndarray) -> bytes:
    """``projected_w.npz``."""
    held = io.BytesIO()
    np.savez(held, w=ws)
    return held.getvalue()


def page_picture(one: Photograph) -> bytes:
    """A photograph as a JPEG for the page."""
    return as_jpeg(fit(one.pixels, SHOWN))
