"""What the commands share: from the options that were given to an open network, directions and outputs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from .command import Download, Progress, usage, warn


def open_given(given: dict[str, Any]) -> Any:
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


def directions_given(opened: Any, given: dict[str, Any], wanted: list[int] | None) -> list[Any]:
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
            groups = factorise_given(opened, given, min(count, space))
    with usage():
        for directions in groups:
            for index in wanted or []:
                directions.index(index)
    return groups


def factorise_given(opened: Any, given: dict[str, Any], count: int | None) -> list[Any]:
    """Factorise the layers of ``--layers``, one result for each group."""
    from .directions import factorize_group, factorize_mapping
    from .layers import select_layers
    from .network import finite

    for layer in [*opened.layers, opened.mapping]:
        finite(opened.record.path, f"{layer.name}.weight", layer.weight)
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


def camera_given(opened: Any, given: dict[str, Any], seeds: list[int]) -> Any:
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


def make_outputs(
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
        save_directions(groups, outdir)
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


def save_directions(groups: list[Any], outdir: Path) -> list[Path]:
    """One file for one group, ``directions.safetensors``; for several the label is in the name."""
    paths = []
    for directions in groups:
        name = "directions" if len(groups) == 1 else f"directions-{directions.label}"
        paths.append(outdir / f"{name}.safetensors")
        directions.save(paths[-1])
    return paths
