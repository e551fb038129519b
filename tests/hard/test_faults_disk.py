"""A disk that is full at any write: the error names the output, what was there stays, and nothing is left."""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from faults import NO_MOUNTS, Campaign, at_most, content, finish, hidden, mount, one_line, warm

from sefa_plugin import factorize, load_network
from sefa_plugin.commands import cli
from sefa_plugin.directions.exporting import LAYOUTS, export
from sefa_plugin.evaluate.methods.interfacegan import save_boundary
from sefa_plugin.evaluate.samples.parts import Parts
from sefa_plugin.evaluate.tables.heatmap import Heatmap
from sefa_plugin.evaluate.tables.table import FORMATS, Table
from sefa_plugin.media.frame_store import FrameList, FrameStore
from sefa_plugin.media.gif import write_gif
from sefa_plugin.media.mp4 import VideoError
from sefa_plugin.media.sheet import write_sheet
from sefa_plugin.media.video import write_video
from sefa_plugin.reading.network_file import read_network, write_converted
from sefa_plugin.rendering.edits import edit_of
from sefa_plugin.rendering.look import Look
from sefa_plugin.runs.page.html import Card, Section, write_page
from sefa_plugin.runs.recipe import Recipe
from sefa_plugin.runs.record import Manifest
from sefa_plugin.system import whole_files as atomic

resource = pytest.importorskip("resource")
needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="runs commands in forked processes")
NOISE = [np.random.RandomState(seed).randint(0, 256, (48, 48, 3)).astype(np.uint8) for seed in range(4)]
CELLS = {"row_labels": ["a", "b"], "column_labels": ["c", "d"]}
SMALL = ["--seeds", "0", "-K", "1", "--frames", "4", "--distance", "3", "--outdir", "out"]


@pytest.fixture(scope="module")
def net(golden):
    return golden("sg2ada-skip-64").pickle


