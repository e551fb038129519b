"""The engine of this process; torch is imported with the first picture."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from .arithmetic import Arithmetic, arithmetic_of
from .shards import Shard, View

if TYPE_CHECKING:
    from ..directions.directions import Directions
    from ..networks.generator import Generator
    from .look import Look
    from .scene import Scene

_SCENES = 4  # kept in memory: those of the run and of the calibration, for example


class Local:
    """An :class:`Engine` in this process; the generator is built for the first picture.

    Args:
        generator: returns the generator, given a look.
        planned: the arithmetic of a plan, used as far as this computer has it; None for the default.
        warn: called with one line for each difference from it, since pictures may then differ by rounding.
    """

    def __init__(
        self,
        generator: Callable[[Look], Generator],
        planned: Arithmetic | None = None,
        warn: Callable[[str], None] = lambda text: None,
    ) -> None:
        self._generator = generator
        self._planned = planned
        self._warn = warn
        self._scenes: OrderedDict[int, tuple[View, Scene]] = OrderedDict()
        self._arithmetic: Arithmetic | None = None

    @classmethod
    def of(cls, G: Generator) -> Local:
        """The engine of a generator in memory."""
        return cls(lambda look: G)

    def pictures(self, view: View, shard: Shard) -> Iterator[np.ndarray]:
        scene = self.scene(view)
        yield from scene.pictures(shard, self.arithmetic(view).at_once)

    def latents(self, view: View, shard: Shard) -> np.ndarray:
        return self.scene(view).latents(shard)

    def spread(self, view: View, directions: Directions) -> np.ndarray:
        return self.scene(view).spread_along(directions)

    def scene(self, view: View) -> Scene:
        """The scene of a view."""
        from .scene import Scene

        held = self._scenes.pop(id(view), None)
        scene = Scene(self._generator(view.look), view) if held is None else held[1]
        self._scenes[id(view)] = view, scene  # most recent last; a kept view keeps its id unique
        if len(self._scenes) > _SCENES:
            self._scenes.popitem(last=False)
        return scene

    def arithmetic(self, view: View) -> Arithmetic:
        from .frames import fitting

        G = self.scene(view).G
        if self._arithmetic is None:
            self._arithmetic = self._settle(G)
        # Smaller batches where memory was too small.
        return replace(self._arithmetic, at_once=fitting(G, self._arithmetic.at_once))

    def _settle(self, G: Generator) -> Arithmetic:
        """The arithmetic to use: the planned one as far as this computer has it, else the default."""
        import torch

        planned = self._planned
        if planned is None:
            return arithmetic_of(G)
        torch.set_num_threads(planned.threads)
        own = arithmetic_of(G, planned.at_once)
        for what in ("device", "threads", "instructions", "kernels", "torch"):
            here, there = getattr(own, what), getattr(planned, what)
            if here != there:
                self._warn(f"planned with {what} {there}, rendered with {here}: pictures may differ by rounding")
        return own
