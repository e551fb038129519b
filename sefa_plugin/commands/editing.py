"""The commands that work with chosen directions: stills and recipes."""

from __future__ import annotations

from typing import Any

import click

from . import options
from .editing_stages import camera_of, edits_given, make_plane, make_recipe, network_of, recipe_of
from .shell import Command, usage
from .stages import camera_given, open_given

_FIXED = {  # what a recipe holds already, by parameter
    "layers",
    "space",
    "normalize",
    "torgb",
    "trunc",
    "trunc_cutoff",
    "noise_mode",
    "translate",
    "camera",
    "fov_deg",
    "rotate",
    "precision",
    "num_directions",
    "directions",
    "directions_file",
    "edit_layers",
    "distance",
}
_OF_VIDEOS = {"frames", "fps", "loop", "easing", "video", "captions", "size", "max_mb"}


@click.command(cls=Command)
@options.network
@click.option(
    "--edit",
    "edits",
    multiple=True,
    help="Direction and distance: 0=+2.5, smile=-1, -1=3 (the weakest); coarse:0=2 (of other layers), "
    "0=2@4-7 (edited there), 0=auto or 0=50% (of the calibrated range). Any number of times.",
    metavar="EDIT",
)
@options.factorisation
@options.latents
@options.directions_file
@options.edit_layers
@options.rendering
@options.outdir_of_edits
@options.overwrite
@options.strict
@options.debug
def edit(**given: Any) -> None:
    """Edit pictures: the full-size PNG of each seed, its ws, and a recipe that makes them again.

    \b
    Examples:
      sefa edit --network ffhq.pkl --seeds 5 --edit 0=+2.5 --edit smile=-1
      sefa edit --network ffhq.pkl --seeds 5,9 --trunc 0.7 --edit coarse:0=2 --edit fine:3=-1.5
      sefa edit --network ffhq.pkl --projected-w projected_w.npz --edit 0=auto --edit-layers 4-7
    """
    from ..rendering.typed_edits import parse_edit

    with usage():
        typed = [parse_edit(text) for text in given["edits"]]
        seeds = _seeds(given, [] if given["projected_w"] else [0, 1, 2])
    opened = _opened(given)
    scene = camera_given(opened, given, seeds)
    edits = edits_given(opened, given, typed, scene)
    make_recipe(opened, given, recipe_of(opened, given, scene, seeds, edits), scene)


def _axis(option: str, where: str) -> Any:
    return click.option(
        option,
        required=True,
        help=f"The direction {where}: 0, smile, -1, coarse:0; with a range smile=2 or 0=-1,3.  [default: auto]",
        metavar="DIRECTION",
    )


@click.command(cls=Command)
@options.network
@_axis("--across", "from left to right")
@_axis("--down", "from top to bottom")
@options.factorisation
@options.latents
@options.directions_file
@options.edit_layers
@options.video_of_planes
@click.option(
    "--path",
    type=click.Choice(["ellipse", "corners"]),
    default="ellipse",
    help="Of the video: an ellipse that touches all four edges of the sheet, or along them from corner to corner.",
)
@options.rendering
@options.outdir
@options.overwrite
@options.strict
@options.debug
def plane(**given: Any) -> None:
    """Two directions at once: a sheet of each seed, one across and one down, and a closed video round them.

    \b
    Examples:
      sefa plane --network ffhq.pkl --across 0 --down 3 --seeds 5
      sefa plane --network ffhq.pkl --across coarse:smile=2 --down fine:0=-1,3 --video gif
    """
    from ..rendering.typed_edits import parse_axis

    with usage():
        typed = [parse_axis(given[option]) for option in ("across", "down")]
        seeds = _seeds(given, [] if given["projected_w"] else [0, 1, 2])
    opened = _opened(given)
    make_plane(opened, given, typed, camera_given(opened, given, seeds))


def render_recipe(ctx: click.Context, given: dict[str, Any]) -> None:
    """What ``sefa render --recipe`` does."""
    from dataclasses import replace
    from pathlib import Path

    from ..runs.recipe import NAME, Recipe

    typed = {name for name in given if ctx.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE}
    called = {param.name: param.opts[0] for param in ctx.command.params}
    for name in sorted(typed & _FIXED):
        raise click.UsageError(f"{called[name]} is in the recipe already: leave it out, or use `sefa edit`")
    if "grid" in typed:
        raise click.UsageError("--grid shows all directions of a run; a recipe has none")
    if given["animate"] is None and typed & _OF_VIDEOS:
        name = called[sorted(typed & _OF_VIDEOS)[0]]
        raise click.UsageError(f"{name} is for videos: add --animate edit, sequence or walk")
    if given["animate"] and given["video"] == "none":
        raise click.UsageError("--video none leaves nothing to make; without --animate the pictures are made")
    path = Path(given["recipe"])
    path = path / NAME if path.is_dir() else path
    recipe = Recipe.load(path)
    given = {**given, "network": given["network"] or network_of(recipe, path)}
    if "which" not in typed:
        given["which"] = recipe.network["which"]
    other = {"seeds", "projected_w"} & typed
    with usage():
        seeds = _seeds(given, []) if other else list(recipe.seeds)
    opened = _opened(given)
    if "label" in typed:
        recipe = replace(recipe, look=replace(recipe.look, label=given["label"]))
    if other:
        recipe = replace(recipe, seeds=tuple(seeds), ws=None, ws_file="")
    scene = camera_of(opened, given, recipe, given["projected_w"])
    if other or "label" in typed or scene.G.sefa.digest != recipe.network["digest"]:
        recipe = recipe_of(opened, given, scene, seeds, list(recipe.edits))
    make_recipe(opened, given, recipe, scene)


def check_without_recipe(given: dict[str, Any]) -> None:
    """Refuse what needs ``--recipe``, and the lack of a network."""
    if not given["network"]:
        raise click.UsageError("Missing option '--network' (or --recipe).")
    if given["animate"] or given["other_network"]:
        raise click.UsageError(f"{'--animate' if given['animate'] else '--other-network'} needs a --recipe")
    for name, words in (("loop", ("closed",)), ("easing", ("cubic", "spherical"))):
        if given[name] in words:
            raise click.UsageError(f"--{name} {given[name]} goes through key frames: it needs a --recipe and --animate")


def _seeds(given: dict[str, Any], usual: list[int]) -> list[int]:
    from ..rendering.typed_edits import parse_seeds

    return parse_seeds(given["seeds"]) if given["seeds"] else usual


def _opened(given: dict[str, Any]) -> Any:
    opened = open_given(given)
    if opened.why_no_pictures:
        raise click.ClickException(f"{opened.record.path}: {opened.why_no_pictures} (`sefa factorize` works)")
    return opened
