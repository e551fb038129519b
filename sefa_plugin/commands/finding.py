"""The commands of `sefa evaluate` that find directions by other methods, to render them like SeFa's."""

from __future__ import annotations

from typing import Any

import click

from . import options
from .evaluate_stage import FOLDER, Stage
from .progress import Progress
from .shell import Command, usage
from .stages import generator_given, open_given


@click.command(cls=Command)
@options.network
@options.one_group
@click.option("-K", "--num-directions", type=click.IntRange(min=1), default=20, help="How many.", metavar="INT")
@options.code_samples
@options.look
@options.rendering
@options.outdir
@options.strict
@options.debug
def ganspace(**given: Any) -> None:
    """Find directions by GANSpace (principal components of sampled w), to render and compare like SeFa's.

    \b
    Examples:
      sefa evaluate ganspace --network demo
      sefa render --network demo --directions-file sefa-out/demo/evaluate/ganspace.safetensors
    """
    from ..evaluate.methods.methods import by_ganspace
    from ..runs.folder import check_folder, output_folder

    opened = open_given(given)
    outdir = output_folder(given["outdir"], opened.record.name)
    check_folder(outdir)
    G, look = generator_given(opened, given)
    with usage():
        found = by_ganspace(
            G, given["num_directions"], given["layers"], given["torgb"], look=look, samples=given["code_samples"]
        )
    path = outdir / FOLDER / "ganspace.safetensors"
    found.directions.save(path)
    spread = ", ".join(f"{value:.3g}" for value in found.directions.sigmas[:5])
    click.echo(f"{path}: {len(found.directions)} components, standard deviations {spread}, {found.seconds:.1f} s")


@click.command(cls=Command)
@options.network
@options.scoring
@options.one_group
@options.train_samples
@options.split_seed
@click.option("--only", help="Attributes to find boundaries of.  [default: all]", metavar="LIST")
@click.option(
    "--condition", help="Attributes whose boundaries are taken out of all others, or all.", metavar="LIST|all"
)
@click.option(
    "--read", "files", multiple=True, help="Boundary files (.npy) to use instead; may be repeated.", metavar="FILE"
)
@options.measuring
def boundary(**given: Any) -> None:
    """Find directions by InterFaceGAN: the boundary between samples that score high and low.

    Writes ATTRIBUTE_boundary.npy in the layout of the authors' code, and all of them as interfacegan.safetensors,
    whose directions are called by their attributes. With --read, boundaries of that layout become such a file.

    \b
    Examples:
      sefa evaluate boundary --network demo
      sefa render --network demo --directions-file sefa-out/demo/evaluate/interfacegan.safetensors --directions smile
      sefa evaluate boundary --network demo --only smile,glasses --condition wrinkles
      sefa evaluate boundary --network ffhq.pkl --read stylegan_ffhq_age_w_boundary.npy
    """
    from ..evaluate.methods import boundaries as work

    chosen, conditions = _listed(given["only"]), _listed(given["condition"])
    if given["files"]:
        _read_boundaries(given)
        return
    with Progress() as progress:
        stage = Stage(given, progress)
        missing = [name for name in [*chosen, *conditions] if name not in stage.attributes and name != "all"]
        if missing:
            raise click.UsageError(f"attribute {missing[0]}: the scorer names {', '.join(stage.attributes)[:200]}")
        progress.expect(given["train_samples"], given["train_samples"] * stage.pace)
        with usage():
            made = work.train(
                stage.bench,
                given["train_samples"],
                chosen or stage.attributes,
                stage.attributes if conditions == ["all"] else conditions,
                given["layers"],
                given["torgb"],
                given["seed"],
                skip=lambda name, error: progress.say(f"{name} is left out: {error}"),
            )
    for line in made.told():
        click.echo(line)
    for path in made.save(stage.folder):
        click.echo(f"  {path}")


def _listed(text: str | None) -> list[str]:
    return [part.strip() for part in (text or "").split(",") if part.strip()]


def _read_boundaries(given: dict[str, Any]) -> None:
    from ..evaluate.methods.boundaries import read
    from ..runs.folder import check_folder, output_folder

    opened = open_given(given)
    outdir = output_folder(given["outdir"], opened.record.name)
    check_folder(outdir)
    G, _ = generator_given(opened, given)
    with usage():
        directions = read(G, given["files"], given["layers"], given["torgb"])
    path = outdir / FOLDER / "interfacegan.safetensors"
    directions.save(path)
    click.echo(f"{path}: {len(directions)} directions: {', '.join(directions.names)}")
