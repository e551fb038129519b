import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sefa_plugin.directions.directions import Direction, Directions
from sefa_plugin.directions.names import Names

COUNT = 4
WORDS = st.sampled_from(["skin", "hair", "-skin", "skin 2", "x+y"])
PLACES = st.integers(0, COUNT - 1)
STEPS = st.lists(
    st.one_of(
        st.tuples(PLACES, st.one_of(WORDS, st.just(""))),
        st.tuples(st.dictionaries(PLACES, st.tuples(WORDS, st.floats(0, 1))), st.sets(PLACES)),
    ),
    max_size=12,
)


def empty():
    return Names(("",) * COUNT, ("",) * COUNT, (None,) * COUNT)


def as_records(names):
    """What records make of names: the same, where they are valid."""
    held = [Direction(np.ones(1), 1.0, *one) for one in zip(*names)]
    return Names(*zip(*((one.name, one.named_by, one.purity) for one in held)))


@given(STEPS)
def test_whatever_happens_names_are_unique_and_a_persons_stay(steps):
    held = empty()
    for first, second in steps:
        if isinstance(first, int):
            try:
                held = held.by_person(first, second)
            except ValueError:
                assert second in held.names
            else:
                assert held.names[first] == second
        else:
            before = {index: name for index, name in enumerate(held.names) if held.named_by[index] == "person"}
            others = [index for index in range(COUNT) if index not in second and index not in first]
            kept = [held.names[index] for index in others]
            held = held.automatic(first, second)
            assert all(held.names[index] == name for index, name in before.items())
            assert [held.names[index] for index in others] == kept
            assert all(held.names[index] for index in first)
        said = [name for name in held.names if name]
        assert len(set(said)) == len(said)
        assert as_records(held) == held


@given(STEPS, STEPS)
def test_names_taken_from_elsewhere_are_unique_too(one, other):
    def made(steps):
        held = empty()
        for first, second in steps:
            if not isinstance(first, int):
                held = held.automatic(first, second)
        return held

    mine, theirs = made(one), made(other)
    both = mine.taking(theirs)
    said = [name for name in both.names if name]
    assert len(set(said)) == len(said)
    assert as_records(both) == both
    assert set(said) <= {*mine.names, *theirs.names}


def test_what_older_files_say_is_a_persons():
    assert as_records(Names(("a", ""), ("", ""), (None, None))) == Names(("a", ""), ("person", ""), (None, None))
    told = Names(("", "b"), ("auto", "auto"), (0.5, 0.5))
    assert as_records(told) == Names(("", "b"), ("", "auto"), (None, 0.5))


@pytest.mark.parametrize(
    "wrong",
    [
        {"names": ("a",)},
        {"names": ("a", "b"), "named_by": ("auto",)},
        {"names": ("a", "b"), "named_by": ("x", "auto")},
        {"purity": (2, None)},
        {"names": ("a,b", "")},
    ],
)
def test_what_cannot_be(wrong):
    with pytest.raises(ValueError, match="names|named_by|purity|comma"):
        Directions.of(np.eye(2), np.ones(2), (0,), **wrong)
