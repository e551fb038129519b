import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from sefa_plugin import factorize, load_network
from sefa_plugin.directions.kept import KeptDirections
from sefa_plugin.rendering.calibration import seeds_of
from sefa_plugin.rendering.local import Local
from sefa_plugin.rendering.look import Look
from sefa_plugin.rendering.ranges import Ranges
from sefa_plugin.rendering.shards import View
from sefa_plugin.rendering.timelines import round_steps
from sefa_plugin.runs import making
from sefa_plugin.runs.each_direction import UNEDITED, EachDirection
from sefa_plugin.runs.making import Making, is_current
from sefa_plugin.runs.output_settings import OutputSettings
from sefa_plugin.runs.record import Manifest

pytestmark = pytest.mark.command

FIXED = (-3.0, 3.0)


class Quiet:
    """A reporter that counts."""

    def __init__(self):
        self.lines, self.expected, self.done = [], 0, 0

    def say(self, text):
        self.lines.append(text)

    def expect(self, pictures):
        self.expected += pictures

    def advance(self, pictures):
        self.done += pictures


@pytest.fixture(scope="module")
def G(golden):
    return load_network(golden("sg2-in-sg3-32").pickle)


@pytest.fixture(scope="module")
def directions(G):
    return factorize(G, num_directions=3)


class Counted(Local):
    """An engine that notes what it renders."""

    def pictures(self, view, shard):
        self.__dict__.setdefault("shots", []).extend(shard.shots)
        return super().pictures(view, shard)


class Run:
    """What makes the outputs of some directions, without a session."""

    def __init__(self, G, folder, output, overwrite, view, ends, page):
        about = {"name": "net", "digest": G.sefa.digest, "path": "net.pkl", "class": "Generator", "hook": "x"}
        self.view, self.output = view, output
        self.manifest, self.reporter, self.engine = Manifest(folder, ["x"], about), Quiet(), Counted.of(G)
        self.ranges = Ranges(view, self.engine, seeds_of(G), ends, self.reporter.advance)
        current = is_current(self.manifest, self.reporter, overwrite)
        self.making = Making(view, self.engine, self.manifest, self.reporter, current, page)

    def make(self, jobs):
        command, network = tuple(self.manifest.command), self.manifest.network
        each = EachDirection(self.view, network, command, self.output, self.ranges, jobs)
        return self.making.make(each.planned())


@pytest.fixture
def run_of(G, tmp_path):
    def make(output, overwrite=False, seeds=(0, 1), ends=FIXED, page=lambda busy: None, **look):
        return Run(G, tmp_path, output, overwrite, View(Look(**look), seeds), ends, page)

    return make


def make(run, directions, *indices):
    group = directions if isinstance(directions, KeptDirections) else KeptDirections(directions)
    return run.make([(group, index) for index in indices or (0,)])


def made_by(run, directions, *indices):
    return make(run, directions, *indices)[0]


def test_every_distinct_picture_is_rendered_once(run_of, directions):
    run = run_of(OutputSettings(frames=24, video="png"))
    assert made_by(run, directions) == [UNEDITED, "sheets/all-dir00.jpg", "videos/all-dir00"]
    # There and back over 13 distances; the sheet shows 7 of them, and the unedited one was there before.
    assert len(run.engine.shots) == len(set(run.engine.shots)) == (12 + 1) * 2
    assert run.reporter.expected == run.reporter.done == (12 + 1) * 2


def test_a_short_video_shares_what_it_can_with_its_sheet(run_of, directions):
    run = run_of(OutputSettings(frames=4, video="png"))
    made_by(run, directions)
    assert run.reporter.expected == run.reporter.done == 7 * 2  # the video's three are among the sheet's seven
    record = json.loads((run.manifest.outdir / "run.json").read_text())["outputs"]
    assert record["sheets/all-dir00.jpg"]["distances"] == [-3, -2, -1, 0, 1, 2, 3]
    assert record["videos/all-dir00"]["distances"] == [-3, 0, 3, 0]


def test_shared_pictures_are_those_of_a_video_alone(run_of, directions, tmp_path):
    made_by(run_of(OutputSettings(frames=12, video="png")), directions)
    shared = sorted((tmp_path / "videos" / "all-dir00").iterdir())
    shared = [np.asarray(Image.open(path)) for path in shared]
    made_by(run_of(OutputSettings(frames=12, video="png", sheet=False), overwrite=True), directions)
    alone = [np.asarray(Image.open(path)) for path in sorted((tmp_path / "videos" / "all-dir00").iterdir())]
    assert len(shared) == len(alone) == 12
    assert all(np.array_equal(a, b) for a, b in zip(shared, alone))


