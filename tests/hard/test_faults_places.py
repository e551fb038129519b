"""Folders that vanish or cannot be written, files in the way, networks that change, and two runs in one place."""

from __future__ import annotations

import errno
import io
import json
import os
import shutil
import signal
import time

import pytest
from click.testing import CliRunner
from faults import NO_MOUNTS, Process, content, finish, hidden, one_line, read_only, warm

from sefa_plugin import Directions
from sefa_plugin.commands import cli
from sefa_plugin.directions.kept import joined
from sefa_plugin.networks.building import build_network
from sefa_plugin.networks.opening import open_network
from sefa_plugin.reading.network_record import NetworkFileError
from sefa_plugin.runs.record import Manifest
from sefa_plugin.system import whole_files as atomic

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="runs commands in forked processes")
WORDS = ["--seeds", "0", "--frames", "4", "--distance", "3", "--video", "png"]


@pytest.fixture(scope="module")
def net(golden):
    return golden("sg2ada-skip-64").pickle


def run(command, *words):
    result = CliRunner().invoke(command, [str(word) for word in words])
    return result.exit_code, result.stderr


# --- what killed processes leave ------------------------------------------------------------------


def left(folder, pid=None, host=None):
    """What a process that is gone, or is not, was writing in."""
    pid = _dead() if pid is None else pid
    path = folder / f".sefa-{host or atomic.this_host()}-{pid}-{os.urandom(4).hex()}"
    path.mkdir()
    (path / "a.mp4").write_bytes(b"half")
    return path


def _dead():
    pid = os.fork()
    if not pid:
        os._exit(0)
    os.waitpid(pid, 0)
    return pid


@needs_fork
def test_what_is_left_of_dead_processes_goes_and_nothing_else(tmp_path):
    gone = [left(tmp_path), left(tmp_path, host="0" * 8)]
    (gone[0] / "deeper").mkdir()
    kept = [left(tmp_path, pid=os.getppid()), left(tmp_path, host="1" * 8), tmp_path / ".hidden", tmp_path / "sefa-1"]
    kept += [tmp_path / ".sefa-abc", tmp_path / f".sefa-{atomic.this_host()}-{_dead()}", tmp_path / "seen"]
    for path in kept[2:]:
        path.write_bytes(b"x")
    old = time.time() - atomic.OLD - 100
    os.utime(gone[1], (old, old))  # of another machine, but of long ago
    with atomic.whole_file(tmp_path / "mine.txt") as mine:
        mine.write_bytes(b"x")
        atomic.sweep(tmp_path)
        assert mine.exists()
    assert not [path for path in gone if path.exists()]
    assert all(path.exists() for path in kept)
    atomic.sweep(tmp_path / "nowhere")


@needs_fork
def test_a_folder_that_was_moved_aside_comes_back(tmp_path):
    half = left(tmp_path)
    (half / "old" / "frames").mkdir(parents=True)
    (half / "old" / "frames" / "frame0000.png").write_bytes(b"old")
    atomic.sweep(tmp_path)
    assert content(tmp_path) == {"frames/frame0000.png": b"old"}
    half = left(tmp_path)
    (half / "old" / "frames").mkdir(parents=True)  # the new one had taken its place already
    atomic.sweep(tmp_path)
    assert content(tmp_path) == {"frames/frame0000.png": b"old"} and hidden(tmp_path) == []


@needs_fork
def test_what_was_passed_on_sweeps_nothing_of_its_users(tmp_path):
    """A folder that was unpacked may hold what looks left behind, and links to folders of its user."""
    out, mine = tmp_path / "out", tmp_path / "mine"
    out.mkdir()
    (mine / "old" / "letters").mkdir(parents=True)
    os.utime(mine, (1e9, 1e9))
    (out / f".sefa-{'0' * 8}-1-{'0' * 8}").symlink_to(mine)
    (left(out) / "old").symlink_to(mine / "old")
    atomic.sweep(out)
    assert (mine / "old" / "letters").is_dir() and not (out / "letters").exists()


# --- places ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("when", ["write_sheet", "write_video"])
def test_a_folder_that_vanishes_during_a_run(net, tmp_path, monkeypatch, when):
    """Whatever is made again afterwards: a run whose outputs are not there has not ended well."""
    from sefa_plugin.runs import making

    write, out = getattr(making, when), tmp_path / "out"

    def vanishing(path, *args, **options):
        result = write(path, *args, **options)
        if path.name.startswith("all-dir"):
            shutil.rmtree(out)
        return result

    monkeypatch.setattr(making, when, vanishing)
    words = ["--network", net, *WORDS, "-K", "1", "--outdir", out]
    one_line(*run(cli.gen_sefa, *words))
    monkeypatch.undo()
    assert run(cli.gen_sefa, *words)[0] == 0
    assert (out / "videos" / "all-dir00" / "frame0003.png").is_file() and (out / "sheets" / "unedited.jpg").is_file()


