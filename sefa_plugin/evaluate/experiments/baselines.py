"""Compare methods in one table, with equal layers, number of directions and visible change."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ..methods.interfacegan import require_packages
from ..methods.methods import (
    CODES,
    FIRST_CODE,
    METHODS,
    Found,
    by_boundaries,
    by_chance,
    by_ganspace,
    by_sefa,
    by_sharpening,
    without_the_others,
)
from ..samples.bench import Bench, ranges_of
from ..statistics import measures
from ..statistics.bootstrap import Interval, interval, jackknife
from ..statistics.summary import Summary, draws, summarise
from ..tables.table import Table

if TYPE_CHECKING:
    from ..scorers.interface import Scorer
    from ..tables.table import Cell

GROUPS = 10  # of samples, left out one at a time
TITLES = {
    "sefa": "SeFa",
    "ganspace": "GANSpace",
    "interfacegan": "InterFaceGAN",
    "interfacegan-c": "InterFaceGAN, conditional",
    "chance": "chance",
}
NOTE = (
    "All methods edit the same layers by equally many directions to equal visible change. Re-scoring: mean over the "
    "attributes of the change, from one end to the other, by the direction that changes it most (InterFaceGAN: that "
    "was made for it), in standard deviations. Disentanglement: share of that direction's whole change. Rest "
    "preserved: 1 is untouched, 0 as unlike as another sample. Variety: attributes that some direction changes by more "
    "than half a standard deviation. Rank: effective rank of the matrix. Frechet: distance of edited pictures from "
    "unedited ones, and from real ones where given. Like SeFa: mean absolute cosine with the most similar direction of "
    "SeFa. Brackets: 95 % over samples."
)


@dataclass(frozen=True, eq=False)
class Outcome:
    """The measured effects of one method's directions."""

    found: Found
    summary: Summary
    visible: float
    frechet: Interval | None  # from unedited pictures
    real: Interval | None  # from real ones
    like_sefa: float | None

    @property
    def title(self) -> str:
        """Name of the method in tables."""
        return TITLES.get(self.found.method, self.found.method)


def check_methods(methods: Sequence[str]) -> None:
    """Check that methods are known, and that their packages are installed.

    Raises:
        ValueError: an unknown method.
        MissingExtra: a package is not installed.
    """
    unknown = sorted(set(methods) - set(METHODS))
    if unknown:
        raise ValueError(f"method {unknown[0]!r}: choose from {', '.join(METHODS)}")
    if any(name.startswith("interfacegan") for name in methods):
        require_packages()


def find(
    bench: Bench,
    methods: Sequence[str],
    count: int,
    layers: str = "all",
    torgb: str = "last",
    *,
    scored: int,
    codes: int = CODES,
    first: int = FIRST_CODE,
    seed: int = 0,
    skip: Callable[[str, Exception], None] | None = None,
) -> list[Found]:
    """Find directions by several methods.

    Args:
        methods: of ``METHODS``.
        count: directions of each; InterFaceGAN gives one for each attribute.
        scored: samples that InterFaceGAN is trained on.
        codes: samples of w for GANSpace.
        first, seed: first seed of their samples, and seed of splits and random directions.
        skip: see :func:`by_boundaries`.

    Raises:
        ValueError: an unknown method, or as the methods.
        BoundaryError: InterFaceGAN finds no boundary.
        MissingExtra: a package is not installed.
    """
    check_methods(methods)
    found: dict[str, Found] = {}
    if "sefa" in methods:
        found["sefa"] = by_sefa(bench.G, count, layers, torgb=torgb)
    for way in ("layers", "pictures"):
        if f"sharpen-{way}" in methods:
            found[f"sharpen-{way}"] = by_sharpening(bench.G, count, layers, way)
    if "ganspace" in methods:
        found["ganspace"] = by_ganspace(bench.G, count, layers, torgb, look=bench.look, samples=codes, first=first)
    if {"interfacegan", "interfacegan-c"} & set(methods):
        points, scores, seconds = bench.replace(count=scored, first=first).scored_samples()
        supervised, _ = by_boundaries(bench.G, points, scores, seconds, layers, torgb, seed, skip)
        found["interfacegan"] = supervised
        if "interfacegan-c" in methods:
            found["interfacegan-c"] = without_the_others(bench.G, supervised, layers, torgb)
    if "chance" in methods:
        found["chance"] = by_chance(bench.G, count, layers, torgb, seed)
    return [found[name] for name in methods]


