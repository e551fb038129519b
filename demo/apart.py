"""Directions apart by marks, beside InterFaceGAN at equal labels: ``python -m demo.apart``.

Each of the first sharp directions of the bundled network is taken apart from another one that does most of what it
also does. The marks are those of somebody who looks at the two factors only: a picture is wanted if the second one
changes less than half as much as the first. Prints what remains of it, on samples that had no part in the marks.
"""

from __future__ import annotations

import click
import numpy as np

from sefa_plugin import factorize, load_network
from sefa_plugin.directions.apart import amount_of, combined
from sefa_plugin.evaluate.methods.interfacegan import project_boundary, train_boundary
from sefa_plugin.evaluate.methods.methods import along
from sefa_plugin.evaluate.samples.bench import Bench
from sefa_plugin.evaluate.scorers.predictor import load_predictor
from sefa_plugin.evaluate.statistics.bootstrap import interval, resampling
from sefa_plugin.evaluate.statistics.measures import spreads
from sefa_plugin.rendering.frames import render

LABELLED = 1000
MARKED_FROM, LABELLED_FROM = 40_000, 30_000  # seeds; the bench measures with those from 1,000 on
METHODS = (
    "as it is",
    "by marks",
    "conditional on the second factor",
    "conditional, 1,000 labels",
    "InterFaceGAN, conditional",
)


def pairs_of(shares: np.ndarray) -> list[tuple[int, int, int, int]]:
    """Direction, other direction, wanted factor and unwanted one, for the mean changes ``[directions, factors]``.

    The wanted factor is the one that a direction changes most; the unwanted one that of its others which it changes
    most among those that another direction changes most, which is the other direction.
    """
    parts = shares / shares.sum(axis=1, keepdims=True)
    first, found = parts.argmax(axis=1), []
    for direction, row in enumerate(parts):
        unwanted = max(set(first) - {first[direction]}, key=lambda factor: row[factor])
        other = max(np.flatnonzero(first == unwanted), key=lambda at: parts[at, unwanted])
        found.append((direction, int(other), int(first[direction]), int(unwanted)))
    return found


class World:
    """The bundled network, the predictor of its factors, and a bench."""

    def __init__(self, samples: int) -> None:
        self.G, self.scorer = load_network("demo"), load_predictor()
        self.bench = Bench(self.G, self.scorer, count=samples)
        self.codes, self.labelled, _ = self.bench.replace(count=LABELLED, first=LABELLED_FROM).scored_samples()

    def moves(self, vectors: np.ndarray) -> tuple[np.ndarray, list[tuple[float, float]]]:
        """Changes of all factors at equal visible change, in their spreads, ``[k, N, factors]``; and the ranges."""
        held = self.bench.calibrated(along(self.G, vectors, label="trial"))
        changes = self.bench.changes(held)
        self.names = changes.names
        self.spread = spreads(changes.before)
        return changes.moves / self.spread, [ends for ends in held.ranges if ends is not None]

    def marked(self, vectors: np.ndarray, reach: tuple[float, float], amounts: np.ndarray, first: int) -> np.ndarray:
        """Changes of the factors in the pictures that are marked, ``[marks, factors]``."""
        import torch

        z = np.stack(
            [np.random.RandomState(MARKED_FROM + first + at).randn(self.G.z_dim) for at in range(len(amounts))]
        )
        with torch.no_grad():
            ws = self.G.mapping(torch.from_numpy(z))
            steps = reach[0] * vectors[0] + np.outer(amounts * reach[1], vectors[1])
            moved = ws + torch.from_numpy(steps).float()[:, None]
            scores = [self._scored(one) for one in (ws, moved)]
        return np.abs(scores[1] - scores[0]) / self.spread

    def _scored(self, ws: object) -> np.ndarray:
        held = self.scorer(np.stack(list(render(self.G, ws, batch_size=32))))
        return np.stack([held[name] for name in self.names], axis=1)

    def boundary(self, factor: int, labels: slice) -> np.ndarray:
        """InterFaceGAN's, from some of the labels: one half of them the highest, the other the lowest."""
        some = self.labelled[self.names[factor]][labels]
        return train_boundary(self.codes[labels], some, chosen=0.5, split=1.0).normal


