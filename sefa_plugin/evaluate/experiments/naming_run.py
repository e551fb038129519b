"""The whole re-scoring run: from sets of directions to tables, their files, and names in the directions files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ...directions.kept import KeptDirections
from ...rendering.calibration import seeds_of
from ...rendering.ranges import Ranges
from ...rendering.shards import View
from ...runs.command_line import line
from ...runs.each_direction import save_found
from ...runs.folder import Reporter
from ...runs.session import Session, indices_of
from ...runs.settings import Wanted
from ..samples.sampling import Samples
from ..samples.scores import Scores
from ..scorers.asking import Scorer
from .names import apply_names, record_tables
from .rescore import FOLDER, SCORES, Row, Table, rescore, settings_of, trial, write_table


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
) -> list[tuple[Table, list[Path]]]:
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
    chosen = [(group, indices_of(group.directions, wanted)) for group in groups]
    settings = settings_of(samples, scorer, session.opened.record.digest())
    path = folder / FOLDER / SCORES
    attributes = trial(samples, scorer)
    scores = Scores(len(samples), settings, path, anew)
    if scores.attributes and set(scores.attributes) != set(attributes):  # same identity, changed import
        reporter.say("the scorer names other attributes than before: all is scored anew")
        scores = Scores(len(samples), settings, path, anew=True)
    save_found(groups, wanted.file)
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

    def begin(pictures: int) -> None:
        if pictures:
            reporter.expect(pictures)
        else:
            reporter.say("all of it has been scored before")

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
