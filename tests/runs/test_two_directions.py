"""Two directions at once: every picture is where its labels say, and the video closes."""

import json
import shlex
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from typed_commands import decode, refused, sefa

from sefa_plugin import edit, factorize, load_network, render
from sefa_plugin.rendering.edits import Edit
from sefa_plugin.runs.output_settings import COLUMNS
from sefa_plugin.runs.two_directions import Axis, round_trip


@pytest.fixture(scope="module")
def net(golden):
    return golden("sg2-in-sg3-32").pickle


def axis(low, high):
    return Axis(Edit(np.eye(4)[0], 1.0, (0,)), low, high)


@pytest.mark.parametrize("shape", ["ellipse", "corners"])
@pytest.mark.parametrize("frames", [40, 41, 1, 3])
def test_round_trips(shape, frames):
    across, down = axis(-2, 3), axis(0, 1.5)
    line = np.array(round_trip(across, down, frames, shape))
    assert line.shape == (frames, 2)
    assert (line >= [-2, 0]).all() and (line <= [3, 1.5]).all()
    if frames < 40:
        return
    assert line.max(axis=0) == pytest.approx([3, 1.5], abs=0.02)
    assert line.min(axis=0) == pytest.approx([-2, 0], abs=0.02)
    steps = np.linalg.norm(line - np.roll(line, 1, axis=0), axis=1)
    assert steps[0] < 2 * np.median(steps)  # the seam is like any other step
    turns = line - 2 * np.roll(line, 1, axis=0) + np.roll(line, 2, axis=0)
    assert np.linalg.norm(turns, axis=1).max() < 0.3  # no jump in velocity
    if shape == "corners" and frames == 40:
        for corner in [(-2, 0), (3, 0), (3, 1.5), (-2, 1.5)]:
            assert (line == corner).all(axis=1).any()
    if shape == "ellipse":
        assert np.square((line - [0.5, 0.75]) / [2.5, 0.75]).sum(axis=1) == pytest.approx(np.ones(frames))
    with pytest.raises(ValueError, match="ellipse, corners"):
        round_trip(across, down, frames, "star")


