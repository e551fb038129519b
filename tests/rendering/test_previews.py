"""Previews: what they show, and what they leave as it was."""

import numpy as np
import pytest
import torch
from places import GOLDEN

from sefa_plugin.networks.building import load_network
from sefa_plugin.rendering import previews, set_up
from sefa_plugin.rendering.edits import Edit
from sefa_plugin.rendering.look import Look
from sefa_plugin.rendering.previews import Previews, use_threads
from sefa_plugin.rendering.scene import Scene
from sefa_plugin.rendering.shards import Shard, View

SKIP, STYLEGAN3 = GOLDEN / "sg2ada-skip-64.pkl", GOLDEN / "sg3t-64.pkl"


def edit(G, rows, distance):
    vector = np.zeros(G.w_dim)
    vector[3] = 1
    return Edit(vector, distance, rows)


def whole(scene, edits):
    return next(iter(previews.render(scene.G, scene.edited(0, edits))))


def test_a_preview_of_all_pixels_is_the_picture_and_what_is_kept_does_not_change_it():
    for file in (SKIP, STYLEGAN3):
        G = load_network(str(file))
        scene, made = Scene(G, View(Look(), (5,))), Previews()
        for distance in (0.5, 1.0, 1.5):
            edits = [edit(G, (0, 1), 1.0), edit(G, tuple(range(6, G.num_ws)), distance)]
            assert np.array_equal(made.picture(scene, edits, unchanged=6, size=64), whole(scene, edits))
        edits = [edit(G, (0, 1), -1.0), *edits[1:]]  # other early rows: nothing stale is used
        assert np.array_equal(made.picture(scene, edits, unchanged=6, size=64), whole(scene, edits))


def test_fewer_pixels_are_the_running_sum_of_the_network():
    G = load_network(str(SKIP))
    scene, sums = Scene(G, View(Look(), (5,))), []
    handle = G.synthesis.b32.register_forward_hook(lambda module, given, made: sums.append(made[1]))
    whole(scene, [])
    handle.remove()
    small = Previews().picture(scene, [], size=32)
    assert small.shape == (32, 32, 3)
    assert np.array_equal(small, previews_uint8(sums[0]))


def previews_uint8(img):
    return (img[0].permute(1, 2, 0) * 127.5 + 128).clamp(0, 255).to(torch.uint8).numpy()


def test_the_size_follows_the_time(monkeypatch):
    G = load_network(str(SKIP))
    scene = Scene(G, View(Look(), (5,)))
    made = Previews()
    monkeypatch.setattr(previews, "LEAST", 16)
    monkeypatch.setattr(previews, "COARSE", 32)
    monkeypatch.setattr(previews, "SLOW", -1.0)
    monkeypatch.setattr(previews, "CRAWLING", -1.0)
    monkeypatch.setattr(previews, "QUICK", -1.0)
    shapes = [made.picture(scene, []).shape[0] for _ in range(6)]
    assert shapes[0] == 64 and shapes[-1] == 16
    monkeypatch.setattr(previews, "SLOW", 1e9)
    monkeypatch.setattr(previews, "CRAWLING", 1e9)
    monkeypatch.setattr(previews, "QUICK", 1e9)
    shapes = [made.picture(scene, []).shape[0] for _ in range(6)]
    assert shapes[-1] == 64


def test_threads_are_as_before(monkeypatch):
    G = load_network(str(SKIP))
    scene, made, used = Scene(G, View(Look(), (5,))), Previews(), []
    handle = G.synthesis.register_forward_hook(lambda *_: used.append(torch.get_num_threads()))
    before = torch.get_num_threads()
    try:
        use_threads(2)
        for _ in range(30):
            made.picture(scene, [])
        assert torch.get_num_threads() == 2 and set(used) == {1, 2}
    finally:
        use_threads(before)
        handle.remove()


def test_bfloat16_is_used_where_it_is_faster(monkeypatch):
    if not hasattr(torch.cpu, "_is_avx512_bf16_supported"):
        pytest.skip("the option is refused with an old torch, which cannot be asked")
    monkeypatch.setattr(set_up, "cpu_has_bfloat16", lambda: True)
    G = load_network(str(SKIP))
    scene, made, used = Scene(G, View(Look(), (5,))), Previews(), []
    handle = G.synthesis.register_forward_hook(lambda *_: used.append(set_up.uses_bfloat16(G)))
    shard = Shard(((0.0, ()),), ())
    (full,) = scene.pictures(shard)
    for _ in range(4):
        made.picture(scene, [])
    assert {False, True} == set(used[1:])
    made._seconds = {way: float(not way[1]) for way in made._seconds}
    made.picture(scene, [])
    assert used[-1]
    (again,) = scene.pictures(shard)
    assert np.array_equal(again, full) and not used[-1]
    handle.remove()
