"""The run: what is quick to look at comes first; each output is made once, kept while current, recorded.

Order: the unedited pictures, the first sheet, the page; then the other sheets, the videos, the grid, with
the page written anew after each. Sheets and videos share their pictures.
"""

from __future__ import annotations

import errno
import hashlib
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..directions.kept import KeptDirections
from ..media.effect import describe, heat_picture
from ..media.frame_store import FrameStore, replay
from ..media.pictures import fit, side_by_side, stacked
from ..media.sheet import CELL, write_sheet
from ..media.text import GAP, captioned, signed
from ..media.video import write_video
from ..rendering.ranges import Ranges
from ..rendering.scene import NO_Z, Scene
from ..rendering.timelines import Schedule, spread
from ..system.file_names import safe_name
from .folder import Made, Reporter, Silent, named
from .output_settings import OutputSettings
from .page.contents import Pages, packed
from .plan import Job, common_settings, is_current, stem_of
from .record import About, Manifest, Settings
from .reproduce import about_direction, command_of, reproduce
from .session import check_keys, indices_of
from .settings import SettingsError, Wanted

if TYPE_CHECKING:
    from .session import Session

UNEDITED = "sheets/unedited.jpg"
ROW = 12  # pictures in the unedited row
DESCRIBED = 8  # subjects that the words of a sheet rest on


def make_outputs(
    session: Session,
    scene: Scene,
    groups: Sequence[KeptDirections],
    wanted: Wanted,
    output: OutputSettings,
    outdir: str | os.PathLike[str],
    *,
    distance: tuple[float, float] | None = None,
    command: Sequence[str] | None = None,
    reporter: Reporter | None = None,
    overwrite: bool = False,
) -> Made:
    """Make the outputs of every direction that is wanted, with the record and the page of their folder.

    Args:
        session, scene: the network and the subjects.
        groups: the sets of directions; all are saved first, except a set that was read from ``wanted.file``.
        wanted: which of them.
        output: what is made of each.
        outdir: the folder.
        distance: a range for all, or None to measure each one's.
        command: what was typed, for the record; None takes this program's command line.
        reporter: receives lines, the amount of work, and progress; None prints nothing.
        overwrite: make outputs again even where they are up to date.

    Raises:
        SettingsError: directions or outputs that cannot be had, or directions of Z and subjects without z.
        VideoError, FramesError, OSError: an output could not be made; those before it are whole.
    """
    reporter, outdir = reporter or Silent(), Path(outdir)
    check_keys(groups, wanted)
    output.check()
    manifest = Manifest(outdir, sys.argv if command is None else command, session.about())
    save_found(groups, wanted.file)
    if scene.projected and any(group.directions.space == "z" for group in groups):
        raise SettingsError(NO_Z)
    ranges = Ranges(scene, distance, reporter.advance)
    run = Run(scene, output, ranges, manifest, reporter, overwrite, Pages(manifest))
    jobs = [run.plan(group, index) for group in groups for index in indices_of(group.directions, wanted)]
    manifest.write()
    made, kept = run.make(jobs)
    return Made(outdir, tuple(made), kept)


def save_found(groups: Sequence[KeptDirections], given: Path | None) -> None:
    """Write each set of directions to its file, but for the file that was given.

    Raises:
        OSError: one cannot be written.
    """
    for group in groups:
        if given is None or group.path != given:
            group.save()


