"""Jobs of many networks: what is made, by whoever makes it, is what plain runs make, byte for byte."""

import errno
import json
import os
import shutil
import subprocess
import sys
import time

import pytest
from typed_commands import gen, refused, sefa

from sefa_plugin.batch import job as jobs
from sefa_plugin.batch import renders, running, shard
from sefa_plugin.batch.job import load
from sefa_plugin.rendering.shards import FramesError
from sefa_plugin.system import claims
from sefa_plugin.system.whole_files import this_host

pytestmark = pytest.mark.command

WORDS = ["--seeds", "3", "-K", "2", "--video", "none", "--distance", "2"]


@pytest.fixture(scope="module")
def nets(golden, tmp_path_factory):
    """Two small networks in a folder, and one more that is the first again."""
    folder = tmp_path_factory.mktemp("nets") / "snapshots"
    folder.mkdir()
    shutil.copy(golden("sg2-in-sg3-32").pickle, folder / "one.pkl")
    shutil.copy(golden("sg2-in-sg3-32").pickle, folder / "same.pkl")
    shutil.copy(golden("stylegan1-32").pickle, folder / "two.pkl")
    return folder


def content(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def plain(nets):
    """What plain runs make of both networks, in the folder ``out`` beside them; by name."""
    there = os.getcwd()
    os.chdir(nets.parent)
    try:
        for name in ("one", "two"):
            gen("--network", f"snapshots/{name}.pkl", *WORDS, "--outdir", f"out/{name}")
        made = {name: content(nets.parent / "out" / name) for name in ("one", "two")}
        shutil.rmtree("out")
    finally:
        os.chdir(there)
    return made


@pytest.fixture
def here(nets, monkeypatch):
    """The folder that commands are typed in; the job's folder ``out`` is removed at the end."""
    monkeypatch.chdir(nets.parent)
    yield nets.parent
    shutil.rmtree("out", ignore_errors=True)


def is_plain(plain):
    made = {name: content(running.Path("out") / name) for name in plain}
    for name, files in plain.items():
        assert made[name].keys() == files.keys()
        assert [file for file in files if made[name][file] != files[file]] == []
    return True


def test_a_job_makes_what_plain_runs_make(plain, here, monkeypatch):
    shown = sefa("batch", "snapshots", *WORDS, "--outdir", "out", "--dry-run")
    assert "6 shards of 2 networks" in shown.stdout and not (here / "out").exists()
    done = sefa("batch", "snapshots", *WORDS, "--outdir", "out")
    assert done.exit_code == 0, done.output
    assert "snapshots/same.pkl: left out: it is the same network as snapshots/one.pkl" in done.stderr
    assert "networks: 2, failures: 0" in done.stdout
    assert is_plain(plain)
    rows = [json.loads(row) for row in (here / "out/table.jsonl").read_text().splitlines()]
    assert [(row["network"], row["output"]) for row in rows] == [
        (name, f"sheets/{sheet}.jpg") for name in ("one", "two") for sheet in ("unedited", "all-dir00", "all-dir01")
    ]
    page = (here / "out/index.html").read_text()
    assert "href='one/index.html'" in page and "src='two/sheets/all-dir00.jpg'" in page
    # The second time nothing is made, from the files or without them.
    monkeypatch.setattr(running, "run_shard", None)
    assert sefa("batch", "snapshots", *WORDS, "--outdir", "out").exit_code == 0
    assert "6 shards of 6 done, 0 running, 0 waiting" in sefa("batch", "--outdir", "out", "--status").stdout
    # Names that were given since stay.
    sefa("name", "out/one", "0", "hat")
    assert sefa("merge", "out").exit_code == 0
    assert "hat" in sefa("name", "out/one").stdout
    refused(sefa("batch", "snapshots", "--outdir", "out"), 1, "holds a job with other options (--seeds 3 -K 2")
    refused(sefa("batch", "snapshots/one.pkl", *WORDS, "--outdir", "out"), 1, "other networks (snapshots/same.pkl")


def test_the_table_is_written_as_parquet_too(here):
    parquet = pytest.importorskip("pyarrow.parquet")
    assert sefa("batch", "snapshots", *WORDS, "--outdir", "out").exit_code == 0
    rows = [json.loads(row) for row in (here / "out/table.jsonl").read_text().splitlines()]
    held = parquet.read_table(here / "out/table.parquet").to_pylist()
    assert [{name: value for name, value in row.items() if value is not None} for row in held] == [
        {name: value for name, value in row.items() if value is not None} for row in rows
    ]


def test_shares_are_joined(plain, here):
    share = sefa("batch", "snapshots", *WORDS, "--outdir", "out", "--shard", "1/2")
    assert share.exit_code == 0 and "has 3 shards of 6" in share.stdout
    line = refused(sefa("merge", "out"), 1, "not all is there", "plan of one")
    assert all(block.id in line for block in load("out").blocks[:3])
    some = sefa("merge", "out", "--partial")
    assert some.exit_code == 1 and "(directions 1-1 of one) is not made" in some.stderr
    assert not (here / "out/one").exists() and content(here / "out/two") == plain["two"]
    assert "directions 1-1 of one" in (here / "out/index.html").read_text()
    assert sefa("batch", "--outdir", "out", "--shard", "0/2").exit_code == 0
    assert sefa("merge", "out").exit_code == 0
    assert is_plain(plain)


@pytest.mark.hard
def test_long_directions_are_cut_by_seeds(here, monkeypatch):
    """Stored pictures of some seeds each become the same sheets, clips and grid; then they are removed."""
    words = ["snapshots/one.pkl", "--seeds", "0-2", "-K", "2", "--frames", "3", "--video", "gif", "--grid"]
    words += ["--distance", "2", "--outdir"]
    gen("--network", *words, "out/one")
    made = {"one": content(here / "out/one")}
    shutil.rmtree("out")
    monkeypatch.setattr(jobs, "LONG", 0.01)
    monkeypatch.setattr(jobs, "LONGEST", 0.02)
    monkeypatch.setattr(renders, "AT_ONCE", 2 / 64)
    assert sefa("batch", *words, "out", "--shard", "0/2").exit_code == 0
    monkeypatch.setattr(jobs, "make_job", None)
    assert sefa("batch", "--outdir", "out", "--shard", "1/2").exit_code == 0
    pieces = [block for block in load("out").blocks if block.kind == jobs.PICTURES]
    assert [(block.first, block.start, block.stop) for block in pieces] == [
        (first, start, start + 1) for first in (0, 1) for start in range(3)
    ]
    assert shard.folder_of(here / "out", pieces[0]).exists()  # for the grid, which is in none of the shares
    assert "9 shards of 10 done" in sefa("batch", "--outdir", "out", "--status").stdout
    shown = sefa("merge", "out")
    assert shown.exit_code == 0, shown.output
    assert is_plain(made)
    assert not any(shard.folder_of(here / "out", block).exists() for block in pieces)
    assert "10 shards of 10 done" in sefa("batch", "--outdir", "out", "--status").stdout
    monkeypatch.setattr(running, "run_shard", None)
    assert sefa("batch", "--outdir", "out").exit_code == 0


SCORER = """
identity = "colours 1"
def score(pictures):
    means = pictures.reshape(len(pictures), -1, pictures.shape[-1]).mean(axis=1)
    return {"red": means[:, 0].astype(float), "green": means[:, 1].astype(float)}
score.identity = identity
"""


@pytest.mark.hard
def test_a_job_scores_what_a_plain_command_scores(here, monkeypatch):
    """In blocks of samples and of directions; names and tables are those of the command."""
    (here / "colours.py").write_text(SCORER)
    words = ["snapshots/one.pkl", "--scorer", "colours.py:score", "--samples", "70", "-K", "3", "--layers", "all,0-3"]
    plain = sefa("evaluate", "rescore", "--network", *words, "--outdir", "out/one")
    assert plain.exit_code == 0, plain.output
    made = {"one": content(here / "out/one")}
    shutil.rmtree("out")
    words += ["--evaluate", "rescore", "--outdir", "out"]
    monkeypatch.setattr(jobs, "FEWEST", 4)
    assert sefa("batch", *words, "--shard", "0/2").exit_code == 0
    done = sefa("batch", "--outdir", "out")
    assert done.exit_code == 0, done.output
    spans = [(block.start, block.stop, block.first, block.last) for block in load("out").blocks if block.stop]
    assert spans == [(0, 64, 0, 3), (0, 64, 3, 6), (64, 70, 0, 3), (64, 70, 3, 6)]
    assert is_plain(made)
    rows = [json.loads(row) for row in (here / "out/table.jsonl").read_text().splitlines()]
    assert len(rows) == 6 * 2 and rows[0]["network"] == "one"
    assert [rows[0]["direction"], rows[2]["direction"]] == [0, 1] and isinstance(rows[0]["change"], float)
    assert isinstance(rows[0]["attribute"], str)
    assert "src='one/evaluate/rescore-all.png'" in (here / "out/index.html").read_text()
    refused(sefa("batch", "snapshots/one.pkl", "--outdir", "out"), 1, "holds a job of", "evaluate rescore")


@pytest.mark.hard
def test_other_evaluations_are_one_shard_a_network(here):
    (here / "colours.py").write_text(SCORER)
    words = ["--evaluate", "hierarchy", "--scorer", "colours.py:score", "--samples", "2", "-K", "1"]
    done = sefa("batch", "snapshots/one.pkl", *words, "--outdir", "out")
    assert done.exit_code == 0, done.output
    assert len(load("out").blocks) == 1
    assert (here / "out/one/evaluate/hierarchy.png").exists()
    rows = [json.loads(row) for row in (here / "out/table.jsonl").read_text().splitlines()]
    assert {row["network"] for row in rows} == {"one"}


def test_an_evaluation_that_fails_is_named(here):
    (here / "broken.py").write_text("def score(pictures):\n    raise ValueError('no face')\n")
    words = ["--evaluate", "hierarchy", "--scorer", "broken.py:score", "--samples", "2"]
    done = sefa("batch", "snapshots/one.pkl", *words, "--outdir", "out")
    assert done.exit_code == 1 and "no face" in done.stderr
    refused(sefa("merge", "out"), 1, "command of one: all of it failed: ", "no face")


def test_a_list_of_networks_with_options_of_their_own(plain, here):
    entries = ["snapshots/t*.pkl", {"network": "snapshots/one.pkl"}]
    entries += [{"network": "snapshots/one.pkl", "options": "--trunc 0.5 --num-directions=1", "name": "half"}]
    entries += [{"network": "snapshots/one.pkl", "options": ["--trunc", "0.7"]}]
    (here / "jobs.json").write_text(json.dumps(entries))
    done = sefa("batch", "jobs.json", *WORDS, "--outdir", "out")
    assert done.exit_code == 0, done.output
    assert is_plain(plain)
    names = {network.name for network in load("out").networks}
    assert names == {"one", "two", "half", f"one-{load('out').networks[1].digest[:8]}"}
    half = content(here / "out/half")
    shutil.rmtree(here / "out")
    words = ["--seeds", "3", "--video", "none", "--distance", "2", "--trunc", "0.5", "--num-directions=1"]
    gen("--network", "snapshots/one.pkl", *words, "--outdir", "out/half")
    assert content(here / "out/half") == half


def test_every_share_of_two_makes_a_third(here):
    for count in (2, 3, 5, 8):
        words = ["--seeds", "0-1", "-K", str(count), "--frames", "8"]
        job = made_job("snapshots/one.pkl", *words)
        for place in (0, 1):
            own = sum(block.pictures for block in job.share(place, 2) if block.kind != jobs.PLAN)
            assert own >= sum(block.pictures for block in job.blocks if block.kind != jobs.PLAN) / 3
        both = {block.id for place in (0, 1) for block in job.share(place, 2)}
        assert both == {block.id for block in job.blocks}
        assert job == made_job("snapshots/one.pkl", *words)


def made_job(path, *words):
    from sefa_plugin.commands.batch import asked_by

    return jobs.make_job(
        [jobs.Request(path)], lambda *one: asked_by(["gen-sefa"], *one), ["gen-sefa"], words, pytest.fail
    )


def test_long_jobs_are_cut_by_the_table_of_costs(here):
    few, blocks = (made_job("snapshots/one.pkl", "-K", "32", "--seeds", seeds).blocks[1:] for seeds in ("0-9", "0-999"))
    assert len(few) == jobs.FEWEST < len(blocks) < 32 and not {one.id for one in few} & {one.id for one in blocks}
    assert blocks[0].first == 0 and blocks[-1].last == 32
    assert all(one.last == other.first for one, other in zip(blocks, blocks[1:]))
    each = min(block.seconds for block in blocks)
    assert all(jobs.LONG - each < block.seconds < jobs.LONG + each for block in blocks)


def test_failures_are_named_and_tried_again(plain, here):
    (here / "bad.pkl").write_bytes(b"\x80\x04N.")
    (here / "two.pkl").write_bytes((here / "snapshots/two.pkl").read_bytes())
    words = ["snapshots/one.pkl", "bad.pkl", "two.pkl", *WORDS, "--outdir", "out"]
    sefa("batch", *words, "--shard", "0/2")
    (here / "two.pkl").write_bytes((here / "snapshots/one.pkl").read_bytes())
    done = sefa("batch", *words)
    assert done.exit_code == 1
    assert "two.pkl: has changed since the job was made" in done.stderr and "Warning: bad.pkl: " in done.stderr
    assert content(here / "out/one") == plain["one"]
    status = sefa("batch", "--outdir", "out", "--status")
    assert status.exit_code == 1 and "failed: two: plan of two: two.pkl: has changed" in status.stdout
    assert "failed: bad.pkl: " in status.stdout and "2 waiting" in status.stdout
    refused(sefa("merge", "out"), 1, "bad.pkl", "plan of two: all of it failed: two.pkl: has changed")
    assert sefa("batch", *words).exit_code == 1  # not tried again
    for name in ("two", "bad"):
        shutil.copy(here / "snapshots/two.pkl", here / f"{name}.pkl")
    done = sefa("batch", *words, "--retry-failed")
    assert done.exit_code == 0, done.output
    assert "two.pkl: left out: it is the same network as bad.pkl" in done.stderr


def test_what_is_damaged_or_mixed_is_not_merged(plain, here):
    sefa("batch", "snapshots/one.pkl", *WORDS, "--outdir", "out", "--shard", "0/1")
    plan, first, last = load("out").blocks
    sheet = shard.folder_of(here / "out", first) / "made/sheets/all-dir00.jpg"
    held = sheet.read_bytes()
    sheet.write_bytes(held[:-1] + bytes([held[-1] ^ 1]))
    refused(sefa("merge", "out"), 1, "all-dir00.jpg: is damaged; remove ")
    sheet.write_bytes(held[:-1])  # of another size: the shard counts as not made
    refused(sefa("merge", "out"), 1, f"shard {first.id} (directions 0-0 of one) is not made")
    sheet.write_bytes(held)
    record = shard.folder_of(here / "out", last) / "record.json"
    held = json.loads(record.read_text())
    record.write_text(json.dumps({**held, "versions": {**held["versions"], "torch": "1.9"}}))
    refused(sefa("merge", "out"), 1, f"shard {last.id}", "with torch 1.9")
    other = {**held["computed"], "instructions": "SSE9"}
    record.write_text(json.dumps({**held, "computed": other}))
    assert "pictures were computed in 2 ways" in sefa("merge", "out").stderr
    (here / "out/index.html").write_text("mine")
    refused(sefa("merge", "out"), 1, "was not made by this program")
    place = here / "out" / jobs.PLACE / jobs.NAME
    place.write_text(place.read_text().replace('"numpy": "', '"numpy": "9.'))
    refused(sefa("batch", "--outdir", "out"), 1, "this job was made with numpy 9.")


def test_a_full_disk_ends_the_process_and_nothing_is_recorded(plain, here, monkeypatch):
    sefa("batch", "snapshots/one.pkl", *WORDS, "--outdir", "out", "--shard", "0/2")
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "sheets/all-dir01.jpg")
    with monkeypatch.context() as patched:
        patched.setattr(renders.Making, "make", lambda making, outputs: (_ for _ in ()).throw(full))
        refused(sefa("batch", "--outdir", "out"), 1, "No space left on device")
    assert "2 shards of 3 done, 0 running, 1 waiting, 0 failures" in sefa("batch", "--outdir", "out", "--status").stdout
    assert sefa("batch", "--outdir", "out").exit_code == 0
    assert content(here / "out/one") == plain["one"]


