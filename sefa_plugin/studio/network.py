"""One network of the studio: its directions by group of layers, and the pictures of states and recipes."""

from __future__ import annotations

import io
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np
from msgspec import structs

from ..directions.directions import Directions
from ..directions.factorization import Factorisation
from ..directions.kept import KeptDirections, adopting, sets_in
from ..directions.layers import GROUPS, Label, select_layers
from ..directions.region import region_of
from ..directions.sharpening import known_groups
from ..media.effect import Effect, describe
from ..media.pictures import as_image, as_rgb, fit, side_by_side
from ..reading.json_file import fitting
from ..rendering.edits import Edit, edit_of
from ..rendering.look import Look
from ..rendering.shards import Shard, View
from ..runs.chosen_edits import file_apart, recipe_of, region_called, view_of
from ..runs.command_line import portable
from ..runs.recipe import Recipe, RecipeError
from ..runs.renaming import rename
from ..runs.session import Session
from ..runs.settings import SettingsError, Wanted, settings_checked
from .attributes import Change, changes_in
from .sharing import without_places
from .state import Ends, Naming, Slider, State

if TYPE_CHECKING:
    from ..rendering.engine import Engine
    from ..rendering.previews import Previews
    from ..rendering.ranges import Ranges

PROJECTED = "projected_w.npz"  # the ws of a photograph, as the page saves them
KEPT = "kept.npz"  # what the ws of kept pictures are called
ID = 16  # digits of a digest that stand for a network
VIEWS, PICTURES, SHOWN = 4, 12, 4  # kept in memory
SIGMAS = 2.0  # of the ends of a slider whose range is not measured yet
TILES, TILE = 7, 96  # pictures of a strip, and pixels of each
_SMALL = 64  # pixels that a network which sums pictures up renders for a strip


