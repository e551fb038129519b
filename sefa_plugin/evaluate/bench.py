"""The bench that all experiments stand on: one network, one look, one scorer; equal visible change for every direction.

What is measured is kept (``parts``), by everything it depends on.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from time import perf_counter
from typing import Any

import numpy as np
import torch

from ..calibrate import calibrate, reduced, visible_change
from ..camera import Look
from ..latents import edit
from ..network import network_info
from .asking import ask, ask_features
from .parts import Parts, digest_of
from .sampling import FIRST_SEED, Samples, edits, measure_ws, pictures_of

SCORED = 1024  # samples in one part


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
        return self.scores[:, 1] - self.scores[:, 0]

    @property
    def moves(self) -> np.ndarray:
        """How far a picture's scores go from where they were, on average of the ends that are not 0: ``[k, N, A]``."""
        away = np.abs(self.scores - self.before)
        return away.sum(axis=1) / (self.places != 0).sum(axis=1)[:, None, None]


class Bench:
    """One network under one look.

    Args:
        G: a generator of ``load_network``.
        scorer: with ``identity``, if what it says is to be kept.
        look: truncation, class and so on.
        count, first: the seeds that measure, unless a call names others.
        parts: where measurements are kept.
        advance: called with a number of pictures whenever some have been rendered.

    Raises:
        ValueError: as :class:`Samples`.
    """

    def __init__(
        self,
        G: Any,
        scorer: Any,
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

    def seen_as(self, look: Look | None = None, count: int | None = None, first: int | None = None) -> Bench:
        """The same bench with another look or other seeds."""
        return Bench(
            self.G,
            self.scorer,
            look or self.look,
            count=count or len(self.samples),
            first=self.samples.seeds.start if first is None else first,
            parts=self.parts,
            advance=self.advance,
        )

    def _about(self, what: str, **more: Any) -> dict[str, Any]:
        return {"what": what, "network": network_info(self.G).digest, "look": asdict(self.look), **more}

    def _scored(self, what: str, **more: Any) -> dict[str, Any]:
        return self._about(what, scorer=getattr(self.scorer, "identity", ""), **more)

    @property
    def _seeds(self) -> list[int]:
        return [self.samples.seeds.start, len(self.samples)]

    def pace(self) -> float:
        """Seconds for one scored picture, about: one batch is tried."""
        camera = self.samples.camera(self.samples.batches()[0])
        measure_ws(self.G, [camera.ws[:2]], self.scorer, look=self.look)  # the first pictures take longer
        start = perf_counter()
        measure_ws(self.G, [camera.ws], self.scorer, look=self.look)
        return (perf_counter() - start) / len(camera.ws)

    # --- equal visible change ---------------------------------------------------------------------

    def calibrated(self, directions: Any) -> Any:
        """The directions with ranges of equal visible change, measured where they have none for this look.

        Raises:
            FramesError: the network gives NaN or infinite pixels.
            ValueError: the network is conditional and the look names no class.
        """

        def measure() -> dict[str, np.ndarray]:
            found = calibrate(self.G, replace(directions, ranges=(), broken=()), look=self.look)
            broken = np.array(
                [["low" in side or side == "both", "high" in side or side == "both"] for side in found.broken]
            )
            text = np.frombuffer(found.calibration.encode(), np.uint8)
            return {"ranges": np.array(found.ranges), "sigmas": np.array(found.sigmas), "broken": broken, "text": text}

        held = self.parts.of(self._about("ranges", directions=_digest(directions)), measure)
        sides = ["both" if all(side) else "low" if side[0] else "high" if side[1] else "" for side in held["broken"]]
        return replace(
            directions,
            ranges=tuple(map(tuple, held["ranges"].tolist())),
            sigmas=tuple(held["sigmas"].tolist()),
            broken=tuple(sides),
            calibration=held["text"].tobytes().decode(),
        )

    # --- scores -----------------------------------------------------------------------------------

    def cost(self, directions: Any) -> int:
        """Pictures that :meth:`changes` of this many directions renders, at most."""
        return len(self.samples) * (2 * len(directions) + 1)

    def changes(self, directions: Any) -> Changes:
        """Score the samples unedited and at both ends of every direction.

        Raises:
            ScorerError: see ``asking.ask``.
            ValueError: a direction has no range.
        """
        if any(ends is None for ends in directions.ranges):
            raise ValueError("these directions have no ranges; calibrate them first")
        places = np.array(directions.ranges)
        about = self._scored("changes", seeds=self._seeds, directions=_digest(directions), places=digest_of(places))
        if self.parts.has(about):
            self.advance(self.cost(directions))
        held = self.parts.of(about, lambda: self._measure(directions, places))
        names = tuple(json.loads(held["names"].tobytes()))
        return Changes(names, held["before"], places, held["scores"].astype(np.float64), held["visible"])

    def _measure(self, directions: Any, places: np.ndarray) -> dict[str, np.ndarray]:
        steps = [(index, end) for index, ends in enumerate(places) for end in ends]
        moved = [(index, end) for index, end in steps if end]
        names: list[str] | None = None
        before, scores, visible = [], [], []
        for camera in self.samples.cameras():
            plain = pictures_of(self.G, camera.ws, self.look)
            found = ask(self.scorer, plain, names)
            names = list(found)
            before.append(np.stack([found[name] for name in names], axis=1))
            small = [reduced(picture) for picture in plain]
            rows = {}
            for step, pictures in zip(moved, edits(camera, directions, moved)):
                found = ask(self.scorer, pictures, names)
                seen = np.mean([visible_change(one, reduced(other)) for one, other in zip(small, pictures)])
                rows[step] = np.stack([found[name] for name in names], axis=1), float(seen)
            scores.append([rows[step][0] if step[1] else before[-1] for step in steps])
            visible.append([rows[step][1] if step[1] else 0.0 for step in steps])
            self.advance(len(camera) * (1 + len(steps)))
        weights = [len(batch) for batch in self.samples.batches()]
        joined = np.concatenate(scores, axis=1)  # [2k, N, A]
        return {
            "names": np.frombuffer(json.dumps(names).encode(), np.uint8),
            "before": np.concatenate(before),
            "scores": joined.reshape(len(places), 2, *joined.shape[1:]).astype(np.float32),
            "visible": np.average(visible, axis=0, weights=weights).reshape(-1, 2),
        }

    def scored_samples(self) -> tuple[np.ndarray, dict[str, np.ndarray], float]:
        """Untruncated w ``[N, w_dim]`` of the samples, their scores by attribute, and what scoring took in seconds."""
        codes, scores, seconds = [], [], 0.0
        for start in range(0, len(self.samples), SCORED):
            batch = Samples(self.G, self.look, min(SCORED, len(self.samples) - start), self.samples.seeds.start + start)

            def measure(batch: Samples = batch) -> dict[str, np.ndarray]:
                begun = perf_counter()
                found = measure_ws(self.G, batch.ws(), self.scorer, look=self.look, advance=self.advance).scores
                names = np.frombuffer(json.dumps(list(found)).encode(), np.uint8)
                took = np.array(perf_counter() - begun)
                return {"names": names, "scores": np.stack(list(found.values()), axis=1), "seconds": took}

            about = self._scored("scored", seeds=[batch.seeds.start, len(batch)])
            if self.parts.has(about):
                self.advance(len(batch))
            held = self.parts.of(about, measure)
            codes.append(batch.codes())
            scores.append(held["scores"])
            seconds += float(held["seconds"])
            names = json.loads(held["names"].tobytes())
        joined = np.concatenate(scores)
        return np.concatenate(codes), dict(zip(names, joined.T)), seconds

    # --- features ---------------------------------------------------------------------------------

    def features(self, eyes: Any, directions: Any = None) -> np.ndarray:
        """Features ``[N, d]`` of the samples, unedited or each moved to one end of one of the directions in turn.

        Args:
            eyes: a scorer with ``features``.
            directions: of W, with ranges; None for the unedited samples.
        """
        about = self._about("features", eyes=getattr(eyes, "identity", ""), seeds=self._seeds)
        if directions is not None:
            about |= {"directions": _digest(directions), "places": digest_of(np.array(directions.ranges))}
        if self.parts.has(about):
            self.advance(len(self.samples))
        return self.parts.of(about, lambda: {"features": self._look_with(eyes, directions)})["features"]

    def _look_with(self, eyes: Any, directions: Any) -> np.ndarray:
        found, steps = [], _in_turn(directions)
        for camera in self.samples.cameras():
            ws = camera.ws
            if directions is not None:
                ws = torch.cat([edit(row, directions, dict([next(steps)])) for row in ws.split(1)])
            found.append(ask_features(eyes, pictures_of(self.G, ws, self.look)))
            self.advance(len(ws))
        return np.concatenate(found)


def _in_turn(directions: Any) -> Iterator[tuple[int, float]]:
    """Every end of every direction, again and again."""
    while directions is not None:
        for side in (0, 1):
            yield from ((index, ends[side]) for index, ends in enumerate(directions.ranges) if ends[side])


def _digest(directions: Any) -> str:
    return digest_of(
        directions.vectors, directions.eigenvalues, np.array(directions.layers), np.array([directions.space])
    )
