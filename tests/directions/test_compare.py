import json

import numpy as np
import pytest

from sefa_plugin.directions.compare import CompareError, Side, as_json, as_lines, compare

AXES = np.linalg.qr(np.random.RandomState(0).randn(6, 6))[0]


def side(vectors=AXES, path="a.pt", **given):
    return Side(path, "some directions", np.asarray(vectors), **given)


def test_lengths_do_not_matter_and_names_come_along():
    first = side(AXES[:3] * 7, names=("", "smile", ""))
    found = compare(first, side(-AXES[[1, 2, 0]], "b.pt", names=("grin", "", "")))
    assert [one.other for one in found.matches] == [2, 0, 1]
    assert {one.sign for one in found.matches} == {-1}
    assert all(angle.max() < 1e-5 for size, angle in found.spans.items() if size == 3)
    told = as_json(found, [1])
    assert json.loads(json.dumps(told)) == told
    assert told["matches"][0]["match_name"] == "grin" and told["matches"][0]["sign"] == -1
    text = "\n".join(as_lines(found, [1]))
    assert "smile = grin" in text and "turned round" in text and "(2 more;" in text


def test_ties_are_told_and_compared_as_a_space():
    turn = np.array([[np.cos(1), np.sin(1)], [-np.sin(1), np.cos(1)]])
    mixed = np.concatenate([AXES[:1], turn @ AXES[1:3]])
    values = np.array([3.0, 1, 1])
    found = compare(side(AXES[:3], eigenvalues=values), side(mixed, "b.pt", eigenvalues=values))
    assert found.ties == ([[1, 2]], [[1, 2]])
    assert found.tied_angles[0] < 1e-5
    assert abs(found.matches[1].cosine) < 0.9  # one by one they do not agree
    text = "\n".join(as_lines(found, [0, 1, 2]))
    assert "A: 1-2 have equal eigenvalues" in text and text.count("tied, see below") == 2


def test_rows_for_each_layer_are_compared_as_a_whole():
    rows = np.random.RandomState(1).randn(4, 3, 6)
    one, other = side(rows, layers=(0, 1, 2)), side(-rows[::-1], "b.pt", layers=(0, 1, 2))
    assert [(x.other, round(x.cosine, 6)) for x in compare(one, other).matches] == [(3, -1), (2, -1), (1, -1), (0, -1)]
    alike = side(np.repeat(AXES[:2, None], 3, axis=1), layers=(0, 1, 2))
    assert [x.cosine for x in compare(alike, side(AXES, "b.pt")).matches] == pytest.approx([1, 1])
    with pytest.raises(CompareError, match="rows for different layers"):
        compare(one, side(rows, "b.pt", layers=(1, 2, 3)))


def test_what_cannot_be_compared_is_one_line():
    with pytest.raises(CompareError, match=r"a.pt has .* of 6 components, b.pt .* of 3 .*: they belong to different"):
        compare(side(), side(np.eye(3), "b.pt"))
    with pytest.raises(CompareError, match="directions of W, b.pt of Z"):
        compare(side(space="w"), side(path="b.pt", space="z"))
    found = compare(side(layers=(0, 1, 2)), side(path="b.pt", layers=(2, 4)))
    assert found.notes == ("a.pt changes layers 0-2, b.pt layers 2, 4",)
    assert "Note: a.pt changes" in "\n".join(as_lines(found, []))


def test_numbers_and_names():
    held = side(names=("", "smile", "", "", "", ""))
    assert [held.index(key) for key in (0, -1, "smile")] == [0, 5, 1]
    for key in (6, -7, "frown"):
        with pytest.raises(ValueError, match=r"a.pt has 6 \(0-5\)"):
            held.index(key)


def test_names_of_other_tools_do_nothing_to_a_terminal_and_tiny_directions_are_compared():
    odd = side(names=("\x1b]0;x\x07", "a\u202eb", "Лицо", "", "", ""), vectors=AXES * 1e-200)
    text = "\n".join(as_lines(compare(odd, side()), range(3)))
    assert "\\x1b]0;x\\x07" in text and "\\u202e" in text and "Лицо" in text
    assert all(line.isprintable() for line in text.splitlines())
    assert np.allclose([one.cosine for one in compare(odd, side()).matches], 1)