@pytest.fixture(scope="module")
def writers(net):
    """For each kind of output by its name what writes it to a path, with something of its own at each call."""
    G, rows = load_network(net), [NOISE[:2], NOISE[2:]]
    directions, record = factorize(G, num_directions=8), read_network(net)
    table = Table("t", ["a", "b"], [["x", index] for index in range(900)])
    network = {"path": "n", "name": "n", "which": "G_ema", "digest": G.sefa.digest}
    edit = edit_of(directions, 0, 2.0)
    recipe = Recipe(network=network, seeds=(0,), look=Look(), edits=(edit,))
    card = Card("a", "b", command="x" * 5000)

    def record_of(path: Path) -> None:
        made = Manifest(path.parent, ["x"], {"name": "x" * 5000})
        made.write()

    def part(path: Path) -> None:
        held = Parts(path.parent)
        held.path = lambda about: path
        held.of({}, lambda: {"x": np.arange(3000.0)}, {"x": ("f", (3000,))})

    return {
        "sheet.jpg": lambda path: write_sheet(path, rows, **CELLS),
        "sheet.png": lambda path: write_sheet(path, rows, **CELLS),
        "video.mp4": lambda path: write_video(path, NOISE),
        "video.gif": lambda path: write_gif(path, [frame // 16 * 16 for frame in NOISE], 15),
        "frames": lambda path: write_video(path, NOISE),
        "index.html": lambda path: write_page(path, title="x", facts=[], sections=[Section("a", "b", "c", [card])]),
        "run.json": record_of,
        "recipe.json": recipe.save,
        "directions.safetensors": directions.save,
        "network.safetensors": lambda path: write_converted(record, path),
        "part.npz": part,
        "smile_boundary.npy": lambda path: save_boundary(path, np.ones(3000)),
        "heat.png": lambda path: Heatmap(np.eye(3), ["a"] * 3, ["b"] * 3).write(path),
        **{f"table{suffix}": table.write for suffix in FORMATS if suffix != ".png"},
        "table.png": lambda path: Table("t", ["a", "b"], [["x", 1]] * 9).write(path),
        **{f"{layout}.bin": lambda path, to=layout: export(directions, to, path) for layout in LAYOUTS},
    }


KINDS = ["sheet.jpg", "sheet.png", "video.mp4", "video.gif", "frames", "index.html", "run.json", "recipe.json"]
KINDS += ["directions.safetensors", "network.safetensors", "part.npz", "smile_boundary.npy", "heat.png", "table.csv"]
KINDS += ["table.json", "table.md", "table.png", *(f"{layout}.bin" for layout in LAYOUTS)]


@pytest.mark.parametrize("kind", KINDS)
def test_wherever_a_file_stops_growing(writers, tmp_path, capfd, kind):
    """The operating system refuses the write that goes beyond a size, for sizes all over the file."""
    path = tmp_path / kind
    write = writers[kind]
    write(path)
    size = max(file.stat().st_size for file in ([path] if path.is_file() else path.iterdir()))
    fresh = kind == "part.npz"  # what is there is not written again
    if fresh:
        path.unlink()
    before = content(tmp_path)
    count = 3 if kind.endswith("mp4") else 12  # ffmpeg starts anew for each
    for limit in sorted({0, 1, size // 2, size - 1, *(size * step // count for step in range(1, count))}):
        with pytest.raises((OSError, VideoError)) as caught, at_most(limit):
            write(path)
        assert content(tmp_path) == before, limit
        assert hidden(tmp_path) == [], limit
        if isinstance(caught.value, OSError) and "temporary files" not in str(caught.value):
            assert str(caught.value.filename) == str(path), limit
    assert capfd.readouterr() == ("", "")
    write(path)


def test_every_kind_of_output_is_here(writers):
    assert set(KINDS) == set(writers)


def test_a_full_temporary_folder_is_named_and_costs_a_store_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with FrameList() as frames, at_most(10_000):
        frames.append(NOISE[0])
        with pytest.raises(OSError, match="TMPDIR"):
            frames.append(NOISE[1])
        assert np.array_equal(frames[0], NOISE[0])
    with FrameStore() as store, at_most(10_000):
        for index, frame in enumerate(NOISE):
            store.put(index, frame)
        assert [index in store for index in range(4)] == [True, False, False, False]
        assert np.array_equal(store.get(0), NOISE[0])


@needs_fork
@pytest.mark.parametrize("kind", ["edit", "mp4"])
def test_a_run_whose_nth_output_finds_no_room(net, tmp_path, monkeypatch, kind):
    """Whatever output it is that cannot be put in its place: one line, all others whole, and then it goes on."""
    words = {
        "edit": ["edit", "--seeds", "0-1", "--edit", "0=2", "--outdir", "out", "--network", str(net)],
        "mp4": ["gen", *SMALL, "--network", str(net)],
    }[kind]
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    monkeypatch.chdir(tmp_path)
    warm(words)
    campaign = Campaign.of(tmp_path / "undisturbed", words, temporary)

    def fails_at(number: int) -> None:
        left, replace = [number], os.replace

        def full(source, target):
            left[0] -= 1
            if left[0] == 0:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(source), None, str(target))
            replace(source, target)

        atomic.os.replace = full  # in the forked process

    for number in range(1, 100, 1 if kind == "edit" else 3):
        folder = tmp_path / str(number)
        folder.mkdir()
        code, told = finish(folder, words, lambda number=number: fails_at(number))
        if code == 0:
            break
        assert os.strerror(errno.ENOSPC) in one_line(code, told) and ".sefa-" not in told, told
        campaign.check_whole(folder, told)
        assert hidden(folder, temporary) == []
        if number in (2, 7, 10):
            campaign.again(folder)
    assert number > 7
    assert content(folder) == campaign.whole


@needs_fork
def test_a_real_disk_that_is_full(net, tmp_path, monkeypatch):
    """A file system of a few kilobytes, of every size until the run fits."""
    out = tmp_path / "disk"
    out.mkdir()
    words = ["gen", *SMALL[:-1], str(out), "--network", str(net)]
    warm([*words[:-3], str(tmp_path / "warm"), *words[-2:]])
    sizes = []
    for blocks in (0, 1, 2, 4, 8, 16, 32, 1024):

        def full(blocks=blocks) -> None:
            """A tmpfs over ``out``; what is left there at the end is told."""
            mount("none", out, "tmpfs", 0, f"size={4 * blocks or 1}k,nr_inodes=200")
            if not blocks:
                (out / "filler").write_bytes(bytes(4096))
            ended = os._exit

            def leave(status: int) -> None:
                os.write(1, f"\nleft: {sorted(os.path.relpath(p, out) for p in out.rglob('*'))}\n".encode())
                ended(status)

            os._exit = leave

        code, told = finish(tmp_path, words, full)
        if code == NO_MOUNTS:
            pytest.skip("no file systems can be mounted here")
        assert "'." not in told.split("left: ")[1] and "/." not in told.split("left: ")[1], told
        if code == 0:
            break
        line = one_line(code, told)
        assert os.strerror(errno.ENOSPC) in line or "disk full" in line, told
        assert str(out) in line, told
        sizes.append(blocks)
    assert code == 0 and len(sizes) >= 5, sizes


def test_a_disk_that_is_full_from_the_start_is_said_before_any_work(net, tmp_path, monkeypatch):
    monkeypatch.setattr(
        "sefa_plugin.runs.each_direction.make_outputs", lambda *args, **options: pytest.fail("the work began")
    )
    with at_most(100):
        result = CliRunner().invoke(cli.gen_sefa, ["--network", str(net), *SMALL[:-1], str(tmp_path / "out")])
    one_line(result.exit_code, result.stderr)
    assert content(tmp_path) == {}
