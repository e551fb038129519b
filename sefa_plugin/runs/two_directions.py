"""Two directions at once: a sheet of each subject, one direction across and one down, and a video of a closed path."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..directions.kept import KeptDirections
from ..directions.layers import Label
from ..media.text import GAP, in_steps, signed
from ..rendering.edits import Edit, edit_of
from ..rendering.engine import Engine
from ..rendering.paths import path
from ..rendering.ranges import SUSPICIOUS
from ..rendering.shards import Shard, View
from ..rendering.timelines import round_steps, spread, timeline
from .folder import Announced, Made, Reporter, Silent, claim
from .making import Making, is_current
from .output_settings import COLUMNS, OutputSettings
from .page.contents import Pages
from .plan import SHEETS, VIDEOS, Output, Plan, Sheet, common_settings
from .record import About, Manifest, Settings
from .reproduce import of_plane
from .settings import SettingsError, settings_checked

if TYPE_CHECKING:
    from ..rendering.typed_edits import TypedAxis
    from .session import Session

PATHS = ("ellipse", "corners")
_SHOWN = (
    "frames",
    "fps",
    "video",
    "max_width",
    "scale",
    "canvas",
    "max_bytes",
    "captions",
)  # of the settings of outputs, in a video


@dataclass(frozen=True)
class Axis:
    """One direction of a plane.

    Attributes:
        edit: along it, at distance 1.
        low, high: its range.
        measured: whether the range is a measured one.
    """

    edit: Edit
    low: float
    high: float
    measured: bool = False

    @property
    def steps(self) -> tuple[float, ...]:
        """The distances of a sheet's columns, or rows."""
        return (round_steps if self.measured else spread)(self.low, self.high, COLUMNS)

    @property
    def label(self) -> str:
        """The label of its set in file names."""
        return str(Label.of(self.edit.label).of_variant(self.edit.normalize, self.edit.torgb))

    @property
    def stem(self) -> str:
        """Its name in file names."""
        return f"{self.label}-dir{self.edit.index:02d}"

    @property
    def called(self) -> str:
        """Its short name for display: ``smile``, ``coarse:0``."""
        return self.edit.typed_with("").replace("=", "")

    @property
    def words(self) -> str:
        """Number, name and layers."""
        name = f" ({self.edit.name})" if self.edit.name else ""
        place = "Z" if self.edit.space == "z" else Label.of(self.edit.label).words
        return f"direction {self.edit.index}{name}, {place}"

    @property
    def span(self) -> str:
        """Its range."""
        return f"{signed(self.low)} to {signed(self.high)} units of {self.edit.space}"


def round_trip(across: Axis, down: Axis, frames: int, shape: str) -> list[tuple[float, float]]:
    """Distances along both directions for each frame of a closed path.

    ``ellipse`` touches the four edges of the plane; ``corners`` goes along them from corner to corner, with speed
    0 at each.

    Raises:
        ValueError: an unknown path.
    """
    if shape not in PATHS:
        raise ValueError(f"path {shape!r}: choose one of {', '.join(PATHS)}")
    if shape == "corners":
        corners = [(across.low, down.low), (across.high, down.low), (across.high, down.high), (across.low, down.high)]
        at = path(np.array(corners), "sine", "closed")
        places = [at(place) for place in timeline(frames, 4, "closed").per_frame]
        return [(float(x), float(y)) for x, y in places]

    def swing(axis: Axis, angle: float) -> float:
        return (axis.low + axis.high) / 2 + (axis.high - axis.low) / 2 * math.cos(angle)

    angles = [2 * math.pi * frame / frames for frame in range(frames)]
    return [(swing(across, angle), swing(down, angle - math.pi / 2)) for angle in angles]


