"""Evaluations: what is asked for, its shards, and how each is made.

Of `sefa evaluate rescore`, shards score blocks of directions and of samples; the command finds all scores and makes
tables, names and the page. Every other evaluation is one shard for each network.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Optional

import msgspec

from ..directions.factorization import Factorisation
from ..evaluate.experiments.naming_run import chosen_of, measured_rows
from ..evaluate.experiments.rescore import FOLDER, SCORES, settings_of
from ..evaluate.samples.sampling import Samples, batch_of
from ..evaluate.samples.scores import SampleEdit, Scores, score_edits
from ..evaluate.scorers.interface import Scorer
from ..rendering.arithmetic import Arithmetic
from ..rendering.look import Look
from ..runs.each_direction import save_found
from ..runs.folder import Announced, Silent, claim
from ..runs.session import Session
from ..runs.settings import NetworkChoice, Wanted
from . import job as costs
from .job import COMMAND, OPENING, PLAN, Cut, blocks_of, directions_of
from .job import SCORES as PART
from .shard import MADE, Attempt, Outcome


@dataclass(frozen=True)
class Rescored:
    """What `sefa evaluate rescore` scores.

    Attributes:
        factorisation, wanted, distance, look: see ``naming_run.score_directions``.
        samples, first_seed: how many, and the first seed.
        scorer: loads the scorer.
    """

    factorisation: Factorisation
    wanted: Wanted
    distance: Optional[tuple[float, float]]
    look: Look
    samples: int
    first_seed: int
    scorer: Callable[[], Scorer]


@dataclass(frozen=True)
class Evaluated:
    """What `sefa evaluate` makes of a network.

    Attributes:
        choice: how it is opened.
        pictures: about how many are rendered, where the evaluation is one shard.
        run: runs the evaluation, given its options; nothing is printed.
        rescored: an evaluation that is cut.
    """

    choice: NetworkChoice
    pictures: int
    run: Callable[[Sequence[str]], None]
    rescored: Optional[Rescored] = None

    def cut(self, session: Session, cut: Cut) -> None:
        """Add the shards of an open network: the plan, blocks of directions and samples, and the command."""
        one, asked = costs.seconds_of_a_picture(session), self.rescored
        if asked is None:
            cut.add(COMMAND, pictures=self.pictures, seconds=OPENING + self.pictures * one)
            return
        directions = directions_of(session, asked.factorisation, asked.wanted)
        probes = directions * costs.probes_of(session) if asked.distance is None else 0
        plan = cut.add(PLAN, pictures=probes, seconds=OPENING + probes * one)
        batch, total = batch_of(session.opened.sizes["resolution"]), (2 * directions + 1) * asked.samples
        batches = math.ceil(asked.samples / batch)  # which are not cut
        count = max(cut.fewest, math.ceil(total * one / costs.LONG))
        rows = min(batches, count)  # samples are cut first, since each block scores its samples unedited, too
        columns = min(directions, math.ceil(count / rows))
        parts = []
        for start, stop in blocks_of(batches, rows):
            start, stop = start * batch, min(stop * batch, asked.samples)
            for block in blocks_of(directions, columns):
                pictures = (2 * (block[1] - block[0]) + 1) * (stop - start)
                span, seconds = (start, stop), pictures * one
                parts.append(cut.add(PART, block, span, needs=[plan], pictures=pictures, seconds=seconds))
        cut.add(COMMAND, needs=[plan, *parts], pictures=2, seconds=OPENING)

    def make(self, attempt: Attempt) -> Outcome:
        """Make a shard. The command writes to the network's own folder, where its other outputs are, each whole."""
        kind, asked = attempt.block.kind, self.rescored
        if asked is not None and kind != COMMAND:
            return _plan(attempt, asked) if kind == PLAN else _score(attempt, asked)
        if asked is not None:
            _gather(attempt, asked)
        self.run(attempt.words)
        attempt.reporter.advance(attempt.block.pictures)
        return Outcome(attempt.block.pictures)


def _samples(attempt: Attempt, asked: Rescored) -> Samples:
    session = attempt.session
    look = session.checked(asked.look)
    computed = msgspec.convert(attempt.computed(), Arithmetic) if attempt.needs else None
    engine = session.engine(computed)
    return Samples(session.generator(look), look, asked.samples, asked.first_seed, engine=engine)


def _plan(attempt: Attempt, asked: Rescored) -> Outcome:
    """Find directions and measure their ranges."""
    session, samples, made = attempt.session, _samples(attempt, asked), attempt.place / MADE
    groups = session.directions(asked.factorisation, asked.wanted, made)
    made.mkdir(exist_ok=True)
    save_found(groups, asked.wanted.file)
    measured_rows(samples, chosen_of(groups, asked.wanted), asked.distance, Announced(attempt.reporter))
    return Outcome(computed=asdict(samples.engine.arithmetic(samples.view(samples.seeds[:2]))))


def _edits(attempt: Attempt, asked: Rescored, samples: Samples) -> list[tuple[SampleEdit, SampleEdit]]:
    """Both ends of the range of every direction of the plan."""
    groups = attempt.session.directions(asked.factorisation, asked.wanted, attempt.needs[0] / MADE)
    rows = measured_rows(samples, chosen_of(groups, asked.wanted), asked.distance, Silent())
    return [row.ends for some in rows for row in some]


def _settings(attempt: Attempt, samples: Samples, scorer: Scorer) -> dict[str, object]:
    return settings_of(samples, scorer, attempt.session.opened.record.digest())


def _score(attempt: Attempt, asked: Rescored) -> Outcome:
    """Score some samples unedited and along some directions."""
    samples, scorer, block = _samples(attempt, asked), asked.scorer(), attempt.block
    edits = [edit for ends in _edits(attempt, asked, samples)[block.first : block.last] for edit in ends]
    part = samples.part(block.start, block.stop)
    scores = Scores(len(part), _settings(attempt, samples, scorer), attempt.place / SCORES)
    score_edits(part, edits, scorer, scores, attempt.reporter.advance)
    computed = asdict(samples.engine.arithmetic(part.view(part.seeds[:2])))
    return Outcome((len(edits) + 1) * len(part), computed)


def _gather(attempt: Attempt, asked: Rescored) -> None:
    """Put directions and all scores where the command finds them."""
    samples, scorer, final = _samples(attempt, asked), asked.scorer(), attempt.final
    claim(final, attempt.session.about(), attempt.command)
    for path in (attempt.needs[0] / MADE).iterdir():
        if not (final / path.name).exists():
            shutil.copyfile(path, final / path.name)
    edits = [edit for ends in _edits(attempt, asked, samples) for edit in ends]
    settings, parts = _settings(attempt, samples, scorer), {block.id: block for block in attempt.job.blocks}
    scores = Scores(len(samples), settings, final / FOLDER / SCORES, anew=True)
    for place in attempt.needs[1:]:
        block = parts[place.name]
        scores.add(block.start, Scores(block.stop - block.start, settings, place / SCORES), edits)
    scores.save()
