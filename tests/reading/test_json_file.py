import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from json_values import ANYTHING

from sefa_plugin.reading.json_file import (
    Part,
    each,
    number,
    of,
    one_of,
    or_none,
    pair,
    parsed,
    read_bounded,
    shown,
    text,
    whole,
)

CHECKS = {
    "of": of(dict),
    "text": text(10),
    "one_of": one_of("a", "b"),
    "whole": whole(-3, 3),
    "number": number(-3, 3),
    "pair": pair(-1, 1),
    "each": each(whole(0, 5), 3),
    "or_none": or_none(whole(0, 5)),
}


@pytest.mark.parametrize(
    ("check", "value", "result"),
    [
        ("text", "größe", "größe"),
        ("one_of", "b", "b"),
        ("whole", -3, -3),
        ("number", 3, 3.0),
        ("pair", [1, -0.5], (1.0, -0.5)),
        ("each", [], []),
        ("each", [0, 5, 5], [0, 5, 5]),
        ("or_none", None, None),
        ("or_none", 5, 5),
        ("of", {"a": 1}, {"a": 1}),
    ],
)
def test_what_passes(check, value, result):
    found = CHECKS[check](value)
    assert found == result
    assert type(found) is type(result)


@pytest.mark.parametrize(
    ("check", "value", "says"),
    [
        ("text", "x" * 11, "at most 10"),
        ("text", "a\nb", "printable"),
        ("text", "\ud800", "printable"),
        ("text", 3, "3 is not a text"),
        ("one_of", "c", "none of a, b"),
        ("one_of", ["a"], "a list is none of"),
        ("whole", True, "True is not a whole"),
        ("whole", 1.0, "1.0 is not a whole"),
        ("whole", 4, "from -3 to 3"),
        ("number", "1", "'1' is not a number"),
        ("number", float("inf"), "inf"),
        ("number", 10**19, "from -3 to 3"),
        ("number", False, "False"),
        ("pair", [1], "pair"),
        ("pair", [1, 1.1], "1.1"),
        ("each", {}, "a dict is not a list"),
        ("each", [0] * 4, "4 entries, at most 3"),
        ("each", [0, 9], "9 is not"),
        ("or_none", 0.5, "0.5"),
        ("of", [], "a list is not an object"),
    ],
)
def test_what_does_not(check, value, says):
    with pytest.raises(ValueError, match=says):
        CHECKS[check](value)


@given(st.sampled_from(sorted(CHECKS)), ANYTHING)
def test_anything_passes_or_is_refused_in_one_line(check, value):
    try:
        CHECKS[check](value)
    except ValueError as error:
        assert str(error).isprintable()
        assert len(str(error)) < 200
    assert len(shown(value)) <= 60


def test_parts_are_taken_whole():
    part = Part({"a": 1, "b": [2]}, "thing")
    assert part.take("a", whole(0, 9)) == 1
    with pytest.raises(ValueError, match="thing has no c"):
        part.take("c", whole(0, 9))
    with pytest.raises(ValueError, match="thing has 'b', which"):
        part.end()
    with pytest.raises(ValueError, match="b of thing: a list is not a whole number"):
        part.take("b", whole(0, 9))
    part.end()
    with pytest.raises(ValueError, match="not an object"):
        Part([], "thing")


def test_numbers_that_json_does_not_have():
    assert parsed(b'{"a": [1, 2.5, -3e2]}') == {"a": [1, 2.5, -300.0]}
    assert parsed(b"\xef\xbb\xbf[]") == []
    for data, says in ((b"[NaN]", "NaN"), (b"[-Infinity]", "-Infinity"), (b"[" + b"9" * 5000 + b"]", "5000 digits")):
        with pytest.raises(ValueError, match=says):
            parsed(data)
    for data in (b"", b"{", b"\xff\xfe[]", b"[1,]"):
        with pytest.raises(ValueError):
            parsed(data)
    with pytest.raises(RecursionError):
        parsed(b"[" * 200_000)


@given(ANYTHING)
def test_finite_json_comes_back(value):
    try:
        written = json.dumps(value, allow_nan=False).encode()
    except ValueError:
        return
    try:
        assert parsed(written) == value
    except ValueError as error:
        assert "digits" in str(error)


def test_files_are_bounded(tmp_path):
    path = tmp_path / "x.json"
    path.write_bytes(b"12345678")
    assert read_bounded(path, 8) == b"12345678"
    with pytest.raises(ValueError, match="larger than"):
        read_bounded(path, 7)
    with pytest.raises(FileNotFoundError):
        read_bounded(tmp_path / "none", 7)
    with pytest.raises(ValueError, match="no file"):
        read_bounded(tmp_path, 7)


@pytest.mark.parametrize("data", [b'{"a": 1, "b": 2, "a": 3}', b'[{"b": {"a": 1, "a": 1}}]'])
def test_a_name_that_comes_twice_is_refused(data):
    with pytest.raises(ValueError, match="it has 'a' twice"):
        parsed(data)
