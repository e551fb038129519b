"""Plans: plain data, rendered anywhere with the same bytes; what is up to date shows before anything is built."""

import json
import subprocess
import sys

import numpy as np
import pytest
from places import ROOT
from typed_commands import gen

from sefa_plugin import (
    Factorisation,
    Look,
    NetworkChoice,
    OutputSettings,
    Session,
    Wanted,
    make_outputs,
    plan_outputs,
    render_plan,
)
from sefa_plugin.rendering.edits import edit_of
from sefa_plugin.rendering.typed_edits import parse_axis
from sefa_plugin.runs.chosen_edits import groups_of, recipe_of
from sefa_plugin.runs.plan import Plan, PlanError
from sefa_plugin.runs.recipe_outputs import plan_recipe
from sefa_plugin.runs.two_directions import plan_plane

RENDER = """
import sys
from sefa_plugin import NetworkChoice, Session, render_plan
from sefa_plugin.runs.plan import Plan
session = Session.open(NetworkChoice(sys.argv[1]))
print(len(render_plan(Plan.of(open(sys.argv[2], "rb").read()), session, sys.argv[3]).names))
"""
WITHOUT_TORCH = """
import sys
class Refused:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "torch":
            raise ImportError("torch is imported")
sys.meta_path.insert(0, Refused())
from sefa_plugin.runs.plan import Plan
plan = Plan.of(open(sys.argv[1], "rb").read())
assert plan.data() == open(sys.argv[1], "rb").read()
print(sum(len(shard) for output in plan.outputs for shard in output.layout.shards))
"""


@pytest.fixture(scope="module")
def net(golden):
    return str(golden("sg2-in-sg3-32").pickle)


@pytest.fixture(scope="module")
def session(net):
    return Session.open(NetworkChoice(net), warn=pytest.fail)


def python(script, *words, **options):
    command = [sys.executable, "-c", script, *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200, cwd=ROOT, **options)
    assert done.returncode == 0, done.stderr
    return done.stdout


def content(folder):
    """All that a run makes: files by name; of the record, its outputs without the command."""
    held = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    record = json.loads(held.pop("run.json"))["outputs"]
    del held["index.html"]
    return held, {name: {**entry, "command": None} for name, entry in record.items()}


def directions_of(session):
    return session.directions(Factorisation(layers="coarse,fine"), Wanted(count=2))


def test_a_plan_is_rendered_elsewhere_with_the_same_bytes(session, net, tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)  # as the other process: files name their folder, seen from there
    wanted, output = Wanted(count=1), OutputSettings(frames=8, video="png", captions=True, grid=True)
    view = session.view(Look(trunc=0.7), [3])
    plan = plan_outputs(session, view, directions_of(session), wanted, output, command=["x"])
    plan.save(tmp_path / "plan.json")
    assert python(RENDER, net, tmp_path / "plan.json", tmp_path / "here").strip() == "6"
    (tmp_path / "here").rename(tmp_path / "there")
    made = make_outputs(session, view, directions_of(session), wanted, output, tmp_path / "here", command=["x"])
    assert len(made.names) == 6
    (here, record), (there, other) = content(tmp_path / "here"), content(tmp_path / "there")
    assert here.keys() == there.keys() and len(here) > 25
    assert all(here[name] == there[name] for name in here)
    assert record == other
    assert {tuple(sorted(entry["computed"])) for entry in record.values()} == {
        ("at_once", "device", "instructions", "kernels", "threads", "torch")
    }
    again = render_plan(plan, session, tmp_path / "here")
    assert (again.names, again.kept) == ((), 5)  # the unedited row is not counted


def test_a_plan_needs_no_torch(session, net, tmp_path):
    view = session.view(Look(), [0, 1, 2])
    wanted = Wanted(count=1)
    plan = plan_outputs(session, view, directions_of(session), wanted, OutputSettings(frames=8), distance=(-2.0, 2.0))
    plan.save(tmp_path / "plan.json")
    # Two directions: the unedited row once, a sheet of 7, a video of 5 distances there and back.
    assert int(python(WITHOUT_TORCH, tmp_path / "plan.json")) == (1 + 2 * (7 + 5)) * 3


