"""Contact sheets: every picture in its place, nothing cut."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from sefa_plugin.media.sheet import LARGEST, LIGHT, MARGIN, MARK, NARROW, PAPER, write_sheet


def grid(seeds, distances, height=64, width=64, channels=3):
    """Flat pictures, each of its own colour."""
    colour = np.arange(seeds * distances, dtype=np.uint8).reshape(seeds, distances) * 7 + 20
    rows = [[np.full((height, width, channels), value, np.uint8) for value in row] for row in colour]
    for row in rows:
        for picture in row:
            picture[..., 1:3] = 3
    return rows


@pytest.fixture
def composed(tmp_path):
    def composed(rows, **options):
        labels = {
            "row_labels": [f"seed {i}" for i in range(len(rows))],
            "column_labels": [f"{i:+d}" for i in range(len(rows[0]))],
        }
        write_sheet(tmp_path / "a.png", rows, **{**labels, **options})
        with Image.open(tmp_path / "a.png") as picture:
            return np.asarray(picture)

    return composed


def boxes(sheet, colours):
    """Where each flat picture lies: top, left, height, width."""
    for colour in colours:
        rows, columns = np.nonzero((sheet == colour).all(axis=2))
        yield rows.min(), columns.min(), np.ptp(rows) + 1, np.ptp(columns) + 1


@pytest.mark.parametrize(
    ("height", "width", "shown"),
    [
        (64, 64, (128, 128)),  # tiny: doubled
        (16, 8, (128, 64)),
        (100, 100, (100, 100)),
        (256, 256, (256, 256)),
        (512, 1024, (128, 256)),  # large: reduced
        (2000, 3, (256, 1)),
    ],
)
def test_pictures_stand_in_rows_and_columns_at_their_size(composed, height, width, shown):
    sheet = composed(grid(2, 3, height, width), marked=None)
    places = list(boxes(sheet, [picture[0, 0] for row in grid(2, 3) for picture in row]))
    assert {place[2:] for place in places} == {shown}
    tops, lefts = [p[0] for p in places], [p[1] for p in places]
    assert tops[:3] == [tops[0]] * 3 and tops[3:] == [tops[3]] * 3 and tops[3] >= tops[0] + shown[0]
    assert lefts[:3] == lefts[3:] and lefts[0] < lefts[1] < lefts[2]


def test_tiny_pictures_keep_their_pixels(composed):
    picture = np.random.default_rng(0).integers(0, 256, (8, 8, 3)).astype(np.uint8)
    sheet = composed([[picture]])
    corner = sheet.shape[0] - MARGIN - 128
    left = next(x for x in range(sheet.shape[1]) if (sheet[corner, x] == picture[0, 0]).all())
    np.testing.assert_array_equal(sheet[corner : corner + 128 : 16, left : left + 128 : 16], picture)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_any_number_of_channels(composed, channels):
    sheet = composed([[np.full((64, 64, channels), 255, np.uint8)]], title="t")
    assert sheet.dtype == np.uint8 and sheet.shape[2] == 3
    assert (sheet[-MARGIN - 1, MARGIN + 90] == 255).all()


@pytest.mark.parametrize("title", ["word " * 60, "w" * 300, "names-with-hyphens/" * 20])
def test_a_long_title_is_wrapped_and_not_cut(composed, title):
    white = [[np.full((64, 64, 3), 255, np.uint8)]]
    sheet, short, none = (composed(white, title=text) for text in (title, "word", " "))
    assert sheet.shape[1] == short.shape[1] == NARROW
    assert sheet.shape[0] > short.shape[0]
    assert (sheet[:, -MARGIN:] == PAPER).all()  # nothing runs into the margin
    ink = [(255 - picture.astype(int)).clip(60).sum() - 60 * picture.size for picture in (sheet, short, none)]
    assert ink[0] - ink[2] > 30 * (ink[1] - ink[2]) > 0  # 240 letters or more, not the 4 of the short one


def test_wide_captions_widen_the_columns(composed):
    rows = grid(2, 3, 100, 20)
    narrow, wide = (composed(rows, column_labels=[label] * 3) for label in ("1", "-1234567.125"))
    assert wide.shape[1] > narrow.shape[1] + 100


def test_names_in_any_script_are_no_error(composed):
    assert composed(grid(1, 2), title="猫 ネットワーク é", row_labels=["シード"]).size


def test_the_marked_column_is_framed_and_no_other(composed):
    plain, marked = (composed(grid(2, 3), column_labels=["", "", ""], marked=m) for m in (None, 1))
    framed = (marked == MARK).all(axis=2)
    assert not (plain == MARK).all(axis=2).any()
    _, left, _, width = list(boxes(plain, [grid(2, 3)[0][1][0, 0]]))[0]
    columns = np.flatnonzero(framed.any(axis=0))
    assert left - 4 <= columns.min() < left and left + width <= columns.max() < left + width + 4
    for colour in (picture[0, 0] for row in grid(2, 3) for picture in row):  # it covers no picture
        assert (marked == colour).all(axis=2).sum() == (plain == colour).all(axis=2).sum()


def test_very_many_seeds_still_make_a_file(tmp_path):
    rows = [[np.zeros((256, 8, 3), np.uint8)]] * 2000
    write_sheet(tmp_path / "a.jpg", rows, row_labels=["s"] * 2000, column_labels=["0"])
    with Image.open(tmp_path / "a.jpg") as picture:
        assert picture.height <= LARGEST * 1.6


def test_a_jpeg_keeps_its_colours_at_full_resolution(tmp_path):
    red = np.zeros((256, 256, 3), np.uint8)
    red[::2, :, 0] = 255
    write_sheet(tmp_path / "a.jpg", [[red]], row_labels=["seed 0"], column_labels=["0"])
    with Image.open(tmp_path / "a.jpg") as picture:
        assert picture.format == "JPEG"
        assert [part[1:3] for part in picture.layer] == [(1, 1)] * 3
    assert [p.name for p in tmp_path.iterdir()] == ["a.jpg"]


def test_another_suffix_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"a\.tiff: a sheet is written as one of \.jpg, \.jpeg, \.png"):
        write_sheet(tmp_path / "a.tiff", grid(1, 1), row_labels=["a"], column_labels=["b"])


def test_one_framed_picture(composed):
    """Only the one picture's frame and labels have the colour of what is marked."""
    rows = grid(3, 3)
    sheet = composed(rows, marked=(1, 2))
    plain = composed(rows, marked=None)
    touched = np.argwhere((sheet != plain).any(axis=2))
    (top, left, high, wide), *_ = boxes(sheet, [rows[1][2][0, 0]])
    framed = (sheet == MARK).all(axis=2)
    assert framed[top - 1, left : left + wide].all()
    assert framed[top : top + high, left + wide].all()
    inside = (touched >= (top - 2, left - 2)).all(axis=1) & (touched < (top + high + 2, left + wide + 2)).all(axis=1)
    rest = touched[~inside]  # its labels: left of its row, and above its column
    assert len(rest)
    assert all(x < left - wide or y < top - high for y, x in rest)


