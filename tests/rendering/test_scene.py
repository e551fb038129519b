import math

import numpy as np
import pytest
import torch
from made_directions import altered
from scenes import pictures_along

from sefa_plugin import factorize, load_network
from sefa_plugin.generators import ops
from sefa_plugin.rendering import scene as module
from sefa_plugin.rendering.arithmetic import COMPILING, SLOW_FILTERS, note_on_filters
from sefa_plugin.rendering.edits import edit_of, edit_z
from sefa_plugin.rendering.frames import to_uint8
from sefa_plugin.rendering.look import Look
from sefa_plugin.rendering.scene import Scene, padded
from sefa_plugin.rendering.set_up import set_transform
from sefa_plugin.rendering.shards import Shard, View


@pytest.fixture(scope="module")
def G(golden):
    return load_network(golden("sg2ada-skip-64").pickle)


def test_seeds_are_those_of_the_toolkits(G):
    """z of seed s is the first draw of its own generator; truncation comes from the mapping."""
    scene = Scene(G, View(Look(trunc=0.6, trunc_cutoff=4), [7, 3]))
    for row, seed in zip(scene.ws, (7, 3)):
        z = torch.from_numpy(np.random.RandomState(seed).randn(1, G.z_dim))
        assert (row == G.mapping(z, None, truncation_psi=0.6, truncation_cutoff=4)[0]).all()
    assert scene.view.labels == ["seed 7", "seed 3"]


def test_distance_zero_is_the_unedited_picture_exactly(G):
    scene, directions = Scene(G, View(Look(), [0, 1, 2])), factorize(G, num_directions=2)
    (zero,) = pictures_along(scene, directions, 1, [0.0])
    want = to_uint8(G.synthesis(scene.ws, noise_mode="const"))
    assert len(zero) == 3
    assert abs(np.stack(zero).astype(int) - want).max() <= 1
    ((alone,),) = pictures_along(Scene(G, View(Look(), [1])), directions, 1, [0.0])
    assert abs(alone.astype(int) - zero[1]).max() <= 1


def test_the_spread_along_rows_that_are_alike_is_that_of_the_direction(G):
    scene, made = Scene(G, View(Look(), [0])), factorize(G, layers="2-4", num_directions=3)
    rows = altered(made, vectors=np.tile(made.vectors[:, None], (1, 3, 1)))
    assert scene.spread_along(rows) == pytest.approx(scene.spread_along(made), rel=1e-6)


def test_shots_come_in_the_order_of_the_distances(G):
    scene, directions = Scene(G, View(Look(trunc=0.5), [0, 1])), factorize(G, layers="2-4", num_directions=1)
    shots = list(pictures_along(scene, directions, 0, [-2.0, 0.0, 2.0]))
    ws = scene.ws.clone()
    ws[:, 2:5] += 2 * torch.from_numpy(directions.vectors[0])
    assert abs(np.stack(shots[2]).astype(int) - to_uint8(G.synthesis(ws, noise_mode="const"))).max() <= 1
    assert (shots[0][0] != shots[2][0]).any()


def test_ws_that_are_given_come_first_and_are_not_truncated(G):
    ws = torch.randn(2, G.num_ws, G.w_dim)
    scene = Scene(G, View(Look(trunc=0.1), [5], ws.numpy()))
    assert scene.view.labels == ["w 0", "w 1", "seed 5"]
    assert (scene.ws[:2] == ws).all()
    with pytest.raises(ValueError, match="Z cannot edit projected ws"):
        next(pictures_along(scene, factorize(G, space="z", num_directions=1), 0, [0.0]))
    with pytest.raises(ValueError, match=r"\[N, 10, 32\]"):
        Scene(G, View(Look(), [], ws.numpy()[:, :3]))


def test_something_to_look_at_is_needed(G):
    with pytest.raises(ValueError, match="one of them is needed"):
        View(Look(), [])


def test_moving_right_and_turning(golden):
    """The buffer holds the inverse of what the user asks for: a point of the picture goes where it should."""
    G = load_network(golden("sg3r-64").pickle)
    assert set_transform(G, (0.25, 0.0), 0.0)
    assert G.synthesis.input.transform.numpy() == pytest.approx(np.array([[1, 0, -0.25], [0, 1, 0], [0, 0, 1.0]]))
    set_transform(G, (0.0, 0.0), 90.0)
    turned = G.synthesis.input.transform.numpy() @ [1, 0, 1]
    assert turned == pytest.approx([0, 1, 1], abs=1e-6)
    assert math.isclose(np.linalg.det(G.synthesis.input.transform.numpy()), 1, rel_tol=1e-6)


def test_networks_without_an_input_transform(G):
    assert not set_transform(G, (0.1, 0.0), 0.0)


def test_a_transform_of_the_file_stays_unless_asked_otherwise(golden):
    G = load_network(golden("sg3r-64").pickle)
    held = torch.tensor([[1.0, 0, 0.1], [0, 1, 0], [0, 0, 1]])
    G.synthesis.input.transform.copy_(held)
    set_transform(G, (0.0, 0.0), 0.0)
    assert (G.synthesis.input.transform == held).all()


