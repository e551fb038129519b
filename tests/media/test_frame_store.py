"""Frames on disk: replayed in any order that makes sense, each rendered once, in constant memory; and by name."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from sefa_plugin.media.frame_store import FrameList, FrameStore, replay


def noise(seed):
    return np.random.RandomState(seed).randint(0, 256, (16, 16, 3)).astype(np.uint8)


def test_frames_come_back():
    with FrameStore() as store:
        for index in range(5):
            store.put(("a", index), noise(index))
        store.put(("a", 0), noise(9))  # the first one stays
        for index in range(5):
            assert np.array_equal(store.get(("a", index)), noise(index))
        assert ("b", 0) not in store
        with pytest.raises(KeyError):
            store.get(("b", 0))


def test_a_full_store_takes_no_more():
    with FrameStore(room=2000) as store:
        for index in range(10):
            store.put(index, noise(index))
        held = [index for index in range(10) if index in store]
        assert held == list(range(len(held)))
        assert 2 <= len(held) < 10
        assert np.array_equal(store.get(held[-1]), noise(held[-1]))


def rendered(count, log, shape=(4, 6, 3)):
    for i in range(count):
        log.append(i)
        yield np.full(shape, i, np.uint8)


def pingpong(n):
    return [*range(n), *range(n - 2, 0, -1)]


def test_a_loop_renders_each_frame_once_and_replays_it_exactly():
    log, source = [], np.random.default_rng(0).integers(0, 256, (5, 7, 9, 3), dtype=np.uint8)
    frames = (log.append(i) or source[i] for i in range(5))
    shown = list(replay(frames, pingpong(5)))
    assert log == [0, 1, 2, 3, 4]
    assert len(shown) == 8
    for index, frame in zip(pingpong(5), shown):
        np.testing.assert_array_equal(frame, source[index])


def test_frames_come_as_they_are_rendered():
    log = []
    frames = replay(rendered(3, log), pingpong(3))
    assert log == []
    next(frames)
    assert log == [0]
    next(frames)
    assert log == [0, 1]


def test_frames_beyond_the_order_are_left_to_the_caller():
    log = []
    source = rendered(5, log)
    assert [frame[0, 0, 0] for frame in replay(source, [0, 1, 0])] == [0, 1, 0]
    assert log == [0, 1]
    assert [frame[0, 0, 0] for frame in source] == [2, 3, 4]


def test_only_frames_that_come_again_are_kept(monkeypatch):
    kept = []
    append = FrameList.append
    note = lambda self, frame: (kept.append(frame[0, 0, 0]), append(self, frame))  # noqa: E731
    monkeypatch.setattr(FrameList, "append", note)
    assert [frame[0, 0, 0] for frame in replay(rendered(4, []), pingpong(4))] == pingpong(4)
    assert kept == [1, 2]


@pytest.mark.parametrize("order", [[1], [0, 2], [0, 1, 3, 2]])
def test_an_order_that_skips_is_refused(order):
    with pytest.raises(ValueError, match=r"frames came, frame \d was wanted"):
        list(replay(rendered(9, []), order))


def test_too_few_frames_are_said_so():
    with pytest.raises(ValueError, match="2 frames came, frame 2 was wanted"):
        list(replay(rendered(2, []), [0, 1, 2]))


def test_no_frames_at_all():
    assert list(replay(rendered(2, []), [])) == []


def test_memory_does_not_grow_with_the_length():
    noise = np.random.default_rng(0).integers(0, 256, (1 << 18, 1, 1), dtype=np.uint8)  # does not compress
    tracemalloc.start()
    for _ in replay((noise.copy() for _ in range(64)), pingpong(64)):  # 16 MiB in all
        pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 << 20
