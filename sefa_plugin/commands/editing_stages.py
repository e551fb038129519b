"""What the commands for recipes share: from the options that were given to a recipe, a scene and outputs."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from .progress import Progress
from .shell import usage, warn
from .stages import camera_given, directions_given, edit_rows, film_given, known_paths, network_about


def edits_given(opened: Any, given: dict[str, Any], typed: list[Any], scene: Any) -> list[Any]:
    """Factorise, or read the directions file, for each group of layers that is asked for; gives ``Edit`` objects."""
    from ..rendering.edits import edit_of
    from ..runs.folder import output_folder

    keys: dict[str, list[Any]] = {}
    for edit in typed:
        keys.setdefault(edit.group, []).append(edit.key)
    home = output_folder(None, opened.record.name)
    groups = {name: _group(opened, given, name, wanted, home) for name, wanted in keys.items()}
    edits = []
    with Progress() as progress, usage():
        ranges = None
        for edit in typed:
            group = _at_rows(opened, given, groups[edit.group], edit.rows, scene)
            distance = edit.distance
            if edit.relative:
                from ..rendering.ranges import Ranges

                ranges = ranges or Ranges(scene, None, progress.advance)
                distance = _part_of(ranges.of(group, group.directions.index(edit.key)), edit)
            edits.append(edit_of(group.directions, edit.key, distance))
    return edits


def _group(opened: Any, given: dict[str, Any], name: str, keys: list[Any], home: Path) -> Any:
    """The directions of one group; '' is that of ``--layers`` and ``--space``, or the directions file.

    Names and ranges of a run are found in ``home``, and nothing new is put there.
    """
    if name and given["directions_file"]:
        raise click.UsageError(f"{name}:{keys[0]}: a directions file has layers of its own; leave {name}: out")
    asked = {"edit_layers": None, "num_directions": 1}
    if name:
        asked.update(layers="all" if name == "z" else name, space="z" if name == "z" else "w")
    found = directions_given(opened, {**given, **asked}, keys, home, known_paths)
    if len(found) != 1:
        raise click.UsageError(
            f"--layers {given['layers']} gives {len(found)} groups; say with each direction which it is of: coarse:0"
        )
    return _careful(found[0])


def _careful(group: Any) -> Any:
    """The group, but ranges of another truncation or class never replace those that its file has."""
    held, save = group.directions, group.save

    def kept(now: Any) -> None:
        if held.calibration in ("", now.calibration):
            save(now)

    return replace(group, save=kept)


def _at_rows(opened: Any, given: dict[str, Any], group: Any, typed: str, scene: Any) -> Any:
    """The group as it is edited: at rows that are typed with a direction, those of ``--edit-layers``, or its own.

    Raises:
        ValueError: it cannot be edited there, or not with these subjects.
    """
    from ..rendering.scene import NO_Z

    if group.directions.space == "z" and scene.projected:
        raise ValueError(NO_Z)
    spec = typed or given["edit_layers"]
    if not spec:
        return group
    rows = edit_rows(opened, spec)
    moved = group.directions.edited_at(rows.ws_indices, rows.label)
    # Ranges at other rows are kept nowhere.
    return group if moved is group.directions else replace(group, directions=moved, save=lambda held: None)


def _part_of(ends: tuple[float, float], edit: Any) -> float:
    """A part of the calibrated range on its side."""
    end = ends[1] if edit.distance >= 0 else ends[0]
    if not end:
        side = "+" if edit.distance >= 0 else "-"
        raise ValueError(f"edit {edit.key}: pictures break at once towards {side}; type a distance")
    return abs(edit.distance) * end


def recipe_of(opened: Any, given: dict[str, Any], scene: Any, seeds: list[int], edits: list[Any]) -> Any:
    """The recipe of what was typed.

    Raises:
        click.UsageError: a setting is out of range.
    """
    from ..runs.recipe import Recipe

    count = len(scene) - len(seeds)
    network = {"path": str(given["network"]), "name": opened.record.name, "which": opened.record.which}
    recipe = Recipe(
        network={**{key: _printable(text) for key, text in network.items()}, "digest": opened.record.digest()},
        seeds=tuple(seeds),
        look=scene.look,
        edits=tuple(edits),
        ws=scene.ws[:count].cpu().numpy() if count else None,
        ws_file=_printable(Path(given["projected_w"]).name) if count else "",
    )
    with usage():
        recipe.data()  # before any work: it can be written, and read again
    return recipe


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def network_of(recipe: Any, path: Path) -> str:
    """Where the network of a recipe is: where it was, or beside the recipe.

    Raises:
        RecipeError: it is in neither place.
    """
    from ..reading.download import is_url
    from ..runs.recipe import RecipeError

    held = recipe.network["path"]
    beside = path.parent / re.split(r"[/\\]", held)[-1]
    if held == "demo" or is_url(held) or Path(held).is_file():
        return held
    if beside.is_file():
        return str(beside)
    raise RecipeError(f"{held}: the network of this recipe is not there; say with --network where it is")


def camera_of(opened: Any, given: dict[str, Any], recipe: Any, projected: str | None) -> Any:
    """The scene of a recipe; ``projected`` is a file of ws instead of its own.

    Raises:
        RecipeError: the network is another one.
    """
    sizes = {key: opened.sizes[key] for key in ("num_ws", "w_dim", "z_dim")}
    about = {"name": opened.record.name, "digest": opened.record.digest(), **sizes}
    recipe.check_fits(other=given["other_network"], **about)
    if about["digest"] != recipe.network["digest"]:
        warn(f"this recipe was made with {recipe.network['name']}, another network than {opened.record.name}")
    look = recipe.look
    asked = {
        "label": look.label,
        "trunc": look.trunc,
        "trunc_cutoff": look.trunc_cutoff,
        "noise_mode": look.noise_mode,
        "translate": look.translate,
        "rotate": look.rotate,
        "camera": look.camera if any(look.camera) else None,
        "fov_deg": look.fov,
        "precision": "bf16" if look.bf16 else "float32" if look.force_fp32 else "auto",
        "projected_w": projected or recipe.ws,
    }
    return camera_given(opened, {**given, **asked}, list(recipe.seeds))


def make_recipe(opened: Any, given: dict[str, Any], recipe: Any, scene: Any) -> None:
    """Make the stills of a recipe, or with ``--animate`` its video, and say what was made."""
    from ..rendering.animation import motion, usual
    from ..runs.folder import check_folder, output_folder
    from ..runs.recipe_outputs import Editing, folder_for
    from ..runs.record import Manifest

    kind = given.get("animate")
    home = output_folder(None, opened.record.name) / "edits"
    outdir = Path(given["outdir"]) if given["outdir"] else folder_for(home, recipe)
    move = None
    if kind:
        frames, loop, easing = usual(kind, len(recipe.edits), len(scene))
        film = film_given({**given, "grid": False}, False, frames=frames, loop=loop, easing=easing)
        with usage():
            move = motion(kind, scene, recipe.edits, film.frames, film.loop, film.easing)
        if film.video == "mp4":
            from ..media.mp4 import check_ffmpeg

            check_ffmpeg()
    check_folder(outdir)
    manifest = Manifest(outdir, sys.argv, network_about(opened, given))
    with Progress() as progress:
        editing = Editing(recipe, scene, manifest, progress, given["overwrite"])
        made, kept = editing.video(kind, move, film) if move else editing.stills()
    click.echo(f"{outdir}: {len(made)} outputs made, {len(kept)} kept")
    for name in made:
        click.echo(f"  {outdir / name}")


def make_plane(opened: Any, given: dict[str, Any], typed: list[Any], scene: Any) -> None:
    """Make the sheets and the video of two directions, across and down, and say what was made."""
    from ..rendering.ranges import Ranges
    from ..runs.folder import check_folder, output_folder
    from ..runs.page.contents import Pages
    from ..runs.record import Manifest
    from ..runs.two_directions import Axis, Plane

    outdir = output_folder(given["outdir"], opened.record.name)
    film = film_given({**given, "loop": None, "easing": None, "grid": False}, True)
    if film.video == "mp4":
        from ..media.mp4 import check_ffmpeg

        check_ffmpeg()
    keys: dict[str, list[Any]] = {}
    for axis in typed:
        keys.setdefault(axis.group, []).append(axis.key)
    groups = {name: _group(opened, given, name, wanted, outdir) for name, wanted in keys.items()}
    with usage():
        moved = [_at_rows(opened, given, groups[axis.group], axis.rows, scene) for axis in typed]
        same = {(group.directions.label, group.directions.index(axis.key)) for group, axis in zip(moved, typed)}
        if len(same) == 1:
            raise ValueError(f"--across and --down are both direction {typed[0].key}: give two")
    check_folder(outdir)  # not before: a mistyped direction leaves no empty folder
    manifest = Manifest(outdir, sys.argv, network_about(opened, given))
    with Progress() as progress:
        axes = []
        for group, axis in zip(moved, typed):
            ranges = Ranges(scene, axis.ends, progress.advance)
            axes.append(Axis.of(group, axis.key, ranges.of(group, group.directions.index(axis.key))))
        across, down = axes
        plane = Plane(scene, across, down, manifest, progress, given["overwrite"], Pages(manifest))
        made, kept = plane.make(film, given["path"])
    click.echo(f"{outdir}: {len(made)} outputs made, {kept} kept")
    for name in made:
        click.echo(f"  {outdir / name}")
    click.echo(f"Look at {outdir / 'index.html'}")
