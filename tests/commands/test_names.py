"""What a person types about directions stays with them, in whatever order commands run."""

import html
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from places import GOLDEN, ROOT
from typed_commands import gen, refused, sefa

from sefa_plugin import Directions
from sefa_plugin.directions.factorization import Factorisation
from sefa_plugin.runs.folder import folder_of
from sefa_plugin.runs.session import Session
from sefa_plugin.runs.settings import NetworkChoice, Wanted

FILE = "network-snapshot-000200.pkl"
FAST = ["--seeds", "1", "--distance", "1", "-K", "2", "--device", "cpu"]


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty folder with two networks whose files have one name, as NVIDIA's training names them."""
    monkeypatch.chdir(tmp_path)
    for run, name in (("first", "sg2-in-sg3-32"), ("second", "stylegan1-32")):
        (tmp_path / run).mkdir()
        shutil.copy(GOLDEN / f"{name}.pkl", tmp_path / run / FILE)
    return tmp_path


def fine(*words):
    result = sefa(*words)
    assert result.exit_code == 0, result.output
    return result


# --- sets of directions -------------------------------------------------------------------------------


def test_a_name_is_found_again_whatever_was_factorised_meanwhile(here):
    net, out = f"first/{FILE}", Path("sefa-out/network-snapshot-000200")
    fine("factorize", "--network", net)
    fine("name", out, 3, "pose")
    for layers in ("middle", "coarse,fine", "all", "0-1"):
        fine("factorize", "--network", net, "--layers", layers)
    fine("factorize", "--network", net, "--no-normalize")
    fine("factorize", "--network", net, "--space", "z")
    assert Directions.load(out / "directions.safetensors").names[3] == "pose"
    fine("name", out, "coarse:0", "tilt")
    fine("name", out, "z:1", "deep")
    for words in (["--directions", "pose"], ["--layers", "coarse", "--directions", "tilt"], ["--space", "z"]):
        fine("sheet", "--network", net, *FAST, *words)
    sheets = {path.name for path in (out / "sheets").iterdir()}
    assert {"all-dir03.jpg", "coarse-dir00.jpg", "z-dir00.jpg"} <= sheets
    # One group and several name their files alike.
    assert {path.name for path in out.glob("directions-*.safetensors")} >= {
        f"directions-{label}.safetensors" for label in ("coarse", "middle", "fine", "0-1", "z")
    }


def test_the_same_rows_are_the_same_set_however_they_are_typed(here):
    net, out = f"first/{FILE}", Path("sefa-out/network-snapshot-000200")
    fine("factorize", "--network", net, "--layers", "coarse")
    rows = Directions.load(out / "directions-coarse.safetensors").layers
    fine("name", out, "coarse:0", "tilt")
    fine("sheet", "--network", net, *FAST, "--layers", f"{rows[0]}-{rows[-1]}", "--directions", "tilt")
    assert [path.name for path in out.glob("directions*.safetensors")] == ["directions-coarse.safetensors"]
    label = f"{rows[0]}-{rows[-1]}"
    assert (out / f"sheets/{label}-dir00.jpg").is_file() and '<bdi class="name">tilt</bdi>' in (
        out / "index.html"
    ).read_text("utf-8")


def test_a_name_of_another_set_is_said_with_what_finds_it(here):
    net, out = f"first/{FILE}", Path("sefa-out/network-snapshot-000200")
    fine("factorize", "--network", net, "--layers", "coarse")
    fine("name", out, 0, "tilt")
    line = refused(sefa("sheet", "--network", net, *FAST, "--directions", "tilt"), 2, "direction 0 of coarse")
    option = line.partition("--directions-file ")[2].split()
    assert option == [str(out / "directions-coarse.safetensors")]
    fine("sheet", "--network", net, *FAST, "--directions", "tilt", "--directions-file", *option)
    assert "direction 0 of coarse" in refused(sefa("edit", "--network", net, "--seeds", 1, "--edit", "tilt=1"), 2)
    fine("edit", "--network", net, "--seeds", 1, "--edit", "coarse:tilt=1")


