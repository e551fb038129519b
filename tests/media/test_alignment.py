import numpy as np
import pytest
from moved_pictures import moved
from PIL import Image

from sefa_plugin.media.alignment import Motion, register


def blobs(seed=0, size=(128, 128)):
    """A smooth random picture, larger than the part that is looked at."""
    rng = np.random.RandomState(seed)
    high, wide = size
    small = Image.fromarray(rng.rand(high // 8, wide // 8).astype(np.float32) * 255)
    return small.resize((wide, high), 3)


@pytest.mark.parametrize(
    ("seed", "motion", "wanted"),
    [
        (0, {"shift": (6, 0)}, Motion(6 / 128, 0)),
        (1, {"shift": (-3, 15)}, Motion(-3 / 128, 15 / 128)),
        (2, {"zoom": 1.1}, Motion(zoom=1.1)),
        (0, {"zoom": 0.85}, Motion(zoom=0.85)),
        (1, {"degrees": 4}, Motion(rotation=4)),
        (2, {"degrees": -17}, Motion(rotation=-17)),
        *(
            (seed, {"shift": (5, -4), "zoom": 1.08, "degrees": 7}, Motion(5 / 128, -4 / 128, 1.08, 7))
            for seed in (0, 1, 2)
        ),
    ],
)
def test_planted_motions(seed, motion, wanted):
    before, after = moved(blobs(seed, (256, 256)), **motion)
    for changed in (after, 0.3 + 0.5 * after):  # brightness and contrast are no motion
        found = register(before, changed)
        assert found.shift_x == pytest.approx(wanted.shift_x, abs=0.006)
        assert found.shift_y == pytest.approx(wanted.shift_y, abs=0.006)
        assert found.zoom == pytest.approx(wanted.zoom, abs=0.012)
        assert found.rotation == pytest.approx(wanted.rotation, abs=0.7)


def test_other_shapes():
    before, after = moved(blobs(1, (128, 320)), shift=(8, 4))
    found = register(before, after)
    assert found.shift_x == pytest.approx(8 / 160, abs=0.01)
    assert found.shift_y == pytest.approx(4 / 160, abs=0.01)


def test_what_is_no_motion():
    one, other = (np.asarray(blobs(seed)) / 255 for seed in (1, 2))
    assert register(one, one) == Motion()
    assert register(one, 0.2 + 0.7 * one) == Motion()
    assert register(one, other) is None
    assert register(one, np.random.RandomState(0).rand(128, 128)) is None
    assert register(np.ones((64, 64)), one[:64, :64]) is None
    assert register(one[:4, :4], one[:4, :4]) is None


def test_a_local_change_is_no_motion():
    before = np.asarray(blobs(3)) / 255
    after = before.copy()
    after[20:60, 20:60] = 1 - after[20:60, 20:60]
    found = register(before, after)
    assert found is None or found == Motion() or abs(found.shift_x) + abs(found.zoom - 1) < 0.01


def mixed(share):
    """A picture, and a moved one that has other things on it, too: ``share`` of its deviation."""
    before, after = moved(blobs(1, (256, 256)), shift=(10, 0))
    (_, other) = moved(blobs(5, (256, 256)))
    return before, after + share * other


def test_a_motion_that_explains_too_little_is_not_reported():
    """It has to leave at most 70 % of the difference, and pictures that correlate by 0.6 or more."""
    assert register(*mixed(0.5)).shift_x == pytest.approx(10 / 128, abs=0.02)
    assert register(*mixed(1.6)) is None  # what is left differs too much
    before, after = moved(blobs(1, (256, 256)), shift=(1.5, 0))
    other = moved(blobs(5, (256, 256)))[1]
    assert register(before, after).shift_x == pytest.approx(1.5 / 128, abs=0.004)
    assert register(before, after + 0.5 * other) is None  # so alike that the motion explains hardly anything


@pytest.mark.parametrize("motion", [{"degrees": 40}, {"zoom": 1.6}, {"degrees": -45}, {"zoom": 0.6}])
def test_motions_beyond_the_starts_are_not_reported(motion):
    """So far off, other subjects of one kind fit as often as a true motion does."""
    assert all(register(*moved(blobs(seed, (256, 256)), **motion)) is None for seed in range(3))