def test_an_output_that_fails_does_not_stop_the_others(here, monkeypatch):
    """Pixels that are not finite, for example: the record of the shard has the name and the reason."""
    make = renders.Making.make

    def broken(making, outputs):
        if "dir00" in outputs[0].name:
            raise FramesError("the network gives NaN")
        return make(making, outputs)

    with monkeypatch.context() as patched:
        patched.setattr(renders.Making, "make", broken)
        done = sefa("batch", "snapshots/one.pkl", *WORDS, "--outdir", "out")
    assert done.exit_code == 1 and "sheets/all-dir00.jpg failed: the network gives NaN" in done.stderr
    assert (here / "out/one/sheets/all-dir01.jpg").exists() and not (here / "out/one/sheets/all-dir00.jpg").exists()
    assert "all-dir00.jpg failed: the network gives NaN" in (here / "out/index.html").read_text()
    assert sefa("batch", "--outdir", "out", "--retry-failed").exit_code == 0


def test_an_error_that_came_of_a_signal_is_no_failure(here, monkeypatch):
    """Interrupted code may raise another error, such as that of a pipe."""

    def stopped(making, outputs):
        try:
            raise KeyboardInterrupt
        finally:
            raise FramesError("the pipe is gone")

    with monkeypatch.context() as patched:
        patched.setattr(renders.Making, "make", stopped)
        assert sefa("batch", "snapshots/one.pkl", *WORDS, "--outdir", "out").exit_code == 130
    assert "1 shards of 3 done, 0 running, 2 waiting, 0 failures" in sefa("batch", "--outdir", "out", "--status").stdout


