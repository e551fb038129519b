"""Two directions at once: a sheet of each subject, one direction across and one down, and a video round the plane."""

from __future__ import annotations

import hashlib
import math
import shlex
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .. import __version__
from ..directions.kept import KeptDirections
from ..media.pictures import fit, side_by_side
from ..media.sheet import CELL, write_sheet
from ..media.text import captioned, signed
from ..media.video import write_video
from ..rendering.edits import Edit, edit_of
from ..rendering.paths import path
from ..rendering.ranges import Ranges
from ..rendering.scene import Scene
from ..rendering.timelines import spread, timeline
from .folder import Made, Reporter, check_folder, named
from .output_settings import COLUMNS, OutputSettings
from .page.contents import Pages
from .plan import common_settings, is_current
from .record import About, Manifest, Settings
from .reproduce import file_of, subject_words
from .settings import SettingsError, settings_checked

if TYPE_CHECKING:
    from ..rendering.typed_edits import TypedAxis
    from .session import Session

PATHS = ("ellipse", "corners")
_SHOWN = ("frames", "fps", "video", "max_width", "max_bytes", "captions")  # of the settings of outputs, in a video


@dataclass(frozen=True)
class Axis:
    """One direction of a plane.

    Attributes:
        edit: along it, at distance 1.
        low, high: its range.
    """

    edit: Edit
    low: float
    high: float

    @classmethod
    def of(cls, group: KeptDirections, key: int | str, ends: tuple[float, float]) -> Axis:
        """The axis along a direction of a group."""
        return cls(edit_of(group.directions, key, 1.0), *ends)

    @property
    def stem(self) -> str:
        """Its name in file names."""
        return f"{self.edit.label}-dir{self.edit.index:02d}"

    @property
    def called(self) -> str:
        """What people call it: ``smile``, ``coarse:0``."""
        return self.edit.typed_with("").replace("=", "")

    @property
    def words(self) -> str:
        """Number, name and layers."""
        found, _, changed = self.edit.label.partition("@")
        name = f" ({self.edit.name})" if self.edit.name else ""
        place = "Z" if found == "z" else f"layers {found}{f', edited at {changed}' if changed else ''}"
        return f"direction {self.edit.index}{name} of {place}"

    @property
    def span(self) -> str:
        """Its range."""
        return f"{signed(self.low)} to {signed(self.high)} units of {self.edit.space}"


