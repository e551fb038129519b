"""Mistakes that public implementations of SeFa make: each has a test here that would catch it in ours."""

import numpy as np
import pytest
import torch

from sefa_plugin import edit, factorize, load_network, render, style_layers
from sefa_plugin.directions.directions import Directions
from sefa_plugin.directions.factorization import factorize_groups
from sefa_plugin.directions.layers import select_layers
from sefa_plugin.hook import StyleLayer
from sefa_plugin.rendering.edits import edit_of, edit_z
from sefa_plugin.rendering.latents import labelled, z_from_seeds
from sefa_plugin.rendering.look import Look
from sefa_plugin.rendering.scene import Scene
from sefa_plugin.rendering.shards import View

NETWORKS = ["sg2ada-skip-64", "sg2ada-cond-32", "sg2-in-sg3-32", "sg3t-64", "sg3r-64"]


@pytest.fixture(scope="module")
def load(golden):
    held = {}

    def get(name):
        if name not in held:
            held[name] = load_network(golden(name).pickle)
        return held[name]

    return get


def styles_of(G, ws):
    """Output of every affine, by name, while ``ws`` is rendered."""
    held, hooks = {}, []
    for layer in style_layers(G):
        module = G.get_submodule(layer.name)
        hooks.append(module.register_forward_hook(lambda m, x, y, name=layer.name: held.update({name: y.clone()})))
    G.synthesis(ws, noise_mode="const", force_fp32=True)
    for hook in hooks:
        hook.remove()
    return held


# --- the layers -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "spec"),
    [("sg2ada-skip-64", "all"), ("sg2ada-skip-64", "2-5"), ("sg2ada-skip-64", "0,9"), ("sg3t-64", "coarse")],
)
def test_exactly_the_factorised_layers_feel_an_edit(golden, load, name, spec):
    """Elsewhere other layers are edited than were factorised, or their neighbours (off by one)."""
    G, ws = load(name), torch.from_numpy(golden(name)["out/ws"])
    made = factorize(G, layers=spec, num_directions=2)
    before, after = styles_of(G, ws), styles_of(G, edit(ws, made, {0: 3.0}))
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    inner = {layer.name for layer in style_layers(G) if layer.kind == "torgb"} - set(made.layer_names)
    assert moved - inner == set(made.layer_names)  # an inner ToRGB shares a row with a convolution


@pytest.mark.parametrize("name", NETWORKS)
def test_all_means_one_layer_for_every_row(load, name):
    """Elsewhere every fourth layer is kept, or ToRGBs are taken by accident of their names, or the input too."""
    G = load(name)
    made = factorize(G)
    kinds = {layer.name: layer.kind for layer in style_layers(G)}
    chosen = [kinds[name] for name in made.layer_names]
    rows = list(range(1 if "input" in kinds.values() else 0, G.num_ws))
    assert list(made.layers) == rows
    assert chosen == ["conv"] * (len(rows) - 1) + ["torgb"]


def test_styles_not_kernels_are_factorised(golden, load):
    """Elsewhere convolution kernels are reshaped, padded and cut until they fit."""
    state = golden("sg2ada-skip-64").state
    made = factorize(load("sg2ada-skip-64"), normalize=False)
    gain = {layer.name: layer.weight_gain * layer.style_gain for layer in style_layers(load("sg2ada-skip-64"))}
    A = np.concatenate([state[f"{name}.weight"] * gain[name] for name in made.layer_names]).astype(float)
    for vector, value in zip(made.vectors[:5].astype(float), made.eigenvalues):
        assert ((A @ vector) ** 2).sum() == pytest.approx(value, rel=1e-5)
    with pytest.raises(ValueError, match=r"\[8, 8, 3, 3\], expected \[channels, dim\]"):
        factorize([np.zeros((8, 8, 3, 3))])


def test_layers_of_every_width_count():
    """Elsewhere only layers of the most common width are kept, and are joined along the wrong axis."""
    wide, narrow = np.random.RandomState(0).randn(6, 4), np.random.RandomState(1).randn(3, 4)
    made = factorize([wide, narrow, wide], normalize=False)
    gram = 2 * wide.T @ wide + narrow.T @ narrow
    assert made.eigenvalues == pytest.approx(np.linalg.eigvalsh(gram)[::-1])


def test_more_rows_than_sixteen():
    """Elsewhere rows are chosen by 16-bit masks, which fit one resolution only."""
    layers = [StyleLayer(f"l{i}", np.random.RandomState(i).randn(4, 6), i, detail=2.0**i) for i in range(26)]
    made = factorize(layers, layers="15-25")
    moved = (edit(torch.zeros(26, 6), made, {0: 1.0}).norm(dim=1) > 0.5).nonzero().ravel().tolist()
    assert moved == list(range(15, 26))
    assert select_layers(layers, "all")[0].ws_indices == tuple(range(26))


# --- the directions -------------------------------------------------------------------------------


def test_direction_0_is_the_strongest():
    """Elsewhere a general eigen-solver is used, which does not sort."""
    rng = np.random.RandomState(0)
    A = np.linalg.qr(rng.randn(8, 8))[0] * np.array([2.0, 7, 1, 8, 3, 6, 4, 5])
    assert (np.diff(np.linalg.eig(A.T @ A)[0]) > 0).any()  # the trap is set
    made = factorize([A], normalize=False)
    assert made.eigenvalues == pytest.approx([64, 49, 36, 25, 16, 9, 4, 1])
    assert np.abs(made.vectors).argmax(axis=1).tolist() == [3, 1, 5, 7, 6, 4, 0, 2]


