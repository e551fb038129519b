"""Pictures in less time, for a slider that moves: of fewer pixels, with what an edit leaves unchanged kept."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

from ..generators.prefixes import Prefixes
from .edits import Edit
from .frames import render
from .set_up import rendering_as

if TYPE_CHECKING:
    from .look import Look
    from .scene import Scene

USUAL, LEAST = 256, 64  # pixels of the first preview, and of the smallest
SLOW, QUICK = 0.12, 0.02  # seconds of a preview above and below which the next ones have half or twice the pixels
COARSE, CRAWLING = 128, 0.5  # pixels from which on down only previews of so many seconds are halved
RETRY = 25  # previews after which the other number of threads is measured again
ROOM = 256 << 20  # bytes of kept features


class Previews:
    """Previews of one network.

    A network that sums pictures up (StyleGAN2's skip architecture) stops at ``size`` pixels, which follows the time
    that previews take. Of StyleGAN2 and StyleGAN3 the layers before the first one that an edit changes are kept from
    call to call. One thread is used where it is faster than all, as on a busy computer.
    """

    def __init__(self) -> None:
        self.size: int | None = None
        self._look: Look | None = None
        self._kept = Prefixes(0, ROOM)
        self._seconds: dict[int, float] = {}  # of a preview, by the number of threads
        self._count = 0

    def picture(self, scene: Scene, edits: Sequence[Edit], unchanged: int = 0, size: int | None = None) -> np.ndarray:
        """The first subject of a scene with edits: uint8 ``[H, W, C]``.

        Args:
            scene: of this network.
            edits: all of them.
            unchanged: how many leading rows of ws are those of earlier calls.
            size: pixels, for a network that sums pictures up; None follows the time.

        Raises:
            ValueError, FramesError: as ``Scene.edited`` and ``frames.render``.
        """
        if scene.look != self._look:
            self._look, self._kept = scene.look, Prefixes(0, ROOM)
        self._kept.first = unchanged
        up_to, full = None, scene.G.img_resolution
        if getattr(scene.G.synthesis, "sums_pictures", False):
            self.size = min(self.size or USUAL, full)
            up_to = min(size or self.size, full)
        frames = render(
            scene.G,
            scene.edited(0, edits),
            noise_mode=scene.look.noise_mode,
            force_fp32=scene.look.force_fp32,
            prefixes=self._kept if unchanged else None,
            up_to=None if up_to == full else up_to,
        )
        usual = torch.get_num_threads()
        threads = self._threads(usual)
        with rendering_as(scene.G, scene.look):
            began = time.perf_counter()
            torch.set_num_threads(threads)
            try:
                picture = next(frames)
            finally:
                torch.set_num_threads(usual)
        if size is None:
            seconds = time.perf_counter() - began
            self._seconds[threads] = (self._seconds.get(threads, seconds) + seconds) / 2
            self._follow(full)
        return picture

    def _threads(self, usual: int) -> int:
        """The number of threads of the next preview."""
        self._count += 1
        for count in (usual, 1):
            if count not in self._seconds:
                return count
        pick = max if self._count % RETRY == 0 else min
        return pick(self._seconds, key=self._seconds.__getitem__)

    def _follow(self, full: int) -> None:
        """Set the size of the next preview."""
        if self.size is None:
            return
        seconds, size = min(self._seconds.values()), self.size
        if seconds > (SLOW if size > COARSE else CRAWLING) and size > LEAST:
            size //= 2
        elif seconds < QUICK:
            size = min(2 * size, full)
        # About as many times the seconds as the pixels of a side; the next previews measure them.
        self._seconds = {count: held * size / self.size for count, held in self._seconds.items()}
        self.size = size


def use_threads(count: int | None) -> None:
    """Set torch's threads in a thread that begins, where another one may just be making a preview with fewer."""
    count = count or torch.get_num_threads()
    for _ in range(2):
        torch.set_num_threads(count)
        torch.get_num_threads()  # a thread's first call takes over the last number that any thread has set
    torch.set_num_threads(count)
