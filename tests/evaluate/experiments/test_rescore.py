import colorsys
import csv
import io
import json

import numpy as np
import pytest
from PIL import Image
from toys import Planted, patches

from sefa_plugin import Directions, factorize, load_network
from sefa_plugin.evaluate.experiments.rescore import (
    Row,
    as_csv,
    as_json,
    rescore,
    settings_of,
    summary,
    write_table,
)
from sefa_plugin.evaluate.samples.sampling import Samples
from sefa_plugin.evaluate.samples.scores import Scores
from sefa_plugin.evaluate.scorers.scorers import Several, Titled, load_scorer
from sefa_plugin.rendering.look import Look

# Direction 0 is attribute 0; direction 1 moves attributes 1 and 4 against each other; direction 2 nothing that shows.
VECTORS = np.array([[1, 0, 0, 0, 0, 0], [0, 0.8, 0, 0, -0.6, 0], [0, 0, 1, 0, 0, 0]], float)
HELD = Directions.of(VECTORS, np.array([3.0, 2, 1]), (0, 1), label="0-1", names=("", "mine", ""))
ROWS = [Row(HELD, 0, -1.0, 1.5), Row(HELD, 1, -1.0, 1.0), Row(HELD, 2, 0.0, 2.0)]


@pytest.fixture(scope="module")
def samples():
    return Samples(Planted(), count=120)


@pytest.fixture(scope="module")
def table(samples):
    (made,) = rescore(samples, [ROWS], patches, about={"network": "planted"})
    return made


def test_a_planted_matrix_is_recovered_with_sign_and_size(samples, table):
    want = np.array([[2.5, 0, 0, 0, 0, 0], [0, 1.6, 0, 0, -1.2, 0], [0, 0, 0, 0, 0, 0]])
    assert table.effects.attributes == tuple(f"a{k}" for k in range(6))
    assert np.allclose(table.effects.change, want, atol=0.02)
    assert np.allclose(table.effects.normalized, want / samples.codes().std(axis=0), atol=0.03)
    low, high = table.effects.interval()
    assert ((low - 0.02 <= want) & (want <= high + 0.02)).all()
    # But for the rounding of pixels, an edit adds the same to every sample: the interval is narrow.
    assert (high - low).max() < 0.02


def test_planted_names(table):
    # Attribute 4 happens to vary less among these samples, so that 1.2 of it is more than 1.6 of attribute 1.
    assert [(label.index, label.name) for label in table.labels] == [(0, "a0"), (1, "-a4+a1")]
    assert [label.purity for label in table.labels] == pytest.approx([1, 1], abs=0.02)


def test_a_one_sided_range_is_measured_against_the_unedited(samples):
    reached = Directions.of(VECTORS, np.array([3.0, 2, 1]), (0, 1, 2))
    (made,) = rescore(samples, [[Row(reached, 2, 0.0, 2.0)]], patches)
    assert np.allclose(made.effects.change, [[0, 0, 2, 0, 0, 0]], atol=0.02)


def test_groups_become_tables_of_their_own_and_share_the_unedited(samples):
    done = []
    late = Directions.of(VECTORS, np.array([3.0, 2, 1]), (2,), label="2")
    one, two = rescore(samples, [ROWS[:1], [Row(late, 2, -1.0, 1.0)]], patches, begin=done.append)
    assert (one.stem, two.stem) == ("rescore-0-1", "rescore-2")
    assert np.allclose(two.effects.change, [[0, 0, 2, 0, 0, 0]], atol=0.02)
    assert done == [5 * 120]


def test_normalised_changes_do_not_depend_on_an_attributes_unit(samples, table):
    (made,) = rescore(samples, [ROWS], lambda pictures: {k: 100 * v - 7 for k, v in patches(pictures).items()})
    assert np.allclose(made.effects.normalized, table.effects.normalized, atol=1e-4)
    assert np.allclose(made.effects.change, 100 * table.effects.change, rtol=1e-3, atol=1e-2)


def test_csv_has_a_line_for_each_direction_and_attribute(table):
    lines = list(csv.DictReader(io.StringIO(as_csv(table))))
    assert len(lines) == 3 * 6
    line = lines[6 + 4]
    assert (line["layers"], line["direction"], line["name"], line["attribute"]) == ("0-1", "1", "mine", "a4")
    numbers = {key: float(line[key]) for key in ("low", "high", "change", "change_low", "change_high", "normalized")}
    assert numbers["change"] == pytest.approx(-1.2, abs=0.02)
    assert numbers["change_low"] <= numbers["change"] <= numbers["change_high"]
    assert numbers["low"] == -1 and line["significant"] == "1"
    assert lines[-1]["significant"] == "0"


