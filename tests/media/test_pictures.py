"""Pictures side by side, and in RGB whatever they were."""

from __future__ import annotations

import numpy as np
import pytest

from sefa_plugin.media.pictures import PAPER, Size, as_rgb, on_canvas, side_by_side


def flat(value, height=40, width=60, channels=3):
    return np.full((height, width, channels), value, np.uint8)


def test_a_row_within_the_width_is_exact():
    pictures = list(np.random.default_rng(0).integers(0, 256, (3, 40, 60, 3)).astype(np.uint8))
    for max_width in (180, None):
        np.testing.assert_array_equal(side_by_side(pictures, Size(max_width)), np.concatenate(pictures, axis=1))


@pytest.mark.parametrize(("max_width", "shape"), [(179, (39, 177)), (90, (20, 90)), (3, (1, 3))])
def test_a_wide_row_is_reduced_in_proportion(max_width, shape):
    assert side_by_side([flat(10), flat(200), flat(10)], Size(max_width)).shape == (*shape, 3)


def test_reduced_pictures_do_not_bleed_into_each_other():
    row = side_by_side([flat(0), flat(255), flat(0)], Size(90))
    np.testing.assert_array_equal(row[0, :, 0], np.repeat([0, 255, 0], 30))


def test_the_default_is_the_width_of_a_screen():
    assert side_by_side([flat(1, 1024, 1024)] * 3).shape == (640, 1920, 3)


def test_grey_and_transparent_pictures_become_rgb():
    assert (as_rgb(flat(7, channels=1)) == 7).all() and as_rgb(flat(7, channels=1)).shape == (40, 60, 3)
    np.testing.assert_array_equal(as_rgb(np.array([[[9, 200]]], np.uint8)), [[[9, 9, 9]]])
    clear = np.array([[[10, 20, 30, 0], [10, 20, 30, 255], [0, 100, 255, 51]]], np.uint8)
    np.testing.assert_array_equal(as_rgb(clear), [[[255, 255, 255], [10, 20, 30], [204, 224, 255]]])


@pytest.mark.parametrize("picture", [flat(0).astype(float), flat(0)[..., 0], flat(0, channels=5)])
def test_anything_else_is_refused(picture):
    with pytest.raises(ValueError, match=r"expected uint8 \[H, W, 1-4\]"):
        as_rgb(picture)


@pytest.mark.parametrize(
    ("scale", "side", "wanted"),
    [
        (None, 64, 256),
        (None, 100, 300),
        (None, 255, 510),
        (None, 256, 256),
        (None, 1024, 640),
        (1, 64, 64),
        (3, 64, 192),
    ],
)
def test_small_pictures_are_enlarged_and_wide_rows_reduced(scale, side, wanted):
    assert side_by_side([flat(10, side, side)] * 3, Size(1920, scale)).shape == (wanted, 3 * wanted, 3)


def test_enlarged_pictures_are_sharp_and_do_not_blend():
    edge = np.concatenate([flat(0, 64, 32), flat(255, 64, 32)], axis=1)
    large = side_by_side([edge, edge], Size(scale=4))[128, :, 0].astype(int)
    assert large[:120].max() < 30 and large[136:256].min() > 225  # within two pixels of the small one it is over
    assert large[256:376].max() < 30  # the neighbour begins anew


@pytest.mark.parametrize(
    ("canvas", "count", "columns", "shape"),
    [
        ("square", 1, 1, (1080, 1080)),
        ("square", 4, 2, (1080, 1080)),
        ("square", 3, 2, (1080, 1080)),
        ("1080p", 2, 2, (1080, 1920)),
    ],
)
def test_pictures_on_a_canvas_are_as_large_as_fit(canvas, count, columns, shape):
    pictures = [flat(60 + 40 * place, 64, 64) for place in range(count)]
    row = side_by_side(pictures, Size(canvas=canvas))
    frame = on_canvas(row, canvas)
    assert frame.shape == (*shape, 3)
    assert row.shape[1] in (columns * 540, columns * 960, columns * 1080)
    shown = [(frame == 60 + 40 * place).all(axis=2) for place in range(count)]
    assert len({part.sum() for part in shown}) == 1  # all equally large
    assert sum(part.sum() for part in shown) + (frame == PAPER).all(axis=2).sum() == shape[0] * shape[1]


def test_a_frame_with_its_caption_is_brought_into_the_canvas():
    frame = on_canvas(flat(200, 1120, 1080), "square")
    assert frame.shape == (1080, 1080, 3)
    assert (frame[540, :15] == PAPER).all() and (frame[540, 30] == 200).all()