def test_names_of_edits_at_other_layers_are_of_their_own(here):
    net, out = f"first/{FILE}", Path("sefa-out/network-snapshot-000200")
    fine("factorize", "--network", net)
    fine("name", out, 0, "pose", "--star")
    at = [*FAST, "--edit-layers", "coarse"]
    fine("sheet", "--network", net, *at, "--directions", "pose")  # it is lent
    moved = Directions.load(out / "directions-all@coarse.safetensors")
    assert moved.names[0] == "pose" and not any(moved.starred)
    fine("name", out, "all@coarse:0", "tilt")
    fine("sheet", "--network", net, *at, "--directions", "tilt")
    fine("name", out, "all:0", "head")
    assert Directions.load(out / "directions-all@coarse.safetensors").names[0] == "tilt"
    fine("name", out, "all@coarse", "--undo")
    fine("sheet", "--network", net, *at, "--directions", "head")
    assert Directions.load(out / "directions-all@coarse.safetensors").names[0] == "head"


def test_stars_notes_and_taking_back(here):
    net, out = f"first/{FILE}", Path("sefa-out/network-snapshot-000200")
    gen("--network", net, *FAST, "--video", "none")
    fine("factorize", "--network", net, "--layers", "coarse")
    fine("name", out, "all:0", "pose", "--star", "--note", "up to +3, then ears")
    page = (out / "index.html").read_text("utf-8")
    assert 'aria-label="starred">★</span>' in page and "up to +3, then ears" in page
    fine("name", out, "all:0", "--unstar")
    assert "no longer 'pose'" in fine("name", out, "all:0", "head").stdout
    fine("factorize", "--network", net)
    gen("--network", net, *FAST, "--video", "none", "--trunc", "0.5")
    shown = json.loads(fine("name", out, "--json").stdout)["sets"]
    (first,) = [one for one in shown if one["called"] == "all"]
    assert first["directions"][0] | {"range": None} == {
        "index": 0,
        "name": "head",
        "named_by": "person",
        "purity": None,
        "starred": False,
        "note": "up to +3, then ears",
        "range": None,
    }
    assert "is called 'pose' again" in fine("name", out, "--undo").stdout
    fine("name", out, "all", "--undo")
    held = Directions.load(out / "directions.safetensors")
    assert (held.names[0], held.starred[0]) == ("pose", True)
    fine("name", out, "--undo")
    held = Directions.load(out / "directions.safetensors")
    assert (held.names[0], held.starred[0], held.notes[0]) == ("", False, "")
    refused(sefa("name", out, "--undo"), 2, "nothing to take back")
    fine("name", out, "all:0", "one")
    fine("name", out, "coarse:0", "two")
    line = refused(sefa("name", out, "--undo"), 1, "in 2 sets")
    assert f"`sefa name {out} coarse --undo`" in line
    assert f"{out / 'directions.safetensors'}: direction 2" in fine("name", out, "2", "three").stdout  # as --layers all
    refused(sefa("name", out, "all:2", "two", "--star", "--undo"), 2, "--undo")
    (out / "directions.safetensors").unlink()
    fine("factorize", "--network", net, "--layers", "fine")
    refused(sefa("name", out, "0", "three"), 1, "type coarse:0 or fine:0")
    refused(sefa("name", out, "odd:0", "three"), 2, "no set of directions here, which holds coarse, fine")
    refused(sefa("name", out, "--star"), 2, "of one direction")
    refused(sefa("name", out, "fine:0", "--note", "two\nlines"), 2, "line break")


def test_stars_that_a_page_has_saved(here):
    net, out = f"first/{FILE}", Path("sefa-out/network-snapshot-000200")
    gen("--network", net, *FAST, "--video", "none")
    page = (out / "index.html").read_text("utf-8")
    assert f"sefa name {out} --from stars.json" in page
    stars = [json.loads(html.unescape(found)) for found in re.findall(r"data-star='(.*?)'", page)]
    stars[1]["starred"] = True
    Path("stars.json").write_text(json.dumps({"format": "sefa_stars", "version": 1, "stars": stars}))
    assert "stars: 1 set" in fine("name", out, "--from", "stars.json").stdout
    assert Directions.load(out / "directions.safetensors").starred == (False, True)
    assert 'aria-label="starred"' in (out / "index.html").read_text("utf-8")
    refused(sefa("name", out, "0", "x", "--from", "stars.json"), 2, "--from")
    refused(sefa("name", out, "--from", "none.json"), 1, "none.json: no such file")
    refused(sefa("name", out, "--from", out / "run.json"), 2, "no file of stars")


