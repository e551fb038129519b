import numpy as np
import pytest
from toys import Planted, patches

from sefa_plugin import Directions
from sefa_plugin.evaluate.samples.sampling import Samples, measure_pictures
from sefa_plugin.evaluate.samples.scores import SampleEdit, Scores, score_edits
from sefa_plugin.rendering.look import Look

ALL = Directions.of(np.eye(6), np.ones(6), (0, 1, 2))
FEW = Directions.of(np.eye(6), np.ones(6), (1, 2), label="1-2")
WANTED = [SampleEdit(ALL, 0, -1.0), SampleEdit(ALL, 0, 2.0), SampleEdit(FEW, 1, 1.5), SampleEdit(ALL, 3, 0.0)]


class Counted:
    """A scorer that counts pictures, and stops after some as Ctrl-C would."""

    def __init__(self, stop=None):
        self.seen, self.stop = 0, stop

    def __call__(self, pictures):
        if self.stop is not None and self.seen >= self.stop:
            raise KeyboardInterrupt
        self.seen += len(pictures)
        return patches(pictures)


def scored(count=10, path=None, scorer=None, wanted=WANTED, settings=None, **options):
    scores = Scores(count, settings, path)
    score_edits(Samples(Planted(), count=count, batch=4), wanted, scorer or patches, scores, **options)
    return scores


def test_scores_are_those_of_the_edits():
    expected, done = [], []
    scores = scored(begin=expected.append, advance=done.append)
    samples = Samples(Planted(), count=10)
    assert scores.attributes == [f"a{k}" for k in range(6)]
    for edit in WANTED:
        views = map(samples.view, samples.batches())
        shots = (next(samples.edited(view, edit.directions, [(edit.index, edit.distance)])) for view in views)
        want = measure_pictures(shots, patches)
        assert np.allclose(scores.of(edit), np.stack(list(want.values()), axis=1), atol=1e-6)
    assert (scores.of(WANTED[3]) == scores.unedited).all()
    assert expected == [40] and sum(done) == 40  # unedited and three edits


def test_equal_edits_are_one():
    same = SampleEdit(Directions.of(np.eye(6)[::-1], np.ones(6), (0, 1, 2), names=tuple("abcdef")), 5, -1.0)
    assert same.key == WANTED[0].key
    assert SampleEdit(FEW, 0, -1.0).key != WANTED[0].key != SampleEdit(ALL, 0, -1.1).key
    assert SampleEdit(FEW, 4, 0.0).key == SampleEdit(ALL, 0, -0.0).key


@pytest.mark.parametrize("stop", [0, 4, 8, 22, 38])
def test_an_interrupted_run_goes_on_from_what_was_scored(tmp_path, stop):
    path, first, second = tmp_path / "scores.npz", Counted(stop), Counted()
    with pytest.raises(KeyboardInterrupt):
        scored(path=path, scorer=first)
    assert list(tmp_path.glob("*")) == ([path] if stop else [])  # nothing half-written beside it
    scores = scored(path=path, scorer=second)
    assert first.seen + second.seen == 40
    whole = scored()
    assert all((scores.of(edit) == whole.of(edit)).all() for edit in WANTED)
    assert not list(tmp_path.glob(".*"))


def test_other_settings_start_anew_and_equal_ones_do_nothing(tmp_path):
    path = tmp_path / "scores.npz"
    scored(path=path, settings={"scorer": "a", "look": (1, 2)})
    for settings, seen in (({"scorer": "a", "look": (1, 2)}, 0), ({"scorer": "b", "look": (1, 2)}, 40)):
        scorer = Counted()
        scored(path=path, settings=settings, scorer=scorer)
        assert scorer.seen == seen


def test_anew_scores_all_again_and_keeps_the_old_file_until_then(tmp_path):
    path = tmp_path / "scores.npz"
    scored(path=path)
    before = path.read_bytes()
    scores = Scores(10, None, path, anew=True)
    assert WANTED[0] not in scores and path.read_bytes() == before
    assert WANTED[0] in Scores(10, None, path)


def test_more_samples_and_more_edits_add_to_what_is_there(tmp_path):
    path = tmp_path / "scores.npz"
    scored(8, path)
    for count, wanted, seen in ((12, WANTED, 16), (12, [*WANTED, SampleEdit(FEW, 0, 1.0)], 12), (6, WANTED, 0)):
        scorer = Counted()
        scores = scored(count, path, scorer, wanted)
        assert scorer.seen == seen
        whole = scored(count, wanted=wanted)
        assert all((scores.of(edit) == whole.of(edit)).all() for edit in wanted)
        assert scores.unedited.shape == (count, 6)


def test_files_that_are_none_of_ours_are_left_aside(tmp_path):
    path = tmp_path / "scores.npz"
    scored(path=path)
    whole = path.read_bytes()
    for data in (b"", b"hello", whole[:-100], whole[:2000] + b"x" * 50 + whole[2050:]):
        path.write_bytes(data)
        scorer = Counted()
        scored(path=path, scorer=scorer)
        assert scorer.seen == 40
    np.savez(path, about=np.array("[]"))
    assert not Scores(10, {}, path).attributes


def test_a_missing_score_is_no_number():
    scores = Scores(3)
    edit = WANTED[0]
    scores.put(edit, 0, {"a": np.ones(2)})
    assert scores.lacks(edit, 0, 3) and not scores.lacks(edit, 0, 2)
    with pytest.raises(KeyError):
        scores.of(edit)
    scores.put(edit, 2, {"a": np.zeros(1)})
    assert scores.of(edit)[:, 0].tolist() == [1, 1, 0]


def test_long_runs_save_now_and_then(tmp_path, monkeypatch):
    """What is lost when a machine dies is what was scored since the last saving."""
    monkeypatch.setattr("sefa_plugin.evaluate.samples.scores.EVERY", 0.0)
    path = tmp_path / "scores.npz"

    def scorer(pictures):
        seen.append(path.is_file())
        return patches(pictures)

    seen = []
    scored(path=path, scorer=scorer)
    assert not seen[0] and seen[2]


def test_pictures_are_those_of_the_look():
    half = Scores(6)
    score_edits(Samples(Planted(), Look(trunc=0.5), count=6), WANTED, patches, half)
    assert np.allclose(half.unedited * 2, scored(6).unedited, atol=0.2)
