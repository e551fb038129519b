"""The words of sheets against exact and against read truth."""

import pytest

from demo import words


@pytest.mark.hard
@pytest.mark.command
def test_the_kind_of_each_drawn_factor():
    """Faces that are drawn anew with one factor changed, so that the truth is exact."""
    effects = words.drawn()
    assert {name: effect.kind for name, effect in effects.items()} == words.FACES
    assert effects["light"].words[0] == "lit from the right"
    assert effects["size"].words[0].startswith("grows")
    assert effects["x"].words[0].startswith("moves right")
    assert effects["tilt"].words[0].startswith("tilts clockwise")


@pytest.mark.hard
@pytest.mark.parametrize("group", words.GROUPS)
def test_the_kind_of_the_factor_that_changes_most(group):
    """Of the factor itself, not of another one that changes as much within its error."""
    found = words.judge(groups=[group])
    assert sum(one.right for one in found) >= 8
    assert len(found) == 10