def test_outputs_that_vanish_are_said_at_the_end(net, tmp_path, monkeypatch):
    from sefa_plugin.runs import making

    write, out = making.write_video, tmp_path / "out"

    def vanishing(*args, **options):
        shutil.rmtree(out / "sheets")
        return write(*args, **options)

    monkeypatch.setattr(making, "write_video", vanishing)
    line = one_line(*run(cli.gen_sefa, "--network", net, *WORDS, "-K", "1", "--outdir", out))
    assert "sheets" in line and "is gone" in line


@pytest.mark.parametrize(
    ("blocked", "made"),
    [("out", "file"), ("out/sheets", "file"), ("out/videos", "file"), ("out/index.html", "folder")]
    + [("out/sheets/all-dir00.jpg", "folder"), ("out/videos/all-dir00", "file"), ("out/run.json", "folder")]
    + [("out/directions.safetensors", "folder"), ("out/sheets", "link to itself")],
)
def test_something_else_in_its_place(net, tmp_path, blocked, made):
    path = tmp_path / blocked
    path.parent.mkdir(parents=True, exist_ok=True)
    if made == "file":
        path.write_bytes(b"mine")
    elif made == "folder":
        path.mkdir()
    else:
        path.symlink_to(path.name)
    line = one_line(*run(cli.gen_sefa, "--network", net, *WORDS, "-K", "1", "--outdir", tmp_path / "out"))
    assert path.name in line and ".sefa-" not in line
    assert made != "file" or path.read_bytes() == b"mine"
    assert hidden(tmp_path) == []


@pytest.mark.parametrize("name", ["run.json", "index.html", "sheets", "directions.safetensors"])
def test_links_in_the_output_folder_lead_nowhere_else(net, tmp_path, name):
    """A folder that was unpacked may hold links to files of its user."""
    out, mine = tmp_path / "out", tmp_path / "mine"
    out.mkdir()
    mine.mkdir()
    (mine / "bashrc").write_bytes(b"mine")
    (out / name).symlink_to(mine if name == "sheets" else mine / "bashrc")
    line = one_line(*run(cli.gen_sefa, "--network", net, *WORDS, "-K", "1", "--outdir", out))
    assert "leads out of it" in line and name in line
    assert [path.name for path in mine.iterdir()] == ["bashrc"] and (mine / "bashrc").read_bytes() == b"mine"


@needs_fork
@pytest.mark.parametrize("place", ["out", "out/sheets", "out/videos"])
def test_a_folder_that_cannot_be_written(net, tmp_path, place):
    """A read-only mount, which root has to respect too."""
    out = tmp_path / "out"
    words = ["gen", "--network", str(net), *WORDS, "-K", "1", "--outdir", str(out)]
    assert finish(tmp_path, words)[0] == 0
    before = content(out)
    code, told = finish(tmp_path, [*words, "--overwrite"], lambda: read_only(tmp_path / place))
    if code == NO_MOUNTS:
        pytest.skip("nothing can be mounted here")
    assert place in one_line(code, told)
    assert (os.strerror(errno.EROFS) in told) or "cannot be written to; choose another place" in told
    found = content(out)
    assert found.keys() == before.keys()
    assert {name for name in found if found[name] != before[name]} <= {"index.html", "run.json"}
    if place == "out/videos":  # where it is not needed it does not matter
        assert finish(tmp_path, words, lambda: read_only(tmp_path / place))[0] == 0


# --- networks that change -------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["written to", "cut", "removed", "replaced"])
def test_a_network_that_changes_between_opening_and_building(golden, net, tmp_path, how):
    path = tmp_path / "net.pkl"
    shutil.copy(net, path)
    opened = open_network(path)
    data = path.read_bytes()
    if how == "written to":
        with open(path, "r+b") as file:
            file.write(data[:1000] + bytes(100))
    elif how == "cut":
        os.truncate(path, 5000)
    elif how == "removed":
        path.unlink()
    else:
        shutil.copy(golden("sg3t-64").pickle, tmp_path / "other.pkl")
        os.replace(tmp_path / "other.pkl", path)
    if how in ("removed", "replaced"):  # what was opened is still there
        assert build_network(opened).sefa.digest == open_network(net).record.digest()
    else:
        with pytest.raises(NetworkFileError, match="was written to while it was read"):
            build_network(opened)


def test_a_network_that_changes_while_pictures_are_made(net, tmp_path, monkeypatch):
    from sefa_plugin.runs import making

    path, write = tmp_path / "net.pkl", making.write_sheet
    shutil.copy(net, path)
    assert run(cli.gen_sefa, "--network", path, *WORDS, "-K", "1", "--outdir", tmp_path / "made")[0] == 0
    (tmp_path / "made").rename(tmp_path / "whole")

    def changing(*args, **options):
        path.write_bytes(b"something else")
        return write(*args, **options)

    monkeypatch.setattr(making, "write_sheet", changing)
    assert run(cli.gen_sefa, "--network", path, *WORDS, "-K", "1", "--outdir", tmp_path / "made")[0] == 0
    whole, changed = (content(tmp_path / name / "videos") for name in ("whole", "made"))
    assert whole == changed


# --- two runs in one folder -----------------------------------------------------------------------


