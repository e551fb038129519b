import numpy as np
import pytest

from sefa_plugin.directions.keys import parse_keys
from sefa_plugin.directions.names import check_name
from sefa_plugin.evaluate.statistics.effects import Effects
from sefa_plugin.evaluate.tables.labels import labels
from sefa_plugin.rendering.typed_edits import parse_axis, parse_edit


def effects(rows, names=None, error=0.01, count=1000):
    rows = np.array(rows, float)
    names = names or [f"a{k}" for k in range(rows.shape[1])]
    ones = np.ones(rows.shape[1])
    return Effects(tuple(names), rows, np.full(rows.shape, error), ones, ones, count)


def test_names_say_what_and_which_way_and_how_purely():
    found = labels(effects([[2, 0.5, 0], [-0.3, 0.1, -0.6], [1, -0.8, 0.7]], ["skin", "hair", "light"]))
    assert [(label.index, label.name) for label in found] == [(0, "skin"), (2, "skin-hair+light"), (1, "-light")]
    assert np.allclose([label.purity for label in found], [0.8, 1, 0.6])
    assert [label.strength for label in found] == [2, 1, 0.6]


def test_no_more_than_three_and_only_what_is_nearly_as_strong():
    (found,) = labels(effects([[1, 1, -1, 1, 0.59]]))
    assert found.name == "a0+a1-a2"
    assert np.isclose(found.purity, 3 / 4.59)
    assert labels(effects([[1, 0.6, 0.59]]))[0].name == "a0+a1"


def test_a_second_attribute_must_change_enough_by_itself():
    """0.2 is more than 0.6 of 0.3, and still too weak for a name."""
    (found,) = labels(effects([[0.3, 0.2]]))
    assert found.name == "a0" and np.isclose(found.purity, 0.6)
    assert labels(effects([[0.3, 0.26]]))[0].name == "a0+a1"


def test_what_is_weak_or_chance_gets_no_name():
    assert labels(effects([[0.2, 0.1], [0.0, 0.0]])) == []
    assert labels(effects([[1.0, 0.5]], error=0.5)) == []
    (found,) = labels(effects([[0.4, 3.0]], error=np.array([[0.01, 2.0]])))
    assert found.name == "a0" and np.isclose(found.purity, 0.4 / 3.4)  # chance counts against purity


@pytest.mark.parametrize(
    "attribute", ["7", "a,b", "-", "+3", "1-2", " , ", "long " * 20, "été", "skin-tone", "x\tz", "a=b", "all:0@2"]
)
def test_every_name_can_be_typed(attribute):
    (found,) = labels(effects([[-1, 0.9]], [attribute, attribute + "2"]))
    check_name(found.name)
    assert parse_keys(f"0,{found.name},2") == [0, found.name, 2]
    (found,) = labels(effects([[1.0]], [attribute]))
    check_name(found.name)
    assert parse_keys(found.name) == [found.name]
    for name in (found.name, f"-{found.name}"):
        assert parse_edit(f"{name}=-1@coarse").key == parse_axis(name).key == name