class Network:
    """An open network, and what the studio has found of it.

    Methods that give pictures are called in one thread at a time.

    Args:
        session: of the network.
        folder: of its outputs, which holds its directions files.
        look: of the first picture, with which ranges are measured.
        seed: of the first picture.
        shared: nothing is written, only layers of :attr:`groups` are factorised, no place of this computer is said.
    """

    def __init__(self, session: Session, folder: Path, look: Look, shared: bool = False, seed: int = 0) -> None:
        self.session, self.folder, self.shared, self.seed = session, folder, shared, seed
        self.digest = session.about()["digest"]
        self.id = self.digest[:ID]
        if session.opened.sizes["c_dim"] and look.label is None:
            look = replace(look, label=0)
        self.look = session.checked(look)
        self.engine = session.engine()
        self._previews: Previews | None = None
        self._views: OrderedDict[object, View] = OrderedDict()
        self._pictures: OrderedDict[object, np.ndarray] = OrderedDict()
        self._shown: OrderedDict[State, bytes] = OrderedDict()
        self._groups: dict[str, KeptDirections] = {}
        self._files: dict[str, Path | None] = {}
        self._named: dict[str, tuple[object, Directions]] = {}
        self._changes: dict[str, tuple[object, dict[int, Sequence[Change]]]] = {}
        self._ends: dict[str, np.ndarray] = {}
        self._ranges: Ranges | None = None
        self._lock = Lock()
        self.projected: Callable[[str], np.ndarray] = _none  # the ws of a photograph

    # --- directions -------------------------------------------------------------------------------

    @property
    def groups(self) -> list[str]:
        """The groups of layers that have sliders, as they are typed."""
        found = ["all"]
        for name in (*GROUPS, "input"):
            with suppress(ValueError):
                select_layers(self.session.opened.layers, name)
                found.append(name)
        opened, sets = self.session.opened, sets_in(self.folder).values()
        digest = opened.record.lineage
        for held in sets:
            label = Label.of(held.label)
            layers = label.layers.replace("_", ",")
            if not label.is_kept or label.rows or not label.is_selection:
                continue
            if label.apart:
                found += [label.of_layers] if held.digest == digest else []
                continue
            usual = Factorisation(layers, sharpen=held.sharpen, region=region_of(held))  # as the commands have it
            if held in known_groups(sets, opened.layers, usual, digest, opened.sizes["w_dim"]):
                found.append(str(usual.labelled(layers)))
        return list(dict.fromkeys(found))

    def group(self, layers: str) -> KeptDirections:
        """All directions of a group of layers.

        Raises:
            SettingsError: the network has no such layers.
        """
        with self._lock:
            if layers not in self._groups:
                label = Label.of(layers)
                region = region_called(label.region, self.folder) if label.region else None
                how = Factorisation(label.layers, sharpen=label.sharpen, region=region)
                known = layers in self.groups
                if self.shared and not known:
                    raise SettingsError(f"layers {layers!r:.60}: this studio has {', '.join(self.groups)}")
                file = file_apart(self.session, label, self.folder) if label.apart else None
                if label.is_kept and not known:
                    raise SettingsError(
                        f"layers {layers!r:.60}: sharp and local directions are found by `sefa factorize` first"
                    )
                sets = self.session.directions(how, Wanted(file=file), self.folder)
                if len(sets) != 1:
                    raise SettingsError(f"layers {layers!r:.60} gives {len(sets)} groups; type one, like middle or 0-3")
                found = sets[0].careful()
                self._files[layers] = found.path
                self._groups[layers] = replace(found, path=None) if self.shared else found
            return self._groups[layers]

    def forget(self, layers: str) -> None:
        """Read a group of layers again when it is asked for: its file is another one."""
        with self._lock:
            for held in (self._groups, self._files, self._named, self._changes, self._ends):
                held.pop(layers, None)
            self._shown.clear()

    def named(self, layers: str) -> Directions:
        """As :meth:`group`, with the names, stars and notes that its file has now."""
        group = self.group(layers)
        path, stamp = group.path or self._files[layers], None
        if path is not None:
            with suppress(FileNotFoundError):
                about = path.stat()
                stamp = (path, about.st_mtime_ns, about.st_size)
        held = self._named.get(layers)
        if held is None or held[0] != stamp:
            found = group.directions
            held = self._named[layers] = stamp, found if path is None else adopting(found, path)
        return held[1]

    @property
    def ranges(self) -> Ranges:
        """Measured with the look of the first picture; see :meth:`measure`."""
        if self._ranges is None:
            self._ranges = self._ranges_with(self.engine)
        return self._ranges

    def _ranges_with(self, engine: Engine) -> Ranges:
        return self.session.ranges(self.session.view(self.look, [0]), engine)

    def measure_with(self, engine: Engine) -> None:
        """Measure ranges by the pictures of another engine."""
        self._ranges = self._ranges_with(engine)

    def measured(self, layers: str, index: int) -> bool:
        """Whether the range of a direction is known."""
        return self.ranges.known(self.group(layers), index)

    def measure(self, layers: str, index: int) -> None:
        """Measure the range of a direction, and save it with the directions.

        Raises:
            FramesError: the network gives NaN or infinite pixels.
        """
        self.ranges.of(self.group(layers), index)

    def ends(self, layers: str, index: int) -> tuple[float, float]:
        """The measured range of a direction, or before that one of ``SIGMAS``."""
        if self.measured(layers, index):
            return self.ranges.of(self.group(layers), index)
        if layers not in self._ends:
            view = self.session.view(self.look, [0])
            self._ends[layers] = SIGMAS * self.session.engine().spread(view, self.group(layers).directions)
        end = float(f"{max(float(self._ends[layers][index]), 1e-3):.2g}")
        return -end, end

    def listed(self, layers: str, first: int, count: int, order: str = "strength") -> list[dict[str, object]]:
        """Some directions of a group, in an order, for their sliders.

        Raises:
            SettingsError: there is no such group, or it has no such order.
        """
        held, changes = self.named(layers), self.changes(layers)
        entries, found = held.entries, []
        with settings_checked():
            numbers = held.in_order(order)[first : first + count]
        for index in numbers:
            entry, (low, high) = entries[index], self.ends(layers, index)
            about = {"index": index, "name": entry.name, "starred": entry.starred, "note": entry.note}
            measured = {"low": low, "high": high, "measured": self.measured(layers, index)}
            seen = {"inside": entry.inside, "alike": entry.score and entry.score.alike}
            found.append({**about, **measured, **seen, "attributes": changes.get(index, ())})
        return found

    def changes(self, layers: str) -> dict[int, Sequence[Change]]:
        """What directions change in attributes that were scored; read again where the file is another."""
        path = self.folder / "evaluate"
        stamp: object = None
        with suppress(FileNotFoundError):
            stamp = path.stat().st_mtime_ns  # results are written whole, as new files
        held = self._changes.get(layers)
        if held is None or held[0] != stamp:
            held = self._changes[layers] = stamp, changes_in(self.folder, self.group(layers).directions)
        return held[1]

    def rename(self, naming: Naming) -> str:
        """Set name, star or note of a direction in its file, as `sefa name` does; returns a line.

        Raises:
            ValueError: there is no such direction, or this cannot be its name or note.
            OSError: the file cannot be written.
        """
        self.group(naming.layers).directions.index(naming.index)
        path = self.file_of(naming.layers)
        line = rename(path, str(naming.index), naming.name, starred=naming.starred, note=naming.note)
        return line.partition(": ")[2]

    def file_of(self, layers: str) -> Path:
        """The file of a group of layers, which is written where it is missing.

        Raises:
            SettingsError: the network has no such layers.
            OSError: it cannot be written.
        """
        group = self.group(layers)
        if group.path is None or not group.path.exists():
            group.save()
        assert group.path is not None  # the studio's sessions have a folder
        return group.path

    # --- states and recipes -----------------------------------------------------------------------

    def view(self, seeds: Sequence[int], look: Look, photo: str = "") -> View:
        """A view of seeds or of a photograph; recent ones are the same object, whose latents an engine keeps.

        Raises:
            SettingsError: the look does not fit the network, or the photograph is not projected.
        """
        ws = self.projected(photo) if photo else None
        key = (() if photo else tuple(seeds), look, id(ws))
        view = self._views.pop(key, None) or self.session.view(look, () if photo else seeds, ws)
        self._views[key] = view
        if len(self._views) > VIEWS:
            self._views.popitem(last=False)
        return view

    def edits(self, sliders: Sequence[Slider]) -> list[Edit]:
        """The edits of sliders that are not at 0.

        Raises:
            SettingsError: there is no such direction.
        """
        with settings_checked():
            return [edit_of(self.named(one.layers), one.index, one.distance) for one in sliders if one.distance]

    def recipe(self, state: State, seeds: Sequence[int] = ()) -> Recipe:
        """The recipe of a state, of its seed or of others.

        Raises:
            SettingsError: it does not fit the network.
        """
        view = self.view(seeds or [state.seed], state.look, "" if seeds else state.photograph)
        made = recipe_of(self.session, view, self.edits(state.edits), PROJECTED if state.photograph else None)
        return without_places(made) if self.shared else made

    def recipe_through(self, recipes: Sequence[Recipe]) -> Recipe:
        """A recipe of the edited ws of others, each with its own edits, seed and truncation, for a walk through them.

        Raises:
            SettingsError: one does not fit the network.
        """
        engine, found = self.session.engine(), []
        for one in recipes:
            view = self.session.view(one.look, one.seeds[:1])
            step = tuple((place, 1.0) for place in range(len(one.edits)))
            found.append(engine.latents(view, Shard(((0.0, step),), one.edits)))
        look = Look(noise_mode=recipes[0].look.noise_mode)
        made = recipe_of(self.session, self.session.view(look, (), np.concatenate(found)), [], KEPT)
        return without_places(made) if self.shared else made

    def files(self, state: State) -> dict[str, str]:
        """The files of those directions of a state that are not found anew, by layers."""
        names = {one.layers for one in state.edits if Label.of(one.layers).is_kept}
        files = {layers: self.group(layers).path or self._files[layers] for layers in names}
        return {
            layers: path.name if self.shared else portable(path) for layers, path in files.items() if path is not None
        }

    def state_of(self, recipe: Recipe) -> State:
        """The state of a recipe, whose edits are those of sliders.

        Raises:
            RecipeError: it is of another network, or of edits or subjects that the studio has no control for.
        """
        recipe.check_fits(name=self.session.name, digest=self.digest, other=False, **self.session.sizes)
        look = recipe.look
        if recipe.ws is not None or not recipe.seeds:
            raise RecipeError("this recipe is of projected ws, the studio shows seeds; `sefa render --recipe` makes it")
        about = {"trunc": look.trunc, "class": look.label, "noise": look.noise_mode}
        state: State = fitting({"network": self.id, "seed": recipe.seeds[0], **about}, State)
        if state.look != look:
            raise RecipeError("this recipe has settings beside truncation, class and noise; `sefa render` makes it")
        sliders = []
        for edit in recipe.edits:
            layers = Label.of(edit.label).of_layers
            try:
                own = edit_of(self.named(layers), edit.index, edit.distance)
            except ValueError:
                own = None
            if own is None or own.rows != edit.rows or not np.allclose(own.vector, edit.vector, atol=1e-5):
                raise RecipeError(f"the studio has no slider for {edit.typed} of this recipe; `sefa render` makes it")
            sliders.append(Slider(layers, edit.index, edit.distance))
        return replace_edits(state, sliders)

    # --- pictures ---------------------------------------------------------------------------------

    @property
    def first(self) -> State:
        """What is shown in the beginning."""
        label = self.look.label if isinstance(self.look.label, int) else None
        return State(self.id, self.seed, self.look.trunc, label)

    def warm(self) -> None:
        """Build the generator and the first picture, so that the first visitor waits less."""
        self.picture(self.recipe(self.first))

    def picture(self, recipe: Recipe, who: int = 0) -> np.ndarray:
        """The picture of a recipe, as `sefa edit` makes it; recent ones are kept.

        Args:
            recipe: any recipe of this network.
            who: which of its subjects.

        Raises:
            RecipeError, SettingsError: it does not fit the network, or has no such subject.
            FramesError: pixels are NaN or infinite.
        """
        key = recipe.digest, who
        if key in self._pictures:
            self._pictures.move_to_end(key)
            return self._pictures[key]
        if recipe.ws is None:
            recipe.check_fits(name=self.session.name, digest=self.digest, other=False, **self.session.sizes)
            view = self.view(recipe.seeds, recipe.look)
        else:
            view = view_of(self.session, recipe, None, False)
        if who >= len(view):
            raise RecipeError(f"subject {who}: this recipe has {len(view)}, counted from 0")
        step = tuple((place, 1.0) for place in range(len(recipe.edits)))
        made = self._pictures[key] = next(iter(self.engine.pictures(view, Shard(((float(who), step),), recipe.edits))))
        if len(self._pictures) > PICTURES:
            self._pictures.popitem(last=False)
        return made

    def preview(self, state: State, moving: str, size: int | None = None) -> np.ndarray:
        """A picture of a state in less time: of fewer pixels where the network allows that.

        Args:
            state: what is shown.
            moving: the group of layers of the slider that is dragged, or ''.
            size: pixels, where that can be chosen.

        Raises:
            SettingsError, FramesError: as :meth:`picture`.
        """
        from ..rendering.previews import Previews

        self._previews = self._previews or Previews()
        unchanged = min(self.named(moving).layers) if moving else 0
        view = self.view([state.seed], state.look, state.photograph)
        with settings_checked():
            scene = self.engine.scene(view)
        return self._previews.picture(scene, self.edits(state.edits), unchanged, size)

    def shown(self, state: State, moving: str) -> bytes:
        """A JPEG of :meth:`preview`; the last ones are kept, for a page and its picture window."""
        made = self._shown.pop(state, None) or as_jpeg(self.preview(state, moving))
        if not state.photograph:  # which may be projected anew
            self._shown[state] = made
        if len(self._shown) > SHOWN:
            self._shown.popitem(last=False)
        return made

    def strip(self, ends: Ends) -> tuple[np.ndarray, Effect]:
        """Small pictures along a direction, the other edits held, and what it changes.

        Returns:
            uint8 RGB, ``TILES`` pictures side by side; the effect of going from 0 to the ends.
        """
        others = [one for one in ends.state.edits if (one.layers, one.index) != (ends.layers, ends.index)]

        def at(distance: float) -> np.ndarray:
            moved = replace_edits(ends.state, [*others, Slider(ends.layers, ends.index, distance)])
            return fit(self.preview(moved, ends.layers, _SMALL), TILE)

        distances = np.linspace(ends.low, ends.high, TILES)
        tiles = [at(float(distance)) for distance in distances]
        low, high = (side if end else None for side, end in zip(([tiles[0]], [tiles[-1]]), (ends.low, ends.high)))
        effect = describe([at(0.0)], low, high)
        return side_by_side(tiles, None), effect


def _none(photo: str) -> np.ndarray:
    raise SettingsError("this studio has no photographs")


def replace_edits(state: State, sliders: Sequence[Slider]) -> State:
    """A state with other edits."""
    return structs.replace(state, edits=tuple(sliders))


def as_jpeg(picture: np.ndarray, quality: int = 90) -> bytes:
    """uint8 ``[H, W, C]`` as a JPEG, for the screen."""
    return _encoded(as_rgb(picture), format="JPEG", quality=quality)


def as_png(picture: np.ndarray) -> bytes:
    """uint8 ``[H, W, C]`` as a PNG, exact; packed lightly, which takes a fifth of the time."""
    return _encoded(picture, format="PNG", compress_level=1)


def _encoded(picture: np.ndarray, **options: object) -> bytes:
    held = io.BytesIO()
    as_image(picture).save(held, **options)  # type: ignore[arg-type]
    return held.getvalue()
