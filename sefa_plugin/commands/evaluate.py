"""The commands of `sefa evaluate`: effects of directions, measured by attribute scores of edited samples."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from . import options
from .given import Given, factorisation, look, open_for_pictures, outdir, print_remarks
from .given import wanted as wanted_of
from .progress import Progress
from .shell import Group, usage, warn

if TYPE_CHECKING:
    from ..evaluate.scorers.interface import Scorer


FOLDER, PARTS = "evaluate", "parts"  # folders of results and of stored measurements


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


def scorer_given(given: Given, device: str = "cpu") -> Scorer:
    """The scorer of the options; several are combined into one."""
    from ..evaluate.scorers.scorers import load_scorer

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
        return load_scorer(
            *specs,
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
    session = open_for_pictures(given)
    from ..evaluate.experiments.naming_run import score_directions
    from ..evaluate.experiments.rescore import summary
    from ..evaluate.samples.sampling import Samples
    from ..runs.folder import check_folder

    folder, wanted = outdir(given, session.name), wanted_of(given)
    check_folder(folder)
    groups = session.directions(factorisation(given), wanted, folder)
    print_remarks(group.directions for group in groups)
    seen = session.checked(look(given))
    G = session.generator(seen)
    scorer = scorer_given(given, str(next(G.parameters()).device))
    with usage():
        samples = Samples(G, seen, given["samples"], given["first_seed"])
    with Progress() as progress:
        results = score_directions(
            session,
            samples,
            scorer,
            groups,
            wanted,
            folder,
            distance=given["distance"],
            command=sys.argv,
            reporter=progress,
            anew=given["overwrite"],
            give_names=not given["no_names"],
        )
    for table, files in results:
        click.echo(f"{files[0]}: {len(table.rows)} directions, {len(table.effects.attributes)} attributes")
        for line in summary(table):
            click.echo(f"  {line}")


# --- shared by the commands that compare methods --------------------------------------------------


class Setting:
    """An open network, its bench, and the folder of the results."""

    def __init__(
        self, given: Given, progress: Progress, network: str | None = None, scorer: Scorer | None = None
    ) -> None:
        from ..evaluate.samples.bench import Bench
        from ..evaluate.samples.parts import Parts
        from ..runs.folder import check_folder

        self.session = open_for_pictures(given, network)
        folder = outdir(given, "truth" if given.get("also") else self.session.name)
        check_folder(folder)
        self.folder = folder / FOLDER
        parts = Parts(self.folder / PARTS)
        if given["overwrite"]:
            parts.clear()
        seen = self.session.checked(look(given))
        G = self.session.generator(seen)
        scorer = scorer or scorer_given(given, str(next(G.parameters()).device))
        with usage():
            self.bench = Bench(
                G,
                scorer,
                seen,
                count=given["samples"],
                first=given["first_seed"],
                parts=parts,
                advance=progress.advance,
            )
        self.attributes = self.bench.samples.trial(self.bench.scorer)

    def about(self, **more: Any) -> dict[str, Any]:
        """The settings that are written with a result."""
        from ..runs.reproduce import without_folders

        bench = self.bench
        return {
            "network": self.session.name,
            "digest": self.session.opened.record.digest(),
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
        """Write a table in several formats, and print the paths."""
        for kind in kinds:
            path = self.folder / f"{stem}.{kind}"
            table.write(path, {"command": about["command"]} if kind == "png" else about)
            click.echo(f"  {path}")
