"""`sefa study` and `sefa evaluate study` as they are typed."""

import csv
import json
import socket
import sys

import pytest
from made_runs import answer, answers_of, made_run
from places import GOLDEN
from typed_commands import refused, sefa

from sefa_plugin.directions.directions import Directions
from sefa_plugin.study.answers import token_of
from sefa_plugin.study.design import load


def test_from_a_network_to_names_in_its_directions_file(tmp_path, monkeypatch):
    """A run of the usual commands, answers by script, the table, and names that work in the next command."""
    monkeypatch.chdir(tmp_path)
    network = GOLDEN / "sg2-in-sg3-32.pkl"
    small = ["--seeds", 0, "-K", 2, "--distance", 2, "--frames", 4, "--size", "native"]
    assert sefa("render", "--network", network, *small, "--outdir", "run").exit_code == 0
    made = sefa("study", "run", "--outdir", "study", "--static", "page")
    assert made.exit_code == 0, made.output
    assert made.stdout == "page/index.html: open it, or put the folder anywhere\n"
    assert "study: making 8 clips" in made.stderr and "2 directions" not in made.stderr
    assert "making" not in sefa("study", "run", "--outdir", "study", "--static", "page").stderr  # they are there

    study = load(tmp_path / "study")
    for name in ("anna", "ben"):
        answer(tmp_path / "study", answers_of(study, name, [("stripes", 4), ("hue", 2)]))
    result = sefa("evaluate", "study", "study", "--write-names")
    assert result.exit_code == 0, result.output
    assert "| all:0 | 2 | 1.00 [0.34, 1.00] | 0 | 0 | stripes | 1.00 [0.34, 1.00] | 4 |" in result.stdout
    assert "2 of 2 people count" in result.stdout
    assert "run/directions.safetensors: direction 0 is called 'stripes'" in result.stdout
    assert Directions.load("run/directions.safetensors").names[:2] == ("stripes", "hue")
    assert sefa("name", "run").stdout.count("stripes (auto, purity 1.00)") == 1
    again = ["--directions", "stripes", "--directions-file", "run/directions.safetensors", "--distance", 2]
    assert sefa("sheet", "--network", network, "--seeds", 0, *again, "--outdir", "named").exit_code == 0


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    made_run(folder / "one", 2)
    made_run(folder / "two", 2, seed=1)
    return folder


def test_tables_are_files_and_one_json_value(made, tmp_path, monkeypatch):
    monkeypatch.chdir(made)
    assert sefa("study", "one", "two", "--outdir", tmp_path / "study", "--static", tmp_path / "page").exit_code == 0
    study = load(tmp_path / "study")
    for name in ("anna", "ben"):
        answer(tmp_path / "study", answers_of(study, name, [("=hair", 4)] * 4, prefers=[0, 1]))
    answer(tmp_path / "study", answers_of(study, "carl", [("dog", 1)] * 4, prefers=[1, 1], catches="wrong"))
    words = tmp_path / "words.txt"
    words.write_text("hair colour = hair\n")
    held = json.loads(sefa("evaluate", "study", tmp_path / "study", "--synonyms", words, "--json").stdout)
    names = ["study.csv", "study-pairs.csv", "study-agreement.csv", "study-people.csv"]
    assert [path.rpartition("/")[2] for path in held["files"] if path.endswith("csv")] == names
    assert [row[0] for row in held["directions"]["rows"]] == ["one all:0", "one all:1", "two all:0", "two all:1"]
    assert {row[5] for row in held["directions"]["rows"]} == {"hair colour"}
    assert held["pairs"]["rows"][0][:4] == ["one or two", 2, 2, 0] and held["pairs"]["rows"][0][6] == 1
    assert held["people"]["rows"][2][-1] == "no: 3 of 3 catch questions wrong"
    with open(tmp_path / "study/evaluate/study.csv", newline="") as file:
        head, *rows = csv.reader(file)
    assert head[:5] == ["direction", "answers", "see a change", "see a change low", "see a change high"]
    assert len(rows) == 4 and rows[0][:3] == ["one all:0", "2", "1"]
    everybody = json.loads(sefa("evaluate", "study", tmp_path / "study", "--keep-all", "--json").stdout)
    assert everybody["directions"]["rows"][0][1] == 3


def test_wrong_turns_have_a_line(made, tmp_path, monkeypatch):
    monkeypatch.chdir(made)
    (tmp_path / "empty").mkdir()
    (tmp_path / "texts.md").write_text("# Welcome\nHello\n")
    static = ["--static", tmp_path / "page", "--outdir", tmp_path / "study"]
    refused(sefa("study"), 2, "RUN_FOLDERS")
    refused(sefa("study", "nothing", *static), 1, "nothing: no such folder")
    refused(sefa("study", tmp_path / "empty", *static), 2, "no folder of a run")
    refused(sefa("study", "one", "--ask", "pairs", *static), 2, "--ask names")
    refused(sefa("study", "one", "--texts", tmp_path / "texts.md", *static), 2, "'welcome'", "# Title")
    refused(sefa("study", "one", "--repeats", 2, *static), 2, "--repeats")
    refused(sefa("study", "one", "--host", "0.0.0.0", "--outdir", tmp_path / "study"), 2, "--token")
    refused(sefa("evaluate", "study"), 2, "FOLDERS_OR_FILES")
    refused(sefa("evaluate", "study", tmp_path / "empty"), 2, "no folder of a study")
    refused(
        sefa("study", "one", "--outdir", tmp_path / "study", "--static", "one"), 2, "--static one: holds other files"
    )
    assert not (tmp_path / "study").exists() and not (tmp_path / "page").exists()
    assert sefa("study", "one", *static).exit_code == 0
    refused(sefa("study", tmp_path / "study", *static), 2, "holds a study; type the folders of its runs")
    refused(sefa("evaluate", "study", tmp_path / "study"), 2, "nobody has answered yet")
    refused(
        sefa("evaluate", "study", tmp_path / "study", "--directions-file", "one/directions.safetensors"), 2, "--write"
    )
    refused(sefa("evaluate", "study", tmp_path / "study", "answers.jsonl"), 1, "answers.jsonl: no such file")


def test_its_address_stays_and_a_port_in_use_is_said(made, tmp_path, monkeypatch):
    pytest.importorskip("uvicorn")
    monkeypatch.chdir(made)
    words = ["study", "one", "--outdir", tmp_path / "study", "--catches", 0, "--no-browser"]
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        refused(sefa(*words, "--port", port), 1, f"port {port} is in use")
    assert token_of(tmp_path / "study") == token_of(tmp_path / "study")


def test_without_its_extra_it_says_what_to_install(made, tmp_path, monkeypatch):
    monkeypatch.chdir(made)
    monkeypatch.setitem(sys.modules, "starlette", None)
    refused(sefa("study", "one", "--outdir", tmp_path / "study"), 1, "needs starlette, which is not installed; type: ")
    assert sefa("study", "one", "--outdir", tmp_path / "study", "--static", tmp_path / "page").exit_code == 0