class Run:
    """Everything that the outputs of one command have in common.

    Args:
        scene: the network and the subjects.
        output: what is made.
        ranges: how far each direction goes.
        manifest: the record, of the folder that outputs go to.
        reporter: receives lines, the amount of work, and progress.
        overwrite: make outputs again even where they are up to date.
        page: called with ``True`` while more is to come and ``False`` at the end; writes the page.
    """

    def __init__(
        self,
        scene: Scene,
        output: OutputSettings,
        ranges: Ranges,
        manifest: Manifest,
        reporter: Reporter,
        overwrite: bool = False,
        page: Callable[[bool], None] = lambda busy: None,
    ) -> None:
        self.scene = scene
        self.output = output
        self.ranges = ranges
        self.manifest = manifest
        self.reporter = reporter
        self.overwrite = overwrite
        self.page = page
        self.unedited: list[np.ndarray] = []

    # --- planning ---------------------------------------------------------------------------------

    def plan(self, group: KeptDirections, index: int) -> Job:
        """What a direction is to have; whether it is there already shows when its range is known."""
        output, stem = self.output, stem_of(group, index)
        video = {"none": None, "png": f"videos/{stem}"}.get(output.video, f"videos/{stem}.{output.video}")
        return Job(group, index, f"sheets/{stem}.jpg" if output.sheet else None, video)

    def settings(self, job: Job, kind: str) -> Settings:
        """All that decides what an output looks like."""
        held, about = job.group.directions, asdict(self.output)
        del about["sheet"], about["grid"]
        shown = about if kind == "video" else {"columns": list(self.output.columns(job.low, job.high))}
        return {
            **self._common(),
            "direction": hashlib.sha256(held.vectors[job.index].tobytes()).hexdigest(),
            "index": job.index,
            "label": held.label,
            "space": held.space,
            "layers": list(held.layers),
            "name": held.names[job.index] if kind == "sheet" or self.output.captions else "",
            "film": {"low": job.low, "high": job.high, **shown},
        }

    def _common(self) -> Settings:
        return common_settings(self.scene, self.manifest)

    def _settle(self, job: Job) -> None:
        """Fix the range of a job and drop from it what is up to date."""
        job.low, job.high = self.ranges.of(job.group, job.index)
        for kind in ("sheet", "video"):
            name = getattr(job, kind)
            if name and self._is_current(name, self.settings(job, kind)):
                setattr(job, kind, None)

    def _is_current(self, name: str, settings: Settings) -> bool:
        return not self.overwrite and is_current(self.manifest, name, settings, self.reporter)

    # --- making -----------------------------------------------------------------------------------

    def make(self, jobs: Sequence[Job]) -> tuple[list[str], int]:
        """Make the outputs of all jobs; gives the names of those made, and how many were kept.

        Raises:
            VideoError, FramesError, OSError: an output could not be made, or is gone when all are; those before it
                are whole.
        """
        wanted = sum((job.sheet is not None) + (job.video is not None) for job in jobs)
        for job in jobs:
            if self.ranges.known(job.group, job.index):
                self._settle(job)
        open_ = [job for job in jobs if not self.ranges.known(job.group, job.index)]
        left = [job for job in jobs if job.sheet or job.video]
        grid = self._grid_name(jobs)
        if not open_ and grid and self._is_current(grid, self._grid_settings(jobs)):
            grid = None
        made: list[str] = []
        try:
            if left or grid or self._row_is_old():
                with FrameStore() as store:
                    self._start(left, len(open_))
                    made += self._unedited_row()
                    made += self._sheets(left, open_, store)
                    made += self._videos(left, store, bool(grid))
                    if grid:
                        made += self._grid(jobs, grid, store)
        except BaseException:
            with suppress(OSError):  # the page must not promise what will not come
                if self.manifest.outdir.is_dir():
                    self.page(False)
            raise
        self.page(False)
        for name in made:
            if not (self.manifest.outdir / name).exists():
                what = f"{os.strerror(errno.ENOENT)}: it was made, and is gone; run the same command again"
                raise FileNotFoundError(errno.ENOENT, what, str(self.manifest.outdir / name))
        return made, wanted - sum(name != UNEDITED and name != grid for name in made)

    def _start(self, jobs: Sequence[Job], unknown: int) -> None:
        """Render the unedited pictures, and tell from their time how long the rest will take."""
        for _ in range(2):  # the first of a short one only warms up
            start = time.perf_counter()
            self.unedited = next(self.scene.pictures([self.scene.ws]))
            taken = time.perf_counter() - start
            if taken > 1:
                break
        self.ranges.unedited = dict(zip(self.scene.labels, self.unedited))
        steps = len(self.output.timeline(-1, 1).distances)
        each = steps - 1 if self.output.video != "none" else len(self.output.columns(-1, 1)) - 1
        count = len(jobs) * each * len(self.scene) + unknown * self.ranges.pictures()
        if count:
            self.reporter.expect(count, count * taken / len(self.scene))

    def _row_is_old(self) -> bool:
        """Whether the row of unedited pictures, which the page shows beside all, is that of other subjects."""
        return self.output.sheet and not self.manifest.is_current(UNEDITED, self._common())

    def _unedited_row(self) -> list[str]:
        """The row of unedited pictures, which is there first."""
        settings = self._common()
        if not (self.output.sheet and (self.overwrite or self._row_is_old())):
            return []
        path, labels = self.manifest.outdir / UNEDITED, self.scene.labels[:ROW]
        more = f", the first {ROW} of {len(self.scene)}" if len(self.scene) > ROW else ""
        with named(path):
            boxes = write_sheet(
                path,
                [[fit(picture, CELL) for picture in self.unedited[:ROW]]],
                row_labels=[""],
                column_labels=labels,
                title=f"{self.manifest.network['name']}: unedited{more}",
            )
        self.manifest.add(UNEDITED, settings, [0.0], {"boxes": boxes, "columns": labels})
        self.page(True)
        return [UNEDITED]

    def _sheets(self, jobs: Sequence[Job], unknown: Sequence[Job], store: FrameStore) -> list[str]:
        made = []
        for job in jobs:
            if job in unknown:
                self._settle(job)
            if job.sheet:
                with named(self.manifest.outdir / job.sheet):
                    self._sheet(job, job.sheet, store)
                made.append(job.sheet)
                self.page(True)
                if len(made) == 1:
                    self.reporter.say(f"{self.manifest.outdir / job.sheet}: the first sheet; index.html grows from now")
        return made

    def _sheet(self, job: Job, name: str, store: FrameStore) -> None:
        held, columns = job.group.directions, self.output.columns(job.low, job.high)
        steps = set(self.output.timeline(job.low, job.high).distances) if job.video else set()
        cells: dict[float, list[np.ndarray]] = {}
        for distance, pictures in self._shots(job, columns):
            cells[distance] = [fit(picture, CELL) for picture in pictures]
            if distance in steps:
                store.put((job.stem, distance), side_by_side(pictures, self.output.max_width))
        before = [fit(picture, CELL) for picture in self.unedited[:DESCRIBED]]
        low, high = (cells[end][:DESCRIBED] for end in (columns[0], columns[-1]))
        effect = describe(before, low if columns[0] < 0 else None, high if columns[-1] > 0 else None)
        about = about_direction(held, job.index, (job.low, job.high))
        command = reproduce(self.manifest, self.settings(job, "sheet"), about)
        words = f"towards +: {', '.join(effect.words)}; " if effect.words else ""
        boxes = write_sheet(
            self.manifest.outdir / name,
            [[cells[distance][subject] for distance in columns] for subject in range(len(self.scene))],
            row_labels=self.scene.labels,
            column_labels=[signed(distance) for distance in columns],
            title=f"{self.manifest.network['name']}: {about['title']}, eigenvalue {about['eigenvalue']}",
            text=f"{about['range']}; {words}changes: {effect.where}",
            aside=heat_picture(effect.heat),
            marked=columns.index(0.0) if 0.0 in columns else None,
            comment=command,
        )
        measured = {
            "words": list(effect.words),
            "where": effect.where,
            "numbers": effect.numbers,
            "heat": packed(effect.heat),
        }
        shown = {"boxes": boxes, "rows": self.scene.labels, "columns": [signed(distance) for distance in columns]}
        about = {**about, **measured, **shown, "command": command}
        self.manifest.add(name, self.settings(job, "sheet"), columns, about)

    def _videos(self, jobs: Sequence[Job], store: FrameStore, keep: bool) -> list[str]:
        made = []
        for job in jobs:
            if job.video is None:
                continue
            line = self.output.timeline(job.low, job.high)
            about = about_direction(job.group.directions, job.index, (job.low, job.high))
            about["command"] = reproduce(self.manifest, self.settings(job, "video"), about)
            frames = self._frames(job, line, store, keep)
            if self.output.captions:
                frames = (captioned(f, f"{about['title']}{GAP}{signed(d)}") for f, d in zip(frames, line.distances))
            self._write(job.video, frames, line, self.settings(job, "video"), about)
            made.append(job.video)
        return made

    def _frames(self, job: Job, line: Schedule, store: FrameStore, keep: bool) -> Iterator[np.ndarray]:
        """The distinct frames of a video; what a sheet has rendered comes from the store."""
        todo = [distance for distance in line.distances if (job.stem, distance) not in store]
        shots = self._shots(job, todo)
        for distance in line.distances:
            key = (job.stem, distance)
            if key in store:
                yield store.get(key)
                continue
            frame = side_by_side(next(shots)[1], self.output.max_width)
            if keep:
                store.put(key, frame)
            yield frame

    def _shots(self, job: Job, distances: Sequence[float]) -> Iterator[tuple[float, list[np.ndarray]]]:
        """Pictures at distances; those at 0 are there already."""
        shots = self.scene.shots(job.group.directions, job.index, [distance for distance in distances if distance])
        for distance in distances:
            if distance == 0:
                yield distance, self.unedited
                continue
            pictures = next(shots)
            self.reporter.advance(len(pictures))
            yield distance, pictures

    def _write(self, name: str, frames: Iterator[np.ndarray], line: Schedule, settings: Settings, about: About) -> None:
        path = self.manifest.outdir / name
        output = self.output
        with named(path):
            frames = replay(frames, line.order)
            write_video(path, frames, output.fps, output.video, comment=about["command"], max_bytes=output.max_bytes)
        self.manifest.add(name, settings, line.per_frame, about)
        self.page(True)

    # --- the grid ---------------------------------------------------------------------------------

    def _grid_name(self, jobs: Sequence[Job]) -> str | None:
        if not self.output.grid or self.output.video == "none" or not jobs:
            return None
        suffix = "" if self.output.video == "png" else f".{self.output.video}"
        labels = dict.fromkeys(job.group.directions.label for job in jobs)
        return f"videos/{safe_name('-'.join(labels)[:80] + '-grid')}{suffix}"

    def _grid_settings(self, jobs: Sequence[Job]) -> Settings:
        return {**self._common(), "grid": [self.settings(job, "video") for job in jobs]}

    def _grid(self, jobs: Sequence[Job], name: str, store: FrameStore) -> list[str]:
        """All directions in one video: subjects down, directions across, each over its own range."""
        settings = self._grid_settings(jobs)
        if not self.overwrite and self.manifest.is_current(name, settings):
            return []
        lines = [self.output.timeline(job.low, job.high) for job in jobs]
        columns = [self._frames(job, line, store, False) for job, line in zip(jobs, lines)]
        titles = [job.group.directions.names[job.index] or str(job.index) for job in jobs]

        def frames() -> Iterator[np.ndarray]:
            for row in zip(*columns):
                frame = stacked(row, len(self.scene), self.output.max_width)
                yield captioned(frame, *titles) if self.output.captions else frame

        # Each direction has distances of its own; what they share is the part of the way, 0 to 1.
        common = Schedule(spread(0, 1, len(lines[0].distances)), lines[0].order)
        about = {"title": "all directions at once", "columns": titles, "rows": self.scene.labels}
        about["command"] = command_of(self.manifest)
        self._write(name, frames(), common, settings, about)
        return [name]
