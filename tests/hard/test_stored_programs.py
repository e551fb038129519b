"""Stored commands in a real shell, for each way to start the program; commands of the documents as they are printed."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import zipfile

import numpy as np
import pytest
import torch
from PIL import Image
from places import ROOT
from reference_run import TOOLKIT
from stored_commands import pictures_in, pixels, stored
from typed_commands import gen, sefa

from demo.world import draw, sample_factors

pytestmark = pytest.mark.skipif(os.name == "nt", reason="shells of POSIX")
WORDS = "--network 'a net.pkl' --seeds 0 -K 1 --frames 2 --video gif --distance 1"


@pytest.fixture
def here(golden, tmp_path):
    """A home with programs on the path, a checkout of a toolkit with gen_sefa.py, and a folder to work in."""
    home = tmp_path / "home"
    for name in ("bin", "work/own", "kit"):
        (home / name).mkdir(parents=True)
    for name in ("bin/gen-sefa", "bin/sefa", "work/own/gen-sefa"):
        script = home / name
        entry = script.name.replace("-", "_")
        script.write_text(f"#!{sys.executable}\nfrom sefa_plugin.start import {entry}\n{entry}()\n")
        script.chmod(0o755)
    shutil.copy(ROOT / "gen_sefa.py", home / "work" / "gen_sefa.py")
    for name in TOOLKIT:
        (home / "kit" / name).parent.mkdir(exist_ok=True)
        (home / "kit" / f"{name}.py").write_text("")
    assert sefa("register", home / "kit").exit_code == 0
    for folder in ("work", "kit"):
        shutil.copy(golden("sg2ada-skip-64").pickle, home / folder / "a net.pkl")
    return home


def run(command, folder, home):
    path = os.pathsep.join([str(home / "bin"), os.path.dirname(sys.executable), os.environ["PATH"]])
    environment = {**os.environ, "PATH": path, "HOME": str(home), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, shell=True, cwd=folder, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, f"{command}\n{done.stderr}"


@pytest.mark.parametrize(
    ("program", "folder", "stored_as"),
    [
        ("gen-sefa", "work", "gen-sefa"),
        ("HOME/bin/gen-sefa", "work", "gen-sefa"),
        ("own/gen-sefa", "work", "own/gen-sefa"),
        ("sefa render", "work", "sefa render"),
        ("python gen_sefa.py", "work", "python gen_sefa.py"),
        ("python HOME/kit/gen_sefa.py", "work", "python ../kit/gen_sefa.py"),
        ("python -m sefa_plugin render", "work", "python -m sefa_plugin render"),
        ("python gen_sefa.py", "kit", "python gen_sefa.py"),
    ],
)
def test_every_program_is_stored_as_it_was_called(here, tmp_path, program, folder, stored_as):
    run(f"{program.replace('HOME', str(here))} {WORDS}", here / folder, here)
    out = here / folder / "sefa-out" / "a net"
    held = {command: names for command, names, _ in stored(out)}
    assert len(held) == 3 if "render" not in program else 2
    for number, command in enumerate(held):
        assert str(here) not in command
        assert command.startswith(f"{stored_as} --network 'a net.pkl' ")
        again = tmp_path / f"again{number}"
        shutil.copytree(here, again, symlinks=True)
        for path in pictures_in(again).values():
            path.unlink()
        run(command, again / folder, again)
        for name in pictures_in(out):
            first, second = pixels(out / name), pixels(again / folder / "sefa-out" / "a net" / name)
            assert all(map(np.array_equal, first, second))


# --- documents ------------------------------------------------------------------------------------

PLACEHOLDER = re.compile(r"\b(NETWORK|DIR|FILE|MODULE|IMAGE|VENV)\b|\.\.\.|hf://owner/name")


def printed(page):
    """The command lines of a document, in their order, those in text paragraphs aside."""
    text = (ROOT / page).read_text(encoding="utf-8")
    blocks = re.findall(r"^```\w*\n(.*?)^```|^((?: {4,}\S.*\n)+)", text, re.M | re.S)
    lines = [line.strip() for block in blocks for line in "".join(block).splitlines()]
    # Without those that do not end.
    pattern = r"(?:python gen_sefa\.py|gen-sefa|sefa|python -m sefa_plugin) (?=[-a-z])(?!studio |study )"
    return [line for line in lines if re.match(pattern, line) and not PLACEHOLDER.search(line)]


@pytest.mark.parametrize(
    ("page", "count"), [("README.md", 14), ("docs/tour.md", 6), ("docs/editing.md", 8), ("docs/formats.md", 6)]
)
def test_commands_of_the_documents_run_as_they_are_printed(tmp_path, monkeypatch, page, count):
    """In their order, in one folder, with the bundled network as ``ffhq.pkl``; evaluations, which take long, aside."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    shutil.copy(ROOT / "sefa_plugin" / "data" / "demo.pkl", "ffhq.pkl")
    shutil.copy(ROOT / "tests" / "golden" / "sg2ada-cond-32.pkl", "animals.pkl")  # ten classes
    os.mkdir("snapshots")
    shutil.copy(ROOT / "tests" / "golden" / "sg2-in-sg3-32.pkl", "snapshots/000100.pkl")
    for name in TOOLKIT:
        file = tmp_path / "stylegan3" / f"{name}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("")
    Image.fromarray(draw(sample_factors(np.random.RandomState(4), 1)[0])).resize((640, 640)).save("me.jpg")
    with zipfile.ZipFile("models.zip", "w") as archive:
        archive.write("ffhq.pkl", "folder/net.pkl")
    (tmp_path / "stars.json").write_text('{"format": "sefa_stars", "version": 1, "stars": []}')
    np.save("boundary.npy", np.eye(64, dtype=np.float32)[:1])
    vectors = {"ckpt": "demo", "eigvec": torch.linalg.qr(torch.randn(64, 64))[0]}
    torch.save(vectors, "old.pt" if page == "README.md" else "factor.pt")
    lines = printed(page)
    for line in lines:
        program, *words = shlex.split(line, comments=True)
        command = gen
        if program == "python":
            words = words[1:] if words[0] == "gen_sefa.py" else words[2:]
        if program == "sefa" or "-m" in line.split()[:2]:
            command = sefa
        words = [os.path.expanduser(word) for word in words]
        result = command(*words)
        assert result.exit_code == 0, f"{page}: {line}\n{result.output}"
    assert len(lines) >= count
    records = [json.loads(record.read_text(encoding="utf-8")) for record in tmp_path.rglob("run.json")]
    assert any(record["outputs"] for record in records)
