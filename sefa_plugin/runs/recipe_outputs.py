"""What a recipe makes: full-size pictures, their ws, the recipe itself, and videos; in a folder with its record."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from torch import Tensor

from ..media.frame_store import replay
from ..media.pictures import as_image, png_text, side_by_side
from ..media.text import captioned
from ..media.video import write_video
from ..rendering.animation import Motion, motion
from ..rendering.scene import Scene
from ..system.whole_files import whole_file
from .folder import Made, Reporter, check_folder, named, output_folder
from .output_settings import OutputSettings
from .plan import RENDERER
from .recipe import NAME, Recipe, RecipeError
from .record import Manifest
from .reproduce import command_for
from .settings import settings_checked

if TYPE_CHECKING:
    from .session import Session


class EditingError(Exception):
    """An output would replace something that this recipe has not made."""


def folder_for(parent: Path, recipe: Recipe) -> Path:
    """The folder of a recipe in ``parent``: the one that holds it already, or a new name."""
    for number in range(1, 10_000):
        folder = parent / (recipe.stem if number == 1 else f"{recipe.stem}-{number}")
        if not (folder / NAME).exists() or holds(folder, recipe):
            return folder
    raise EditingError(f"{parent / recipe.stem}: there are thousands of these; choose an --outdir")


def holds(folder: Path, recipe: Recipe) -> bool:
    """Whether a folder has this recipe, under whatever names and paths."""
    try:
        return Recipe.load(folder / NAME).digest == recipe.digest
    except RecipeError:
        return False


def make_recipe(
    session: Session,
    scene: Scene,
    recipe: Recipe,
    outdir: Path | None,
    command: Sequence[str],
    reporter: Reporter,
    overwrite: bool = False,
    animated: tuple[str, OutputSettings] | None = None,
) -> Made:
    """Make the stills of a recipe, or its video, with the record of their folder.

    Args:
        session, scene: the network, and the recipe's subjects.
        recipe: what is made.
        outdir: the folder; None takes one that is called by the recipe, in ``sefa-out/<network>/edits``.
        command: what was typed, for the record.
        reporter: receives lines, the amount of work, and progress.
        overwrite: make outputs again, whatever is there.
        animated: of a video its kind (``animation.KINDS``) and settings; None makes stills.

    Raises:
        SettingsError: the recipe has nothing to animate in this way.
        EditingError: a file of one of these names is something else, or was changed.
        VideoError, FramesError, OSError: an output could not be made; those before it are whole.
    """
    outdir = outdir or folder_for(output_folder(None, session.name) / "edits", recipe)
    move = None
    if animated is not None:
        kind, output = animated
        with settings_checked():
            move = motion(kind, scene, recipe.edits, output.frames, output.loop, output.easing)
        output.check()
    check_folder(outdir)
    editing = Editing(recipe, scene, Manifest(outdir, command, session.about()), reporter, overwrite)
    made, kept = editing.stills() if move is None else editing.video(kind, move, output)
    return Made(outdir, tuple(made), len(kept))


class Editing:
    """Makes the outputs of one recipe; each appears whole, and what is there already is kept.

    Args:
        recipe: what is made.
        scene: on its network and its subjects.
        manifest: the record of the folder.
        reporter: receives lines, the amount of work, and progress.
        overwrite: make outputs again, whatever is there.
    """

    def __init__(
        self, recipe: Recipe, scene: Scene, manifest: Manifest, reporter: Reporter, overwrite: bool = False
    ) -> None:
        self.recipe = recipe
        self.scene = scene
        self.manifest = manifest
        self.reporter = reporter
        self.overwrite = overwrite
        self._settings = {"renderer": RENDERER, "recipe": recipe.digest}

    # --- stills -----------------------------------------------------------------------------------

    def stills(self) -> tuple[list[str], list[str]]:
        """Make pictures, ws and the recipe; gives the names of those made and of those kept.

        Raises:
            EditingError: a file of one of these names is something else, or was changed.
            FramesError, OSError: an output could not be made; those before it are whole.
        """
        names = [file_name(label) for label in self.scene.labels]
        outputs = [NAME, *(f"{name}{suffix}" for name in names for suffix in (".png", ".npz"))]
        made = [name for name in outputs if not self._is_there(name)]
        if NAME in made:
            path = self.manifest.outdir / NAME
            with named(path):
                self.recipe.save(path)
        if NAME in made or NAME not in self.manifest.outputs:  # not if a run was stopped between the two
            self.manifest.add(NAME, self._settings, [])
        wanted = [who for who, name in enumerate(names) if f"{name}.png" in made]
        pictures = self._pictures(wanted)
        for who, name in enumerate(names):
            if f"{name}.png" in made:
                self._write(f"{name}.png", next(pictures))
            if f"{name}.npz" in made:
                self._write(f"{name}.npz", self.scene.edited(who, self.recipe.edits))
        return made, [name for name in outputs if name not in made]

    def _is_there(self, name: str) -> bool:
        """Whether an output is up to date.

        Raises:
            EditingError: something else is in its place.
        """
        path = self.manifest.outdir / name
        if self.overwrite or not path.exists():
            return False
        current = holds(path.parent, self.recipe) if name == NAME else self.manifest.is_current(name, self._settings)
        if not current:
            if self.manifest.has_begun(name):
                return False
            raise EditingError(
                f"{path}: holds something else than this edit makes; choose another --outdir, or --overwrite it"
            )
        return True

    def _pictures(self, who: list[int]) -> Iterator[np.ndarray]:
        """Pictures of some subjects, each on its own."""
        start = time.perf_counter()
        for count, picture in enumerate(self.scene.one_by_one(self.scene.edited(w, self.recipe.edits) for w in who)):
            if count == 0 and len(who) > 1:
                self.reporter.expect(len(who), (time.perf_counter() - start) * len(who))
            self.reporter.advance(1)
            yield picture

    def _write(self, name: str, content: np.ndarray | Tensor) -> None:
        path = self.manifest.outdir / name
        self.manifest.begin(name, self._settings)
        with named(path):
            with whole_file(path) as part:
                if isinstance(content, Tensor):
                    np.savez(part, w=content.cpu().numpy())
                else:
                    as_image(content).save(part, pnginfo=png_text(command_for(self.recipe)))
        self.manifest.add(name, self._settings, [])

    # --- videos -----------------------------------------------------------------------------------

    def video(self, kind: str, motion: Motion, output: OutputSettings) -> tuple[list[str], list[str]]:
        """Make a video, ``kind`` with the output's suffix; gives the names of what was made and of what was kept.

        One that was made with other settings is replaced.

        Raises:
            EditingError: a file of this name was not made here, or was changed.
            VideoError, FramesError, OSError: it could not be made; an older one stays.
        """
        name = kind if output.video == "png" else f"{kind}.{output.video}"
        shown = asdict(output)
        del shown["sheet"], shown["grid"]
        settings = {**self._settings, "animate": kind, "film": shown}
        path = self.manifest.outdir / name
        if not self.overwrite and path.exists():
            if self.manifest.is_current(name, settings):
                self.reporter.say(f"{name}: is up to date, kept")
                return [], [name]
            known = self.manifest.is_current(name, self.manifest.outputs.get(name, {}).get("settings", {}))
            if not known and not self.manifest.has_begun(name):
                raise EditingError(f"{path}: was not made here, or was changed since; move it away, or --overwrite it")
            self.reporter.say(f"{name}: was made with other settings, will be replaced")
        frames = self._frames(motion, output)
        self.manifest.begin(name, settings)
        with named(path):
            frames = replay(frames, motion.line.order)
            comment = command_for(self.recipe, kind, output)
            write_video(path, frames, output.fps, output.video, comment=comment, max_bytes=output.max_bytes)
        self.manifest.add(name, settings, motion.line.per_frame)
        return [name], []

    def _frames(self, motion: Motion, output: OutputSettings) -> Iterator[np.ndarray]:
        """The distinct frames."""
        positions = motion.line.distances
        start = time.perf_counter()
        for count, (position, pictures) in enumerate(zip(positions, motion.frames(self.scene))):
            if count == 0:
                total = len(positions) * len(pictures)
                self.reporter.expect(total, (time.perf_counter() - start) * len(positions))
            self.reporter.advance(len(pictures))
            frame = side_by_side(pictures, output.max_width)
            yield captioned(frame, motion.caption(position)) if output.captions else frame


def file_name(label: str) -> str:
    """``seed0005`` and ``proj00``, as the toolkits name pictures, for the labels of a scene."""
    kind, number = label.split()
    return f"seed{int(number):04d}" if kind == "seed" else f"proj{int(number):02d}"