def table(found: dict[str, list[np.ndarray]]) -> list[str]:
    """A table of what remains, over all pairs, with intervals over the samples.

    Args:
        found: for each method and each pair the mean changes of the unwanted factor, of the wanted one, and of all
            together, of each sample: ``[3, samples]``.
    """
    samples = found[METHODS[0]][0].shape[1]
    again = np.concatenate([np.ones((1, samples)), resampling(samples)])
    held = {name: np.einsum("bn,pmn->bpm", again, np.stack(some)) for name, some in found.items()}
    left = {name: changes[..., 0] / changes[..., 1] for name, changes in held.items()}
    columns = "| direction | second factor, of the first | wanted factor, of all | less than as it is |"
    lines = [columns, "|---|---:|---:|---:|"]
    for name, changes in held.items():
        both = (left[name], changes[..., 1] / changes[..., 2])
        parts = [interval(one[0].mean(), one[1:].mean(axis=1)) for one in both]
        fewer = int((left[name] < left[METHODS[0]])[0].sum())
        lines.append(f"| {name} | {parts[0]} | {parts[1]} | {fewer} of {len(left[name][0])} |")
    return lines


@click.command()
@click.option("--samples", default=100, show_default=True, help="Of the measurement.")
@click.option("--marks", default=20, show_default=True, help="Pictures that are marked for each direction, and labels.")
@click.option("--count", default=14, show_default=True, help="Directions.")
@click.option("--times", default=3, show_default=True, help="Other marks and labels, for each direction.")
def main(samples: int, marks: int, count: int, times: int) -> None:
    """Compare ways of taking two directions apart at equal labels; some minutes."""
    world = World(samples)
    sharp = factorize(world.G, sharpen="layers", num_directions=count).vectors.astype(np.float64)
    before, ranges = world.moves(sharp)
    shares = before.mean(axis=1)
    found: dict[str, list[np.ndarray]] = {name: [] for name in METHODS}
    for direction, other, wanted, unwanted in pairs_of(shares):
        pair = sharp[[direction, other]]
        reach = tuple(max(ranges[at], key=abs) for at in (direction, other))
        vectors: dict[str, list[np.ndarray]] = {name: [] for name in METHODS}
        for time in range(times):
            amounts = np.linspace(-1, 1, marks)
            changed = world.marked(pair, reach, amounts, time * marks)
            said = changed[:, unwanted] < changed[:, wanted] / 2
            amount = amount_of(amounts, said).value if 0 < said.sum() < marks else 0.0
            some = slice(time * marks, (time + 1) * marks)
            half = slice(some.start, some.start + marks // 2), slice(some.start + marks // 2, some.stop)
            one, two = world.boundary(wanted, half[0]), world.boundary(unwanted, half[1])
            made = {
                "by marks": combined(pair, (reach[0], amount * reach[1])),
                "conditional on the second factor": project_boundary(pair[:1], [world.boundary(unwanted, some)])[0],
                "InterFaceGAN, conditional": project_boundary(one, [two])[0],
            }
            for name, vector in made.items():
                vectors[name].append(vector)
        vectors["conditional, 1,000 labels"] = [
            project_boundary(pair[:1], [world.boundary(unwanted, slice(LABELLED))])[0]
        ]
        moved = {name: world.moves(np.stack(some))[0] for name, some in vectors.items() if some}
        moved["as it is"] = before[[direction]]
        for name, changes in moved.items():
            both = np.stack([changes[..., unwanted], changes[..., wanted], changes.sum(axis=-1)])
            found[name].append(both.mean(axis=1))
        row = {name: f"{some[-1][0].mean() / some[-1][1].mean():.2f}" for name, some in found.items()}
        click.echo(f"{direction} ({world.names[wanted]}) apart from {other} ({world.names[unwanted]}): {row}", err=True)
    click.echo("\n".join(table(found)))


if __name__ == "__main__":
    main()
