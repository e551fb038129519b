"""The commands of `sefa evaluate`: effects of directions, measured by attribute scores of edited samples."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from . import options
from .given import Given, claimed, directions_in, look, open_for_pictures, outdir
from .given import wanted as wanted_of
from .progress import Progress, reporter
from .shell import Group, report, typed_command, usage, warn

if TYPE_CHECKING:
    from ..evaluate.scorers.interface import Scorer
    from ..evaluate.tables.table import Table


FOLDER, PARTS = "evaluate", "parts"  # folders of results and of stored measurements


@click.group(cls=Group, invoke_without_command=True)
@click.pass_context
def evaluate(ctx: click.Context) -> None:
    """Measure what directions do, with scorers of attributes.

    A scorer is the bundled predictor (demo), CLIP, an ONNX model, or MODULE:NAME, code of your own, which is imported
    and run: only give one that you trust.

    \b
    Examples:
      sefa evaluate rescore --network demo
      sefa evaluate rescore --network ffhq.pkl --scorer my_scorer.py:score --layers middle -K 8
    """
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


def scorers_given(given: Given) -> list[str]:
    """The words of all scorers; that of the bundled network has a default."""
    specs = list(given["scorers"]) or ["demo"] * (given["network"] == "demo")
    if not specs:
        raise click.UsageError("Missing option '--scorer': clip, open_clip, onnx:FILE, or MODULE:NAME of yours")
    return specs


def scorer_given(given: Given) -> Scorer:
    """The scorer of the options, on their device; several are combined into one."""
    from ..evaluate.scorers.scorers import load_scorer
    from ..runs.session import device_of

    specs = scorers_given(given)
    if "demo" in specs and given["network"] != "demo":
        warn("--scorer demo is made for the bundled network's drawn faces; its scores of other pictures mean nothing")
    for option, value in (("--attribute", given["attributes"]), ("--clip-model", given["clip_model"])):
        if value and not {"clip", "open_clip"} & set(specs):
            raise click.UsageError(f"{option} is for --scorer clip or open_clip")
    with usage():
        return load_scorer(
            *specs,
            device=device_of(given["device"]),
            attributes=given["attributes"],
            clip_model=given["clip_model"],
            clip_weights=given["clip_weights"],
            only=[name.strip() for name in (given["score_only"] or "").split(",") if name.strip()],
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
@options.overwriting("Score anew, whatever an earlier run has left.")
@options.as_json
@options.strict
@options.debug
def rescore(**given: Any) -> None:
    """Score what each direction changes, and name the directions by it.

    Samples are edited to both ends of each direction's range, and a scorer measures what has changed: a matrix of
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
    scorer = scorer_given(given)
    session = open_for_pictures(given)
    from ..evaluate.experiments.naming_run import score_directions
    from ..evaluate.experiments.rescore import as_json, summary
    from ..evaluate.samples.sampling import Samples

    folder, wanted = outdir(given, session), wanted_of(given)
    seen = session.checked(look(given))
    folder, groups = directions_in(given, session, folder, wanted)
    G = session.generator(seen)
    with usage():
        samples = Samples(G, seen, given["samples"], given["first_seed"])
    with reporter() as progress:
        results = score_directions(
            session,
            samples,
            scorer,
            groups,
            wanted,
            folder,
            distance=given["distance"],
            command=typed_command(),
            reporter=progress,
            anew=given["overwrite"],
            give_names=not given["no_names"],
        )
    if given["as_json"]:
        click.echo(json.dumps([as_json(table) for table, _ in results], indent=1))
        return
    for table, files in results:
        report(f"{files[0]}: {len(table.rows)} directions, {len(table.effects.attributes)} attributes")
        for line in summary(table):
            report(f"  {line}")


# --- shared by the commands that compare methods --------------------------------------------------


class Setting:
    """An open network, its bench, and the folder of the results."""

    def __init__(
        self, given: Given, progress: Progress, network: str | None = None, scorer: Scorer | None = None
    ) -> None:
        from ..directions.layers import one_group
        from ..evaluate.samples.bench import Bench
        from ..evaluate.samples.parts import Parts
        from ..runs.folder import check_folder

        scorer = scorer or scorer_given(given)
        self.as_json, self.files = given["as_json"], list[str]()

        self.session = open_for_pictures(given, network)
        folder = outdir(given, self.session, "truth" if given.get("also") else None)
        if "layers" in given:
            with usage():
                one_group(self.session.opened.layers, given["layers"], given["torgb"])
        if given.get("also"):
            check_folder(folder)
        else:
            folder = claimed(given, self.session, folder)
        self.folder = folder / FOLDER
        parts = Parts(self.folder / PARTS)
        if given["overwrite"]:
            parts.clear()
        seen = self.session.checked(look(given))
        G = self.session.generator(seen)
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
        from ..runs.command_line import line

        bench = self.bench
        return {
            "network": self.session.name,
            "digest": self.session.opened.record.digest(),
            "scorer": getattr(bench.scorer, "title", ""),
            "samples": len(bench.samples),
            "first_seed": bench.samples.seeds.start,
            "trunc": bench.look.trunc,
            "command": line(typed_command()),
            **more,
        }

    @property
    def comment(self) -> str:
        """The command, for the metadata of pictures."""
        from ..runs.command_line import comment, line, portable

        return comment(line(typed_command()), portable(self.folder.parent))

    def write(
        self, stem: str, table: Table, about: dict[str, Any], kinds: Sequence[str] = ("csv", "json", "png")
    ) -> None:
        """Write a table in several formats."""
        for kind in kinds:
            path = self.folder / f"{stem}.{kind}"
            table.write(path, about, self.comment)
            self.wrote(path)

    def wrote(self, path: Path) -> None:
        """Print the path of a file that was written."""
        self.files.append(str(path))
        if not self.as_json:
            report(f"  {path}")

    def show(self, table: Table) -> None:
        """Print a table of results."""
        if not self.as_json:
            report(table.markdown().rstrip())

    def finish(self, table: Table, about: dict[str, Any]) -> None:
        """Print a table as JSON, with the paths of all files, where that is asked for."""
        if self.as_json:
            click.echo(table.json({**about, "files": self.files}), nl=False)
