"""Pictures in less time, for a slider that moves: of fewer pixels, with what an edit leaves unchanged kept."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..generators.prefixes import Prefixes
from .edits import Edit
from .frames import render
from .set_up import rendering_as

if TYPE_CHECKING:
    from .look import Look
    from .scene import Scene

USUAL, LEAST = 256, 128  # pixels of the first preview, and of the smallest
SLOW, QUICK = 0.12, 0.02  # seconds of a preview above and below which the next ones have half or twice the pixels
ROOM = 256 << 20  # bytes of kept features


class Previews:
    """Previews of one network.

    A network that sums pictures up (StyleGAN2's skip architecture) stops at ``size`` pixels, which follows the time
    that previews take. Of StyleGAN2 and StyleGAN3 the layers before the first one that an edit changes are kept from
    call to call.
    """

    def __init__(self) -> None:
        self.size: int | None = None
        self._look: Look | None = None
        self._kept = Prefixes(0, ROOM)

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
        began = time.perf_counter()
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
        with rendering_as(scene.G, scene.look):
            picture = next(frames)
        if size is None and self.size:
            self._follow(time.perf_counter() - began, full)
        return picture

    def _follow(self, seconds: float, full: int) -> None:
        """Set the size of the next preview."""
        assert self.size is not None
        if seconds > SLOW and self.size > LEAST:
            self.size //= 2
        elif seconds < QUICK:
            self.size = min(2 * self.size, full)
