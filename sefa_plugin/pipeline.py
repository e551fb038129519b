"""The run: sheets and videos of directions, each made once, kept while it is current, recorded."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from .camera import Camera
from .directions import Directions
from .latents import Schedule, schedule, spread
from .manifest import Manifest
from .pictures import side_by_side
from .sheet import write_sheet
from .spool import replay
from .video import write_video

RENDERER = 1  # raised when equal settings would give other pictures
COLUMNS = 7  # of a sheet


@dataclass(frozen=True)
class Film:
    """What is made of each direction.

    Attributes:
        low, high: distances, in units of w along the unit direction.
        frames, fps, loop: of the video; see ``latents.schedule``.
        video: ``mp4``, ``gif``, ``png`` or ``none``.
        max_width: of the video in pixels; None keeps the network's size.
        sheet: whether a contact sheet is made.
    """

    low: float = -3.0
    high: float = 3.0
    frames: int = 60
    fps: float = 30.0
    loop: str = "pingpong"
    video: str = "mp4"
    max_width: int | None = 1920
    sheet: bool = True


class Reporter(Protocol):
    """Where a run tells what it does."""

    def say(self, text: str) -> None:
        """One line for the log."""

    def expect(self, pictures: int, seconds: float) -> None:
        """How many pictures will be rendered, and about how long that takes."""

    def advance(self, pictures: int) -> None:
        """Some pictures are done."""


@dataclass(frozen=True)
class Job:
    """One direction with its outputs that are still to be made (names relative to the folder)."""

    directions: Directions
    index: int
    sheet: str | None
    video: str | None

    @property
    def needed(self) -> bool:
        """Whether anything is left to do."""
        return self.sheet is not None or self.video is not None


class Run:
    """Everything that the outputs of one command have in common."""

    def __init__(self, camera: Camera, film: Film, manifest: Manifest, reporter: Reporter, overwrite: bool) -> None:
        self.camera = camera
        self.film = film
        self.manifest = manifest
        self.reporter = reporter
        self.overwrite = overwrite
        self.timeline = schedule(film.low, film.high, film.frames, film.loop)
        # A sheet shows steps of its video where there are enough of them, so that those are rendered once.
        steps = self.timeline.distances
        self.columns = _pick(steps, COLUMNS) if len(steps) >= COLUMNS else spread(film.low, film.high, COLUMNS)

    # --- planning ---------------------------------------------------------------------------------

    def settings(self, directions: Directions, index: int, output: str) -> dict[str, Any]:
        """All that decides what an output looks like."""
        look = self.camera.look
        film = {"low": self.film.low, "high": self.film.high}
        if output == "video":
            film.update(asdict(self.film))
            del film["sheet"]
        else:
            film["columns"] = list(self.columns)
        return {
            "renderer": RENDERER,
            "network": self.manifest.network["digest"],
            "direction": hashlib.sha256(directions.vectors[index].tobytes()).hexdigest(),
            "index": index,
            "label": directions.label,
            "space": directions.space,
            "layers": list(directions.layers),
            "subjects": self.camera.labels,
            "projected": self.camera.projected,
            "look": {**asdict(look), "translate": list(look.translate)},
            "film": film,
        }

    def plan(self, directions: Directions, index: int) -> Job:
        """Decide which outputs of a direction are to be made, and say so."""
        stem = f"{directions.label}-dir{index:02d}"
        video = {"none": None, "png": f"videos/{stem}"}.get(self.film.video, f"videos/{stem}.{self.film.video}")
        wanted = {"sheet": f"sheets/{stem}.jpg" if self.film.sheet else None, "video": video}
        for output, name in wanted.items():
            if name is None:
                continue
            exists = (self.manifest.outdir / name).exists()
            if not self.overwrite and self.manifest.is_current(name, self.settings(directions, index, output)):
                self.reporter.say(f"{name}: is up to date, kept")
                wanted[output] = None
            elif exists:
                self.reporter.say(f"{name}: was made with other settings, will be replaced")
        return Job(directions, index, wanted["sheet"], wanted["video"])

    def distances(self, job: Job) -> tuple[float, ...]:
        """The distances that a job renders, ascending."""
        steps = self.timeline.distances if job.video else ()
        extra = self.columns if job.sheet else ()
        return tuple(sorted({*steps, *extra}))

    # --- making -----------------------------------------------------------------------------------

    def make(self, jobs: Sequence[Job]) -> list[str]:
        """Make the outputs of all jobs; gives their names.

        Raises:
            VideoError, FramesError, OSError: an output could not be made; those before it are whole.
        """
        jobs = [job for job in jobs if job.needed]
        if not jobs:
            return []
        count = sum(len(self.distances(job)) for job in jobs) * len(self.camera)
        self.reporter.expect(count, count * self.seconds_per_picture())
        return [name for job in jobs for name in self.make_one(job)]

    def seconds_per_picture(self) -> float:
        """Measure one rendering of all subjects; the first of a short one only warms up."""
        for _ in range(2):
            start = time.perf_counter()
            next(self.camera.pictures([self.camera.ws]))
            taken = time.perf_counter() - start
            if taken > 1:
                break
        return taken / len(self.camera)

    def make_one(self, job: Job) -> list[str]:
        """Make the sheet and the video of one direction from one pass over its pictures."""
        distances = self.distances(job)
        cells: dict[float, list[np.ndarray]] = {}
        steps = set(self.timeline.distances)

        def rows() -> Iterator[np.ndarray]:
            shots = self.camera.shots(job.directions, job.index, distances)
            for distance, pictures in zip(distances, shots):
                self.reporter.advance(len(pictures))
                if job.sheet and distance in self.columns:
                    cells[distance] = pictures
                if distance in steps:
                    yield side_by_side(pictures, self.film.max_width)

        made = []
        if job.video:
            path = self.manifest.outdir / job.video
            with _named(path):
                write_video(path, _drained(rows(), self.timeline), self.film.fps, self.film.video)
            self.note(job, job.video, "video", self.timeline.per_frame)
            made.append(job.video)
        else:
            for _ in rows():
                pass
        if job.sheet:
            with _named(self.manifest.outdir / job.sheet):
                self.write_sheet(job, cells)
            self.note(job, job.sheet, "sheet", self.columns)
            made.append(job.sheet)
        return made

    def write_sheet(self, job: Job, cells: dict[float, list[np.ndarray]]) -> None:
        directions, count = job.directions, len(self.camera)
        named = f" ({directions.names[job.index]})" if directions.names[job.index] else ""
        place = "Z" if directions.space == "z" else f"layers {directions.label}"
        title = (
            f"{self.manifest.network['name']}: direction {job.index}{named} of {place}, "
            f"eigenvalue {directions.eigenvalues[job.index]:.4g}"
        )
        write_sheet(
            self.manifest.outdir / job.sheet,
            [[cells[distance][subject] for distance in self.columns] for subject in range(count)],
            row_labels=self.camera.labels,
            column_labels=[_signed(distance) for distance in self.columns],
            title=title,
            marked=self.columns.index(0.0) if 0.0 in self.columns else None,
        )

    def note(self, job: Job, name: str, output: str, distances: Sequence[float]) -> None:
        self.manifest.add(name, self.settings(job.directions, job.index, output), distances)


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Give an error of the operating system the name of the output, where it has none (a full disk)."""
    try:
        yield
    except OSError as error:
        error.filename = error.filename or str(path)
        raise


