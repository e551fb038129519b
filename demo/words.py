"""Do the words of a sheet say what changes? ``python -m demo.words``.

The words come from pictures alone. The bundled predictor, which never sees them, reads the factors of the drawn world
from other pictures of the same directions; asked is whether the kind of the first words (motion, shape, colour, light
or backdrop) is that of the factor that changes most, in standard deviations over samples. Where two factors of
different kinds change by as much, within two standard errors over the samples, either is right (``tied``).

``--drawn`` asks the same of faces that are drawn anew with one factor changed, so that the truth is exact.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import click
import numpy as np

from demo.world import FACTORS, NAMES, draw, sample_factors
from sefa_plugin.directions.factorization import factorize
from sefa_plugin.evaluate.scorers.predictor import Predictor, load_predictor
from sefa_plugin.media.effect import Effect, describe
from sefa_plugin.networks.building import load_network
from sefa_plugin.rendering.calibration import calibrate
from sefa_plugin.rendering.edits import edit_of
from sefa_plugin.rendering.look import Look
from sefa_plugin.rendering.scene import Scene
from sefa_plugin.rendering.shards import Shard, View

GROUPS = ("all", "coarse", "middle", "fine")
COUNT = 10  # directions of a group
UNSEEN = range(600, 608)  # seeds whose pictures the words are measured on; none was looked at while they were made
READ = range(1000, 1100)  # seeds that the predictor reads
KINDS = {
    **dict.fromkeys(("turn", "tilt", "size", "x", "y"), "motion"),
    **dict.fromkeys(("smile", "eyes", "hair_length", "wrinkles", "glasses"), "shape"),
    **dict.fromkeys(("hair_colour", "skin"), "colour"),
    "light": "light",
    "background": "backdrop",
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
    groups: Sequence[str] = GROUPS,
    count: int = COUNT,
    seeds: Sequence[int] = UNSEEN,
    read: Sequence[int] = READ,
    done: Callable[[Judged], None] = lambda judged: None,
) -> list[Judged]:
    """Judge the strongest directions of groups of layers of the bundled network.

    Args:
        groups, count: which ones.
        seeds: what the words are measured on.
        read: what the predictor reads.
        done: called with each.
    """
    G, predictor, found = load_network("demo"), load_predictor(), []
    scene = Scene(G, View(Look(), (*seeds, *read)))
    before = np.array(list(scene.pictures(Shard.of_everyone(scene.view))))
    first = predictor(before[len(seeds) :])
    usual = {name: float(values.std()) for name, values in first.items()}
    for group in groups:
        directions = calibrate(G, factorize(G, group, num_directions=count))
        for index, (low, high) in enumerate(directions.ranges):
            shard = Shard.along(scene.view, edit_of(directions, index, 1.0), (low, high))
            shown = np.array(list(scene.pictures(shard))).reshape(2, *before.shape)
            ends = [shown[side] if end else None for side, end in enumerate((low, high))]
            effect = describe(before[: len(seeds)], *(None if one is None else one[: len(seeds)] for one in ends))
            factors, kinds = _read(predictor, usual, shown[:, len(seeds) :])
            found.append(Judged(group, index, factors, kinds, effect))
            done(found[-1])
    return found


def _read(predictor: Predictor, usual: dict[str, float], ends: np.ndarray) -> tuple[dict[str, float], tuple[str, ...]]:
    low, high = (predictor(pictures) for pictures in ends)
    changes = {name: (high[name] - low[name]) / 2 / usual[name] for name in usual}
    means = {name: float(values.mean()) for name, values in changes.items()}
    order = sorted(means, key=lambda name: -abs(means[name]))
    most = changes[order[0]] * np.sign(means[order[0]])
    kinds = [KINDS[order[0]]]
    for name in order[1:]:
        late = most - changes[name] * np.sign(means[name])
        if late.mean() < 2 * late.std() / len(late) ** 0.5:
            kinds.append(KINDS[name])
    return {name: means[name] for name in order}, tuple(dict.fromkeys(kinds))


def drawn(subjects: int = 6, seed: int = 5) -> dict[str, Effect]:
    """The words for each factor of the drawn world alone, by its name: from one deviation below to one above."""
    middle = sample_factors(np.random.RandomState(seed), subjects)
    result = {}
    for place, name in enumerate(NAMES):
        low, high = FACTORS[name]
        ends = []
        for sign in (-1, 1):
            moved = middle.copy()
            step = 1.0 if name == "glasses" else (high - low) / 12**0.5  # worn or not
            moved[:, place] = np.clip(middle[:, place] + sign * step, low, high)
            ends.append([draw(row) for row in moved])
        result[name] = describe([draw(row) for row in middle], *ends)
    return result


@click.command(context_settings={"show_default": True})
@click.option("--seeds", default=len(UNSEEN), help="How many subjects the words are measured on; a sheet has 3.")
@click.option("--first-seed", default=UNSEEN[0], help="Of these subjects.")
@click.option("--drawn", "of_faces", is_flag=True, help="Judge faces that are drawn with one factor changed.")
def main(seeds: int, first_seed: int, of_faces: bool) -> None:
    """Judge the words of the ten strongest directions of each group of layers of the bundled network."""
    if of_faces:
        effects = drawn()
        for name, effect in effects.items():
            mark = "=" if effect.kind == KINDS[name] else " "
            click.echo(f"{name:12} {KINDS[name]:9}{mark} {', '.join(effect.words)}")
        click.echo(f"of the right kind: {sum(effects[name].kind == KINDS[name] for name in effects)} of {len(effects)}")
        return

    def show(one: Judged) -> None:
        mark = "=" if one.right else "~" if one.tied else " "
        factors = " ".join(f"{name} {value:+.2f}" for name, value in list(one.factors.items())[:3])
        kinds = "/".join(one.kinds)
        click.echo(f"{one.group:7}{one.index:2} {mark} {factors:48} {kinds:16} | {', '.join(one.effect.words)}")

    click.echo("= the kind of the factor that changes most, ~ of one that changes as much within its error")
    found = judge(seeds=range(first_seed, first_seed + seeds), done=show)
    for group in GROUPS:
        mine = [one for one in found if one.group == group]
        right, tied = sum(one.right for one in mine), sum(one.tied for one in mine)
        click.echo(f"{group}: {right} of {len(mine)}, with ties {tied}")


if __name__ == "__main__":
    main(prog_name="python -m demo.words")
