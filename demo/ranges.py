"""Are calibrated ranges right? Visible change at their ends, by other seeds and other measures.

python -m demo.ranges demo
python -m demo.ranges stylegan3.pkl --layers middle
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import click
import numpy as np

from sefa_plugin.directions.factorization import factorize
from sefa_plugin.networks.building import load_network
from sefa_plugin.rendering.calibration import calibrate
from sefa_plugin.rendering.edits import edit_of
from sefa_plugin.rendering.look import Look
from sefa_plugin.rendering.scene import Scene
from sefa_plugin.rendering.shards import Shard, View

SEEDS = range(100, 112)  # none of them is used for calibration
FACTORS = (0.3, 0.6, 1.0, 1.5)  # of the median range: the fixed distances to compare with


def difference(before: np.ndarray, after: np.ndarray) -> float:
    """Mean absolute difference: uint8 ``[N, H, W, C]`` to levels."""
    return float(np.abs(np.asarray(before, float) - np.asarray(after, float)).mean())


def structure(before: np.ndarray, after: np.ndarray) -> float:
    """1 - SSIM (Wang et al. 2004) of grey pictures, over parts of 8 x 8 pixels."""

    def parts(x: np.ndarray) -> np.ndarray:
        grey = np.asarray(x, float).mean(axis=-1)
        high, wide = (side // 8 * 8 for side in grey.shape[1:])
        return grey[:, :high, :wide].reshape(len(grey), high // 8, 8, wide // 8, 8)

    one, two = parts(before), parts(after)
    axes = (2, 4)
    mean1, mean2 = one.mean(axis=axes), two.mean(axis=axes)
    both = (one * two).mean(axis=axes) - mean1 * mean2
    alike = (2 * mean1 * mean2 + 6.5) * (2 * both + 58.5)
    return float(1 - np.mean(alike / ((mean1**2 + mean2**2 + 6.5) * (one.var(axis=axes) + two.var(axis=axes) + 58.5))))


def colours(before: np.ndarray, after: np.ndarray) -> float:
    """Mean absolute difference of the mean colours of 8 x 8 parts, in levels."""

    def parts(x: np.ndarray) -> np.ndarray:
        rows = [part.mean(axis=1) for part in np.array_split(np.asarray(x, float), 8, axis=1)]
        return np.stack([part.mean(axis=2) for part in np.array_split(np.stack(rows, axis=1), 8, axis=2)], axis=2)

    return float(np.abs(parts(before) - parts(after)).mean())


def variation(values: Iterable[float]) -> float:
    """Standard deviation over mean."""
    values = list(values)
    return float(np.std(values) / np.mean(values))


def compare(G, directions, look: Look) -> dict[str, tuple[float, dict[float, float]]]:
    """For each measure the variation at calibrated ranges, and by fixed distance the one there."""
    scene = Scene(G, View(look, SEEDS))
    before = np.array(list(scene.pictures(Shard.of_everyone(scene.view))))
    seen: dict[tuple[int, float], np.ndarray] = {}

    def change(measure: Callable, index: int, ends: Iterable[float]) -> float:
        for end in ends:
            if (index, end) not in seen:
                shard = Shard.along(scene.view, edit_of(directions, index, 1.0), [end])
                seen[index, end] = np.array(list(scene.pictures(shard)))
        return float(np.mean([measure(before, seen[index, end]) for end in ends]))

    count = len(directions)
    typical = float(np.median(np.abs([end for ends in directions.ranges for end in ends if end])))
    result = {}
    for measure in (difference, colours, structure):
        fitted = variation(change(measure, i, [end for end in directions.ranges[i] if end]) for i in range(count))
        fixed = {}
        for factor in FACTORS:
            far = round(factor * typical, 2)
            fixed[far] = variation(change(measure, i, (-far, far)) for i in range(count))
        result[measure.__name__] = fitted, fixed
    return result


@click.command()
@click.argument("network", default="demo")
@click.option("--layers", default="all", show_default=True)
@click.option("--class", "label", type=int)
def main(network: str, layers: str, label: int | None) -> None:
    """Compare calibrated ranges of the ten strongest directions with fixed distances."""
    G, look = load_network(network), Look(label=label)
    directions = calibrate(G, factorize(G, layers, num_directions=10), look=look)
    for name, (fitted, fixed) in compare(G, directions, look).items():
        others = ", ".join(f"{value:.2f} at {far:g}" for far, value in fixed.items())
        click.echo(f"{name}: variation {fitted:.2f}; at fixed distances {others}")


if __name__ == "__main__":
    main()
