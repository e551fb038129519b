"""One shard: made in a folder of its own, moved into place at once with a record of what it holds."""

from __future__ import annotations

import errno
import os
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from ..runs.command_line import portable_words, with_options
from ..runs.folder import Reporter
from ..runs.record import digest_of, versions
from ..runs.session import Session
from ..system.interrupts import exit_code
from ..system.whole_files import whole_folder
from .job import PLACE, Asked, BatchError, Block, Job

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
    return folder / PLACE / DONE / block.id


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

    def __init__(self, job: Job, asked: Callable[[str, Sequence[str]], Asked], warn: Callable[[str], None]) -> None:
        self._job, self._asked, self.warn = job, asked, warn
        self._held: tuple[int, Session] | None = None
        self._about: tuple[int, Asked] | None = None

    def asked(self, block: Block) -> Asked:
        """What is made of a shard's network."""
        if self._about is None or self._about[0] != block.network:
            asked = self._asked(self._job.networks[block.network].path, self._job.words_of(block))
            self._about = block.network, asked
        return self._about[1]

    def of(self, block: Block) -> Session:
        """The network of a shard.

        Raises:
            BatchError: its file has changed since the job was made.
            NetworkFileError, HookError, OSError: it cannot be opened.
        """
        if self._held is None or self._held[0] != block.network:
            self._held = None  # before another is in memory
            network = self._job.networks[block.network]
            session = Session.open(self.asked(block).choice, warn=self.warn)
            if session.about()["digest"] != network.digest:
                raise BatchError(f"{network.path}: has changed since the job was made; restore it, or start a new job")
            self._held = block.network, session
        return self._held[1]


@dataclass(frozen=True)
class Attempt:
    """A shard that is being made.

    Attributes:
        folder, job, block: which one.
        place: the folder that its files are written to.
        sessions: opens its network.
        reporter: receives progress.
    """

    folder: Path
    job: Job
    block: Block
    place: Path
    sessions: Sessions
    reporter: Reporter

    @property
    def session(self) -> Session:
        """The network; see :meth:`Sessions.of`."""
        return self.sessions.of(self.block)

    @property
    def needs(self) -> list[Path]:
        """Folders of the shards that this one is made from, the plan's first."""
        return [self.folder / PLACE / DONE / need for need in self.block.needs]

    @property
    def final(self) -> Path:
        """The folder of the merged outputs of its network and part."""
        return final_folder(self.folder, self.job, self.block)

    @property
    def words(self) -> list[str]:
        """The options of a plain run that makes those outputs."""
        words = ["--network", self.job.networks[self.block.network].path, *self.job.words_of(self.block)]
        values = {"--class": [self.block.part.removeprefix("class")]} if self.block.part else {}
        return with_options(words, {**values, "--outdir": [str(self.final)]})

    @property
    def command(self) -> list[str]:
        """The plain run, for records."""
        return [*self.job.program, *portable_words(self.words)]

    def computed(self, place: int = 0) -> dict[str, object]:
        """How the pictures of a shard that this one is made from were computed, or are to be."""
        return msgspec.json.decode((self.needs[place] / RECORD).read_bytes(), type=Record).computed


@dataclass(frozen=True)
class Outcome:
    """What a shard has made; see :class:`Record`."""

    pictures: int = 0
    computed: dict[str, object] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)


def run_shard(folder: Path, job: Job, block: Block, sessions: Sessions, reporter: Reporter) -> Record:
    """Make a shard and record it; what fails is in its record, and shards that are done already stay.

    Raises:
        OSError: the folder cannot be written; nothing is recorded.
    """
    start = time.monotonic()
    with whole_folder(folder_of(folder, block)) as place:
        try:
            made = sessions.asked(block).make(Attempt(folder, job, block, place, sessions, reporter))
        except Exception as error:
            made = Outcome(failed={WHOLE: reason_of(error)})
        files = {
            path.relative_to(place).as_posix(): (digest_of(path), path.stat().st_size)
            for path in sorted(place.rglob("*"))
            if path.is_file()
        }
        seconds = round(time.monotonic() - start, 3)
        record = Record(
            block.id, files, made.failed, made.pictures, seconds, platform.node(), versions(), made.computed
        )
        (place / RECORD).write_bytes(msgspec.json.encode(record))
    return record


def reason_of(error: Exception) -> str:
    """One line on a failure.

    Raises:
        Exception: the same one, where it is of the disk, or came of a signal that stops this process.
    """
    if exit_code(error) or (isinstance(error, OSError) and error.errno in _OF_THE_DISK):
        raise error
    text = f"{error.filename}: {error.strerror}" if isinstance(error, OSError) and error.filename else str(error)
    known = type(error).__module__.startswith("sefa_plugin") or isinstance(error, OSError)
    return " ".join((text if known else f"unexpected {type(error).__name__}: {text}").split())[:300]


def final_folder(folder: Path, job: Job, block: Block) -> Path:
    """The folder of the merged outputs of a shard's network and part."""
    return folder / job.networks[block.network].name / block.part
