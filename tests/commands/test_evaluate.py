"""`sefa evaluate`, as a person types it: what it makes, keeps, says and refuses."""

import importlib
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from places import ROOT
from typed_commands import refused, sefa

from sefa_plugin import Directions

SCORER = """
import os, time
import numpy as np

def score(pictures):
    if "SLOW" in os.environ:
        open("seen", "a").write("x")
        time.sleep(float(os.environ["SLOW"]))
    means = pictures.astype(float).mean(axis=(1, 2))
    return {"red": means[:, 0], "blue": means[:, 2]}

def broken(pictures):
    return {"red": [1.0]}

def odd(pictures):
    return {"red": pictures.mean(axis=(1, 2, 3)) * np.nan}
"""
SMALL = ["--samples", "24", "-K", "2", "--distance", "2"]


@pytest.fixture(scope="module")
def net(golden):
    return golden("sg2-in-sg3-32").pickle


@pytest.fixture(scope="module")
def scorer(tmp_path_factory):
    path = tmp_path_factory.mktemp("scorer") / "colours.py"
    path.write_text(SCORER)
    return path


def rescore(net, scorer, out, *words):
    words = words or SMALL
    return sefa("evaluate", "rescore", "--network", net, "--scorer", f"{scorer}:score", "--outdir", out, *words)


@pytest.fixture(scope="module")
def finished(net, scorer, tmp_path_factory):
    """One whole run, looked at by several tests (which must not change it)."""
    out = tmp_path_factory.mktemp("rescored") / "out"
    return out, rescore(net, scorer, out)


def test_a_run(finished):
    out, result = finished
    assert result.exit_code == 0, result.output
    made = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    tables = {f"evaluate/rescore-all.{kind}" for kind in ("png", "csv", "json")}
    assert made == {"directions.safetensors", "run.json", "evaluate/scores.npz", *tables}
    assert "120 pictures to render\n" in result.stderr
    assert "rescore-all.png: 2 directions, 2 attributes" in result.stdout
    held = json.loads((out / "evaluate/rescore-all.json").read_text())
    assert (held["network"], held["scorer"], held["samples"], held["level"]) == ("sg2-in-sg3-32", "score", 24, 0.95)


def test_names_agree_with_the_table_and_are_used_by_other_commands(finished, net, tmp_path):
    out, _ = finished
    held = Directions.load(out / "directions.safetensors")
    table = json.loads((out / "evaluate/rescore-all.json").read_text())["directions"]
    for row in table:
        assert row["name"] == held.names[row["index"]]
        best = max(range(2), key=lambda place: abs(row["normalized"][place]))
        assert (row["name"] == "") == (not row["label"])
        if row["label"]:
            assert ("red", "blue")[best] in row["label"]
    name = next(name for name in held.names if name)
    file = out / "directions.safetensors"
    words = ["--directions-file", file, "--directions", name, "--seeds", 0, "--distance", 1]
    result = sefa("sheet", "--network", net, *words, "--outdir", tmp_path)
    assert result.exit_code == 0, result.output
    assert [path.name for path in (tmp_path / "sheets").glob("all-*")] == [f"all-dir{held.index(name):02d}.jpg"]


def test_names_with_signs_can_be_typed(finished, net, tmp_path):
    out, _ = finished
    held = (
        Directions.load(out / "directions.safetensors").named(0, "plain").with_auto_names({1: ("-red+blue", 1.0)}, [1])
    )
    held.save(tmp_path / "d.safetensors")
    words = ["--directions-file", tmp_path / "d.safetensors", "--seeds", 0, "--distance", 1, "--outdir", tmp_path]
    for typed, made in (("-red+blue", [1]), ("plain,-red+blue", [0, 1])):
        result = sefa("sheet", "--network", net, "--directions", typed, *words)
        assert result.exit_code == 0, result.output
        assert [path.name for path in sorted((tmp_path / "sheets").glob("all-*"))] == [f"all-dir0{k}.jpg" for k in made]


def test_a_second_run_renders_nothing_and_a_persons_name_stays(net, scorer, tmp_path):
    out, few = tmp_path / "out", ["--samples", "8", *SMALL[2:]]
    rescore(net, scorer, out, *few)
    sefa("name", out, 0, "mine")
    again = rescore(net, scorer, out, *few)
    assert "everything was scored by an earlier run" in again.stderr
    assert "pictures to render" not in again.stderr
    held = Directions.load(out / "directions.safetensors")
    assert held.names[0] == "mine" and held.named_by[0] == "person"
    assert "0  mine" in again.stdout
    more = rescore(net, scorer, out, *few, "--no-names", "--samples", "10", "-K", "3")
    assert "pictures to render" in more.stderr
    assert Directions.load(out / "directions.safetensors").names[:2] == held.names[:2]
    anew = rescore(net, scorer, out, *few, "--overwrite")
    assert "40 pictures to render" in anew.stderr


