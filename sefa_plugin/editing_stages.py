"""What the commands for recipes share: from the options that were given to a recipe, a camera and outputs."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from .command import Progress, usage, warn
from .stages import camera_given, directions_given, edit_rows, film_given, known_paths, network_about


def edits_given(opened: Any, given: dict[str, Any], typed: list[Any], camera: Any) -> list[Any]:
    """Factorise, or read the directions file, for each group of layers that is asked for; gives ``Edit`` objects."""
    from .edits import edit_of

    keys: dict[str, list[Any]] = {}
    for edit in typed:
        keys.setdefault(edit.group, []).append(edit.key)
    groups = {name: _group(opened, given, name, wanted) for name, wanted in keys.items()}
    edits = []
    with Progress() as progress, usage():
        ranges = None
        for edit in typed:
            group = groups[edit.group]
            if group.directions.space == "z" and camera.projected:
                from .camera import NO_Z

                raise ValueError(NO_Z)
            if edit.rows or given["edit_layers"]:
                group = _moved(group, edit_rows(opened, edit.rows or given["edit_layers"]))
            distance = edit.distance
            if edit.relative:
                from .ranges import Ranges

                ranges = ranges or Ranges(camera, None, progress.advance)
                distance = _part_of(ranges.of(group, group.directions.index(edit.key)), edit)
            edits.append(edit_of(group.directions, edit.key, distance))
    return edits


def _group(opened: Any, given: dict[str, Any], name: str, keys: list[Any]) -> Any:
    """The directions of one group; '' is that of ``--layers`` and ``--space``, or the directions file."""
    from .pipeline import output_folder

    if name and given["directions_file"]:
        raise click.UsageError(f"--edit {name}:...: a directions file has layers of its own; leave {name}: out")
    asked = {"edit_layers": None, "num_directions": 1}
    if name:
        asked.update(layers="all" if name == "z" else name, space="z" if name == "z" else "w")
    home = output_folder(None, opened.record.name)
    found = directions_given(opened, {**given, **asked}, keys, home, known_paths)
    if len(found) != 1:
        raise click.UsageError(
            f"--layers {given['layers']} gives {len(found)} groups; say for each edit which it is of, like coarse:0=2"
        )
    return found[0]


def _moved(group: Any, rows: Any) -> Any:
    """Edits at other rows; their ranges are kept nowhere."""
    return replace(group, directions=group.directions.edited_at(rows.ws_indices, rows.label), save=lambda held: None)


def _part_of(ends: tuple[float, float], edit: Any) -> float:
    """A part of the calibrated range on its side."""
    end = ends[1] if edit.distance >= 0 else ends[0]
    if not end:
        side = "+" if edit.distance >= 0 else "-"
        raise ValueError(f"edit {edit.key}: pictures break at once towards {side}; type a distance")
    return abs(edit.distance) * end


def recipe_of(opened: Any, given: dict[str, Any], camera: Any, seeds: list[int], edits: list[Any]) -> Any:
    """The recipe of what was typed.

    Raises:
        click.UsageError: a setting is out of range.
    """
    from .recipe import Recipe

    count = len(camera) - len(seeds)
    network = {"path": str(given["network"]), "name": opened.record.name, "which": opened.record.which}
    recipe = Recipe(
        network={**{key: _printable(text) for key, text in network.items()}, "digest": opened.record.digest()},
        seeds=tuple(seeds),
        look=camera.look,
        edits=tuple(edits),
        ws=camera.ws[:count].cpu().numpy() if count else None,
        ws_file=_printable(Path(given["projected_w"]).name) if count else "",
    )
    with usage():
        recipe.data()  # before any work: it can be written, and read again
    return recipe


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def network_of(recipe: Any, path: str) -> str:
    """Where the network of a recipe is: where it was, or beside the recipe.

    Raises:
        RecipeError: it is in neither place.
    """
    from .download import is_url
    from .recipe import RecipeError

    held = recipe.network["path"]
    beside = Path(path).parent / re.split(r"[/\\]", held)[-1]
    if held == "demo" or is_url(held) or Path(held).is_file():
        return held
    if beside.is_file():
        return str(beside)
    raise RecipeError(f"{held}: the network of this recipe is not there; say with --network where it is")


def camera_of(opened: Any, given: dict[str, Any], recipe: Any, projected: str | None) -> Any:
    """The camera of a recipe; ``projected`` is a file of ws instead of its own.

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


def make_recipe(opened: Any, given: dict[str, Any], recipe: Any, camera: Any) -> None:
    """Make the stills of a recipe, or with ``--animate`` its video, and say what was made."""
    from .animation import motion, usual
    from .editing import Editing, folder_for
    from .manifest import Manifest
    from .pipeline import check_folder, output_folder

    kind = given.get("animate")
    home = output_folder(None, opened.record.name) / "edits"
    outdir = Path(given["outdir"]) if given["outdir"] else folder_for(home, recipe)
    move = None
    if kind:
        frames, loop, easing = usual(kind, len(recipe.edits), len(camera))
        film = film_given({**given, "grid": False}, False, frames=frames, loop=loop, easing=easing)
        with usage():
            move = motion(kind, camera, recipe.edits, film.frames, film.loop, film.easing)
        if film.video == "mp4":
            from .mp4 import check_ffmpeg

            check_ffmpeg()
    check_folder(outdir)
    manifest = Manifest(outdir, sys.argv, network_about(opened, given, camera))
    with Progress() as progress:
        editing = Editing(recipe, camera, manifest, progress, given["overwrite"])
        made, kept = editing.video(kind, move, film) if move else editing.stills()
    click.echo(f"{outdir}: {len(made)} outputs made, {len(kept)} kept")
    for name in made:
        click.echo(f"  {outdir / name}")
