import sys

import numpy as np
import pytest

from sefa_plugin.evaluate.scorers.interface import ScorerError, scores_of
from sefa_plugin.evaluate.scorers.scorers import Several, Titled, load_scorer

PICTURES = np.arange(2 * 4 * 4 * 3, dtype=np.uint8).reshape(2, 4, 4, 3)
CODE = """
import neighbour

def bright(pictures):
    return {"bright": pictures.mean(axis=(1, 2, 3))}

def batch(pictures, size=8):
    return bright(pictures)

def made(scale=2):
    return lambda pictures: {"bright": scale * pictures.mean(axis=(1, 2, 3))}

class Made:
    def __call__(self, pictures):
        return {"made": pictures.mean(axis=(1, 2, 3)), "bright": pictures.max(axis=(1, 2, 3))}

    def features(self, pictures):
        return pictures.mean(axis=(1, 2))

class Broken:
    def __init__(self):
        raise KeyError("weights")

def failing(pictures):
    raise RuntimeError("no\\nweights")

there = Made()
number = 3
"""


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "neighbour.py").write_text("")
    (tmp_path / "mine_of_tests.py").write_text(CODE)
    yield tmp_path / "mine_of_tests.py"
    for name in ("neighbour", "mine_of_tests"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize("module", ["mine_of_tests", "mine_of_tests.py", "{folder}/mine_of_tests.py"])
@pytest.mark.parametrize(("name", "factor"), [("bright", 1), ("batch", 1), ("made", 2)])
def test_functions_are_scorers_or_make_them(file, module, name, factor):
    scorer = load_scorer(f"{module.format(folder=file.parent)}:{name}")
    assert np.allclose(scores_of(scorer, PICTURES)["bright"], factor * PICTURES.mean(axis=(1, 2, 3)))
    assert scorer.title == name
    assert not hasattr(scorer, "features")


@pytest.mark.parametrize("name", ["Made", "there", "there.__call__"])
def test_classes_and_objects(file, name):
    scorer = load_scorer(f"{file}:{name}")
    assert list(scores_of(scorer, PICTURES)) == ["made", "bright"]
    if name != "there.__call__":
        assert scorer.features(PICTURES).shape == (2, 3)


def test_other_code_is_another_scorer(file):
    before = load_scorer(f"{file}:bright").identity
    assert load_scorer(f"{file}:bright").identity == before
    file.write_text(CODE + "\n# changed\n")
    assert load_scorer(f"{file}:bright").identity != before


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("none_such:f", "none_such: cannot be imported: ModuleNotFoundError"),
        ("none.py:f", "none.py: no such file"),
        ("mine_of_tests:nothing", "has no nothing; it has bright, batch, made, Made, Broken, failing, there"),
        ("mine_of_tests:there.nothing", "has no there.nothing"),
        ("mine_of_tests:number", "number is a int, not a function of pictures"),
        ("mine_of_tests:Broken", "making it failed: KeyError: 'weights'"),
        ("wrong.py:f", "wrong.py: cannot be imported: SyntaxError"),
    ],
)
def test_what_cannot_be_loaded(file, text, says):
    (file.parent / "wrong.py").write_text("def f(:")
    with pytest.raises(ScorerError, match=says):
        load_scorer(text)


def test_what_fails_when_it_is_asked(file):
    with pytest.raises(ScorerError, match="the scorer failing failed: RuntimeError: no weights$"):
        scores_of(load_scorer(f"{file}:failing"), PICTURES)


@pytest.mark.parametrize("text", ["", "smile", ":f", "onnx", "onnx:", "module:", "clap"])
def test_texts_that_are_no_scorer(text):
    with pytest.raises(ValueError, match="expected demo, clip, open_clip, onnx:FILE, or MODULE:NAME"):
        load_scorer(text)


def test_the_bundled_predictor_reads_drawn_faces():
    from demo.world import NAMES, faces

    pictures, factors = faces(7, 60)
    scorer = load_scorer("demo")
    scores = scores_of(scorer, pictures)
    assert tuple(scores) == NAMES
    for column, name in enumerate(NAMES):
        assert np.corrcoef(scores[name], factors[:, column])[0, 1] > 0.85, name
    assert scorer.title == "demo" and len(scorer.identity) > 60
    assert scorer.features(pictures).shape[0] == 60


@pytest.mark.parametrize("kind", ["clip", "open_clip"])
def test_clip_needs_a_model_and_attributes(kind):
    for options in ({}, {"clip_model": "folder"}, {"attributes": ["smile=a smile|a face"]}):
        with pytest.raises(ValueError, match=f"--scorer {kind} needs --clip-model and --attribute"):
            load_scorer(kind, **options)


def test_several_at_once(file):
    scorer = load_scorer(f"{file}:bright", f"{file}:Made")
    scores = scores_of(scorer, PICTURES)
    assert list(scores) == ["bright", "made", "Made.bright"]
    assert np.allclose(scores["Made.bright"], PICTURES.max(axis=(1, 2, 3)))
    assert scorer.features(PICTURES).shape == (2, 3)
    assert scorer.title == "bright+Made"
    assert not hasattr(
        Several([Titled(lambda pictures: {}, "a", ""), Titled(lambda pictures: {}, "b", "")]), "features"
    )
    with pytest.raises(ValueError, match="scorers demo, demo: expected different ones"):
        load_scorer("demo", "demo")


def test_some_attributes_of_a_scorer_in_their_order(monkeypatch, tmp_path):
    (tmp_path / "mine.py").write_text("def score(pictures):\n    return {n: pictures.mean((1, 2, 3)) for n in 'abc'}\n")
    monkeypatch.chdir(tmp_path)
    pictures = np.zeros((2, 4, 4, 3), np.uint8)
    usual = load_scorer("mine.py:score")
    some = load_scorer("mine.py:score", only=["c", "a", "c"])
    assert list(some(pictures)) == ["c", "a"] and some.title == usual.title and some.identity != usual.identity
    with pytest.raises(ScorerError, match="has no attribute 'd'; it has a, b, c"):
        load_scorer("mine.py:score", only=["d"])(pictures)
    assert hasattr(load_scorer("demo", only=["smile"]), "features")