def test_a_scorer_whose_helper_has_changed_scores_all_anew(net, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "outer.py").write_text("def score(pictures):\n    import inner\n    return inner.score(pictures)\n")
    for name, says in (
        ("one", "60 pictures"),
        ("one", "scored by an earlier run"),
        ("two", "other attributes than before"),
    ):
        text = f"def score(pictures):\n    return {{{name!r}: pictures.mean(axis=(1, 2, 3))}}\n"
        (tmp_path / "inner.py").write_text(text)
        sys.modules.pop("inner", None)
        importlib.invalidate_caches()
        result = rescore(net, "outer.py", "out", "--samples", 12, "-K", 2, "--distance", 2)
        assert result.exit_code == 0 and says in result.stderr, result.output
        for cached in tmp_path.glob("__pycache__/*"):
            cached.unlink()
    sys.modules.pop("inner", None)
    assert "60 pictures" in result.stderr
    held = json.loads((tmp_path / "out/evaluate/rescore-all.json").read_text())
    assert held["attributes"] == ["two"]


def test_no_names_leaves_them_alone(net, scorer, tmp_path):
    rescore(net, scorer, tmp_path, *SMALL, "--no-names")
    assert Directions.load(tmp_path / "directions.safetensors").names == ("", "")


def test_groups_of_layers_and_ranges(net, scorer, tmp_path):
    """Calibrated ranges are measured and kept; each group has its own table and its own names."""
    result = rescore(net, scorer, tmp_path, "--layers", "coarse,fine", "-K", "1", "--samples", "8")
    assert result.exit_code == 0, result.output
    assert "coarse: calibrating 1 directions" in result.stderr
    for label in ("coarse", "fine"):
        held = Directions.load(tmp_path / f"directions-{label}.safetensors")
        table = json.loads((tmp_path / f"evaluate/rescore-{label}.json").read_text())
        assert held.ranges[0] == (table["directions"][0]["low"], table["directions"][0]["high"])
    again = rescore(net, scorer, tmp_path, "--layers", "coarse,fine", "-K", "1", "--samples", "8")
    assert "calibrating" not in again.stderr and "scored by an earlier run" in again.stderr


def test_a_directions_file_gets_the_names(net, scorer, tmp_path):
    sefa("factorize", "--network", net, "-K", "3", "--outdir", tmp_path / "first")
    file = tmp_path / "first" / "directions.safetensors"
    words = ["--directions-file", file, "--directions", "2,0", "--samples", "24", "--distance", "2"]
    result = rescore(net, scorer, tmp_path / "second", *words)
    assert result.exit_code == 0, result.output
    held = Directions.load(file)
    assert held.names[1] == "" and any(held.names)
    assert not (tmp_path / "second" / "directions.safetensors").exists()
    table = json.loads((tmp_path / "second/evaluate/rescore-all.json").read_text())
    assert [row["index"] for row in table["directions"]] == [2, 0]


def test_the_page_of_a_run_shows_the_table_and_the_names(golden, scorer, tmp_path):
    net = golden("sg2ada-skip-64").pickle  # whose names are not those of attributes
    sefa("sheet", "--network", net, "--seeds", 0, "-K", "2", "--distance", "2", "--outdir", tmp_path)
    before = (tmp_path / "index.html").read_text()
    rescore(net, scorer, tmp_path)
    page = (tmp_path / "index.html").read_text()
    held = Directions.load(tmp_path / "directions.safetensors")
    name = next(name for name in held.names if name)
    assert 'id="scores-all"' in page and 'id="scores-all"' not in before
    assert f'<bdi class="name">{name}</bdi>' in page
    assert "by re-scoring, purity" in page and "<dt>moves</dt>" in page
    assert 'href="evaluate/rescore-all.csv"' in page
    assert "http:" not in page and "https:" not in page  # nothing from elsewhere
    record = json.loads((tmp_path / "run.json").read_text())
    assert "evaluate/rescore-all.json" in record["outputs"]
    # The page is written anew by the next run, and by naming; the table stays.
    sefa("name", tmp_path, held.names.index(name), "mine")
    page = (tmp_path / "index.html").read_text()
    assert 'id="scores-all"' in page and "<bdi>mine</bdi>" in page and f">{name}<" not in page
    assert page.count("by re-scoring, purity") == Directions.load(tmp_path / "directions.safetensors").named_by.count(
        "auto"
    )


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["--scorer", "{file}:nothing"], 1, "has no nothing; it has score, broken, odd"),
        (["--scorer", "{file}:broken"], 1, "gives for 'red' [1], expected [2]"),
        (["--scorer", "{file}:odd"], 1, "NaN or infinity for 2 of 2"),
        (["--scorer", "no_such_module:f"], 1, "cannot be imported: ModuleNotFoundError"),
        (["--scorer", "smile"], 2, "scorer 'smile': expected demo, clip"),
        (["--scorer", "clip"], 2, "--scorer clip needs --clip-model and --attribute"),
        (["--scorer", "clip", "--clip-model", "nowhere", "--attribute", "x"], 2, "expected NAME=TEXT FOR IT"),
        (["--scorer", "clip", "--clip-model", "/nowhere", "--attribute", "x=a|b"], 1, "neither a folder nor in"),
        (["--scorer", "onnx:/no/such.onnx"], 1, "/no/such.onnx: no such file"),
        (["--scorer", "{file}:score", "--scorer", "{file}:score"], 2, "expected different ones"),
        (["--scorer", "{file}:score", "--attribute", "x=a|b"], 2, "--attribute is for --scorer clip"),
        (["--scorer", "{file}:score", "--clip-model", "x"], 2, "--clip-model is for --scorer clip"),
        ([], 2, "Missing option '--scorer': clip"),
        (["--scorer", "{file}:score", "--samples", "1"], 2, "'--samples'"),
        (["--scorer", "{file}:score", "--directions", "smile"], 2, "direction smile asked for"),
        (["--scorer", "{file}:score", "--class", "3"], 0, ""),
        (["--scorer", "{file}:score", "--distance", "x"], 2, "distance 'x'"),
    ],
)
def test_bad_input_is_said_in_one_line(net, scorer, tmp_path, words, code, says):
    words = [word.replace("{file}", str(scorer)) for word in words]
    small = [] if "--samples" in words else ["--samples", "4"]
    small += [] if "--distance" in words else ["--distance", "1"]
    result = sefa("evaluate", "rescore", "--network", net, "--outdir", tmp_path / "out", "-K", 1, *small, *words)
    if code:
        refused(result, code, says)
        assert not list((tmp_path / "out").rglob("rescore*"))
    else:
        assert result.exit_code == 0 and "--class is ignored" in result.stderr


