import numpy as np
import pytest
import torch
from scenes import pictures_along
from toys import Planted, patches

from sefa_plugin import Directions, edit, factorize, load_network
from sefa_plugin.evaluate.samples.sampling import Samples, measure_pictures
from sefa_plugin.rendering.frames import to_uint8
from sefa_plugin.rendering.look import Look
from sefa_plugin.rendering.shards import Shard

ROUNDING = 2 / 127.5 / Planted.STEP  # of a pixel, in units of w, with room to spare


@pytest.fixture(scope="module")
def net(golden):
    return load_network(golden("sg2ada-skip-64").pickle)


def drawn(seeds, dim=6):
    return np.stack([np.random.RandomState(seed).randn(dim) for seed in seeds])


def ws_of(samples):
    """Truncated ws of all samples."""
    views = map(samples.view, samples.batches())
    return np.concatenate([samples.engine.latents(view, Shard.of_everyone(view)) for view in views])


def measure(samples, scorer, **options):
    return measure_pictures(samples.shots(), scorer, **options)


def measure_edit(samples, directions, key, distance, scorer):
    views = map(samples.view, samples.batches())
    return measure_pictures((next(samples.edited(view, directions, [(key, distance)])) for view in views), scorer)


def test_samples_are_the_seeds_of_the_toolkits():
    samples = Samples(Planted(), Look(trunc=0.5), count=5, batch=2)
    assert [list(seeds) for seeds in samples.batches()] == [[1000, 1001], [1002, 1003], [1004]]
    assert np.allclose(ws_of(samples)[:, 0], drawn(range(1000, 1005)) / 2, atol=1e-6)
    assert np.allclose(samples.codes(), drawn(range(1000, 1005)), atol=1e-6)  # w itself is not truncated


def test_scores_are_those_of_the_samples():
    done = []
    scores = measure(Samples(Planted(), count=7, first=20, batch=3), patches, advance=done.append)
    assert list(scores) == [f"a{k}" for k in range(6)]
    assert np.allclose(np.stack(list(scores.values()), axis=1), drawn(range(20, 27)), atol=ROUNDING)
    assert done == [3, 3, 1]


def test_an_edit_moves_the_attribute_of_its_direction_alone():
    """Attribute k listens to row k % 3 of ws: directions of row 0 reach attributes 0 and 3 only."""
    samples = Samples(Planted(), count=6, batch=4)
    directions = Directions.of(np.eye(6), np.ones(6), (0,))
    before = measure(samples, patches)
    for key, reached in ((0, True), (1, False), (3, True)):
        after = measure_edit(samples, directions, key, 1.5, patches)
        for name, values in before.items():
            want = 1.5 if reached and name == f"a{key}" else 0
            assert np.allclose(after[name] - values, want, atol=ROUNDING)


def test_memory_holds_one_batch():
    """No batch is asked for before the one before has been scored."""
    order = []
    shots = (order.append("drawn") or np.zeros((2, 4, 4, 3), np.uint8) for _ in range(3))

    def scorer(pictures):
        order.append("scored")
        return {"a": np.zeros(len(pictures))}

    assert len(measure_pictures(shots, scorer)["a"]) == 6
    assert order == ["drawn", "scored"] * 3


def test_a_class_for_each_seed_where_none_is_chosen():
    samples = Samples(Planted(classes=4), count=200, batch=100)
    classes = samples.codes()[:, 0] - drawn(samples.seeds)[:, 0]
    assert np.allclose(classes, np.round(classes), atol=1e-5)
    counts = np.bincount(np.round(classes).astype(int), minlength=4)
    assert len(counts) == 4 and counts.min() > 30
    held = ws_of(samples)[:, 0, 0]
    assert np.allclose(held, samples.codes()[:, 0], atol=1e-5)  # the same classes both ways
    chosen = Samples(Planted(classes=4), Look(label=3), count=5)
    assert np.allclose(chosen.codes()[:, 0] - drawn(chosen.seeds)[:, 0], 3, atol=1e-5)
    with pytest.raises(ValueError, match="classes 0-3"):
        next(Samples(Planted(classes=4), Look(label=4), count=5).shots())


def test_a_real_network_is_looked_at_as_the_look_says(net):
    samples = Samples(net, Look(trunc=0.6), count=4, batch=3)
    seen = []

    def scorer(pictures):
        seen.append(pictures)
        return {"mean": pictures.mean(axis=(1, 2, 3))}

    directions = factorize(net, layers="2-4", num_directions=2)
    measure_edit(samples, directions, 1, 2.0, scorer)
    z = torch.from_numpy(drawn(samples.seeds, net.z_dim))
    ws = edit(net.mapping(z, None, truncation_psi=0.6), directions, {1: 2.0})
    want = to_uint8(net.synthesis(ws, noise_mode="const"))
    assert [len(batch) for batch in seen] == [3, 1]
    assert abs(np.concatenate(seen).astype(int) - want).max() <= 1


@pytest.mark.parametrize("space", ["w", "z"])
def test_edits_share_what_they_leave_unchanged_and_are_the_same_pictures(net, space):
    directions = factorize(net, layers="3-5" if space == "w" else "all", space=space, num_directions=2)
    samples = Samples(net, count=3)
    view = samples.view(range(1000, 1003))
    steps = [(0, -2.0), (1, 3.0), (0, 0.0)]
    shown = list(samples.edited(view, directions, steps))
    assert len(shown) == 3
    for pictures, (key, distance) in zip(shown, steps):
        want = np.stack(next(pictures_along(samples.engine.scene(view), directions, key, [distance])))
        assert abs(pictures.astype(int) - want).max() <= 1


def test_the_last_batch_gives_the_same_bits_as_a_full_one(net):
    """Scores of a sample do not depend on how many others there are."""
    few, many = (np.concatenate(list(Samples(net, count=count, batch=4).shots())) for count in (6, 8))
    assert (few == many[:6]).all()


def test_edits_in_turn(net):
    samples, directions = Samples(net, count=3), factorize(net, num_directions=2)
    view = samples.view(samples.seeds)
    made = samples.edited_in_turn(view, directions, iter([(0, 2.0), (1, -1.0), (0, -2.0)]))
    for who, (key, distance) in enumerate([(0, 2.0), (1, -1.0), (0, -2.0)]):
        want = next(samples.edited(view, directions, [(key, distance)]))[who]
        assert abs(made[who].astype(int) - want).max() <= 1


@pytest.mark.parametrize("wrong", [{"count": 0}, {"first": -1}, {"first": 2**32 - 1, "count": 2}, {"batch": 0}])
def test_numbers_of_samples_that_cannot_be(wrong):
    with pytest.raises(ValueError, match="expected 1 or more"):
        Samples(Planted(), **wrong)
