"""Buffers that are no weights: noise, filters and averages are made anew where a state_dict lacks them."""

import numpy as np
import pytest
import torch

from sefa_plugin import factorize, load_network
from sefa_plugin.hook import HookError
from sefa_plugin.networks.opening import open_network


@pytest.fixture
def saved(golden, tmp_path):
    """A golden network as a state_dict, with changes."""

    def save(name, change, average=True):
        state = {key: torch.from_numpy(np.array(value)) for key, value in golden(name).state.items()}
        change(state)
        value = {"g_ema": state} if name.startswith("rosinality") else state
        if average and "in/latent_avg" in golden(name).arrays:
            value["latent_avg"] = torch.from_numpy(golden(name)["in/latent_avg"])
        torch.save(value, tmp_path / "net.pt")
        return tmp_path / "net.pt"

    return save


def without(*ends):
    def change(state):
        for key in [key for key in state if key.endswith(ends) or key.startswith(ends)]:
            del state[key]

    return change


def near(one, other, bound=1e-5):
    assert abs(one.numpy() - other).max() < bound * max(1, abs(other).max())


def same_directions(one, other):
    assert np.array_equal(factorize(load_network(one)).vectors, factorize(load_network(other)).vectors)


def test_rosinality_without_noise(golden, saved):
    """The checkpoint that its README links has none. Noise is that of seed 0, one after the other."""
    case = golden("rosinality-32")
    path = saved("rosinality-32", without("noises."))
    (line,) = open_network(path).warnings
    assert "noises.noise_0 and 6 more" in line and "noise from seed 0" in line and "directions do not" in line
    G, ws = load_network(path), torch.from_numpy(case["out/ws"])
    near(G.synthesis(ws, noise_mode="none"), case["out/img_none"])
    drawn = np.random.RandomState(0)

    def draw(state):
        for index in range(7):
            side = 4 << (index + 1) // 2
            state[f"noises.noise_{index}"] = torch.from_numpy(drawn.randn(1, 1, side, side)).float()

    whole = saved("rosinality-32", draw)
    near(G.synthesis(ws, noise_mode="const"), load_network(whole).synthesis(ws, noise_mode="const").numpy())


def test_noise_does_not_depend_on_what_else_is_missing(saved):
    one = load_network(saved("rosinality-32", without("noises.noise_3"))).synthesis.b16.conv0.noise_const.clone()
    all_missing = load_network(saved("rosinality-32", without("noises.")))
    assert torch.equal(one, all_missing.synthesis.b16.conv0.noise_const)


@pytest.mark.parametrize(
    "change",
    [
        without("kernel"),
        lambda state: state.update({key: torch.tensor([1.0, 3, 3, 1]) for key in state if key.endswith("kernel")}),
        lambda state: state.update({key: value[None, None] for key, value in state.items() if "kernel" in key}),
        lambda state: state.update({key: value[0, 0] for key, value in state.items() if key.startswith("noises.")}),
    ],
    ids=["no filters", "taps", "filters with four axes", "noise with two axes"],
)
def test_filters_and_shapes_of_buffers(golden, saved, change):
    """Numbers that are there are used, whatever their axes."""
    case, path = golden("rosinality-32"), saved("rosinality-32", change)
    near(load_network(path).synthesis(torch.from_numpy(case["out/ws"]), noise_mode="const"), case["out/img_const"])


def test_other_taps_are_refused(saved):
    path = saved("rosinality-32", lambda s: s.update({"to_rgbs.0.upsample.kernel": torch.tensor([1.0, 1, 1, 1])}))
    with pytest.raises(HookError, match="is not the filter 1, 3, 3, 1"):
        open_network(path)


def test_an_average_with_a_row_for_each_layer(golden, saved):
    """As pSp and e4e keep it; rows that differ are no average w."""
    case = golden("rosinality-32")
    path = saved(
        "rosinality-32", lambda s: s.update(latent_avg=torch.from_numpy(case["in/latent_avg"]).repeat(8, 1)), False
    )
    z = torch.from_numpy(case["in/z"])
    assert open_network(path).warnings == ()
    near(load_network(path).mapping(z, None, truncation_psi=0.7), case["out/ws_psi07"])
    path = saved("rosinality-32", lambda s: s.update(latent_avg=torch.randn(8, 32)), False)
    assert "latent_avg" in open_network(path).warnings[0]
    G = load_network(path)
    drawn = torch.from_numpy(np.random.RandomState(0).randn(4096, 32))
    near(G.mapping.w_avg, G.mapping(drawn, None)[:, 0].mean(dim=0).numpy())


