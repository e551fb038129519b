"""Sheets and clips of directions: what is asked for, its shards, and how each is made."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Optional

import msgspec

from ..directions.factorization import Factorisation
from ..rendering.arithmetic import Arithmetic
from ..rendering.engine import Engine
from ..rendering.look import Look
from ..rendering.shards import Shard
from ..runs.command_line import portable
from ..runs.each_direction import plan_outputs, save_found
from ..runs.folder import Announced, Reporter
from ..runs.making import Making
from ..runs.output_settings import OutputSettings
from ..runs.plan import LAST, SHEETS, Output, Plan
from ..runs.record import Manifest
from ..runs.session import Session
from ..runs.settings import NetworkChoice, Wanted
from . import job as costs
from .job import DIRECTIONS, GRID, OPENING, PICTURES, PLAN, Block, Cut, blocks_of, directions_of
from .shard import MADE, PLANNED, Attempt, Outcome, reason_of
from .store import Stored, store

SHEET, CLIP, STORED = 120_000, 400_000, 2.0  # bytes for each subject, of a sheet and a clip; of a pixel that is stored
AT_ONCE = 4  # pictures of 256 pixels in a batch
WRITING = 0.1  # seconds of making sheets and clips of stored pictures, of those of rendering them


@dataclass(frozen=True)
class Rendered:
    """What ``gen_sefa.py`` makes of a network.

    Attributes:
        choice: how it is opened.
        factorisation, wanted, output, distance: see ``runs.each_direction.make_outputs``.
        seeds, projected: subjects; see ``Session.view``.
        looks: by the folder in that of the network, '' for itself: one for each class.
    """

    choice: NetworkChoice
    factorisation: Factorisation
    wanted: Wanted
    output: OutputSettings
    distance: Optional[tuple[float, float]]
    seeds: tuple[int, ...]
    projected: Optional[str]
    looks: dict[str, Look]

    def cut(self, session: Session, cut: Cut) -> None:
        """Add the shards of an open network: its plan, blocks of its directions and seeds, and the grid."""
        directions = directions_of(session, self.factorisation, self.wanted)
        pixels = session.opened.sizes["resolution"] ** 2
        side, one = pixels / 256**2, costs.seconds_of_a_picture(session)
        subjects, output, clip = max(1, len(self.seeds)), self.output, self.output.video != "none"
        low, high = self.distance or (-0.97, 1.05)  # as uneven as measured ranges are
        frames = {*output.timeline(low, high).distances} if clip else set()
        steps = len((frames | {*output.columns(low, high, self.distance is None)}) - {0.0})
        each, grid = steps * subjects, directions * len(frames) * subjects if output.grid and clip else 0
        probes = costs.probes_of(session) if self.distance is None else 0
        large = (SHEET * min(1.0, side) + clip * CLIP * side) * subjects
        count = min(directions, max(cut.fewest, math.ceil(directions * each * one / costs.LONG)))
        # Pictures of a block of seeds are stored where a direction, or the grid, would take too long. Directions of Z
        # move all seeds through the mapping at once, which rounds by their number.
        stored = max(each, grid) * one > costs.LONGEST and not self.projected
        stored = stored and self.wanted.file is None and self.factorisation.space == "w"
        share = WRITING if stored else 1.0
        together = Shard((), together=subjects).batch(max(1, int(AT_ONCE / side)))  # a batch is not cut
        parts = min(subjects // together, math.ceil(directions * each * one / count / costs.LONG)) if stored else 0
        for part in self.looks:
            pictures, kept = directions * probes, list[str]()
            plan = cut.add(PLAN, part=part, pictures=pictures, seconds=OPENING + pictures * one)
            for first, last in blocks_of(directions, count):
                own = []
                for start, stop in blocks_of(subjects // together, parts):
                    pictures = ((last - first) * steps + 1) * (stop - start) * together
                    spans = (first, last), (start * together, stop * together)
                    size, seconds = pictures * STORED * pixels, pictures * one
                    own.append(
                        cut.add(
                            PICTURES, *spans, part=part, needs=[plan], pictures=pictures, seconds=seconds, size=size
                        )
                    )
                kept += own
                pictures, size = (last - first) * each + subjects, (last - first) * large
                seconds, needs = pictures * one * share, [plan, *own]
                pictures = 0 if stored else pictures
                cut.add(
                    DIRECTIONS, (first, last), part=part, needs=needs, pictures=pictures, seconds=seconds, size=size
                )
            if grid:
                seconds, size, needs = grid * one * share, directions * CLIP * side, [plan, *kept]
                pictures = 0 if stored else grid
                cut.add(GRID, part=part, needs=needs, pictures=pictures, seconds=seconds, size=size)

    def make(self, attempt: Attempt) -> Outcome:
        """Make a shard; outputs that fail are noted by name."""
        block = attempt.block
        if block.kind == PLAN:
            return self._plan(attempt)
        plan = plan_in(attempt.needs[0])
        if block.kind == PICTURES:
            engine, span = attempt.session.engine(plan.arithmetic), range(block.start, block.stop)
            layouts = [output.layout for some in outputs_of(plan, block) for output in some]
            pictures = store(attempt.place, plan.view, layouts, engine, span, attempt.reporter.advance)
            return Outcome(pictures, asdict(engine.arithmetic(plan.view)))
        return _make(attempt, plan)

    def _plan(self, attempt: Attempt) -> Outcome:
        """Find directions, measure their ranges, and lay out all outputs."""
        session, made = attempt.session, attempt.place / MADE
        view = session.view(self.looks[attempt.block.part], self.seeds, self.projected)
        groups = session.directions(self.factorisation, self.wanted, made, reporter=Announced(attempt.reporter))
        made.mkdir(exist_ok=True)
        save_found(groups, self.wanted.file)
        command = attempt.command
        plan = plan_outputs(session, view, groups, self.wanted, self.output, distance=self.distance, command=command)
        plan.save(attempt.place / PLANNED)
        return Outcome(computed={} if plan.arithmetic is None else asdict(plan.arithmetic))


def plan_in(place: Path) -> Plan:
    """The plan in the folder of a shard.

    Raises:
        PlanError, OSError: it cannot be read.
    """
    return Plan.of((place / PLANNED).read_bytes())


def outputs_of(plan: Plan, block: Block) -> list[list[Output]]:
    """The outputs of a shard: those of each direction together, since they share pictures."""
    if block.kind == GRID:
        return [[output for output in plan.outputs if output.order[0] == LAST]]
    row = [output for output in plan.outputs if output.order[0] < SHEETS] if block.first == 0 else []
    each = [
        [output for output in plan.outputs if SHEETS <= output.order[0] < LAST and output.order[1] == place]
        for place in range(block.first, block.last)
    ]
    return [outputs for outputs in (row, *each) if outputs]


def _make(attempt: Attempt, plan: Plan) -> Outcome:
    """Make the outputs of a shard, of pictures that are stored where it needs such shards."""
    counted, stores = Counted(attempt.reporter), attempt.needs[1:]
    if stores:
        computed = msgspec.convert(attempt.computed(1), Arithmetic)
        engine: Engine = Stored(stores, lambda look: attempt.session.generator(look), computed)
    else:
        engine = attempt.session.engine(plan.arithmetic)
    manifest = Manifest(attempt.place / MADE, plan.command, plan.network, portable(attempt.final))
    manifest.write()
    making, failed = Making(plan.view, engine, manifest, counted, lambda output: False), dict[str, str]()
    for outputs in outputs_of(plan, attempt.block):
        try:
            making.make(outputs)
        except Exception as error:
            reason = reason_of(error)
            failed.update({one.name: reason for one in outputs if one.name not in manifest.outputs})
    computed_as = asdict(engine.arithmetic(plan.view)) if counted.pictures else {}
    return Outcome(0 if stores else counted.pictures, computed_as, failed)


class Counted(Announced):
    """Passes progress on, and counts pictures."""

    def __init__(self, reporter: Reporter) -> None:
        super().__init__(reporter)
        self.pictures = 0

    def say(self, text: str) -> None:
        """Nothing: lines name the folder of an attempt."""

    def advance(self, pictures: int) -> None:
        """Some pictures are done."""
        self.pictures += pictures
        super().advance(pictures)
