"""The main job, a sheet and a video of each direction: ``gen-sefa``, ``render``, ``sheet``, ``demo``."""

from __future__ import annotations

from typing import Any

import click
from click.core import ParameterSource

from .. import __version__
from . import options
from .editing import check_without_recipe, render_recipe
from .given import (
    Given,
    command_of,
    directions_in,
    look,
    of_each_class,
    open_for_pictures,
    outdir,
    output_settings,
    print_made,
)
from .given import seeds as seeds_of
from .given import wanted as wanted_of
from .progress import reporter
from .shell import SETTINGS, Command


def _run_options(video: options.Decorator = options.video) -> options.Decorator:
    return options.stack(
        options.factorisation,
        options.latents,
        options.which_directions,
        video,
        options.rendering,
        options.outdir,
        options.single_file,
        options.overwrite,
        options.strict,
        options.debug,
    )


@click.command("gen-sefa", cls=Command, context_settings=SETTINGS)
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
    \b
      # Each of some classes, in a folder of its own, and a mixture of two of three:
      python gen_sefa.py --network cifar10.pkl --class 0,2,5-7
      python gen_sefa.py --network animals.pkl --label 0.5,0,0.5
    """
    _run(given, sheet=True)


@click.command(cls=Command)
@options.network_or_recipe
@options.recipe
@_run_options(options.video_of_recipes)
@click.pass_context
def render(ctx: click.Context, /, **given: Any) -> None:
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
        raise click.UsageError("--video none makes nothing here; `sefa sheet` makes sheets without videos")
    _run(given, sheet=False)


@click.command(cls=Command)
@options.network
@_run_options()
def sheet(**given: Any) -> None:
    """Make a contact sheet of each direction: seeds down, distances across.

    \b
    Examples:
      sefa sheet --network ffhq.pkl -K 20 --seeds 0-3
    """
    _run({**given, "video": "none"}, sheet=True)


# Where they are not typed, the demo shows these: faces that turned out well, and directions that are easy to see.
SEEDS = [13, 16, 10, 5]
SHOWN = {"seeds": SEEDS, "layers": "coarse,middle", "num_directions": 3}


@click.command(cls=Command)
@_run_options()
@click.pass_context
def demo(ctx: click.Context, /, **given: Any) -> None:
    """Run everything on the bundled network: small drawn faces.

    Seeds, layers and number of directions that are not typed are --seeds 13,16,10,5 --layers coarse,middle -K 3.

    \b
    Examples:
      sefa demo
      sefa demo --layers coarse --distance 5
    """
    typed = {name for name in SHOWN if ctx.get_parameter_source(name) != ParameterSource.DEFAULT}
    typed |= {"seeds"} if given["projected_w"] else set()
    typed |= {"layers"} if given["space"] == "z" else set()
    shown = {name: value for name, value in SHOWN.items() if name not in typed}
    _run({**given, **shown, "network": "demo"}, sheet=True)


def _run(given: Given, sheet: bool) -> None:
    """Open the network, factorise, render, and print the outputs."""
    output = output_settings(given, sheet=sheet)
    session = open_for_pictures(given)
    from ..runs.each_direction import make_outputs

    wanted, views = wanted_of(given), []
    for one in of_each_class(given):  # all are checked before the first is rendered
        views.append((one, outdir(one, session), session.view(look(one), seeds_of(one), one["projected_w"])))
    for one, folder, view in views:
        with reporter() as progress:
            folder, groups = directions_in(one, session, folder, wanted, progress)
            made = make_outputs(
                session,
                view,
                groups,
                wanted,
                output,
                folder,
                distance=one["distance"],
                command=command_of(one, folder),
                reporter=progress,
                overwrite=one["overwrite"],
            )
        print_made(made, page=True, single=given["single_file"])