def test_what_is_quick_to_look_at_comes_first(run_of, directions):
    events = []
    run = run_of(OutputSettings(frames=8, video="png"), page=lambda busy: events.append(("page", busy)))
    add = run.manifest.add
    run.manifest.add = lambda name, *rest, **more: (events.append(name), add(name, *rest, **more))[1]
    make(run, directions, 0, 1)
    again = ("page", True)
    assert events == [
        *(UNEDITED, again, "sheets/all-dir00.jpg", again, "sheets/all-dir01.jpg", again),
        *("videos/all-dir00", again, "videos/all-dir01", again, ("page", False)),
    ]


def test_the_row_above_kept_sheets_is_that_of_their_subjects(run_of, directions):
    output = OutputSettings(frames=4, video="none")
    first = run_of(output)
    made_by(first, directions)
    row = (first.manifest.outdir / UNEDITED).read_bytes()
    made_by(run_of(output, seeds=[7, 8]), directions, 1)
    assert (first.manifest.outdir / UNEDITED).read_bytes() != row
    again = run_of(output)
    assert made_by(again, directions) == [UNEDITED]
    assert (first.manifest.outdir / UNEDITED).read_bytes() == row
    assert make(run_of(output), directions) == ([], 1)


def test_after_a_failure_the_page_promises_nothing(run_of, directions, monkeypatch):
    monkeypatch.setattr(making, "write_video", lambda *a, **k: (_ for _ in ()).throw(KeyboardInterrupt))
    events = []
    with pytest.raises(KeyboardInterrupt):
        make(run_of(OutputSettings(frames=8), page=events.append), directions, 0)
    assert events == [True, True, False]


def test_a_range_without_zero(run_of, directions):
    run = run_of(OutputSettings(frames=3, loop="once", video="png"), ends=(1.0, 2.0))
    made_by(run, directions)
    record = json.loads((run.manifest.outdir / "run.json").read_text())["outputs"]
    assert 0 not in record["sheets/all-dir00.jpg"]["distances"]
    assert len(list((run.manifest.outdir / "videos" / "all-dir00").iterdir())) == 3


@pytest.mark.parametrize(
    "change",
    [
        {"trunc": 0.5},
        {"noise_mode": "none"},
        {"seeds": (0, 2)},
        {"ends": (-3.0, 2.0)},
        {"output": {"fps": 10}},
        {"output": {"frames": 5}},
        {"output": {"max_width": 32}},
        {"output": {"easing": "sine"}},
        {"output": {"captions": True}},
    ],
)
def test_whatever_changes_a_video_makes_it_again(run_of, directions, change):
    output = {"frames": 4, "video": "png", "sheet": False}
    made_by(run_of(OutputSettings(**output)), directions)
    assert make(run_of(OutputSettings(**output)), directions) == ([], 1)
    change = dict(change)
    output.update(change.pop("output", {}))
    assert make(run_of(OutputSettings(**output), **change), directions) == (["videos/all-dir00"], 0)


def test_fps_does_not_concern_a_sheet(run_of, directions):
    made_by(run_of(OutputSettings(frames=4, video="none"), seeds=[0]), directions)
    assert make(run_of(OutputSettings(frames=4, fps=5, video="none"), seeds=[0]), directions) == ([], 1)
    again = made_by(run_of(OutputSettings(frames=4, video="none"), overwrite=True, seeds=[0]), directions)
    assert again == [UNEDITED, "sheets/all-dir00.jpg"]


def test_a_new_name_concerns_a_sheet(run_of, directions):
    output = OutputSettings(frames=4, video="png")
    made_by(run_of(output, seeds=[0]), directions)
    named = directions.named(0, "smile")
    assert made_by(run_of(output, seeds=[0]), named) == ["sheets/all-dir00.jpg"]
    about = run_of(output, seeds=[0]).manifest.outputs["sheets/all-dir00.jpg"].about
    assert "smile" in about["title"]


def test_other_directions_of_the_same_name_are_other_settings(run_of, G, directions):
    output = OutputSettings(frames=4, video="none")
    made_by(run_of(output, seeds=[0]), directions)
    others = factorize(G, normalize=False, num_directions=3)
    assert made_by(run_of(output, seeds=[0]), others) == ["sheets/all-raw-dir00.jpg"]
    assert made_by(run_of(output, seeds=[0]), replace(others, normalize=True)) == ["sheets/all-dir00.jpg"]


# --- ranges that are measured ---------------------------------------------------------------------


