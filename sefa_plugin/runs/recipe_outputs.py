"""The outputs of a recipe: full-size pictures, their ws, the recipe itself, and videos, in a folder with a record."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..rendering.animation import Motion, motion
from ..rendering.engine import Engine
from ..rendering.shards import Shard, View
from .command_line import from_outputs
from .folder import Made, Reporter, check_folder, claim, folder_of, own_folder
from .making import Making
from .output_settings import OutputSettings
from .page.edited import EDITS
from .plan import RENDERER, Latents, Output, Plan, Still, Text, Video
from .recipe import NAME, Recipe, RecipeError
from .record import Manifest
from .renaming import refresh_page
from .reproduce import of_edits
from .settings import settings_checked

if TYPE_CHECKING:
    from .session import Session

Animated = tuple[str, OutputSettings]  # the kind of a video (``animation.KINDS``), and its settings


class EditingError(Exception):
    """An output would replace a file that was not made from this recipe."""


def folder_for(parent: Path, recipe: Recipe) -> Path:
    """The folder of a recipe in ``parent``: the one that holds it already, or a new name."""
    for number in range(1, 10_000):
        folder = parent / (recipe.stem if number == 1 else f"{recipe.stem}-{number}")
        if not (folder / NAME).exists() or holds(folder, recipe):
            return folder
    raise EditingError(f"{parent / recipe.stem}: 9999 folders of this name exist; type another --outdir")


def holds(folder: Path, recipe: Recipe) -> bool:
    """Whether a folder holds this recipe; names and paths in it may differ."""
    try:
        return Recipe.load(folder / NAME).digest == recipe.digest
    except RecipeError:
        return False


def make_recipe(
    session: Session,
    view: View,
    recipe: Recipe,
    outdir: Path | None,
    command: Sequence[str],
    reporter: Reporter,
    overwrite: bool = False,
    animated: Animated | None = None,
    engine: Engine | None = None,
) -> Made:
    """Make the stills of a recipe, or its video, with the record of their folder.

    Args:
        session, view: the network, and the recipe's subjects and look.
        recipe: what is made.
        outdir: the folder; None takes one with the name of the recipe, in ``edits`` of the network's.
        command: what was typed, for the record.
        reporter: receives lines, the amount of work, and progress.
        overwrite: make outputs again, and replace any file of their names.
        animated: kind (``animation.KINDS``) and settings of a video; None makes stills.
        engine: makes the pictures; None makes them in this process.

    Raises:
        SettingsError: this kind of video does not fit the recipe.
        EditingError: a file of one of these names was not made from this recipe, or was changed.
        VideoError, FramesError, OSError: an output could not be made; those before it are whole.
    """
    usual = folder_for(folder_of(session.about()) / EDITS, recipe) if outdir is None else outdir
    shown = {**recipe.network, "path": from_outputs(recipe.network["path"], usual)}
    outputs, network = _outputs(view, replace(recipe, network=shown), animated, command), session.about()
    if outdir is None:
        outdir = folder_for(own_folder(network, command) / EDITS, recipe)
        check_folder(outdir)
    else:
        claim(outdir, network, command)
    manifest = Manifest(outdir, command, network)
    current = _keeping_others(recipe, manifest, reporter, overwrite)
    making = Making(view, engine or session.engine(), manifest, reporter, current, begins=True)
    made, kept = making.make(outputs)
    refresh_page(outdir)
    if outdir.parent.name == EDITS:  # of a network's folder, whose page shows them
        refresh_page(outdir.parent.parent)
    return Made(outdir, tuple(made), kept)


def plan_recipe(
    session: Session, view: View, recipe: Recipe, command: Sequence[str] = (), animated: Animated | None = None
) -> Plan:
    """Plan the outputs of :func:`make_recipe`, to be rendered later or elsewhere.

    Raises:
        SettingsError: this kind of video does not fit the recipe.
    """
    outputs = tuple(_outputs(view, recipe, animated, command))
    return Plan(session.about(), tuple(command), view, outputs, session.engine().arithmetic(view))


def _outputs(view: View, recipe: Recipe, animated: Animated | None, command: Sequence[str]) -> list[Output]:
    """Pictures, ws and the recipe itself, or its video."""
    settings = {"renderer": RENDERER, "recipe": recipe.digest}
    if animated is None:
        outputs = [Output(NAME, Text(text=recipe.data().decode("utf-8")), settings, order=(0, 0))]
        step = tuple((place, 1.0) for place in range(len(recipe.edits)))
        for who, label in enumerate(view.labels):
            shard = Shard(((float(who), step),), recipe.edits)
            still = Still(shard=shard, comment=of_edits(command, recipe.edits))
            outputs.append(Output(f"{file_name(label)}.png", still, settings, order=(1, 2 * who)))
            outputs.append(Output(f"{file_name(label)}.npz", Latents(shard=shard), settings, order=(1, 2 * who + 1)))
        return outputs
    kind, output = animated
    with settings_checked():
        move = motion(kind, view, recipe.edits, output.frames, output.loop, output.easing)
    output.check()
    return [_video(recipe, kind, move, output, of_edits(command, recipe.edits))]


def _video(recipe: Recipe, kind: str, move: Motion, output: OutputSettings, command: str) -> Output:
    video = output.layout((move.shard,), move.line.order, ((words,) for words in move.captions), command)
    settings = {"renderer": RENDERER, "recipe": recipe.digest, "animate": kind, "film": output.of_video()}
    return Output(output.video_named(kind), video, settings, tuple(move.line.per_frame))


def _keeping_others(
    recipe: Recipe, manifest: Manifest, reporter: Reporter, overwrite: bool
) -> Callable[[Output], bool]:
    """A function that tests whether an output is up to date, and raises if it would replace another file."""

    def check(output: Output) -> bool:
        name, path, video = output.name, manifest.outdir / output.name, isinstance(output.layout, Video)
        if overwrite or not path.exists():
            return False
        if manifest.has_begun(name):  # by a run that was killed: its record has to be completed, too
            return False
        current = holds(path.parent, recipe) if name == NAME else manifest.is_current(name, output.settings)
        if current:
            if video:
                reporter.say(f"{name}: is up to date, kept")
            return True
        if not video:
            raise EditingError(
                f"{path}: is there already, and is not of this edit; type another --outdir, or --overwrite"
            )
        if name not in manifest.outputs or not manifest.is_current(name, manifest.outputs[name].settings):
            raise EditingError(f"{path}: was not made here, or was changed since; move it away, or type --overwrite")
        reporter.say(f"{name}: was made with other settings, will be replaced")
        return False

    return check


def file_name(label: str) -> str:
    """``seed0005`` and ``proj00``, as the toolkits name pictures, for the labels of a scene."""
    kind, number = label.split()
    return f"seed{int(number):04d}" if kind == "seed" else f"proj{int(number):02d}"
