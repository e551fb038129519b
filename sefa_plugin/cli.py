"""The commands: check what was typed, join the stages, print. Heavy imports wait until a command runs."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from . import __version__, options
from .command import Command, Download, Group, Progress, usage, warn

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

_RUN_OPTIONS = [
    options.factorisation,
    options.latents,
    options.which_directions,
    options.video,
    options.rendering,
    options.outdir,
    options.overwrite,
    options.strict,
    options.debug,
]


def _run_options(function: Any) -> Any:
    for option in reversed(_RUN_OPTIONS):
        function = option(function)
    return function


@click.command("gen-sefa", cls=Command, context_settings=_SHOW_DEFAULTS)
@click.version_option(__version__, package_name="sefa_plugin", message="sefa_plugin %(version)s")
@options.network
@_run_options
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
@options.network
@_run_options
def render(**given: Any) -> None:
    """Make videos of directions.

    \b
    Examples:
      sefa render --network ffhq.pkl --seeds 7 --directions 0-2 --video gif
      sefa render --network ffhq.pkl --directions-file sefa-out/ffhq/directions.safetensors --directions 3
    """
    if given["video"] == "none":
        raise click.UsageError("--video none leaves nothing to make; `sefa sheet` makes sheets only")
    _run(sheets=False, **given)


@sefa.command()
@options.network
@_run_options
def sheet(**given: Any) -> None:
    """Make a contact sheet of each direction: seeds down, distances across.

    \b
    Examples:
      sefa sheet --network ffhq.pkl -K 20 --seeds 0-3
    """
    given["video"] = "none"
    _run(sheets=True, **given)


@sefa.command()
@_run_options
def demo(**given: Any) -> None:
    """Run everything on the bundled network: small drawn faces.

    \b
    Examples:
      sefa demo
      sefa demo --layers coarse --distance 5
    """
    _run(sheets=True, network="demo", which="G_ema", sha256=None, **given)


def _run(*, sheets: bool, **given: Any) -> None:
    """Check, open, factorise, render, summarise."""
    from .latents import parse_distance, parse_numbers, parse_seeds

    projected = given["projected_w"]
    with usage():
        low, high = parse_distance(given["distance"])
        seeds = parse_seeds(given["seeds"]) if given["seeds"] else ([] if projected else [0, 1, 2])
        wanted = parse_numbers(given["directions"], "direction", 10**6) if given["directions"] else None
    opened = _open(given)
    from .pipeline import check_folder, output_folder

    outdir = output_folder(given["outdir"], opened.record.name)
    check_folder(outdir)
    if given["video"] == "mp4":
        from .mp4 import check_ffmpeg

        check_ffmpeg()
    groups = _directions(opened, given, wanted)
    camera = _camera(opened, given, seeds)
    _make(opened, given, groups, wanted, camera, outdir, low, high, sheets)


def _open(given: dict[str, Any]) -> Any:
    """Open the network that ``--network`` names and print what is to be said of it."""
    from .network import open_network

    opened = open_network(
        given["network"],
        which=given["which"],
        strict=given.get("strict", False),
        sha256=given["sha256"],
        progress=Download(),
    )
    for text in opened.warnings:
        warn(text)
    sizes = opened.sizes
    click.echo(
        f"{opened.record.name}: {opened.record.class_name} ({opened.hook.name}), {sizes['resolution']} px, "
        f"{sizes['num_ws']} layers, w {sizes['w_dim']}" + (f", {sizes['c_dim']} classes" if sizes["c_dim"] else ""),
        err=True,
    )
    return opened


def _directions(opened: Any, given: dict[str, Any], wanted: list[int] | None) -> list[Any]:
    """Factorise, or read the directions file; what is wanted must be among them."""
    from .directions import Directions, DirectionsFileError

    if given["directions_file"]:
        held = Directions.load(given["directions_file"])
        sizes = {key: opened.sizes[key] for key in ("w_dim", "z_dim", "num_ws")}
        text = held.check_fits(network=opened.record.name, digest=opened.record.digest(), **sizes)
        if text and given["strict"]:
            raise DirectionsFileError(f"{text} (refused because of --strict)")
        if text:
            warn(text)
        groups = [held]
    else:
        space = opened.sizes["w_dim"] if given["space"] == "w" else opened.sizes["z_dim"]
        count = max(given["num_directions"], max(wanted or [0]) + 1)
        with usage():
            if wanted and max(wanted) >= space:
                raise ValueError(f"direction {max(wanted)} asked for, this network has 0-{space - 1}")
            groups = _factorise(opened, given, min(count, space))
    with usage():
        for directions in groups:
            for index in wanted or []:
                directions.index(index)
    return groups


def _factorise(opened: Any, given: dict[str, Any], count: int | None) -> list[Any]:
    """Factorise the layers of ``--layers``, one result for each group."""
    from .directions import factorize_group, factorize_mapping
    from .layers import select_layers

    about = {
        "network": opened.record.name,
        "digest": opened.record.digest(),
        "num_ws": opened.sizes["num_ws"],
        "normalize": given["normalize"],
        "num_directions": count,
    }
    if given["space"] == "z":
        if given["layers"] != "all":
            raise ValueError("--space z factorises the mapping network, which has no --layers to choose")
        return [factorize_mapping(opened.mapping, opened.sizes["z_dim"], **about)]
    groups = select_layers(opened.layers, given["layers"], given["torgb"])
    return [factorize_group(group, torgb=given["torgb"], **about) for group in groups]


def _device(name: str) -> str:
    import torch

    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    mps = getattr(torch.backends, "mps", None)
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": mps is not None and mps.is_available()}
    if not there[name]:
        raise click.UsageError(f"--device {name}: this computer or this torch has none; use --device cpu")
    return name


def _camera(opened: Any, given: dict[str, Any], seeds: list[int]) -> Any:
    """Build the generator and point a camera at the seeds."""
    from .camera import Camera, Look
    from .network import build_network

    label, classes = given["label"], opened.sizes["c_dim"]
    if label is not None and not classes:
        warn("--class is ignored: this network has no classes")
        label = None
    if classes and label is None and seeds:
        raise click.UsageError(f"this network is conditional: choose a class with --class 0-{classes - 1}")
    cutoff = given["trunc_cutoff"]
    if cutoff is not None and cutoff > opened.sizes["num_ws"]:
        raise click.UsageError(f"--trunc-cutoff {cutoff}: this network has {opened.sizes['num_ws']} rows of ws")
    look = Look(
        trunc=given["trunc"],
        trunc_cutoff=cutoff,
        noise_mode=given["noise_mode"],
        label=label,
        translate=given["translate"],
        rotate=given["rotate"],
        force_fp32=given["precision"] == "float32",
    )
    device = _device(given["device"])
    G = build_network(opened, device)
    moved = (*look.translate, look.rotate) != (0, 0, 0)
    if moved and not hasattr(getattr(G.synthesis, "input", None), "transform"):
        warn("--translate and --rotate are ignored: only StyleGAN3 can move its input")
    with usage():
        return Camera(G, look, seeds, given["projected_w"])


def _make(
    opened: Any,
    given: dict[str, Any],
    groups: list[Any],
    wanted: list[int] | None,
    camera: Any,
    outdir: Path,
    low: float,
    high: float,
    sheets: bool,
) -> None:
    """Write directions, sheets, videos and the record, and say what was made."""
    from .manifest import Manifest
    from .pipeline import Film, Run

    film = Film(low, high, given["frames"], given["fps"], given["loop"], given["video"], given["size"], sheets)
    about = {
        "path": str(given["network"]),
        "name": opened.record.name,
        "which": opened.record.which,
        "class": opened.record.class_name,
        "hook": opened.hook.name,
        "digest": camera.G.sefa.digest,
    }
    manifest = Manifest(outdir, sys.argv, about)
    if not given["directions_file"]:
        _save_directions(groups, outdir)
    with Progress() as progress:
        run = Run(camera, film, manifest, progress, given["overwrite"])
        jobs = []
        for directions in groups:
            indices = wanted if wanted is not None else range(min(given["num_directions"], len(directions)))
            with usage():
                if directions.space == "z" and camera.projected:
                    raise ValueError("directions of Z cannot edit --projected-w, which has no z; use --space w")
            jobs += [run.plan(directions, index) for index in dict.fromkeys(indices)]
        manifest.write()
        made = run.make(jobs)
    click.echo(f"{outdir}: {len(made)} outputs made, {_count_kept(jobs, made, film)} kept")
    for name in made:
        click.echo(f"  {outdir / name}")


def _count_kept(jobs: list[Any], made: list[str], film: Any) -> int:
    each = int(film.sheet) + int(film.video != "none")
    return len(jobs) * each - len(made)


def _save_directions(groups: list[Any], outdir: Path) -> list[Path]:
    """One file for one group, ``directions.safetensors``; for several the label is in the name."""
    paths = []
    for directions in groups:
        name = "directions" if len(groups) == 1 else f"directions-{directions.label}"
        paths.append(outdir / f"{name}.safetensors")
        directions.save(paths[-1])
    return paths


# --- the parts ------------------------------------------------------------------------------------


@sefa.command()
@click.argument("file", metavar="FILE")
@click.option("--which", type=click.Choice(["G_ema", "G", "D"]), default="G_ema", help="Entry of the file.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@options.strict
@options.debug
def info(file: str, which: str, as_json: bool, strict: bool, debug: bool) -> None:
    """Say what a network file holds, without running anything of it.

    \b
    Examples:
      sefa info ffhq.pkl
      sefa info ffhq.pkl --json
    """
    from .network import open_network

    opened = open_network(file, which=which, strict=strict, progress=Download())
    for text in opened.warnings:
        warn(text)
    record = opened.record
    about = {
        "class": record.class_name,
        "hook": opened.hook.name,
        "source": opened.source,
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
    if record.other_globals:
        click.echo(f"  {'unknown':<11}{', '.join(record.other_globals)} (elsewhere in the file; not run)")
    click.echo("  ws  kind     size  channels  layer")
    for layer in opened.layers:
        click.echo(f"  {layer.ws_index:2d}  {layer.kind:<7}{layer.size:6d}{layer.channels:10d}  {layer.name}")


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
    from .pipeline import check_folder, output_folder

    opened = _open(given)
    outdir = output_folder(given["outdir"], opened.record.name)
    check_folder(outdir)
    with usage():
        groups = _factorise(opened, given, given["num_directions"])
    for directions, path in zip(groups, _save_directions(groups, outdir)):
        values = ", ".join(f"{value:.4g}" for value in directions.eigenvalues[:5])
        more = ", ..." if len(directions) > 5 else ""
        click.echo(f"{path}: {len(directions)} directions of {directions.label}, eigenvalues {values}{more}")


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
    from .network_file import write_converted

    opened = _open(given)
    path = Path(given["output"] or f"{opened.record.name}.safetensors")
    if path.suffix != ".safetensors":
        raise click.UsageError(f"--output {path}: the name must end in .safetensors")
    if path.exists() and not given["overwrite"]:
        raise click.UsageError(f"{path}: exists; use --overwrite to replace it")
    write_converted(opened.record, path)
    click.echo(f"{path}: {opened.record.which} of {opened.record.name}, {path.stat().st_size / 1e6:.1f} MB")
