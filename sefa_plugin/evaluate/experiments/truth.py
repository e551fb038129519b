"""With known factors: how well each is recovered, by SeFa in all its variants and by the baselines.

A factor is recovered if a step along its direction changes it in proportion (the *correlation* of distance and
change of the factor, over samples and both ends) and changes nothing else (*disentanglement*).
Both are needed: in a linear network every direction changes every factor in proportion.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ...directions.factorization import factorize_groups
from ...directions.layers import GROUPS
from ..methods.methods import FIRST_CODE, by_chance, by_ganspace
from ..samples.bench import Bench, Changes
from ..statistics import measures
from ..statistics.bootstrap import TIMES, Interval, interval, resampling
from ..statistics.summary import Summary, draws, summarise
from ..tables.heatmap import Heatmap
from ..tables.table import Table
from .baselines import TITLES, find

if TYPE_CHECKING:
    from ...directions.directions import Directions
    from ...networks.generator import Generator
    from ..tables.table import Cell

MEASURES = ("correlation", "change", "share", "preserved", "variety", "rank")
COMPARED = ("correlation", "change", "share", "preserved")
NOTE = (
    "Correlation: mean over the factors of the correlation of distance and change of the factor along its best "
    "direction. Re-scoring, disentanglement, rest preserved, variety, rank: as in the table of methods. Brackets: 95 % "
    "over samples, and over networks where there are several."
)


@dataclass(frozen=True)
class Variant:
    """One way to get directions; ``by`` is one of ``methods.METHODS``.

    ``layers`` may name several groups: the directions are then divided among them.
    """

    name: str
    by: str = "sefa"
    layers: str = "all"
    normalize: bool = True
    torgb: str = "last"
    trunc: float | None = None


DEFAULT = Variant("SeFa (default)")
BY_GROUP = ",".join(GROUPS)
VARIANTS = (
    DEFAULT,
    Variant("not normalised", normalize=False),
    Variant("ToRGB never", torgb="never"),
    Variant("ToRGB always", torgb="always"),
    Variant("not normalised, ToRGB always", normalize=False, torgb="always"),
    Variant("coarse only", layers="coarse"),
    Variant("middle only", layers="middle"),
    Variant("fine only", layers="fine"),
    Variant("groups together", layers=BY_GROUP),
    Variant("single layers together", layers="each"),
    Variant("truncation 0.7", trunc=0.7),
    Variant("GANSpace", by="ganspace"),
    Variant("GANSpace, groups together", by="ganspace", layers=BY_GROUP),
    Variant(TITLES["interfacegan"], by="interfacegan"),
    Variant(TITLES["interfacegan-c"], by="interfacegan-c"),
    Variant("chance", by="chance"),
    Variant("chance, groups together", by="chance", layers=BY_GROUP),
    Variant("sharp by layers", by="sharpen-layers"),
    Variant("sharp by layers, groups together", by="sharpen-layers", layers=BY_GROUP),
    Variant("sharp by pictures", by="sharpen-pictures"),
    Variant("sharp by pictures, groups together", by="sharpen-pictures", layers=BY_GROUP),
)


def fitting(G: Generator, variants: Sequence[Variant] = VARIANTS) -> list[Variant]:
    """The variants that a network has layers for."""
    found = []
    for variant in variants:
        try:
            _divided(G, variant, len(VARIANTS))
        except ValueError:
            continue
        found.append(variant)
    return found


def _divided(G: Generator, variant: Variant, count: int) -> list[tuple[str, int]]:
    """Specifications of single groups, with the number of directions of each.

    Raises:
        ValueError: the network has no such layers.
    """
    from ...directions.layers import select_layers
    from ...networks.style_layers import style_layers

    groups = select_layers(style_layers(G), variant.layers, variant.torgb)
    rows = [str(group.ws_indices[0]) for group in groups]
    specs = rows if variant.layers == "each" else variant.layers.split(",")
    counts = [count // len(specs) + (at < count % len(specs)) for at in range(len(specs))]
    return [(spec, number) for spec, number in zip(specs, counts) if number]


@dataclass(frozen=True, eq=False)
class Unit:
    """The measures of each variant on one network with one set of samples."""

    network: int
    summaries: Mapping[str, Summary]


def cost(bench: Bench, variants: Sequence[Variant], count: int) -> int:
    """Pictures that :func:`measure_unit` renders, about."""
    return len(variants) * len(bench.samples) * (2 * count + 1)


def measure_unit(
    bench: Bench, variants: Sequence[Variant], count: int, scored: int, codes: int, *, seed: int, network: int = 0
) -> Unit:
    """Compute the measures of every variant on one set of samples.

    Args:
        bench: the network, its scorer and the samples; psi 1.
        count: directions of each variant.
        scored, codes: samples that InterFaceGAN and GANSpace take.
        seed: of splits, random directions and GANSpace's samples.
        network: number of the network.
    """
    weights = draws(len(bench.samples), seed=seed)
    summaries: dict[str, Summary] = {}
    spread: np.ndarray | None = None
    for variant in variants:
        look = bench.look if variant.trunc is None else replace(bench.look, trunc=variant.trunc)
        changes, intended = _changes(bench.replace(look), variant, count, scored, codes, seed)
        if spread is None:  # all variants use the standard deviations of the first one
            spread = measures.spreads(changes.before)
        summaries[variant.name] = summarise(changes, intended, spread=spread, weights=weights)
    return Unit(network, summaries)


def _changes(
    bench: Bench, variant: Variant, count: int, scored: int, codes: int, seed: int
) -> tuple[Changes, tuple[str, ...]]:
    parts: list[Changes] = []
    intended: list[str] = []
    held: Directions
    made: tuple[str, ...]
    for layers, number in _divided(bench.G, variant, count):
        if variant.by == "sefa":
            (held,) = factorize_groups(bench.G, layers, "w", variant.normalize, variant.torgb, number)
            made = ()
        elif variant.by == "ganspace":
            first = FIRST_CODE + seed * codes
            found = by_ganspace(bench.G, number, layers, variant.torgb, look=bench.look, samples=codes, first=first)
            held, made = found.directions, found.intended
        elif variant.by == "chance":
            found = by_chance(bench.G, number, layers, variant.torgb, seed=1000 * seed + len(parts))
            held, made = found.directions, found.intended
        else:
            (found,) = find(bench, [variant.by], number, layers, variant.torgb, scored=scored, seed=seed)
            held, made = found.directions, found.intended
        parts.append(bench.changes(bench.calibrated(held)))
        intended += made or ("",) * len(held)
    return _joined(parts), tuple(intended)


def _joined(parts: Sequence[Changes]) -> Changes:
    """Directions of several groups as one set; the samples are the same."""
    return Changes(
        parts[0].names,
        parts[0].before,
        np.concatenate([part.places for part in parts]),
        np.concatenate([part.scores for part in parts]),
        np.concatenate([part.visible for part in parts]),
    )


@dataclass(frozen=True)
class Result:
    """Of one variant over all units: means, and differences from the default, by measure."""

    variant: str
    values: Mapping[str, Interval]
    differences: Mapping[str, Interval]
    factors: Mapping[str, Mapping[str, Interval]]  # measure -> factor


def gather(units: Sequence[Unit], variants: Sequence[Variant]) -> list[Result]:
    """Join the units: sets of samples are averaged, networks are resampled as well where there are several."""
    picks = _networks(units)
    names = _names(units)
    results = []
    for variant in variants:
        mine = [unit.summaries[variant.name] for unit in units]
        values, differences = {}, {}
        factors: dict[str, dict[str, Interval]] = {}
        for measure in MEASURES:
            values[measure] = _interval_over(*_mean(mine, measure, names), picks, units)
            differences[measure] = between(units, variant.name, variants[0].name, measure)
            if measure in COMPARED:
                factors[measure] = {name: _interval_over(*_mean(mine, measure, [name]), picks, units) for name in names}
        results.append(Result(variant.name, values, differences, factors))
    return results


def between(units: Sequence[Unit], one: str, other: str, measure: str) -> Interval:
    """How much more of a measure a variant has than another, over all units, on the same samples."""
    names = _names(units)
    (value, replicates), (value0, replicates0) = (
        _mean([unit.summaries[variant] for unit in units], measure, names) for variant in (one, other)
    )
    return _interval_over(value - value0, replicates - replicates0, _networks(units), units)


def _names(units: Sequence[Unit]) -> list[str]:
    """The factors that vary among the samples of every unit and variant."""
    summaries = [one for unit in units for one in unit.summaries.values()]
    return [name for name in summaries[0].names if all(name in one.names for one in summaries)]


def _mean(summaries: Sequence[Summary], measure: str, names: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """The mean over factors, for each unit ``[U]`` and resampling ``[U, B]``."""
    values, replicates = [], []
    for one in summaries:
        value, again = one.values[measure], one.replicates[measure]
        if np.ndim(value):
            at = [one.names.index(name) for name in names]
            value, again = value[at].mean(), again[:, at].mean(axis=1)
        values.append(value)
        replicates.append(again)
    return np.array(values), np.stack(replicates)


def _networks(units: Sequence[Unit]) -> np.ndarray:
    """How often each network is drawn in each resampling, ``[B, networks]``; always once where there is one."""
    count = len({unit.network for unit in units})
    return np.ones((TIMES, 1)) if count == 1 else resampling(count, TIMES, seed=1)


def _interval_over(values: np.ndarray, replicates: np.ndarray, picks: np.ndarray, units: Sequence[Unit]) -> Interval:
    """The mean over networks of values ``[U]``, with replicates ``[U, B]``; ``picks`` of :func:`_networks`."""
    networks = sorted({unit.network for unit in units})
    of = np.array([networks.index(unit.network) for unit in units])
    each = np.stack([replicates[of == at].mean(axis=0) for at in range(len(networks))], axis=1)  # [B, networks]
    middle = np.mean([values[of == at].mean() for at in range(len(networks))])
    return interval(float(middle), (each * picks).mean(axis=1))


def table_of(results: Sequence[Result]) -> Table:
    """The table of measures: a row for each variant, a column for each measure."""
    columns = ["variant", "correlation", "re-scoring", "disentanglement", "rest preserved", "variety", "rank"]
    rows: list[list[Cell]] = [[result.variant, *(result.values[measure] for measure in MEASURES)] for result in results]
    return Table("Factors recovered", columns, rows, NOTE)


def differences(results: Sequence[Result]) -> Table:
    """Differences of each variant from the first, on the same samples, and which of them are significant."""
    words = ["correlation", "re-scoring", "disentanglement", "rest preserved"]
    rows: list[list[Cell]] = []
    for result in results[1:]:
        found = [result.differences[measure] for measure in COMPARED]
        clear = [
            f"{'more' if one.low > 0 else 'less'} {word}" for one, word in zip(found, words) if one.low * one.high > 0
        ]
        rows.append([result.variant, *found, ", ".join(clear) or "nothing"])
    note = f"Difference from {results[0].variant} on the same samples; clear is where the brackets leave 0 out."
    return Table(f"Against {results[0].variant}", ["variant", *words, "clear"], rows, note)


def by_factor(results: Sequence[Result], measure: str, title: str) -> Table:
    """One measure, factors down, variants across."""
    names = list(results[0].factors[measure])
    rows: list[list[Cell]] = [[name, *(result.factors[measure][name] for result in results)] for name in names]
    return Table(title, ["factor", *(result.variant for result in results)], rows, NOTE)


def heatmap(results: Sequence[Result], measure: str, title: str) -> Heatmap:
    """One measure, ``[variants, factors]``."""
    matrix = np.array([[found.value for found in result.factors[measure].values()] for result in results])
    return Heatmap(matrix, [result.variant for result in results], list(results[0].factors[measure]), title)


def details(results: Sequence[Result]) -> dict[str, object]:
    """All results as JSON values."""
    return {
        result.variant: {
            "values": {measure: found.as_list() for measure, found in result.values.items()},
            "factors": {
                measure: {name: found.as_list() for name, found in held.items()}
                for measure, held in result.factors.items()
            },
        }
        for result in results
    }