def test_pictures_stand_at_the_same_place_whatever_is_said(tmp_path):
    heat = np.zeros((4, 4, 3), np.uint8)
    labels = {"row_labels": ["seed 0"], "column_labels": ["-1", "0", "+1"], "title": "Direction 0", "aside": heat}
    places = [
        write_sheet(tmp_path / f"{len(text)}.png", grid(1, 3), text=text, **labels)
        for text in ("Short.", "Towards +: turns to the right, tilts clockwise by 5°, subject darker by 14 %. " * 2)
    ]
    assert places[0] == places[1]


@pytest.mark.parametrize(("side", "shown"), [(64, 384), (100, 300), (512, 768)])
def test_enlarged_pictures(tmp_path, side, shown):
    """Three times as large as usual; pictures that were reduced show more of their pixels."""
    fine = np.indices((side, side)).sum(axis=0)[..., None].repeat(3, axis=2) % 2 * 255
    picture = np.where(np.arange(side)[:, None, None] < side // 2, fine, 90).astype(np.uint8)
    (((left, top, wide, high),),) = write_sheet(
        tmp_path / "a.png", [[picture]], row_labels=[""], column_labels=[""], scale=3
    )
    assert (wide, high) == (shown, shown)
    with Image.open(tmp_path / "a.png") as sheet:
        found = np.asarray(sheet)[top : top + high, left : left + wide]
    assert found.shape == (shown, shown, 3) and (found[-shown // 4 :] == 90).all()
    assert found[: shown // 3].std() > 30  # the pattern of single pixels is there


def test_a_region_is_outlined_in_every_picture_and_covers_nothing_else(composed):
    def region(high, wide):
        inside = np.zeros((high, wide), np.float32)
        inside[high // 2 :, : wide // 2] = 1
        return inside

    plain, outlined = (composed(grid(1, 2), row_labels=[""], region=one) for one in (None, region))
    changed = np.argwhere((plain != outlined).any(axis=2))
    assert {tuple(outlined[y, x]) for y, x in changed} == {LIGHT, MARK}
    left, wide = changed[:, 1].min(), 128
    assert (changed[:, 0].max() - changed[:, 0].min() + 1, len(changed)) == (wide // 2, 2 * (4 * 63 + 4 * 61))
    assert {(x - left) // wide for _, x in changed} == {0, 1}
