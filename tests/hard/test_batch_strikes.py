"""Strikes at random moments against processes that share a job.

SEFA_KILLS=200 makes a long campaign, SEFA_KILLS_SEED another one; figures are printed. Workers, drivers and claimers
are killed or stopped, and the disk is filled. After every strike all finished shards are still there, unchanged; every
job that ends has the bytes of plain runs.
"""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from killed_jobs import WORDS, is_plain, plain_runs, sefa_process  # noqa: F401 - a fixture

from sefa_plugin.batch import job as jobs
from sefa_plugin.batch import shard

pytestmark = [pytest.mark.hard, pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")]
STRIKES = int(os.environ.get("SEFA_KILLS", "6"))
COMMANDS = (
    ["batch", "one.pkl", "two.pkl", *WORDS, "--outdir", "out", "--workers", "2"],
    ["batch", "one.pkl", "two.pkl", *WORDS, "--outdir", "out"],
)


@pytest.fixture
def disk(plain_runs):  # noqa: F811
    """A small file system for the job, where this user may mount one; gives whether it could."""
    place = plain_runs / "out"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", "size=64m", "none", str(place)]
    mounted = subprocess.run(words, capture_output=True).returncode == 0
    yield mounted
    if mounted:
        subprocess.run(["umount", "-l", str(place)], check=True)


def children(process):
    try:
        return [int(pid) for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]
    except OSError:
        return []


def is_running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def records(folder):
    return {
        path.parent.name: path.stat().st_mtime_ns for path in (folder / "out/.batch/done").glob("[0-9a-f]*/record.json")
    }


def test_nothing_is_lost(plain_runs, disk, capfd):  # noqa: F811
    draw, there = random.Random(os.environ.get("SEFA_KILLS_SEED", "0")), plain_runs
    kinds = ["worker", "driver", "claimer", "SIGTERM", "SIGINT", *["disk"] * disk]
    counts, lost, jobs_done, orphans, slots = Counter(), 0, 0, set[int](), [None, None]
    place, filler = there / "out", there / "out/filler"
    try:
        while sum(counts.values()) < STRIKES:
            for number, process in enumerate(slots):
                if process is None or process.poll() is not None:
                    slots[number] = sefa_process(there, *COMMANDS[number])
            start, before = time.monotonic(), records(there)
            while len(records(there)) <= len(before) and time.monotonic() < start + 20:
                if any(process.poll() is not None for process in slots):
                    break
                time.sleep(0.02)
            time.sleep(draw.uniform(0, 0.6))
            orphans.update(pid for process in slots for pid in children(process))
            if (place / jobs.PLACE / jobs.NAME).exists():
                job = jobs.load(place)
                if (place / "index.html").exists() and len(records(there)) == len(job.blocks):
                    for process in slots:
                        process.communicate(timeout=120)
                    is_plain(there)
                    jobs_done += 1
                    while any(map(is_running, orphans)):
                        time.sleep(0.1)
                    for path in place.iterdir():
                        shutil.rmtree(path) if path.is_dir() else path.unlink()
                    continue
            before, kind = records(there), draw.choice(kinds)
            claims = len(list((place / jobs.PLACE / shard.CLAIMS).glob("[0-9a-f]*")))
            workers = children(slots[0])
            if kind == "worker" and workers:
                os.kill(workers[0], signal.SIGKILL)
            elif kind == "driver" or kind == "worker":
                slots[0].kill()
                slots[0].communicate()
            elif kind == "disk":
                with open(filler, "wb", buffering=0) as file:
                    try:
                        while True:
                            file.write(bytes(65536))
                    except OSError:
                        time.sleep(draw.uniform(0.5, 2))
                filler.unlink()
            else:
                process = slots[1] if kind == "claimer" else draw.choice(slots)
                process.send_signal(signal.SIGKILL if kind == "claimer" else getattr(signal, kind))
                process.communicate(timeout=60)
            counts[kind] += 1
            lost += claims
            after = records(there)
            assert {one: after.get(one) for one in before} == before, f"finished shards were lost by {kind}"
        final = sefa_process(there, *COMMANDS[1])
        _, text = final.communicate(timeout=300)
        assert final.returncode == 0, text.decode()
        is_plain(there)
    finally:
        for process in slots:
            if process is not None:
                process.kill()
                process.communicate()
        for pid in filter(is_running, orphans):
            os.kill(pid, signal.SIGKILL)
    with capfd.disabled():
        print(
            f"\n{STRIKES} strikes: {dict(counts)}; {jobs_done + 1} jobs equal to plain runs; {lost} claims when struck"
        )
