"""Samples to measure with: the toolkits' seeds, drawn, edited, rendered and scored; one batch in memory at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from ...rendering.edits import edit_of
from ...rendering.frames import render
from ...rendering.latents import classes_from_seeds, z_from_seeds
from ...rendering.look import Look, rendering_as
from ...rendering.scene import Scene, batch_size
from ..scorers.asking import Scorer, features_of, scores_of

if TYPE_CHECKING:
    from ...directions.directions import Directions
    from ...networks.generator import Generator

SAMPLES = 2000  # as the paper's re-scoring
FIRST_SEED = 1000  # calibration uses the seeds from 0 on: nothing is measured on what it was tuned on
BATCH = 64
LARGE = 256  # pixels from which on batches get smaller


class Samples:
    """Sample seeds of one network under one look, in batches.

    Seed s is ``RandomState(s)``, as everywhere. A conditional network is given the class of ``look``, or, where that
    names none, an evenly drawn class for each seed (by the seed's own generator), as in its training.

    Args:
        G: a generator of ``load_network``.
        look: truncation, class and so on.
        count: how many.
        first: the first seed.
        batch: seeds at a time; None chooses by the resolution. But for rounding, scores do not depend on it.

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
    ) -> None:
        if count < 1 or first < 0 or first + count > 2**32 or (batch is not None and batch < 1):
            raise ValueError(
                f"{count} samples from seed {first}, {batch} at a time: expected 1 or more, seeds below 2^32"
            )
        self.G = G
        self.look = look or Look()
        self.seeds = range(first, first + count)
        self.batch = batch or min(BATCH, max(4, BATCH * LARGE**2 // G.img_resolution**2))

    def __len__(self) -> int:
        return len(self.seeds)

    def batches(self) -> list[range]:
        """Seeds of each batch."""
        return [self.seeds[start : start + self.batch] for start in range(0, len(self), self.batch)]

    def scene(self, seeds: range) -> Scene:
        """A scene on one batch; its ``ws`` are ``[n, num_ws, w_dim]``, truncated."""
        return Scene(self.G, self.look, seeds, draw_classes=True)

    def scenes(self) -> Iterator[Scene]:
        """A scene on each batch in turn."""
        return map(self.scene, self.batches())

    def ws(self) -> Iterator[Tensor]:
        """Truncated ws ``[n, num_ws, w_dim]`` of each batch in turn."""
        return (scene.ws for scene in self.scenes())

    def codes(self) -> np.ndarray:
        """Untruncated w of all samples: float32 ``[N, w_dim]`` (the last row, where rows differ)."""
        G, device, rows = self.G, next(self.G.parameters()).device, []
        for start in range(0, len(self), 1024):
            seeds = self.seeds[start : start + 1024]
            with torch.no_grad():
                w = G.mapping(z_from_seeds(seeds, G.z_dim).to(device), self._labels(seeds, device))[:, -1]
            rows.append(w.float().cpu().numpy())
        return np.concatenate(rows)

    def _labels(self, seeds: range, device: torch.device) -> Tensor | None:
        if not self.G.c_dim:
            return None
        drawn = classes_from_seeds(seeds, self.G.z_dim, self.G.c_dim)
        chosen = drawn if self.look.label is None else [self.look.label] * len(seeds)
        return torch.nn.functional.one_hot(torch.tensor(chosen), self.G.c_dim).float().to(device)


@dataclass(frozen=True)
class Measured:
    """Scores, and maybe features, of N pictures.

    Attributes:
        scores: float64 ``[N]`` by attribute.
        features: float32 ``[N, d]``, or None where they were not wanted.
    """

    scores: dict[str, np.ndarray]
    features: np.ndarray | None = None


def measure_ws(
    G: Generator,
    ws_batches: Iterable[Tensor],
    scorer: Scorer,
    *,
    look: Look | None = None,
    features: bool = False,
    advance: Callable[[int], None] = lambda pictures: None,
) -> Measured:
    """Render batches of ws ``[n, num_ws, w_dim]`` one after the other, and score the pictures.

    Args:
        look: noise, precision and input transform; ws are taken as they are.
        features: whether features are wanted as well.
        advance: called with the number of pictures after each batch.

    Raises:
        ScorerError: see :func:`asking.scores_of`.
        FramesError: pixels are NaN or infinite.
        ValueError: there is no batch.
    """
    look = look or Look()
    pictures = (pictures_of(G, ws, look) for ws in ws_batches)
    return measure(pictures, scorer, features=features, advance=advance)


def pictures_of(G: Generator, ws: Tensor, look: Look) -> np.ndarray:
    """Pictures uint8 ``[n, H, W, C]`` of one batch of ws ``[n, num_ws, w_dim]``."""
    size = batch_size(ws.device, len(ws), G.img_resolution)
    with rendering_as(G, look):
        return np.stack(list(render(G, [ws], batch_size=size, noise_mode=look.noise_mode, force_fp32=look.force_fp32)))


def measure(
    pictures: Iterable[np.ndarray],
    scorer: Scorer,
    *,
    features: bool = False,
    advance: Callable[[int], None] = lambda pictures: None,
) -> Measured:
    """As :func:`measure_ws`, of batches of pictures uint8 ``[n, H, W, C]``."""
    scores: list[dict[str, np.ndarray]] = []
    rows: list[np.ndarray] = []
    for batch in pictures:
        scores.append(scores_of(scorer, batch, list(scores[0]) if scores else None))
        if features:
            rows.append(features_of(scorer, batch))
        advance(len(batch))
    if not scores:
        raise ValueError("no pictures to score")
    joined = {name: np.concatenate([part[name] for part in scores]) for name in scores[0]}
    return Measured(joined, np.concatenate(rows) if features else None)


def score_ws(
    G: Generator,
    ws_batches: Iterable[Tensor],
    scorer: Scorer,
    *,
    look: Look | None = None,
    advance: Callable[[int], None] = lambda pictures: None,
) -> dict[str, np.ndarray]:
    """Scores float64 ``[N]`` by attribute; see :func:`measure_ws`."""
    return measure_ws(G, ws_batches, scorer, look=look, advance=advance).scores


def measure_samples(
    samples: Samples,
    scorer: Scorer,
    *,
    features: bool = False,
    advance: Callable[[int], None] = lambda pictures: None,
) -> Measured:
    """Measure the unedited samples; see :func:`measure`."""
    shots = (np.stack(next(scene.pictures([scene.ws]))) for scene in samples.scenes())
    return measure(shots, scorer, features=features, advance=advance)


def measure_edit(
    samples: Samples,
    directions: Directions,
    key: int | str,
    distance: float,
    scorer: Scorer,
    *,
    features: bool = False,
    advance: Callable[[int], None] = lambda pictures: None,
) -> Measured:
    """Measure all samples moved by ``distance`` along one of ``directions`` (of W or Z); see :func:`measure`.

    Raises:
        ValueError: the direction does not fit the network.
    """
    shots = (np.stack(next(scene.shots(directions, key, [distance]))) for scene in samples.scenes())
    return measure(shots, scorer, features=features, advance=advance)


def edits(scene: Scene, directions: Directions, steps: Iterable[tuple[int | str, float]]) -> Iterator[np.ndarray]:
    """Pictures uint8 ``[n, H, W, C]`` of a scene's subjects for each (direction, distance) of ``steps``.

    What the edits of one group of layers leave unchanged is computed once for all of them.
    """
    changes = ((edit_of(directions, key, 1.0), distance) for key, distance in steps)
    for pictures in scene.shots_along(changes, directions):
        yield np.stack(pictures)
