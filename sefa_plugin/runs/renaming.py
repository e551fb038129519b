"""List and set names, stars and notes of directions in their files, and update the page."""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from ..directions.directions import Directions
from ..directions.file import DirectionsFileError
from ..directions.kept import change, sets_in
from ..directions.keys import Key
from ..directions.ties import remarks
from ..reading.json_file import parsed, read_bounded
from ..system.messages import printable
from ..system.whole_files import keep_inside
from .page.contents import PAGE, is_foreign_page, write_report
from .record import NAME, Manifest

ALL = "all"
_MOST_STARS = 1 << 26  # bytes
_LISTED = ("name", "named_by", "purity", "starred", "note", "range")  # of a direction, as JSON


@dataclass(frozen=True)
class NamedSet:
    """A set of directions in a file.

    Attributes:
        called: how the set is typed in front of a direction: its label, or what the name of the file adds.
        file: its file.
        directions: what the file holds.
    """

    called: str
    file: Path
    directions: Directions


def named_sets(path: str | os.PathLike[str]) -> list[NamedSet]:
    """The set of a directions file, or all those of a folder.

    Raises:
        DirectionsFileError: the file is none, or the folder holds none.
        OSError: a file cannot be read.
    """
    path = Path(path)
    held = sets_in(path) if path.is_dir() else {path: Directions.load(path)}
    if not held:
        raise DirectionsFileError(f"{path}: at least one directions file is needed, this folder holds none")
    found: dict[str, NamedSet] = {}
    for file, directions in sorted(held.items(), key=lambda one: (_is_variant(one[1]), one[0].stem != "directions")):
        ending = file.stem.partition("-")[2] if file.stem.startswith("directions") else ""
        called = next(name for name in (ending or directions.label, file.stem) if name not in found)
        found[called] = NamedSet(called, file, directions)
    return sorted(found.values(), key=lambda one: one.file)


def _is_variant(directions: Directions) -> bool:
    """Whether directions were found with other options than the usual ones; a set without them comes first."""
    return not directions.normalize or directions.torgb != "last"


def listed(path: str | os.PathLike[str]) -> list[str]:
    """For each set a line, and one for each of its directions that has a name, a star, a note or a range.

    Raises:
        DirectionsFileError, OSError: as :func:`named_sets`.
    """
    lines = []
    for one in named_sets(path):
        held = one.directions
        lines.append(f"{one.file}: {len(held)} directions of {held.label}")
        for index, entry in enumerate(held.entries):
            if entry.name or entry.range or entry.starred or entry.note:
                span = "{:+g} to {:+g}".format(*entry.range) if entry.range else ""
                auto = f" (auto, purity {entry.purity:.2f})" if entry.purity is not None else ""
                star, note = "* " if entry.starred else "", f"  ({entry.note})" if entry.note else ""
                lines.append(f"  {index:4d}  {span:<16}{star}{entry.name}{auto}{note}".rstrip())
        lines += [f"Note: {line}" for line in remarks(held)]
    return lines


def listed_as_json(path: str | os.PathLike[str]) -> dict[str, Any]:
    """What :func:`listed` lists, as JSON.

    Raises:
        DirectionsFileError, OSError: as :func:`named_sets`.
    """
    return {
        "sets": [
            {
                "called": one.called,
                "file": str(one.file),
                "label": one.directions.label,
                "layers": list(one.directions.layers),
                "space": one.directions.space,
                "count": len(one.directions),
                "directions": [
                    {"index": index, **{key: getattr(entry, key) for key in _LISTED}}
                    for index, entry in enumerate(one.directions.entries)
                    if entry.name or entry.range or entry.starred or entry.note
                ],
            }
            for one in named_sets(path)
        ]
    }


def refresh_page(folder: Path) -> bool:
    """Write the page of a folder again, where a run has made one; returns whether it has.

    Raises:
        OSError: it cannot be written; the old one stays.
    """
    keep_inside(folder)
    if not ((folder / PAGE).is_file() and (folder / NAME).is_file()) or is_foreign_page(folder / PAGE):
        return False
    manifest = Manifest.of(folder)
    if manifest is None:
        return False
    write_report(manifest)
    return True


def rename(
    path: str | os.PathLike[str],
    key: str,
    name: str | None = None,
    *,
    starred: bool | None = None,
    note: str | None = None,
) -> str:
    """Set name, star or note of one direction; returns a line for the user.

    A page beside the file is updated.

    Args:
        path: a directions file, or a folder of them.
        key: number or name of the direction, in a folder of several sets with its set in front, ``coarse:0``; without
            it, that of all layers.
        name, starred, note: what is set; None leaves it, '' removes a name or a note.

    Raises:
        DirectionsFileError: the file cannot be read, or it is not clear in which one.
        ValueError: there is no such direction, or the name is not valid or taken.
        OSError: the file cannot be written.
    """
    one, typed = _found(path, key)
    index = one.directions.index(typed)
    before = one.directions.entries[index]
    held = change(one.file, lambda held: held.typed(index, name, starred, note)).entries[index]
    refresh_page(one.file.parent)
    changes = []
    if name is not None:
        old = f", no longer {before.name!r}" if before.named_by == "person" and before.name not in ("", name) else ""
        changes.append(f"is called {held.name!r}{old}" if held.name else "has no name now")
    if starred is not None:
        changes.append("has a star" if held.starred else "has no star now")
    if note is not None:
        changes.append("has a note" if held.note else "has no note now")
    return f"{one.file}: direction {index} {', '.join(changes)}"


