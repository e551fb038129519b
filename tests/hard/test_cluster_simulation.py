"""The simulation of many computers, beside processes that claim real shards whose work is to sleep."""

import os
import signal
import subprocess
import sys
import time

import pytest
from places import ROOT

from benchmarks.cluster import Computers, job, simulate

pytestmark = pytest.mark.hard
WORKER = """
import sys, time
from pathlib import Path
from sefa_plugin.batch import job as jobs, running, shard
from sefa_plugin.runs.folder import Silent

def sleep(folder, job, block, sessions, reporter):
    with shard.whole_folder(shard.folder_of(folder, block)) as place:
        time.sleep(block.seconds)
        record = shard.Record(block.id, {}, {}, 0, 0.0, "", {}, {})
        (place / shard.RECORD).write_bytes(shard.msgspec.json.encode(record))
    return record

running.run_shard = sleep
folder = Path(sys.argv[1])
job = jobs.load(folder)
(folder / "ready").mkdir(exist_ok=True)
(folder / "ready" / sys.argv[2]).touch()
while not (folder / "go").exists():
    time.sleep(0.01)
running.work(folder, job, job.blocks, None, Silent(), print)
"""


def job_of(folder, seconds, plans):
    from sefa_plugin.batch import job as jobs

    blocks = [
        jobs.Block(
            id=f"{place:020}",
            network=0,
            part="",
            kind="plan" if plan == place else "directions",
            needs=() if plan == place else (f"{plan:020}",),
            pictures=1,
            seconds=length,
        )
        for place, (length, plan) in enumerate(zip(seconds, plans))
    ]
    networks = (jobs.Network(path="x.pkl", name="x", digest="x"),)
    jobs.save(jobs.Job((), (), {}, (jobs.Request("x.pkl"),), networks, tuple(blocks)), folder)


@pytest.mark.parametrize(("count", "killed"), [(1, False), (2, False), (4, False), (4, True)])
def test_real_claims_take_as_long(tmp_path, count, killed):
    seconds, plans = job(2, 10, 0.7, 1.5)
    job_of(tmp_path, seconds, plans)
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    workers = [subprocess.Popen([sys.executable, "-c", WORKER, tmp_path, str(n)], env=env) for n in range(count)]
    while not (tmp_path / "ready").exists() or len(list((tmp_path / "ready").iterdir())) < count:
        time.sleep(0.01)
    (tmp_path / "go").touch()
    start = time.monotonic()
    if killed:
        time.sleep(2.2)
        workers[0].send_signal(signal.SIGKILL)
        workers[0].wait()
    for worker in workers[killed:]:
        assert worker.wait(120) == 0
    took = time.monotonic() - start
    if killed:  # three for the rest of the time, and the work of the lost shard
        least, most = (simulate(seconds, plans, Computers(n)).seconds for n in (count, count - 1))
        assert least <= took <= most + 3
    else:
        assert took == pytest.approx(simulate(seconds, plans, Computers(count)).seconds, rel=0.15)


def test_slow_and_failing_computers():
    seconds, plans = job(8, 40, 10.0, 60.0)
    alone = simulate(seconds, plans, Computers(1))
    assert alone.seconds == sum(seconds) and alone.efficiency == 1
    many = simulate(seconds, plans, Computers(64))
    assert many.efficiency > 0.75
    slow = {shares: simulate(seconds, plans, Computers(8, slow=0.125, shares=shares)) for shares in (False, True)}
    assert slow[True].seconds > 2 * slow[False].seconds  # the slow one's share is waited for
    failing = simulate(seconds, plans, Computers(8, life=1800.0))
    assert failing.failures > 5
    assert 0 < failing.lost < failing.failures * 60
    assert failing.seconds < many.seconds * 8 + failing.failures * (60 + 120)