def round_trip(across: Axis, down: Axis, frames: int, shape: str) -> list[tuple[float, float]]:
    """Distances along both directions for each frame of a closed path.

    ``ellipse`` touches the four edges of the plane; ``corners`` goes along them from corner to corner, and rests for
    a moment at each.

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
    scene: Scene,
    groups: Sequence[KeptDirections],
    typed: Sequence[TypedAxis],
    output: OutputSettings,
    shape: str,
    outdir: Path,
    command: Sequence[str],
    reporter: Reporter,
    overwrite: bool = False,
) -> Made:
    """Make the sheets and the video of two directions, with the record and the page of their folder.

    Args:
        session, scene: the network and the subjects.
        groups: the sets of directions that the two are of, as they are edited.
        typed: the direction across, and the one down.
        output, shape: what is made, and the path of the video (:func:`round_trip`).
        outdir: the folder.
        command: what was typed, for the record.
        reporter: receives lines, the amount of work, and progress.
        overwrite: make outputs again even where they are up to date.

    Raises:
        SettingsError: both are the same direction.
        VideoError, FramesError, OSError: an output could not be made; those before it are whole.
    """
    with settings_checked():
        indices = [group.directions.index(one.key) for group, one in zip(groups, typed)]
    if len({(group.directions.label, index) for group, index in zip(groups, indices)}) == 1:
        raise SettingsError(f"--across and --down are both direction {typed[0].key}: give two")
    check_folder(outdir)  # not before: a mistyped direction leaves no empty folder
    manifest = Manifest(outdir, command, session.about())
    axes = []
    for group, one, index in zip(groups, typed, indices):
        ends = Ranges(scene, one.ends, reporter.advance).of(group, index)
        axes.append(Axis.of(group, one.key, ends))
    across, down = axes
    plane = Plane(scene, across, down, manifest, reporter, overwrite, Pages(manifest))
    names, kept = plane.make(output, shape)
    return Made(outdir, tuple(names), kept)


class Plane:
    """Makes the outputs of one pair of directions.

    Args:
        scene: the network and the subjects.
        across, down: the two directions.
        manifest: the record of the folder.
        reporter: receives lines, the amount of work, and progress.
        overwrite: make outputs again even where they are up to date.
        page: called with ``True`` while more is to come and ``False`` at the end; writes the page.
    """

    def __init__(
        self,
        scene: Scene,
        across: Axis,
        down: Axis,
        manifest: Manifest,
        reporter: Reporter,
        overwrite: bool = False,
        page: Callable[[bool], None] = lambda busy: None,
    ) -> None:
        self.scene = scene
        self.axes = (across, down)
        self.edits = (across.edit, down.edit)
        self.manifest = manifest
        self.reporter = reporter
        self.overwrite = overwrite
        self.page = page
        self._expected = 0
        in_z = any(edit.space == "z" for edit in self.edits)
        self._unchanged = 0 if in_z else min(min(edit.rows) for edit in self.edits)

    @property
    def stem(self) -> str:
        """Of the file names of its outputs: ``all-dir00-dir03``."""
        across, down = self.axes
        second = f"dir{down.edit.index:02d}" if across.edit.label == down.edit.label else down.stem
        return f"{across.stem}-{second}"

    def make(self, output: OutputSettings, shape: str) -> tuple[list[str], int]:
        """Make a sheet of each subject and, if the output is of any kind, a video.

        Returns:
            Names of the outputs made, and the number of those kept.

        Raises:
            VideoError, FramesError, OSError: an output could not be made; those before it are whole.
        """
        columns, rows = (spread(axis.low, axis.high, COLUMNS) for axis in self.axes)
        line = round_trip(*self.axes, output.frames, shape)
        labels = enumerate(self.scene.labels)
        sheets = {f"sheets/{self.stem}-{label.replace(' ', '')}.jpg": who for who, label in labels}
        steps = {"sheet": [list(columns), list(rows)]}
        settings = {name: self._settings(steps, [who]) for name, who in sheets.items()}
        if output.video != "none":
            video = f"videos/{self.stem}" + ("" if output.video == "png" else f".{output.video}")
            shown = {key: getattr(output, key) for key in _SHOWN}
            settings[video] = self._settings({"film": shown, "path": shape}, range(len(self.scene)))
        left = [name for name in settings if not self._is_current(name, settings[name])]
        self._expected = sum(COLUMNS**2 if name in sheets else len(line) * len(self.scene) for name in left)
        for name in left:
            with named(self.manifest.outdir / name):
                if name in sheets:
                    self._sheet(name, sheets[name], columns, rows, settings[name])
                else:
                    self._video(name, line, output, settings[name])
            self.page(True)
        self.page(False)
        return left, len(settings) - len(left)

    def _is_current(self, name: str, settings: Settings) -> bool:
        return not self.overwrite and is_current(self.manifest, name, settings, self.reporter)

    def _settings(self, shown: Settings, who: Sequence[int]) -> Settings:
        """All that decides what an output looks like."""
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
        common = common_settings(self.scene, self.manifest)
        return {**common, "subjects": [self.scene.labels[one] for one in who], "plane": axes, **shown}

    def _pictures(self, places: Iterable[tuple[int, float, float]]) -> Iterator[np.ndarray]:
        """Pictures of subjects at distances along both, each on its own."""
        ws = (self.scene.edited(who, self.edits, weights) for who, *weights in places)
        start = time.perf_counter()
        for picture in self.scene.one_by_one(ws, self._unchanged):
            if self._expected:
                self.reporter.expect(self._expected, (time.perf_counter() - start) * self._expected)
                self._expected = 0
            self.reporter.advance(1)
            yield picture

    def _sheet(self, name: str, who: int, columns: Sequence[float], rows: Sequence[float], settings: Settings) -> None:
        (across, down), label = self.axes, self.scene.labels[who]
        flat = self._pictures((who, x, y) for y in rows for x in columns)
        cells = [[fit(next(flat), CELL) for _ in columns] for _ in rows]
        about = self._about(settings, f"{across.called} across, {down.called} down, {label}")
        about["rows"], about["columns"] = ([signed(step) for step in steps] for steps in (rows, columns))
        about["axes"] = f"{down.called} down, {across.called} across"
        about["boxes"] = write_sheet(
            self.manifest.outdir / name,
            cells,
            row_labels=about["rows"],
            column_labels=about["columns"],
            title=f"{self.manifest.network['name']}, {label}: {across.words} across, {down.words} down",
            text=about["range"],
            marked=(rows.index(0.0), columns.index(0.0)) if 0.0 in rows and 0.0 in columns else None,
            comment=about["command"],
        )
        self.manifest.add(name, settings, columns, about)

    def _video(
        self, name: str, line: Sequence[tuple[float, float]], output: OutputSettings, settings: Settings
    ) -> None:
        subjects = range(len(self.scene))
        flat = self._pictures((who, x, y) for x, y in line for who in subjects)

        def frames() -> Iterator[np.ndarray]:
            for place in line:
                frame = side_by_side([next(flat) for _ in subjects], output.max_width)
                text = "   ".join(f"{axis.called} {signed(round(far, 3))}" for axis, far in zip(self.axes, place))
                yield captioned(frame, text) if output.captions else frame

        about = self._about(settings, f"{self.axes[0].called} and {self.axes[1].called}, all round")
        path = self.manifest.outdir / name
        write_video(path, frames(), output.fps, output.video, comment=about["command"], max_bytes=output.max_bytes)
        self.manifest.add(name, settings, [place[0] for place in line], {**about, "down": [place[1] for place in line]})

    def _about(self, settings: Settings, title: str) -> About:
        """Words for people: title, ranges, and the command that makes it again."""
        words = ["sefa", "plane", "--network", file_of(self.manifest.network["path"])]
        for option, axis in zip(("--across", "--down"), self.axes):
            words.append(f"{option}={axis.edit.typed_with(f'{axis.low:g},{axis.high:g}')}")
        words += subject_words(settings)
        for edit in self.edits[:1]:
            words += [] if edit.normalize else ["--no-normalize"]
            words += [] if edit.torgb == "last" else ["--torgb", edit.torgb]
        output = settings.get("film", {"video": "none"})
        for key, usual in (("video", "mp4"), ("frames", 60), ("fps", 30.0)):
            words += [f"--{key}", f"{output[key]}"] if output.get(key, usual) != usual else []
        words += ["--path", settings["path"]] if settings.get("path", "ellipse") != "ellipse" else []
        words += ["--captions"] if output.get("captions") else []
        across, down = self.axes
        return {
            "title": title,
            "range": f"across {across.span}; down {down.span}",
            "command": f"{' '.join(map(shlex.quote, words))}  # sefa_plugin {__version__}",
        }
