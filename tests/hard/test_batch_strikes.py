"""Strikes at random moments against processes that share a job.

SEFA_KILLS=200 makes a long campaign, SEFA_KILLS_SEED another one; figures are printed. Processes are killed or
stopped, and the disk is filled. After every strike all finished shards are still there, unchanged; every job that ends
has the bytes of plain runs. ``test_batch_killed.py`` kills processes that were started by a command.
"""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter

import pytest
from killed_jobs import WORDS, is_plain, plain_runs  # noqa: F401 - a fixture
from places import ROOT

from sefa_plugin.batch import job as jobs
from sefa_plugin.batch import shard

pytestmark = [pytest.mark.hard, pytest.mark.skipif(not hasattr(os, "fork"), reason="runs commands in forked processes")]
STRIKES = int(os.environ.get("SEFA_KILLS", "10"))
SEED = os.environ.get("SEFA_KILLS_SEED", "0")
COMMAND = ["batch", "one.pkl", "two.pkl", *WORDS, "--outdir", "out"]
PROCESSES = 3


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


def begin(folder):
    """Run the command in a fork of this process, which has imported everything; returns its id."""
    pid = os.fork()
    if pid:
        return pid
    code = 70
    try:
        os.chdir(folder)
        null = os.open(os.devnull, os.O_RDWR)
        for number in (0, 1, 2):
            os.dup2(null, number)
        import torch

        from sefa_plugin.commands import cli

        torch.set_num_threads(1)
        signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where tests run in the background
        sys.orig_argv = [sys.executable]  # recorded as typed, which may be relative to another folder
        sys.argv = [str(ROOT / "sefa_plugin" / "__main__.py"), *COMMAND]  # which the recorded commands begin with
        cli.sefa.main(COMMAND, "sefa")
    except SystemExit as error:
        code = error.code or 0
    finally:
        os._exit(code)


def ended(pid, timeout=300.0):
    """The exit code of a process; fails if it does not end."""
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.02)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    raise AssertionError(f"process {pid} did not end")


def stop(running):
    """Kill processes that have not ended, and empty the list."""
    while running:
        pid = running.pop()
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def records(folder):
    made = (folder / "out/.batch/done").glob("[0-9a-f]*/record.json")
    return {path.parent.name: path.stat().st_mtime_ns for path in made}


def fill(path, seconds):
    with open(path, "wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(65536))
        except OSError:
            time.sleep(seconds)
    path.unlink()


def test_nothing_is_lost(plain_runs, disk, capfd):  # noqa: F811
    draw, there, place = random.Random(SEED), plain_runs, plain_runs / "out"
    kinds = ["SIGKILL", "SIGKILL", "SIGTERM", "SIGINT", *["disk"] * disk]
    counts, codes, claims, whole = Counter(), Counter(), 0, 0
    running = [begin(there) for _ in range(PROCESSES)]
    try:
        while sum(counts.values()) < STRIKES:
            start, before = time.monotonic(), records(there)
            while len(records(there)) <= len(before) and time.monotonic() < start + 5:
                time.sleep(0.02)
            time.sleep(draw.uniform(0, 0.3))
            if (place / "index.html").exists() and len(records(there)) == len(jobs.load(place).blocks):
                while running:
                    codes[ended(running.pop())] += 1
                is_plain(there)
                whole += 1
                for path in place.iterdir():
                    shutil.rmtree(path) if path.is_dir() else path.unlink()
                running = [begin(there) for _ in range(PROCESSES)]
                continue
            before, kind, number = records(there), draw.choice(kinds), draw.randrange(PROCESSES)
            claims += len(list((place / jobs.PLACE / shard.CLAIMS).glob("[0-9a-f]*")))
            if kind == "disk":
                fill(place / "filler", draw.uniform(0.2, 1.5))
            else:
                os.kill(running[number], getattr(signal, kind))
                codes[ended(running[number])] += 1
                running[number] = begin(there)
            for number, pid in enumerate(running):  # those that a full disk has ended, or who were ready
                found, status = os.waitpid(pid, os.WNOHANG)
                if found:
                    codes[os.waitstatus_to_exitcode(status)] += 1
                    running[number] = begin(there)
            counts[kind] += 1
            after = records(there)
            assert {one: after.get(one) for one in before} == before, f"finished shards were lost by {kind}"
        stop(running)
        assert ended(begin(there)) == 0
        is_plain(there)
        whole += 1
    finally:
        stop(running)
        with capfd.disabled():
            print(f"\n{sum(counts.values())} strikes: {dict(counts)}, {claims} claims then; {whole} jobs as plain runs")
    assert codes.keys() <= {0, 1, 130, 143, -signal.SIGKILL, -signal.SIGTERM, -signal.SIGINT}, codes