@needs_fork
def test_two_runs_at_once_share_a_folder(net, tmp_path):
    """Other directions of one network: in the end record, page and folder hold those of both."""
    words = [["gen", "--network", str(net), *WORDS, "--directions", which] for which in ("0,1", "2,3")]
    warm([*words[0], "--outdir", str(tmp_path / "warm")])
    folder = tmp_path / "shared"
    (folder / "0").mkdir(parents=True)
    (folder / "1").mkdir()
    out = ["--outdir", str(folder / "out")]
    processes = [Process(folder / str(who), [*words[who], *out]) for who in range(2)]
    assert [process.end() for process in processes] == [0, 0], [process.told for process in processes]
    record = json.loads((folder / "out" / "run.json").read_text())["outputs"]
    assert {name for name in record if "all" in name} == {
        f"{kind}/all-dir0{index}{suffix}" for kind, suffix in (("sheets", ".jpg"), ("videos", "")) for index in range(4)
    }
    page = (folder / "out" / "index.html").read_text(encoding="utf-8")
    assert all(f"all-dir0{index}-title" in page for index in range(4))
    assert "More is being rendered" not in page
    assert hidden(folder) == []
    for who in range(2):  # nothing is left to do
        code, told = finish(folder / str(who), [*words[who], *out])
        assert code == 0 and "0 outputs made, 4 kept" in told, told


@needs_fork
def test_the_same_run_twice_at_once(net, tmp_path):
    words = ["gen", "--network", str(net), *WORDS[:-2], "-K", "1", "--outdir", "out"]
    warm([*words[:-1], str(tmp_path / "warm")])
    (tmp_path / "alone").mkdir()
    assert finish(tmp_path / "alone", words)[0] == 0
    (tmp_path / "both").mkdir()
    for process in [Process(tmp_path / "both", words) for _ in range(3)]:
        assert process.end() == 0, process.told
    both, alone = (content(tmp_path / name) for name in ("both", "alone"))
    assert both.keys() == alone.keys()
    assert [name for name in both if both[name] != alone[name]] == []
    assert hidden(tmp_path) == []


@needs_fork
def test_nobody_waits_for_a_run_that_was_killed(net, tmp_path):
    """The lock on a record dies with its process."""
    pid = os.fork()
    if not pid:
        with atomic.alone_in(tmp_path):
            (tmp_path / "held").touch()
            time.sleep(60)
    while not (tmp_path / "held").exists():
        time.sleep(0.01)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    Manifest(tmp_path, ["x"], {"name": "x"}).write()
    assert (tmp_path / "run.json").is_file()


def test_a_name_that_is_given_while_a_run_goes_on_stays(net, tmp_path, monkeypatch):
    from sefa_plugin.runs import making

    out, write = tmp_path / "out", making.write_sheet
    words = ["--network", net, "--seeds", "0", "-K", "2", "--video", "none", "--outdir", out]  # ranges are measured

    def naming(path, *args, **options):
        if path.name == "all-dir00.jpg":
            assert run(cli.sefa, "name", out, "0", "smile")[0] == 0
        return write(path, *args, **options)

    monkeypatch.setattr(making, "write_sheet", naming)
    assert run(cli.gen_sefa, *words)[0] == 0
    held = Directions.load(out / "directions.safetensors")
    assert held.names == ("smile", "") and None not in held.ranges


def test_what_two_runs_know_of_directions_is_joined(golden, net):
    from sefa_plugin import factorize, load_network

    found = factorize(load_network(net), num_directions=3)
    one = found.with_range(0, 1.0, -1.0, 2.0, "", (1.5, 0.1))
    two = found.with_range(1, 1.5, -3.0, 3.0, "low").named(2, "hair")
    both = joined(one, two)
    assert both.ranges == ((-1.0, 2.0), (-3.0, 3.0), None)
    assert both.priors == ((1.5, 0.1), None, None)
    assert both.names == ("", "", "hair") and both.broken == ("", "low", "")
    mine = joined(found.with_range(0, 2.0, -5.0, 5.0), one)
    assert mine.ranges[0] == (-5.0, 5.0)
    other = factorize(load_network(net), normalize=False, num_directions=3)
    assert joined(one, other) is one


@pytest.mark.parametrize("name", ["directions.safetensors", "run.json"])
def test_what_an_earlier_run_has_left_and_cannot_be_read_is_not_replaced(net, tmp_path, monkeypatch, name):
    """It may hold names that a person has given: a file server that stumbles must not cost them."""
    out = tmp_path / "out"
    words = ["--network", net, *WORDS, "-K", "1", "--outdir", out]
    assert run(cli.gen_sefa, *words)[0] == 0
    before, opened = (out / name).read_bytes(), io.open

    def refusing(path, *args, **options):
        if os.fspath(path) == str(out / name):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return opened(path, *args, **options)

    monkeypatch.setattr("builtins.open", refusing)
    monkeypatch.setattr(io, "open", refusing)
    line = one_line(*run(cli.gen_sefa, *words))
    monkeypatch.undo()
    assert name in line and os.strerror(errno.EACCES) in line
    assert (out / name).read_bytes() == before
    assert run(cli.gen_sefa, *words)[0] == 0