def test_ranges_are_measured_once_and_saved(run_of, directions):
    class Recorded(KeptDirections):
        def update(self, directions):
            super().update(directions)
            saved.append(directions)

    saved = []
    group = Recorded(directions)
    output = OutputSettings(frames=8, video="png")
    run = run_of(output, ends=None)
    assert len(made_by(run, group, 0, 2)) == 5
    record = json.loads((run.manifest.outdir / "run.json").read_text())["outputs"]
    shown = [
        {*record[f"sheets/all-dir{i:02d}.jpg"]["distances"], *record[f"videos/all-dir{i:02d}"]["distances"]}
        for i in (0, 2)
    ]
    # The unedited ones, those of the calibration's further seeds; the sheets' round distances, the videos' own ones.
    others = 2 + 6 + sum(len(steps - {0.0}) for steps in shown) * 2
    assert run.reporter.expected == 2 + 6 + 2 * (4 + 4) * 2 + 2 * 8  # about: how many columns is not known before
    assert (run.reporter.done - others) / 8 in (2, 3)  # a first guess may be far off
    assert [held.ranges[0] is not None for held in saved] == [True, True]
    assert saved[-1].ranges[1] is None
    low, high = saved[-1].ranges[2]
    columns = record["sheets/all-dir02.jpg"]["distances"]
    assert list(round_steps(low, high, 7)) == columns and 0.0 in columns
    assert max(record["videos/all-dir02"]["distances"]) == high

    again = run_of(output, ends=None)
    assert make(again, KeptDirections(saved[-1]), 0, 2) == ([], 4)
    assert again.reporter.done == 0

    other = run_of(output, ends=None, trunc=0.6)
    made_by(other, KeptDirections(saved[-1]), 0)
    assert other.reporter.done > 8  # another truncation is another range


def test_forgotten_ranges_are_found_again(run_of, directions):
    output = OutputSettings(frames=8, video="png")
    made_by(run_of(output, ends=None), directions)
    again = run_of(output, ends=None)
    assert make(again, directions) == ([], 2)  # measured again, the same, so nothing is made


# --- the grid -------------------------------------------------------------------------------------


def test_a_grid_of_seeds_and_directions(run_of, directions, tmp_path):
    run = run_of(OutputSettings(frames=6, video="png", grid=True))
    run.manifest.command = ["python", "gen_sefa.py", "--network", "my net.pkl", "--grid"]
    made = made_by(run, directions, 0, 1, 2)
    assert made[-1] == "videos/all-grid"
    assert run.reporter.expected == run.reporter.done == (1 + 3 * 6) * 2  # nothing is rendered for the grid
    frames = [np.asarray(Image.open(path)) for path in sorted((tmp_path / "videos" / "all-grid").iterdir())]
    assert len(frames) == 6
    assert frames[0].shape == (2 * 32, 3 * 32, 3)
    with Image.open(tmp_path / "videos" / "all-grid" / "frame0000.png") as frame:
        command = frame.text["Comment"].splitlines()[0]
    assert command == f"python gen_sefa.py --network 'my net.pkl' --grid --outdir {run.manifest.place}"
    row = np.asarray(Image.open(tmp_path / "videos" / "all-dir01" / "frame0002.png"))
    assert np.array_equal(frames[2][:32, 32:64], row[:, :32])  # seed 0, direction 1
    assert np.array_equal(frames[2][32:, 32:64], row[:, 32:])  # seed 1
    assert make(run_of(OutputSettings(frames=6, video="png", grid=True)), directions, 0, 1, 2) == ([], 7)


def test_a_grid_of_kept_videos(run_of, directions, tmp_path):
    output = OutputSettings(frames=6, video="png", sheet=False)
    made_by(run_of(output), directions, 0, 1)
    assert made_by(run_of(replace(output, grid=True)), directions, 0, 1) == ["videos/all-grid"]


# --- words ----------------------------------------------------------------------------------------


def test_what_is_recorded_for_people(run_of, directions):
    run = run_of(OutputSettings(frames=8, video="png"))
    made_by(run, directions)
    about = run.manifest.outputs["sheets/all-dir00.jpg"].about
    assert about["range"].startswith("-3 to +3 units of w")
    assert about["command"] == f"x --directions 0 --distance=-3,3 --outdir {run.manifest.place}"
    assert about["rows"] == ["seed 0", "seed 1"]
    assert about["columns"][3] == "0"
    assert np.array(about["boxes"]).shape == (2, 7, 4)
    assert isinstance(about["numbers"]["change"], float)
    with Image.open(run.manifest.outdir / "sheets" / "all-dir00.jpg") as sheet:
        assert sheet.info["comment"].decode().splitlines()[0] == about["command"]
    with Image.open(run.manifest.outdir / UNEDITED) as sheet:
        assert sheet.info["comment"].decode().splitlines()[0] == f"x --outdir {run.manifest.place}"
    with Image.open(run.manifest.outdir / "videos" / "all-dir00" / "frame0000.png") as frame:
        assert frame.text["Comment"].splitlines()[0] == about["command"]
