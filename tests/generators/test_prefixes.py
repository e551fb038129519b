"""What an edit leaves unchanged is computed once, and nothing is seen of it."""

import numpy as np
import pytest
import torch

from sefa_plugin import load_network
from sefa_plugin.generators import stylegan2, stylegan3
from sefa_plugin.generators.prefixes import Prefixes
from sefa_plugin.rendering.frames import render

pytestmark = pytest.mark.command


def schedule(ws, first, count=4):
    for number in range(count):
        edited = ws.clone()
        edited[:, first:] += 0.3 * number
        yield edited


@pytest.mark.parametrize("name", ["sg2ada-skip-64", "sg3t-64"])
@pytest.mark.parametrize("where, batch_size", [(0, 2), (1, 1), (2, 1), (5, 2), (8, 1), (-1, 2)])
def test_the_same_pictures(golden, monkeypatch, name, where, batch_size):
    case, G = golden(name), load_network(golden(name).pickle)
    ws = torch.from_numpy(case["out/ws"])[:2]
    first = where % G.num_ws
    kind = stylegan2.SynthesisBlock if name.startswith("sg2") else stylegan3.SynthesisLayer
    calls, forward = [], kind.forward
    monkeypatch.setattr(kind, "forward", lambda *args: calls.append(1) or forward(*args))
    full = list(render(G, schedule(ws, first), batch_size=batch_size))
    before = len(calls)
    calls.clear()
    reused = list(render(G, schedule(ws, first), batch_size=batch_size, unchanged_rows=first))
    assert len(full) == len(reused) == 8
    assert all(np.array_equal(one, other) for one, other in zip(full, reused))
    assert (len(calls) < before) == (first >= 2)


def test_random_noise_is_drawn_as_ever(golden):
    case, G = golden("sg2ada-skip-64"), load_network(golden("sg2ada-skip-64").pickle)
    ws = torch.from_numpy(case["out/ws"])[:2]
    full = list(render(G, schedule(ws, 6), noise_mode="random"))
    reused = list(render(G, schedule(ws, 6), noise_mode="random", unchanged_rows=6))
    assert all(np.array_equal(one, other) for one, other in zip(full, reused))


def test_the_least_recently_used_features_are_dropped():
    held, rows, computed = Prefixes(3, room=100), torch.zeros(1, 3, 2), []

    def use(number, size=10):  # 40 bytes
        return held.features(rows + number, "key", lambda: (computed.append(number) or torch.zeros(size), None))

    for number in (0, 1, 0, 2, 0):
        use(number)
    assert computed == [0, 1, 2]
    use(1)
    assert computed == [0, 1, 2, 1]
    use(3, 100)
    use(3, 100)
    assert computed[4:] == [3, 3]