def make_plane(
    session: Session,
    view: View,
    groups: Sequence[KeptDirections],
    typed: Sequence[TypedAxis],
    output: OutputSettings,
    shape: str,
    outdir: Path,
    command: Sequence[str],
    reporter: Reporter,
    overwrite: bool = False,
    engine: Engine | None = None,
) -> Made:
    """Make the sheets and the video of two directions, with the record and the page of their folder.

    Args:
        session, view: the network, its subjects and look.
        groups: the sets of the two directions, with the rows to edit.
        typed: the direction across, and the one down.
        output, shape: settings of the outputs, and the path of the video (:func:`round_trip`).
        outdir: the folder.
        command: what was typed, for the record.
        reporter: receives lines, the amount of work, and progress.
        overwrite: make outputs again even where they are up to date.
        engine: makes the pictures; None makes them in this process.

    Raises:
        SettingsError: both are the same direction.
        VideoError, FramesError, OSError: an output could not be made; those before it are whole.
    """
    engine = engine or session.engine()
    indices = _indices(groups, typed)
    claim(outdir, session.about(), command)  # not before: a mistyped direction leaves no empty folder
    manifest = Manifest(outdir, command, session.about())
    making = Making(view, engine, manifest, reporter, is_current(manifest, reporter, overwrite), Pages(manifest))
    measured = [
        session.ranges(view, engine).needed([(group, index)])
        for group, index, one in zip(groups, indices, typed)
        if one.ends is None or max(map(abs, one.ends)) > SUSPICIOUS
    ]
    if any(measured):  # any ends: they do not change how many pictures the outputs have
        across, down = (Axis(edit_of(group.directions, one.key, 1.0), -1, 1) for group, one in zip(groups, typed))
        outputs = Plane(view, session.about(), across, down).outputs(output, shape)
        reporter.expect(sum(measured) + making.pictures(outputs))
        making.reporter = Announced(reporter)
    plane = _plane(session, view, groups, typed, indices, engine, reporter, command)
    made, kept = making.make(plane.outputs(output, shape))
    return Made(outdir, tuple(made), kept)


def plan_plane(
    session: Session,
    view: View,
    groups: Sequence[KeptDirections],
    typed: Sequence[TypedAxis],
    output: OutputSettings,
    shape: str,
    command: Sequence[str] = (),
) -> Plan:
    """Plan the outputs of :func:`make_plane`, to be rendered later or elsewhere; ranges are measured now.

    Raises:
        SettingsError: both are the same direction.
    """
    engine = session.engine()
    plane = _plane(session, view, groups, typed, _indices(groups, typed), engine, Silent(), command)
    return Plan(session.about(), tuple(command), view, tuple(plane.outputs(output, shape)), engine.arithmetic(view))


def _indices(groups: Sequence[KeptDirections], typed: Sequence[TypedAxis]) -> list[int]:
    with settings_checked():
        indices = [group.directions.index(one.key) for group, one in zip(groups, typed)]
    if len({(group.directions.label, index) for group, index in zip(groups, indices)}) == 1:
        raise SettingsError(f"--across and --down are both direction {typed[0].key}; type two different ones")
    return indices


def _plane(
    session: Session,
    view: View,
    groups: Sequence[KeptDirections],
    typed: Sequence[TypedAxis],
    indices: Sequence[int],
    engine: Engine,
    reporter: Reporter,
    command: Sequence[str],
) -> Plane:
    axes = []
    for group, one, index in zip(groups, typed, indices):
        if one.ends:
            measured = session.ranges(view, engine, advance=reporter.advance)
            measured.warn_if_far(group, index, max(one.ends[::-1], key=abs), session.warn)
        ends = session.ranges(view, engine, one.ends, reporter.advance).of(group, index)
        axes.append(Axis(edit_of(group.directions, one.key, 1.0), *ends, one.measured))
    across, down = axes
    again = of_plane(command, typed, [axis.edit for axis in axes], [(axis.low, axis.high) for axis in axes])
    return Plane(view, session.about(), across, down, again)


