"""The commands of `sefa evaluate`: what directions do, by attribute scores of edited samples."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from . import options
from .progress import Progress
from .shell import Group, usage, warn
from .stages import directions_given, generator_given, indices_given, network_about, open_given, save_found


@click.group(cls=Group)
def evaluate() -> None:
    """Measure what directions do, with scorers of attributes.

    A scorer is the bundled predictor (demo), CLIP, an ONNX model, or MODULE:NAME, code of your own, which is imported
    and run: only give one that you trust.

    \b
    Examples:
      sefa evaluate rescore --network demo
      sefa evaluate rescore --network ffhq.pkl --scorer my_scorer.py:score --layers middle -K 8
    """


def scorer_given(given: dict[str, Any], device: str = "cpu") -> Any:
    """The scorer, or several as one, that options name."""
    from ..evaluate.scorers.scorers import load_scorers

    specs = list(given["scorers"])
    if not specs and given["network"] == "demo":
        specs = ["demo"]
    if not specs:
        raise click.UsageError("which attributes? Name a --scorer: clip, open_clip, onnx:FILE, or MODULE:NAME of yours")
    if "demo" in specs and given["network"] != "demo":
        warn("the scorer demo reads the drawn faces of the bundled network; of other pictures it says nothing")
    for option, value in (("--attribute", given["attributes"]), ("--clip-model", given["clip_model"])):
        if value and not {"clip", "open_clip"} & set(specs):
            raise click.UsageError(f"{option} is for --scorer clip or open_clip")
    with usage():
        return load_scorers(
            specs,
            device=device,
            attributes=given["attributes"],
            clip_model=given["clip_model"],
            clip_weights=given["clip_weights"],
        )


@evaluate.command()
@options.network
@options.factorisation
@options.which_directions
@options.scoring
@options.look
@options.rendering
@options.outdir
@click.option("--no-names", is_flag=True, help="Leave the names in the directions file alone.")
@click.option("--overwrite", is_flag=True, help="Score anew, whatever an earlier run has left.")
@options.strict
@options.debug
def rescore(**given: Any) -> None:
    """Score what each direction changes, and name the directions by it.

    Samples are edited to both ends of each direction's range, and a scorer tells what has changed: a matrix of
    directions and attributes with 95 % intervals, as picture, CSV and JSON, on the page of a run in the same folder,
    and as names in the directions file. A name that you have given (`sefa name`) stays. What an interrupted run has
    scored is used by the next one with the same settings.

    \b
    Examples:
      sefa evaluate rescore --network demo
      sefa evaluate rescore --network ffhq.pkl --scorer clip --clip-model ~/clip-vit-base-patch32 \\
          --attribute "glasses=a face with glasses|a face" --attribute "age=an old face|a young face"
      sefa evaluate rescore --network cars.pkl --scorer onnx:colours.onnx --layers coarse,middle,fine -K 10
    """
    from ..directions.keys import parse_keys
    from ..rendering.typed_edits import parse_distance

    with usage():
        distance = parse_distance(given["distance"])
        wanted = parse_keys(given["directions"]) if given["directions"] else None
    opened = open_given(given)
    if opened.why_no_pictures:
        raise click.ClickException(f"{opened.record.path}: {opened.why_no_pictures}")
    from ..runs.folder import check_folder, output_folder

    outdir = output_folder(given["outdir"], opened.record.name)
    check_folder(outdir)
    groups = directions_given(opened, given, wanted, outdir)
    G, look = generator_given(opened, given)
    scorer = scorer_given(given, str(next(G.parameters()).device))
    _rescore(opened, given, groups, wanted, G, look, scorer, outdir, distance)


def _rescore(
    opened: Any,
    given: dict[str, Any],
    groups: list[Any],
    wanted: list[Any] | None,
    G: Any,
    look: Any,
    scorer: Any,
    outdir: Path,
    distance: tuple[float, float] | None,
) -> None:
    """Calibrate, score, write, name."""
    from ..evaluate.experiments import rescore as work
    from ..evaluate.experiments.names import apply_names, record_tables
    from ..evaluate.samples.sampling import Samples
    from ..evaluate.samples.scores import Scores
    from ..rendering.calibration import seeds_for
    from ..rendering.ranges import Ranges
    from ..rendering.scene import Scene
    from ..runs.reproduce import without_folders

    with usage():
        samples = Samples(G, look, given["samples"], given["first_seed"])
        keys = wanted if wanted is not None else range(given["num_directions"])
        chosen = [(group, indices_given(group.directions, keys)) for group in groups]
    settings = work.settings_of(samples, scorer, opened.record.digest())
    path = outdir / work.FOLDER / work.SCORES
    with Progress() as progress:
        taken, attributes = work.trial(samples, scorer)
        scores = Scores(len(samples), settings, path, given["overwrite"])
        if scores.attributes and set(scores.attributes) != set(attributes):  # code of its own may import other code
            progress.say("the scorer names other attributes than before: all is scored anew")
            scores = Scores(len(samples), settings, path, anew=True)
        save_found(groups, given)
        ranges = Ranges(Scene(G, look, seeds_for(G), draw_classes=True), distance, progress.advance)
        measured = []
        for group, indices in chosen:
            unknown = sum(not ranges.known(group, index) for index in indices)
            if unknown:
                progress.say(f"{group.directions.label}: calibrating {unknown} directions")
            ends = [ranges.of(group, index) for index in indices]
            if indices:
                measured.append([work.Row(group.directions, index, *end) for index, end in zip(indices, ends)])

        def begin(pictures: int) -> None:
            if pictures:
                progress.expect(pictures, pictures * taken)
            else:
                progress.say("all of it has been scored before")

        tables = work.rescore(
            samples,
            measured,
            scorer,
            scores=scores,
            about={"network": opened.record.name},
            advance=progress.advance,
            begin=begin,
        )
    command = without_folders(sys.argv)
    paths = {group.directions.label: group.path for group, _ in chosen}
    tables = [apply_names(paths[table.label], table, not given["no_names"]) for table in tables]
    files = [work.write_table(outdir / work.FOLDER, table, command) for table in tables]
    record_tables(outdir, sys.argv, network_about(opened, given), [made[-1] for made in files])
    for table, made in zip(tables, files):
        click.echo(f"{made[0]}: {len(table.rows)} directions, {len(table.effects.attributes)} attributes")
        for line in work.told(table):
            click.echo(f"  {line}")
