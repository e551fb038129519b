import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sefa_plugin.rendering.paths import EASINGS, path, slerp
from sefa_plugin.rendering.timelines import PATH_LOOPS as LOOPS
from sefa_plugin.rendering.timelines import timeline

KEYS = np.random.RandomState(0).randn(5, 7)


def velocity(function, position, step=1e-6):
    return (function(position + step) - function(position - step)) / (2 * step)


# --- when -----------------------------------------------------------------------------------------


def test_timelines():
    assert timeline(7, 3, "once").per_frame == pytest.approx([0, 1 / 3, 2 / 3, 1, 4 / 3, 5 / 3, 2])
    assert timeline(8, 3, "pingpong").per_frame == pytest.approx([0, 0.5, 1, 1.5, 2, 1.5, 1, 0.5])
    assert timeline(6, 3, "closed").per_frame == pytest.approx([0, 0.5, 1, 1.5, 2, 2.5])
    assert timeline(4, 1, "closed").per_frame == [0, 0, 0, 0]
    with pytest.raises(ValueError, match="at least 1"):
        timeline(0, 2, "once")
    with pytest.raises(ValueError, match="pingpong, once, closed"):
        timeline(5, 2, "round")


@given(st.integers(1, 300), st.integers(1, 12), st.sampled_from(LOOPS))
def test_any_timeline_has_its_frames_and_meets_every_key_frame(frames, keys, loop):
    line = timeline(frames, keys, loop)
    places = line.per_frame
    assert len(places) == frames
    assert line.distances == tuple(sorted(set(line.distances)))
    assert places[0] == 0
    assert 0 <= min(places) <= max(places) <= (keys if loop == "closed" else keys - 1)
    enough = {"once": keys, "closed": keys, "pingpong": 2 * keys - 2 or 1}[loop]
    if frames >= enough:
        assert set(range(keys)) <= set(places)
    if keys > 1 and frames >= 4 * keys:  # no stretch is more than a frame longer than another
        steps = np.diff(line.distances)
        assert 1 / steps.min() - 1 / steps.max() < 1.01


# --- where ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("easing", EASINGS)
def test_paths_meet_their_key_frames_exactly(easing, loop):
    at = path(KEYS, easing, loop)
    for index, key in enumerate(KEYS):
        assert (at(index) == key).all()
        assert np.allclose(at(index + 1e-9), key, atol=1e-6)
        assert np.allclose(at(index - 1e-9), key, atol=1e-6) or (index == 0 and loop != "closed")
    if loop == "closed":
        assert (at(5) == KEYS[0]).all()


@pytest.mark.parametrize("count", [2, 3, 4, 5])
def test_closed_curves_close_without_a_jump_in_velocity(count):
    for easing in ("cubic", "sine"):
        at = path(KEYS[:count], easing, "closed")
        before, after = velocity(at, count - 2e-6), velocity(at, 2e-6)
        assert np.allclose(before, after, atol=1e-4)
    at = path(KEYS[:count], "cubic", "closed")
    assert np.allclose(at(count - 0.4), path(np.roll(KEYS[:count], 1, axis=0), "cubic", "closed")(0.6))


@pytest.mark.parametrize("loop", LOOPS)
def test_cubic_paths_have_no_jump_in_velocity_or_acceleration(loop):
    at = path(KEYS, "cubic", loop)
    step = 1e-4
    inner = range(0 if loop == "closed" else 1, 5 if loop == "closed" else 4)
    for index in inner:
        left = at(index + 5 - 2 * step) - 2 * at(index + 5 - step) + at(index + 5)
        right = at(index) - 2 * at(index + step) + at(index + 2 * step)
        if loop != "closed":
            left = at(index - 2 * step) - 2 * at(index - step) + at(index)
        assert np.allclose(left / step**2, right / step**2, atol=0.05 * abs(KEYS).max())
        before = at(index) - at(index - step if index else 5 - step)
        assert np.allclose(before, at(index + step) - at(index), atol=1e-5)