class _Star(Struct):
    set: Annotated[str, Meta(max_length=150)]
    index: Annotated[int, Meta(ge=0)]
    direction: str
    layers: tuple[int, ...]
    starred: bool


class _Stars(Struct):
    format: Literal["sefa_stars"]
    version: Literal[1]
    stars: Annotated[tuple[_Star, ...], Meta(max_length=100_000)]


def set_stars(path: str | os.PathLike[str], file: str | os.PathLike[str]) -> list[str]:
    """Set the stars of a file that was saved on a page; returns lines for the user.

    Directions are found by their vectors and rows. Each set is changed in one step; pages beside them are updated.

    Args:
        path: a directions file, or a folder of them.
        file: as the page saves it.

    Raises:
        DirectionsFileError: a directions file cannot be read.
        ValueError: the stars cannot be read, or none is of a direction of these files.
        OSError: a file cannot be read or written.
    """
    try:
        stars: _Stars = parsed(read_bounded(Path(file), _MOST_STARS), _Stars)
    except ValueError as error:
        raise ValueError(f"{file}: is no file of stars that a page has saved: {error}") from None
    left, lines, sets = {(one.direction, one.layers): one for one in stars.stars}, [], named_sets(path)
    for one in sets:
        held = one.directions
        digests = [hashlib.sha256(entry.vector.tobytes()).hexdigest() for entry in held.entries]
        found = [left.pop((digest, held.layers), None) for digest in digests]
        wanted = {index: star.starred for index, star in enumerate(found) if star is not None}
        if not wanted:
            continue
        change(one.file, partial(_with_stars, wanted))
        new = [index for index, star in wanted.items() if star != held.entries[index].starred]
        set_now, gone = sum(wanted[index] for index in new), sum(not wanted[index] for index in new)
        parts = [f"{set_now} set"] * bool(set_now) + [f"{gone} taken away"] * bool(gone)
        lines.append(f"{one.file}: stars: {', '.join(parts) or 'as they were'}")
    if stars.stars and not lines:
        raise ValueError(f"{file}: none of its directions is in {path}; is it of the page of another folder?")
    if left:
        those = ", ".join(f"{printable(star.set)}:{star.index}" for star in left.values())
        lines.append(f"not in these files, left out: {those}")
    for folder in {one.file.parent for one in sets}:
        refresh_page(folder)
    return lines or [f"{file}: holds no star"]


def _with_stars(wanted: dict[int, bool], held: Directions) -> Directions:
    return held.with_stars(wanted)


def take_back(path: str | os.PathLike[str], called: str | None = None) -> str:
    """Take back the last change of a name, star or note in a set; returns a line for the user.

    Args:
        path: a directions file, or a folder of them.
        called: which set of a folder; None takes the only one with a change.

    Raises:
        DirectionsFileError: the file cannot be read, or it is not clear in which one.
        ValueError: nothing was changed there.
        OSError: the file cannot be written.
    """
    sets = named_sets(path)
    if called is not None:
        one = _set_called(sets, called.removesuffix(":"))
        if one is None:
            raise ValueError(f"{called!r:.60} is no set of directions here: {', '.join(one.called for one in sets)}")
    else:
        changed = [one for one in sets if one.directions.history] or sets[:1]
        if len(changed) > 1:
            ways = " or ".join(f"`sefa name {path} {one.called} --undo`" for one in changed)
            raise DirectionsFileError(f"{path}: names were changed in {len(changed)} sets: type {ways}")
        (one,) = changed
    before = one.directions
    held = change(one.file, Directions.undone)
    refresh_page(one.file.parent)
    changes = [
        f"direction {index} is called {now.name!r} again" if now.name else f"direction {index} has no name again"
        for index, (old, now) in enumerate(zip(before.entries, held.entries))
        if old.name != now.name
    ]
    return f"{one.file}: {'; '.join(changes) or 'a star or a note is taken back'}"


def _set_called(sets: list[NamedSet], word: str) -> NamedSet | None:
    """The set that is typed as ``word``: as listed, or by its label (``0-1,5``) if no other has it."""
    same = [one for one in sets if one.called == word]
    same = same or [one for one in sets if one.directions.label == word.replace(",", "_")]
    return same[0] if len(same) == 1 else None


def _found(path: str | os.PathLike[str], key: str) -> tuple[NamedSet, Key]:
    """The set that a direction is in, and its number or name there; a number alone is of all layers, as elsewhere."""
    sets = named_sets(path)
    having = [one for one in sets if key in one.directions.names and key]
    word, colon, rest = key.rpartition(":")
    one = _set_called(sets, word) if colon and not having else None
    if one is not None:
        return one, _key(rest)
    if colon and not having:
        listing = ", ".join(one.called for one in sets)
        raise ValueError(f"direction {key!r:.60}: {word!r:.40} is no set of directions here, which holds {listing}")
    candidates = having or [one for one in sets if one.called == ALL] or sets
    if len(candidates) > 1:
        files = ", ".join(one.file.name for one in candidates)
        ways = " or ".join(f"{one.called}:{key}" for one in candidates)
        raise DirectionsFileError(f"{path}: one directions file is needed, this folder holds {files}: type {ways}")
    return candidates[0], _key(key)


def _key(word: str) -> Key:
    return int(word) if re.fullmatch(r"-?\d+", word) else word
