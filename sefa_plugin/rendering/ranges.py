"""The range of each direction: as typed, as saved with it, or measured now."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from ..directions.kept import KeptDirections
from .calibration import Calibrator, probed, settings_of
from .engine import Engine
from .shards import View

SUSPICIOUS = 20.0  # units of w; about the distance of a w from the average, in the published networks of 512 components
FAR = 3.0  # times the end of a range


class Ranges:
    """Looks up or measures the range of each direction.

    Args:
        view: of the run; ranges are measured with its look.
        engine: makes the pictures that are measured.
        seeds: to measure with; see ``calibration.seeds_for``.
        fixed: a range for all, or None to measure each.
        advance: called with a number of pictures whenever some have been rendered.
        own: measure with the subjects of the view, where other seeds would need a class that ``look`` does not have.
    """

    def __init__(
        self,
        view: View,
        engine: Engine,
        seeds: Sequence[int],
        fixed: tuple[float, float] | None = None,
        advance: Callable[[int], None] = lambda pictures: None,
        own: bool = False,
    ) -> None:
        self.fixed = fixed
        self.advance = advance
        self.seeds = tuple(seeds)
        self.settings = settings_of(view.look, self.seeds, view.projected if own else "")
        self.unedited: dict[str, np.ndarray] = {}  # by label, unedited pictures that have been rendered already
        self._engine = engine
        self._view = view if own else View(view.look, self.seeds)
        self._unseen = len(set(self._view.labels) - set(view.labels))
        self._calibrator: Calibrator | None = None
        # By group and index, directions with a measured range; None once the calibrator uses it as a prior.
        self._known: dict[tuple[int, int], KeptDirections | None] = {}

    def known(self, group: KeptDirections, index: int) -> bool:
        """Whether a range can be given without rendering."""
        held = group.directions
        return self.fixed is not None or (held.calibration == self.settings and held.ranges[index] is not None)

    def pictures(self, first: bool) -> int:
        """How many pictures a measurement takes, if no probe is repeated; the first one renders unedited ones too."""
        return len(probed(len(self._view))) + (self._unseen if first else 0)

    def needed(self, jobs: Iterable[tuple[KeptDirections, int]]) -> int:
        """How many pictures the measurements of directions take, if no probe is repeated; 0 where all are known."""
        unknown = {(id(group), index) for group, index in jobs if not self.known(group, index)}
        unedited = [label for label in self._view.labels if label not in self.unedited]
        return len(unknown) * len(probed(len(self._view))) + (len(unedited) if unknown else 0)

    def of(self, group: KeptDirections, index: int) -> tuple[float, float]:
        """The range of a direction; a newly measured one is saved with it.

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

    def warn_if_far(self, group: KeptDirections, index: int, distance: float, warn: Callable[[str], None]) -> None:
        """Warn of a distance far outside the range of a direction, which is measured for suspicious distances only.

        Raises:
            FramesError: the network gives NaN or infinite pixels.
        """
        if self.known(group, index) or abs(distance) > SUSPICIOUS:
            low, high = self.of(group, index)
            if not FAR * low <= distance <= FAR * high:
                end = (high if distance > 0 else low) or low + high
                warn(
                    f"distance {distance:g} is far outside the measured range of direction {index} of "
                    f"{group.directions.label}, {low:g} to {high:g}: pictures may break; try {end:g}, or auto"
                )

    def _ready(self) -> Calibrator:
        """The calibrator, with all known ranges as priors, also those of earlier runs."""
        if self._calibrator is None:
            self._calibrator = Calibrator(self._view, self._engine, self.advance, self.unedited)
        for place, group in self._known.items():
            if group is not None:
                self._calibrator.add_prior(group.directions, place[1])
                self._known[place] = None
        return self._calibrator
