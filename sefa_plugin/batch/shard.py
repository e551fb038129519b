"""One shard: made in a folder of its own, moved into place at once with a record of what it holds."""

from __future__ import annotations

import errno
import os
import platform
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from ..rendering.arithmetic import Arithmetic
from ..rendering.engine import Engine
from ..runs.command_line import portable, with_options
from ..runs.each_direction import plan_outputs, save_found
from ..runs.folder import Announced, Reporter
from ..runs.making import Making
from ..runs.plan import LAST, SHEETS, Output, Plan
from ..runs.record import Manifest, digest_of, versions
from ..runs.session import Session
from ..system.whole_files import whole_folder
from .job import GRID, PICTURES, PLACE, PLAN, Asked, BatchError, Block, Job
from .store import Stored, store

if TYPE_CHECKING:
    from ..networks.generator import Generator
    from ..rendering.look import Look

DONE, CLAIMS, MADE, RECORD, PLANNED = "done", "claims", "made", "record.json", "plan.json"
WHOLE = "all of it"  # an item of ``Record.failed``: nothing was made
# Of the disk, or of what may be written: nobody could record a failure there either.
_OF_THE_DISK = {errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO, getattr(errno, "EDQUOT", -1)}


class Record(msgspec.Struct, frozen=True):
    """What a shard has made.

    Attributes:
        id: of the shard.
        files: digest (SHA-256) and size in bytes, by path below its folder.
        failed: reasons, by the names of outputs that could not be made.
        pictures: how many were rendered.
        seconds, machine, versions: how long it took, where, and with what.
        computed: the arithmetic of the pictures; see ``rendering.arithmetic``.
    """

    id: str
    files: dict[str, tuple[str, int]]
    failed: dict[str, str]
    pictures: int
    seconds: float
    machine: str
    versions: dict[str, str]
    computed: dict[str, object]


def folder_of(folder: Path, block: Block) -> Path:
    """Where a shard lies when it is done."""
    return _place(folder, block.id)


def _place(folder: Path, name: str) -> Path:
    return folder / PLACE / DONE / name


def record_of(folder: Path, block: Block) -> Record | None:
    """The record of a shard whose files are there in their sizes; None: it is to be made.

    Raises:
        OSError: it cannot be read.
    """
    place = folder_of(folder, block)
    try:
        record = msgspec.json.decode((place / RECORD).read_bytes(), type=Record)
        whole = all(os.stat(place / name).st_size == size for name, (_, size) in record.files.items())
    except (FileNotFoundError, msgspec.MsgspecError):
        return None
    return record if whole and record.id == block.id else None


class Sessions:
    """Opens the networks of a job; the last one stays open, since neighbouring shards are of one network."""

    def __init__(self, job: Job, asked: Callable[[str], Asked], warn: Callable[[str], None]) -> None:
        self._job, self._asked, self._warn = job, asked, warn
        self._held: tuple[int, Asked, Session] | None = None

    def of(self, block: Block) -> tuple[Asked, Session]:
        """What is made of a shard's network, and the network.

        Raises:
            BatchError: its file has changed since the job was made.
            NetworkFileError, HookError, OSError: it cannot be opened.
        """
        if self._held is None or self._held[0] != block.network:
            self._held = None  # before another is in memory
            network = self._job.networks[block.network]
            asked = self._asked(network.path)
            session = Session.open(asked.choice, warn=self._warn)
            if session.about()["digest"] != network.digest:
                raise BatchError(f"{network.path}: has changed since the job was made; restore it, or start a new job")
            self._held = block.network, asked, session
        return self._held[1:]

    def generator_of(self, block: Block) -> Callable[[Look], Generator]:
        """A function that gives the generator of a shard's network, which is opened by the first call."""
        return lambda look: self.of(block)[1].generator(look)


