"""Two directions that a person wants apart: pictures to mark, and the direction that the marks give."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Optional

import msgspec
import numpy as np
from msgspec import Meta, Struct, structs

from ..directions.apart import FURTHEST, Amount, amount_of, combined
from ..directions.directions import Direction, Directions
from ..directions.kept import KeptDirections
from ..directions.layers import Label
from ..media.pictures import fit
from ..media.sheet import CELL, write_sheet
from ..reading.json_file import parsed, read_bounded
from ..rendering.edits import edit_of
from ..rendering.look import Look
from ..rendering.shards import Shard, View
from ..system.file_names import safe_name
from ..system.whole_files import whole_file
from .folder import Reporter
from .session import Session
from .settings import SettingsError, settings_checked

if TYPE_CHECKING:
    from ..rendering.engine import Engine

FOLDER = "apart"  # of marks, in the folder of a network's outputs
PICTURES = 20
FIRST_SEED = 100  # others than the ones that sheets show
MOST = 2**20  # bytes of a file of marks
_Number = Annotated[float, Meta(gt=-1e6, lt=1e6)]


class Mark(Struct, frozen=True):
    """One picture: where it started, how far it went along both directions, and what a person says of it.

    Attributes:
        seed: of the unedited picture.
        distances: along the first and the second direction, in units of w.
        amount: of the second one, in units of its range for one of the first.
        wanted: true where it changed what is wanted and left the rest, false where not; null is not counted.
    """

    seed: Annotated[int, Meta(ge=0)]
    distances: tuple[_Number, _Number]
    amount: _Number
    wanted: Optional[bool] = None


class Marks(Struct, frozen=True):
    """A file of marks.

    Attributes:
        network: digest of the network.
        set: the label of the directions.
        directions: the numbers of both.
        reach: the distances of both at their ends, in units of w.
        marks: of the pictures.
    """

    format: Literal["sefa_marks"]
    network: str
    set: str
    directions: tuple[int, int]
    reach: tuple[_Number, _Number]
    marks: Annotated[tuple[Mark, ...], Meta(max_length=10_000)]


def marks_of(
    session: Session, group: KeptDirections, pair: tuple[int, int], folder: Path, engine: Engine, reporter: Reporter
) -> Marks:
    """The file of the marks of two directions, which is begun where it is missing.

    Args:
        session: of the network.
        group: the set of both directions; ranges that are measured are saved with it.
        pair: their numbers.
        folder: of the file, see :func:`file_of`.
        engine: makes the pictures that ranges are measured on.
        reporter: receives the amount of work (with the pictures that are to be marked) and progress.

    Raises:
        SettingsError: the file is there, and cannot be used for these directions.
        OSError: it cannot be written.
    """
    file = file_of(group, pair, folder)
    if file.exists():
        held = read_marks(file)
        _check(held, session, group, pair)
        reporter.expect(2 * len(held.marks))
        return held
    seeds = range(FIRST_SEED, FIRST_SEED + PICTURES)
    ranges = session.ranges(_view(seeds), engine, advance=reporter.advance)
    jobs = [(group, index) for index in pair]
    reporter.expect(ranges.needed(jobs) + 2 * PICTURES)
    ends = [max(ranges.of(*job), key=abs) for job in jobs]
    # In an order that does not show what comes next.
    amounts = np.random.RandomState(0).permutation(np.linspace(-FURTHEST, FURTHEST, PICTURES))
    marks = [
        Mark(seed, (round(ends[0], 4), round(float(ends[1] * amount), 4)), round(float(amount), 4))
        for seed, amount in zip(seeds, amounts)
    ]
    made = Marks(
        "sefa_marks", session.opened.record.lineage, group.directions.label, pair, (ends[0], ends[1]), tuple(marks)
    )
    folder.mkdir(parents=True, exist_ok=True)
    _write(file, made)
    return made


def pictures_of(
    group: KeptDirections, marks: Marks, engine: Engine, reporter: Reporter
) -> list[tuple[np.ndarray, np.ndarray]]:
    """The pictures of marks, each before and after: uint8 ``[H, W, C]``, at most ``CELL`` wide.

    Args:
        group: the set of both directions.
        marks: of it.
        engine: makes the pictures.
        reporter: receives progress.
    """
    view = _view([mark.seed for mark in marks.marks])
    edits = tuple(edit_of(group.directions, index, 1.0) for index in marks.directions)
    shots = tuple((float(who), tuple(enumerate(mark.distances))) for who, mark in enumerate(marks.marks))
    sides: list[list[np.ndarray]] = []
    for shard in (Shard.of_everyone(view), Shard(shots, edits, len(shots), len(shots))):
        sides.append([])
        for picture in engine.pictures(view, shard):
            sides[-1].append(fit(picture, CELL))
            reporter.advance(1)
    return list(zip(*sides))


def write_pictures(
    session: Session, group: KeptDirections, marks: Marks, folder: Path, engine: Engine, reporter: Reporter
) -> Path:
    """Write a sheet of the numbered pictures of marks beside their file; returns it.

    Raises:
        OSError: it cannot be written.
    """
    sheet = file_of(group, marks.directions, folder).with_suffix(".jpg")
    first, second = marks.directions
    write_sheet(
        sheet,
        pictures_of(group, marks, engine, reporter),
        row_labels=[f"{number}" for number in range(len(marks.marks))],
        column_labels=["before", "after"],
        title=f"{session.name}: direction {first} with more or less of {second}",
        text="Which changed what you want, and nothing else? --wanted takes their numbers.",
    )
    return sheet


def _view(seeds: Sequence[int]) -> View:
    return View(Look(), tuple(seeds), draws_classes=True)


def _check(marks: Marks, session: Session, group: KeptDirections, pair: tuple[int, int]) -> None:
    network = session.opened.record.lineage
    if (marks.network, marks.set, marks.directions) != (network, group.directions.label, pair):
        raise SettingsError(
            f"these marks are of directions {marks.directions[0]} and {marks.directions[1]} of {marks.set}"
            + ("" if marks.network == network else " of another network")
        )


def file_of(group: KeptDirections, pair: tuple[int, int], folder: Path) -> Path:
    """The file of the marks of two directions in a folder."""
    return folder / safe_name(f"{group.directions.label}-{pair[0]}-apart-from-{pair[1]}.json")


def mark(path: Path, wanted: Collection[int]) -> Marks:
    """Mark all pictures of a file: some as wanted, by their numbers, and the others as not.

    Raises:
        SettingsError: it is no such file, or has fewer pictures.
        OSError: it cannot be written.
    """
    held = read_marks(path)
    if wanted and max(wanted) >= len(held.marks):
        raise SettingsError(f"picture {max(wanted)}: {path} has pictures 0-{len(held.marks) - 1}")
    marks = tuple(structs.replace(one, wanted=at in wanted) for at, one in enumerate(held.marks))
    made = structs.replace(held, marks=marks)
    _write(path, made)
    return made


def _write(path: Path, marks: Marks) -> None:
    with whole_file(path) as part:
        part.write_bytes(msgspec.json.format(msgspec.json.encode(marks), indent=1) + b"\n")


def read_marks(path: Path) -> Marks:
    """Read a file of marks.

    Raises:
        SettingsError: it is no such file.
    """
    try:
        marks: Any = parsed(read_bounded(path, MOST), Marks)
    except (ValueError, OSError) as error:
        raise SettingsError(f"{path}: is no file of marks: {error}") from None
    found: Marks = marks
    return found


def apart(session: Session, group: KeptDirections, pair: tuple[int, int], marks: Marks) -> tuple[Directions, Amount]:
    """The first direction apart from the second one, as a set of one, and how much of the second was added.

    Raises:
        SettingsError: the marks are of other directions, too few, or all alike.
    """
    held = group.directions
    _check(marks, session, group, pair)
    said = [(mark.amount, mark.wanted) for mark in marks.marks if mark.wanted is not None]
    with settings_checked():
        amount = amount_of(*zip(*said)) if said else amount_of([], [])
    vector = combined(held.vectors[list(pair)], (marks.reach[0], amount.value * marks.reach[1]))
    if vector.reshape(-1) @ held.vectors[pair[0]].reshape(-1) < 0:
        vector = -vector
    first, second = (held.names[index] or str(index) for index in pair)
    entry = Direction(vector, 0.0, name=f"{first} apart from {second}")
    made = replace(
        held,
        entries=(entry,),
        label=str(Label.of(held.label)._replace(apart=f"{pair[0]}-{pair[1]}")),
        origin=f"marks: {pair[0]} apart from {pair[1]} by {len(said)} pictures",
        normalize=True,
        torgb="last",
        calibration="",
        next_eigenvalue=None,
        sharpen="none",
        found_with="",
        region="",
        caveats=(),
        history=(),
    )
    return made, amount
