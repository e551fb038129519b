"""The commands of `sefa evaluate` that compare methods, layers and variants."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from . import options
from .evaluate import FOLDER, Setting, scorer_given
from .files import File, Folder
from .given import Given, claimed, look, open_for_pictures, outdir
from .progress import reporter
from .shell import Command, report, usage, warn

if TYPE_CHECKING:
    from ..evaluate.scorers.interface import Scorer


@click.command(cls=Command)
@options.network
@options.scoring
@click.option(
    "--methods", default="sefa,ganspace,interfacegan,interfacegan-c,chance", help="Which to compare.", metavar="LIST"
)
@options.one_group
@options.count("Directions of each method.  [default: as many as attributes]")
@options.train_samples
@options.code_samples
@options.split_seed
@click.option(
    "--features",
    help="Scorer whose features the Frechet distance takes, or none.  [default: the scorer, where it has any]",
    metavar="SCORER|none",
)
@click.option(
    "--real", type=Folder(there=True), help="Real pictures to compare edited ones with as well.", metavar="FOLDER"
)
@options.measuring
def baselines(**given: Any) -> None:
    """Compare SeFa with GANSpace, InterFaceGAN and chance: equal layers, equal visible change, one table.

    \b
    Examples:
      sefa evaluate baselines --network demo --samples 500
      sefa evaluate baselines --network ffhq.pkl --scorer my_scorer.py:score --methods sefa,ganspace --layers middle
    """
    from ..directions.kept import keep_result
    from ..evaluate.experiments import baselines as work
    from ..evaluate.samples.folder import paths_in

    methods = _listed(given["methods"])
    with usage():
        work.check_methods(methods)
    if given["real"]:
        paths_in(given["real"])  # raises where it holds no pictures
    scorer = scorer_given(given)
    feature_scorer = _feature_scorer(given, scorer)
    with reporter() as progress:
        setting = Setting(given, progress, scorer=scorer)
        bench = setting.bench
        real = _real(given["real"], feature_scorer) if feature_scorer is not None and given["real"] else None
        count = min(given["num_directions"] or len(setting.attributes), bench.G.w_dim)
        supervised = any(name.startswith("interfacegan") for name in methods)
        portraits = 0 if feature_scorer is None else len(bench.samples)
        pictures = len(methods) * (2 * count * len(bench.samples) + portraits) + 2 * portraits
        pictures += given["train_samples"] * supervised
        progress.expect(pictures)
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
                skip=lambda name, error: warn(f"{name} is left out: {error}"),
            )
            floor = None if feature_scorer is None else work.floors(bench, feature_scorer, real, portraits)
            outcomes = work.compare(bench, found, feature_scorer, real, portraits)
    table = work.table_of(outcomes, floor)
    about = setting.about(details=work.details(outcomes), real=Path(given["real"]).name if given["real"] else "")
    setting.show(table)
    setting.write("baselines", table, about)
    setting.write("baselines-agreement", work.agreement_of(outcomes), setting.about(), ["csv"])
    for measure, title in (("change", "Re-scoring"), ("share", "Disentanglement"), ("preserved", "Rest preserved")):
        setting.write(f"baselines-{measure}", work.by_attribute(outcomes, measure, title), setting.about(), ["csv"])
    for one in outcomes:
        path = keep_result(one.found.directions, setting.folder / f"{one.found.method}.safetensors")
        setting.wrote(path)
    setting.finish(table, about)


def _feature_scorer(given: Given, scorer: Scorer) -> Scorer | None:
    """The scorer whose features the Fréchet distance takes; None where it is left out."""
    from ..evaluate.scorers.scorers import load_scorer
    from ..runs.session import device_of

    named = given["features"]
    if named and named != "none":
        with usage():
            scorer = load_scorer(named, device=device_of(given["device"]))
    if named != "none" and callable(getattr(scorer, "features", None)):
        return scorer
    if named and named != "none":
        raise click.UsageError(f"--features {named}: this scorer has no features(pictures)")
    if given["real"]:
        raise click.UsageError("--real is compared by features, which this scorer lacks; name one with --features")
    return None


def _real(folder: str, feature_scorer: Any) -> Any:
    """Features of the pictures in a folder."""
    import numpy as np

    from ..evaluate.samples.folder import pictures_in
    from ..evaluate.scorers.interface import features_of

    return np.concatenate([features_of(feature_scorer, batch) for batch in pictures_in(folder)])


@click.command(cls=Command)
@options.network
@options.scoring
@options.count("Of each layer.", 5)
@options.torgb
@options.normalize
@options.measuring
def hierarchy(**given: Any) -> None:
    """Measure which layers change what: every layer alone, and each group, scored at equal visible change.

    \b
    Examples:
      sefa evaluate hierarchy --network demo --samples 300
    """
    from ..evaluate.experiments import hierarchy as work

    with reporter() as progress:
        setting = Setting(given, progress)
        with usage():
            directions = work.factorised(setting.bench.G, given["num_directions"], given["torgb"], given["normalize"])
        pictures = sum(setting.bench.cost(held) for held in directions)
        progress.expect(pictures)
        found = work.levels(setting.bench, directions)
    about = setting.about(levels=work.details(found))
    setting.write("hierarchy", work.table_of(found), about, ["csv", "json"])
    setting.write("hierarchy-homes", work.homes(found), setting.about(), ["csv"])
    path = setting.folder / "hierarchy.png"
    work.heatmap(found).write(path, setting.comment)
    setting.wrote(path)
    setting.show(work.homes(found))
    setting.finish(work.table_of(found), about)


@click.command(cls=Command)
@options.network
@click.option(
    "--also",
    type=File("network"),
    multiple=True,
    help="Another training of the same kind of network; may be repeated.",
    metavar="FILE",
)
@options.scoring
@options.whole("--sets", low=1, high=100, default=3, help="Sets of samples, each of --samples.")
@options.count("Directions of each variant.  [default: as many as attributes]")
@click.option("--variants", type=options.SEEDS, help="Which, by number, like 0,3-5.  [default: all]", metavar="LIST")
@options.train_samples
@options.code_samples
@options.measuring
def truth(**given: Any) -> None:
    """Measure how well each factor is recovered, by SeFa in all its variants and by the baselines.

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
      17 sharp by layers
      18 sharp by layers, groups together
      19 sharp by pictures
      20 sharp by pictures, groups together

    \b
    Examples:
      sefa evaluate truth --network demo --samples 100
      sefa evaluate truth --network demo --also second.pkl --also third.pkl
    """
    from ..evaluate.experiments import truth as work
    from ..evaluate.experiments.baselines import check_methods

    wanted = list(range(len(work.VARIANTS))) if given["variants"] is None else given["variants"]
    if max(wanted) >= len(work.VARIANTS):
        raise click.UsageError(f"--variants {max(wanted)}: there are 0-{len(work.VARIANTS) - 1}")
    variants = [work.VARIANTS[at] for at in dict.fromkeys([0, *wanted])]
    check_methods([variant.by for variant in variants])
    units = []
    with reporter() as progress:
        first = Setting(given, progress)
        others = {**given, "overwrite": False}  # all share one folder of parts, which is cleared once
        settings = [first, *(Setting(others, progress, path, first.bench.scorer) for path in given["also"])]
        for setting in settings:
            known = work.fitting(setting.bench.G, variants)
            for variant in variants:
                if variant not in known:
                    warn(f"{variant.name} is left out: {setting.session.name} has no such layers")
            variants = known
        count = min(
            given["num_directions"] or len(settings[0].attributes), *(setting.bench.G.w_dim for setting in settings)
        )
        pictures = sum(work.cost(setting.bench, variants, count) * given["sets"] for setting in settings)
        pictures += given["train_samples"] * len(settings) * any(v.by.startswith("interfacegan") for v in variants)
        progress.expect(pictures)
        for number, setting in enumerate(settings):
            for at in range(given["sets"]):
                bench = setting.bench.replace(first=given["first_seed"] + at * given["samples"])
                unit = work.measure_unit(
                    bench, variants, count, given["train_samples"], given["code_samples"], seed=at, network=number
                )
                units.append(unit)
    results = work.gather(units, variants)
    setting = settings[0]
    about = setting.about(
        sets=given["sets"],
        networks=[one.session.name for one in settings],
        results=work.details(results),
        differences=work.differences(results).as_lists(),
    )
    table = work.table_of(results)
    setting.show(table)
    setting.write("truth", table, about)
    setting.write("truth-differences", work.differences(results), setting.about(), ["csv", "png"])
    for measure, title in (("correlation", "How well each factor is recovered"), ("share", "How purely")):
        setting.write(f"truth-{measure}", work.by_factor(results, measure, title), setting.about(), ["csv"])
        path = setting.folder / f"truth-{measure}.png"
        work.heatmap(results, measure, title).write(path, setting.comment)
        setting.wrote(path)
    setting.finish(table, about)


@click.command(cls=Command)
@options.network
@options.one_group
@options.count("How many.", 20)
@options.code_samples
@options.look
@options.rendering
@options.outdir
@options.as_json
@options.strict
@options.debug
def ganspace(**given: Any) -> None:
    """Find directions by GANSpace (principal components of sampled w), to render and compare like SeFa's.

    \b
    Examples:
      sefa evaluate ganspace --network demo
      sefa render --network demo --directions-file sefa-out/demo/evaluate/ganspace.safetensors
    """
    from ..directions.kept import keep_result
    from ..directions.layers import one_group
    from ..evaluate.methods.methods import by_ganspace

    session = open_for_pictures(given)
    folder = outdir(given, session)
    with usage():
        one_group(session.opened.layers, given["layers"], given["torgb"])
    folder = claimed(given, session, folder)
    seen = session.checked(look(given))
    G = session.generator(seen)
    with usage():
        found = by_ganspace(
            G, given["num_directions"], given["layers"], given["torgb"], look=seen, samples=given["code_samples"]
        )
    path = keep_result(found.directions, folder / FOLDER / "ganspace.safetensors")
    sigmas = [entry.sigma for entry in found.directions.entries]
    if given["as_json"]:
        about = {"files": [str(path)], "directions": len(sigmas), "sigmas": sigmas, "seconds": found.seconds}
        click.echo(json.dumps(about, indent=1))
        return
    spread = ", ".join(f"{sigma:.3g}" for sigma in sigmas[:5])
    report(f"{path}: {len(sigmas)} components, standard deviations {spread}, {found.seconds:.1f} s")


@click.command(cls=Command)
@options.network
@options.scoring
@options.one_group
@options.train_samples
@options.split_seed
@click.option("--only", help="Attributes to find boundaries of.  [default: all]", metavar="LIST")
@click.option(
    "--condition", help="Attributes whose boundaries are taken out of all others, or all.", metavar="LIST|all"
)
@click.option(
    "--read",
    "files",
    type=File("boundary"),
    multiple=True,
    help="Boundary files (.npy) to use instead; may be repeated.",
    metavar="FILE",
)
@options.measuring
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
    from ..evaluate.methods import boundaries as work
    from ..evaluate.methods.interfacegan import require_packages

    chosen, conditions = _listed(given["only"]), _listed(given["condition"])
    if given["files"]:
        _read_boundaries(given)
        return
    require_packages()
    with reporter() as progress:
        setting = Setting(given, progress)
        missing = [name for name in [*chosen, *conditions] if name not in setting.attributes and name != "all"]
        if missing:
            option = "--only" if missing[0] in chosen else "--condition"
            raise click.UsageError(f"{option} {missing[0]}: the scorer names {', '.join(setting.attributes)[:200]}")
        progress.expect(given["train_samples"])
        with usage():
            made = work.train(
                setting.bench,
                given["train_samples"],
                chosen or setting.attributes,
                setting.attributes if conditions == ["all"] else conditions,
                given["layers"],
                given["torgb"],
                given["seed"],
                skip=lambda name, error: warn(f"{name} is left out: {error}"),
            )
    if not given["as_json"]:
        for line in made.summary():
            report(line)
    for path in made.save(setting.folder):
        setting.wrote(path)
    if given["as_json"]:
        shares = {name: [held.validation, held.remaining] for name, held in made.boundaries.items()}
        click.echo(json.dumps({"files": setting.files, "validation_and_remaining": shares}, indent=1))


def _listed(text: str | None) -> list[str]:
    return [part.strip() for part in (text or "").split(",") if part.strip()]


def _read_boundaries(given: Given) -> None:
    from ..directions.kept import keep_result
    from ..evaluate.methods.boundaries import read

    session = open_for_pictures(given)
    folder = outdir(given, session)
    G = session.generator(session.checked(look(given)))
    with usage():
        directions = read(G, given["files"], given["layers"], given["torgb"])
    folder = claimed(given, session, folder)
    path = keep_result(directions, folder / FOLDER / "interfacegan.safetensors")
    if given["as_json"]:
        click.echo(json.dumps({"files": [str(path)], "names": directions.names}, indent=1))
        return
    report(f"{path}: {len(directions)} directions: {', '.join(directions.names)}")
