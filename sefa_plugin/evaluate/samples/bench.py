"""Measurements for all experiments: one network, one look, one scorer; equal visible change for every direction.

They are kept in files (``parts``), named by a digest of their settings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from copy import copy
from dataclasses import asdict, dataclass, replace
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np

from ...directions.kept import KeptDirections
from ...media.change import reduced, visible_change
from ...networks.style_layers import generator_of
from ...rendering.calibration import seeds_of
from ...rendering.look import Look
from ...rendering.ranges import Ranges
from ...rendering.shards import View
from ..scorers.interface import Scorer, features_of, identity_of
from .parts import Parts, digest_of, name_of
from .sampling import FIRST_SEED, Samples, measure_pictures
from .scores import SampleEdit, Scores, score_edits

if TYPE_CHECKING:
    from ...directions.directions import Directions
    from ...networks.generator import Generator

SCORED = 1024  # samples in one part
SEEN = 32  # samples on which the visible change is measured, to check that it is equal


@dataclass(frozen=True, eq=False)
class Changes:
    """Scores of samples unedited and at both ends of every direction.

    Attributes:
        names: of the attributes.
        before: float64 ``[N, A]``.
        places: the ends, distances ``[k, 2]``; one of them may be 0.
        scores: float64 ``[k, 2, N, A]``.
        visible: mean visible change at each end, ``[k, 2]``.
    """

    names: tuple[str, ...]
    before: np.ndarray
    places: np.ndarray
    scores: np.ndarray
    visible: np.ndarray

    @property
    def across(self) -> np.ndarray:
        """Signed change over the whole range, low to high: ``[k, N, A]``."""
        across: np.ndarray = self.scores[:, 1] - self.scores[:, 0]
        return across

    @property
    def moves(self) -> np.ndarray:
        """Absolute change of scores, averaged over the ends that are not 0: ``[k, N, A]``."""
        away = np.abs(self.scores - self.before)
        moves: np.ndarray = away.sum(axis=1) / (self.places != 0).sum(axis=1)[:, None, None]
        return moves


class Bench:
    """One network under one look.

    Args:
        G: a generator of ``load_network``.
        scorer: needs ``identity`` if ``parts`` keeps its scores.
        look: truncation, class and so on.
        count, first: number of samples, and their first seed.
        parts: where measurements are kept.
        advance: called with a number of pictures whenever some have been rendered.

    Raises:
        ValueError: as :class:`Samples`.
    """

    def __init__(
        self,
        G: Generator,
        scorer: Scorer,
        look: Look | None = None,
        *,
        count: int = 500,
        first: int = FIRST_SEED,
        parts: Parts | None = None,
        advance: Callable[[int], None] = lambda pictures: None,
    ) -> None:
        self.G, self.scorer, self.look = G, scorer, look or Look()
        self.samples = Samples(G, self.look, count, first)
        self.parts = parts or Parts(None)
        self.advance = advance
        self._held: dict[str, Scores] = {}

    def replace(self, look: Look | None = None, count: int | None = None, first: int | None = None) -> Bench:
        """The same bench with another look or other seeds."""
        other = copy(self)
        other.look = look or self.look
        first = self.samples.seeds.start if first is None else first
        other.samples = Samples(self.G, other.look, count or len(self.samples), first)
        return other

    def _about(self, what: str, **more: object) -> dict[str, object]:
        return {"what": what, "network": generator_of(self.G).sefa.digest, "look": asdict(self.look), **more}

    def _scored(self, what: str, **more: object) -> dict[str, object]:
        return self._about(what, scorer=identity_of(self.scorer), **more)

    @property
    def _seeds(self) -> list[int]:
        return [self.samples.seeds.start, len(self.samples)]

    # --- equal visible change ---------------------------------------------------------------------

    def calibrated(self, directions: Directions) -> Directions:
        """The directions with ranges of equal visible change, measured or read from ``parts``.

        Raises:
            FramesError: the network gives NaN or infinite pixels.
        """

        def measure() -> dict[str, np.ndarray]:
            group = KeptDirections(directions.without_ranges())
            seeds = seeds_of(self.G)
            view = View(self.look, seeds, draws_classes=True)
            # A new ``Ranges``, so that results do not depend on earlier measurements.
            ranges = Ranges(view, self.samples.engine, seeds, own=True)
            for index in range(len(directions)):
                ranges.of(group, index)
            found = group.directions
            return {
                "ranges": np.array(found.ranges),
                "sigmas": np.array(found.sigmas),
                "broken": np.array(found.broken),
                "settings": np.array(found.calibration),
            }

        count = len(directions)
        like = {
            "ranges": ("fi", (count, 2)),
            "sigmas": ("fi", (count,)),
            "broken": ("U", (count,)),
            "settings": ("U", ()),
        }
        held = self.parts.of(self._about("ranges", directions=_digest(directions)), measure, like)
        columns = zip(held["sigmas"].tolist(), held["ranges"].tolist(), held["broken"].tolist())
        measured = {
            index: directions.entries[index].measured(sigma, low, high, broken)
            for index, (sigma, (low, high), broken) in enumerate(columns)
        }
        return replace(directions.with_entries(measured), calibration=str(held["settings"]))

    # --- scores -----------------------------------------------------------------------------------

    def cost(self, directions: Directions) -> int:
        """Pictures that :meth:`changes` of this many directions renders, about."""
        return 2 * len(directions) * len(self.samples) + (1 + 2 * len(directions)) * min(SEEN, len(self.samples))

    def changes(self, directions: Directions) -> Changes:
        """Score the samples unedited and at both ends of every direction.

        Raises:
            ScorerError: see ``interface.scores_of``.
            ValueError: a direction has no range.
        """
        ranges = ranges_of(directions)
        wanted = [[SampleEdit(directions, index, end) for end in ends] for index, ends in enumerate(ranges)]
        todo = len(wanted) * 2 * len(self.samples)
        score_edits(
            self.samples,
            [edit for pair in wanted for edit in pair],
            self.scorer,
            self.scores,
            advance=self.advance,
            begin=lambda pictures: self.advance(max(0, todo - pictures)),  # pictures that are scored already
        )
        return Changes(
            tuple(self.scores.attributes),
            self.scores.unedited,
            np.array(ranges),
            np.stack([[self.scores.of(edit) for edit in pair] for pair in wanted]),
            self._visible(directions),
        )

    @property
    def scores(self) -> Scores:
        """The present scores of the samples."""
        about = self._scored("edits", seeds=self._seeds)
        key = name_of(about)
        if key not in self._held:
            path = None if self.parts.folder is None else self.parts.path(about)
            self._held[key] = Scores(len(self.samples), about, path)
        return self._held[key]

    def _visible(self, directions: Directions) -> np.ndarray:
        """Mean visible change at each end, ``[k, 2]``, of the first samples, to check that it is equal."""
        seeds = self.samples.seeds[:SEEN]
        places = np.array(ranges_of(directions))

        def measure() -> dict[str, np.ndarray]:
            view = self.samples.view(seeds)
            steps = [(index, end) for index, ends in enumerate(places) for end in ends]
            before = [reduced(picture) for picture in self.samples.unedited(view)]
            means = []
            for pictures in self.samples.edited(view, directions, steps):
                means.append(np.mean([visible_change(one, reduced(other)) for one, other in zip(before, pictures)]))
            return {"visible": np.reshape(means, places.shape)}

        about = self._about("visible", seeds=[seeds.start, len(seeds)], directions=_digest(directions))
        like = {"visible": ("f", places.shape)}
        found = self.parts.of({**about, "places": digest_of(places)}, measure, like)["visible"]
        self.advance((1 + places.size) * len(seeds))
        return found

    def scored_samples(self) -> tuple[np.ndarray, dict[str, np.ndarray], float]:
        """Untruncated w ``[N, w_dim]`` of the samples, their scores by attribute, and the seconds that scoring took."""
        codes, scores, seconds = [], [], 0.0
        for start in range(0, len(self.samples), SCORED):
            batch = Samples(self.G, self.look, min(SCORED, len(self.samples) - start), self.samples.seeds.start + start)

            def measure(batch: Samples = batch) -> dict[str, np.ndarray]:
                begun = perf_counter()
                found = measure_pictures(batch.shots(), self.scorer, advance=self.advance)
                names = np.array(list(found))
                took = np.array(perf_counter() - begun)
                return {"names": names, "scores": np.stack(list(found.values()), axis=1), "seconds": took}

            about = self._scored("scored", seeds=[batch.seeds.start, len(batch)])
            if self.parts.has(about):
                self.advance(len(batch))
            like = {"names": ("U", (None,)), "scores": ("f", (len(batch), None)), "seconds": ("f", ())}
            held = self.parts.of(about, measure, like)
            codes.append(batch.codes())
            scores.append(held["scores"])
            seconds += float(held["seconds"])
            names = held["names"].tolist()
        joined = np.concatenate(scores)
        return np.concatenate(codes), dict(zip(names, joined.T)), seconds

    # --- features ---------------------------------------------------------------------------------

    def features(self, scorer: Scorer, directions: Directions | None = None) -> np.ndarray:
        """Features ``[N, d]`` of the samples, unedited or each moved to one end of one of the directions in turn.

        Args:
            scorer: with ``features``; need not be that of the bench.
            directions: of W, with ranges; None for the unedited samples.
        """
        about = self._about("features", eyes=identity_of(scorer), seeds=self._seeds)  # "eyes" as in files kept so far
        if directions is not None:
            about |= {"directions": _digest(directions), "places": digest_of(np.array(ranges_of(directions)))}
        if self.parts.has(about):
            self.advance(len(self.samples))
        like = {"features": ("f", (len(self.samples), None))}
        return self.parts.of(about, lambda: {"features": self._features(scorer, directions)}, like)["features"]

    def _features(self, scorer: Scorer, directions: Directions | None) -> np.ndarray:
        found, steps = [], _in_turn([] if directions is None else ranges_of(directions))
        for seeds in self.samples.batches():
            view = self.samples.view(seeds)
            if directions is None:
                pictures = self.samples.unedited(view)
            else:
                pictures = self.samples.edited_in_turn(view, directions, steps)
            found.append(features_of(scorer, pictures))
            self.advance(len(pictures))
        return np.concatenate(found)


def ranges_of(directions: Directions) -> list[tuple[float, float]]:
    """The range of each direction.

    Raises:
        ValueError: one has none.
    """
    ranges = [ends for ends in directions.ranges if ends is not None]
    if len(ranges) < len(directions):
        raise ValueError("these directions have no ranges; calibrate them first")
    return ranges


def _in_turn(ranges: Sequence[tuple[float, float]]) -> Iterator[tuple[int, float]]:
    """Index and distance of every end of every direction, repeated without end; only ends that are not 0."""
    while True:
        for side in (0, 1):
            yield from ((index, ends[side]) for index, ends in enumerate(ranges) if ends[side])


def _digest(directions: Directions) -> str:
    return digest_of(
        directions.vectors, directions.eigenvalues, np.array(directions.layers), np.array([directions.space])
    )
