"""Making the shards of a job that have no record yet: by this process, while others may do the same."""

from __future__ import annotations

import shutil
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import msgspec

from ..runs.folder import Reporter
from ..system.claims import claimed, holder
from ..system.whole_files import sweep
from .job import COMMAND, PICTURES, PLACE, Asked, Block, Job
from .shard import CLAIMS, DONE, WHOLE, Record, Sessions, folder_of, record_of, run_shard

WAIT = 1.0  # seconds between looks at shards that others make


def work(
    folder: Path,
    job: Job,
    blocks: Sequence[Block],
    asked: Callable[[str, Sequence[str]], Asked],
    reporter: Reporter,
    warn: Callable[[str], None],
) -> None:
    """Make shards, and wait for those that other processes make; if one of them dies, its shard is made here.

    Args:
        folder: of the job.
        job: read from there.
        blocks: some of its shards, with the plans that they follow.
        asked: what is made of a network, by its path and options.
        reporter: receives the amount of work and progress.
        warn: called with one line for each failure.

    Raises:
        OSError: the folder cannot be written.
    """
    prepare(folder)
    sessions, done, begun = Sessions(job, asked, warn), Done(folder, job), False
    left = [block for block in blocks if not done.has(block)]
    reporter.expect(sum(block.pictures for block in left))
    while left:
        later, made = [], False
        for block in left:
            if done.has(block):
                reporter.advance(block.pictures)  # another process made it
                continue
            if not done.ready(block):
                later.append(block)
                continue
            if done.blocked(block):
                continue
            with claimed(folder / PLACE / CLAIMS / block.id) as ours:
                if not ours or done.has(block):
                    later.append(block)
                    continue
                record = run_shard(folder, job, block, sessions, reporter)
            made = True
            done.add(block, record)
            for item, reason in record.failed.items():
                warn(f"{job.networks[block.network].name}: {item} failed: {reason}")
        left = later
        if left and not made:
            if not begun:
                begun = True
                reporter.say(f"{len(left)} shards are waited for, which other processes make")
            time.sleep(WAIT)


def prepare(folder: Path) -> None:
    """Make the folders of a job, and remove what the dead have left.

    Raises:
        OSError: they cannot be written.
    """
    for name in (DONE, CLAIMS):
        (folder / PLACE / name).mkdir(parents=True, exist_ok=True)
    sweep(folder / PLACE / DONE)


class Done:
    """Which shards have records, and what failed in each; records are read once.

    Args:
        folder, job: the job and its folder.
    """

    def __init__(self, folder: Path, job: Job) -> None:
        self._folder, self._failed = folder, dict[str, dict[str, str]]()
        self._blocks = {block.id: block for block in job.blocks}
        self._users = defaultdict[str, list[Block]](list)  # by id, what is made of a shard's pictures
        for block in job.blocks:
            for need in block.needs[1:]:
                self._users[need].append(block)

    def failed(self, block: Block) -> dict[str, str] | None:
        """What failed in a shard, see ``Record.failed``; None where it has no record, or was removed after its use.

        Raises:
            OSError: the record cannot be read.
        """
        if block.id not in self._failed:
            record = record_of(self._folder, block)
            if record is None:
                return None
            self._failed[block.id] = record.failed
        return self._failed[block.id]

    def has(self, block: Block) -> bool:
        """Whether nothing has to be done for a shard."""
        users = self._users.get(block.id, ())
        return self.failed(block) is not None or (bool(users) and all(self.failed(user) is not None for user in users))

    def ready(self, block: Block) -> bool:
        """Whether all is there that a shard is made from."""
        return all(self.failed(self._blocks[need]) is not None for need in block.needs)

    def blocked(self, block: Block) -> bool:
        """Whether something has failed that a shard is made from."""
        return any(self.failed(self._blocks[need]) for need in block.needs)

    def add(self, block: Block, record: Record) -> None:
        """A shard is made: pictures that nothing else is made of are removed."""
        self._failed[block.id] = record.failed
        for need in () if record.failed or block.kind == COMMAND else block.needs[1:]:
            if all(self.failed(user) == {} for user in self._users[need]):
                shutil.rmtree(folder_of(self._folder, self._blocks[need]), ignore_errors=True)


def forget_failed(folder: Path, blocks: Iterable[Block]) -> int:
    """Remove the shards that something failed in, so that they are made again; returns how many."""
    count = 0
    for block in blocks:
        record = record_of(folder, block)
        if record is not None and record.failed:
            shutil.rmtree(folder_of(folder, block))
            count += 1
    return count


class State(msgspec.Struct, frozen=True):
    """How far a job is.

    Attributes:
        done, running, waiting: numbers of shards; those that follow a failed plan wait.
        failed: lines, each with the network, the output and the reason.
        left: seconds of what is not done, by the table of costs.
    """

    done: int
    running: tuple[str, ...]
    waiting: int
    failed: tuple[str, ...]
    left: float


def state_of(folder: Path, job: Job) -> State:
    """How far a job is, from its folder alone.

    Raises:
        OSError: it cannot be read.
    """
    number, left, running, failed, done = 0, 0.0, list[str](), list[str](), Done(folder, job)
    failed += [f"{network.path}: {network.problem}" for network in job.networks if network.problem]
    for block in job.blocks:
        known = done.failed(block)
        if known is None and not done.has(block):
            left += block.seconds
            who = holder(folder / PLACE / CLAIMS / block.id)
            running += [f"{block.id}: {about(job, block)}, by {who}"] if who else []
            continue
        number += 1
        name = job.networks[block.network].name
        failed += [
            f"{name}: {about(job, block) if what == WHOLE else what}: {why}" for what, why in (known or {}).items()
        ]
    return State(number, tuple(running), len(job.blocks) - number - len(running), tuple(failed), left)


def about(job: Job, block: Block) -> str:
    """A shard in words."""
    place = "/".join(filter(None, (job.networks[block.network].name, block.part)))
    span = f" {block.first}-{block.last - 1}" if block.last else ""
    seeds = f", subjects {block.start}-{block.stop - 1}," if block.stop else ""
    words = f"pictures of directions{span}{seeds}" if block.kind == PICTURES else f"{block.kind}{span}"
    return f"{words} of {place}"
