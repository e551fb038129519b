import json

import pytest

from sefa_plugin.runs.page.scores import scored
from sefa_plugin.runs.record import Manifest

NETWORK = {"name": "n", "digest": "d"}
HELD = {
    "label": "all",
    "attributes": ["skin", "hair", "light"],
    "samples": 50,
    "first_seed": 1000,
    "scorer": "demo",
    "directions": [
        {"index": 3, "digest": "x", "name": "old", "normalized": [0.5, -2, 0.01], "significant": [True, True, False]},
        {"index": 4, "digest": "y", "name": "", "normalized": [0, 0, 0], "significant": [False] * 3},
    ],
}


@pytest.fixture
def manifest(tmp_path):
    (tmp_path / "evaluate").mkdir()
    for suffix in (".json", ".png"):
        (tmp_path / "evaluate" / f"rescore-all{suffix}").write_text(json.dumps(HELD))
    made = Manifest(tmp_path, ["x"], NETWORK)
    made.add("evaluate/rescore-all.json", {"rescore": True, "network": "d"}, [], command=["sefa", "evaluate"])
    return made


def test_what_the_page_is_told(manifest):
    found = scored(manifest, {("all", 3, "x"): "new"}, {"all": {3: "x"}})
    (matrix,) = found.matrices
    assert matrix.rows == [("all-dir03", "3", "new"), ("", "4", "")]
    assert matrix.values[0] == [0.5, -2, 0.01]
    assert matrix.files == ("evaluate/rescore-all.png", "evaluate/rescore-all.json")
    assert "50 unedited samples (seeds 1000-1049); scorer demo" in matrix.text
    assert found.moves == {("all", 3, "x"): "hair -2.00, skin +0.50", ("all", 4, "y"): "nothing beyond chance"}


def test_rows_of_directions_that_are_no_longer_shown_are_left_out(manifest):
    """The folder was made again with other options: direction 3 is another one now."""
    (matrix,) = scored(manifest, {}, {"all": {3: "other", 4: "y"}}).matrices
    assert matrix.rows == [("all-dir04", "4", "")] and len(matrix.values) == len(matrix.sure) == 1
    assert scored(manifest, {}, {"all": {3: "other", 4: "other"}}).matrices == ()


def test_how_samples_were_drawn_is_said_where_it_is_not_usual(manifest):
    (manifest.outdir / "evaluate" / "rescore-all.json").write_text(json.dumps({**HELD, "look": "truncation 0.7"}))
    (matrix,) = scored(manifest, {}, {}).matrices
    assert "scorer demo, truncation 0.7. " in matrix.text


def test_names_of_the_table_where_the_file_has_none(manifest):
    (matrix,) = scored(manifest, {}, {}).matrices
    assert matrix.rows == [("", "3", "old"), ("", "4", "")]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        "[" * 5000,
        json.dumps({**HELD, "directions": 3}),
        json.dumps({**HELD, "attributes": ["one"]}),
        json.dumps({**HELD, "directions": [{**HELD["directions"][0], "normalized": [1, 2, float("nan")]}]}),
    ],
)
def test_a_table_that_cannot_be_read_is_left_out(manifest, text):
    (manifest.outdir / "evaluate" / "rescore-all.json").write_text(text)
    assert scored(manifest, {}, {}).matrices == ()


def test_tables_of_another_network_are_left_out(manifest):
    manifest.network = {"name": "other", "digest": "e"}
    assert scored(manifest, {}, {}).matrices == ()


def test_the_record_says_which_command_made_it(manifest):
    held = json.loads((manifest.outdir / "run.json").read_text())
    assert held["outputs"]["evaluate/rescore-all.json"]["command"] == ["sefa", "evaluate"]
    assert held["command"] == ["x"]
