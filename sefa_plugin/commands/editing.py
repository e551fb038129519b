"""The commands that work with chosen directions: stills and recipes (``edit``, ``render --recipe``), and ``plane``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from ..system.messages import without_unprintable
from . import options
from .given import (
    Given,
    command_of,
    factorisation,
    label,
    look,
    of_each_class,
    open_for_pictures,
    outdir,
    output_settings,
    print_made,
    print_remarks,
)
from .given import seeds as seeds_of
from .progress import reporter
from .shell import Command, typed_command

_FIXED = {  # parameters whose values are in a recipe
    *("layers", "space", "normalize", "torgb", "num_directions", "order", "directions"),
    *("directions_file", "edit_layers"),
    *("trunc", "trunc_cutoff", "noise_mode", "translate", "camera", "fov_deg", "rotate", "precision", "distance"),
    "background",
}
_OF_VIDEOS = {"frames", "fps", "loop", "easing", "video", "captions", "size", "max_mb"}


@click.command(cls=Command)
@options.network
@options.edits
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
    session = open_for_pictures(given)
    from ..directions.kept import sets_in
    from ..runs.chosen_edits import edits_of, groups_of, recipe_of
    from ..runs.folder import folder_of
    from ..runs.recipe_outputs import make_recipe

    seeds, projected, typed = seeds_of(given), given["projected_w"], given["edits"]
    parts = of_each_class(given)
    views = [session.view(look(one), seeds, projected) for one in parts]
    folder = _path(given["outdir"])
    named = folder if folder and sets_in(folder) else folder_of(session.about())
    for one, view in zip(parts, views):
        outdir(one, session)  # checked before ranges are measured
        groups = groups_of(session, factorisation(one), _path(one["directions_file"]), typed, named)
        print_remarks(groups.values())
        place, engine = folder and folder / str(one.get("part", "")), session.engine()
        command = command_of(one, place)
        with reporter() as progress:
            edits, rest = edits_of(session, groups, typed, one["edit_layers"], view, engine, progress)
            recipe = recipe_of(session, view, edits, projected)
            made = make_recipe(session, view, recipe, place, command, rest, one["overwrite"], engine=engine)
        print_made(made, page=False)


@click.command(cls=Command)
@options.network
@options.axes
@options.factorisation
@options.latents
@options.directions_file
@options.edit_layers
@options.video_of_planes
@options.rendering
@options.outdir
@options.single_file
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
    output = output_settings(given, sheet=True)
    session = open_for_pictures(given)
    from ..runs.chosen_edits import at_rows, groups_of
    from ..runs.two_directions import make_plane

    typed = [given["across"], given["down"]]
    parts = of_each_class(given)
    views = [session.view(look(one), seeds_of(one), one["projected_w"]) for one in parts]
    for one, view in zip(parts, views):
        folder = outdir(one, session)
        command = command_of(one, folder)
        groups = groups_of(session, factorisation(one), _path(one["directions_file"]), typed, folder)
        print_remarks(groups.values())
        moved = [at_rows(session, groups[axis.group], axis.rows or one["edit_layers"], view) for axis in typed]
        with reporter() as progress:
            made = make_plane(
                session, view, moved, typed, output, one["path"], folder, command, progress, one["overwrite"]
            )
        print_made(made, page=True, single=given["single_file"])


def _path(text: str | None) -> Path | None:
    return Path(text) if text else None


def render_recipe(ctx: click.Context, given: Given) -> None:
    """Run ``sefa render --recipe``."""
    typed = {name for name in given if ctx.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE}
    _check_with_recipe(ctx, given, typed)
    from ..rendering.animation import usual
    from ..runs.chosen_edits import network_of, recipe_of, view_of
    from ..runs.recipe import NAME, Recipe
    from ..runs.recipe_outputs import make_recipe

    path = Path(given["recipe"])
    path = path / NAME if path.is_dir() else path
    recipe = Recipe.load(path)
    seeds, projected = list(recipe.seeds), given["projected_w"]
    others = bool({"seeds", "projected_w"} & typed)
    if others:
        seeds = given["seeds"] or []
    if given["animate"]:
        output_settings(given, sheet=False)  # checked before the network is read
    which = given["which"] if "which" in typed else recipe.network["which"]
    session = open_for_pictures({**given, "which": which}, given["network"] or network_of(recipe, path))
    labelled = bool({"classes", "label"} & typed)
    if labelled:
        recipe = replace(recipe, look=replace(recipe.look, label=label(given)))
    if others:
        recipe = replace(recipe, seeds=tuple(seeds), ws=None, ws_file="")
    recipe = replace(recipe, network={**recipe.network, "path": without_unprintable(session.about()["path"])})
    view = view_of(session, recipe, projected, given["other_network"])
    if others or labelled or session.opened.record.digest() != recipe.network["digest"]:
        recipe = recipe_of(session, view, recipe.edits, projected or recipe.ws_file)
    animated, kind = None, given["animate"]
    if kind:
        frames, loop, easing = usual(kind, len(recipe.edits), len(view))
        animated = kind, output_settings(given, sheet=False, frames=frames, loop=loop, easing=easing)
    with reporter() as progress:
        folder = _path(given["outdir"])
        made = make_recipe(session, view, recipe, folder, typed_command(), progress, given["overwrite"], animated)
    print_made(made, page=False)


def _check_with_recipe(ctx: click.Context, given: Given, typed: set[str]) -> None:
    """Refuse typed options that cannot be combined with ``--recipe``."""
    called = {param.name: param.opts[0] for param in ctx.command.params}
    for name in sorted(typed & _FIXED):
        raise click.UsageError(
            f"{called[name]} is stored in the recipe: leave it out, or make a new recipe with `sefa edit`"
        )
    if "single_file" in typed:
        raise click.UsageError("--single-file is for the page of a run; leave it out with --recipe")
    if "grid" in typed:
        raise click.UsageError("--grid is for runs of several directions, not for a recipe; leave it out")
    if given["animate"] is None and typed & _OF_VIDEOS:
        name = called[sorted(typed & _OF_VIDEOS)[0]]
        raise click.UsageError(f"{name} is for videos: add --animate edit, sequence or walk")
    if given["animate"] and given["video"] == "none":
        raise click.UsageError("--video none makes no video; leave --animate out to make the pictures")


def check_without_recipe(given: Given) -> None:
    """Refuse options that need ``--recipe``, and a missing ``--network``."""
    if not given["network"]:
        raise click.UsageError("Missing option '--network' (or --recipe).")
    if given["animate"] or given["other_network"]:
        raise click.UsageError(f"{'--animate' if given['animate'] else '--other-network'} needs a --recipe")
    for name, words in (("loop", ("closed",)), ("easing", ("cubic", "spherical"))):
        if given[name] in words:
            raise click.UsageError(f"--{name} {given[name]} goes through key frames: it needs a --recipe and --animate")
