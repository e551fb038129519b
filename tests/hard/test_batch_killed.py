"""Jobs whose processes are killed anywhere, and large ones: nothing is lost but the shards in flight."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time

import pytest
from places import ROOT

from sefa_plugin.batch import job as jobs
from sefa_plugin.batch import running, shard

pytestmark = pytest.mark.hard
WORDS = ["--seeds", "0-1", "-K", "3", "--frames", "8"]
ENV = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}


def sefa(folder, *words, program=("-m", "sefa_plugin")):
    return subprocess.Popen(
        [sys.executable, *program, *words], cwd=folder, env=ENV, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )


def ended(process):
    _, text = process.communicate(timeout=300)
    assert process.returncode == 0, text.decode()


def content(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def there(golden, tmp_path_factory):
    """A folder with two networks, what plain runs make of them, and a copy of gen_sefa.py."""
    folder = tmp_path_factory.mktemp("killed")
    shutil.copy(golden("sg2-in-sg3-32").pickle, folder / "one.pkl")
    shutil.copy(golden("sg2ada-skip-64").pickle, folder / "two.pkl")
    shutil.copy(ROOT / "gen_sefa.py", folder)
    for name in ("one", "two"):
        words = ["--network", f"{name}.pkl", *WORDS, "--outdir", f"out/{name}"]
        ended(sefa(folder, *words, program=["gen_sefa.py"]))
    (folder / "out").rename(folder / "plain")
    return folder


def is_plain(folder):
    for name in ("one", "two"):
        made, plain = (content(folder / top / name) for top in ("out", "plain"))
        assert made.keys() == plain.keys()
        assert [file for file in plain if made[file] != plain[file]] == []


@pytest.mark.parametrize("seed", [0, 1])
def test_workers_are_killed_at_random(there, seed):
    """Three processes at a time, each killed after a while and started again; then one that is left alone."""
    shutil.rmtree(there / "out", ignore_errors=True)
    draw, words = random.Random(seed), ["batch", "one.pkl", "two.pkl", *WORDS, "--outdir", "out"]
    for _ in range(3):
        workers = [sefa(there, *words) for _ in range(3)]
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
    ended(sefa(there, "batch", "--outdir", "out"))
    for one, when in times.items():
        assert (there / "out/.batch/done" / one / "record.json").stat().st_mtime_ns == when, "made twice"
    is_plain(there)
    assert not list((there / "out/.batch/claims").iterdir())
    assert len(list((there / "out/.batch/done").iterdir())) == len(job.blocks)


def test_workers_and_shares_in_any_order(there):
    shutil.rmtree(there / "out", ignore_errors=True)
    words = ["batch", "one.pkl", "two.pkl", *WORDS, "--outdir", "out"]
    for place in (2, 0):
        ended(sefa(there, *words, "--shard", f"{place}/3"))
    shares = [sefa(there, *words, "--workers", "3")]
    for one in shares:
        ended(one)
    is_plain(there)


def test_a_worker_of_a_process_is_killed(there):
    shutil.rmtree(there / "out", ignore_errors=True)
    parent = sefa(there, "batch", "one.pkl", "two.pkl", *WORDS, "--outdir", "out", "--workers", "2")
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
        for place in range(10_000)
    ]
    job = jobs.Job((), (), {}, (), tuple(jobs.Network(f"{n}.pkl", str(n), "x") for n in range(500)), tuple(blocks))
    jobs.save(job, tmp_path)
    for block in blocks:
        place = shard.folder_of(tmp_path, block)
        place.mkdir(parents=True)
        files = {}
        for name in ("a.jpg", "b.mp4"):
            (place / name).write_bytes(b"x")
            files[name] = ("0" * 64, 1)
        record = shard.Record(block.id, files, {}, 100, 60.0, "here", {}, {})
        (place / "record.json").write_bytes(shard.msgspec.json.encode(record))
    start = time.process_time()
    state = running.state_of(tmp_path, jobs.load(tmp_path))
    assert time.process_time() - start < 5
    assert (state.done, state.waiting, state.left) == (10_000, 0, 0.0)
