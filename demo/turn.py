"""What was tried so that turning heads and glasses come apart: ``python -m demo.turn``.

Sharp directions leave both mixed. Each way gives as many directions of the bundled network; they are judged at equal
visible change by the predictor of its factors, which none of them has seen, on samples that had no part in them.
"""

from __future__ import annotations

from collections.abc import Callable

import click
import numpy as np

from sefa_plugin import Directions, factorize, load_network
from sefa_plugin.directions.codes import covariance, deviations
from sefa_plugin.directions.picture_grams import changes
from sefa_plugin.directions.sharp import POOL, jointly_diagonal, rotated, scales, sharpen
from sefa_plugin.evaluate.methods.methods import along
from sefa_plugin.evaluate.samples.bench import Bench
from sefa_plugin.evaluate.scorers.predictor import load_predictor
from sefa_plugin.evaluate.statistics.summary import summarise
from sefa_plugin.networks.style_layers import style_layers

FACTORS = ("turn", "glasses")
CODES, CELLS = 8192, 8


class Ways:
    """The ways of finding directions of one network, each a function of how many.

    Args:
        G: the network.
        samples: whose pictures are looked at.
    """

    def __init__(self, G: object, samples: int) -> None:
        self.G, self.samples = G, samples
        self.basis = scales(covariance(G, CODES))
        self.matrices = [np.asarray(layer.weight, dtype=np.float64) * layer.weight_gain for layer in style_layers(G)]
        self._seen: np.ndarray | None = None

    @property
    def all(self) -> dict[str, Callable[[int], Directions]]:
        """By name, as in the table."""
        return {
            "sharp by layers": lambda count: factorize(self.G, sharpen="layers", num_directions=count),
            "sharp by pictures": lambda count: factorize(self.G, sharpen="pictures", num_directions=count),
            "covariance within clusters": self.within_clusters,
            "most consistent": self.most_consistent,
            "sharp ones, chosen by consistency": self.chosen_by_consistency,
            "a vector for each layer (W+)": self.each_row,
            "style channels, clustered (W+)": self.style_channels,
        }

    def within_clusters(self, count: int, clusters: int = 8) -> Directions:
        """Sharp by layers, with the covariance within clusters of codes: what tells clusters apart is not in it."""
        from sklearn.cluster import KMeans

        codes = deviations(self.G, CODES).astype(np.float64)
        place = KMeans(clusters, n_init=2, random_state=0).fit_predict(codes)
        for cluster in range(clusters):
            codes[place == cluster] -= codes[place == cluster].mean(axis=0)
        found = sharpen(self.matrices, codes.T @ codes / len(codes))
        return along(self.G, found.vectors[:count], label="clusters")

    @property
    def seen(self) -> np.ndarray:
        """Changes of pictures along the strongest components of w, ``[samples, POOL, channels, height, width]``."""
        if self._seen is None:
            every = changes(self.G, self.basis[:, :POOL], range(self.G.num_ws), range(self.samples), lambda count: None)
            self._seen = np.stack([change.numpy() for change in every])
        return self._seen

    def _consistency(self) -> tuple[np.ndarray, np.ndarray]:
        """Grams of the mean change, and of all changes: a direction's share of the first in the second is 1 where all
        samples change alike."""
        flat = self.seen.reshape(self.samples, POOL, -1)
        mean = flat.mean(axis=0)
        return mean @ mean.T, np.mean([one @ one.T for one in flat], axis=0)

    def most_consistent(self, count: int) -> Directions:
        """The generalised eigenvectors of both Grams, rotated by cells of the mean change."""
        alike, every = self._consistency()
        values, columns = np.linalg.eigh(every + 0.01 * np.trace(every) / POOL * np.eye(POOL))
        unit = columns / np.sqrt(values) @ columns.T
        best = np.linalg.qr(unit @ np.linalg.eigh(unit @ alike @ unit)[1][:, ::-1][:, :count])[0]
        grams = _cells(np.tensordot(self.seen, best, axes=(1, 0)).transpose(0, 4, 1, 2, 3))
        return along(self.G, rotated(self.basis[:, :POOL] @ best, grams).vectors, label="consistent")

    def chosen_by_consistency(self, count: int) -> Directions:
        """Of all sharp directions, by layers and by pictures, one after the other that is most consistent beside what
        the chosen ones change."""
        both = [factorize(self.G, sharpen=way).vectors.astype(np.float64) for way in ("layers", "pictures")]
        steps = np.linalg.lstsq(self.basis[:, :POOL], np.concatenate(both).T, rcond=None)[0]
        alike, every = self._consistency()
        steps /= np.sqrt(np.einsum("pk,pq,qk->k", steps, every, steps))
        overlap, score = steps.T @ every @ steps, np.einsum("pk,pq,qk->k", steps, alike, steps)
        chosen: list[int] = []
        while len(chosen) < count:
            rest = score * (1 - np.square(overlap[chosen]).max(axis=0, initial=0))
            rest[chosen] = -1
            chosen.append(int(rest.argmax()))
        return along(self.G, np.concatenate(both)[chosen], label="chosen")

    def each_row(self, count: int, components: int = 20) -> Directions:
        """Sharp by pictures, with a vector of its own for each row of ws."""
        rows, basis = range(self.G.num_ws), self.basis[:, :components]
        seen = [
            np.concatenate([next(changes(self.G, basis, [row], [sample], lambda count: None)).numpy() for row in rows])
            for sample in range(self.samples)
        ]
        whole = np.sum([one.reshape(len(one), -1) @ one.reshape(len(one), -1).T for one in seen], axis=0)
        pool = np.linalg.eigh(whole)[1][:, ::-1][:, :POOL]
        R = jointly_diagonal(_cells(np.stack([np.tensordot(pool.T, one, axes=1) for one in seen])))
        strengths = np.diagonal((pool @ R).T @ whole @ (pool @ R))
        mixed = (pool @ R)[:, np.argsort(-strengths)[:count]].reshape(len(rows), components, count)
        vectors = np.einsum("dc,rck->krd", basis, mixed)
        vectors /= np.sqrt(np.square(vectors).sum(axis=2).mean(axis=1))[:, None, None]
        return Directions.of(vectors, np.ones(count), list(rows), label="rows", num_ws=self.G.num_ws)

    def style_channels(self, count: int) -> Directions:
        """Single style channels of convolutions, by what they change in the mean: those that change the same are one
        direction. A channel's step is the row of w that moves it alone, by one of its standard deviations."""
        from sklearn.cluster import SpectralClustering

        varied, steps, rows, changed = covariance(self.G, CODES), [], [], []
        for row in range(self.G.num_ws):
            layer = next((one for one in style_layers(self.G) if one.ws_index == row and one.kind != "torgb"), None)
            if layer is None:
                continue
            A = np.asarray(layer.weight, dtype=np.float64) * layer.weight_gain
            alone = np.linalg.pinv(A) * np.sqrt(np.einsum("cd,de,ce->c", A, varied, A))
            seen = changes(self.G, alone, [row], range(self.samples // 2), lambda count: None)
            changed.append(np.mean([one.numpy() for one in seen], axis=0).reshape(alone.shape[1], -1))
            steps.append(alone.T)
            rows += [row] * alone.shape[1]
        change, step = np.concatenate(changed), np.concatenate(steps)
        alike = change @ change.T
        lengths = np.sqrt(np.diagonal(alike))
        cosines = alike / np.outer(lengths, lengths)
        place = SpectralClustering(count, affinity="precomputed", random_state=0).fit_predict(np.abs(cosines))
        vectors = np.zeros((count, self.G.num_ws, step.shape[1]))
        for cluster in range(count):
            mine = np.flatnonzero(place == cluster)
            weights = np.linalg.eigh(alike[np.ix_(mine, mine)])[1][:, -1]
            for channel, weight in zip(mine, weights):
                vectors[cluster, rows[channel]] += weight * step[channel]
        vectors /= np.sqrt(np.square(vectors).sum(axis=2).mean(axis=1))[:, None, None]
        return Directions.of(vectors, np.ones(count), list(range(self.G.num_ws)), label="styles", num_ws=self.G.num_ws)


def _cells(seen: np.ndarray) -> np.ndarray:
    """Grams in the cells of a grid, of changes ``[samples, k, channels, height, width]``: ``[cells, k, k]``."""
    grams = []
    for band in np.array_split(seen, CELLS, axis=3):
        for cell in np.array_split(band, CELLS, axis=4):
            flat = cell.transpose(1, 0, 2, 3, 4).reshape(cell.shape[1], -1)
            grams.append(flat @ flat.T)
    return np.stack(grams)


@click.command()
@click.option("--samples", default=100, show_default=True, help="Of the measurement.")
@click.option("--looked-at", default=16, show_default=True, help="Samples whose pictures the ways look at.")
@click.option("--count", default=14, show_default=True, help="Directions of each way.")
@click.option("--way", "some", multiple=True, help="Only these rows.")
def main(samples: int, looked_at: int, count: int, some: tuple[str, ...]) -> None:
    """Print the table of docs/sharp.md; some minutes."""
    G = load_network("demo")
    bench, ways = Bench(G, load_predictor(), count=samples), Ways(G, looked_at).all
    click.echo(f"| way | disentanglement | {' | '.join(FACTORS)} | rest preserved |\n|{'---|' * (3 + len(FACTORS))}")
    for name in some or ways:
        summary = summarise(bench.changes(bench.calibrated(ways[name](count))))
        parts = [summary.mean("share"), *(summary.of("share", factor) for factor in FACTORS), summary.mean("preserved")]
        click.echo(f"| {name} | {' | '.join(map(str, parts))} |")


if __name__ == "__main__":
    main()