def test_edits_of_many_subjects_reach_the_mapping_network_with_their_classes(golden):
    G = load_network(golden("sg2ada-cond-32").pickle)
    scene, made = (
        Scene(G, View(Look(label=1, trunc=0.7, trunc_cutoff=2), [0, 1, 2])),
        factorize(G, space="z", num_directions=2),
    )
    seen, mapping = [], G.mapping.forward
    G.mapping.forward = lambda z, c, **options: (seen.append((z, c, options)), mapping(z, c, **options))[1]
    for weight in (0.0, 2.0):
        scene.edited([2, 0], [edit_of(made, 1, 1.0)], [weight])
    assert torch.equal(seen[0][0], scene.z[[2, 0]])
    assert torch.equal(seen[1][0], edit_z(scene.z[[2, 0]], made, {1: 2.0}))
    wanted = {"truncation_psi": 0.7, "truncation_cutoff": 2}
    assert all(torch.equal(label, scene.c[[2, 0]]) and options == wanted for _, label, options in seen)


def test_a_label_reaches_the_mapping_network_as_it_is(golden):
    G, label = load_network(golden("sg2ada-cond-32").pickle), (0.5, 0.0, 0.25, *[0.0] * 7)
    z = torch.from_numpy(np.random.RandomState(4).randn(1, G.z_dim))
    want = G.mapping(z, torch.tensor([label]))
    scene = Scene(G, View(Look(label=label), [4]))
    assert torch.equal(scene.ws, want)
    one_class = Scene(G, View(Look(label=tuple(float(place == 2) for place in range(10))), [4]))
    assert torch.equal(one_class.ws, Scene(G, View(Look(label=2), [4])).ws)


@pytest.mark.parametrize("background", [None, (0, 0, 0), (10, 200, 30)])
def test_transparent_pictures_are_laid_over_the_background(G, monkeypatch, background):
    held = np.random.RandomState(0).randint(0, 256, (8, 8, 4), np.uint8)
    monkeypatch.setattr(module, "render", lambda *_, **options: iter([held]))
    view = View(Look(background=background), [0])
    (picture,) = Scene(G, view).pictures(Shard.of_everyone(view))
    if background is None:
        assert np.array_equal(picture, held)
        return
    opacity = held[..., 3:] / 255
    want = held[..., :3] * opacity + np.array(background) * (1 - opacity)
    assert picture.shape == (8, 8, 3) and np.abs(picture - want).max() <= 0.51


def test_a_row_that_does_not_fill_its_last_batch_is_padded(G):
    """The picture of a sample is the same to the last bit, whether its batch is the last one or not."""

    def made(count):
        shots = tuple((float(who), ()) for who in range(count))
        return list(Scene(G, View(Look(), range(count))).pictures(Shard(shots, (), count, 4), at_once=2))

    whole, fewer = made(4), made(3)
    assert len(fewer) == 3
    assert all(np.array_equal(one, other) for one, other in zip(fewer, whole))
    ws = torch.randn(3, 2, 5)
    assert torch.equal(padded(ws, 2), torch.cat([ws, ws[-1:]])) and padded(ws, 3) is ws


@pytest.mark.parametrize(
    ("together", "at_once", "size"), [(6, 4, 3), (7, 4, 1), (4, 4, 4), (64, 16, 16), (3, 100, 3), (1, 4, 1), (5, 0, 1)]
)
def test_batches_are_equal_and_as_large_as_fits(together, at_once, size):
    assert Shard(((0.0, ()),), together=together).batch(at_once) == size


def test_a_look_that_fails_leaves_the_next_one_right(golden, monkeypatch):
    """StyleGAN3 moved by one scene; another that cannot be set up; the first again."""
    G = load_network(golden("sg3t-64").pickle)
    moved = Scene(G, View(Look(translate=(0.25, 0.0)), [0]))
    (wanted,) = moved.pictures(Shard.of_everyone(moved.view))

    def failing(G, translate, rotate):
        G.synthesis.input.transform.fill_(7)
        raise ValueError("in the middle")

    with monkeypatch.context() as patch:
        patch.setattr("sefa_plugin.rendering.set_up.set_transform", failing)
        with pytest.raises(ValueError, match="in the middle"):
            Scene(G, View(Look(), [0]))
    assert np.array_equal(next(moved.pictures(Shard.of_everyone(moved.view))), wanted)


@pytest.mark.parametrize("shape", [(10, 64), (1, 5, 32), (0, 10, 32), (1, 10, 31)])
def test_ws_of_another_shape_are_refused_at_once(G, shape):
    with pytest.raises(ValueError, match="this network needs|expected finite"):
        Scene(G, View(Look(), [], np.zeros(shape)))
    with pytest.raises(ValueError, match="expected finite"):
        View(Look(), [], np.full((1, G.num_ws, G.w_dim), np.nan))


@pytest.mark.parametrize(
    "odd", [{"noise_mode": "x"}, {"trunc": np.nan}, {"trunc_cutoff": -1}, {"label": -1}, {"translate": (0, np.inf)}]
)
def test_looks_that_cannot_be(odd):
    with pytest.raises(ValueError, match="expected|choose one"):
        Look(**odd)


@pytest.mark.parametrize(
    ("works", "compiled", "note"), [(False, False, SLOW_FILTERS), (True, False, COMPILING), (True, True, "")]
)
def test_what_makes_stylegan3_slow_on_a_cpu_is_said(golden, monkeypatch, works, compiled, note):
    monkeypatch.setattr(ops, "numba_works", lambda: works)
    monkeypatch.setattr("sefa_plugin.generators.fused.is_compiled", lambda: compiled)
    assert note_on_filters(load_network(golden("sg3t-64").pickle)) == note
    assert note_on_filters(load_network(golden("sg2ada-skip-64").pickle)) == ""
