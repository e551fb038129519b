"""The commands of `sefa evaluate` that compare methods, layers and variants."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from . import options
from .evaluate_stage import Stage
from .progress import Progress
from .shell import Command, usage, warn


@click.command(cls=Command)
@options.network
@options.scoring
@click.option(
    "--methods",
    default="sefa,ganspace,interfacegan,interfacegan-c,chance",
    help="Which to compare.",
    metavar="LIST",
)
@options.one_group
@click.option(
    "-K",
    "--num-directions",
    type=click.IntRange(min=1),
    help="Directions of each method.  [default: as many as attributes]",
    metavar="INT",
)
@options.train_samples
@options.code_samples
@options.split_seed
@click.option(
    "--features",
    help="Scorer whose features the Frechet distance takes, or none.  [default: the scorer, where it has any]",
    metavar="SCORER|none",
)
@click.option("--real", help="Real pictures to compare edited ones with as well.", metavar="FOLDER")
@options.measuring
def baselines(**given: Any) -> None:
    """Compare SeFa with GANSpace, InterFaceGAN and chance: equal layers, equal visible change, one table.

    \b
    Examples:
      sefa evaluate baselines --network demo --samples 500
      sefa evaluate baselines --network ffhq.pkl --scorer my_scorer.py:score --methods sefa,ganspace --layers middle
    """
    from ..evaluate.experiments import baselines as work

    with Progress() as progress:
        stage = Stage(given, progress)
        bench = stage.bench
        eyes = _eyes(given, bench)
        real = _real(given["real"], eyes) if eyes is not None and given["real"] else None
        methods = [name.strip() for name in given["methods"].split(",")]
        count = min(given["num_directions"] or len(stage.attributes), bench.G.w_dim)
        supervised = any(name.startswith("interfacegan") for name in methods)
        portraits = 0 if eyes is None else len(bench.samples)
        pictures = len(methods) * (2 * count * len(bench.samples) + portraits) + 2 * portraits
        pictures += given["train_samples"] * supervised
        progress.expect(pictures, pictures * stage.pace)
        with usage():
            found = work.find(
                bench,
                methods,
                count,
                given["layers"],
                given["torgb"],
                scored=given["train_samples"],
                codes=given["code_samples"],
                seed=given["seed"],
                skip=lambda name, error: progress.say(f"{name} is left out: {error}"),
            )
            floor = None if eyes is None else work.floors(bench, eyes, real, portraits)
            outcomes = work.compare(bench, found, eyes, real, portraits)
    table = work.table_of(outcomes, floor)
    about = stage.about(details=work.details(outcomes), real=Path(given["real"]).name if given["real"] else "")
    click.echo(table.markdown(), nl=False)
    stage.write("baselines", table, about)
    stage.write("baselines-agreement", work.agreement_of(outcomes), stage.about(), ["csv"])
    for measure, title in (("change", "Re-scoring"), ("share", "Disentanglement"), ("preserved", "Rest preserved")):
        stage.write(f"baselines-{measure}", work.by_attribute(outcomes, measure, title), stage.about(), ["csv"])
    for one in outcomes:
        path = stage.folder / f"{one.found.method}.safetensors"
        one.found.directions.save(path)
        click.echo(f"  {path}")


def _eyes(given: dict[str, Any], bench: Any) -> Any:
    """What the Fréchet distance sees with; None for nothing."""
    from ..evaluate.scorers.scorers import load_scorer

    if given["features"] == "none":
        return None
    eyes = bench.scorer
    if given["features"]:
        with usage():
            eyes = load_scorer(given["features"], device=str(next(bench.G.parameters()).device))
    if callable(getattr(eyes, "features", None)):
        return eyes
    if given["features"]:
        raise click.UsageError(f"--features {given['features']}: this scorer has no features(pictures)")
    return None


def _real(folder: str, eyes: Any) -> Any:
    """Features of the pictures in a folder."""
    import numpy as np

    from ..evaluate.samples.folder import pictures_in
    from ..evaluate.scorers.asking import ask_features

    return np.concatenate([ask_features(eyes, batch) for batch in pictures_in(folder)])


@click.command(cls=Command)
@options.network
@options.scoring
@click.option("-K", "--num-directions", type=click.IntRange(min=1), default=5, help="Of each layer.", metavar="INT")
@click.option("--torgb", type=click.Choice(["last", "never", "always"]), default="last", help="ToRGB layers to use.")
@click.option("--normalize/--no-normalize", default=True, help="Scale weight rows to unit length.")
@options.measuring
def hierarchy(**given: Any) -> None:
    """Find out which layers hold what: every layer alone, and each group, scored at equal visible change.

    \b
    Examples:
      sefa evaluate hierarchy --network demo --samples 300
    """
    from ..evaluate.experiments import hierarchy as work
    from ..evaluate.tables.heatmap import write_heatmap

    with Progress() as progress:
        stage = Stage(given, progress)
        with usage():
            directions = work.factorised(stage.bench.G, given["num_directions"], given["torgb"], given["normalize"])
        pictures = sum(stage.bench.cost(held) for held in directions)
        progress.expect(pictures, pictures * stage.pace)
        found = work.levels(stage.bench, directions)
    about = stage.about(levels=work.details(found))
    stage.write("hierarchy", work.table_of(found), about, ["csv", "json"])
    stage.write("hierarchy-homes", work.homes(found), stage.about(), ["csv"])
    path = stage.folder / "hierarchy.png"
    write_heatmap(path, work.grid(found), comment=about["command"], **work.captions(found))
    click.echo(f"  {path}")
    click.echo(work.homes(found).markdown(), nl=False)


@click.command(cls=Command)
@options.network
@click.option(
    "--also", multiple=True, help="Another training of the same kind of network; may be repeated.", metavar="FILE"
)
@options.scoring
@click.option(
    "--sets", type=click.IntRange(1, 100), default=3, help="Sets of samples, each of --samples.", metavar="INT"
)
@click.option(
    "-K",
    "--num-directions",
    type=click.IntRange(min=1),
    help="Directions of each variant.  [default: as many as attributes]",
    metavar="INT",
)
@click.option("--variants", help="Which, by number, like 0,3-5.  [default: all]", metavar="LIST")
@options.train_samples
@options.code_samples
@options.measuring
def truth(**given: Any) -> None:
    """Find out how well each factor is recovered, by SeFa in all its variants and by the baselines.

    Meant for networks whose factors a scorer reads reliably, as that of the bundled one does.

    \b
    Variants ("together": as many directions, divided among the groups or layers):
       0 SeFa (default)
       1 not normalised
       2 ToRGB never
       3 ToRGB always
       4 not normalised, ToRGB always
       5 coarse only
       6 middle only
       7 fine only
       8 groups together
       9 single layers together
      10 truncation 0.7
      11 GANSpace
      12 GANSpace, groups together
      13 InterFaceGAN
      14 InterFaceGAN, conditional
      15 chance
      16 chance, groups together

    \b
    Examples:
      sefa evaluate truth --network demo --samples 100
      sefa evaluate truth --network demo --also second.pkl --also third.pkl
    """
    from ..evaluate.experiments import truth as work
    from ..evaluate.tables.heatmap import write_heatmap
    from ..rendering.typed_edits import parse_seeds

    with usage():
        wanted = parse_seeds(given["variants"]) if given["variants"] else list(range(len(work.VARIANTS)))
        if max(wanted) >= len(work.VARIANTS):
            raise ValueError(f"variant {max(wanted)}: there are 0-{len(work.VARIANTS) - 1}")
    units = []
    with Progress() as progress:
        first = Stage(given, progress)
        others = {**given, "overwrite": False}  # the parts of all lie in one folder
        stages = [first, *(Stage(others, progress, path, first.bench.scorer) for path in given["also"])]
        variants = [work.VARIANTS[at] for at in dict.fromkeys([0, *wanted])]
        for stage in stages:
            known = work.fitting(stage.bench.G, variants)
            for variant in variants:
                if variant not in known:
                    warn(f"{variant.name} is left out: {stage.opened.record.name} has no such layers")
            variants = known
        count = min(given["num_directions"] or len(stages[0].attributes), *(stage.bench.G.w_dim for stage in stages))
        pictures = sum(work.cost(stage.bench, variants, count) * given["sets"] for stage in stages)
        pictures += given["train_samples"] * len(stages) * any(v.by.startswith("interfacegan") for v in variants)
        progress.expect(pictures, pictures * stages[0].pace)
        for number, stage in enumerate(stages):
            for at in range(given["sets"]):
                bench = stage.bench.seen_as(first=given["first_seed"] + at * given["samples"])
                unit = work.measure_unit(
                    bench, variants, count, given["train_samples"], given["code_samples"], seed=at, network=number
                )
                units.append(unit)
    results = work.gather(units, variants)
    stage = stages[0]
    about = stage.about(
        sets=given["sets"],
        networks=[one.opened.record.name for one in stages],
        results=work.details(results),
        differences=work.differences(results).as_lists(),
    )
    table = work.table_of(results)
    click.echo(table.markdown(), nl=False)
    stage.write("truth", table, about)
    stage.write("truth-differences", work.differences(results), stage.about(), ["csv", "png"])
    for measure, title in (("correlation", "How well each factor is recovered"), ("share", "How purely")):
        stage.write(f"truth-{measure}", work.by_factor(results, measure, title), stage.about(), ["csv"])
        path = stage.folder / f"truth-{measure}.png"
        write_heatmap(path, work.grid(results, measure), comment=about["command"], **work.captions(results, title))
        click.echo(f"  {path}")
