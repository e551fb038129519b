"""Kept pictures on disk: each is a folder as `sefa edit` makes it; those of `sefa edit` are listed too."""

from __future__ import annotations

import io
import shutil
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..media.pictures import fit
from ..runs.folder import Reporter, Silent
from ..runs.recipe import NAME, Recipe, RecipeError
from ..runs.recipe_outputs import file_name, folder_for, make_recipe
from ..runs.settings import SettingsError
from .lines import command_of
from .network import ID, Network, as_jpeg
from .state import State

FOLDER = "studio"  # of what is kept here, in the network's folder
MOST, THUMBNAIL = 500, 256  # kept pictures, and pixels of a small one


@dataclass(frozen=True)
class Kept:
    """A kept picture.

    Attributes:
        id: start of its recipe's digest.
        folder: where it is.
        recipe: how it is made.
        ours: whether it was kept in the studio, and may be removed there.
    """

    id: str
    folder: Path
    recipe: Recipe
    ours: bool

    @property
    def picture(self) -> Path:
        """The picture of its first subject."""
        return self.folder / f"{file_name(f'seed {self.recipe.seeds[0]}')}.png"


class Gallery:
    """The kept pictures of one network."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._read: dict[Path, tuple[int, Recipe | None]] = {}

    def all(self) -> list[Kept]:
        """All kept pictures, the newest first."""
        found: dict[str, tuple[float, Kept]] = {}
        before, self._read = self._read, {}
        for name in ("edits", FOLDER):
            for file in (self._network.folder / name).glob(f"*/{NAME}"):
                try:
                    stamp = file.stat().st_mtime_ns
                except OSError:
                    continue
                recipe = before[file][1] if before.get(file, (0, None))[0] == stamp else self._recipe(file)
                self._read[file] = stamp, recipe
                if recipe is not None:
                    kept = Kept(recipe.digest[:ID], file.parent, recipe, name == FOLDER)
                    if kept.picture.is_file():
                        found[kept.id] = stamp, kept
        return [kept for _, kept in sorted(found.values(), key=lambda item: -item[0])]

    def _recipe(self, file: Path) -> Recipe | None:
        """The recipe of a file; None where it is none, or of another network or other subjects."""
        try:
            recipe = Recipe.load(file)
        except RecipeError:
            return None
        return recipe if recipe.seeds and recipe.network["digest"] == self._network.digest else None

    def find(self, id: str) -> Kept:
        """A kept picture.

        Raises:
            SettingsError: there is none of this id.
        """
        for kept in self.all():
            if kept.id == id:
                return kept
        raise SettingsError("this picture is no longer in the gallery")

    def keep(self, state: State) -> str:
        """Keep a picture, with its ws and recipe; returns its id.

        Raises:
            SettingsError: the gallery is full, or the state does not fit the network.
            FramesError, OSError: the picture cannot be rendered or written.
        """
        if state.photo:
            raise SettingsError("an edited photograph is not kept here: save its PNG, its ws and its recipe")
        return self.keep_recipe(self._network.recipe(state))

    def keep_recipe(self, recipe: Recipe, reporter: Reporter | None = None) -> str:
        """Keep the pictures of a recipe of seeds; returns its id.

        Raises:
            SettingsError: the gallery is full.
            FramesError, OSError: a picture cannot be rendered or written.
        """
        if sum(kept.ours for kept in self.all()) >= MOST:
            raise SettingsError(f"the gallery holds {MOST} pictures; export it, then remove some")
        network = self._network
        outdir = folder_for(network.folder / FOLDER, recipe)
        view, words = network.view(recipe.seeds, recipe.look), command_of(recipe)
        make_recipe(network.session, view, recipe, outdir, words, reporter or Silent(), engine=network.engine)
        return recipe.digest[:ID]

    def remove(self, id: str = "") -> int:
        """Remove a picture that was kept in the studio, or all of them; returns how many.

        Raises:
            SettingsError: there is none, or it was made by `sefa edit`.
        """
        some = [self.find(id)] if id else [kept for kept in self.all() if kept.ours]
        if not all(kept.ours for kept in some):
            raise SettingsError("this picture was made by `sefa edit`, the studio does not remove it")
        for kept in some:
            shutil.rmtree(kept.folder)
        return len(some)

    def thumbnail(self, id: str) -> bytes:
        """A small JPEG of a kept picture."""
        from PIL import Image

        with Image.open(self.find(id).picture) as image:
            return as_jpeg(fit(np.asarray(image.convert("RGB")), THUMBNAIL))

    def exported(self) -> bytes:
        """A zip with the picture and the recipe of each."""
        held = io.BytesIO()
        with zipfile.ZipFile(held, "w", zipfile.ZIP_STORED) as archive:
            for kept in self.all():
                for file in (kept.picture, kept.folder / NAME):
                    archive.write(file, f"{kept.folder.name}/{file.name}")
        return held.getvalue()

    def listed(self) -> list[dict[str, object]]:
        """What the page shows of each; ``state`` is None where the studio has no controls for it."""
        return [
            {"id": kept.id, "ours": kept.ours, "seed": kept.recipe.seeds[0], "label": _label(kept), "state": state}
            for kept in self.all()
            for state in [shown_or_none(self._network, kept.recipe)]
        ]


def shown_or_none(network: Network, recipe: Recipe) -> State | None:
    """The state of a recipe; None where the studio has no controls for it."""
    try:
        return network.state_of(recipe)
    except (RecipeError, SettingsError):
        return None


def _label(kept: Kept) -> str:
    words = [f"{edit.name or f'direction {edit.index}'} {edit.distance:+g}" for edit in kept.recipe.edits]
    return ", ".join([f"seed {kept.recipe.seeds[0]}", *words])
