import json

import numpy as np
import pytest

from sefa_plugin import factorize, load_network
from sefa_plugin.camera import Camera, Look
from sefa_plugin.manifest import Manifest
from sefa_plugin.pipeline import Film, Run, _pick, _signed, check_folder, output_folder


class Quiet:
    """A reporter that counts."""

    def __init__(self):
        self.lines, self.expected, self.done = [], 0, 0

    def say(self, text):
        self.lines.append(text)

    def expect(self, pictures, seconds):
        assert seconds > 0
        self.expected += pictures

    def advance(self, pictures):
        self.done += pictures


@pytest.fixture(scope="module")
def G(golden):
    return load_network(golden("sg2ada-skip-64").pickle)


@pytest.fixture
def run_of(G, tmp_path):
    def make(film, overwrite=False, seeds=(0, 1), **look):
        about = {"name": "net", "digest": G.sefa.digest}
        manifest = Manifest(tmp_path, ["x"], about)
        return Run(Camera(G, Look(**look), list(seeds)), film, manifest, Quiet(), overwrite)

    return make


@pytest.fixture(scope="module")
def directions(G):
    return factorize(G, num_directions=3)


def counted(run, directions):
    made = run.make([run.plan(directions, 0)])
    return made, run.reporter


def test_every_distinct_picture_is_rendered_once(run_of, directions, monkeypatch):
    run = run_of(Film(frames=24, video="png"))
    seen = []
    real = run.camera.shots
    monkeypatch.setattr(run.camera, "shots", lambda d, i, s: (seen.extend(s), real(d, i, s))[1])
    made, reporter = counted(run, directions)
    assert made == ["videos/all-dir00", "sheets/all-dir00.jpg"]
    assert len(seen) == len(set(seen)) == 13  # there and back over 13 distances; the sheet shows 7 of them
    assert reporter.expected == reporter.done == 13 * 2


def test_a_short_video_shares_what_it_can_with_its_sheet(run_of, directions):
    run = run_of(Film(frames=4, low=-3, high=3, video="png"))
    _, reporter = counted(run, directions)
    assert run.timeline.distances == (-3.0, 0.0, 3.0)
    assert reporter.done == 7 * 2  # the video's three are among the sheet's seven
    record = json.loads((run.manifest.outdir / "run.json").read_text())["outputs"]
    assert record["sheets/all-dir00.jpg"]["distances"] == [-3, -2, -1, 0, 1, 2, 3]
    assert record["videos/all-dir00"]["distances"] == [-3, 0, 3, 0]


def test_a_range_without_zero(run_of, directions):
    run = run_of(Film(frames=3, low=1, high=2, loop="once", video="png"))
    counted(run, directions)
    assert 0.0 not in run.columns
    assert len(list((run.manifest.outdir / "videos" / "all-dir00").iterdir())) == 3


@pytest.mark.parametrize(
    "change",
    [
        {"trunc": 0.5},
        {"noise_mode": "none"},
        {"seeds": (0, 2)},
        {"film": Film(frames=4, high=2.0, video="png")},
        {"film": Film(frames=4, fps=10, video="png")},
        {"film": Film(frames=5, video="png")},
        {"film": Film(frames=4, max_width=64, video="png")},
    ],
)
def test_whatever_changes_a_video_makes_it_again(run_of, directions, change):
    film = Film(frames=4, video="png", sheet=False)
    counted(run_of(film), directions)
    assert counted(run_of(film), directions)[0] == []
    change = dict(change)
    other = change.pop("film", film)
    run = run_of(Film(**{**other.__dict__, "sheet": False}), **change)
    assert counted(run, directions)[0] == ["videos/all-dir00"]


def test_fps_does_not_concern_a_sheet(run_of, directions):
    counted(run_of(Film(frames=4, video="none")), directions)
    assert counted(run_of(Film(frames=4, fps=5, video="none")), directions)[0] == []
    assert counted(run_of(Film(frames=4, video="none"), overwrite=True), directions)[0] == ["sheets/all-dir00.jpg"]


def test_other_directions_of_the_same_name_are_other_settings(run_of, G, directions):
    film = Film(frames=4, video="none")
    counted(run_of(film), directions)
    assert counted(run_of(film), factorize(G, normalize=False, num_directions=3))[0] == ["sheets/all-dir00.jpg"]


def test_columns_of_a_sheet():
    steps = tuple(np.linspace(-3, 3, 31))
    assert _pick(steps, 7) == pytest.approx((-3, -2, -1, 0, 1, 2, 3))
    uneven = (-1.0, -0.4, 0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0)
    picked = _pick(uneven, 5)
    assert len(picked) == 5
    assert {-1.0, 0.0, 6.0} <= set(picked)
    assert [_signed(x) for x in (-3, 0, 0.3333333)] == ["-3", "0", "+0.333"]


def test_where_outputs_go(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert str(output_folder(None, "ffhq")).replace("\\", "/") == "sefa-out/ffhq"
    assert str(output_folder("here", "ffhq")) == "here"
    check_folder(tmp_path / "a" / "b")
    assert list((tmp_path / "a" / "b").iterdir()) == []
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OSError):
        check_folder(tmp_path / "file")
