"""Names of re-scoring on their way into the directions file."""

import numpy as np
import pytest
from made_directions import altered

from sefa_plugin import Directions
from sefa_plugin.evaluate.experiments.naming_run import apply_names
from sefa_plugin.evaluate.experiments.rescore import Rescored, Row
from sefa_plugin.evaluate.statistics.effects import Effects
from sefa_plugin.evaluate.tables.labels import labels
from sefa_plugin.runs.renaming import rename


@pytest.fixture
def made(tmp_path):
    held = Directions.of(np.eye(4), np.arange(4, 0, -1), (0, 1))
    path = tmp_path / "directions.safetensors"
    held.save(path)
    return held, path


def table(held, rows, names=("skin", "hair")):
    rows = np.array(rows, float)
    ones = np.ones(rows.shape[1])
    effects = Effects(names, rows, np.full(rows.shape, 0.001), ones, ones, 100)
    lines = tuple(Row(held, index, -1, 1) for index in range(len(rows)))
    return Rescored(lines, effects, tuple(labels(effects)), {}, ("",) * len(rows))


def test_names_are_written_and_shown_in_the_table(made):
    held, path = made
    named = apply_names(path, table(held, [[1, 0], [0, -1], [0, 0]]))
    assert named.names == ("skin", "-hair", "")
    now = Directions.load(path)
    assert now.names == ("skin", "-hair", "", "")
    assert now.named_by == ("auto", "auto", "", "")
    assert now.purity == (1, 1, None, None)


def test_what_a_person_names_while_samples_are_scored_stays(made):
    held, path = made
    rename(path, "0", "my skin")
    rename(path, "2", "-hair")
    named = apply_names(path, table(held, [[1, 0], [0, -1], [1, 1]]))
    assert named.names == ("my skin", "-hair 2", "-hair")
    assert Directions.load(path).named_by == ("person", "auto", "person", "")


def test_a_later_rescoring_replaces_its_own_names_only(made):
    held, path = made
    apply_names(path, table(held, [[1, 0], [0, 1], [0, 0]]))
    rename(path, "1", "fringe")
    named = apply_names(path, table(held, [[0, 0], [1, 0], [0, 1]]))
    assert named.names == ("", "fringe", "hair")


def test_the_file_is_left_alone_where_no_names_are_wanted(made):
    held, path = made
    rename(path, "1", "fringe")
    before = path.read_bytes()
    assert apply_names(path, table(held, [[1, 0], [0, 1]]), give=False).names == ("", "fringe")
    assert path.read_bytes() == before


def test_a_file_that_is_gone_or_holds_others_is_written_anew(made):
    held, path = made
    found = table(held, [[1, 0]])
    path.unlink()
    assert apply_names(path, found).names == ("skin",)
    altered(held, vectors=np.eye(4)[::-1]).save(path)
    apply_names(path, found)
    assert (Directions.load(path).vectors == held.vectors).all()
    assert Directions.load(path).names[0] == "skin"
