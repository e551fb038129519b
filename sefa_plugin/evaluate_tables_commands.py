"""The commands of `sefa evaluate` that compare methods, layers and variants, or find directions by other methods."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from . import options
from .command import Progress, usage, warn
from .evaluate_commands import evaluate, scorer_given, scoring
from .stages import generator_given, open_given

FOLDER, PARTS = "evaluate", "parts"

layer_options = (
    click.option(
        "--layers", default="all", help="One group: all, coarse, middle, fine, or ws indices.", metavar="LAYERS"
    ),
    click.option(
        "--torgb", type=click.Choice(["last", "never", "always"]), default="last", help="ToRGB layers to use."
    ),
)
train_samples = click.option(
    "--train-samples",
    type=click.IntRange(50, 10_000_000),
    default=10_000,
    help="Samples that InterFaceGAN learns from.",
    metavar="INT",
)
code_samples = click.option(
    "--code-samples",
    type=click.IntRange(2, 100_000_000),
    default=65_536,
    help="Samples of w that GANSpace takes; they cost no picture.",
    metavar="INT",
)
seed = click.option("--seed", type=click.IntRange(0), default=0, help="Of splits and random directions.", metavar="INT")
overwrite = click.option("--overwrite", is_flag=True, help="Measure anew, whatever an earlier run has left.")


def _with(*added: Any) -> Any:
    def apply(function: Any) -> Any:
        for option in reversed(added):
            function = option(function)
        return function

    return apply


_common = _with(options.look, options.rendering, options.outdir, overwrite, options.strict, options.debug)


class _Stage:
    """An open network, its bench, and the folder for what comes of it."""

    def __init__(self, given: dict[str, Any], progress: Progress, network: str | None = None) -> None:
        from .evaluate.bench import Bench
        from .evaluate.parts import Parts
        from .pipeline import check_folder, output_folder

        given = {**given, "network": network or given["network"]}
        self.opened = open_given(given)
        if self.opened.why_no_pictures:
            raise click.ClickException(f"{self.opened.record.path}: {self.opened.why_no_pictures}")
        self.outdir = output_folder(given["outdir"], self.opened.record.name)
        check_folder(self.outdir)
        self.folder = self.outdir / FOLDER
        parts = Parts(self.folder / PARTS)
        if given["overwrite"]:
            parts.clear()
        G, look = generator_given(self.opened, given)
        scorer = scorer_given(given, str(next(G.parameters()).device))
        with usage():
            self.bench = Bench(
                G,
                scorer,
                look,
                count=given["samples"],
                first=given["first_seed"],
                parts=parts,
                advance=progress.advance,
            )
        self.attributes, self.pace = self.bench.trial()

    def about(self, **more: Any) -> dict[str, Any]:
        """What a result says of where it comes from."""
        from .report import without_folders

        bench = self.bench
        return {
            "network": self.opened.record.name,
            "digest": self.opened.record.digest(),
            "scorer": getattr(bench.scorer, "title", ""),
            "samples": len(bench.samples),
            "first_seed": bench.samples.seeds.start,
            "trunc": bench.look.trunc,
            "command": without_folders(sys.argv),
            **more,
        }

    def write(
        self, stem: str, table: Any, about: dict[str, Any], kinds: Sequence[str] = ("csv", "json", "png")
    ) -> None:
        """Write a table in several formats, and say so."""
        for kind in kinds:
            path = self.folder / f"{stem}.{kind}"
            table.write(path, about)
            click.echo(f"  {path}")


@evaluate.command()
@options.network
@scoring
@click.option(
    "--methods",
    default="sefa,ganspace,interfacegan,interfacegan-c,chance",
    help="Which to compare.",
    metavar="LIST",
)
@_with(*layer_options)
@click.option(
    "-K",
    "--num-directions",
    type=click.IntRange(min=1),
    help="Directions of each method.  [default: as many as attributes]",
    metavar="INT",
)
@train_samples
@code_samples
@seed
@click.option(
    "--features",
    help="Scorer whose features the Frechet distance takes, or none.  [default: the scorer, where it has any]",
    metavar="SCORER|none",
)
@click.option("--real", help="Real pictures to compare edited ones with, instead of unedited ones.", metavar="FOLDER")
@_common
def baselines(**given: Any) -> None:
    """Compare SeFa with GANSpace, InterFaceGAN and chance: equal layers, equal visible change, one table.

    \b
    Examples:
      sefa evaluate baselines --network demo --samples 500
      sefa evaluate baselines --network ffhq.pkl --scorer my_scorer.py:score --methods sefa,ganspace --layers middle
    """
    from .evaluate import baselines as work

    with Progress() as progress:
        stage = _Stage(given, progress)
        bench = stage.bench
        eyes = _eyes(given, bench)
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
            reference = floor = None
            if eyes is not None:
                reference = _real(given["real"], eyes) if given["real"] else work.unedited(bench, eyes, portraits)
                floor = work.distance(bench.features(eyes), reference)
            outcomes = work.compare(bench, found, eyes, reference, portraits)
    table = work.table_of(outcomes, floor)
    about = stage.about(details=work.details(outcomes), reference=Path(given["real"]).name if given["real"] else "")
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
    from .evaluate.scorers import load_scorer

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

    from .evaluate.asking import ask_features
    from .evaluate.folder import pictures_in

    return np.concatenate([ask_features(eyes, batch) for batch in pictures_in(folder)])


@evaluate.command()
@options.network
@_with(*layer_options)
@click.option("-K", "--num-directions", type=click.IntRange(min=1), default=20, help="How many.", metavar="INT")
@code_samples
@options.look
@options.rendering
@options.outdir
@options.strict
@options.debug
def ganspace(**given: Any) -> None:
    """Find directions by GANSpace (principal components of sampled w), to render and compare like SeFa's.

    \b
    Examples:
      sefa evaluate ganspace --network demo
      sefa render --network demo --directions-file sefa-out/demo/evaluate/ganspace.safetensors
    """
    from .evaluate.methods import by_ganspace
    from .pipeline import check_folder, output_folder

    opened = open_given(given)
    outdir = output_folder(given["outdir"], opened.record.name)
    check_folder(outdir)
    G, look = generator_given(opened, given)
    with usage():
        found = by_ganspace(
            G, given["num_directions"], given["layers"], given["torgb"], look=look, samples=given["code_samples"]
        )
    path = outdir / FOLDER / "ganspace.safetensors"
    found.directions.save(path)
    spread = ", ".join(f"{value:.3g}" for value in found.directions.sigmas[:5])
    click.echo(f"{path}: {len(found.directions)} components, standard deviations {spread}, {found.seconds:.1f} s")


@evaluate.command()
@options.network
@scoring
@_with(*layer_options)
@train_samples
@seed
@click.option("--only", help="Attributes to find boundaries of.  [default: all]", metavar="LIST")
@click.option(
    "--condition", help="Attributes whose boundaries are taken out of all others, or all.", metavar="LIST|all"
)
@click.option(
    "--read", "files", multiple=True, help="Boundary files (.npy) to use instead; may be repeated.", metavar="FILE"
)
@_common
def boundary(**given: Any) -> None:
    """Find directions by InterFaceGAN: the boundary between samples that score high and low.

    Writes ATTRIBUTE_boundary.npy in the layout of the authors' code, and all of them as interfacegan.safetensors,
    whose directions are called by their attributes. With --read, boundaries of that layout become such a file.

    \b
    Examples:
      sefa evaluate boundary --network demo
      sefa render --network demo --directions-file sefa-out/demo/evaluate/interfacegan.safetensors --directions smile
      sefa evaluate boundary --network demo --only smile,glasses --condition wrinkles
      sefa evaluate boundary --network ffhq.pkl --read stylegan_ffhq_age_w_boundary.npy
    """
    from .evaluate import boundaries as work

    chosen, conditions = _listed(given["only"]), _listed(given["condition"])
    if given["files"]:
        _read_boundaries(given)
        return
    with Progress() as progress:
        stage = _Stage(given, progress)
        missing = [name for name in [*chosen, *conditions] if name not in stage.attributes and name != "all"]
        if missing:
            raise click.UsageError(f"attribute {missing[0]}: the scorer names {', '.join(stage.attributes)[:200]}")
        progress.expect(given["train_samples"], given["train_samples"] * stage.pace)
        with usage():
            made = work.train(
                stage.bench,
                given["train_samples"],
                chosen or stage.attributes,
                stage.attributes if conditions == ["all"] else conditions,
                given["layers"],
                given["torgb"],
                given["seed"],
                skip=lambda name, error: progress.say(f"{name} is left out: {error}"),
            )
    for line in made.told():
        click.echo(line)
    for path in made.save(stage.folder):
        click.echo(f"  {path}")


def _listed(text: str | None) -> list[str]:
    return [part.strip() for part in (text or "").split(",") if part.strip()]


def _read_boundaries(given: dict[str, Any]) -> None:
    from .evaluate.boundaries import read
    from .pipeline import check_folder, output_folder

    opened = open_given(given)
    outdir = output_folder(given["outdir"], opened.record.name)
    check_folder(outdir)
    G, _ = generator_given(opened, given)
    with usage():
        directions = read(G, given["files"], given["layers"], given["torgb"])
    path = outdir / FOLDER / "interfacegan.safetensors"
    directions.save(path)
    click.echo(f"{path}: {len(directions)} directions: {', '.join(directions.names)}")


@evaluate.command()
@options.network
@scoring
@click.option("-K", "--num-directions", type=click.IntRange(min=1), default=5, help="Of each layer.", metavar="INT")
@click.option("--torgb", type=click.Choice(["last", "never", "always"]), default="last", help="ToRGB layers to use.")
@click.option("--normalize/--no-normalize", default=True, help="Scale weight rows to unit length.")
@_common
def hierarchy(**given: Any) -> None:
    """Find out which layers hold what: every layer alone, and each group, scored at equal visible change.

    \b
    Examples:
      sefa evaluate hierarchy --network demo --samples 300
    """
    from .evaluate import hierarchy as work
    from .evaluate.heatmap import write_heatmap

    with Progress() as progress:
        stage = _Stage(given, progress)
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


@evaluate.command()
@options.network
@click.option(
    "--also", multiple=True, help="Another training of the same kind of network; may be repeated.", metavar="FILE"
)
@scoring
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
@click.option("--variants", help="Numbers of the variants, like 0,3-5.  [default: all]", metavar="LIST")
@train_samples
@code_samples
@_common
def truth(**given: Any) -> None:
    """Find out how well each factor is recovered, by SeFa in all its variants and by the baselines.

    Meant for networks whose factors a scorer reads reliably, as that of the bundled one does.

    \b
    Examples:
      sefa evaluate truth --network demo --samples 100
      sefa evaluate truth --network demo --also second.pkl --also third.pkl
    """
    from .evaluate import truth as work
    from .evaluate.heatmap import write_heatmap
    from .typed import parse_seeds

    with usage():
        wanted = parse_seeds(given["variants"]) if given["variants"] else list(range(len(work.VARIANTS)))
        if max(wanted) >= len(work.VARIANTS):
            raise ValueError(f"variant {max(wanted)}: there are 0-{len(work.VARIANTS) - 1}")
    units = []
    with Progress() as progress:
        stages = [_Stage(given, progress, path) for path in (given["network"], *given["also"])]
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
