"""What the page needs of a sheet: its size, by the header of its file, and where its pictures stand, by the record."""

import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from sefa_plugin.media.sheet import write_sheet
from sefa_plugin.runs.page.sheets import GAP, Sheet, sheet_of

NAME = "sheets/one.jpg"
SEGMENTS = b"\xff\xd8" + b"\xff\xe0\0\2" * 200 + b"\xff\xc0\0\x11\x08\0\7\1\x2c"  # no end of them before the size


def sheet(folder, high=64, wide=48, rows=2, columns=3, **given):
    """A sheet as a run makes it, and what the record says of it."""
    labels = {"row_labels": [f"seed {index}" for index in range(rows)]}
    labels["column_labels"] = [f"{index - 1:+d}" if index != 1 else "0" for index in range(columns)]
    cells = [
        [np.full((high, wide, 3), 40 * row + 9 * column, np.uint8) for column in range(columns)] for row in range(rows)
    ]
    boxes = write_sheet(folder / NAME, cells, **labels, **given)
    return {"boxes": boxes, "rows": labels["row_labels"], "columns": labels["column_labels"]}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("sheets")


@settings(max_examples=25)
@given(high=st.integers(8, 300), wide=st.integers(8, 300), rows=st.integers(1, 4), columns=st.integers(1, 5))
def test_pictures_stand_where_the_sheet_has_them(folder, high, wide, rows, columns):
    about = sheet(folder, high, wide, rows, columns, title="t", comment="x" * 300)
    found = sheet_of(folder, NAME, about)
    with Image.open(folder / NAME) as image:
        assert found.size == image.size
    held = found.pictures
    for row, places in enumerate(about["boxes"]):
        for column, box in enumerate(places):
            assert box == [held.left + held.step[0] * column, held.top + held.step[1] * row, *held.size]
    assert min(held.gaps) >= GAP / 2  # room for the frame of the unedited ones
    assert (held.wide, held.high) == (held.step[0] * columns, held.step[1] * rows)
    assert held.marked == (None, 1 if columns > 1 else None)


def test_of_two_directions_one_picture_is_unedited(tmp_path):
    about = sheet(tmp_path)
    both = {**about, "rows": ["0", "+1"], "axes": "a down, b across"}
    assert sheet_of(tmp_path, NAME, both).pictures.marked == (0, 1)
    assert sheet_of(tmp_path, NAME, {**both, "rows": ["-1", "+1"]}).pictures.marked == (None, None)
    assert sheet_of(tmp_path, NAME, both).axes == "a down, b across"


@pytest.mark.parametrize(
    "wrong",
    [
        {"boxes": []},
        {"boxes": [[]]},
        {"boxes": [[], []], "columns": []},
        {"rows": ["seed 0"]},
        {"columns": ["0"]},
        {"boxes": [[[0, 0, 9, 9]] * 3] * 2},  # no steps
        {"boxes": [[[1, 60, 9, 9], [20, 60, 9, 9], [40, 60, 9, 9]], [[1, 80, 9, 9]] * 3]},  # no room on the left
        {"boxes": [[[900 * x, 60 * y, 9, 9] for x in (1, 2, 3)] for y in (1, 2)]},  # beyond the sheet
    ],
)
def test_a_record_that_says_nothing_or_nonsense_leaves_the_sheet_as_it_is(tmp_path, wrong):
    about = sheet(tmp_path)
    found = sheet_of(tmp_path, NAME, {**about, **wrong})
    assert found.size and found.pictures is None
    assert sheet_of(tmp_path, NAME, {}).pictures is None


def test_only_the_header_of_a_file_is_read(tmp_path, monkeypatch):
    about = sheet(tmp_path, comment="x" * 60_000)
    whole = sheet_of(tmp_path, NAME, about)
    path = tmp_path / NAME
    path.write_bytes(path.read_bytes()[: path.read_bytes().index(b"\xff\xda")])  # up to the start of its pixels
    monkeypatch.setattr(Image, "open", lambda *_, **__: pytest.fail("opened"))
    assert sheet_of(tmp_path, NAME, about) == whole


@pytest.mark.parametrize("progressive", [False, True])
def test_any_jpeg(tmp_path, progressive):
    (tmp_path / "sheets").mkdir()
    Image.new("L", (300, 7)).save(tmp_path / NAME, progressive=progressive)
    assert sheet_of(tmp_path, NAME, {}) == Sheet(NAME, (300, 7))


@pytest.mark.parametrize(
    "data", [b"", b"\xff\xd8", b"\xff\xd8\xff\xe0\x00\x00", b"no picture", b"\xff\xd8" * 40, SEGMENTS]
)
def test_a_file_that_is_no_jpeg(tmp_path, data):
    (tmp_path / "sheets").mkdir()
    (tmp_path / NAME).write_bytes(data)
    assert sheet_of(tmp_path, NAME, {}) == Sheet(NAME)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes")
def test_a_pipe_is_not_waited_for(tmp_path):
    (tmp_path / "sheets").mkdir()
    os.mkfifo(tmp_path / NAME)
    assert sheet_of(tmp_path, NAME, {}) == Sheet(NAME)
    assert sheet_of(tmp_path, "sheets/none.jpg", {}) == Sheet("sheets/none.jpg")
