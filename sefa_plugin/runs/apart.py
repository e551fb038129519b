"""Two directions that a person wants apart: pictures to mark, and the direction that the marks give."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal, Optional

import msgspec
import numpy as np
from msgspec import Meta, Struct, structs

from ..directions.apart import FURTHEST, Amount, amount_of, combined
from ..directions.directions import Direction, Directions
from ..directions.kept import KeptDirections
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


def pictures_to_mark(
    session: Session, group: KeptDirections, pair: tuple[int, int], folder: Path, reporter: Reporter
) -> tuple[Path, Path]:
    """Write a sheet of numbered pictures, before and after, and the file that their marks go into.

    Args:
        session: of the network.
        group: the set of both directions; ranges that are measured are saved with it.
        pair: their numbers.
        folder: of both files.
        reporter: receives the amount of work and progress.

    Returns:
        The sheet and the file of marks, which is left as it is where it holds marks already.

    Raises:
        SettingsError: a range ends at 0.
        OSError: a file cannot be written.
    """
    seeds = range(FIRST_SEED, FIRST_SEED + PICTURES)
    view, engine = View(Look(), tuple(seeds), draws_classes=True), session.engine()
    ranges = session.ranges(view, engine, advance=reporter.advance)
    jobs = [(group, index) for index in pair]
    reporter.expect(ranges.needed(jobs) + 2 * PICTURES)
    ends = [max(ranges.of(*job), key=abs) for job in jobs]
    # In an order that does not show what comes next.
    amounts = np.random.RandomState(0).permutation(np.linspace(-FURTHEST, FURTHEST, PICTURES))
    marks = [
        Mark(seed, (round(ends[0], 4), round(float(ends[1] * amount), 4)), round(float(amount), 4))
        for seed, amount in zip(seeds, amounts)
    ]
    edits = tuple(edit_of(group.directions, index, 1.0) for index in pair)
    shots = tuple((float(who), tuple(enumerate(mark.distances))) for who, mark in enumerate(marks))
    pictures = [
        [fit(picture, CELL) for picture in engine.pictures(view, shard)]
        for shard in (Shard.of_everyone(view), Shard(shots, edits, PICTURES, PICTURES))
    ]
    reporter.advance(2 * PICTURES)
    label, file = group.directions.label, file_of(group, pair, folder)
    sheet = file.with_suffix(".jpg")
    folder.mkdir(parents=True, exist_ok=True)
    write_sheet(
        sheet,
        list(zip(*pictures)),
        row_labels=[f"{number}" for number in range(PICTURES)],
        column_labels=["before", "after"],
        title=f"{session.name}: direction {pair[0]} with more or less of {pair[1]}",
        text="Which changed what you want, and nothing else? --wanted takes their numbers.",
    )
    held = Marks("sefa_marks", session.opened.record.lineage, label, pair, (ends[0], ends[1]), tuple(marks))
    if not (file.exists() and any(mark.wanted is not None for mark in read_marks(file).marks)):
        _write(file, held)
    return sheet, file


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
    if (marks.network, marks.set, marks.directions) != (session.opened.record.lineage, held.label, pair):
        raise SettingsError(
            f"these marks are of directions {marks.directions[0]} and {marks.directions[1]} of {marks.set}"
            + ("" if marks.network == session.opened.record.lineage else " of another network")
        )
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
        label=f"{held.label.replace('@', '.')}-apart-{pair[0]}-{pair[1]}",
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
