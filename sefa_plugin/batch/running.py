"""Making the shards of a job that have no record yet: by this process, while others may do the same."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import msgspec

from ..runs.folder import Reporter
from ..system.claims import claimed, holder
from ..system.whole_files import sweep
from .job import PLACE, PLAN, Asked, Block, Job
from .shard import CLAIMS, DONE, WHOLE, Record, Sessions, folder_of, record_of, run_shard

WAIT = 1.0  # seconds between looks at shards that others make


def work(
    folder: Path,
    job: Job,
    blocks: Sequence[Block],
    asked: Callable[[str], Asked],
    reporter: Reporter,
    warn: Callable[[str], None],
) -> None:
    """Make shards, and wait for those that other processes make; if one of them dies, its shard is made here.

    Args:
        folder: of the job.
        job: read from there.
        blocks: some of its shards, with the plans that they follow.
        asked: what is made of a network, by its path.
        reporter: receives the amount of work and progress.
        warn: called with one line for each failure.

    Raises:
        OSError: the folder cannot be written.
    """
    for name in (DONE, CLAIMS):
        (folder / PLACE / name).mkdir(parents=True, exist_ok=True)
    sweep(folder / PLACE / DONE)
    sessions, plans, records = Sessions(job, asked, warn), job.plans, dict[str, Record]()
    left, begun = [block for block in blocks if not _known(folder, block, records)], False
    reporter.expect(sum(block.pictures for block in left))
    while left:
        later, made = [], False
        for block in left:
            plan = plans[block.network, block.part]
            if _known(folder, block, records):
                reporter.advance(block.pictures)  # another process made it
                continue
            if block.kind != PLAN and not _known(folder, plan, records):
                later.append(block)
                continue
            if block.kind != PLAN and records[plan.id].failed:
                continue
            with claimed(folder / PLACE / CLAIMS / block.id) as ours:
                if not ours or _known(folder, block, records):
                    later.append(block)
                    continue
                record = records[block.id] = run_shard(folder, job, block, sessions, reporter)
            made = True
            for item, reason in record.failed.items():
                warn(f"{job.networks[block.network].name}: {item} failed: {reason}")
        left = later
        if left and not made:
            if not begun:
                begun = True
                reporter.say(f"{len(left)} shards are waited for, which other processes make")
            time.sleep(WAIT)


def _known(folder: Path, block: Block, records: dict[str, Record]) -> bool:
    """Whether a shard has a record; it is then among the ``records``."""
    if block.id not in records:
        record = record_of(folder, block)
        if record is None:
            return False
        records[block.id] = record
    return True


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
    done, left, running, failed = 0, 0.0, list[str](), list[str]()
    failed += [f"{network.path}: {network.problem}" for network in job.networks if network.problem]
    for block in job.blocks:
        record = record_of(folder, block)
        if record is None:
            left += block.seconds
            who = holder(folder / PLACE / CLAIMS / block.id)
            running += [f"{block.id}: {about(job, block)}, by {who}"] if who else []
            continue
        done += 1
        name = job.networks[block.network].name
        failed += [
            f"{name}: {about(job, block) if what == WHOLE else what}: {why}" for what, why in record.failed.items()
        ]
    return State(done, tuple(running), len(job.blocks) - done - len(running), tuple(failed), left)


def about(job: Job, block: Block) -> str:
    """A shard in words."""
    place = "/".join(filter(None, (job.networks[block.network].name, block.part)))
    span = f" {block.first}-{block.last - 1}" if block.last else ""
    return f"{block.kind}{span} of {place}"
