import pytest
from hypothesis import given
from hypothesis import strategies as st

from sefa_plugin.directions.keys import parse_key, parse_keys, parse_numbers
from sefa_plugin.directions.names import check_name
from sefa_plugin.rendering.typed_edits import parse_axis, parse_distance, parse_edit, parse_seeds


@pytest.mark.parametrize(
    ("text", "seeds"),
    [
        ("7", [7]),
        ("0,1,4-6", [0, 1, 4, 5, 6]),
        ("0-2", [0, 1, 2]),
        (" 3 , 1", [3, 1]),
        ("4294967295", [2**32 - 1]),
        ("0-9999", list(range(10_000))),
    ],
)
def test_seeds(text, seeds):
    assert parse_seeds(text) == seeds


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("4294967296", "0-4294967295"),
        ("9" * 5000, "expected numbers"),
        ("-1", "expected numbers"),
        ("", "expected numbers"),
        ("1,,2", "expected numbers"),
        ("1.5", "expected numbers"),
        ("5-3", "'5-3': the range runs backwards"),
        ("0-10000", "more than 10000"),
        ("0-9000,0-9000", "more than 10000"),
        ("0-4294967295", "more than 10000"),
    ],
)
def test_seeds_that_make_no_sense(text, says):
    with pytest.raises(ValueError, match=says) as caught:
        parse_seeds(text)
    assert str(caught.value).startswith("seed")


def test_numbers_name_what_they_are():
    with pytest.raises(ValueError, match=r"direction 8: out of range, 0-7 can be used"):
        parse_numbers("3,8", "direction", 7)


@pytest.mark.parametrize(
    ("text", "ends"), [("3", (-3, 3)), ("-3", (-3, 3)), ("-5,5", (-5, 5)), ("0,2.5", (0, 2.5)), ("1,2", (1, 2))]
)
def test_distances(text, ends):
    assert parse_distance(text) == ends


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "expected a number"),
        ("far", "expected a number"),
        ("1,2,3", "expected a number"),
        ("nan", "expected a number"),
        ("inf", "expected a number"),
        ("-inf,3", "expected a number"),
        ("5,-5", "below the second"),
        ("2,2", "below the second"),
        ("0", "leads nowhere"),
        ("1e308", "at most 1e"),
    ],
)
def test_distances_that_make_no_sense(text, says):
    with pytest.raises(ValueError, match=says):
        parse_distance(text)


def test_auto_is_a_distance():
    assert parse_distance("auto") is None


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("0,3,7-9", [0, 3, 7, 8, 9]),
        ("smile", ["smile"]),
        ("brush size, 2 ,3d glasses", ["brush size", 2, "3d glasses"]),
        ("0-1,smile,5", [0, 1, "smile", 5]),
        ("-1,-2", [-1, -2]),
        (" -3--1 ,0", [-3, -2, -1, 0]),
    ],
)
def test_directions_by_number_or_name(text, keys):
    assert parse_keys(text) == keys


@pytest.mark.parametrize("text", ["", "3,,4", "-", "-3-1", "0--1", "-1--3", "-9999999", "smile,", "a" * 101, "sm\nile"])
def test_directions_that_make_no_sense(text):
    with pytest.raises(ValueError, match="direction|name"):
        parse_keys(text)


@given(st.lists(st.integers(-(10**6), 10**6), min_size=1, max_size=8))
def test_any_numbers_come_back(numbers):
    assert parse_keys(",".join(map(str, numbers))) == numbers


@given(st.text(max_size=30))
def test_any_text_is_read_or_refused(text):
    try:
        keys = parse_keys(text)
    except ValueError as error:
        assert "\n" not in str(error)
    else:
        assert all(isinstance(key, (int, str)) for key in keys)


@pytest.mark.parametrize("name", ["3", "1-2", "3 4", "a,b", " x", "x ", "a\tb", "-", "a" * 101])
def test_what_cannot_be_a_name(name):
    with pytest.raises(ValueError, match="the name"):
        check_name(name)


@pytest.mark.parametrize("name", ["", "smile", "brush size", "3d", "großes Lächeln", "-1 to 1?"])
def test_what_can_be_a_name(name):
    check_name(name)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("3", ("", 3)),
        (" -1 ", ("", -1)),
        ("brush size", ("", "brush size")),
        ("coarse:smile", ("coarse", "smile")),
        ("0-1, 5: 7", ("0-1,5", 7)),
        ("12:-2", ("12", -2)),
        ("z:0", ("z", 0)),
        ("size: large", ("", "size: large")),  # a name
    ],
)
def test_one_direction_of_some_layers(text, key):
    assert parse_key(text) == key


@pytest.mark.parametrize("text", ["", "0,1", "2-4", "coarse:", "fine:0,1", "a\tb"])
def test_what_is_not_one_direction(text):
    with pytest.raises(ValueError, match="direction|name"):
        parse_key(text)


@pytest.mark.parametrize(
    ("text", "edit"),
    [
        ("0=+2.5", ("", 0, 2.5, False, "")),
        ("-1=-3e-1", ("", -1, -0.3, False, "")),
        ("smile = -1", ("", "smile", -1, False, "")),
        ("a=b=1", ("", "a=b", 1, False, "")),
        ("coarse:0=2@4-7,9", ("coarse", 0, 2, False, "4-7,9")),
        ("3=auto", ("", 3, 1, True, "")),
        ("3=-auto", ("", 3, -1, True, "")),
        ("3=50%", ("", 3, 0.5, True, "")),
        ("3=-12.5 % @fine", ("", 3, -0.125, True, "fine")),
        ("0=0", ("", 0, 0, False, "")),
    ],
)
def test_edits(text, edit):
    assert parse_edit(text) == edit


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("0", "direction=distance"),
        ("=1", "name|direction"),
        ("0=", "its distance is"),
        ("0=x", "its distance is"),
        ("0=nan", "its distance is"),
        ("0=-inf", "its distance is"),
        ("0=1000001", "at most 1e[+]06"),
        ("0=10001%", "its distance is"),
        ("0=1@", "direction=distance"),
        ("0,1=1", "one is needed"),
    ],
)
def test_edits_that_make_no_sense(text, says):
    with pytest.raises(ValueError, match=says):
        parse_edit(text)


@given(st.text(max_size=40))
def test_any_edit_is_read_or_refused(text):
    try:
        found = parse_edit(text)
    except ValueError as error:
        assert "\n" not in str(error)
    else:
        assert abs(found.distance) <= 1e6


@pytest.mark.parametrize(
    ("text", "axis"),
    [
        ("0", ("", 0, None, "")),
        ("coarse:-1", ("coarse", -1, None, "")),
        ("smile=2", ("", "smile", (-2, 2), "")),
        ("0=-1,3@4-7", ("", 0, (-1, 3), "4-7")),
        ("0@fine", ("", 0, None, "fine")),
        ("me@home", ("", "me@home", None, "")),  # a name
        ("0=auto@fine", ("", 0, None, "fine")),
    ],
)
def test_axes(text, axis):
    assert parse_axis(text) == axis


@pytest.mark.parametrize("text", ["", "0=", "0=3,1", "0=0", "0,1", "0=1@", "=2"])
def test_axes_that_make_no_sense(text):
    with pytest.raises(ValueError, match="direction|distance|name"):
        parse_axis(text)
