"""The whole re-scoring run: from sets of directions to tables, their files, and names in the directions files."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from ...directions.directions import Directions
from ...directions.file import DirectionsFileError
from ...directions.kept import KeptDirections, change
from ...rendering.calibration import seeds_of
from ...rendering.ranges import Ranges
from ...rendering.shards import View
from ...runs.command_line import line
from ...runs.each_direction import save_found
from ...runs.folder import Reporter
from ...runs.record import Manifest
from ...runs.renaming import refresh_page
from ...runs.session import Session, indices_of
from ...runs.settings import Wanted
from ..samples.sampling import Samples
from ..samples.scores import Scores
from ..scorers.interface import Scorer
from .rescore import FOLDER, SCORES, Rescored, Row, rescore, settings_of, write_table


def score_directions(
    session: Session,
    samples: Samples,
    scorer: Scorer,
    groups: Sequence[KeptDirections],
    wanted: Wanted,
    folder: Path,
    *,
    distance: tuple[float, float] | None,
    command: Sequence[str],
    reporter: Reporter,
    anew: bool = False,
    give_names: bool = True,
) -> list[tuple[Rescored, list[Path]]]:
    """Measure the ranges of directions, score their edits, and write tables and names.

    Args:
        session, samples, scorer: the network, its samples, and the scorer of their pictures.
        groups, wanted: sets of directions, and which of them.
        folder: of the outputs; scores of an earlier run there with the same settings are used.
        distance: a range for all directions, or None to measure the range of each.
        command: what was typed, for the record.
        reporter: receives lines, the amount of work, and progress.
        anew: score all again.
        give_names: whether to write names to the directions files; a person's names are never changed.

    Returns:
        For each set of directions its table and the paths of its files.

    Raises:
        ScorerError: the scorer cannot score these pictures.
        FramesError, OSError: the network gives NaN, or a file cannot be written.
    """
    chosen = chosen_of(groups, wanted)
    settings = settings_of(samples, scorer, session.opened.record.digest())
    path = folder / FOLDER / SCORES
    attributes = samples.trial(scorer)
    scores = Scores(len(samples), settings, path, anew)
    if scores.attributes and set(scores.attributes) != set(attributes):  # same identity, changed import
        reporter.say("the scorer gives other attributes than before: all samples are scored again")
        scores = Scores(len(samples), settings, path, anew=True)
    save_found(groups, wanted.file)
    measured = measured_rows(samples, chosen, distance, reporter)

    def begin(pictures: int) -> None:
        if pictures:
            reporter.expect(pictures)
        else:
            reporter.say("everything was scored by an earlier run")

    tables = rescore(
        samples,
        measured,
        scorer,
        scores=scores,
        about={"network": session.name},
        advance=reporter.advance,
        begin=begin,
    )
    paths = {group.directions.label: group.path for group, _ in chosen}
    tables = [apply_names(paths[table.label], table, give_names) for table in tables]
    files = [write_table(folder / FOLDER, table, line(command)) for table in tables]
    record_tables(folder, command, session.about(), [made[-1] for made in files])
    return list(zip(tables, files))


Chosen = Sequence[tuple[KeptDirections, Sequence[int]]]  # sets of directions, and indices of each


def chosen_of(groups: Sequence[KeptDirections], wanted: Wanted) -> Chosen:
    """The wanted directions of each set."""
    return [(group, indices_of(group.directions, wanted)) for group in groups]


def measured_rows(
    samples: Samples, chosen: Chosen, distance: tuple[float, float] | None, reporter: Reporter
) -> list[list[Row]]:
    """Measure the ranges of directions, or take those that are saved with them; sets without a direction are left out.

    Args:
        samples, distance, reporter: see :func:`score_directions`.
        chosen: which directions.

    Raises:
        FramesError, OSError: as there.
    """
    seeds = seeds_of(samples.G)
    view = View(samples.look, seeds, draws_classes=True)
    ranges = Ranges(view, samples.engine, seeds, distance, reporter.advance, own=True)
    measured = []
    for group, indices in chosen:
        unknown = sum(not ranges.known(group, index) for index in indices)
        if unknown:
            reporter.say(f"{group.directions.label}: calibrating {unknown} directions")
        ends = [ranges.of(group, index) for index in indices]
        if indices:
            measured.append([Row(group.directions, index, *end) for index, end in zip(indices, ends)])
    return measured


def apply_names(path: Path | None, table: Rescored, give: bool = True) -> Rescored:
    """Write the names of a table to the directions file; returns the table with the names in the file.

    The file is read again first, so that names that a person has given during scoring are kept.

    Args:
        path: of the directions file; None where there is none.
        give: False leaves the file as it is.

    Raises:
        OSError: the file cannot be written.
    """
    measured = table.rows[0].directions
    found = {table.rows[label.index].index: (label.name, label.purity) for label in table.labels}

    def named(held: Directions) -> Directions:
        if not held.same_as(measured) or len(held) < len(measured):
            held = measured
        return held.with_auto_names(found, [row.index for row in table.rows]) if give else held

    if path is None:
        held = named(measured)
    elif give:
        held = change(path, named, otherwise=measured)
    else:
        held = measured
        with suppress(DirectionsFileError):
            held = named(Directions.load(path))
    return replace(table, names=tuple(held.names[row.index] for row in table.rows))


def record_tables(outdir: Path, command: Sequence[str], network: dict[str, str], files: Sequence[Path]) -> None:
    """Add finished tables (their JSON files) to the record of a folder and, where it has one, to its page.

    Raises:
        OSError: record or page cannot be written.
    """
    manifest = Manifest.of(outdir)
    if manifest is None or manifest.network.get("digest") != network["digest"]:
        manifest = Manifest(outdir, command, network)
    for file in files:
        settings = {"rescore": True, "network": network["digest"]}
        manifest.add(file.relative_to(outdir).as_posix(), settings, [], command=command)
    refresh_page(outdir)
