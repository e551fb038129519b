"""Pictures in less time, for a slider that moves: of fewer pixels, with what an edit leaves unchanged kept."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from ..generators.prefixes import Prefixes
from ..generators.quick import Quick
from .edits import Edit
from .frames import render
from .set_up import can_use_bfloat16, rendering_as

if TYPE_CHECKING:
    from .look import Look
    from .scene import Scene

USUAL, LEAST = 256, 64  # pixels of the first preview, and of the smallest
SLOW, QUICK = 0.15, 0.03  # seconds of a preview above and below which the next ones have half or twice the pixels
COARSE, CRAWLING = 128, 0.25  # pixels from which on down only previews of so many seconds are halved
RETRY = 25  # previews after which another way is measured again
ROOM = 128 << 20  # bytes of kept features
Way = tuple[int, bool]  # threads of torch, and whether in bfloat16


class Previews:
    """Previews of one network.

    A network that sums pictures up (StyleGAN2's skip architecture) stops at ``size`` pixels, which follows the time
    that previews take. Of StyleGAN2 and StyleGAN3 the layers before the first one that an edit changes are kept from
    call to call, StyleGAN2's convolutions are :class:`Quick`. One thread is used where it is faster than all, as on a
    busy computer, and bfloat16 where the processor has it and it is faster.
    """

    def __init__(self) -> None:
        self.size: int | None = None
        self._look: Look | None = None
        self._kept = Prefixes(0, ROOM)
        self._quick = Quick()
        self._seconds: dict[Way, float] = {}
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
            quick=self._quick,
        )
        usual = torch.get_num_threads()
        threads, bf16 = way = self._way(usual, can_use_bfloat16(scene.G) and not scene.look.force_fp32)
        with rendering_as(scene.G, replace(scene.look, bf16=bf16 or scene.look.bf16)):
            began = time.perf_counter()
            torch.set_num_threads(threads)
            try:
                picture = next(frames)
            finally:
                torch.set_num_threads(usual)
        if size is None:
            seconds = time.perf_counter() - began
            self._seconds[way] = (self._seconds.get(way, seconds) + seconds) / 2
            self._follow(full)
        return picture

    def _way(self, usual: int, bf16: bool) -> Way:
        """How the next preview is made: as was fastest, and now and then in another way, in turn."""
        ways = [(usual, False), (1, False), *([(usual, True), (1, True)] if bf16 else [])]
        for way in ways:
            if way not in self._seconds:
                return way
        self._count += 1
        if self._count % RETRY == 0:
            return ways[self._count // RETRY % len(ways)]
        return min(ways, key=self._seconds.__getitem__)

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
        self._seconds = {way: held * size / self.size for way, held in self._seconds.items()}
        self.size = size


def use_threads(count: int | None) -> None:
    """Set torch's threads in a thread that begins, where another one may just be making a preview with fewer."""
    count = count or torch.get_num_threads()
    for _ in range(2):
        torch.set_num_threads(count)
        torch.get_num_threads()  # a thread's first call takes over the last number that any thread has set
    torch.set_num_threads(count)