def test_claims_of_the_dead_are_taken(tmp_path):
    path = tmp_path / "shard"
    with claims.claimed(path) as ours:
        assert ours and claims.holder(path)
        with claims.claimed(path) as again:
            assert not again
    assert not path.exists()
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    path.write_text(json.dumps({"host": this_host(), "name": "x", "pid": dead.pid}))
    with claims.claimed(path) as ours:
        assert ours
    elsewhere = json.dumps({"host": "0", "name": "far", "pid": 1})
    for text, words in ((elsewhere, "far, process 1"), ("", "a process that was killed")):
        path.write_text(text)
        assert words in claims.holder(path)
        os.utime(path, times=(time.time() - 2 * claims.STALE,) * 2)
        assert not claims.holder(path) and not path.exists()


def test_clocks_of_computers_may_differ(tmp_path, monkeypatch):
    """The age of a claim is by the clock of the disk alone."""
    (tmp_path / "shard").write_text(json.dumps({"host": "0", "name": "far", "pid": 1}))
    for skew in (-1e6, 1e6):
        monkeypatch.setattr(time, "time", lambda skew=skew: time.monotonic() + skew)
        assert "far, process 1" in claims.holder(tmp_path / "shard")


def test_a_claim_shows_signs_of_life(tmp_path):
    with claims.claimed(tmp_path / "shard", beat=0.01):
        os.utime(tmp_path / "shard", times=(0, 0))
        end = time.monotonic() + 10
        while (tmp_path / "shard").stat().st_mtime == 0:
            assert time.monotonic() < end
            time.sleep(0.01)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["batch", "--outdir", "out"], "holds no job; make one"),
        (["batch", "snapshots", "--outdir", "out", "--shard", "2/2"], "expected a share like 0/4"),
        (["batch", "none*", "--outdir", "out"], "no network there"),
        (
            ["batch", "snapshots", "--outdir", "out", "--sharpen", "layers", "--no-normalize"],
            "leave out --no-normalize",
        ),
        (["batch", "snapshots", "--outdir", "out", "--device", "none"], "none"),
        (
            ["batch", "snapshots", "--outdir", "out", "--samples", "9"],
            "--samples is no option of gen_sefa.py; it is one of",
        ),
        (
            ["batch", "snapshots", "--outdir", "out", "--evaluate", "rescore", "--fps", "9"],
            "--fps is no option of --eval",
        ),
        (["batch", "snapshots", "--outdir", "out", "--evaluate", "rescore"], "Missing option '--scorer'"),
        (["batch", "none.json", "--outdir", "out"], "none.json: No such file"),
        (["batch", "snapshot", "--outdir", "out"], "none of these networks can be opened"),
        (["batch", "empty.json", "--outdir", "out"], "empty.json: holds no network"),
        (["batch", "wrong.json", "--outdir", "out"], "wrong.json: is no list of networks, like"),
        (["batch", "name.json", "--outdir", "out"], "'../x' cannot be the name of a folder"),
        (["batch", "many.json", "--outdir", "out"], "3 networks cannot have one name"),
        (["batch", "option.json", "--outdir", "out"], "No such option '--sedes'"),
    ],
)
def test_what_is_refused(here, words, says):
    for name, entry in (("name", {"name": "../x"}), ("many", {"name": "x"}), ("option", {"options": "--sedes 1"})):
        (here / f"{name}.json").write_text(json.dumps([{"network": "snapshots", **entry}]))
    (here / "empty.json").write_text("[]")
    (here / "wrong.json").write_text('{"networks": 3}')
    result = sefa(*words)
    assert result.exit_code in (1, 2) and says in result.stderr and not (here / "out").exists()
