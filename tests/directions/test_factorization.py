import numpy as np
import pytest
import torch

from sefa_plugin import factorize, load_network, style_layers
from sefa_plugin.directions.factorization import effective_weight, factorize_groups


@pytest.fixture(scope="module")
def G(golden):
    return load_network(golden("sg2ada-skip-64").pickle)


def test_what_factorising_a_generator_gives(G):
    made = factorize(G, layers="0-2", num_directions=4)
    assert made.vectors.shape == (4, 32)
    assert made.vectors.dtype == np.float32
    assert (np.diff(made.eigenvalues) < 0).all()
    assert made.layers == (0, 1, 2)
    assert made.layer_names == tuple(f"synthesis.{n}.affine" for n in ("b4.conv1", "b8.conv0", "b8.conv1"))
    assert (made.network, made.digest, made.num_ws) == ("sg2ada-skip-64", G.sefa.digest, 10)


def test_gains_count_only_without_normalisation(G):
    """ToRGB styles are scaled once more; rows of unit length forget that."""
    layer = style_layers(G)[-1]
    stored = np.asarray(layer.weight, dtype=float)
    assert (effective_weight(layer, True) == stored).all()
    assert effective_weight(layer, False) == pytest.approx(stored / np.sqrt(32) / np.sqrt(layer.channels))
    plain = factorize(G, normalize=False)
    A = np.concatenate([effective_weight(x, False) for x in style_layers(G) if x.kind == "conv" or x is layer])
    names = {x.name for x in style_layers(G) if x.kind == "conv"} | {layer.name}
    A = np.concatenate([effective_weight(x, False) for x in style_layers(G) if x.name in names])
    assert np.sqrt(plain.eigenvalues) == pytest.approx(np.linalg.svd(A, compute_uv=False), rel=1e-5)


def test_z_space_uses_the_first_mapping_layer(golden, G):
    made = factorize(G, space="z")
    weight = golden("sg2ada-skip-64").state["mapping.fc0.weight"]
    rows = weight / np.linalg.norm(weight, axis=1, keepdims=True)
    assert np.sqrt(made.eigenvalues[:32]) == pytest.approx(np.linalg.svd(rows, compute_uv=False), rel=1e-5)
    assert made.vectors.shape == (48, 48)
    assert made.layers == tuple(range(10))
    assert made.space == "z"


def test_labels_are_no_part_of_z(golden):
    """Of a conditional network's first mapping layer only the columns of z count."""
    G = load_network(golden("sg2ada-cond-32").pickle)
    weight = golden("sg2ada-cond-32").state["mapping.fc0.weight"]
    assert weight.shape[1] == 48 + 32
    made = factorize(G, space="z", normalize=False)
    gain = 0.01 / np.sqrt(weight.shape[1])
    assert np.sqrt(made.eigenvalues[0]) == pytest.approx(np.linalg.norm(weight[:, :48] * gain, 2), rel=1e-5)
    assert made.normalize is False  # which is noted in their file
    assert factorize(G, space="z").normalize is True


def test_raw_matrices(golden):
    weights = [np.random.RandomState(0).randn(5, 6), np.random.RandomState(1).randn(4, 6)]
    made = factorize(weights, num_directions=3)
    assert made.layers == (0, 1)
    assert made.vectors.shape == (3, 6)
    with pytest.raises(ValueError, match="neither layers"):
        factorize(weights, layers="0")
    with pytest.raises(ValueError, match="nor a Z space"):
        factorize(weights, space="z")


def test_weights_in_every_wrapping(G):
    """Parameters that need gradients, half precision, a dict by name, layers of a hook: one answer."""
    weights = [np.random.RandomState(0).randint(-9, 9, (5, 6)), np.random.RandomState(1).randint(-9, 9, (4, 6))]
    plain = factorize(weights)
    named = factorize({"first": weights[0], "second": weights[1]})
    assert named.layer_names == ("first", "second")
    parameters = [torch.nn.Parameter(torch.tensor(weight, dtype=torch.float32)) for weight in weights]
    halves = [torch.tensor(weight).to(torch.bfloat16) for weight in weights]
    for other in (named, factorize(tuple(parameters)), factorize(halves)):
        assert np.array_equal(other.vectors, plain.vectors)
    ours, theirs = factorize(style_layers(G), layers="middle"), factorize(G, layers="middle")
    assert np.array_equal(ours.vectors, theirs.vectors)
    assert ours.layers == theirs.layers == (3, 4, 5, 6)
    with pytest.raises(ValueError, match="second holds NaN"):
        factorize({"first": np.eye(3), "second": np.full((2, 3), np.nan)})


def test_several_groups(G):
    found = factorize_groups(G, "coarse,0-1,fine", num_directions=2)
    assert [made.label for made in found] == ["coarse", "0-1", "fine"]
    assert np.array_equal(found[1].vectors, factorize(G, "0-1", num_directions=2).vectors)
    coarse, numbers, fine = factorize(G, "coarse,0-1,fine", num_directions=2)
    assert [made.label for made in (coarse, numbers, fine)] == ["coarse", "0-1", "fine"]
    assert np.array_equal(numbers.vectors, found[1].vectors)
    assert [made.layers for made in factorize(G, "each")] == [(row,) for row in range(G.num_ws)]
    assert factorize(G, "coarse, coarse").label == "coarse"  # one group is no list
    with pytest.raises(ValueError, match="no layers to choose"):
        factorize(G, layers="coarse", space="z")


def test_arguments_out_of_range(G):
    with pytest.raises(ValueError, match=r"space 's'.*choose of \('w', 'z'\)"):
        factorize(G, space="s")
    with pytest.raises(ValueError, match="1-32"):
        factorize(G, num_directions=33)


def test_weights_with_nan_are_named(G):
    import copy

    import torch

    broken = copy.deepcopy(G)
    with torch.no_grad():
        broken.synthesis.b16.conv0.affine.weight[0, 0] = float("nan")
    with pytest.raises(ValueError, match="layer synthesis.b16.conv0.affine holds NaN"):
        factorize(broken)
