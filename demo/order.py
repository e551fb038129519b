"""What the order of clean directions is worth: ``python -m demo.order``.

Sharp directions of networks whose factors are known, the first ones by strength and by ``--order clean``, at equal
visible change, on samples that had no part in either order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import click
import numpy as np

from sefa_plugin import factorize, load_network
from sefa_plugin.evaluate.samples.bench import Bench, Changes
from sefa_plugin.evaluate.scorers.scorers import load_scorer
from sefa_plugin.evaluate.statistics.bootstrap import interval
from sefa_plugin.evaluate.statistics.summary import Summary, draws, summarise

COUNTS = (5, 10, 14)


def first(changes: Changes, order: Sequence[int]) -> Summary:
    """The measures of some directions."""
    some = list(order)
    held = replace(changes, places=changes.places[some], scores=changes.scores[some], visible=changes.visible[some])
    return summarise(held, weights=draws(changes.scores.shape[2]))


def purest(found: Summary) -> np.ndarray:
    """For each direction the share of its change that falls on the factor it changes most."""
    size = np.abs(found.matrix)
    shares: np.ndarray = size.max(axis=1) / size.sum(axis=1)
    return shares


def rank_correlation(one: np.ndarray, other: np.ndarray) -> float:
    """Spearman's, without ties."""
    return float(np.corrcoef(one.argsort().argsort(), other.argsort().argsort())[0, 1])


def cells_of(bench: Bench, way: str) -> list[str]:
    """A row of the table, for directions that are sharpened in a ``way``."""
    clean = factorize(bench.G, sharpen=way, order="clean")
    changes = bench.changes(bench.calibrated(clean))
    pure = purest(first(changes, range(len(clean))))
    alike, strengths = np.array([score.alike for score in clean.scores]), np.array(clean.strengths)
    cells = [f"{rank_correlation(pure, rank):.2f}" for rank in (alike, -np.arange(len(clean)), strengths)]
    strongest = np.argsort(-strengths, kind="stable")
    for count in COUNTS:
        sets = first(changes, strongest[:count]), first(changes, range(count))
        for found in sets:
            share, variety = found.mean("share").value, found.values["variety"]
            cells.append(f"{share:.2f}, {purest(found).mean():.2f}, {variety:.0f}")
        by_strength, by_clean = (found.replicates["share"].mean(axis=1) for found in sets)
        more = sets[1].mean("share").value - sets[0].mean("share").value
        cells.append(str(interval(more, by_clean - by_strength)))
    return cells


@click.command()
@click.option("--network", "networks", multiple=True, default=("demo",), help="Network of drawn faces; any number.")
@click.option("--score-only", default="", help="Factors to measure, like turn,smile.  [default: all]", metavar="LIST")
@click.option("--samples", default=100, show_default=True, help="Of the measurement.")
def main(networks: Sequence[str], score_only: str, samples: int) -> None:
    """Print the table of docs/sharp.md; two minutes for each network.

    First rank correlations, over all 32 directions, with the share of a direction's change that falls on the factor it
    changes most: of how alike samples change, of the place in the clean order, and of the strength. Then, of the first
    ones in both orders, disentanglement, the mean of that share, and variety, and how much more disentanglement the
    clean ones have (95 % over the samples).
    """
    scorer = load_scorer("demo", only=[name for name in score_only.split(",") if name])
    titles = ["network, way", "alike", "place", "strength"]
    titles += [title for count in COUNTS for title in (f"first {count}: by strength", "clean", "more")]
    click.echo(f"| {' | '.join(titles)} |\n|---|{'---:|' * (len(titles) - 1)}")
    for name in networks:
        bench = Bench(load_network(name), scorer, count=samples)
        for way in ("layers", "pictures"):
            click.echo(f"| {name}, {way} | {' | '.join(cells_of(bench, way))} |")


if __name__ == "__main__":
    main()