def test_names_given_to_directions_of_an_experiment_stay(here):
    words = ["evaluate", "ganspace", "--network", f"first/{FILE}", "--code-samples", "200", "-K", "3"]
    file = Path(fine(*words).stdout.split(": ")[0])
    fine("name", file, 0, "pose")
    fine(*words)
    assert Directions.load(file).names[0] == "pose"
    other = Path(fine(*words[:-3], "300", "-K", "3").stdout.split(": ")[0])
    assert Directions.load(file).names[0] == "pose" and other != file and other.parent == file.parent


# --- folders of networks ------------------------------------------------------------------------------


def test_two_networks_of_one_file_name(here):
    first, second = ["--network", f"first/{FILE}", *FAST], ["--network", f"second/{FILE}", *FAST]
    out = Path("sefa-out/network-snapshot-000200")
    fine("sheet", *first)
    fine("name", out, 0, "pose")
    before = {path: path.read_bytes() for path in out.rglob("*.*")}
    shown = fine("sheet", *second)
    (line,) = [line for line in shown.stderr.splitlines() if line.startswith("Note: outputs are in")]
    (other,) = [path for path in Path("sefa-out").iterdir() if path != out]
    assert str(other) in line and len(other.name) == len(out.name) + 9
    fine("edit", *second[:4], "--edit", "0=1")
    fine("plane", *second[:4], "--across", "0=1", "--down", "1=1", "--video", "none")
    assert (other / "edits").is_dir() and not (out / "edits").exists()
    assert {path: path.read_bytes() for path in out.rglob("*.*")} == before
    for words in (["sheet", *second], ["edit", *second[:4], "--edit", "0=1"], ["factorize", *second[:2]]):
        refused(sefa(*words, "--outdir", out), 2, "another network", f"--outdir {other}")
    assert {path: path.read_bytes() for path in out.rglob("*.*")} == before
    # A network that was moved, and a folder that was renamed.
    shutil.move(f"first/{FILE}", "best.pkl")
    out.rename("sefa-out/faces")
    shown = fine("sheet", "--network", "best.pkl", *FAST, "--directions", "pose")
    assert (
        "Note: outputs are in sefa-out/faces" in shown.stderr and "sefa-out/faces/sheets/all-dir00.jpg" in shown.stdout
    )
    shutil.copy("best.pkl", "copy.pkl")
    assert "sefa-out/copy/sheets" in fine("sheet", "--network", "copy.pkl", *FAST).stdout
    assert not out.exists() and "0 outputs made" in fine("sheet", *second).stdout


def test_folders_of_before_are_used_as_before(here):
    """They do not say whose they are: what they hold of a network does, be it of several."""
    out = Path("sefa-out/network-snapshot-000200")
    fine("factorize", "--network", f"first/{FILE}")
    fine("factorize", "--network", f"second/{FILE}", "--outdir", "other")
    fine("name", out, 0, "pose")
    (out / "run.json").unlink()
    shutil.copy("other/directions.safetensors", out / "directions-all.safetensors")
    fine("name", out, "directions-all:0", "tilt")
    for run, name in (("first", "pose"), ("second", "tilt")):
        shown = fine("sheet", "--network", f"{run}/{FILE}", *FAST, "--directions", name)
        assert "Note: outputs" not in shown.stderr
    assert [path.name for path in Path("sefa-out").iterdir()] == [out.name]


def test_a_persons_own_page_and_record_are_not_replaced(here):
    for name, text in (("index.html", "<title>My site</title>"), ("run.json", '{"lr": 0.1}')):
        Path("site").mkdir()
        Path("site", name).write_text(text)
        line = refused(sefa("sheet", "--network", f"first/{FILE}", *FAST, "--outdir", "site"), 2, "--outdir")
        assert name in line and "was not made by this program" in line
        assert Path("site", name).read_text() == text and len(list(Path("site").iterdir())) == 1
        shutil.rmtree("site")


