"""The commands of studies: ``study`` asks people what clips show, ``evaluate study`` reads what they said."""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..system.environment import require_extra
from . import options
from .address import check_address
from .evaluate import FOLDER
from .files import File, Folder, check_folder
from .shell import Command, note, report, typed_command, usage, warn

if TYPE_CHECKING:
    from ..evaluate.tables.table import Table


@click.command(cls=Command)
@click.argument("runs", nargs=-1, required=True, metavar="RUN_FOLDERS", type=Folder(there=True))
@click.option(
    "--outdir",
    type=Folder(),
    default="sefa-out/study",
    show_default=True,
    help="The folder of the study: clips, answers, and which clip shows what.",
    metavar="DIR",
)
@click.option(
    "--ask",
    type=click.Choice(["names", "pairs", "both"]),
    help="What a clip changes, which of two is cleaner, or both.  [default: names; both for several folders]",
)
@click.option(
    "--texts",
    type=File("text"),
    help="Texts of your own: title, instructions, consent, thanks, suggestions (docs/study.md).",
    metavar="FILE",
)
@click.option(
    "--repeats", type=options.within(0, 1), default=0.1, help="Share of questions asked twice.", metavar="SHARE"
)
@options.whole("--catches", low=0, high=100, default=2, help="Clips to catch those who do not look.")
@options.whole("--seed", low=0, high=2**32 - 1, default=0, help="Of the orders.")
@click.option("--static", type=Folder(), help="Write it as plain files, and serve nothing.", metavar="FOLDER")
@options.whole("--port", low=0, high=65535, default=8765, help="Where the page is; 0 takes a free one.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address that is listened at.", metavar="HOST")
@click.option("--allow-host", multiple=True, help="A further name that the page is called by.", metavar="NAME")
@click.option("--token", help="What the page's address must end in.  [default: that of this study]", metavar="TEXT")
@click.option("--browser/--no-browser", default=True, help="Open the page.")
@options.debug
def study(**given: Any) -> None:
    """Ask people what the clips of finished runs change, on a page in the browser.

    Everybody gets all clips in an order of their own, without names and numbers, and every answer is kept at once. Of
    two folders, of the same seeds, clips are compared as well. `sefa evaluate study` reads the answers.

    \b
    Examples:
      sefa study sefa-out/ffhq
      sefa study sefa sefa-ganspace --outdir study --static page
      sefa study sefa-out/ffhq --host 0.0.0.0 --token a-long-secret --no-browser
    """
    alone = given["static"] is not None
    for package in () if alone else ("starlette", "uvicorn"):
        require_extra(package, "the study")
    check_address(given["host"], given["token"])
    from ..study.copy import check_target, copy_study
    from ..study.making import Wanted, make_study

    folder = Path(given["outdir"])
    several = len(given["runs"]) > 1
    wanted = Wanted(
        ask=given["ask"] or ("both" if several else "names"),
        seed=given["seed"],
        repeats=given["repeats"],
        catches=given["catches"],
        texts=Path(given["texts"]) if given["texts"] else None,
    )
    with usage():
        if alone:
            check_target(Path(given["static"]))
        made = make_study([Path(run) for run in given["runs"]], folder, wanted, lambda text: report(text, err=True))
    kinds = [item.kind for item in made.items]
    report(f"{folder}: {kinds.count('one')} clips and {kinds.count('pair')} pairs are asked about", err=True)
    if alone:
        with usage():
            copy_study(made, folder, Path(given["static"]))
        report(f"{Path(given['static']) / 'index.html'}: open it, or put the folder anywhere")
        note(f"keep {folder}: it knows what the clips show; then sefa evaluate study {folder} ANSWERS.jsonl")
        return
    import asyncio

    from ..studio.serving import served
    from ..study.answers import token_of
    from ..study.server import Asked

    def ready(address: str) -> None:
        click.echo(address)
        sys.stdout.flush()
        note(f"answers are in {folder / 'answers'}; Ctrl-C ends the study, the same command goes on with it")
        if given["browser"]:
            import webbrowser

            webbrowser.open(address)

    asked = Asked(made, folder, given["token"] or token_of(folder), warn)
    with suppress(KeyboardInterrupt):
        asyncio.run(served(asked.app, asked.token, given["host"], given["port"], given["allow_host"], ready))


@click.command("study", cls=Command)
@click.argument("paths", nargs=-1, required=True, metavar="FOLDERS_OR_FILES", type=File("answers"))
@click.option(
    "--synonyms",
    type=File("text"),
    help="Words that mean the same, lines like: hair colour = hair, shade of the hair.",
    metavar="FILE",
)
@click.option("--keep-all", is_flag=True, help="Leave nobody out.")
@options.whole("--seed", low=0, high=2**32 - 1, default=0, help="Of the resampling.")
@click.option("--write-names", is_flag=True, help="Write what people say into the directions files; your names stay.")
@click.option(
    "--directions-file",
    "named_files",
    type=File("directions"),
    multiple=True,
    help="A file to write names into, beside those of the runs; may be repeated.",
    metavar="FILE",
)
@click.option("--outdir", type=Folder(), help="Where to put the tables.  [default: the study's folder]", metavar="DIR")
@options.as_json
@options.strict
@options.debug
def evaluate_study(**given: Any) -> None:
    """Tables of what people said in a study: votes, names, agreement, preferences, and who was left out.

    Name the study's folder, and beside it files or folders of answers that came back from elsewhere.

    \b
    Examples:
      sefa evaluate study sefa-out/study
      sefa evaluate study study answers-anna.jsonl answers-ben.jsonl --synonyms words.txt
      sefa evaluate study sefa-out/study --write-names
    """
    from ..evaluate.experiments import study as work
    from ..evaluate.experiments.study_names import write_names
    from ..runs.command_line import line

    if given["named_files"] and not given["write_names"]:
        raise click.UsageError("--directions-file is for --write-names")
    with usage():
        synonyms = work.synonyms_in(Path(given["synonyms"])) if given["synonyms"] else {}
        asked, folder, people = work.read_all([Path(path) for path in given["paths"]], warn)
    found = work.results_of(asked, people, synonyms, given["seed"], given["keep_all"])
    target = Path(given["outdir"] or folder) / FOLDER
    check_folder(target)
    tables: dict[str, Table] = {
        stem: table
        for stem, table in (
            ("study", found.directions),
            ("study-pairs", found.pairs),
            ("study-agreement", found.agreement),
            ("study-people", found.people),
        )
        if table is not None
    }
    about = {"study": asked.id, "seed": given["seed"], "command": line(typed_command())}
    files = []
    for stem, table in tables.items():
        for kind in ("csv", "json"):
            files.append(str(target / f"{stem}.{kind}"))
            table.write(files[-1], about)
    written = []
    if given["write_names"]:
        written = write_names(asked, folder, found.names, [Path(path) for path in given["named_files"]])
    if given["as_json"]:
        titles = {"study": "directions"}
        held = {
            titles.get(stem, stem.removeprefix("study-")): json.loads(table.json()) for stem, table in tables.items()
        }
        click.echo(json.dumps({**about, **held, "names": written, "files": files}, indent=1))
        return
    for table in tables.values():
        report(f"{table.title}. {table.note}\n\n{table.markdown()}")
    for text in [*written, *files]:
        report(text)