@dataclass(frozen=True)
class Plane:
    """Plans the outputs of one pair of directions.

    Attributes:
        view: subjects and look.
        network: see ``Session.about``.
        across, down: the two directions.
        command: makes its outputs again.
    """

    view: View
    network: Mapping[str, str]
    across: Axis
    down: Axis
    command: str = ""

    @property
    def axes(self) -> tuple[Axis, Axis]:
        """The direction across, and the one down."""
        return self.across, self.down

    @property
    def stem(self) -> str:
        """The start of the file names of its outputs: ``all-dir00-dir03``."""
        across, down = self.axes
        second = f"dir{down.edit.index:02d}" if across.label == down.label else down.stem
        return f"{across.stem}-{second}"

    def outputs(self, output: OutputSettings, shape: str) -> list[Output]:
        """A sheet of each subject and, unless ``output.video`` is ``none``, a video.

        Raises:
            ValueError: an unknown path.
        """
        outputs = [self._sheet(output, who, label) for who, label in enumerate(self.view.labels)]
        return outputs + ([self._video(output, shape)] if output.video != "none" else [])

    def _shard(self, places: Sequence[tuple[int, float, float]], row: int) -> Shard:
        """Pictures of subjects at distances along both, each on its own."""
        shots = tuple((float(who), ((0, x), (1, y))) for who, x, y in places)
        return Shard(shots, (self.across.edit, self.down.edit), row)

    def _sheet(self, output: OutputSettings, who: int, label: str) -> Output:
        columns, rows = (axis.steps for axis in self.axes)
        settings = self._settings({"sheet": [list(columns), list(rows)], **output.of_sheet()}, [who])
        about = self._about(f"{self.across.called} across, {self.down.called} down, {label}")
        about["rows"], about["columns"] = ([signed(step) for step in steps] for steps in (rows, columns))
        about["axes"] = f"{self.down.called} down, {self.across.called} across"
        sheet = Sheet(
            shard=self._shard([(who, x, y) for y in rows for x in columns], len(columns)),
            row_labels=tuple(about["rows"]),
            column_labels=tuple(about["columns"]),
            title=f"{self.network['name']}, {label}: {self.across.words}, across; {self.down.words}, down",
            text=about["range"],
            marked=(rows.index(0.0), columns.index(0.0)) if 0.0 in rows and 0.0 in columns else None,
            comment=about["command"],
            scale=output.scale or 1,
        )
        name = f"sheets/{self.stem}-{label.replace(' ', '')}.jpg"
        return Output(name, sheet, settings, columns, about, (SHEETS, who))

    def _video(self, output: OutputSettings, shape: str) -> Output:
        line, subjects = round_trip(*self.axes, output.frames, shape), range(len(self.view))
        shown = {key: value for key, value in output.of_video().items() if key in _SHOWN}
        settings = self._settings({"film": shown, "path": shape}, subjects)
        about = self._about(f"{self.across.called} and {self.down.called}, all round")
        largest = [max(-axis.low, axis.high) for axis in self.axes]
        captions = (
            (GAP.join(f"{axis.called} {in_steps(*far)}" for axis, *far in zip(self.axes, place, largest)),)
            for place in line
        )
        shard = self._shard([(who, x, y) for x, y in line for who in subjects], len(subjects))
        video = output.layout((shard,), range(len(line)), captions, about["command"])
        name = output.video_named(f"videos/{self.stem}")
        distances, about = tuple(x for x, _ in line), {**about, "down": [y for _, y in line]}
        return Output(name, video, settings, distances, about, (VIDEOS, 0))

    def _settings(self, shown: Settings, who: Sequence[int]) -> Settings:
        """All settings that determine an output."""
        axes = [
            {
                "direction": hashlib.sha256(axis.edit.vector.tobytes()).hexdigest(),
                "index": axis.edit.index,
                "name": axis.edit.name,
                "label": axis.edit.label,
                "space": axis.edit.space,
                "layers": list(axis.edit.rows),
                "ends": [axis.low, axis.high],
            }
            for axis in self.axes
        ]
        common = common_settings(self.view, self.network)
        return {**common, "subjects": [self.view.labels[one] for one in who], "plane": axes, **shown}

    def _about(self, title: str) -> About:
        """Description for display: title, ranges, and the command that makes it again."""
        spans = f"across {self.across.span}; down {self.down.span}"
        return {"title": title, "range": spans, "command": self.command}
