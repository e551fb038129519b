import numpy as np
import pytest

from sefa_plugin.media.frame_store import FrameStore


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
