"""`sefa project` as a user types it."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from places import ROOT
from typed_commands import decode, refused, sefa

from sefa_plugin.projecting import manifold

FEW = ["--steps", "6"]


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(manifold, "SAMPLES", 32)
    monkeypatch.setattr(manifold, "CODES", 600)
    return tmp_path


@pytest.fixture
def photo(here):
    rng = np.random.RandomState(0)
    small = Image.fromarray(rng.randint(0, 255, (6, 8, 3), np.uint8))
    small.resize((320, 240)).save(here / "photo.jpg")
    return "photo.jpg"


@pytest.fixture(scope="module")
def net(golden):
    return golden("sg2ada-skip-64").pickle


def about(folder):
    return json.loads((Path(folder) / "projection.json").read_text())


def test_a_photograph_in_and_an_edit_out(net, photo):
    result = sefa("project", photo, "--network", net, "--outdir", "me", "--save-video", *FEW)
    assert result.exit_code == 0, result.output
    names = ["proj.mp4", "proj.png", "projected_w.npz", "projection.json", "side_by_side.png", "target.png"]
    assert sorted(path.name for path in Path("me").iterdir()) == names
    assert "PSNR" in result.stdout
    held = about("me")
    assert held["complete"]
    assert held["picture"] == "photo.jpg"
    assert held["sentence"] in result.stdout
    assert decode("me/proj.mp4")[0].shape == (64, 128, 3)
    typed = result.stdout.strip().splitlines()[-1].split()
    assert typed[:2] == ["sefa", "edit"]
    edited = sefa(*typed[1:-2], "--edit", "0=1", "--outdir", "still")
    assert edited.exit_code == 0, edited.output
    assert list(Path("still").glob("*.png"))
    again = sefa("project", photo, "--network", net, "--outdir", "me", "--save-video", *FEW)
    assert "kept" in again.stdout


def test_several_pictures_have_a_folder_each(net, photo, here):
    (here / "more").mkdir()
    for name in ("photo.jpg", "second.png"):
        Image.open(photo).save(here / "more" / name)
    (here / "more" / "notes.txt").write_text("no picture")
    result = sefa("project", photo, "more", "--network", net, "--outdir", "out", *FEW)
    assert result.exit_code == 0, result.output
    assert sorted(path.name for path in Path("out").iterdir()) == ["photo", "photo-2", "second"]
    assert all((folder / "projected_w.npz").is_file() for folder in Path("out").iterdir())


def test_a_network_is_tuned_to_it(net, photo):
    result = sefa("project", photo, "--network", net, "--outdir", "me", "--tune", "4", "--noise", *FEW)
    assert result.exit_code == 0, result.output
    assert "me/tuned.safetensors" in result.stdout
    # Names that directions have in the folder of the network are those of the tuned one.
    gen = sefa("sheet", "--network", net, "-K", "1", "--seeds", "0", "--distance", "1")
    assert gen.exit_code == 0, gen.output
    folder = gen.stdout.split(": ")[0]
    assert sefa("name", folder, "0", "smile").exit_code == 0
    words = ["--network", "me/tuned.safetensors", "--projected-w", "me/projected_w.npz", "--edit", "smile=1"]
    edited = sefa("edit", *words, "--outdir", "still")
    assert edited.exit_code == 0, edited.output


def test_functions_of_the_user(net, photo, here, monkeypatch):
    (here / "mine.py").write_text(
        "def loss(made, target):\n    return (made - target).abs().mean((1, 2, 3))\n"
        "def bad(made, target):\n    return 1\n"
        "def points(picture):\n    assert len(picture) == 240\n    return [[120, 90], [200, 90], [160, 160]]\n"
        "def none(picture):\n    return None\n"
    )
    words = ["project", photo, "--network", net, *FEW]
    result = sefa(
        *words, "--outdir", "a", "--perceptual", "mine.py:loss", "--crop", "eyes", "--landmarks", "mine.py:points"
    )
    assert result.exit_code == 0, result.output
    assert about("a")["settings"]["perceptual"] == "mine.py:loss"
    refused(sefa(*words, "--outdir", "b", "--perceptual", "mine.py:bad"), 1, "mine.py:bad", "int")
    refused(sefa(*words, "--outdir", "b", "--perceptual", "mine.py:gone"), 1, "cannot be imported")
    crop = ["--crop", "eyes", "--landmarks", "mine.py:none"]
    refused(sefa(*words, "--outdir", "b", *crop), 1, "photo.jpg", "found no face", "--crop eyes=x,y,x,y,x,y")


def test_what_is_refused_says_what_to_type(net, photo, here):
    words = ["--network", net, "--outdir", "out", *FEW]
    refused(sefa("project", photo, *words, "--crop", "eyes"), 2, "--landmarks", "eyes=x,y,x,y,x,y")
    refused(sefa("project", photo, *words, "--crop", "left"), 2, "expected center")
    refused(sefa("project", "gone.jpg", *words), 1, "gone.jpg", "no such file")
    refused(sefa("project", net, *words), 1, "expected a picture")
    (here / "empty").mkdir()
    refused(sefa("project", "empty", *words), 2, "holds no pictures")
    (here / "broken.jpg").write_bytes(Path(photo).read_bytes()[:400])
    refused(sefa("project", "broken.jpg", *words), 1, "broken.jpg", "broken picture")
    (here / "out").mkdir()
    np.savez(here / "out" / "projected_w.npz", w=np.zeros((1, 10, 32), np.float32))
    refused(sefa("project", photo, *words), 1, "was not made by this command", "--overwrite")


def test_a_photograph_given_as_ws_is_to_be_projected_first(net, photo):
    line = refused(sefa("edit", "--network", net, "--projected-w", photo, "--edit", "0=1"), 1)
    assert "sefa project photo.jpg --network NETWORK --outdir out" in line
    assert "--projected-w out/projected_w.npz" in line


@pytest.mark.hard
@pytest.mark.skipif(os.name != "posix", reason="signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_killed_command_goes_on(photo, here, number):
    """After Ctrl-C the best so far is there; after SIGKILL what was stored goes on, or all is begun again."""
    words = [sys.executable, "-m", "sefa_plugin", "project", photo, "--network", "demo", "--outdir", "out"]
    words += ["--steps", "20000"]  # more than any processor takes in the seconds before the signal
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    started = {"env": environment, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(words, **started) as process:
        next(line for line in process.stderr if " steps, about " in line)
        time.sleep(15)
        process.send_signal(number)
        process.stderr.read()
    assert (here / "out" / "projection-state.npz").is_file()
    if number == signal.SIGINT:
        assert process.returncode == 130
        assert not about("out")["complete"]
        assert (here / "out" / "projected_w.npz").is_file()
    with subprocess.Popen(words, **started) as again:
        assert any("goes on after" in line for line in iter(again.stderr.readline, ""))
        again.send_signal(signal.SIGINT)
        again.stderr.read()