def test_json_holds_everything(table):
    held = json.loads(json.dumps(as_json(table, "how")))
    assert (held["network"], held["samples"], held["first_seed"], held["command"]) == ("planted", 120, 1000, "how")
    assert held["scorer"] == "function"
    first = held["directions"][0]
    assert (first["index"], first["low"], first["high"], first["label"], first["name"]) == (0, -1.0, 1.5, "a0", "")
    assert np.allclose(first["change"], table.effects.change[0], rtol=1e-4, atol=1e-6)
    assert np.allclose(np.array(first["interval"]).T, [end[0] for end in table.effects.interval()], atol=1e-5)
    assert held["directions"][2]["purity"] is None
    json.dumps(held, allow_nan=False)


def test_an_attribute_that_never_varies_is_no_infinity(samples):
    (made,) = rescore(samples, [ROWS], lambda pictures: {**patches(pictures), "fixed": np.ones(len(pictures))})
    held = as_json(made)
    assert held["spread"][6] is None and held["directions"][0]["normalized"][6] == 0
    json.dumps(held, allow_nan=False)


def test_files_appear_whole(table, tmp_path):
    paths = write_table(tmp_path / "new", table, "how")
    assert [path.name for path in paths] == ["rescore-0-1.png", "rescore-0-1.csv", "rescore-0-1.json"]
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == sorted(path.name for path in paths)
    with Image.open(paths[0]) as picture:
        assert picture.text["Comment"].splitlines()[0] == "how"
    assert paths[1].read_text() == as_csv(table)


def test_lines_for_people(table):
    assert summary(table)[0].startswith("   0  (no name) (purity 1.00): a0 +2.")
    assert summary(table)[1].startswith("   1  mine (purity")
    assert summary(table)[2] == "   2  (no name): no change beyond chance"


def test_settings_tell_runs_apart(samples):
    class Named:
        identity = "one"

        def __call__(self, pictures):
            return patches(pictures)

    base = settings_of(samples, Named(), "digest")
    assert base == settings_of(Samples(Planted(), count=7), Named(), "digest")  # the number of samples may change
    others = [
        settings_of(Samples(Planted(), Look(trunc=0.5)), Named(), "digest"),
        settings_of(Samples(Planted(), first=7), Named(), "digest"),
        settings_of(samples, Named(), "another"),
        settings_of(samples, patches, "digest"),
    ]
    assert all(other != base for other in others)
    json.dumps(base)


@pytest.mark.parametrize(
    ("classes", "look", "said"),
    [
        (0, Look(), ""),
        (0, Look(trunc=0.7), "truncation 0.7"),
        (3, Look(), "a class drawn for each"),
        (3, Look(trunc=0.5, label=2), "truncation 0.5, class 2"),
    ],
)
def test_how_samples_are_drawn_is_said(classes, look, said):
    (made,) = rescore(Samples(Planted(classes), look, count=4), [ROWS[:1]], patches)
    assert as_json(made)["look"] == said


def test_scores_are_kept_and_used(samples, tmp_path):
    seen = []

    def scorer(pictures):
        seen.append(len(pictures))
        return patches(pictures)

    path = tmp_path / "scores.npz"
    (first,) = rescore(samples, [ROWS], scorer, scores=Scores(120, {}, path))
    count = len(seen)
    (second,) = rescore(samples, [ROWS], scorer, scores=Scores(120, {}, path))
    assert len(seen) == count and (second.effects.change == first.effects.change).all()


def test_a_trial_shows_early_what_fails(samples):
    assert samples.trial(patches) == tuple(f"a{k}" for k in range(6))
    with pytest.raises(Exception, match="not a dict"):
        samples.trial(lambda pictures: 3)


def test_one_sample_is_not_enough():
    with pytest.raises(ValueError, match="at least 2"):
        rescore(Samples(Planted(), count=1), [ROWS], patches)


@pytest.mark.hard
def test_what_is_said_of_the_bundled_network_agrees_with_its_pixels():
    """Three factors can be read from pixels alone; the matrix must say the same of them as these do."""
    G = load_network("demo")
    held = factorize(G, num_directions=8)

    def pixels(pictures):
        x = pictures / 255
        corners = np.concatenate([x[:, :8, :8], x[:, :8, -8:]], axis=2).mean(axis=(1, 2))
        sides = x[:, 16:48, :32].mean(axis=(1, 2, 3)) - x[:, 16:48, 32:].mean(axis=(1, 2, 3))
        hues = np.array([colorsys.rgb_to_hsv(*corner)[0] for corner in corners])
        return {"hue": hues, "face": x[:, 28:40, 26:38].mean(axis=(1, 2, 3)), "sides": -sides}

    scorer = Several([load_scorer("demo"), Titled(pixels, "pixels", "")])
    (made,) = rescore(Samples(G, count=32), [[Row(held, index, -1.7, 1.7) for index in range(8)]], scorer)
    columns = dict(zip(made.effects.attributes, made.effects.normalized.T))
    for factor, pixel in (("background", "hue"), ("skin", "face"), ("light", "sides")):
        assert np.corrcoef(columns[factor], columns[pixel])[0, 1] > 0.9, factor
