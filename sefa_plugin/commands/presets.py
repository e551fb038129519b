"""The commands that pass on what was found in a network: ``preset export`` and ``preset import``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ..system.whole_files import whole_file
from . import options
from .files import File, Output, output_path
from .given import open_for_pictures
from .progress import reporter
from .shell import Group, note, report, typed_command


@click.group(cls=Group, invoke_without_command=True)
@click.pass_context
def preset(ctx: click.Context) -> None:
    """Pass on what was found in a network: one small file with names, slider positions and recipes.

    \b
    Examples:
      sefa preset export --network ffhq.pkl --output ffhq.presets.json
      sefa preset import ffhq.presets.json --network ffhq.pkl
    """
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


@preset.command()
@options.network
@click.option("--output", type=Output(), help="File to write.  [default: NETWORK.presets.json]", metavar="FILE")
@options.replace_file
@options.strict
@options.debug
def export(**given: Any) -> None:
    """Write the names, presets and kept pictures' recipes of a network to one file.

    They are those of the network's folder in sefa-out. The studio's page opens the file, too.

    \b
    Examples:
      sefa preset export --network ffhq.pkl
      sefa preset export --network demo --output found.json
    """
    typed = given["output"] and output_path(given["output"], (".json",), given["overwrite"])
    session = open_for_pictures(given)
    from ..runs.folder import folder_of
    from ..studio.bundle import Bundle, export_from

    output = typed or output_path(f"{session.name}.presets.json", (".json",), given["overwrite"])
    folder = folder_of(session.about())
    data = export_from(session, folder)
    held = Bundle.read(data)
    if not (held.names or held.presets or held.recipes):
        raise click.ClickException(
            f"{folder}: no direction has a name, and the studio has kept nothing: there is nothing to pass on"
        )
    with whole_file(output) as part:
        part.write_bytes(data)
    report(f"{output}: {_counts(len(held.names), len(held.presets), len(held.recipes))}, {len(data) / 1000:.0f} kB")


@preset.command("import")
@click.argument("file", type=File("any"), metavar="FILE")
@options.network
@options.strict
@options.debug
def import_(**given: Any) -> None:
    """Take such a file into the folder of its network; pictures are rendered from its recipes.

    Only the same network will do. A direction that has a name here keeps it.

    \b
    Examples:
      sefa preset import ffhq.presets.json --network ffhq.pkl
    """
    from ..studio.bundle import import_into, read_file

    path = Path(given["file"])
    bundle = read_file(path)
    session = open_for_pictures(given)
    bundle.check_fits({session.name: session.about()["digest"]})
    from ..runs.folder import own_folder

    folder = own_folder(session.about(), typed_command())
    with reporter() as progress:
        taken = import_into(session, folder, bundle, progress)
    for line in taken.left:
        note(f"left as it is: {line}")
    report(f"{folder}: {_counts(taken.named, len(taken.presets), len(bundle.recipes))} taken")
    for one in bundle.presets:
        words = (f"--edit {edit.layers}:{edit.index}={edit.distance:+g}" for edit in one.edits)
        report(f"  {one.name}: {' '.join(words)}")


def _counts(names: int, presets: int, recipes: int) -> str:
    def of(count: int, what: str) -> str:
        return f"{count} {what}{'' if count == 1 else 's'}"

    return f"{of(names, 'name')}, {of(presets, 'preset')}, {of(recipes, 'picture')}"