def test_sheets_and_a_video(net, tmp_path):
    words = ["plane", "--network", net, "--across", "0=2", "--down", "coarse:-1=-1,3", "--seeds", "4,6"]
    words += ["--trunc", "0.8", "--frames", "6", "--video", "png", "--outdir", tmp_path]
    assert sefa(*words).exit_code == 0
    stem = "all-dir00-coarse-dir31"
    made = {path.name for path in tmp_path.rglob("*") if path.is_file()}
    assert made == {
        "index.html",
        "run.json",
        f"{stem}-seed4.jpg",
        f"{stem}-seed6.jpg",
        *(f"frame000{index}.png" for index in range(6)),
    }
    outputs = json.loads((tmp_path / "run.json").read_text())["outputs"]
    about = outputs[f"sheets/{stem}-seed6.jpg"]["about"]
    G = load_network(net)
    across, down = factorize(G), factorize(G, "coarse")
    ws = G.mapping(torch.from_numpy(np.random.RandomState(6).randn(1, 48)), None, truncation_psi=0.8)
    sheet = np.asarray(Image.open(tmp_path / "sheets" / f"{stem}-seed6.jpg")).astype(float)
    assert len(about["rows"]) == len(about["columns"]) == COLUMNS

    def cell_at(x, y, wide, high):
        """A cell of the sheet at the network's own size."""
        return sheet[y : y + high, x : x + wide].reshape(32, high // 32, 32, wide // 32, 3).mean(axis=(1, 3))

    for row, column in ((0, 6), (6, 0), (3, 2), (about["rows"].index("0"), about["columns"].index("0"))):
        a, b = float(about["columns"][column]), float(about["rows"][row])
        (want,) = render(G, edit(edit(ws, across, {0: a}), down, {31: b}))
        box = about["boxes"][row][column]
        cell = cell_at(*box)
        assert abs(cell - want).mean() < 12  # JPEG, and labels are rounded
        others = [abs(cell - cell_at(*one)).mean() for line in about["boxes"] for one in line if one != box]
        assert abs(cell - want).mean() < min(others)
    record = outputs[f"videos/{stem}"]
    frame = np.asarray(Image.open(tmp_path / "videos" / stem / "frame0002.png"))
    a, b = record["distances"][2], record["about"]["down"][2]
    (want,) = render(G, edit(edit(ws, across, {0: a}), down, {31: b}))
    assert frame.shape == (32, 64, 3)
    assert abs(frame[:, 32:].astype(int) - want).max() <= 1
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert "Two directions at once" in page
    assert "coarse:31 down, 0 across" in page
    assert f'href="sheets/{stem}-seed4.jpg"' in page
    again = sefa(*words)
    assert "0 outputs made, 3 kept" in again.stdout
    assert "to render" not in again.stderr
    assert "3 outputs made, 0 kept" in sefa(*words, "--trunc", "0.7").stdout


def test_the_command_of_a_plane_makes_it_again(net, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("net.pkl").write_bytes(net.read_bytes())
    sefa("sheet", "--network", "net.pkl", "-K", "2", "--seeds", "0", "--outdir", "out")
    sefa("name", "out", "1", "nose")
    words = ["plane", "--network", "net.pkl", "--down", "nose", "--across", "-2@0-3", "--seeds", "4", "--outdir", "out"]
    assert sefa(*words, "--frames", "4", "--path", "corners", "--captions", "--size", "native").exit_code == 0
    outputs = json.loads(Path("out/run.json").read_text())["outputs"]
    made = {name: entry for name, entry in outputs.items() if "plane" in entry["settings"]}
    assert set(made) == {"sheets/all@0-3-dir30-all-dir01-seed4.jpg", "videos/all@0-3-dir30-all-dir01.mp4"}
    for name, entry in made.items():
        typed = shlex.split(entry["about"]["command"].split("#")[0])
        assert sefa(*typed[1:], "--outdir", "out").exit_code == 0
        again = json.loads(Path("out/run.json").read_text())["outputs"][name]
        assert again["settings"] == entry["settings"]
        assert again["sha256"] == entry["sha256"]
    assert len(decode(Path("out/videos/all@0-3-dir30-all-dir01.mp4"))) == 4


@pytest.mark.parametrize("words", [[], ["--torgb", "never"], ["--no-normalize", "--torgb", "always"]])
def test_the_command_of_a_plane_has_the_unusual_options_of_the_factorisation(net, tmp_path, words):
    given = ["--across", "0=1", "--down", "1=1", "--seeds", "4", "--video", "none", *words]
    assert sefa("plane", "--network", net, *given, "--outdir", tmp_path).exit_code == 0
    (entry,) = json.loads((tmp_path / "run.json").read_text())["outputs"].values()
    typed = shlex.split(entry["about"]["command"].split("#")[0])
    assert [word for word in typed if word in ("--no-normalize", "--torgb", "never", "always", "last")] == words


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--across", "0"], "--down"),
        (["--across", "0", "--down", "0"], "both direction 0"),
        (["--across", "-64", "--down", "0"], "both direction -64"),
        (["--across", "0", "--down", "99"], "0-63"),
        (["--across", "0", "--down", "nose"], "direction nose"),
        (["--across", "0", "--down", "1=0"], "leads nowhere"),
        (["--across", "0", "--down", "1=2@"], "layers after @"),
        (["--across", "0-1", "--down", "3"], "one is needed"),
        (["--across", "0", "--down", "1", "--path", "star"], "ellipse"),
        (["--across", "z:0@1", "--down", "1"], "--space w"),
        (["--across", "0", "--down", "1", "--layers", "coarse,fine"], "2 groups"),
    ],
)
def test_planes_typed_wrongly(tmp_path, words, says):
    refused(sefa("plane", "--network", "demo", "--outdir", tmp_path / "out", *words), 2, says)
    assert not list(tmp_path.iterdir())