def test_a_plane_and_a_recipe_are_plans_too(session, net, tmp_path):
    view = session.view(Look(), [1, 2])
    axes = [parse_axis("coarse:0=1"), parse_axis("fine:1=-1,2")]
    groups = groups_of(session, Factorisation(), None, axes, tmp_path)
    output = OutputSettings(frames=6, video="png")
    plane = plan_plane(session, view, [groups["coarse"], groups["fine"]], axes, output, "corners")
    (held,) = session.directions(wanted=Wanted(count=1))
    recipe = recipe_of(session, view, [edit_of(held.directions, 0, 2.0)])
    stills = plan_recipe(session, view, recipe)
    walk = plan_recipe(session, view, recipe, animated=("walk", OutputSettings(frames=6, video="png", loop="closed")))
    other, counts = Session.open(NetworkChoice(net)), []
    for name, plan in {"plane": plane, "stills": stills, "walk": walk}.items():
        counts.append(len(render_plan(Plan.of(plan.data()), other, tmp_path / name).names))
        (tmp_path / name).rename(tmp_path / f"{name}-there")
        render_plan(plan, session, tmp_path / name)
        assert content(tmp_path / name) == content(tmp_path / f"{name}-there")
    assert counts == [3, 5, 1]


def test_shards_may_be_rendered_in_parts(session):
    """A shard that is cut between rows gives the same bits: that is what lets others render parts of it."""
    view = session.view(Look(), [0, 1, 2])
    (held,) = session.directions(wanted=Wanted(count=1))
    plan = plan_outputs(
        session, view, [held], Wanted(count=1), OutputSettings(frames=8, sheet=False, video="png"), distance=(-2.0, 2.0)
    )
    (shard,) = plan.outputs[0].layout.shards
    engine, rows = session.engine(), list(shard.rows())
    whole = list(engine.pictures(view, shard))
    parts = [picture for row in rows for picture in engine.pictures(view, shard.only([row]))]
    assert len(whole) == len(parts) == 15
    assert all(np.array_equal(one, other) for one, other in zip(whole, parts))


def test_another_engine_makes_all_pictures(session, tmp_path):
    class Painter:
        """An engine that renders nothing: each picture has the grey of its distance."""

        def __init__(self):
            self.made = 0

        def pictures(self, view, shard):
            for _, step in shard.shots:
                self.made += 1
                yield np.full((16, 16, 3), 128 + round(10 * sum(factor for _, factor in step)), np.uint8)

        def arithmetic(self, view):
            return session.engine().arithmetic(view)

    view, engine = session.view(Look(), [0, 1]), Painter()
    made = make_outputs(
        session,
        view,
        directions_of(session),
        Wanted(count=1),
        OutputSettings(frames=12, video="png"),
        tmp_path,
        distance=(-2.0, 2.0),
        engine=engine,
    )
    assert len(made.names) == 5
    # Of two subjects: unedited, and of two directions six more on a sheet, among which are those of the video.
    assert engine.made == 2 + 2 * 2 * 6


def test_what_is_up_to_date_shows_without_a_generator(net, tmp_path):
    """The second run of a command builds nothing, and does not even import torch."""
    words = ["--network", net, "--seeds", "0", "-K", "1", "--frames", "4", "--video", "png", "--outdir", str(tmp_path)]
    run = "import sys; from sefa_plugin.commands.main_job import gen_sefa; gen_sefa.main({!r}, standalone_mode=False)"
    assert "3 outputs made, 0 kept" in gen(*words).stdout
    refused = WITHOUT_TORCH.partition("from sefa_plugin.runs.plan")[0]
    assert "0 outputs made, 2 kept" in python(refused + run.format(words))


@pytest.mark.parametrize(
    "data", [b"", b"{}", b"[]", b"\xff", b'{"format": 1}', b'{"network": 3, "command": [], "view": {}, "outputs": []}']
)
def test_what_is_no_plan(data):
    with pytest.raises(PlanError, match="this is no plan"):
        Plan.of(data)


def test_a_plan_of_another_network_or_version(session, golden, tmp_path):
    view = session.view(Look(), [0])
    plan = plan_outputs(session, view, [], Wanted(), OutputSettings(video="none"), distance=(-1.0, 1.0))
    other = Session.open(NetworkChoice(str(golden("stylegan1-32").pickle)))
    with pytest.raises(PlanError, match="this plan is of the network"):
        render_plan(plan, other, tmp_path)
    newer = json.loads(plan.data())
    newer["format"] = 9
    with pytest.raises(PlanError, match="format 9"):
        Plan.of(json.dumps(newer).encode())


def test_outputs_are_told_apart_by_their_settings(session):
    view = session.view(Look(), [0])
    (held,) = session.directions(wanted=Wanted(count=2))
    plan = plan_outputs(
        session, view, [held], Wanted(count=2), OutputSettings(frames=4, video="png"), distance=(-1.0, 1.0)
    )
    assert len({json.dumps(output.settings) for output in plan.outputs}) == len(plan.outputs) == 5
