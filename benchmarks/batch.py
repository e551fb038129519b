"""What ``sefa batch`` costs beside a plain run, and how it grows with the number of shards."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from sefa_plugin.batch import job as jobs
from sefa_plugin.batch import running, shard

ROOT = Path(__file__).parents[1]
WORDS = ["--seeds", "0-3", "--frames", "20", "--distance", "2", "-K"]


def cpu_of(words: Sequence[str], folder: str) -> float:
    """Processor seconds of a command, and of the processes that it starts, with one thread each."""
    env = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *words], cwd=folder, env=env, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def overhead(directions: int, repetitions: int) -> list[str]:
    """A plain run of the bundled network, and the same as a job of one process and of two; they take turns."""
    words = [*WORDS, str(directions), "--outdir"]
    commands = {
        "plain run": [str(ROOT / "gen_sefa.py"), "--network", "demo", *words, "plain"],
        "job, one process": ["-m", "sefa_plugin", "batch", "demo", *words, "one"],
        "job, --workers 2": ["-m", "sefa_plugin", "batch", "demo", *words, "two", "--workers", "2"],
    }
    took: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(repetitions):
        for name, command in commands.items():
            with tempfile.TemporaryDirectory() as folder:
                took[name].append(cpu_of(command, folder))
                if name != "plain run":
                    job = jobs.load(Path(folder) / command[command.index("--outdir") + 1])
    plain, found = median(took["plain run"]), []
    for name, each in took.items():
        more, shards = median(each) - plain, len(job.blocks)
        found.append(
            f"{name}: {median(each):.1f} s ({', '.join(f'{one:.1f}' for one in each)})"
            + ("" if name == "plain run" else f", {more:+.1f} s, of {shards} shards {more / shards:+.2f} s each")
        )
    return found


def made_job(folder: Path, count: int) -> None:
    """A job whose shards are done, with two files each."""
    blocks = [
        jobs.Block(
            id=f"{place:020}",
            network=place // 20,
            part="",
            kind="directions",
            first=place % 20,
            last=20,
            pictures=100,
            seconds=60.0,
        )
        for place in range(count)
    ]
    networks = tuple(jobs.Network(path=f"{n}.pkl", name=str(n), digest="x") for n in range(-(-count // 20)))
    jobs.save(jobs.Job((), (), {}, (), networks, tuple(blocks)), folder)
    for block in blocks:
        place = shard.folder_of(folder, block)
        place.mkdir(parents=True)
        for name in ("a.jpg", "b.mp4"):
            (place / name).write_bytes(b"x")
        record = shard.Record(block.id, {"a.jpg": ("0" * 64, 1), "b.mp4": ("0" * 64, 1)}, {}, 100, 60.0, "", {}, {})
        (place / shard.RECORD).write_bytes(shard.msgspec.json.encode(record))


def resume(count: int) -> str:
    """How long it takes to decide that all shards are done, and the memory of the process that does."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        made_job(folder, count)
        script = "import resource, sys; from benchmarks.batch import decide; decide(sys.argv[1]); "
        script += "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)"
        done = subprocess.run(
            [sys.executable, "-c", script, name], cwd=ROOT, check=True, capture_output=True, text=True
        )
        start = time.process_time()
        decide(name)
        took = time.process_time() - start
    return f"{count:,} finished shards: {took:.2f} processor seconds, {done.stdout.strip()} MB at most"


def decide(folder: str) -> None:
    """Look which shards of a job are done."""
    state = running.state_of(Path(folder), jobs.load(folder))
    assert not state.waiting