def compare(
    bench: Bench,
    methods: Sequence[Found],
    feature_scorer: Scorer | None = None,
    real: np.ndarray | None = None,
    portraits: int = 2000,
) -> list[Outcome]:
    """Calibrate, edit and score the directions of each method, and compute the measures.

    Args:
        methods: see :func:`find`.
        feature_scorer: one with ``features``, for the Fréchet distance; None leaves that out.
        real: features of real pictures, if there are any.
        portraits: number of samples for the Fréchet distance.
    """
    weights = draws(len(bench.samples))
    sefa = next((found.directions.vectors for found in methods if found.method == "sefa"), None)
    plain = None if feature_scorer is None else unedited(bench, feature_scorer, portraits)
    outcomes = []
    for found in methods:
        directions = bench.calibrated(found.directions)
        changes = bench.changes(directions)
        summary = summarise(changes, found.intended, weights=weights)
        frechet = nearness = None
        if feature_scorer is not None and plain is not None:
            features = bench.replace(count=portraits).features(feature_scorer, directions)
            frechet = distance(features, plain)
            nearness = None if real is None else distance(features, real)
        alike = None if sefa is None else measures.best_match(found.directions.vectors, sefa)
        visible = float(changes.visible[changes.places != 0].mean())
        outcomes.append(Outcome(replace(found, directions=directions), summary, visible, frechet, nearness, alike))
    return outcomes


def unedited(bench: Bench, feature_scorer: Scorer, count: int) -> np.ndarray:
    """Features of unedited samples with other seeds, the reference for the edited ones."""
    return bench.replace(count=count, first=bench.samples.seeds.start + 10 * count).features(feature_scorer)


def distance(features: np.ndarray, reference: np.ndarray) -> Interval:
    """Fréchet distance, with its jackknife interval over groups of the samples."""
    value = measures.frechet_distance(features, reference)
    group = np.arange(len(features)) % GROUPS
    return jackknife(
        value, np.array([measures.frechet_distance(features[group != at], reference) for at in range(GROUPS)])
    )


def floors(
    bench: Bench, feature_scorer: Scorer, real: np.ndarray | None = None, portraits: int = 2000
) -> tuple[Interval, Interval | None]:
    """Fréchet distances of unedited samples, from other unedited samples and from real pictures."""
    features = bench.replace(count=portraits).features(feature_scorer)
    apart = distance(features, unedited(bench, feature_scorer, portraits))
    return apart, None if real is None else distance(features, real)


def table_of(outcomes: Sequence[Outcome], floor: tuple[Interval, Interval | None] | None = None) -> Table:
    """The table of all measures; ``floor`` is the result of :func:`floors`."""
    columns = ["method", "re-scoring", "disentanglement", "rest preserved", "Frechet", "Frechet, real", "variety"]
    columns += ["rank", "like SeFa", "visible change", "directions", "seconds"]
    rows: list[list[Cell]] = []
    if floor is not None:
        rows.append(["no edit", None, None, None, *floor, *[None] * 6])
    for one in outcomes:
        summary = [one.summary.mean(measure) for measure in ("change", "share", "preserved")]
        variety = f"{one.summary.values['variety']:.0f} of {len(one.summary.names)}"
        rest: list[Cell] = [variety, one.summary.mean("rank"), one.like_sefa, one.visible]
        directions = len(one.found.directions)
        rows.append([one.title, *summary, one.frechet, one.real, *rest, directions, one.found.seconds])
    kept = [at for at in range(len(columns)) if any(row[at] is not None for row in rows)]
    return Table(
        "Methods on the same footing", [columns[at] for at in kept], [[row[at] for at in kept] for row in rows], NOTE
    )


def by_attribute(outcomes: Sequence[Outcome], measure: str, title: str) -> Table:
    """One measure, attributes down, methods across."""
    names = outcomes[0].summary.names
    rows: list[list[Cell]] = [[name, *(one.summary.of(measure, name) for one in outcomes)] for name in names]
    return Table(title, ["attribute", *(one.title for one in outcomes)], rows)


def difference(one: Outcome, other: Outcome, measure: str) -> Interval:
    """How much more of a measure the first has than the second, on the same samples, averaged over the attributes."""

    def mean(values: np.ndarray) -> np.ndarray:
        return values.mean(axis=-1) if np.ndim(one.summary.values[measure]) else values

    values = (mean(held.summary.values[measure]) for held in (one, other))
    replicates = (mean(held.summary.replicates[measure]) for held in (one, other))
    return interval(float(next(values) - next(values)), next(replicates) - next(replicates))


def agreement_of(outcomes: Sequence[Outcome]) -> Table:
    """The mean absolute cosine of best matches between any two methods."""
    vectors = [one.found.directions.vectors for one in outcomes]
    rows: list[list[Cell]] = [
        [one.title, *(measures.best_match(mine, other) for other in vectors)] for one, mine in zip(outcomes, vectors)
    ]
    note = (
        "Mean over the directions of a row's method of the absolute cosine with the most similar one of the column's."
    )
    return Table("Agreement", ["method", *(one.title for one in outcomes)], rows, note)


def details(outcomes: Sequence[Outcome]) -> dict[str, Mapping[str, object]]:
    """All results as JSON values: for each method the matrix, and each attribute's direction."""
    return {
        one.found.method: {
            "attributes": list(one.summary.names),
            "matrix": one.summary.matrix.round(5).tolist(),
            "ranges": [list(ends) for ends in ranges_of(one.found.directions)],
            "own": {
                name: {
                    "direction": int(one.summary.chosen[at]),
                    **{m: one.summary.of(m, name).as_list() for m in ("change", "share", "preserved", "correlation")},
                }
                for at, name in enumerate(one.summary.names)
            },
            **one.found.about,
        }
        for one in outcomes
    }
