"""Edits that are typed one by one, ``coarse:0=+2.5``: their directions, and the recipe that they form."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Union

from ..directions.factorization import Factorisation
from ..directions.kept import KeptDirections, file_called, sets_in
from ..directions.layers import Label
from ..directions.region import Region
from ..reading.download import BUNDLED, is_url
from ..rendering.edits import Edit, edit_of
from ..rendering.engine import Engine
from ..rendering.ranges import SUSPICIOUS
from ..rendering.shards import NO_Z, View
from ..rendering.typed_edits import TypedAxis, TypedEdit
from ..system.messages import without_unprintable
from .command_line import line, portable
from .folder import Announced, Reporter
from .recipe import Recipe, RecipeError
from .settings import SettingsError, Wanted, settings_checked

if TYPE_CHECKING:
    from .session import Session

Typed = Union[TypedEdit, TypedAxis]


def groups_of(
    session: Session, factorisation: Factorisation, file: Path | None, typed: Sequence[Typed], folder: Path
) -> dict[str, KeptDirections]:
    """The sets of directions of typed edits or axes, by layers as typed; '' for those typed without layers.

    Args:
        session: of the network.
        factorisation: for those typed without layers; for the others its layers and space are replaced.
        file: a directions file that is used instead, or None.
        typed: edits or axes.
        folder: names and ranges of directions files in it are used; no new file is written there.

    Raises:
        SettingsError: there is no such direction, or ``factorisation`` gives several groups.
    """
    keys: dict[str, tuple[int | str, ...]] = {}
    for one in typed:
        keys[one.group] = (*keys.get(one.group, ()), one.key)
    found = {}
    for name, some in keys.items():
        if name and file is not None:
            raise SettingsError(f"{name}:{some[0]}: a directions file has layers of its own; leave {name}: out")
        of, own = factorisation, file
        if name:
            label = Label.of(name)  # also as a set is called: coarse-sharp
            layers, space = ("all", "z") if name == "z" else (label.layers, "w")
            if name == "z" or label.sharpen != "none":
                region = region_called(label.region, folder) if label.region else None
                of = replace(of, sharpen=label.sharpen, region=region)
            of = replace(of, layers=layers, space=space)
            own = file_apart(session, label, folder) if label.apart else None
        sets = session.directions(of, Wanted(some, 1, own), folder, known_only=True)
        if len(sets) != 1:
            raise SettingsError(
                f"--layers {of.layers} gives {len(sets)} groups; type the layers before each direction, like coarse:0"
            )
        found[name] = sets[0].careful()
    return found


def file_apart(session: Session, label: Label, folder: Path) -> Path:
    """The file of a direction that marks took apart from another one.

    Raises:
        SettingsError: there is none in this folder.
    """
    file = file_called(Label.of(str(label).replace(",", "_")), session.opened.record.lineage, folder)
    if file is None:
        network, pair = portable(session.about()["path"]), label.apart.replace("-", ",")
        words = ["sefa", "sharpen", "--network", network, "--apart", pair]
        words += [] if label.layers == "all" else ["--layers", label.layers]
        if label.region:
            words += ["--region", str(region_called(label.region, folder))]
        elif label.sharpen != "none":
            words += ["--sharpen", label.sharpen]
        raise SettingsError(f"{label}: no such direction is in {folder}; make it: {line(words)}")
    return file


def region_called(label: str, folder: Path) -> Region:
    """The region that a label of local directions names; a mask is that of a set in the folder.

    Raises:
        SettingsError: it is no region, or no set there has this mask.
    """
    with settings_checked():
        if "." in label and not label.replace("_", "").replace(".", "").isdigit():
            held = (Region.parse(one.region) for one in sets_in(folder).values() if one.region)
            found = next((region for region in held if region.label == label), None)
            if found is None:
                raise ValueError(f"{label}: no directions of this mask are in {folder}; find them with --region FILE")
            return found
        return Region.of(label.replace("_", ","))


def at_rows(session: Session, group: KeptDirections, rows: str | None, view: View) -> KeptDirections:
    """The directions with edits at the rows of a specification of layers; without one, at their own rows.

    Raises:
        SettingsError: they cannot be edited there, or not with these subjects.
    """
    if group.directions.space == "z" and view.given:
        raise SettingsError(NO_Z)
    if not rows:
        return group
    chosen = session.edit_rows(rows)
    with settings_checked():
        moved = group.directions.edited_at(chosen.ws_indices, chosen.label)
    return group if moved is group.directions else KeptDirections(moved, warn=session.warn)


def edits_of(
    session: Session,
    groups: Mapping[str, KeptDirections],
    typed: Sequence[TypedEdit],
    edit_layers: str | None,
    view: View,
    engine: Engine,
    reporter: Reporter,
) -> tuple[list[Edit], Reporter]:
    """The edits that are typed; a range is measured where a distance is given relative to it.

    Args:
        session, groups: see :func:`groups_of`.
        typed: the edits.
        edit_layers: rows of edits that are typed without rows; None takes the layers of their directions.
        view: ranges are measured with its look.
        engine: makes the pictures that ranges are measured on.
        reporter: receives progress, and before a range is measured the amount of work, with the edited pictures.

    Returns:
        The edits, and the reporter for what is made of them.

    Raises:
        SettingsError: an edit cannot be made.
        FramesError: the network gives NaN or infinite pixels.
    """
    placed = []  # all are found before a range is measured
    for one in typed:
        group = at_rows(session, groups[one.group], one.rows or edit_layers, view)
        with settings_checked():
            placed.append((one, group, group.directions.index(one.key)))
    ranges = session.ranges(view, engine, advance=reporter.advance)
    measured = [(group, index) for one, group, index in placed if one.relative or abs(one.distance) > SUSPICIOUS]
    if pictures := ranges.needed(measured):
        reporter.expect(pictures + len(view))
        reporter = Announced(reporter)
    edits = []
    for one, group, index in placed:
        distance = one.distance
        with settings_checked():
            if one.relative:
                distance = _part_of(ranges.of(group, index), one)
            else:
                ranges.warn_if_far(group, index, distance, session.warn)
            edits.append(edit_of(group.directions, one.key, distance))
    return edits, reporter


def _part_of(ends: tuple[float, float], edit: TypedEdit) -> float:
    """A part of the calibrated range on its side."""
    end = ends[1] if edit.distance >= 0 else ends[0]
    if not end:
        side = "+" if edit.distance >= 0 else "-"
        raise SettingsError(
            f"edit {edit.key}: its range ends at 0 on the {side} side, where pictures break at once; type a distance"
        )
    return abs(edit.distance) * end


def recipe_of(session: Session, view: View, edits: Sequence[Edit], projected: str | None = None) -> Recipe:
    """The recipe of edited pictures.

    Args:
        session, view: the network, its subjects and look.
        edits: of each subject.
        projected: the file of the projected ws, for display.

    Raises:
        SettingsError: a setting is out of range.
    """
    network = session.about()
    recipe = Recipe(
        network={key: without_unprintable(network[key]) for key in ("path", "name", "which", "digest")},
        seeds=view.seeds,
        look=view.look,
        edits=tuple(edits),
        ws=view.ws,
        ws_file=without_unprintable(Path(projected).name) if view.given and projected else "",
    )
    with settings_checked():
        recipe.data()  # raises before any work if it cannot be written or read again
    return recipe


def network_of(recipe: Recipe, path: Path) -> str:
    """The path of a recipe's network: as recorded, from the current folder or from that of the recipe, or beside it.

    Args:
        recipe: names the network.
        path: the recipe's file.

    Raises:
        RecipeError: it is in none of these places, or its address held a secret, which no recipe has.
    """
    held = recipe.network["path"]
    if is_url(held) and ("<token>" in held or "<password>" in held):
        raise RecipeError(f"{held}: a recipe does not hold passwords and tokens; give the address with --network")
    if held in BUNDLED or is_url(held):
        return held
    archive, mark, member = held.partition("#")
    for file, inside in ((held, ""), (archive, mark + member)):
        if Path(file).is_file():
            return file + inside
        for place in (path.parent / file, path.parent / re.split(r"[/\\]", file)[-1]):
            if place.is_file():
                return os.path.abspath(place) + inside
    raise RecipeError(f"{held}: the network of this recipe is not there; type --network FILE")


def view_of(session: Session, recipe: Recipe, projected: str | None, other_network: bool) -> View:
    """The view of a recipe; the session warns if the recipe was made with another network.

    Args:
        session: of the network.
        recipe: gives subjects and look.
        projected: a file of ws instead of the recipe's own.
        other_network: whether the network may be another one than the recipe's.

    Raises:
        RecipeError: the network is another one, or does not fit.
        SettingsError: as ``Session.view``.
    """
    digest = session.opened.record.digest()
    recipe.check_fits(name=session.name, digest=digest, other=other_network, **session.sizes)
    if digest != recipe.network["digest"]:
        session.warn(f"this recipe was made with {recipe.network['name']}, another network than {session.name}")
    return session.view(recipe.look, recipe.seeds, recipe.ws if projected is None else projected)
