import json
from typing import Annotated, Any

import msgspec
import pytest
from hypothesis import given
from json_values import ANYTHING

from sefa_plugin.reading.json_file import fitting, parsed, read_bounded


class Thing(msgspec.Struct, forbid_unknown_fields=True):
    name: Annotated[str, msgspec.Meta(max_length=5)]
    rows: tuple[Annotated[int, msgspec.Meta(ge=0, le=9)], ...] = ()

    def __post_init__(self):
        if not self.name.isprintable():
            raise ValueError("name is not printable")


def test_what_is_of_the_type():
    assert parsed(b'{"name": "\xc3\xa4", "rows": [1, 9]}', Thing) == Thing("ä", (1, 9))
    assert parsed(b"\xef\xbb\xbf[1, 2.5, -3e2]", Any) == [1, 2.5, -300.0]
    assert fitting({"name": "x"}, Thing) == Thing("x")


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ("[]", "Expected `object`, got `array`"),
        ("{}", "Object missing required field `name`"),
        ('{"name": "abcdef"}', "name: Expected `str` of length <= 5"),
        ('{"name": "a", "rows": [0, 10]}', r"rows\[1\]: Expected `int` <= 9"),
        ('{"name": "a", "rows": [true]}', r"rows\[0\]: Expected `int`, got `bool`"),
        ('{"name": "\\u001b"}', "name is not printable"),
        ('{"name": "a", "\\u001b\\n": 1}', r"Object contains unknown field `\\x1b `"),
        ('{"name": "a", "%s": 1}' % ("x" * 500), "Object contains unknown field `xx"),
    ],
)
def test_what_is_not(data, says):
    for read in (lambda: parsed(data.encode(), Thing), lambda: fitting(json.loads(data), Thing)):
        with pytest.raises(ValueError, match=f"^{says}") as caught:
            read()
        assert str(caught.value).isprintable() and len(str(caught.value)) <= 200


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"\xff\xfe[]", b"[1,]", b"[NaN]", b"[-Infinity]", b"[1e999]", b"[" + b"9" * 5000 + b"]", b'["\xff"]'],
)
def test_what_is_no_json(data):
    with pytest.raises(ValueError):
        parsed(data, Any)


@pytest.mark.parametrize("kind", [None, Any])
def test_depth_is_bounded(kind):
    for data in (b"[" * 200_000, b'{"a":' * 200_000):
        with pytest.raises(ValueError, match="it is nested too deeply"):
            parsed(data, kind)


def test_names_of_files_that_are_no_unicode():
    """Records hold commands as they were typed."""
    assert parsed(json.dumps(["caf\udce9"]).encode()) == ["caf\udce9"]
    with pytest.raises(ValueError):
        parsed(b"{")


@given(ANYTHING)
def test_finite_json_comes_back(value):
    try:
        written = json.dumps(value, allow_nan=False).encode()
    except ValueError:
        return
    assert parsed(written, Any) == parsed(written) == value


@given(ANYTHING)
def test_anything_is_of_the_type_or_refused_in_one_line(value):
    try:
        assert isinstance(fitting(value, Thing), Thing)
    except ValueError as error:
        assert str(error).isprintable() and len(str(error)) <= 200


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
