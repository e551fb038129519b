"""How far to go along each direction: as typed, as saved with it, or as measured now."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..directions.kept import KeptDirections
from .calibration import Calibrator, seeds_for, settings_of
from .scene import Scene


class Ranges:
    """Gives every direction its range.

    Args:
        scene: that of the run, whose look the ranges must fit.
        fixed: a range for all, or None to measure each.
        advance: called with a number of pictures whenever some have been rendered.
    """

    def __init__(self, scene: Scene, fixed: tuple[float, float] | None, advance: Callable[[int], None]) -> None:
        self.scene = scene
        self.fixed = fixed
        self.advance = advance
        # Without a class for the seeds only the subjects themselves can be measured.
        self.own = scene.G.c_dim > 0 and scene.look.label is None
        self.seeds = seeds_for(scene.G)
        self.settings = settings_of(scene.look, self.seeds, scene.projected if self.own else "")
        self.unedited: dict[str, np.ndarray] = {}  # pictures by label, if some are there already
        self._calibrator: Calibrator | None = None
        # By group and index, directions with a measured range; None once the calibrator has it.
        self._known: dict[tuple[int, int], KeptDirections | None] = {}

    def known(self, group: KeptDirections, index: int) -> bool:
        """Whether a range can be given without rendering."""
        held = group.directions
        return self.fixed is not None or (held.calibration == self.settings and held.ranges[index] is not None)

    def pictures(self) -> int:
        """How many pictures the measurement of one direction takes, about."""
        return len(self.seeds)

    def of(self, group: KeptDirections, index: int) -> tuple[float, float]:
        """The range of a direction; a new one is saved with it.

        Raises:
            FramesError: the network gives NaN or infinite pixels.
            OSError: the directions cannot be saved.
        """
        if self.fixed is not None:
            return self.fixed
        place, held = (id(group), index), group.directions
        if held.calibration != self.settings:  # ranges of another truncation or class do not fit this one
            held = held.without_ranges(self.settings)
        ends = held.ranges[index]
        if ends is not None:
            self._known.setdefault(place, group)
            return ends
        found = self._ready().measure(held, index)
        self._known[place] = None
        group.update(held.with_range(index, found.sigma, found.low, found.high, found.broken, found.prior))
        return found.low, found.high

    def _ready(self) -> Calibrator:
        """The calibrator, with all ranges so far as priors: those of earlier runs, too."""
        if self._calibrator is None:
            scene = self.scene if self.own else Scene(self.scene.G, self.scene.look, self.seeds)
            self._calibrator = Calibrator(scene, self.advance, self.unedited)
        for place, group in self._known.items():
            if group is not None:
                self._calibrator.add_prior(group.directions, place[1])
                self._known[place] = None
        return self._calibrator
