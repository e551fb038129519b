"""The commands: check what was typed, join the stages, print. Heavy imports wait until a command runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from .. import __version__
from . import options
from .editing import check_without_recipe, edit, plane, render_recipe
from .evaluate import evaluate
from .experiments import baselines, hierarchy, truth
from .finding import boundary, ganspace
from .formats import compare, export, import_
from .progress import Download
from .shell import Command, Group, usage, warn
from .stages import camera_given, directions_given, factorise_given, make_outputs, open_given, save_directions

_SHOW_DEFAULTS = {"show_default": True, "max_content_width": 100, "help_option_names": ["-h", "--help"]}


@click.group(cls=Group, context_settings=_SHOW_DEFAULTS, invoke_without_command=True)
@click.version_option(__version__, package_name="sefa_plugin", message="sefa_plugin %(version)s")
@click.pass_context
def sefa(ctx: click.Context) -> None:
    """Editing directions of GANs, in closed form from the weights alone (SeFa, CVPR 2021).

    \b
    Examples:
      sefa demo                                     # edit videos of the bundled network
      sefa info ffhq.pkl                            # what is in a network file
      sefa factorize --network ffhq.pkl --layers middle
      sefa render --network ffhq.pkl --directions 0,3 --seeds 7 --trunc 0.7
    """
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


# --- the main job ---------------------------------------------------------------------------------


def _run_options(video: Any = options.video) -> Any:
    held = [options.factorisation, options.latents, options.which_directions, video]
    held += [options.rendering, options.outdir, options.overwrite, options.strict, options.debug]

    def apply(function: Any) -> Any:
        for option in reversed(held):
            function = option(function)
        return function

    return apply


@click.command("gen-sefa", cls=Command, context_settings=_SHOW_DEFAULTS)
@click.version_option(__version__, package_name="sefa_plugin", message="sefa_plugin %(version)s")
@options.network
@_run_options()
def gen_sefa(**given: Any) -> None:
    """Find editing directions of a network and make a sheet and a video of each.

    \b
    Examples:
    \b
      # The 5 strongest directions on three seeds:
      python gen_sefa.py --network ffhq.pkl
    \b
      # Two directions of the middle layers, truncated, further out:
      python gen_sefa.py --network ffhq.pkl --layers middle --directions 0,4 --trunc 0.7 --distance 5
    \b
      # A class of a conditional network:
      python gen_sefa.py --network cifar10.pkl --class 3 --seeds 0-5
    """
    _run(sheets=True, **given)


@sefa.command()
@options.network_or_recipe
@options.recipe
@_run_options(options.video_of_recipes)
@click.pass_context
def render(ctx: click.Context, **given: Any) -> None:
    """Make videos of directions, or the pictures or a video of a recipe.

    \b
    Examples:
      sefa render --network ffhq.pkl --seeds 7 --directions 0-2 --video gif
      sefa render --network ffhq.pkl --directions-file sefa-out/ffhq/directions.safetensors --directions 3
      sefa render --recipe recipe.json
      sefa render --recipe recipe.json --animate walk --seeds 5,9,12 --frames 240
    """
    if given["recipe"]:
        return render_recipe(ctx, given)
    check_without_recipe(given)
    if given["video"] == "none":
        raise click.UsageError("--video none leaves nothing to make; `sefa sheet` makes sheets only")
    _run(sheets=False, **given)


@sefa.command()
@options.network
@_run_options()
def sheet(**given: Any) -> None:
    """Make a contact sheet of each direction: seeds down, distances across.

    \b
    Examples:
      sefa sheet --network ffhq.pkl -K 20 --seeds 0-3
    """
    given["video"] = "none"
    _run(sheets=True, **given)


@sefa.command()
@_run_options()
def demo(**given: Any) -> None:
    """Run everything on the bundled network: small drawn faces.

    \b
    Examples:
      sefa demo
      sefa demo --layers coarse --distance 5
    """
    _run(sheets=True, network="demo", which="G_ema", sha256=None, trust_pickle=False, **given)


def _run(*, sheets: bool, **given: Any) -> None:
    """Check, open, factorise, render, summarise."""
    from ..directions.keys import parse_keys
    from ..rendering.typed_edits import parse_distance, parse_seeds

    projected = given["projected_w"]
    with usage():
        distance = parse_distance(given["distance"])
        seeds = parse_seeds(given["seeds"]) if given["seeds"] else ([] if projected else [0, 1, 2])
        wanted = parse_keys(given["directions"]) if given["directions"] else None
    opened = open_given(given)
    if opened.why_no_pictures:
        raise click.ClickException(f"{opened.record.path}: {opened.why_no_pictures} (`sefa factorize` works)")
    from ..runs.folder import check_folder, output_folder

    outdir = output_folder(given["outdir"], opened.record.name)
    check_folder(outdir)
    if given["video"] == "mp4":
        from ..media.mp4 import check_ffmpeg

        check_ffmpeg()
    groups = directions_given(opened, given, wanted, outdir)
    scene = camera_given(opened, given, seeds)
    make_outputs(opened, given, groups, wanted, scene, outdir, distance, sheets)


sefa.add_command(edit)
sefa.add_command(plane)
sefa.add_command(compare)
sefa.add_command(import_)
sefa.add_command(export)


# --- the parts ------------------------------------------------------------------------------------


@sefa.command()
@click.argument("file", metavar="FILE")
@click.option("--which", type=click.Choice(["G_ema", "G", "D"]), default="G_ema", help="Entry of the file.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option(
    "--audit", is_flag=True, help="Say what the file would run if it were unpickled; exit code 1 if anything."
)
@options.trust_pickle
@options.strict
@options.debug
def info(file: str, which: str, as_json: bool, audit: bool, strict: bool, trust_pickle: bool, debug: bool) -> None:
    """Say what a network file holds, without running anything of it (unless --trust-pickle).

    With --audit, say what unpickling a file of any kind (.pkl, .pt, .npz, .safetensors, .json) would do. The exit code
    is then 0 where that is no more than network files do, and 1 where other code would run, a name or a source text is
    not known, or the file is odd or broken.

    \b
    Examples:
      sefa info ffhq.pkl
      sefa info ffhq.pkl --json
      sefa info ffhq.pkl --audit
    """
    if audit:
        if trust_pickle:
            raise click.UsageError("--audit runs nothing, --trust-pickle does: give one of them")
        return _audit(file, as_json)
    from ..networks.opening import open_network

    opened = open_network(file, which=which, strict=strict, progress=Download(), trust_pickle=trust_pickle)
    for text in opened.warnings:
        warn(text)
    record = opened.record
    about = {
        "class": record.class_name,
        "hook": opened.hook.name,
        "source": opened.source,
        "pictures": opened.why_no_pictures or "yes",
        **opened.sizes,
        "which": record.which,
        "entries": list(record.entries),
        "format": record.format,
        "other_globals": list(record.other_globals),
        "layers": [
            {
                "name": layer.name,
                "ws_index": layer.ws_index,
                "weight_gain": layer.weight_gain,
                "style_gain": layer.style_gain,
                "channels": layer.channels,
                "size": layer.size,
                "kind": layer.kind,
            }
            for layer in opened.layers
        ],
    }
    if as_json:
        click.echo(json.dumps(about, indent=1))
        return
    click.echo(f"{file}: {record.class_name}, read by hook {opened.hook.name}; source: {opened.source}")
    for key in ("resolution", "channels", "num_ws", "z_dim", "w_dim", "c_dim"):
        click.echo(f"  {key:<11}{about[key]}")
    click.echo(f"  {'networks':<11}{', '.join(record.entries)} (this is {record.which})")
    if opened.why_no_pictures:
        click.echo(f"  {'pictures':<11}no: {opened.why_no_pictures}")
    if record.other_globals:
        click.echo(f"  {'unknown':<11}{', '.join(record.other_globals)} (elsewhere in the file; not run)")
    click.echo("  ws  kind     size  channels  layer")
    for layer in opened.layers:
        click.echo(f"  {layer.ws_index:2d}  {layer.kind:<7}{layer.size:6d}{layer.channels:10d}  {layer.name}")


def _audit(file: str, as_json: bool) -> None:
    from ..hooks.known_sources import origin
    from ..networks.opening import locate
    from ..reading.audit import text as audit_text
    from ..reading.audit.audit import audit

    found = audit(locate(file, progress=Download()), origin)
    text = json.dumps(audit_text.as_json(found), indent=1) if as_json else "\n".join(audit_text.lines(found))
    click.echo(text)
    click.get_current_context().exit(1 if found.findings else 0)


@sefa.command()
@options.network
@options.factorisation
@click.option("-K", "--num-directions", type=click.IntRange(min=1), help="How many.  [default: all]", metavar="INT")
@options.outdir
@options.strict
@options.debug
def factorize(**given: Any) -> None:
    """Find directions and write them to directions.safetensors; no picture is rendered.

    \b
    Examples:
      sefa factorize --network ffhq.pkl --layers all -K 8 --outdir out
      sefa factorize --network ffhq.pkl --layers each
    """
    from ..directions.ties import remarks
    from ..runs.folder import check_folder, output_folder

    opened = open_given(given)
    outdir = output_folder(given["outdir"], opened.record.name)
    check_folder(outdir)
    with usage():
        groups = factorise_given(opened, given, given["num_directions"])
    for directions, path in zip(groups, save_directions(groups, outdir)):
        values = ", ".join(f"{value:.4g}" for value in directions.eigenvalues[:5])
        more = ", ..." if len(directions) > 5 else ""
        click.echo(f"{path}: {len(directions)} directions of {directions.label}, eigenvalues {values}{more}")
        for line in remarks(directions):
            click.echo(f"Note: {line}")


@sefa.command(context_settings={"ignore_unknown_options": True})  # -1 is a direction
@click.argument("file", metavar="FILE")
@click.argument("index", metavar="INDEX|NAME", required=False)
@click.argument("name", metavar="NAME", required=False)
@options.debug
def name(file: str, index: str | None, name: str | None, debug: bool) -> None:
    """Name a direction; the name then works wherever its number does. Without NAME, list them.

    FILE is a directions file, or the folder that it lies in. An empty NAME ("") takes a name away. Your names win over
    those that `sefa evaluate rescore` gives, which are listed with their purity.

    \b
    Examples:
      sefa name sefa-out/ffhq/directions.safetensors 3 "brush size"
      sefa render --network ffhq.pkl --directions "brush size" --seeds 7
      sefa name sefa-out/ffhq
    """
    from ..runs.renaming import listed, rename

    for word in (file, index, name):
        if word and word.startswith("--"):
            raise click.NoSuchOption(word)
    with usage():
        if name is None and index is not None:
            raise ValueError(f"{index!r}: give a number and a name, or neither to list them")
    if index is None:
        for line in listed(file):
            click.echo(line)
        return
    with usage():
        click.echo(rename(file, index, name or ""))


@sefa.command()
@options.network
@click.option("--output", help="File to write.  [default: NETWORK.safetensors here]", metavar="FILE")
@click.option("--overwrite", is_flag=True, help="Replace an existing file.")
@options.strict
@options.debug
def convert(**given: Any) -> None:
    """Convert a network to safetensors, after which nothing ever unpickles it.

    \b
    Examples:
      sefa convert --network ffhq.pkl --output ffhq.safetensors
    """
    from ..reading.network_file import write_converted

    opened = open_given(given)
    path = Path(given["output"] or f"{opened.record.name}.safetensors")
    if path.suffix != ".safetensors":
        raise click.UsageError(f"--output {path}: the name must end in .safetensors")
    if path.exists() and not given["overwrite"]:
        raise click.UsageError(f"{path}: exists; use --overwrite to replace it")
    opened.check_unchanged()
    write_converted(opened.record, path)
    click.echo(f"{path}: {opened.record.which} of {opened.record.name}, {path.stat().st_size / 1e6:.1f} MB")


for command in (baselines, hierarchy, truth, ganspace, boundary):
    evaluate.add_command(command)
sefa.add_command(evaluate)
# --- inside a toolkit -----------------------------------------------------------------------------

_dry_run = click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")


@sefa.command()
@click.argument("path", metavar="PATH")
@_dry_run
@options.debug
def register(path: str, dry_run: bool, debug: bool) -> None:
    """Put gen_sefa.py into the checkout of a toolkit, beside its gen_images.py or generate.py.

    PATH is a checkout of stylegan2-ada-pytorch, stylegan3, stylegan-xl, stylegan-human, eg3d or a fork of one.
    One file is written, nothing that is there is changed, and `sefa unregister` takes it away again.

    \b
    Examples:
      sefa register ~/stylegan3
      sefa register ~/stylegan3 --dry-run
      cd ~/stylegan3 && python gen_sefa.py --network ffhq.pkl --seeds 7 --trunc 0.7 --outdir out
    """
    from ..system.environment import missing, too_old
    from .toolkit_files import RegisterError, sibling
    from .toolkit_files import register as put

    text = too_old()
    if text:
        raise RegisterError(text)
    text = missing()
    if text:
        warn(text)
    file, what = put(path, dry_run)
    done = {"new": "written", "updated": "updated"}
    would = {"new": "would be written", "updated": "would be updated"}
    click.echo(f"{file}: {(would if dry_run else done).get(what, what)}")
    beside = sibling(file)
    if not dry_run:
        click.echo(f"There: python gen_sefa.py --network X.pkl{f', like {beside}' if beside else ''}")


@sefa.command()
@click.argument("path", metavar="PATH")
@_dry_run
@options.debug
def unregister(path: str, dry_run: bool, debug: bool) -> None:
    """Take away the gen_sefa.py that `sefa register` has put into a checkout, and nothing else.

    \b
    Examples:
      sefa unregister ~/stylegan3
    """
    from .toolkit_files import unregister as remove

    file, there = remove(path, dry_run)
    if there:
        click.echo(f"{file}: {'would be removed' if dry_run else 'removed'}")
    else:
        click.echo(f"{file}: not there, nothing to remove")