def test_directions_of_w_never_meet_z():
    """Elsewhere directions found in W are added to z; the sizes often agree, so nothing fails."""
    z, ws = torch.randn(1, 6, dtype=torch.float64), torch.randn(1, 4, 6)
    of_w = Directions.of(np.eye(6), np.ones(6), (0, 1))
    of_z = Directions.of(np.eye(6), np.ones(6), (0, 1, 2, 3), space="z")
    with pytest.raises(ValueError, match="are of W"):
        edit_z(z, of_w, {0: 1.0})
    with pytest.raises(ValueError, match="are of Z"):
        edit(ws, of_z, {0: 1.0})


def test_directions_of_z_are_found_where_z_enters(golden, load):
    """Of a network with labels, the columns that read the label are no part of z."""
    G = load("sg2ada-cond-32")
    weight = golden("sg2ada-cond-32").state["mapping.fc0.weight"].astype(float)
    made = factorize(G, space="z")
    assert weight.shape[1] > made.vectors.shape[1] == G.z_dim
    rows = weight[:, : G.z_dim]
    rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    assert ((rows @ made.vectors[0]) ** 2).sum() == pytest.approx(np.linalg.norm(rows, 2) ** 2, rel=1e-5)


# --- the edit -------------------------------------------------------------------------------------


@pytest.mark.parametrize("psi", [1.0, 0.7, 0.0])
def test_truncation_is_applied_and_does_not_shrink_the_step(load, psi):
    """Elsewhere psi multiplies the distance too (5 becomes 3.5), or is read and then forgotten."""
    G = load("sg2ada-skip-64")
    scene = Scene(G, View(Look(trunc=psi), [0, 3]))
    plain = G.mapping(z_from_seeds([0, 3], G.z_dim), None)
    assert torch.allclose(scene.ws, G.mapping.w_avg + psi * (plain - G.mapping.w_avg), atol=1e-5)
    step = edit(scene.ws, factorize(G), {2: 5.0}) - scene.ws
    assert torch.allclose(step.norm(dim=-1), torch.full((2, G.num_ws), 5.0), atol=1e-4)


def test_a_class_reaches_the_mapping_network(load):
    """Elsewhere the label is always None, which fails or shows class 0."""
    G = load("sg2ada-cond-32")
    z = z_from_seeds([0], G.z_dim)
    first, third = (Scene(G, View(Look(label=label), [0])).ws for label in (0, 3))
    assert torch.equal(third, G.mapping(z, labelled(3, G.c_dim, 1)))
    assert (first - third).abs().max() > 1e-3
    with pytest.raises(ValueError, match=r"choose a class with --class 0-9"):
        Scene(G, View(Look(), [0]))


def test_a_z_edit_follows_the_golden_definition(load):
    """Normalise, step, and let the network normalise again: the step is in units of a normalised z."""
    G = load("sg2ada-skip-64")
    z = z_from_seeds([1], G.z_dim)
    made = factorize(G, space="z", num_directions=3)
    ws = G.mapping(edit_z(z, made, {1: 4.0}), None)
    scene = Scene(G, View(Look(), [1]))
    assert torch.equal(scene.edited(0, [edit_of(made, 1, 4.0)]), ws)
    by_hand = z.numpy() / np.sqrt((z.numpy() ** 2).mean(axis=1, keepdims=True)) + 4.0 * made.vectors[1].astype(float)
    assert torch.allclose(ws, G.mapping(torch.from_numpy(by_hand), None), atol=1e-5)


# --- the pictures ---------------------------------------------------------------------------------


@pytest.mark.parametrize("noise_mode", ["const", "none", "random"])
def test_frames_differ_by_the_edit_alone(golden, load, noise_mode):
    """Elsewhere fresh noise is drawn for every frame, so that everything flickers."""
    G = load("sg2ada-skip-64")
    ws = torch.from_numpy(golden("sg2ada-skip-64")["out/ws"][:1])
    made = factorize(G, num_directions=1)
    first, moved, second = render(G, (edit(ws, made, {0: d}) for d in (0.0, 4.0, 0.0)), noise_mode=noise_mode)
    assert np.array_equal(first, second)
    assert not np.array_equal(first, moved)


def test_noise_is_const_unless_asked_for(golden, load):
    ws = torch.from_numpy(golden("sg2ada-skip-64")["out/ws"])
    wanted = golden("sg2ada-skip-64")["out/img_const"].transpose(0, 2, 3, 1)
    wanted = np.clip(wanted * 127.5 + 128, 0, 255).astype(np.uint8)
    assert abs(np.stack(list(render(load("sg2ada-skip-64"), ws))).astype(int) - wanted).max() <= 1


def test_each_layer_has_directions_of_its_own(load):
    """And an edit along them moves that one row."""
    G = load("sg2ada-skip-64")
    for row, made in enumerate(factorize_groups(G, "each", num_directions=1)):
        assert made.layers == (row,)
        assert len(made.layer_names) == 1
