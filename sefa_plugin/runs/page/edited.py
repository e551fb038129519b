"""Cards of edited pictures and of videos of recipes: those of a folder, and of the folders in its ``edits``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import PurePosixPath

from ..command_line import line, place_of
from ..recipe import NAME as RECIPE
from ..recipe import Recipe, RecipeError
from ..record import NAME, Entry, Manifest
from .html import Card

EDITS = "edits"
MOST = 200  # folders of edits that are shown
_KINDS = {  # of videos of recipes, by ``animate`` in their settings
    "edit": "From unedited to edited",
    "sequence": "One edit after the other",
    "walk": "From seed to seed, edited",
}


def edited(manifest: Manifest) -> list[Card]:
    """A card for each recipe, with its pictures and its videos."""
    cards: list[Card] = []
    for folder, held in _records(manifest):
        found: dict[str, dict[str, Entry]] = {}
        for name, entry in held.outputs.items():
            if isinstance(entry.settings.get("recipe"), str) and (held.outdir / name).exists():
                found.setdefault(entry.settings["recipe"], {})[name] = entry
        cards += [_card(held, folder, f"edit{len(cards) + at}", made) for at, made in enumerate(found.values())]
    return cards


def _records(manifest: Manifest) -> Iterator[tuple[str, Manifest]]:
    """Records with outputs of recipes of this network, and where their folder is."""
    yield "", manifest
    for path in sorted(manifest.outdir.glob(f"{EDITS}/*/{NAME}"))[:MOST]:
        held = Manifest.of(path.parent)
        if held is not None and held.network.get("digest") == manifest.network.get("digest"):
            yield f"{EDITS}/{path.parent.name}/", held


def _card(held: Manifest, folder: str, anchor: str, made: dict[str, Entry]) -> Card:
    shots, clips, files = [], [], []
    for name, entry in sorted(made.items()):
        kind = entry.settings.get("animate")
        if kind is not None:
            clips.append((folder + name, _KINDS.get(str(kind), "Video")))
        elif PurePosixPath(name).suffix == ".png":
            shots.append((folder + name, _subject(PurePosixPath(name).stem)))
        else:
            files.append(folder + name)
    edits = ""
    if RECIPE in made or not shots:
        with suppress(RecipeError):
            edits = ", ".join(edit.typed for edit in Recipe.load(held.outdir / RECIPE).edits)
    last = next(iter(sorted(made.items(), key=lambda one: one[0] != RECIPE)))[1]
    return Card(
        anchor=anchor,
        title="Edit" if shots else "Video of an edit",
        name=edits or folder.removeprefix(f"{EDITS}/").rstrip("/"),
        command=line(last.command),
        place=place_of(held.place) if folder and held.place else "",
        shots=shots,
        clips=clips,
        files=files,
    )


def _subject(stem: str) -> str:
    """``seed0005`` as ``seed 5``."""
    found = re.fullmatch(r"(seed|proj)(\d+)", stem)
    return f"{found[1].replace('proj', 'w')} {int(found[2])}" if found else stem
