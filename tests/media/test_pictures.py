"""Pictures side by side, and in RGB whatever they were."""

from __future__ import annotations

import numpy as np
import pytest

from sefa_plugin.media.pictures import as_rgb, side_by_side


def flat(value, height=40, width=60, channels=3):
    return np.full((height, width, channels), value, np.uint8)


def test_a_row_within_the_width_is_exact():
    pictures = list(np.random.default_rng(0).integers(0, 256, (3, 40, 60, 3)).astype(np.uint8))
    for max_width in (180, None):
        np.testing.assert_array_equal(side_by_side(pictures, max_width), np.concatenate(pictures, axis=1))


@pytest.mark.parametrize(("max_width", "shape"), [(179, (39, 177)), (90, (20, 90)), (3, (1, 3))])
def test_a_wide_row_is_reduced_in_proportion(max_width, shape):
    assert side_by_side([flat(10), flat(200), flat(10)], max_width).shape == (*shape, 3)


def test_reduced_pictures_do_not_bleed_into_each_other():
    row = side_by_side([flat(0), flat(255), flat(0)], 90)
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
