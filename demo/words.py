"""Do the words of a sheet say what changes? ``python -m demo.words [--network vases]``.

The words come from pictures alone. The factors of the drawn world are read from other pictures of the same directions,
by the bundled predictor for faces, by the nearest drawing for vases; asked is whether the kind of the first words
(motion, shape, colour, light or backdrop) is that of the factor that changes most, in standard deviations over samples.
Where two factors of different kinds change by as much, within two standard errors over the samples, either is right
(``tied``).

``--drawn`` asks the same of faces or vases that are drawn anew with one factor changed, so that the truth is exact.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import click
import numpy as np
import torch

from demo import vases
from demo.vase_reader import read_factors
from demo.world import FACTORS, draw, sample_factors
from sefa_plugin.directions.factorization import factorize
from sefa_plugin.evaluate.scorers.predictor import load_predictor
from sefa_plugin.media.effect import Effect, describe
from sefa_plugin.networks.building import load_network
from sefa_plugin.rendering.calibration import calibrate
from sefa_plugin.rendering.edits import edit_of
from sefa_plugin.rendering.frames import to_uint8
from sefa_plugin.rendering.look import Look
from sefa_plugin.rendering.scene import Scene
from sefa_plugin.rendering.shards import Shard, View

GROUPS = ("all", "coarse", "middle", "fine")
COUNT = 10  # directions of a group
SEEDS = range(1300, 1340)  # whose pictures the words are measured on; rules were compared on others, up to 1279
FACES = {
    **dict.fromkeys(("turn", "tilt", "size", "x", "y"), "motion"),
    **dict.fromkeys(("smile", "eyes", "hair_length", "wrinkles", "glasses"), "shape"),
    **dict.fromkeys(("hair_colour", "skin"), "colour"),
    "light": "light",
    "background": "backdrop",
}
VASES = {
    **dict.fromkeys(("tilt", "x", "size"), "motion"),
    **dict.fromkeys(("belly", "shoulder", "neck", "lip", "bands"), "shape"),
    "glaze": "colour",
    **dict.fromkeys(("light", "gloss"), "light"),
    "background": "backdrop",
}
Reader = Callable[[np.ndarray], dict[str, np.ndarray]]  # pictures uint8 [N, H, W, C]: the factors' values [N], by name


class World(NamedTuple):
    """What a network draws.

    Attributes:
        kinds: of its factors' changes.
        read: seeds of the samples whose factors are read.
        reader: for the seeds of pictures, what reads their factors.
    """

    kinds: dict[str, str]
    read: Sequence[int]
    reader: Callable[[Sequence[int]], Reader]


def _reader_of_vases(seeds: Sequence[int]) -> Reader:
    z = torch.from_numpy(np.stack([np.random.RandomState(seed).randn(vases.Z_DIM) for seed in seeds]))
    return lambda pictures: read_factors(pictures, vases.factors_of(z))


WORLDS = {
    "demo": World(FACES, range(1000, 1100), lambda seeds: load_predictor()),
    "vases": World(VASES, range(1000, 1016), _reader_of_vases),
}


class Judged(NamedTuple):
    """One direction.

    Attributes:
        group, index: which one.
        factors: how far each factor changes from the middle to the + end, in standard deviations, largest first.
        kinds: of the factor that changes most, and of those that change as much within their errors.
        effect: the words, and what they were chosen from.
    """

    group: str
    index: int
    factors: dict[str, float]
    kinds: tuple[str, ...]
    effect: Effect

    @property
    def right(self) -> bool:
        """Whether the first words are of the kind of the factor that changes most."""
        return self.effect.kind == self.kinds[0]

    @property
    def tied(self) -> bool:
        """Whether they are of its kind, or of one that changes as much."""
        return self.effect.kind in self.kinds


def judge(
    network: str = "demo",
    groups: Sequence[str] = GROUPS,
    count: int = COUNT,
    seeds: Sequence[int] = SEEDS,
    done: Callable[[Judged], None] = lambda judged: None,
) -> list[Judged]:
    """Judge the strongest directions of groups of layers of a bundled network.

    Args:
        network: one of ``WORLDS``.
        groups, count: which directions.
        seeds: what the words are measured on.
        done: called with each.
    """
    world, G, found = WORLDS[network], load_network(network), []
    reader = world.reader(world.read)
    scene = Scene(G, View(Look(), (*seeds, *world.read)))
    before = np.array(list(scene.pictures(Shard.of_everyone(scene.view))))
    first = reader(before[len(seeds) :])
    usual = {name: float(values.std()) for name, values in first.items()}
    for group in groups:
        directions = calibrate(G, factorize(G, group, num_directions=count))
        for index, (low, high) in enumerate(directions.ranges):
            shard = Shard.along(scene.view, edit_of(directions, index, 1.0), (low, high))
            shown = np.array(list(scene.pictures(shard))).reshape(2, *before.shape)
            ends = [shown[side] if end else None for side, end in enumerate((low, high))]
            effect = describe(before[: len(seeds)], *(None if one is None else one[: len(seeds)] for one in ends))
            factors, kinds = _read(reader, world.kinds, usual, shown[:, len(seeds) :])
            found.append(Judged(group, index, factors, kinds, effect))
            done(found[-1])
    return found


def _read(
    reader: Reader, kinds_of: dict[str, str], usual: dict[str, float], ends: np.ndarray
) -> tuple[dict[str, float], tuple[str, ...]]:
    low, high = (reader(pictures) for pictures in ends)
    changes = {name: (high[name] - low[name]) / 2 / usual[name] for name in usual}
    means = {name: float(values.mean()) for name, values in changes.items()}
    order = sorted(means, key=lambda name: -abs(means[name]))
    most = changes[order[0]] * np.sign(means[order[0]])
    kinds = [kinds_of[order[0]]]
    for name in order[1:]:
        late = most - changes[name] * np.sign(means[name])
        if late.mean() < 2 * late.std() / len(late) ** 0.5:
            kinds.append(kinds_of[name])
    return {name: means[name] for name in order}, tuple(dict.fromkeys(kinds))


def drawn(network: str = "demo", subjects: int = 6, seed: int = 5) -> dict[str, Effect]:
    """The words for each factor of a drawn world alone, by its name: from one deviation below to one above."""
    rng = np.random.RandomState(seed)
    if network == "demo":
        ranges, middle = FACTORS, sample_factors(rng, subjects)
    else:
        ranges = vases.FACTORS
        middle = vases.factors_of(torch.from_numpy(rng.randn(subjects, vases.Z_DIM))).numpy()
    pictures = _drawn_faces if network == "demo" else _drawn_vases
    result = {}
    for place, (name, (low, high)) in enumerate(ranges.items()):
        ends = []
        for sign in (-1, 1):
            moved = middle.copy()
            step = 1.0 if name == "glasses" else (high - low) / 12**0.5  # worn or not
            moved[:, place] = np.clip(middle[:, place] + sign * step, low, high)
            ends.append(pictures(moved))
        result[name] = describe(pictures(middle), *ends)
    return result


def _drawn_faces(factors: np.ndarray) -> list[np.ndarray]:
    return [draw(row) for row in factors]


def _drawn_vases(factors: np.ndarray) -> list[np.ndarray]:
    return list(to_uint8(vases.draw(torch.from_numpy(factors))))


@click.command(context_settings={"show_default": True})
@click.option("--seeds", default=len(SEEDS), help="How many subjects the words are measured on; a sheet has 3.")
@click.option("--first-seed", default=SEEDS[0], help="Of these subjects.")
@click.option("--drawn", "of_drawn", is_flag=True, help="Judge what is drawn with one factor changed.")
@click.option("--network", type=click.Choice(list(WORLDS)), default="demo", help="Bundled network.")
def main(seeds: int, first_seed: int, of_drawn: bool, network: str) -> None:
    """Judge the words of the ten strongest directions of each group of layers of a bundled network."""
    if of_drawn:
        effects, kinds = drawn(network), WORLDS[network].kinds
        for name, effect in effects.items():
            mark = "=" if effect.kind == kinds[name] else " "
            click.echo(f"{name:12} {kinds[name]:9}{mark} {', '.join(effect.words)}")
        click.echo(f"of the right kind: {sum(effects[name].kind == kinds[name] for name in effects)} of {len(effects)}")
        return

    def show(one: Judged) -> None:
        mark = "=" if one.right else "~" if one.tied else " "
        factors = " ".join(f"{name} {value:+.2f}" for name, value in list(one.factors.items())[:3])
        kinds = "/".join(one.kinds)
        click.echo(f"{one.group:7}{one.index:2} {mark} {factors:48} {kinds:16} | {', '.join(one.effect.words)}")

    click.echo("= the kind of the factor that changes most, ~ of one that changes as much within its error")
    found = judge(network, seeds=range(first_seed, first_seed + seeds), done=show)
    for group in GROUPS:
        mine = [one for one in found if one.group == group]
        right, tied = sum(one.right for one in mine), sum(one.tied for one in mine)
        click.echo(f"{group}: {right} of {len(mine)}, with ties {tied}")


if __name__ == "__main__":
    main(prog_name="python -m demo.words")
