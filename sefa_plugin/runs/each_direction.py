"""A sheet and a video of each direction, and a grid of all.

Order: the unedited pictures, the sheets, the videos, the grid.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..directions.kept import KeptDirections
from ..directions.layers import Label
from ..media.text import GAP, in_steps, signed
from ..rendering.edits import edit_of
from ..rendering.engine import Engine
from ..rendering.ranges import SUSPICIOUS, Ranges
from ..rendering.shards import NO_Z, Shard, View
from ..rendering.timelines import Schedule, spread
from ..rendering.typed_edits import MeasuredRange
from ..system.file_names import safe_name
from .folder import Made, Reporter, Silent, claim
from .making import Making, is_current, settled
from .output_settings import OutputSettings
from .page.contents import Pages
from .plan import LAST, SHEETS, VIDEOS, Later, Output, Plan, Planned, Sheet, common_settings
from .record import Manifest, Settings
from .reproduce import about_direction, from_python, of_direction, of_run
from .session import check_keys, indices_of
from .settings import SettingsError, Wanted

if TYPE_CHECKING:
    from ..directions.directions import Directions
    from .session import Session

UNEDITED = "sheets/unedited.jpg"
ROW = 12  # pictures in the unedited row


def make_outputs(
    session: Session,
    view: View,
    groups: Sequence[KeptDirections],
    wanted: Wanted,
    output: OutputSettings,
    outdir: str | os.PathLike[str],
    *,
    distance: tuple[float, float] | None = None,
    command: Sequence[str] | None = None,
    engine: Engine | None = None,
    reporter: Reporter | None = None,
    overwrite: bool = False,
) -> Made:
    """Make the outputs of the wanted directions, with the record and the page of their folder.

    Args:
        session, view: the network, its subjects and look.
        groups: the sets of directions; all are saved first, except a set that was read from ``wanted.file``.
        wanted: which of them.
        output: what is made of each.
        outdir: the folder.
        distance: a range for all directions, or None to measure the range of each.
        command: the words that were typed, for the record; None takes the command line that does the same.
        engine: makes the pictures; None makes them in this process.
        reporter: receives lines, the amount of work, and progress; None prints nothing.
        overwrite: make outputs again even where they are up to date.

    Raises:
        SettingsError: directions or outputs that do not exist, or directions of Z with subjects without z.
        VideoError, FramesError, OSError: an output could not be made; those before it are whole.
    """
    reporter, outdir, engine = reporter or Silent(), Path(outdir), engine or session.engine()
    each = _checked(session, view, groups, wanted, output, distance, command, engine, reporter)
    claim(outdir, each.network, each.command)
    manifest = Manifest(outdir, each.command, each.network)
    save_found(groups, wanted.file)
    manifest.write()
    current, page = is_current(manifest, reporter, overwrite), Pages(manifest)
    made, kept = Making(view, engine, manifest, reporter, current, page).make(each.planned())
    return Made(outdir, tuple(made), kept)


def plan_outputs(
    session: Session,
    view: View,
    groups: Sequence[KeptDirections],
    wanted: Wanted,
    output: OutputSettings,
    *,
    distance: tuple[float, float] | None = None,
    command: Sequence[str] | None = None,
    engine: Engine | None = None,
) -> Plan:
    """Plan the outputs of :func:`make_outputs`, to be rendered later or elsewhere; ranges are measured now.

    Raises:
        SettingsError: as :func:`make_outputs`.
        FramesError: the network gives NaN or infinite pixels.
    """
    engine = engine or session.engine()
    each = _checked(session, view, groups, wanted, output, distance, command, engine, Silent())
    outputs = settled(each.planned(), view, engine)
    return Plan(session.about(), each.command, view, outputs, engine.arithmetic(view))


def _checked(
    session: Session,
    view: View,
    groups: Sequence[KeptDirections],
    wanted: Wanted,
    output: OutputSettings,
    distance: tuple[float, float] | None,
    command: Sequence[str] | None,
    engine: Engine,
    reporter: Reporter,
) -> EachDirection:
    if command is None:
        command = from_python(session.choice, view, groups, wanted, output, distance)
    check_keys(groups, wanted)
    output.check()
    if view.given and any(group.directions.space == "z" for group in groups):
        raise SettingsError(NO_Z)
    jobs = [(group, index) for group in groups for index in indices_of(group.directions, wanted)]
    if distance and jobs:  # the first direction stands for all
        measured = session.ranges(view, engine, advance=reporter.advance)
        if max(map(abs, distance)) > SUSPICIOUS:
            reporter.expect(measured.needed(jobs[:1]))
        measured.warn_if_far(*jobs[0], max(distance[::-1], key=abs), session.warn)
    ranges = session.ranges(view, engine, distance, reporter.advance)
    return EachDirection(view, session.about(), tuple(command), output, ranges, jobs)


def save_found(groups: Sequence[KeptDirections], given: Path | None) -> None:
    """Write each set of directions to its file, except to the ``given`` one.

    Raises:
        OSError: a file cannot be written.
    """
    for group in groups:
        if given is None or group.path != given:
            group.save()


Job = tuple[KeptDirections, int]  # one direction of a set


@dataclass(frozen=True)
class EachDirection:
    """Plans the outputs of some directions.

    Attributes:
        view: subjects and look.
        network: see ``Session.about``.
        command: what was typed.
        output: what is made.
        ranges: the ranges of the directions.
        jobs: the directions.
    """

    view: View
    network: Mapping[str, str]
    command: tuple[str, ...]
    output: OutputSettings
    ranges: Ranges
    jobs: Sequence[Job]

    def planned(self) -> list[Planned]:
        """All outputs; where a range has to be measured, they are planned ``Later``."""
        planned: list[Planned] = [self._row()] if self.output.sheet else []
        grid = self.output.grid and self.output.video != "none" and bool(self.jobs)
        known = [self.ranges.known(group, index) for group, index in self.jobs]
        for place, job in enumerate(self.jobs):
            first = not known[place] and all(known[:place])
            planned += self._of(place, job) if known[place] else [self._later(place, job, first)]
        if grid:
            # Planned before the videos, whose frames it shares.
            planned.append(self._grid() if all(known) else Later((VIDEOS, -1), 0, self._measured_grid))
        return sorted(planned, key=lambda item: item.order)

    def _measured_grid(self, unedited: Mapping[str, np.ndarray]) -> list[Output]:
        self.ranges.unedited = dict(unedited)
        return [self._grid()]

    def _later(self, place: int, job: Job, first: bool) -> Later:
        def settle(unedited: Mapping[str, np.ndarray]) -> list[Output]:
            self.ranges.unedited = dict(unedited)
            return self._of(place, job)

        low, high = -0.97, 1.05  # as uneven as measured ranges are, so that columns and frames are as distinct
        steps = {*self._columns(low, high)} if self.output.sheet else set()
        steps |= {*self.output.timeline(low, high).distances} if self.output.video != "none" else set()
        order = (SHEETS if self.output.sheet else VIDEOS, place)
        return Later(order, self.ranges.pictures(first) + len(steps - {0.0}) * len(self.view), settle)

    def _of(self, place: int, job: Job) -> list[Output]:
        """The outputs of one direction."""
        sheet = [self._sheet(place, job)] if self.output.sheet else []
        return sheet + ([self._video(place, job)] if self.output.video != "none" else [])

    @property
    def measured(self) -> bool:
        """Whether the ranges are measured ones, also such as a command states again."""
        return self.ranges.fixed is None or isinstance(self.ranges.fixed, MeasuredRange)

    def _columns(self, low: float, high: float) -> tuple[float, ...]:
        """The distances of a sheet."""
        return self.output.columns(low, high, self.measured)

    def settings(self, job: Job, kind: str) -> Settings:
        """All settings that determine an output."""
        (group, index), (low, high) = job, self.ranges.of(*job)
        held, output = group.directions, self.output
        columns = {"columns": list(self._columns(low, high)), **output.of_sheet()}
        shown = output.of_video() if kind == "video" else columns
        return {
            **common_settings(self.view, self.network),
            "direction": hashlib.sha256(held.vectors[index].tobytes()).hexdigest(),
            "index": index,
            "label": label_of(held),
            "space": held.space,
            "layers": list(held.layers),
            "name": held.names[index] if kind == "sheet" or output.captions else "",
            "film": {"low": low, "high": high, **shown},
        }

    def _row(self) -> Output:
        """The row of unedited pictures, which is made first."""
        labels = self.view.labels[:ROW]
        more = f", the first {ROW} of {len(self.view)}" if len(self.view) > ROW else ""
        sheet = Sheet(
            shard=Shard.of_everyone(self.view),
            row_labels=("",),
            column_labels=tuple(labels),
            title=f"{self.network['name']}: unedited{more}",
            comment=of_run(self.command),
        )
        about = {"columns": labels}
        return Output(UNEDITED, sheet, common_settings(self.view, self.network), (0.0,), about, quiet=True)

    def _sheet(self, place: int, job: Job) -> Output:
        (group, index), ends = job, self.ranges.of(*job)
        held, columns, settings = group.directions, self._columns(*ends), self.settings(job, "sheet")
        about = about_direction(held, index, ends)
        about["command"] = of_direction(self.command, held, index, ends, self.measured)
        about |= {"rows": self.view.labels, "columns": [signed(distance) for distance in columns]}
        sheet = Sheet(
            shard=Shard.along(self.view, edit_of(held, index, 1.0), columns),
            row_labels=tuple(about["rows"]),
            column_labels=tuple(about["columns"]),
            title=f"{self.network['name']}: {about['title']}",
            text=f"{about['range']}; eigenvalue {about['eigenvalue']}",
            by_columns=True,
            marked=columns.index(0.0) if 0.0 in columns else None,
            comment=about["command"],
            described=True,
            scale=self.output.scale or 1,
            region=held.region,
        )
        return Output(f"sheets/{stem_of(*job)}.jpg", sheet, settings, columns, about, (SHEETS, place))

    def _video(self, place: int, job: Job) -> Output:
        (group, index), ends = job, self.ranges.of(*job)
        held, line, settings = group.directions, self.output.timeline(*ends), self.settings(job, "video")
        about = about_direction(held, index, ends)
        about["command"] = of_direction(self.command, held, index, ends, self.measured)
        far = max(map(abs, ends))
        captions = ((f"{about['title']}{GAP}{in_steps(distance, far)}",) for distance in line.distances)
        shard = Shard.along(self.view, edit_of(held, index, 1.0), line.distances)
        name = self.output.video_named(f"videos/{stem_of(*job)}")
        video = self.output.layout((shard,), line.order, captions, about["command"])
        return Output(name, video, settings, tuple(line.per_frame), about, (VIDEOS, place))

    def _grid(self) -> Output:
        """All directions in one video: subjects down, directions across, each over its own range."""
        lines = [self.output.timeline(*self.ranges.of(*job)) for job in self.jobs]
        titles = [group.directions.names[index] or str(index) for group, index in self.jobs]
        shards = tuple(
            Shard.along(self.view, edit_of(group.directions, index, 1.0), line.distances)
            for (group, index), line in zip(self.jobs, lines)
        )
        # Each direction has its own distances; the grid records the fraction of each range, 0 to 1.
        common = Schedule(spread(0, 1, len(lines[0].distances)), lines[0].order)
        command = of_run(self.command)
        about = {"title": "all directions at once", "columns": titles, "rows": self.view.labels, "command": command}
        settings = {
            **common_settings(self.view, self.network),
            "grid": [self.settings(job, "video") for job in self.jobs],
        }
        labels = "-".join(dict.fromkeys(label_of(group.directions) for group, _ in self.jobs))
        name = self.output.video_named(f"videos/{safe_name(labels[:80] + '-grid')}")
        video = self.output.layout(shards, common.order, [titles] * len(common.distances), command)
        return Output(name, video, settings, tuple(common.per_frame), about, (LAST, 0))


def label_of(held: Directions) -> str:
    """The label of a set in file names and records: variants of one set differ in it."""
    return held.label if held.origin else str(Label.of(held.label).of_variant(held.normalize, held.torgb))


def stem_of(group: KeptDirections, index: int) -> str:
    """The name of a direction in file names."""
    return safe_name(f"{label_of(group.directions)}-dir{index:02d}")
