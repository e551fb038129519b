"""Samples to measure with: the toolkits' seeds, drawn, edited, rendered and scored; one batch in memory at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from ...rendering.edits import edit_of
from ...rendering.engine import Engine
from ...rendering.latents import classes_from_seeds, drawn_z, labelled
from ...rendering.local import Local
from ...rendering.look import Look
from ...rendering.shards import Shard, View
from ..scorers.interface import Scorer, scores_of

if TYPE_CHECKING:
    from ...directions.directions import Directions
    from ...networks.generator import Generator

SAMPLES = 2000  # as the paper's re-scoring
FIRST_SEED = 1000  # calibration uses seeds from 0 on; measurements use others
BATCH = 64
TOGETHER = 16  # pictures in a batch at most; small, so that the last batch needs little padding
LARGE = 256  # pixels; above it batches get smaller


class Samples:
    """Sample seeds of one network under one look, in batches.

    Seed s is ``RandomState(s)``, as everywhere. A conditional network gets the class of ``look``, or, where that
    has none, an evenly drawn class for each seed (by the seed's own generator), as in its training.

    Args:
        G: a generator of ``load_network``.
        look: truncation, class and so on.
        count: how many.
        first: the first seed.
        batch: seeds at a time; None chooses by the resolution. Except for rounding, scores do not depend on it.
        engine: makes the pictures; None makes them in this process.

    Raises:
        ValueError: ``count`` or ``batch`` is below 1, ``first`` is negative, or the class is out of range.
    """

    def __init__(
        self,
        G: Generator,
        look: Look | None = None,
        count: int = SAMPLES,
        first: int = FIRST_SEED,
        batch: int | None = None,
        engine: Engine | None = None,
    ) -> None:
        if count < 1 or first < 0 or first + count > 2**32 or (batch is not None and batch < 1):
            raise ValueError(
                f"{count} samples from seed {first}, {batch} at a time: expected 1 or more, seeds below 2^32"
            )
        self.G = G
        self.engine = engine or Local.of(G)
        self.look = look or Look()
        self.seeds = range(first, first + count)
        self.batch = batch or batch_of(G.img_resolution)

    def __len__(self) -> int:
        return len(self.seeds)

    def part(self, start: int, stop: int) -> Samples:
        """Some of the samples, in the same batches where ``start`` is a multiple of ``batch``."""
        return Samples(self.G, self.look, stop - start, self.seeds.start + start, self.batch, self.engine)

    def batches(self) -> list[range]:
        """Seeds of each batch."""
        return [self.seeds[start : start + self.batch] for start in range(0, len(self), self.batch)]

    def view(self, seeds: Sequence[int]) -> View:
        """The view of one batch."""
        return View(self.look, tuple(seeds), draws_classes=True)

    def unedited(self, view: View) -> np.ndarray:
        """Unedited pictures uint8 ``[n, H, W, C]`` of a batch."""
        return next(self._pictures(view, None, [[()] * len(view)]))

    def edited(self, view: View, directions: Directions, steps: Sequence[tuple[int, float]]) -> Iterator[np.ndarray]:
        """Pictures uint8 ``[n, H, W, C]`` of a batch for each (index of a direction, distance) of ``steps``.

        Layers that edits leave unchanged are computed once for all of them.

        Raises:
            ValueError: a direction does not fit the network.
        """
        return self._pictures(view, directions, [[(step,)] * len(view) for step in steps])

    def edited_in_turn(self, view: View, directions: Directions, steps: Iterator[tuple[int, float]]) -> np.ndarray:
        """Pictures uint8 ``[n, H, W, C]`` of a batch, each with the next (index, distance) of ``steps``."""
        return next(self._pictures(view, directions, [[(step,) for step in islice(steps, len(view))]]))

    def _pictures(
        self, view: View, directions: Directions | None, rows: Sequence[Sequence[tuple[tuple[int, float], ...]]]
    ) -> Iterator[np.ndarray]:
        """Pictures of a batch for each row: the edits (index of a direction, distance) of each of its samples."""
        used = dict.fromkeys(index for row in rows for step in row for index, _ in step)
        place = {index: at for at, index in enumerate(used)}
        edits = tuple(edit_of(directions, index, 1.0) for index in used) if directions is not None else ()
        shots = tuple(
            (float(who), tuple((place[index], float(distance)) for index, distance in step))
            for row in rows
            for who, step in enumerate(row)
        )
        flat = self.engine.pictures(view, Shard(shots, edits, len(view), TOGETHER))
        for _ in rows:
            yield np.stack(list(islice(flat, len(view))))

    def trial(self, scorer: Scorer) -> tuple[str, ...]:
        """Score a few pictures to find errors early; returns the attributes.

        Raises:
            ScorerError: see ``interface.scores_of``.
        """
        return tuple(scores_of(scorer, self.unedited(self.view(self.seeds[:2]))))

    def shots(self) -> Iterator[np.ndarray]:
        """Unedited pictures uint8 ``[n, H, W, C]`` of each batch in turn."""
        return (self.unedited(self.view(seeds)) for seeds in self.batches())

    def codes(self) -> np.ndarray:
        """Untruncated w of all samples: float32 ``[N, w_dim]`` (the last row, where rows differ)."""
        G, device, rows = self.G, next(self.G.parameters()).device, []
        for start in range(0, len(self), 1024):
            seeds = self.seeds[start : start + 1024]
            with torch.no_grad():
                w = G.mapping(drawn_z(G, seeds).to(device), self._labels(seeds, device))[:, -1]
            rows.append(w.float().cpu().numpy())
        return np.concatenate(rows)

    def _labels(self, seeds: range, device: torch.device) -> Tensor | None:
        if not self.G.c_dim:
            return None
        if self.look.label is not None:
            labels = labelled(self.look.label, self.G.c_dim, len(seeds))
            return None if labels is None else labels.to(device)
        drawn = classes_from_seeds(seeds, self.G.z_dim, self.G.c_dim)
        return torch.nn.functional.one_hot(torch.tensor(drawn), self.G.c_dim).float().to(device)


def batch_of(resolution: int) -> int:
    """How many seeds are taken at a time."""
    return min(BATCH, max(4, BATCH * LARGE**2 // resolution**2))


def measure_pictures(
    pictures: Iterable[np.ndarray], scorer: Scorer, advance: Callable[[int], None] = lambda pictures: None
) -> dict[str, np.ndarray]:
    """Score batches of pictures uint8 ``[n, H, W, C]``, at least one: float64 ``[N]`` by attribute.

    Args:
        advance: called with the number of pictures after each batch.

    Raises:
        ScorerError: see :func:`interface.scores_of`.
    """
    scores: list[dict[str, np.ndarray]] = []
    for batch in pictures:
        scores.append(scores_of(scorer, batch, list(scores[0]) if scores else None))
        advance(len(batch))
    return {name: np.concatenate([part[name] for part in scores]) for name in scores[0]}