def _drained(frames: Iterator[np.ndarray], timeline: Schedule) -> Iterator[np.ndarray]:
    """Frames in the order of the video; distances beyond its last step are still rendered for the sheet."""
    yield from replay(frames, timeline.order)
    for _ in frames:
        pass


def _pick(steps: Sequence[float], count: int) -> tuple[float, ...]:
    """``count`` of the steps, evenly, with both ends and the 0 among them."""
    places = sorted({round(index * (len(steps) - 1) / (count - 1)) for index in range(count)})
    if 0.0 in steps and steps.index(0.0) not in places:
        zero = steps.index(0.0)
        inner = min(places[1:-1], key=lambda place: abs(place - zero))
        places[places.index(inner)] = zero
    return tuple(steps[place] for place in sorted(places))


def _signed(distance: float) -> str:
    return "0" if distance == 0 else f"{distance:+.3g}"


def output_folder(outdir: str | None, name: str) -> Path:
    """Where outputs go: ``outdir``, or ``sefa-out/<network>``."""
    return Path(outdir) if outdir else Path("sefa-out") / name


def check_folder(path: Path) -> None:
    """Make the folder and make sure that it can be written, before any work is done.

    Raises:
        OSError: it cannot.
    """
    path.mkdir(parents=True, exist_ok=True)
    probe = path / ".sefa-probe"
    probe.write_bytes(b"")
    probe.unlink()