def test_the_ends_of_open_curves():
    turning = path(KEYS, "cubic", "pingpong")
    assert np.allclose(turning(1e-5), KEYS[0], atol=1e-8)  # at rest
    assert np.allclose(turning(4 - 1e-5), KEYS[4], atol=1e-8)
    free, step = path(KEYS, "cubic", "once"), 1e-3
    for end in (0, 4 - 2 * step):  # no acceleration
        bend = free(end) - 2 * free(end + step) + free(end + 2 * step)
        assert abs(bend / step**2).max() < 0.1
    assert np.allclose(path(KEYS[:2], "cubic", "once")(0.3), KEYS[0] + 0.3 * (KEYS[1] - KEYS[0]))


def test_a_spline_reproduces_what_it_should():
    """A cubic polynomial in the middle of a natural spline, and a sine closed."""
    angles = np.arange(32) * 2 * np.pi / 32
    at = path(np.stack([np.sin(angles), np.cos(angles)], axis=1), "cubic", "closed")
    places = np.linspace(0, 31.99, 77)
    found = np.stack([at(place) for place in places])
    want = np.stack([np.sin(places * 2 * np.pi / 32), np.cos(places * 2 * np.pi / 32)], axis=1)
    assert abs(found - want).max() < 1e-5
    line = path(np.arange(6.0)[:, None], "cubic", "once")
    assert [line(place)[0] for place in (0.25, 2.5, 4.9)] == pytest.approx([0.25, 2.5, 4.9])


def test_straight_paths():
    assert np.allclose(path(KEYS)(1.25), 0.75 * KEYS[1] + 0.25 * KEYS[2])
    sine = path(KEYS, "sine")
    assert np.allclose(sine(1.5), (KEYS[1] + KEYS[2]) / 2)
    assert abs(velocity(sine, 2)).max() < 1e-5
    assert (path(KEYS[:1], "cubic", "closed")(0.5) == KEYS[0]).all()
    for bad in ({"easing": "bounce"}, {"loop": "round"}, {"keys": KEYS[:0]}):
        with pytest.raises(ValueError, match="easing"):
            path(**{"keys": KEYS, **bad})


def test_arcs_turn_evenly_and_keep_their_ends():
    a, b = np.random.RandomState(1).randn(2, 64)
    b *= 1.7
    assert slerp(a, b, 0) is a
    assert slerp(a, b, 1) is b
    units = np.stack([slerp(a, b, t) / np.linalg.norm(slerp(a, b, t)) for t in np.linspace(0, 1, 9)])
    angles = np.arccos((units[1:] * units[:-1]).sum(axis=1))
    assert np.allclose(angles, angles[0], atol=1e-12)
    assert angles.sum() == pytest.approx(np.arccos(a @ b / np.linalg.norm(a) / np.linalg.norm(b)))
    lengths = [np.linalg.norm(slerp(a, b, t)) for t in (0, 0.25, 0.5, 1)]
    assert np.allclose(np.diff(lengths) / [0.25, 0.25, 0.5], lengths[3] - lengths[0])


@pytest.mark.parametrize(("a", "b"), [([1, 0], [1, 0]), ([1, 0], [-1, 0]), ([0, 0], [1, 0]), ([1, 0], [1, 1e-13])])
def test_arcs_that_are_none(a, b):
    a, b = np.array(a, float), np.array(b, float)
    assert np.allclose(slerp(a, b, 0.25), 0.75 * a + 0.25 * b)


def test_fewer_frames_than_key_frames_lie_evenly():
    assert timeline(3, 5, "once").distances == (0.0, 2.0, 4.0)
    assert timeline(4, 6, "pingpong").distances == (0.0, 2.5, 5.0)
    assert timeline(2, 5, "closed").distances == (0.0, 2.5)
