"""What the commands share: from the options that were given to an open network, directions and outputs."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import click

from .progress import Download, Progress
from .shell import usage, warn


def open_given(given: dict[str, Any]) -> Any:
    """Open the network that ``--network`` names and print what is to be said of it."""
    from ..networks.opening import open_network

    opened = open_network(
        given["network"],
        which=given["which"],
        strict=given.get("strict", False),
        sha256=given["sha256"],
        progress=Download(),
        trust_pickle=given["trust_pickle"],
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


def directions_given(
    opened: Any, given: dict[str, Any], wanted: list[Any] | None, outdir: Path, paths: Any = None
) -> list[Any]:
    """Factorise, or read the directions file; gives groups that save themselves when more is known of them.

    What an earlier run has left in the folder (names, ranges) is taken over. ``paths`` gives the file of each group
    in the folder, by default those that a run writes.
    """
    from ..directions.directions import Directions
    from ..directions.file import DirectionsFileError
    from ..directions.kept import Group
    from ..directions.ties import remarks

    if given["directions_file"]:
        path = Path(given["directions_file"])
        held = Directions.load(path)
        sizes = {key: opened.sizes[key] for key in ("w_dim", "z_dim", "num_ws")}
        text = held.check_fits(network=opened.record.name, digest=opened.record.digest(), **sizes)
        if text and given["strict"]:
            raise DirectionsFileError(f"{text} (refused because of --strict)")
        if text:
            warn(text)
        groups = [Group(held, _saver(path), path)]
    else:
        space = opened.sizes["w_dim"] if given["space"] == "w" else opened.sizes["z_dim"]
        with usage():
            count = max(given["num_directions"], _needed(wanted or [], space))
            if given["num_directions"] > space and wanted is None:
                warn(f"-K {given['num_directions']}: there are no more than {space}, which are all taken")
            found = factorise_given(opened, given, min(count, space))
        files = (paths or _paths)(found, outdir)
        groups = [Group(_adopting(held, path), _saver(path), path) for held, path in zip(found, files)]
    for group in groups:
        for line in remarks(group.directions):
            click.echo(f"Note: {line}", err=True)
    with usage():
        if given["edit_layers"]:
            rows = edit_rows(opened, given["edit_layers"])
            groups = [_edited_at(group, rows, outdir) for group in groups]
        for key in wanted or []:
            if not any(_has(group.directions, key) for group in groups):
                groups[0].directions.index(key)  # says what there is
    return groups


def _needed(wanted: list[Any], space: int) -> int:
    """How many directions must be found so that these numbers are among them."""
    places = [(key if key >= 0 else space + key, key) for key in wanted if isinstance(key, int)]
    for place, key in places:
        if not 0 <= place < space:
            raise ValueError(f"direction {key} asked for, this network has 0-{space - 1} (-1 is the last)")
    # Those that count from the end come only with a whole factorisation.
    return space if any(key < 0 for _, key in places) else max(places, default=(0, 0))[0] + 1


def _has(directions: Any, key: Any) -> bool:
    if isinstance(key, str):
        return key in directions.names
    return key < len(directions) and (key >= 0 or len(directions) == directions.dim)


def edit_rows(opened: Any, spec: str) -> Any:
    """The group of layers, one, whose rows of ws edits change.

    Raises:
        ValueError: the specification cannot be read, or gives several groups.
    """
    from ..directions.layers import select_layers

    groups = select_layers(opened.layers, spec)
    if len(groups) != 1:
        raise ValueError(f"--edit-layers {spec!r} gives {len(groups)} groups; edits change one, like coarse or 0-3,5")
    return groups[0]


def _edited_at(group: Any, rows: Any, outdir: Path) -> Any:
    """The group with edits at other rows, kept in a file of its own; names are those of the directions."""
    from ..directions.kept import Group

    held = group.directions
    moved = held.edited_at(rows.ws_indices, rows.label)
    if moved is held:
        return group
    path = _paths([moved], outdir)[0]
    moved = _adopting(moved, path)
    return Group(moved.with_names_of(held), _saver(path), path)


def _adopting(found: Any, path: Path | None) -> Any:
    earlier = None if path is None else _earlier(path)
    return found.adopting(earlier) if earlier is not None and found.same_as(earlier) else found


def _earlier(path: Path) -> Any:
    """The directions of a file; None where there is none, or nothing that is worth keeping.

    Raises:
        OSError: it is there, and cannot be read: it may hold names that a person has given.
    """
    from ..directions.directions import Directions
    from ..directions.file import DirectionsFileError
    from ..system.regular_files import open_regular

    try:
        open_regular(path).close()
        return Directions.load(path)
    except (FileNotFoundError, DirectionsFileError):
        return None


def known_paths(groups: list[Any], outdir: Path) -> list[Path | None]:
    """Of each group the file in a folder that holds it already; of others none, so that nothing is replaced."""
    files = sorted(outdir.glob("directions*.safetensors"))

    def holds(file: Path, held: Any) -> bool:
        with suppress(OSError):
            return _adopting(held, file) is not held
        return False

    return [next((file for file in files if holds(file, held)), None) for held in groups]


def _saver(path: Path | None) -> Any:
    def save(directions: Any) -> None:
        if path is None:
            return
        try:
            _keep(directions, path)
        except OSError as error:
            warn(f"{path}: ranges are not saved ({error.strerror or error})")

    return save


def _keep(directions: Any, path: Path) -> None:
    """Write directions, with what a person or another run has put into their file meanwhile.

    Raises:
        OSError: the file cannot be written, or what is there not be read.
    """
    from ..directions.kept import joined
    from ..system.whole_files import alone_in

    path.parent.mkdir(parents=True, exist_ok=True)
    with alone_in(path.parent):
        earlier = _earlier(path)
        (directions if earlier is None else joined(directions, earlier)).save(path)


def factorise_given(opened: Any, given: dict[str, Any], count: int | None) -> list[Any]:
    """Factorise the layers of ``--layers``, one result for each group."""
    from ..directions.factorization import factorize_each, factorize_mapping
    from ..directions.layers import select_layers
    from ..networks.building import finite

    opened.check_unchanged()
    for layer in [*opened.layers, *([opened.mapping] if given["space"] == "z" else [])]:
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
    return factorize_each(groups, torgb=given["torgb"], **about)


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
    """Build the generator and point a scene at the seeds."""
    from ..rendering.scene import Scene

    classes = opened.sizes["c_dim"]
    if classes and given["label"] is None and seeds:
        raise click.UsageError(f"this network is conditional: choose a class with --class 0-{classes - 1}")
    G, look = generator_given(opened, given)
    with usage():
        return Scene(G, look, seeds, given["projected_w"])


def generator_given(opened: Any, given: dict[str, Any]) -> tuple[Any, Any]:
    """Build the generator, and say how it is to be looked at."""
    from ..networks.building import build_network
    from ..rendering.look import Look
    from ..rendering.precision import use_bfloat16
    from ..system.processor import keep_freed_memory

    label, classes = given["label"], opened.sizes["c_dim"]
    if label is not None and not classes:
        warn("--class is ignored: this network has no classes")
        label = None
    if label is not None and label >= classes:
        raise click.UsageError(f"class {label}: this network has classes 0-{classes - 1}")
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
        camera=given["camera"] or (0.0, 0.0),
        fov=given["fov_deg"],
        force_fp32=given["precision"] == "float32",
        bf16=given["precision"] == "bf16",
    )
    device = _device(given["device"])
    if device == "cpu":
        keep_freed_memory()
    if look.bf16 and device != "cpu":
        raise click.UsageError("--precision bf16 is for CPUs; leave --precision out, or use --device cpu")
    G = build_network(opened, device)
    if look.bf16:
        with usage():
            use_bfloat16(G)
    moved = (*look.translate, look.rotate) != (0, 0, 0)
    if moved and not hasattr(getattr(G.synthesis, "input", None), "transform"):
        warn("--translate and --rotate are ignored: only StyleGAN3 can move its input")
    if given["camera"] is not None and not hasattr(G, "camera"):
        warn("--camera is ignored: only EG3D's networks are seen by one")
    return G, look


def make_outputs(
    opened: Any,
    given: dict[str, Any],
    groups: list[Any],
    wanted: list[Any] | None,
    scene: Any,
    outdir: Path,
    distance: tuple[float, float] | None,
    sheets: bool,
) -> None:
    """Write directions, sheets, videos, the page and the record, and say what was made."""
    from ..rendering.ranges import Ranges
    from ..runs.each_direction import Run
    from ..runs.page.contents import Pages
    from ..runs.record import Manifest

    manifest = Manifest(outdir, sys.argv, network_about(opened, given))
    save_found(groups, given)
    with Progress() as progress:
        ranges = Ranges(scene, distance, progress.advance)
        pages = Pages(manifest)
        run = Run(scene, film_given(given, sheets), ranges, manifest, progress, given["overwrite"], pages)
        jobs = []
        for group in groups:
            held = group.directions
            keys = wanted if wanted is not None else range(min(given["num_directions"], len(held)))
            if held.space == "z" and scene.projected:
                raise click.UsageError("directions of Z cannot edit --projected-w, which has no z; use --space w")
            jobs += [run.plan(group, index) for index in indices_given(held, keys)]
        manifest.write()
        made, kept = run.make(jobs)
    click.echo(f"{outdir}: {len(made)} outputs made, {kept} kept")
    for name in made:
        click.echo(f"  {outdir / name}")
    click.echo(f"Look at {outdir / 'index.html'}")


def network_about(opened: Any, given: dict[str, Any]) -> dict[str, str]:
    """What a record says of the network."""
    return {
        "path": str(given["network"]),
        "name": opened.record.name,
        "which": opened.record.which,
        "class": opened.record.class_name,
        "hook": opened.hook.name,
        "digest": opened.record.digest(),
    }


def save_found(groups: list[Any], given: dict[str, Any]) -> None:
    """Write each group to its file, but for the file that was given.

    Raises:
        OSError: one cannot be written.
    """
    for group in groups:
        if not given["directions_file"] or group.path != Path(given["directions_file"]):
            _keep(group.directions, group.path)


def indices_given(directions: Any, keys: Any) -> list[int]:
    """Those of some numbers and names that one group has, each once."""
    return list(dict.fromkeys(directions.index(key) for key in keys if _has(directions, key)))


def film_given(given: dict[str, Any], sheets: bool, **usual: Any) -> Any:
    """The film that was asked for; ``usual`` may hold frames, loop and easing where they are not."""
    from ..runs.output_settings import RATE, RATES, WIDTH, WIDTHS, Film

    kind, size = given["video"], given["size"]
    line = {key: given[key] for key in ("frames", "loop", "easing") if given[key] is not None}
    return Film(
        **{**usual, **line},
        fps=given["fps"] or RATES.get(kind, RATE),
        video=kind,
        max_width=None if size == "native" else size or WIDTHS.get(kind, WIDTH),
        max_bytes=int(given["max_mb"] * 1e6) if kind == "gif" else None,
        captions=given["captions"],
        grid=given["grid"],
        sheet=sheets,
    )


def _paths(groups: list[Any], outdir: Path) -> list[Path]:
    """One file for one group, ``directions.safetensors``; for several, or edits elsewhere, the label is in the name."""
    alone = len(groups) == 1 and "@" not in groups[0].label
    labels = [""] if alone else [f"-{directions.label}" for directions in groups]
    return [outdir / f"directions{label}.safetensors" for label in labels]


def save_directions(groups: list[Any], outdir: Path) -> list[Path]:
    """Write each group to its file, with what an earlier run has left in it."""
    paths = _paths(groups, outdir)
    for directions, path in zip(groups, paths):
        _adopting(directions, path).save(path)
    return paths
