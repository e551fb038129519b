import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sefa_plugin.directions.matching import angles, group_sizes, match, ties


def orthonormal(count, dim, seed):
    return np.linalg.qr(np.random.RandomState(seed).randn(dim, dim))[0][:count]


@given(st.integers(1, 24), st.integers(0, 10**6), st.data())
def test_permuted_and_turned_round_is_matched_back_exactly(dim, seed, data):
    count = data.draw(st.integers(1, dim))
    order = np.array(data.draw(st.permutations(range(count))))
    signs = np.array(data.draw(st.lists(st.sampled_from([-1, 1]), min_size=count, max_size=count)))
    first = orthonormal(count, dim, seed)
    second = (first * signs[:, None])[order]  # row i of it is direction order[i] of the first
    for one in match(first.astype(np.float32), second.astype(np.float32)):
        assert order[one.other] == one.index == order[one.nearest]
        assert one.sign == signs[one.index]
        assert one.cosine == pytest.approx(signs[one.index], abs=1e-6)


def test_the_whole_may_prefer_what_is_not_nearest():
    """Directions 0 and 1 both look most like 0; only one can have it, and the other says so."""
    first = np.array([[0.9, np.sqrt(1 - 0.81), 0], [0.8, 0, 0.6]])
    one, other = match(first, np.eye(3)[:2])
    assert (one.other, other.other) == (1, 0)
    assert (one.nearest, other.nearest) == (0, 0)
    assert one.cosine == pytest.approx(np.sqrt(0.19)) and one.nearest_cosine == pytest.approx(0.9)


def test_more_than_there_are_partners_for():
    found = match(np.eye(4), np.eye(4)[[2, 0]])
    assert [one.other for one in found] == [1, None, 0, None]
    assert found[1].cosine == 0 and found[0].cosine == 1
    with pytest.raises(ValueError, match="4 components cannot be compared with 3"):
        match(np.eye(4), np.eye(3))


def test_principal_angles():
    assert angles(np.eye(3)[:1], np.eye(3)[1:2]) == pytest.approx([90])
    turned = np.array([[np.cos(0.5), np.sin(0.5), 0]])
    assert angles(np.eye(3)[:1], turned) == pytest.approx([np.degrees(0.5)])
    assert angles(np.eye(3)[:2], turned) == pytest.approx([0], abs=1e-9)  # it lies in the plane
    assert angles(np.eye(3)[:2], np.eye(3)[1:]) == pytest.approx([0, 90])
    tiny = np.array([[1, 1e-9, 0]])
    assert angles(np.eye(3)[:1], tiny) == pytest.approx([np.degrees(1e-9)], rel=1e-3)  # a cosine loses it
    mixed = np.linalg.qr(np.random.RandomState(0).randn(4, 4))[0] @ orthonormal(4, 9, 1)
    assert angles(mixed, orthonormal(4, 9, 1)).max() < 1e-6  # the same space, in any basis
    assert angles(np.array([[2.0, 0, 0], [4.0, 0, 0]]), np.eye(3)[:1]) == pytest.approx([0], abs=1e-9)


def test_groups_and_ties():
    assert group_sizes(1) == [1] and group_sizes(5) == [1, 2, 3, 5] and group_sizes(12) == [1, 2, 3, 5, 10, 12]
    assert ties([5, 3, 3, 2, 2 - 1e-6, 1]) == [[1, 2], [3, 4]]
    assert ties([3, 5, 3]) == [[0, 2]]  # in whatever order the file has them
    assert ties([2.0, 1.9]) == ties([]) == ties([0, 0, 0]) == []  # not known
    assert ties([1, 0, 0]) == [[1, 2]]
