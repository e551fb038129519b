"""All commands: ``gen_sefa``, and ``sefa`` with its subcommands, which import heavy packages when they run."""

from __future__ import annotations

import click

from .. import __version__
from .batch import batch, merge
from .directions import compare, export, factorize, import_, name, sharpen
from .editing import edit, plane
from .evaluate import evaluate
from .experiments import baselines, boundary, ganspace, hierarchy, truth
from .main_job import demo, gen_sefa, render, sheet
from .networks import convert, info
from .presets import preset
from .projecting import project
from .shell import SETTINGS, Group
from .studio import studio
from .study import evaluate_study, study
from .toolkit import register_command, unregister_command

__all__ = ["gen_sefa", "sefa"]


@click.group(cls=Group, context_settings=SETTINGS, invoke_without_command=True)
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


_PARTS: tuple[click.Command, ...] = (  # in the order in which --help lists them
    *(render, sheet, demo, edit, project, plane, compare, import_, export, info, factorize, sharpen, name, convert),
    *(batch, merge, studio, preset, study, evaluate, register_command, unregister_command),
)
for _command in (baselines, hierarchy, truth, ganspace, boundary, evaluate_study):
    evaluate.add_command(_command)
for _part in _PARTS:
    sefa.add_command(_part)