def test_the_bundled_scorer_on_another_network_is_warned_of(net, tmp_path):
    words = ["--scorer", "demo", "--samples", 2, "-K", 1, "--distance", 1, "--outdir", tmp_path]
    result = sefa("evaluate", "rescore", "--network", net, *words)
    assert result.exit_code == 0, result.output
    assert "Warning: --scorer demo is made for the bundled network's drawn faces" in result.stderr


def test_a_conditional_network_needs_no_class(golden, scorer, tmp_path):
    net = golden("sg2ada-cond-32").pickle
    result = rescore(net, scorer, tmp_path / "drawn", "--samples", "6", "-K", "1")
    assert result.exit_code == 0, result.output
    held = json.loads((tmp_path / "drawn/evaluate/rescore-all.json").read_text())
    assert held["class"] == "drawn for each seed"
    result = rescore(net, scorer, tmp_path / "chosen", "--samples", "6", "-K", "1", "--class", "1")
    assert result.exit_code == 0, result.output
    assert json.loads((tmp_path / "chosen/evaluate/rescore-all.json").read_text())["class"] == 1
    refused(rescore(net, scorer, tmp_path / "none", "--class", "99"), 2, "class 99: this network has classes 0-")


def test_the_bundled_network_needs_the_base_install_only(tmp_path):
    """No package of an extra is there, and none of the tests' own."""
    absent = ["transformers", "tokenizers", "onnxruntime", "onnx", "sklearn", "pandas", "matplotlib", "numba"]
    code = (
        f"import sys\nfor name in {absent}: sys.modules[name] = None\n"
        "from sefa_plugin.commands.cli import sefa\n"
        "sefa(['evaluate', 'rescore', '--network', 'demo', '--samples', '4', '-K', '2', '--outdir', 'out'])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert result.returncode == 0, result.stderr
    assert "2 directions, 14 attributes" in result.stdout
    assert (tmp_path / "out" / "evaluate" / "rescore-all.png").is_file()


@pytest.mark.hard
def test_ctrl_c_leaves_nothing_half_written_and_the_next_run_goes_on(net, scorer, tmp_path):
    words = ["--scorer", f"{scorer}:score", "--samples", "80", "-K", "2", "--distance", "2", "--outdir", "out"]
    command = [sys.executable, "-m", "sefa_plugin", "evaluate", "rescore", "--network", str(net), *words]
    environment = {**os.environ, "SLOW": "0.3", "PYTHONPATH": str(ROOT)}
    # A shell's background jobs ignore Ctrl+C, and so would what they start.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    run = subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True)
    signal.signal(signal.SIGINT, before)
    seen, deadline = tmp_path / "seen", time.monotonic() + 60
    while not (seen.is_file() and seen.stat().st_size >= 5) and time.monotonic() < deadline:
        time.sleep(0.02)
    run.send_signal(signal.SIGINT)
    _, errors = run.communicate(timeout=60)
    assert run.returncode == 130, errors
    assert "Error: stopped; what is whole was kept" in errors and "Traceback" not in errors
    out = tmp_path / "out"
    left = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    assert left == {"directions.safetensors", "evaluate/scores.npz", "run.json"}
    with np.load(out / "evaluate/scores.npz", allow_pickle=False) as file:
        assert len(file.files) > 1
    environment["SLOW"] = "0"
    again = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120)
    assert again.returncode == 0, again.stderr
    count = int(next(line for line in again.stderr.splitlines() if "pictures to render" in line).split()[0])
    assert 0 < count < 80 * 5
