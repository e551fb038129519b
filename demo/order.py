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


@click.command()
@click.option("--network", "networks", multiple=True, default=("demo",), help="Network of drawn faces; any number.")
@click.option("--score-only", default="", help="Factors to measure, like turn,smile.  [default: all]", metavar="LIST")
@click.option("--samples", default=100, show_default=True, help="Of the measurement.")
def main(networks: Sequence[str], score_only: str, samples: int) -> None:
    """Print the table of docs/sharp.md; two minutes for each network.

    Cells have disentanglement, the mean share that falls on the factor a direction changes most, and variety; in
    brackets how much more disentanglement the clean ones have, with 95 % over the samples.
    """
    scorer = load_scorer("demo", only=[name for name in score_only.split(",") if name])
    titles = [f"first {count}: by strength | clean" for count in COUNTS]
    click.echo(f"| network, way | alike | {' | '.join(titles)} |\n|---|---:|{'---:|' * 2 * len(COUNTS)}")
    for name in networks:
        G = load_network(name)
        bench = Bench(G, scorer, count=samples)
        for way in ("layers", "pictures"):
            clean = factorize(G, sharpen=way, order="clean")
            changes = bench.changes(bench.calibrated(clean))
            strongest = np.argsort(-np.array(clean.strengths), kind="stable")
            alike = rank_correlation(
                purest(first(changes, range(len(clean)))), np.array([score.alike for score in clean.scores])
            )
            cells = [f"{alike:.2f}"]
            for count in COUNTS:
                sets = first(changes, strongest[:count]), first(changes, range(count))
                for found in sets:
                    share, variety = found.mean("share").value, found.values["variety"]
                    cells.append(f"{share:.2f}, {purest(found).mean():.2f}, {variety:.0f}")
                by_strength, by_clean = (found.replicates["share"].mean(axis=1) for found in sets)
                value = sets[1].mean("share").value - sets[0].mean("share").value
                cells[-1] += f" ({interval(value, by_clean - by_strength)})"
            click.echo(f"| {name}, {way} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
