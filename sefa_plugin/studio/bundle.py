"""One file to pass on: the names, the positions of sliders and the recipes that were found in a network."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

import msgspec
from msgspec import Meta

from .. import __version__
from ..directions.directions import Direction, Directions
from ..directions.kept import change, sets_in
from ..directions.layers import Label
from ..reading.json_file import parsed, read_bounded
from ..rendering.look import Look
from ..runs.folder import Reporter, Silent
from ..runs.recipe import Recipe
from ..runs.renaming import refresh_page
from ..runs.session import Session
from ..system.regular_files import reading
from .gallery import FOLDER, Gallery
from .network import ID, Network
from .presets import MOST, MOST_CONTROLS, Control, Preset, add_presets, controls_in, presets_in
from .sharing import without_places
from .state import Id, Layers, Place, Sent

MAX_BYTES = 8 << 20
_Word = Annotated[str, Meta(max_length=200)]


class BundleError(Exception):
    """A file to pass on cannot be read, or is for another network."""


class _Of(Sent, frozen=True):
    name: _Word
    digest: Annotated[Id, Meta(min_length=64)]


class Named(Sent, frozen=True):
    """What a person has set for a direction."""

    layers: Layers
    index: Place
    name: Annotated[str, Meta(max_length=100)] = ""
    starred: bool = False
    note: Annotated[str, Meta(max_length=2000)] = ""


class Bundle(Sent, frozen=True):
    """The content of the file; ``recipes`` are those of ``recipe.json``, checked when they are used."""

    format: Literal["sefa_bundle"]
    version: Literal[1]
    made_by: _Word
    network: _Of
    names: Annotated[tuple[Named, ...], Meta(max_length=10_000)] = ()
    presets: Annotated[tuple[Preset, ...], Meta(max_length=MOST)] = ()
    controls: Annotated[tuple[Control, ...], Meta(max_length=MOST_CONTROLS)] = ()
    recipes: Annotated[tuple[msgspec.Raw, ...], Meta(max_length=1000)] = ()

    @classmethod
    def read(cls, data: bytes) -> Bundle:
        """Read the bytes of a file.

        Raises:
            BundleError: it is another file.
        """
        try:
            if len(data) > MAX_BYTES:
                raise ValueError(f"it is larger than {MAX_BYTES >> 20} MB")
            held: Bundle = parsed(data, cls)
            if not all(one.name.isprintable() for one in held.presets):
                raise ValueError("the name of a preset holds a line break")
        except ValueError as error:
            about = _kind(data)
            if about == "sefa_presets":
                raise BundleError(
                    "this is the presets.json of a folder, which names no network; `sefa preset export` makes a file "
                    "to pass on"
                ) from None
            if about == "sefa_recipe":
                raise BundleError("this is a recipe; `sefa render --recipe` and Open recipe take it") from None
            raise BundleError(f"this is no file of `sefa preset export`: {error}") from None
        return held

    def check_fits(self, digests: Mapping[str, str]) -> None:
        """Check that it is for one of the open networks.

        Args:
            digests: of the open networks, by their names.

        Raises:
            BundleError: it is for another one.
        """
        if self.network.digest not in digests.values():
            here = " and ".join(f"{name} (digest {digest[:ID]})" for name, digest in digests.items())
            raise BundleError(
                f"this file is for {self.network.name!r:.60} (digest {self.network.digest[:ID]}), and what is open is "
                f"{here}: slider positions of one network mean nothing in another"
            )

    def all_recipes(self) -> list[Recipe]:
        """Its recipes.

        Raises:
            BundleError: one cannot be used, or is of another network.
        """
        found = []
        for place, data in enumerate(self.recipes):
            try:
                recipe = Recipe.parse(bytes(data))
            except ValueError as error:
                raise BundleError(f"recipes[{place}] of this file cannot be used: {error}") from None
            if recipe.network["digest"] != self.network.digest or not recipe.seeds or recipe.ws is not None:
                raise BundleError(f"recipes[{place}] of this file is not of seeds of its network")
            found.append(recipe)
        return found


def _kind(data: bytes) -> str:
    """The ``format`` of a JSON file; '' where it has none."""
    try:
        held = parsed(data)
    except ValueError:
        return ""
    return str(held.get("format", "")) if isinstance(held, dict) else ""


def bundled(network: Network, gallery: Gallery) -> bytes:
    """The file of a network: what persons have named, its presets, and the recipes of the studio's kept pictures.

    Raises:
        BundleError: it would be too large.
        SettingsError, OSError: a file of the folder cannot be used.
    """
    names = [
        Named(layers, index, entry.name if entry.named_by == "person" else "", entry.starred, entry.note)
        for layers, held in _sets(network)
        for index, entry in enumerate(held.entries)
        if entry.named_by == "person" or entry.starred or entry.note
    ]
    made = Bundle(
        format="sefa_bundle",
        version=1,
        made_by=f"sefa_plugin {__version__}",
        network=_Of(network.session.name[:200], network.digest),
        names=tuple(names),
        presets=presets_in(network.folder / FOLDER),
        controls=tuple(Control(control, source) for source, control in controls_in(network.folder / FOLDER).items()),
        recipes=tuple(msgspec.Raw(without_places(kept.recipe).data()) for kept in gallery.all() if kept.ours),
    )
    data = msgspec.json.format(msgspec.json.encode(made), indent=1) + b"\n"
    if len(data) > MAX_BYTES:
        raise BundleError(f"the file would be larger than {MAX_BYTES >> 20} MB: keep fewer pictures")
    return data


def _sets(network: Network) -> Iterator[tuple[str, Directions]]:
    """Layers as they are typed, and the directions that the folder of a network has of them."""
    for held in sets_in(network.folder).values():
        label = Label.of(held.label)
        if label.rows or not label.is_selection:
            continue
        layers = label.of_layers
        try:
            group = network.group(layers)
        except ValueError:  # of other options than those of the studio
            continue
        if group.directions.same_as(held):
            yield layers, held


class Taken(NamedTuple):
    """What was taken of a file.

    Attributes:
        named: directions that have a name, a star or a note now that they had not.
        presets: names of the presets that were added.
        left: lines on what was left as it is.
    """

    named: int
    presets: tuple[str, ...]
    left: tuple[str, ...]


def take(bundle: Bundle, network: Network) -> Taken:
    """Add names and presets to those of a network; what has a name here keeps it. Recipes are kept by the caller.

    Raises:
        BundleError: a name or a direction cannot be used.
        SettingsError, OSError: a file of the folder cannot be used or written.
    """
    wanted: dict[str, list[Named]] = {}
    for one in bundle.names:
        wanted.setdefault(one.layers, []).append(one)
    named, left = 0, []
    for layers, some in wanted.items():
        if Label.of(layers).is_kept and layers not in network.groups:
            left.append(f"names of {layers}, whose directions are not here")
            continue
        lines: list[str] = []
        try:
            group = network.group(layers)
            path = network.file_of(layers)
            before = network.named(layers)
            after = change(path, partial(_with, some, lines), group.directions)
        except ValueError as error:
            raise BundleError(f"names of {layers} in this file: {error}") from None
        named += sum(old != new for old, new in zip(map(_said, before.entries), map(_said, after.entries)))
        left += [f"{layers}:{line}" for line in lines]
        refresh_page(path.parent)
    presets = add_presets(network.folder / FOLDER, bundle.presets, bundle.controls)
    return Taken(named, presets, tuple(left))


def _said(entry: Direction) -> tuple[str, bool, str]:
    return (entry.name if entry.named_by == "person" else "", entry.starred, entry.note)


def _with(some: Sequence[Named], lines: list[str], held: Directions) -> Directions:
    """Directions with what a file says of some of them, in one step; adds lines on what is left as it is."""
    made = held
    for one in some:
        entry = made.entries[made.index(one.index)]
        own = entry.name if entry.named_by == "person" else ""
        name: str | None = one.name or None
        if own and name and own != name:
            lines.append(f"{one.index} is called {own!r} here, {name!r} in the file")
            name = None
        elif name and own != name and name in [two.name for two in made.entries if two.named_by == "person"]:
            lines.append(f"{one.index} is called {name!r} in the file, another direction here")
            name = None
        made = made.typed(one.index, name, one.starred or None, (one.note or None) if not entry.note else None)
    return held.in_one_step(made)


def read_file(path: Path) -> Bundle:
    """Read a file.

    Raises:
        BundleError: it cannot be read, or is another file.
    """
    with reading(path, BundleError):
        try:
            data = read_bounded(path, MAX_BYTES)
        except ValueError as error:
            raise BundleError(f"{path}: {error}") from None
    try:
        return Bundle.read(data)
    except BundleError as error:
        raise BundleError(f"{path}: {error}") from None


def export_from(session: Session, folder: Path) -> bytes:
    """The file of a network and its folder of outputs; see :func:`bundled`.

    Raises:
        BundleError, SettingsError, OSError: as :func:`bundled`.
    """
    network = Network(session, folder, Look())
    return bundled(network, Gallery(network))


def import_into(session: Session, folder: Path, bundle: Bundle, reporter: Reporter | None = None) -> Taken:
    """Take a file into a network's folder of outputs, and render the pictures of its recipes there.

    Raises:
        BundleError: it is for another network, or holds what cannot be used.
        SettingsError, FramesError, OSError: a picture or a file cannot be made.
    """
    network = Network(session, folder, Look())
    bundle.check_fits({session.name: network.digest})
    recipes = bundle.all_recipes()
    taken, gallery, reporter = take(bundle, network), Gallery(network), reporter or Silent()
    for recipe in recipes:
        gallery.keep_recipe(recipe, reporter)
    return taken