def test_parameters_only(golden, saved):
    """``dict(G.named_parameters())``: of StyleGAN2 every buffer can be made anew."""
    case = golden("sg2ada-skip-64")
    path = saved("sg2ada-skip-64", without("w_avg", "noise_const", "resample_filter"))
    lines = open_network(path).warnings
    assert "the average w" in lines[0] and "noise" in lines[0] and "filters" in lines[0]
    G = load_network(path)
    near(G.synthesis(torch.from_numpy(case["out/ws"]), noise_mode="none"), case["out/img_none"])
    same_directions(path, path)


def test_stylegan3_without_filters_transform_and_average(golden, saved):
    case = golden("sg3t-64")
    path = saved("sg3t-64", without("_filter", "transform", "w_avg"))
    near(load_network(path).synthesis(torch.from_numpy(case["out/ws"]), noise_mode="const"), case["out/img_const"])
    case = golden("sg3r-64")
    path = saved("sg3r-64", without("_filter"))
    near(load_network(path).synthesis(torch.from_numpy(case["out/ws"]), noise_mode="const"), case["out/img_const"])


def test_stylegan3_parameters_only(golden, saved):
    """Its frequencies are drawn in training: there are directions, and no pictures."""
    whole = open_network(saved("sg3t-64", lambda state: None))
    wanted = [np.asarray(layer.weight) for layer in whole.layers]
    path = saved("sg3t-64", without("_filter", "transform", "w_avg", "freqs", "phases", "magnitude_ema"))
    found = open_network(path)
    assert all(np.array_equal(np.asarray(a.weight), b) for a, b in zip(found.layers, wanted))
    assert "lacks tensor synthesis.input.freqs" in found.why_no_pictures
    with pytest.raises(HookError, match="there are directions, but no pictures"):
        load_network(path)


def test_labels_have_a_part_in_the_average(golden, saved):
    path = saved("sg2ada-cond-32", without("w_avg"))
    G = load_network(path)
    drawn = np.random.RandomState(0)
    z = torch.from_numpy(drawn.randn(4096, G.z_dim))
    c = torch.eye(G.c_dim)[torch.from_numpy(drawn.randint(G.c_dim, size=4096))]
    near(G.mapping.w_avg, G.mapping(z, c)[:, 0].mean(dim=0).numpy())


def test_the_first_stylegan(golden, tmp_path):
    """Ours, without its buffers."""
    G = load_network(golden("stylegan1-32").pickle)
    state = {key: value for key, value in G.state_dict().items() if not key.endswith(("noise_const", "w_avg"))}
    torch.save(state, tmp_path / "net.pt")
    again, ws = load_network(tmp_path / "net.pt"), torch.from_numpy(golden("stylegan1-32")["out/ws"])
    near(again.synthesis(ws, noise_mode="none"), G.synthesis(ws, noise_mode="none").numpy())
    drawn = torch.from_numpy(np.random.RandomState(0).randn(4096, G.z_dim))
    near(again.mapping.w_avg, G.mapping(drawn, None)[:, 0].mean(dim=0).numpy())


@pytest.mark.parametrize("name, transforms", [("sg3r-transform-32", True), ("sg3r-64", False)])
def test_a_stored_transform_is_said(saved, name, transforms):
    notes = open_network(saved(name, lambda state: None)).notes
    assert [line[:27] for line in notes] == ["this file stores a transfor"] * transforms


def test_a_number_with_an_axis_is_that_number(golden, saved):
    case = golden("sg3t-64")

    def change(state):
        state.update({key: value.reshape(1) for key, value in state.items() if key.endswith("magnitude_ema")})

    G = load_network(saved("sg3t-64", change))
    near(G.synthesis(torch.from_numpy(case["out/ws"]), noise_mode="const"), case["out/img_const"])