def run_shard(folder: Path, job: Job, block: Block, sessions: Sessions, reporter: Reporter) -> Record:
    """Make a shard and record it; what fails is in its record, and shards that are done already stay.

    Raises:
        OSError: the folder cannot be written; nothing is recorded.
    """
    start, place = time.monotonic(), folder_of(folder, block)
    with whole_folder(place) as attempt:
        failed: dict[str, str] = {}
        pictures, computed = 0, {}
        try:
            if block.kind == PLAN:
                computed = _plan(attempt, folder, job, block, *sessions.of(block), reporter)
            elif block.kind == PICTURES:
                plan, (_, session) = plan_in(folder, block), sessions.of(block)
                engine, span = session.engine(plan.arithmetic), range(block.start, block.stop)
                layouts = [output.layout for some in outputs_of(plan, block) for output in some]
                pictures = store(attempt, plan.view, layouts, engine, span, reporter.advance)
                computed = asdict(engine.arithmetic(plan.view))
            else:
                pictures, computed = _make(attempt, folder, job, block, sessions, reporter, failed)
        except Exception as error:
            failed[WHOLE] = _reason(error)
        if failed.get(WHOLE):
            computed = {}
        files = {
            path.relative_to(attempt).as_posix(): (digest_of(path), path.stat().st_size)
            for path in sorted(attempt.rglob("*"))
            if path.is_file()
        }
        seconds = round(time.monotonic() - start, 3)
        record = Record(block.id, files, failed, pictures, seconds, platform.node(), versions(), computed)
        (attempt / RECORD).write_bytes(msgspec.json.encode(record))
    return record


def _reason(error: Exception) -> str:
    """One line on a failure.

    Raises:
        OSError: the same one, where it is of the disk.
    """
    if isinstance(error, OSError) and error.errno in _OF_THE_DISK:
        raise error
    text = f"{error.filename}: {error.strerror}" if isinstance(error, OSError) and error.filename else str(error)
    known = type(error).__module__.startswith("sefa_plugin") or isinstance(error, OSError)
    return " ".join((text if known else f"unexpected {type(error).__name__}: {text}").split())[:300]


def final_folder(folder: Path, job: Job, block: Block) -> Path:
    """The folder of the merged outputs of a shard's network and part."""
    return folder / job.networks[block.network].name / block.part


def command_of(folder: Path, job: Job, block: Block) -> list[str]:
    """The plain command that makes the outputs of a shard's network and part."""
    network = job.networks[block.network]
    command = [*job.program, "--network", portable(network.path), *job.words]
    values = {"--class": [block.part.removeprefix("class")]} if block.part else {}
    return with_options(command, {**values, "--outdir": [portable(final_folder(folder, job, block))]})


def _plan(
    attempt: Path, folder: Path, job: Job, block: Block, asked: Asked, session: Session, reporter: Reporter
) -> dict[str, object]:
    """Find directions, measure their ranges, and lay out all outputs."""
    view = session.view(asked.looks[block.part], asked.seeds, asked.projected)
    groups = session.directions(asked.factorisation, asked.wanted, attempt / MADE, reporter=Announced(reporter))
    (attempt / MADE).mkdir(exist_ok=True)
    save_found(groups, asked.wanted.file)
    command = command_of(folder, job, block)
    plan = plan_outputs(session, view, groups, asked.wanted, asked.output, distance=asked.distance, command=command)
    plan.save(attempt / PLANNED)
    return {} if plan.arithmetic is None else asdict(plan.arithmetic)


def plan_in(folder: Path, block: Block) -> Plan:
    """The plan that a shard follows.

    Raises:
        PlanError, OSError: it cannot be read.
    """
    return Plan.of((_place(folder, block.needs[0] if block.needs else block.id) / PLANNED).read_bytes())


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


def _make(
    attempt: Path,
    folder: Path,
    job: Job,
    block: Block,
    sessions: Sessions,
    reporter: Reporter,
    failed: dict[str, str],
) -> tuple[int, dict[str, object]]:
    """Make the outputs of a shard; those that fail are noted by name."""
    plan, counted = plan_in(folder, block), Counted(reporter)
    stores = [_place(folder, need) for need in block.needs[1:]]
    if stores:
        computed = msgspec.json.decode((stores[0] / RECORD).read_bytes(), type=Record).computed
        engine: Engine = Stored(stores, sessions.generator_of(block), msgspec.convert(computed, Arithmetic))
    else:
        engine = sessions.of(block)[1].engine(plan.arithmetic)
    place = portable(final_folder(folder, job, block))
    manifest = Manifest(attempt / MADE, plan.command, plan.network, place)
    manifest.write()
    making = Making(plan.view, engine, manifest, counted, lambda output: False)
    for outputs in outputs_of(plan, block):
        try:
            making.make(outputs)
        except Exception as error:
            reason = _reason(error)
            failed.update({one.name: reason for one in outputs if one.name not in manifest.outputs})
    return 0 if stores else counted.pictures, asdict(engine.arithmetic(plan.view)) if counted.pictures else {}


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
