"""The commands for directions and their files: factorise, name, compare, import, export."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from . import options
from .files import File, Output, output_path
from .given import Given, claimed, directions_in, factorisation, open_for_pictures, open_session, outdir
from .progress import reporter
from .shell import Command, note, report, usage

if TYPE_CHECKING:
    from ..directions.compare import Side
    from ..directions.directions import Directions
    from ..directions.foreign_files import Found
    from ..directions.importing import Target
    from ..runs.session import Session


@click.command(cls=Command)
@options.network
@options.factorisation
@options.count("How many.  [default: all]")
@options.order
@options.outdir
@options.as_json
@options.strict
@options.debug
def factorize(**given: Any) -> None:
    """Find directions and write them to directions.safetensors.

    No picture is rendered, but for --sharpen pictures, --region and --order clean; that order is printed and kept.

    \b
    Examples:
      sefa factorize --network ffhq.pkl --layers all -K 8 --outdir out
      sefa factorize --network ffhq.pkl --layers each
    """
    from ..directions.kept import files_of, keep
    from ..directions.sharpening import check_order
    from ..directions.ties import remarks
    from ..runs.settings import settings_checked

    session = open_session(given)
    folder = outdir(given, session)
    how = factorisation(given)
    if how.sharpen != "none":
        session.require_pictures()
    with settings_checked():
        check_order(given["order"], how.sharpen)
    with settings_checked(), reporter() as progress:
        groups = session.found(how, given["num_directions"], folder, progress)
        if given["order"] == "clean":
            groups = [session.scored(held, folder, progress) for held in groups]
    folder = claimed(given, session, folder)
    paths = files_of(groups, folder)
    for directions, path in zip(groups, paths):
        keep(directions, path)
    if given["as_json"]:
        click.echo(json.dumps([_as_json(*one) for one in zip(groups, paths)], indent=1))
        return
    for directions, path in zip(groups, paths):
        what, values = "eigenvalues", [f"{value:.4g}" for value in directions.eigenvalues[:5]]
        if directions.region:
            what, values = "of their change inside", [f"{share:.0%}" for share in directions.inside[:5]]
        more = ", ..." if len(directions) > 5 else ""
        report(f"{path}: {len(directions)} directions of {directions.label}, {what} {', '.join(values)}{more}")
        if given["order"] == "clean":
            report(f"Those that do one thing first: {', '.join(map(str, directions.in_order('clean')[:10]))}, ...")
        for line in remarks(directions):
            report(f"Note: {line}")


@click.command(cls=Command)
@options.network
@click.option(
    "--apart",
    type=options.KEYS,
    required=True,
    help="Two directions: the one that is changed, and the one that it is to leave out, like 3,7.",
    metavar="A,B",
)
@click.option(
    "--marks",
    type=File("any"),
    help="A file of marks (docs/sharp.md) of other pictures, instead of --wanted.",
    metavar="FILE",
)
@click.option(
    "--wanted",
    type=options.PICTURES,
    help="Pictures that changed what you want and nothing else, by number, like 0,4,7-9; the others did not.",
    metavar="LIST",
)
@options.factorisation
@options.directions_file
@options.outdir
@options.strict
@options.debug
def sharpen(**given: Any) -> None:
    """Take one direction apart from another one, by pictures that you mark.

    First 20 pictures are made, numbered, before and after: the first direction with more or less of the second one.
    Type the command again with --wanted and the numbers of those that changed what you want and nothing else.

    \b
    Examples:
      sefa sharpen --network ffhq.pkl --apart 3,7
      sefa sharpen --network ffhq.pkl --apart 3,7 --wanted 1,4,5,12-14
    """
    from ..directions.kept import files_of, keep
    from ..runs.apart import FOLDER, apart, file_of, mark, marks_of, read_marks, write_pictures
    from ..runs.settings import SettingsError, Wanted

    keys = given["apart"]
    if len(keys) != 2 or keys[0] == keys[1]:
        raise click.UsageError("--apart takes two directions, like 3,7")
    if given["wanted"] is not None and given["marks"] is not None:
        raise click.UsageError("--wanted and --marks: leave one of them out")
    session = open_for_pictures(given)
    marks = None if given["marks"] is None else read_marks(Path(given["marks"]))
    file = given["directions_file"]
    wanted = Wanted(keys=tuple(keys), count=1, file=Path(file) if file else None)
    with reporter() as progress:
        folder, groups = directions_in(given, session, outdir(given, session), wanted, progress)
        if len(groups) != 1:
            raise SettingsError(f"--layers {given['layers']} gives {len(groups)} groups; type one, like coarse")
        first, second = map(groups[0].directions.index, keys)
        if given["wanted"] is not None:
            path = file_of(groups[0], (first, second), folder / FOLDER)
            if not path.exists():
                raise SettingsError(
                    f"--wanted {path}: no pictures were made yet; type the command without --wanted first"
                )
            marks = mark(path, given["wanted"])
        if marks is None:
            engine, folder = session.engine(), folder / FOLDER
            marks = marks_of(session, groups[0], (first, second), folder, engine, progress)
            sheet = write_pictures(session, groups[0], marks, folder, engine, progress)
            report(f"{sheet}: {len(marks.marks)} pictures to look at")
            report("Type the command again with --wanted and the numbers of those that changed what you want alone.")
            return
    made, amount = apart(session, groups[0], (first, second), marks)
    there = f"{amount.low:+.2f} to {amount.high:+.2f}"
    if not amount.value:
        report(f"Direction {keys[0]} stays as it is: the marks do not show whether {keys[1]} helps ({there}, 90 %).")
        report("Mark more pictures, or take as the second direction the one that does most of what you do not want.")
        return
    (output,) = files_of([made], folder)
    output = keep(made, output)
    report(f"{output}: direction {keys[0]} with {amount.value:+.2f} of {keys[1]} ({there} with 90 %)")
    report(f"Look at it: sefa sheet --network {given['network']} --directions-file {output}")


def _as_json(directions: Directions, path: Path) -> dict[str, object]:
    """A set of directions as JSON values, without its vectors."""
    from ..directions.ties import remarks

    return {
        "file": str(path),
        "label": directions.label,
        "space": directions.space,
        "layers": list(directions.layers),
        "eigenvalues": directions.eigenvalues.tolist(),
        "sharpen": directions.sharpen,
        **({"region": directions.region, "inside": list(directions.inside)} if directions.region else {}),
        **(
            {"alike": [score and score.alike for score in directions.scores], "clean": directions.in_order("clean")}
            if directions.has_order
            else {}
        ),
        "names": list(directions.names),
        "notes": list(remarks(directions)),
    }


@click.command(cls=Command, context_settings={"ignore_unknown_options": True})  # -1 is a direction
@click.argument("file", metavar="FILE|FOLDER", type=File("named"))
@click.argument("index", metavar="[SET:]INDEX|NAME", required=False)
@click.argument("name", metavar="NAME", required=False)
@click.option("--star/--unstar", "starred", default=None, help="Mark the direction, also on the page.")
@click.option("--note", help='One line about the direction; "" takes it away.', metavar="TEXT")
@click.option("--undo", is_flag=True, help="Take back the last change of a name, star or note in this set.")
@click.option(
    "--from", "stars", type=File("any"), help="Set the stars that a page has saved: stars.json.", metavar="FILE"
)
@click.option("--json", "as_json", is_flag=True, help="List as one JSON object.")
@options.debug
def name(
    file: str,
    index: str | None,
    name: str | None,
    starred: bool | None,
    note: str | None,
    undo: bool,
    stars: str | None,
    as_json: bool,
    debug: bool,
) -> None:
    """Name a direction; the name then works wherever its number does. Without NAME, list them.

    A directions file, or the folder that it lies in; of other layers than all, say which: coarse:0. An empty NAME ("")
    takes a name away. Your names win over those that `sefa evaluate rescore` gives, which are listed with their
    purity. Names, stars and notes stay with their set of directions, whatever else is found in its folder.

    \b
    Examples:
      sefa name sefa-out/ffhq/directions.safetensors 3 "brush size"
      sefa render --network ffhq.pkl --directions "brush size" --seeds 7
      sefa name sefa-out/ffhq coarse:0 pose --star --note "up to +3"
      sefa name sefa-out/ffhq --from stars.json
      sefa name sefa-out/ffhq --undo
      sefa name sefa-out/ffhq
    """
    from ..runs.renaming import listed, listed_as_json, rename, set_stars, take_back

    for word in (file, index, name):
        if word and word.startswith("--"):
            raise click.NoSuchOption(word)
    sets = starred is not None or note is not None
    with usage():
        if stars and (index is not None or sets or undo or as_json):
            raise ValueError("--from sets the stars of a file; give no direction, star, note, --undo or --json with it")
        if undo and (name is not None or sets):
            raise ValueError("--undo takes back the last change of a set; give no name, star or note with it")
        if not undo and name is None and index is not None and not sets:
            raise ValueError(f"{index!r}: give a number and a name, or neither to list them")
        if index is None and sets:
            raise ValueError("--star and --note are of one direction: say which, like 3 or coarse:0")
        if as_json and (undo or index is not None):
            raise ValueError("--json lists names; it sets none")
        if stars:
            for line in set_stars(file, stars):
                click.echo(line)
        elif undo:
            click.echo(take_back(file, index))
        elif index is not None:
            click.echo(rename(file, index, name, starred=starred, note=note))
        elif as_json:
            click.echo(json.dumps(listed_as_json(file), indent=1))
        else:
            for line in listed(file):
                click.echo(line)


@click.command("import", cls=Command)
@click.argument("file", type=File("foreign"), metavar="FILE")
@options.network_of_directions
@click.option(
    "--output", type=Output(), help="File to write.  [default: FILE-directions.safetensors here]", metavar="FILE"
)
@click.option(
    "--layers",
    help="Layers that edits change, like middle or 0-7.  [default: as in the file, else all of --network]",
    metavar="LAYERS",
)
@options.choice("--space", "w z", "Where the directions lie.  [default: the file's, else w]")
@options.choice(
    "--rows",
    "auto directions layers",
    "What the rows of an array [n, w_dim] are: n directions, or one edit with a row for each layer; "
    "auto takes layers where there are as many as --network has.",
    default="auto",
)
@options.choice(
    "--vectors",
    "auto rows columns",
    "Whether directions are rows or columns; auto: columns for eigvec and eigvecs, else rows.",
    default="auto",
)
@click.option("--normalize/--no-normalize", default=True, help="How eigenvalues are measured that the file lacks.")
@options.replace_file
@options.debug
def import_(**given: Any) -> None:
    """Import directions of another tool: .npy, .npz, factor.pt, GANSpace, ComfyUI-StyleGan.

    Nothing of the file is run. docs/formats.md says what each format holds.

    \b
    Examples:
      sefa import factor.pt --network ffhq.pkl
      sefa import stylegan_ffhq_smile_w_boundary.npy --network ffhq.pkl --output smile.safetensors
      sefa import edit.npy --rows layers
    """
    from ..directions.foreign_files import Reading, read_foreign
    from ..directions.importing import assemble

    given["output"] = given["output"] or f"{Path(given['file']).stem}-directions.safetensors"
    output = output_path(given["output"], (".safetensors",), given["overwrite"])
    session = open_session(given) if given["network"] else None
    target = _target(session)
    dims = {"w": (target.w_dim,), "z": (target.z_dim,)}.get(given["space"], (target.w_dim, target.z_dim))
    found = read_foreign(
        given["file"], Reading(given["rows"], given["vectors"], dims if session else (), target.num_ws)
    )
    with usage():
        options = {key: given[key] for key in ("layers", "space", "normalize")}
        made, remarks = assemble(found, given["file"], target, **options)
    made.save(output)
    for remark in remarks:
        note(remark)
    if not made.eigenvalues.any():
        note("its eigenvalues are not known; --network measures them")
    count = f"{len(made)} direction{'s' if len(made) > 1 else ''}"
    each = "a row for each layer, " if made.per_row else ""
    where = f"layers {', '.join(map(str, made.layers))}" if made.space == "w" else "z"
    report(f"{output}: {count} ({found.kind}), {made.dim} components, {each}changing {where}")


def _target(session: Session | None) -> Target:
    from ..directions.importing import Target

    if session is None:
        return Target()
    opened, digest = session.opened, session.opened.record.lineage
    layers, mapping = tuple(opened.layers), opened.listing.mapping
    return Target(name=session.name, digest=digest, layers=layers, mapping=mapping, **session.sizes)


@click.command(cls=Command)
@click.argument("file", type=File("directions"), metavar="FILE")
@click.option(
    "--format",
    "layout",
    required=True,
    type=click.Choice(["npy", "npy-rows", "npz", "factor", "comfyui"]),
    help="npy: [k, w_dim] (InterFaceGAN: one direction); npy-rows: [num_ws, w_dim]; npz: eigvecs and eigvals; "
    "factor: factor.pt of rosinality's and dvschultz's ports; comfyui: ComfyUI-StyleGan.",
)
@click.option("--output", type=Output(), required=True, help="File to write.", metavar="FILE")
@click.option("--directions", type=options.KEYS, help="Which ones, like 0,3,7-9,smile.  [default: all]", metavar="LIST")
@options.replace_file
@options.debug
def export(**given: Any) -> None:
    """Export a directions file for another tool.

    \b
    Examples:
      sefa export sefa-out/ffhq/directions.safetensors --format factor --output factor.pt
      sefa export directions.safetensors --format npy --directions smile --output smile.npy
    """
    from ..directions.directions import Directions
    from ..directions.exporting import SUFFIXES
    from ..directions.exporting import export as write

    output = output_path(given["output"], SUFFIXES[given["layout"]], given["overwrite"])
    held = Directions.load(given["file"])
    if given["directions"] is not None:
        with usage():
            held = held.chosen(given["directions"])
    for line in write(held, given["layout"], output):
        note(line)
    report(f"{output}: {len(held)} direction{'s' if len(held) > 1 else ''} as {given['layout']}")


@click.command(cls=Command)
@click.argument("first", type=File("side"), metavar="A")
@click.argument("second", type=File("side"), metavar="B")
@click.option(
    "--directions",
    type=options.KEYS,
    help="Which ones of A, like 0,3,7-9,smile.  [default: the first 20]",
    metavar="LIST",
)
@options.factorisation
@options.which
@options.trust_pickle
@options.as_json
@options.debug
def compare(**given: Any) -> None:
    """Match the directions of A with those of B: cosine, sign, angles between subspaces.

    A and B are directions files, or folders of runs that hold one; files that `sefa import` reads; or networks, which
    are factorised as --layers, --space, --normalize and --torgb say.

    \b
    Examples:
      sefa compare old-port.pt new.safetensors --directions 37
      sefa compare ffhq.pkl ffhq-finetuned.pkl --layers middle
      sefa compare factor.pt ffhq.pkl --no-normalize --torgb never --json
    """
    from ..directions import compare as comparing

    first = _side(given["first"], given)
    count = len(first.vectors)
    indices = list(range(count if given["as_json"] else min(count, comparing.SHOWN)))
    if given["directions"] is not None:
        with usage():
            indices = [first.index(key) for key in given["directions"]]
    found = comparing.compare(first, _side(given["second"], given))
    if given["as_json"]:
        click.echo(json.dumps(comparing.as_json(found, indices), indent=1))
        return
    for line in comparing.as_lines(found, indices):
        click.echo(line)


def _side(path: str, given: Given) -> Side:
    """One side of a comparison: a directions file, another tool's file, or a network."""
    from ..directions.foreign_files import FormatError, Reading, read_foreign
    from ..hook import HookError
    from ..reading.download import bundled, is_url
    from ..reading.network_record import NetworkFileError

    if bundled(path) or is_url(path):
        return _factorised(path, given)
    own = _own(path)
    if own is not None:
        return own
    try:
        return _foreign(path, read_foreign(path, Reading(asks=False)))
    except FormatError as error:
        try:
            return _factorised(path, given)
        except HookError:
            raise
        except NetworkFileError:
            raise error from None


def _own(path: str) -> Side | None:
    """A directions file, or that of a folder; None for anything else."""
    from ..directions.compare import Side
    from ..directions.directions import Directions
    from ..directions.file import file_of_folder, is_directions_file

    if os.path.isdir(path):
        path = str(file_of_folder(path))
    if not is_directions_file(path):
        return None
    held = Directions.load(path)
    return Side.of(path, held.origin or f"directions of {held.label}", held)


def _foreign(path: str, found: Found) -> Side:
    from ..directions.compare import Side

    layers = found.layers
    if layers is None and found.vectors.ndim == 3:
        layers = tuple(range(found.vectors.shape[1]))
    return Side(path, found.kind, found.vectors, found.eigenvalues, found.names, layers, found.space)


def _factorised(path: str, given: Given) -> Side:
    from ..directions.compare import Side
    from ..directions.factorization import factorize_network
    from ..reading.download import without_secrets

    opened = open_session(given, path).opened
    with usage():
        groups = factorize_network(opened, factorisation(given))
        if len(groups) != 1:
            raise ValueError(f"layers {given['layers']!r} gives {len(groups)} groups; compare one, like middle or 0-3")
    return Side.of(without_secrets(path), f"network, {groups[0].label}", groups[0])
