"""Replaying frames: each rendered once, in any order that makes sense, in constant memory."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from sefa_plugin.spool import FrameStore, spool


def rendered(count, log, shape=(4, 6, 3)):
    try:
        for i in range(count):
            log.append(i)
            yield np.full(shape, i, np.uint8)
    finally:
        log.append("closed")


def pingpong(n):
    return [*range(n), *range(n - 2, 0, -1)]


def test_a_loop_renders_each_frame_once_and_replays_it_exactly():
    log, source = [], np.random.default_rng(0).integers(0, 256, (5, 7, 9, 3), dtype=np.uint8)
    frames = (log.append(i) or source[i] for i in range(5))
    shown = list(spool(frames, pingpong(5)))
    assert log == [0, 1, 2, 3, 4]
    assert [s.dtype for s in shown] == [np.uint8] * 8
    for index, frame in zip(pingpong(5), shown):
        np.testing.assert_array_equal(frame, source[index])


def test_frames_stream_as_they_are_rendered():
    log = []
    replay = spool(rendered(3, log), pingpong(3))
    assert log == []
    next(replay)
    assert log == [0]
    next(replay)
    assert log == [0, 1]


def test_frames_that_are_not_asked_for_are_not_rendered_and_the_source_is_closed():
    log = []
    assert [f[0, 0, 0] for f in spool(rendered(9, log), [0, 1, 0])] == [0, 1, 0]
    assert log == [0, 1, "closed"]


def test_stopping_early_closes_the_source():
    log = []
    replay = spool(rendered(9, log), pingpong(9))
    next(replay)
    replay.close()
    assert log == [0, "closed"]


def test_what_the_receiver_does_to_a_frame_does_not_come_back():
    for frame in spool((np.zeros((2, 2), np.uint8) for _ in range(2)), [0, 0, 1, 0]):
        assert not frame.any()
        frame += 1


def test_only_frames_that_come_again_are_written(monkeypatch):
    kept = []
    monkeypatch.setattr(FrameStore, "append", lambda self, frame: kept.append(int(frame[0])) or 0)
    monkeypatch.setattr(FrameStore, "__getitem__", lambda self, index: np.zeros(1))
    list(spool((np.array([i]) for i in range(4)), pingpong(4)))
    assert kept == [1, 2]


@pytest.mark.parametrize("order", [[1], [0, 2], [0, -1], [0, 1, 3, 2]])
def test_an_order_that_skips_is_refused_before_anything_is_rendered(order):
    log = []
    with pytest.raises(ValueError, match="the next new one is"):
        spool(rendered(9, log), order)
    assert log == []


def test_too_few_frames_are_said_so():
    with pytest.raises(ValueError, match="asks for frame 2, but there are only 2"):
        list(spool(rendered(2, []), [0, 1, 2]))


def test_no_frames_at_all():
    assert list(spool(rendered(2, []), [])) == []


def test_memory_does_not_grow_with_the_length():
    noise = np.random.default_rng(0).integers(0, 256, (1 << 18,), dtype=np.uint8)  # does not compress
    tracemalloc.start()
    for _ in spool((noise.copy() for _ in range(64)), pingpong(64)):  # 16 MiB in all
        pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 << 20
