"""Making the shards of a job by Ray: plain tasks that are tried again, so that a lost computer loses what it works on.

Nothing passes through Ray's store but names of shards: files lie in the job's folder, which all computers share.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import Any, Optional
from urllib.parse import urlsplit

import msgspec

from ..runs.folder import Reporter, Silent
from ..system.claims import claimed
from .job import PLACE, Asked, BatchError, Block, Job, check_versions, load
from .running import Done, prepare
from .shard import CLAIMS, Sessions, record_of, run_shard

AHEAD = 2  # tasks in flight, for each that can run at once
TRIES = 3  # again, after the loss of a worker or a computer
REACHED = 5.0  # seconds to wait for an address
WAIT = 1.0  # seconds between looks at shards that other processes make


class Answer(msgspec.Struct):
    """What a task gives back.

    Attributes:
        done: whether the shard has a record; False: another process works on it.
        notes: warnings.
        stopped: why the job cannot go on; '' where it can.
        error: number of an error of the disk; 0 where there was none.
    """

    done: bool = False
    notes: list[str] = msgspec.field(default_factory=list)
    stopped: str = ""
    error: int = 0


def work_by_ray(
    folder: Path,
    job: Job,
    blocks: Sequence[Block],
    asked: Callable[[str, Sequence[str]], Asked],
    reporter: Reporter,
    warn: Callable[[str], None],
    address: Optional[str] = None,
) -> None:
    """As ``running.work``, by the computers of a cluster; ``asked`` must be importable there.

    Args:
        address: of the cluster (see :func:`check_reachable`), ``auto`` for the one that this computer is part of;
            None starts one on this computer.

    Raises:
        BatchError: the cluster cannot be reached, has other versions, or lost a shard too often.
        OSError: the folder cannot be written.
    """
    import torch

    prepare(folder)
    done = Done(folder, job)
    left = {block.id: block for block in blocks if not done.has(block)}
    reporter.expect(sum(block.pictures for block in left.values()))
    if not left:
        return
    threads = torch.get_num_threads()
    with _connected(address, reporter) as ray:
        resources = ray.cluster_resources()
        cards = int(resources.get("GPU", 0)) if asked(job.requests[0].path, job.words).choice.device != "cpu" else 0
        cores = min(threads, int(resources.get("CPU", 1)))  # as many threads as here, since they change the rounding
        window = AHEAD * max(1, cards or int(resources.get("CPU", 1)) // max(1, cores))
        task = ray.remote(num_cpus=cores, num_gpus=1 if cards else 0, max_retries=TRIES)(make)
        flying: dict[Any, Block] = {}
        while left or flying:
            ready = (block for block in left.values() if done.ready(block))
            for block in list(islice(ready, window - len(flying))):
                del left[block.id]
                if done.has(block):
                    reporter.advance(block.pictures)
                elif not done.blocked(block):
                    flying[task.remote(os.getcwd(), str(folder), block.id, asked, threads)] = block
            # Those that are left when nothing flies wait for other processes.
            for ref in ray.wait([*flying], timeout=WAIT)[0] if flying else _waited(WAIT):
                block = flying.pop(ref)
                answer = _answer(ray, ref, folder)
                for line in answer.notes:
                    warn(line)
                if not answer.done:
                    left[block.id] = block
                    continue
                record = record_of(folder, block)
                if record is None:
                    raise BatchError(f"{folder}: shard {block.id} was made, and is not here: computers must share DIR")
                done.add(block, record)
                reporter.advance(block.pictures)
                for item, reason in record.failed.items():
                    warn(f"{job.networks[block.network].name}: {item} failed: {reason}")


def _waited(seconds: float) -> tuple[()]:
    import time

    time.sleep(seconds)
    return ()


def _answer(ray: Any, ref: Any, folder: Path) -> Answer:
    try:
        answer = msgspec.json.decode(ray.get(ref), type=Answer)
    except ray.exceptions.RayError as error:
        raise BatchError(f"Ray: {' '.join(str(error).split())[:300]}") from None
    if answer.error:
        raise OSError(answer.error, answer.stopped, str(folder))
    if answer.stopped:
        raise BatchError(answer.stopped)
    return answer


@contextmanager
def _connected(address: str | None, reporter: Reporter) -> Iterator[Any]:
    """Ray, connected to a cluster."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ModuleNotFoundError:
        raise BatchError("--engine ray needs Ray: pip install ray (the extra cluster)") from None
    above = str(Path(__file__).parents[2])
    paths = os.pathsep.join(filter(None, (above, os.environ.get("PYTHONPATH"))))
    options: dict[str, Any] = {} if address else {"include_dashboard": False}
    try:
        ray.init(
            address or "local",
            runtime_env={"env_vars": {"PYTHONPATH": paths}},
            logging_level="ERROR",
            log_to_driver=False,
            **options,
        )
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise BatchError(f"--ray-address {address}: {' '.join(str(error).split())[:200]}") from None
    try:
        nodes = [node for node in ray.nodes() if node["Alive"]]
        places = ", ".join(sorted({f"{node['NodeManagerAddress']}:{node['NodeManagerPort']}" for node in nodes})[:3])
        reporter.say(
            f"Ray {ray.__version__}: {len(nodes)} computers, {ray.cluster_resources().get('CPU', 0):g} processors; "
            f"its processes listen on {places} and other ports of every network"
        )
        yield ray
    finally:
        ray.shutdown()


def check_reachable(address: str) -> None:
    """Connect to an address other than ``auto``, since Ray would try for minutes.

    Raises:
        BatchError: nothing answers.
    """
    if address == "auto":
        return
    place = urlsplit(address if "://" in address else f"//{address}")
    problem = "expected auto or HOST:PORT, as `ray start --head` prints it"
    with suppress(ValueError):
        if place.hostname and place.port:
            try:
                socket.create_connection((place.hostname, place.port), REACHED).close()
            except OSError as error:
                problem = f"no cluster answers there ({error.strerror or error})"
            else:
                return
    raise BatchError(f"--ray-address {address}: {problem}")


# --- on a worker ------------------------------------------------------------------------------------

_held: dict[tuple[str, str], tuple[Job, dict[str, Block], Sessions]] = {}  # one job, with its open network


def make(
    here: str, folder: str, name: str, asked: Callable[[str, Sequence[str]], Asked], threads: int
) -> bytes:  # pragma: no cover - in Ray's processes
    """Make a shard, where no other process does; the :class:`Answer` as JSON.

    Args:
        here: the folder in which the job was started, which its paths are relative to.
        folder: of the job.
        name: the id of the shard.
        asked: see :func:`work_by_ray`.
        threads: of torch.
    """
    import torch

    torch.set_num_threads(threads)
    answer = Answer()
    try:
        os.chdir(here)
        if (here, folder) not in _held:
            job = load(folder)
            check_versions(job)
            _held.clear()
            _held[here, folder] = (
                job,
                {block.id: block for block in job.blocks},
                Sessions(job, asked, lambda text: None),
            )
        job, known, sessions = _held[here, folder]
        sessions.warn = answer.notes.append
        place = Path(folder)
        with claimed(place / PLACE / CLAIMS / name) as ours:
            if ours and record_of(place, known[name]) is None:
                run_shard(place, job, known[name], sessions, Silent())
            answer.done = ours
    except OSError as error:
        answer.error, answer.stopped = error.errno or 5, f"{error.filename or ''}: {error.strerror or error}"
    except BatchError as error:
        answer.stopped = f"{socket.gethostname()}: {error}"
    return msgspec.json.encode(answer)