def test_two_networks_of_one_file_name_at_once(here):
    """Neither writes into the folder of the other, whoever is first."""
    command = [sys.executable, "-m", "sefa_plugin", "factorize", "--network"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    for _ in range(3):
        running = [subprocess.Popen([*command, f"{run}/{FILE}"], env=environment) for run in ("first", "second")]
        assert [one.wait(timeout=100) for one in running] == [0, 0]
        files = sorted(Path("sefa-out").rglob("directions*.safetensors"))
        assert len({Directions.load(file).digest for file in files}) == len({file.parent for file in files}) == 2
        shutil.rmtree("sefa-out")


# --- any order ----------------------------------------------------------------------------------------

SETS = [("all", "w", True), ("all", "w", False), ("coarse", "w", True), ("middle", "w", True), ("all", "z", True)]
RUNS = {"first": "sg2-in-sg3-32", "second": "sg2ada-cond-32"}


class AnyOrder(RuleBasedStateMachine):
    """Every name that was typed and not taken back is found by its set."""

    def __init__(self):
        super().__init__()
        self.before, self.folder = Path.cwd(), Path(tempfile.mkdtemp())
        os.chdir(self.folder)
        self.sessions = {}
        for run, name in RUNS.items():
            Path(run).mkdir()
            shutil.copy(GOLDEN / f"{name}.pkl", Path(run, FILE))
            self.sessions[run] = Session.open(NetworkChoice(f"{run}/{FILE}"), warn=lambda text: None)
        self.files: dict = {}  # how a set is found again: by its file as it was printed
        self.names: dict = {}  # of each set, the names after each change
        self.count = 0

    def teardown(self):
        os.chdir(self.before)
        shutil.rmtree(self.folder)

    @rule(run=st.sampled_from(sorted(RUNS)), which=st.sampled_from(SETS), count=st.sampled_from([2, 5, None]))
    def factorise(self, run, which, count):
        layers, space, normalize = which
        words = ["--layers", layers, "--space", space, "--normalize" if normalize else "--no-normalize"]
        words += [] if count is None else ["-K", count]
        shown = fine("factorize", "--network", f"{run}/{FILE}", *words).stdout
        self.files[run, which] = Path(shown.split(": ")[0])

    @rule(run=st.sampled_from(sorted(RUNS)))
    def several_groups(self, run):
        fine("factorize", "--network", f"{run}/{FILE}", "--layers", "coarse,middle,fine", "-K", 3)

    @precondition(lambda self: self.files)
    @rule(data=st.data(), index=st.sampled_from([0, 1]))
    def name(self, data, index):
        which = data.draw(st.sampled_from(sorted(self.files)))
        self.count += 1
        fine("name", self.files[which], index, f"name {self.count}")
        now = (self.names.get(which) or [{}])[-1]
        self.names.setdefault(which, [{}]).append({**now, index: f"name {self.count}"})

    @precondition(lambda self: any(len(held) > 1 for held in self.names.values()))
    @rule(data=st.data())
    def undo(self, data):
        which = data.draw(st.sampled_from(sorted(one for one, held in self.names.items() if len(held) > 1)))
        fine("name", self.files[which], "--undo")
        self.names[which].pop()

    @precondition(lambda self: self.files)
    @rule(data=st.data(), name=st.sampled_from(["faces", "old", "network-snapshot-000200-x"]))
    def move_folder(self, data, name):
        folder = self.files[data.draw(st.sampled_from(sorted(self.files)))].parent
        if not Path("sefa-out", name).exists():
            folder.rename(f"sefa-out/{name}")
            moved = {
                key: Path("sefa-out", name, file.name) for key, file in self.files.items() if file.parent == folder
            }
            self.files |= moved

    @invariant()
    def every_name_is_found(self):
        for (run, (layers, space, normalize)), held in self.names.items():
            session = self.sessions[run]
            for index, name in held[-1].items():
                (found,) = session.directions(
                    Factorisation(layers, space, normalize), Wanted((name,), 2), folder_of(session.about())
                )
                assert found.directions.index(name) == index


@pytest.mark.parametrize("examples", [3, pytest.param(8, marks=pytest.mark.hard)])
def test_any_order(examples):
    run_state_machine_as_test(
        AnyOrder,
        settings=settings(
            max_examples=examples,
            stateful_step_count=7,
            phases=[Phase.explicit, Phase.reuse, Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )
