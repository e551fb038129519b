"""Jobs whose processes are killed anywhere, and large ones: nothing is lost but the shards in flight."""

import json
import os
import random
import signal
import time

import pytest
from killed_jobs import WORDS, ended, is_plain, plain_runs, sefa_process, there  # noqa: F401 - fixtures

from benchmarks.batch import made_job
from sefa_plugin.batch import job as jobs
from sefa_plugin.batch import running, shard

pytestmark = pytest.mark.hard


@pytest.mark.parametrize("seed", [0, 1])
def test_workers_are_killed_at_random(there, seed):  # noqa: F811
    """Three processes at a time, each killed after a while and started again; then one that is left alone."""
    draw, words = random.Random(seed), ["batch", "one.pkl", "two.pkl", *WORDS, "--outdir", "out"]
    for _ in range(3):
        workers = [sefa_process(there, *words) for _ in range(3)]
        while not (there / "out/.batch/job.json").exists():
            assert workers[0].poll() is None
            time.sleep(0.02)
        for worker in workers:
            time.sleep(draw.uniform(0.3, 1.5))
            worker.send_signal(draw.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGINT]))
            worker.communicate(timeout=60)
    job = jobs.load(there / "out")
    before = {block.id for block in job.blocks if shard.record_of(there / "out", block)}
    times = {one: (there / "out/.batch/done" / one / "record.json").stat().st_mtime_ns for one in before}
    ended(sefa_process(there, "batch", "--outdir", "out"))
    for one, when in times.items():
        assert (there / "out/.batch/done" / one / "record.json").stat().st_mtime_ns == when, "made twice"
    is_plain(there)
    assert not list((there / "out/.batch/claims").iterdir())
    assert len(list((there / "out/.batch/done").iterdir())) == len(job.blocks)


def test_workers_and_shares_in_any_order(there):  # noqa: F811
    words = ["batch", "one.pkl", "two.pkl", *WORDS, "--outdir", "out"]
    for place in (2, 0):
        ended(sefa_process(there, *words, "--shard", f"{place}/3"))
    shares = [sefa_process(there, *words, "--workers", "3")]
    for one in shares:
        ended(one)
    is_plain(there)


def test_a_worker_of_a_process_is_killed(there):  # noqa: F811
    parent = sefa_process(there, "batch", "one.pkl", "two.pkl", *WORDS, "--outdir", "out", "--workers", "2")
    claims, end = there / "out/.batch/claims", time.monotonic() + 60
    killed = False
    while not killed and parent.poll() is None:
        assert time.monotonic() < end
        for path in claims.glob("*") if claims.exists() else ():
            try:
                pid = json.loads(path.read_text())["pid"]
            except (OSError, ValueError):
                continue
            if pid != parent.pid:
                os.kill(pid, signal.SIGKILL)
                killed = True
                break
        time.sleep(0.02)
    ended(parent)
    assert killed
    is_plain(there)


def test_ten_thousand_finished_shards_are_known_in_five_seconds(tmp_path):
    made_job(tmp_path, 10_000)
    start = time.process_time()
    state = running.state_of(tmp_path, jobs.load(tmp_path))
    assert time.process_time() - start < 5
    assert (state.done, state.waiting, state.left) == (10_000, 0, 0.0)
