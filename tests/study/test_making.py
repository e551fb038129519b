"""The folder of a study: its clips, what a browser is given, and when it is made anew."""

import json

import numpy as np
import pytest
from made_runs import answer, answers_of, made_run

from sefa_plugin.media.frame_store import FrameList
from sefa_plugin.media.mp4 import read_mp4
from sefa_plugin.study import clips
from sefa_plugin.study.design import CLIPS, StudyError, load
from sefa_plugin.study.making import Wanted, make_study
from sefa_plugin.study.texts import SECTIONS, read_texts

pytestmark = pytest.mark.command


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return made_run(tmp_path_factory.mktemp("runs") / "first")


@pytest.fixture(scope="module")
def made(run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    return make_study([run], folder, Wanted()), folder


def frames(path):
    return [frame.astype(int) for frame in read_mp4(path)]


def square(index, frame):
    return frame[4 * index + 1 : 4 * index + 3, 6:10].mean()


def clip_of(study, direction):
    return next(item.clips[0] for item in study.items if item.clips[0].direction == direction)


def test_a_clip_begins_at_the_low_end_and_turned_round_at_the_high_one(made):
    study, folder = made
    for direction in range(3):
        plain, turned = (frames(folder / CLIPS / name) for name in clip_of(study, direction).files)
        ways = [[square(direction, frame) for frame in some] for some in (plain, turned)]
        assert len(ways[0]) == len(ways[1]) == 8
        assert np.argmin(ways[0]) == 0 and np.argmax(ways[0]) == 4
        assert np.argmax(ways[1]) == 0 and np.argmin(ways[1]) == 4
        assert ways[1] == pytest.approx([*ways[0][4:], *ways[0][:4]], abs=6)


def test_a_clip_that_plays_once_is_turned_by_playing_it_backwards(tmp_path):
    _, (source,) = clips.found_in(made_run(tmp_path / "once", 1, loop="once"), 0, tmp_path)
    assert source.turned() == [4, 3, 2, 1, 0]


@pytest.mark.parametrize("video", ["gif", "png"])
def test_clips_of_other_kinds_are_read(tmp_path, video):
    _, (source,) = clips.found_in(made_run(tmp_path / "run", 1, video=video), 0, tmp_path)
    with FrameList() as held:
        source.read(held)
        shown = [square(0, held[place].astype(int)) for place in range(8)]
    assert shown == pytest.approx([28, 78, 128, 178, 228, 178, 128, 78], abs=8)


def test_catches_are_still_or_obvious(made):
    study, folder = made
    catches = {item.catch: item.clips[0] for item in study.items if item.catch}
    assert {key: clip.made for key, clip in catches.items()} == {"nothing": "still", "change": "obvious"}
    still = np.array(frames(folder / CLIPS / catches["nothing"].files[0]))
    assert np.abs(still - still[0]).max() <= 3
    light = [frame.mean() for frame in frames(folder / CLIPS / catches["change"].files[0])]
    assert light[0] > 100 and min(light) == light[4] < 0.3 * light[0]
    assert frames(folder / CLIPS / catches["change"].files[1])[0].mean() < 0.3 * light[0]


def test_a_browser_is_not_given_what_clips_show(made, run):
    study, folder = made
    text = json.dumps(study.public())
    record = json.loads((run / "run.json").read_text())
    secrets = {"all", "98.7", "direction", "index", "label", "run", "still", "obvious", "nothing", "catch"}
    secrets |= {entry["settings"]["direction"] for entry in record["outputs"].values()}
    assert {word for word in secrets if f'"{word}' in text} == set()
    assert "secret name" not in (folder / "study.json").read_text()
    for path in (folder / CLIPS).iterdir():
        assert b"direction" not in path.read_bytes()  # the comment of the run's clip
        assert path.stem in text
    assert len(list((folder / CLIPS).iterdir())) == 2 * (3 + 2)
    # Which of the two files is turned round does not follow from their order.
    first = [clip["clips"][0][0] for clip in study.public()["items"]]
    turned = {item.clips[0].files[1] for item in study.items}
    assert {file in turned for file in first} == {True, False}


def test_the_same_study_is_kept_and_another_one_replaces_it_only_without_answers(run, tmp_path):
    study = make_study([run], tmp_path, Wanted(catches=0))
    times = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    assert make_study([run], tmp_path, Wanted(catches=0)) == study == load(tmp_path)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == times
    other = make_study([run], tmp_path, Wanted(catches=0, seed=1))
    assert other.id != study.id
    assert {path.name for path in (tmp_path / CLIPS).iterdir()} == {
        name for item in other.items for name in item.clips[0].files
    }
    answer(tmp_path, answers_of(other, "anna", [("hair", 3)]))
    with pytest.raises(StudyError, match="answers of 1 to a study of other clips.*--outdir"):
        make_study([run], tmp_path, Wanted(catches=0))
    assert load(tmp_path) == other


def test_a_clip_that_is_missing_is_made_again(run, tmp_path):
    study = make_study([run], tmp_path, Wanted(catches=0))
    lost = tmp_path / CLIPS / study.items[0].clips[0].files[0]
    lost.unlink()
    make_study([run], tmp_path, Wanted(catches=0))
    assert lost.is_file()


def test_pairs_are_of_the_same_seeds(run, tmp_path):
    other = made_run(tmp_path / "other", 2, seed=1)
    study = make_study([run, other], tmp_path / "study", Wanted("both", catches=2))
    kinds = [(item.kind, item.catch) for item in study.items]
    assert kinds.count(("one", "")) == 5 and kinds.count(("pair", "")) == 2 and kinds.count(("pair", "1")) == 1
    pairs = [tuple(clip.direction for clip in item.clips) for item in study.items if item.kind == "pair"]
    assert pairs == [(0, 3), (1, 4), (None, None)]
    assert [study.title(one) for one in pairs[1]] == ["first all:1", "other all:1"]
    assert study.items[-1].clips[1].made == "obvious"
    for more in ({"subjects": ("seed 1",)}, {"trunc": 0.7}):
        foreign = made_run(tmp_path / f"foreign{len(more['subjects']) if 'subjects' in more else 2}", 1, **more)
        with pytest.raises(StudyError, match="cannot be compared; type --ask names"):
            make_study([run, foreign], tmp_path / "no", Wanted("pairs"))
    with pytest.raises(StudyError, match="two methods"):
        make_study([run], tmp_path / "no", Wanted("pairs"))
    assert not (tmp_path / "no").exists()


def test_two_folders_of_one_name_are_told_apart(run, tmp_path):
    other = made_run(tmp_path / "first", 1, seed=1)
    study = make_study([run, other], tmp_path / "study", Wanted(catches=0))
    assert study.title(3) == "../first all:0" and study.title(0).endswith("/first all:0")
    assert study.title(0) != "../first all:0"


def test_folders_are_not_mixed_up(run, tmp_path):
    with pytest.raises(StudyError, match="named twice"):
        make_study([run, run / ".." / run.name], tmp_path, Wanted())
    with pytest.raises(StudyError, match="--outdir .*first: is the folder of a run"):
        make_study([run], run, Wanted())


def test_what_is_no_run_is_refused_in_a_line(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(StudyError, match="no folder of a run"):
        make_study([tmp_path / "empty"], tmp_path / "study", Wanted())
    run = made_run(tmp_path / "run", 1)
    record = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps({**record, "outputs": {}}))
    with pytest.raises(StudyError, match="holds no clip.*sefa render"):
        make_study([run], tmp_path / "study", Wanted())
    (run / "run.json").write_text(json.dumps(record))
    (run / "videos/all-dir00.mp4").write_bytes(b"cut off")
    with pytest.raises(StudyError, match="not the file that its run has made"):
        make_study([run], tmp_path / "study", Wanted())
    (tmp_path / "study").mkdir()
    for text in ("{", '{"format": "sefa_study"}'):
        (tmp_path / "study/study.json").write_text(text)
        with pytest.raises(StudyError, match="is no study that can be read"):
            load(tmp_path / "study")


def test_texts_of_a_file_replace_the_usual_ones(tmp_path):
    usual = read_texts(None)
    assert tuple(usual) == SECTIONS and all(usual.values())
    path = tmp_path / "texts.md"
    path.write_text("# Title\nCars\n\n# consent\nOne.\n\nTwo.\n", encoding="utf-8")
    assert read_texts(path) == {**usual, "title": "Cars", "consent": "One.\n\nTwo."}
    for wrong in ("no heading", "# Title\nCars\n# Thank you\nBye\n"):
        path.write_text(wrong)
        with pytest.raises(ValueError, match="# Title, # Instructions, # Names"):
            read_texts(path)
    path.write_bytes(b"# Title\n\xff")
    with pytest.raises(ValueError, match="UTF-8"):
        read_texts(path)
