"""Files and folders of any name: what is made of them has names that every system can unpack."""

from __future__ import annotations

import os
import re
import shutil
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from faults import content, one_line
from made_directions import altered
from places import RESERVED

from sefa_plugin import Directions
from sefa_plugin.commands import cli
from sefa_plugin.evaluate.methods.boundaries import Trained
from sefa_plugin.runs.recipe import Recipe

NAMES = ["CON", "aux.txt", "a:b", "trail. ", "..", "new\nline", "per%d%s", 'it\'s "so"', "-dash", "😀 é", "x" * 251]
FILMED = NAMES[5:8]
NAMES += ["caf\udce9", "back\\slash", "a?b*c|<d>", "\x1b[31mred"]
posix = pytest.mark.skipif(os.name != "posix", reason="Windows has no such names")


@pytest.fixture(scope="module")
def net(golden):
    return golden("sg2ada-skip-64").pickle


def run(*words):
    command, words = (cli.gen_sefa, words[1:]) if words[0] == "gen" else (cli.sefa, words)
    result = CliRunner().invoke(command, [str(word) for word in words])
    return result.exit_code, result.stdout, result.stderr


def fine(*words):
    code, said, told = run(*words)
    assert code == 0, told
    assert "\x1b" not in said + told
    return said


def unpackable(folder):
    """Every name below a folder is one that Windows takes, and no two differ in case alone."""
    for path in folder.rglob("*"):
        name = os.fsencode(path.name).decode("utf-8")  # raises where it is no text
        assert not re.search(r'[<>:"/\\|?*\x00-\x1f]', name) and name[-1] not in ". ", name
        assert name.split(".")[0].strip().lower() not in RESERVED, name
    paths = [str(path).lower() for path in folder.rglob("*")]
    assert len(paths) == len(set(paths))


@posix
@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_a_network_of_any_name(net, tmp_path, monkeypatch, name):
    home, work = tmp_path / "home", tmp_path / "work"
    home.mkdir()
    work.mkdir()
    monkeypatch.chdir(work)
    path = home / f"{name}.pkl"
    shutil.copy(net, path)
    words = ["--network", path, "--seeds", "0"]
    video = ["--frames", "2"] if name in FILMED else ["--video", "none"]
    fine("gen", *words, "-K", "1", "--distance", "2", *video)
    fine("edit", *words, "--edit", "0=1")
    fine("convert", "--network", path)
    unpackable(work)
    (out,) = (work / "sefa-out").iterdir()  # one folder, and not one outside
    assert {"index.html", "run.json", "sheets", "edits"} <= {path.name for path in out.iterdir()}
    (recipe,) = out.rglob("recipe.json")
    Recipe.load(recipe)
    Directions.load(out / "directions.safetensors")
    (converted,) = work.glob("*.safetensors")
    fine("info", converted)


@posix
@pytest.mark.parametrize("name", ["caf\udce9", "new\nline", "per%d", 'it\'s "so"', "-dash", "f.zip", "y" * 255])
def test_an_output_folder_of_any_name(net, tmp_path, monkeypatch, name):
    """What a person types is taken as it is, videos, pages and messages included."""
    monkeypatch.chdir(tmp_path)
    for words in (["--video", "mp4"], ["--video", "gif"]):
        words = ["--network", net, "--seeds", "0", "-K", "1", "--frames", "2", "--distance", "2", *words]
        fine("gen", *words, f"--outdir={name}")
    assert {file.rsplit("/", 1)[-1] for file in content(tmp_path / name)} >= {"index.html", "all-dir00.mp4"}
    assert [path.name for path in tmp_path.iterdir()] == [name]
    fine("name", tmp_path / name, "0", "smile")


@posix
def test_paths_at_the_limit(net, tmp_path, monkeypatch):
    """A path that is too long is one line, and one that just fits works."""
    monkeypatch.chdir(tmp_path)
    words = ["gen", "--network", net, "--seeds", "0", "-K", "1", "--distance", "2", "--video", "none", "--outdir"]
    code, _, told = run(*words, tmp_path / ("z" * 256))
    assert "File name too long" in one_line(code, told)
    limit = os.pathconf("/", "PC_PATH_MAX")
    deep = "/".join(["d" * 200] * 30)
    code, _, told = run(*words, tmp_path / deep[: limit + 10])
    assert "File name too long" in one_line(code, told)
    assert content(tmp_path) == {}
    room = limit - len(str(tmp_path)) - 120
    fine(*words, tmp_path / deep[:room].rstrip("/"))


@posix
def test_a_network_that_is_not_there_whatever_its_name(tmp_path):
    for name in ("caf\udce9", "new\nline", "-x", "😀", "a" * 300, "a\0b"):
        code, _, told = run("gen", f"--network={tmp_path / name}.pkl", "--outdir", tmp_path / "out")
        one_line(code, told)


def test_directions_of_hostile_labels(net, tmp_path, monkeypatch):
    """A label becomes part of names of files."""
    monkeypatch.chdir(tmp_path)
    fine("factorize", "--network", net, "-K", "2", "--outdir", "out")
    held = Directions.load(Path("out/directions.safetensors"))
    from dataclasses import replace

    replace(held, label="con.x").save("odd.safetensors")
    words = ["--network", net, "--directions-file", "odd.safetensors", "--seeds", "0", "--distance", "2", "-K", "1"]
    fine("gen", *words, "--frames", "2", "--video", "gif", "--grid", "--outdir", "made")
    assert (tmp_path / "made/videos/_con.x-dir00.gif").is_file()
    unpackable(tmp_path / "made")
    with pytest.raises(ValueError, match="label"):
        replace(held, label="../x")


def test_names_of_directions_and_attributes(net, tmp_path):
    out = tmp_path / "out"
    fine("factorize", "--network", net, "-K", "4", "--outdir", out)
    for index, name in enumerate(["CON", "a:b/../..", "-1x", "trailing. "]):
        code, _, told = run("name", out, str(index), name)
        assert code == 0 or one_line(code, told, 2)
    held = Directions.load(out / "directions.safetensors")
    for index, name in enumerate(held.names):
        if name:
            words = ["--seeds", "0", "--edit", f"{name}=1", "--directions-file", out / "directions.safetensors"]
            run("edit", "--network", net, *words, "--outdir", tmp_path / f"edit{index}")
    unpackable(tmp_path)
    names = ("Smile", "smile", "con.x", "a b", "a-b", "é", "ü", "x" * 60 + "1", "x" * 60 + "2")

    vectors = held.vectors[[0] * len(names)]
    fields = {"sigmas": (), "ranges": (), "broken": (), "named_by": (), "purity": (), "priors": ()}
    many = altered(held, vectors=vectors, eigenvalues=held.eigenvalues[[0] * len(names)], names=names, **fields)
    trained = Trained(many, dict.fromkeys(names), ("Smile",))
    made = trained.save(tmp_path / "boundaries")
    assert len({path.name.lower() for path in made}) == len(names) + 1
    unpackable(tmp_path / "boundaries")


def test_a_terminal_that_has_not_all_letters(net, tmp_path, monkeypatch):
    """Python's own text files refuse letters that their encoding has not; a run must not fail by telling of it."""
    import io

    out = tmp_path / "é😀"
    narrow = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", narrow)
    with pytest.raises(SystemExit) as ending:
        cli.sefa.main(["factorize", "--network", str(net), "-K", "1", "--outdir", str(out)])
    assert ending.value.code == 0
    narrow.flush()
    assert b"directions.safetensors: 1 directions" in narrow.buffer.getvalue()
