"""Names that people gave in a study, written into the directions files of its runs."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from ...directions.directions import Directions
from ...directions.kept import change, sets_in
from ...directions.names import check_name
from ...runs.renaming import refresh_page
from ...study.design import Study
from .study import Named

Wanted = Mapping[tuple[str, tuple[int, ...]], Named]  # by digest of the vector, and rows of ws


def write_names(study: Study, folder: Path, names: Sequence[Named], files: Sequence[Path] = ()) -> list[str]:
    """Write names into the directions files, as re-scoring does; returns lines on what was done.

    A name that a person has given (`sefa name`) stays, and a line says so; a line also says which name of re-scoring is
    replaced. Directions are found by their vectors and rows.

    Args:
        study, folder: the study, and where it is.
        names: what directions are called.
        files: directions files beside those in the folders of the runs.

    Raises:
        DirectionsFileError: one of ``files`` is none.
        OSError: a file cannot be read or written.
    """
    wanted: dict[tuple[str, tuple[int, ...]], Named] = {}
    for one in sorted(names, key=lambda one: (-one.votes, one.direction)):
        shown = study.directions[one.direction]
        if one.name:
            wanted.setdefault((shown.direction, shown.layers), one)
    folders = [Path(os.path.normpath(folder / run.path)) for run in study.runs]
    sets = {path: held for run in folders if run.is_dir() for path, held in sets_in(run).items()}
    sets |= {path: Directions.load(path) for path in files}
    lines, found = [], set[tuple[str, tuple[int, ...]]]()
    for path, held in sets.items():
        places = _places(held, wanted)
        found |= set(places.values())
        if not places:
            continue
        said: dict[int, str] = {}
        change(path, partial(_with_names, wanted, said))
        refresh_page(path.parent)
        lines += [f"{path}: direction {place} {said[place]}" for place in sorted(said)]
    for key, one in wanted.items():
        if key not in found:
            where = "in the folder of its run; name its file with --directions-file"
            lines.append(
                f"{study.title(one.direction)}: {one.name!r} is not written, the direction is in no file {where}"
            )
    return lines


def _places(held: Directions, wanted: Wanted) -> dict[int, tuple[str, tuple[int, ...]]]:
    """The wanted directions of a set, by their numbers."""
    keys = [(hashlib.sha256(entry.vector.tobytes()).hexdigest(), held.layers) for entry in held.entries]
    return {place: key for place, key in enumerate(keys) if key in wanted}


def _with_names(wanted: Wanted, said: dict[int, str], held: Directions) -> Directions:
    places = _places(held, wanted)
    given: dict[int, tuple[str, float]] = {}
    for key in wanted:  # most votes first: of equal names the others get a number
        for place in (place for place, own in places.items() if own == key):
            one, before = wanted[key], held.entries[place]
            try:
                check_name(one.name)
            except ValueError as error:
                said[place] = f"is not named: {error}"
                continue
            if before.named_by == "person":
                same = " too" if before.name == one.name else f"; people say {one.name!r}"
                said[place] = f"keeps the name {before.name!r} that you gave it{same}"
                continue
            given[place] = (one.name, one.votes / one.answers)
    made = held.with_auto_names(given, given.keys())
    for place in given:
        old, now = held.names[place], made.names[place]
        instead = f", no longer {old!r}" if old and old != now else ""
        said[place] = f"is called {now!r}{instead}"
    return made
