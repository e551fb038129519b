"""rosinality's state dicts against the numbers of their own code."""

import argparse

import numpy as np
import pytest
import torch
from places import GOLDEN

from sefa_plugin import factorize, load_network, style_layers
from sefa_plugin.hook import HookError
from sefa_plugin.networks.opening import open_network
from sefa_plugin.reading.network_file import write_converted

NAME = "rosinality-32"
ZIP, LEGACY = GOLDEN / f"{NAME}.pt", GOLDEN / f"{NAME}-legacy.pt"


@pytest.fixture(scope="module")
def case(golden):
    return golden(NAME)


@pytest.fixture
def remade(case, tmp_path):
    """The golden network as a file of its own, with changes: ``average`` False leaves latent_avg out."""

    def make(change=None, average=True, wrap=None, prefix=""):
        state = {prefix + key: torch.from_numpy(np.array(value)) for key, value in case.state.items()}
        if change:
            change(state)
        value = {"g_ema": state}
        if average:
            value["latent_avg"] = torch.from_numpy(case["in/latent_avg"])
        path = tmp_path / "net.pt"
        torch.save({**value, **(wrap or {})}, path)
        return path

    return make


def refusal(path):
    with pytest.raises(HookError) as caught:
        load_network(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)
    return str(caught.value)


def pictures_agree(case, G, bound=2e-6):
    for key, ws, noise in (
        ("out/img_const", "out/ws", "const"),
        ("out/img_none", "out/ws", "none"),
        ("out/img_edit", "in/ws_edit", "const"),
        ("out/img_mix", "in/ws_mix", "const"),
    ):
        img = G.synthesis(torch.from_numpy(case[ws]), noise_mode=noise).numpy()
        assert abs(img - case[key]).max() < bound * max(1, abs(case[key]).max()), key


@pytest.mark.parametrize("path", [ZIP, LEGACY], ids=["zip", "legacy"])
def test_mapping_truncation_and_pictures(case, path):
    G = load_network(path)
    z = torch.from_numpy(case["in/z"])
    assert abs(G.mapping(z.double(), None).numpy() - case["out/ws"]).max() < 1e-5
    assert abs(G.mapping(z, None, truncation_psi=0.7).numpy() - case["out/ws_psi07"]).max() < 1e-5
    assert (G.mapping.w_avg.numpy() == case["in/latent_avg"]).all()
    img = G(z, None, truncation_psi=0.7, noise_mode="const").numpy()
    assert abs(img - case["out/img_psi07"]).max() < 2e-6 * abs(case["out/img_psi07"]).max()
    pictures_agree(case, G)


def test_weak_weights_meet_the_same_epsilon(case, remade):
    """The demodulation's 1e-8 is added to weights that were scaled by 1 / sqrt(in * 9), as in that repository."""

    def change(state):
        state["conv1.conv.weight"] *= 2e-5

    G = load_network(remade(change))
    held = {key: torch.from_numpy(value) for key, value in case.state.items()}
    w = torch.from_numpy(case["out/ws"])[:1, 0]
    style = w @ held["conv1.conv.modulation.weight"].T / 32**0.5 + held["conv1.conv.modulation.bias"]
    weight = held["conv1.conv.weight"][0] * 2e-5 / (24 * 9) ** 0.5 * style[0][:, None, None]
    weight = weight * (weight.square().sum(dim=(1, 2, 3), keepdim=True) + 1e-8).rsqrt()
    x = torch.nn.functional.conv2d(held["input.input"], weight, padding=1)
    x = x + held["conv1.activate.bias"][:, None, None]
    wanted = torch.nn.functional.leaky_relu(x, 0.2) * 2**0.5
    found = G.synthesis.b4.conv1(held["input.input"], w, "none")
    assert abs(found - wanted).max() < 1e-5


def test_layers_and_styles(case):
    opened = open_network(ZIP)
    G = load_network(ZIP)
    wanted = case.info["style_layers"]
    assert (opened.hook.name, opened.warnings) == ("rosinality", ())
    assert opened.sizes == {
        "z_dim": 32, "c_dim": 0, "w_dim": 32, "num_ws": 8, "resolution": 32, "channels": 3
    }  # fmt: skip
    assert [layer.name for layer in opened.layers[:4]] == [
        "synthesis.b4.conv1.affine",
        "synthesis.b4.torgb.affine",
        "synthesis.b8.conv0.affine",
        "synthesis.b8.conv1.affine",
    ]
    in_order = sorted(wanted, key=lambda item: _place(item["name"]))
    for layer, item in zip(opened.layers, in_order):
        assert (layer.ws_index, layer.kind, layer.channels) == (item["ws_index"], item["kind"], item["out_features"])
        assert layer.weight_gain == pytest.approx(item["weight_gain"], rel=1e-9)
        if layer.kind == "torgb":
            assert layer.style_gain == pytest.approx(item["conv_weight_scale"], rel=1e-6)
        module = G.get_submodule(layer.name)
        style = module(torch.from_numpy(case["out/ws"])[:, layer.ws_index]).numpy()
        assert abs(style - case["out/styles/" + item["name"]]).max() < 1e-5
        assert (np.asarray(layer.weight) == module.weight.numpy()).all()
    mapping = opened.mapping
    assert mapping.name == "mapping.fc0"
    assert mapping.weight_gain == pytest.approx(0.01 / 32**0.5)
    assert (np.asarray(mapping.weight) == case.state["style.1.weight"]).all()


def _place(name):
    """Order of execution of the file's names: convolutions of a block, then its colours."""
    part, _, number = name.partition(".")
    if part == "conv1":
        return (0, 0)
    if part == "to_rgb1":
        return (0, 9)
    number = int(number.split(".")[0])
    return (1 + number // 2, number % 2) if part == "convs" else (1 + number, 9)


def test_directions_of_the_variant_of_that_repository():
    """Its selection: every convolution, and of the colours only the first."""
    layers = style_layers(load_network(ZIP))
    order = [layer for layer in layers if layer.kind == "conv" or layer.name == "synthesis.b4.torgb.affine"]
    assert len(order) == 8
    found = factorize([layer.weight for layer in order], normalize=False)
    want = np.load(GOLDEN / "sefa-rosinality-32.npz")
    assert np.sqrt(found.eigenvalues) == pytest.approx(want["all/singular_values_f64"], rel=1e-6)
    assert abs(found.vectors - want["all/directions_f64"]).max() < 1e-5


def test_a_training_checkpoint_estimates_the_average(case, remade):
    """g, d, optimisers and an argparse.Namespace stand beside; there is no latent_avg."""
    other = {key: value if "kernel" in key else value + 1 for key, value in _torch(case).items()}
    wrap = {"g": other, "d": {"convs.0.0.weight": torch.zeros(3)}, "g_optim": {"lr": 0.1, "state": {0: torch.ones(1)}}}
    path = remade(average=False, wrap=wrap)
    opened = open_network(path)
    (remark,) = opened.warnings
    assert "latent_avg" in remark and "4096" in remark
    assert opened.record.entries == ("G_ema", "G", "D")
    G = load_network(path)
    pictures_agree(case, G)
    z = torch.from_numpy(np.random.RandomState(0).randn(4096, 32))
    wanted = G.mapping(z, None)[:, 0].mean(dim=0)
    assert wanted.norm() > 0.5
    assert abs(G.mapping.w_avg - wanted).max() < 1e-5
    assert (load_network(path).mapping.w_avg == G.mapping.w_avg).all()
    assert (load_network(path, which="G").synthesis.b4.const == G.synthesis.b4.const + 1).all()


def _torch(case):
    return {key: torch.from_numpy(np.array(value)) for key, value in case.state.items()}


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "_orig_mod.module.", "module._orig_mod."])
def test_a_wrapper_of_the_network_is_taken_off(case, remade, prefix):
    pictures_agree(case, load_network(remade(prefix=prefix)))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_precisions(case, remade, dtype):
    def change(state):
        state.update({key: value.to(dtype) for key, value in state.items()})

    G = load_network(remade(change))
    assert G.synthesis.b8.conv0.weight.dtype == torch.float32
    pictures_agree(case, G, 2e-6 if dtype == torch.float64 else 0.1)


def test_converted_files_give_the_same(case, tmp_path):
    path = tmp_path / "net.safetensors"
    opened = open_network(ZIP)
    write_converted(opened.record, path)
    G = load_network(path)
    assert G.sefa.digest == opened.record.digest()
    pictures_agree(case, G)


def test_tensors_must_be_exactly_those_of_the_network(remade):
    def wrong(key, value):
        return lambda state: state.update({key: value})

    for change, says in (
        (lambda s: s.pop("convs.1.activate.bias"), "lacks tensor convs.1.activate.bias"),
        (lambda s: s.pop("convs.2.noise.weight"), "lacks tensor convs.2.noise.weight"),
        (lambda s: s.pop("style.4.weight"), "has extra tensor style.4.bias"),
        (lambda s: s.pop("convs.2.conv.weight"), "lacks tensor convs.2.conv.weight"),
        (lambda s: s.pop("to_rgbs.1.bias"), "lacks tensor to_rgbs.1.bias"),
        (wrong("attention.query.weight", torch.zeros(2)), "has extra tensor attention.query.weight"),
        (wrong("noises.noise_6", torch.zeros(1, 1, 32, 16)), "mis-shaped tensor noises.noise_6 (1, 1, 32, 16)"),
        (wrong("convs.0.conv.weight", torch.zeros(24, 24, 3, 3)), "mis-shaped tensor convs.0.conv.weight"),
        (wrong("convs.1.conv.weight", torch.zeros(1, 24, 24, 5, 5)), "mis-shaped tensor convs.1.conv.weight"),
        (wrong("convs.3.noise.weight", torch.full((1,), torch.nan)), "noise_strength holds NaN"),
        (wrong("to_rgbs.0.upsample.kernel", torch.ones(4, 4) / 4), "to_rgbs.0.upsample.kernel is not the filter"),
        (wrong("convs.2.conv.blur.kernel", torch.full((4, 4), torch.nan)), "convs.2.conv.blur.kernel is not the"),
    ):
        assert says in refusal(remade(change))
    filters = {f"{part}.{i}.{tail}" for i in range(3) for part, tail in [("to_rgbs", "upsample.kernel")]}

    def quarter(state):  # without the gain, pictures of the skip path would be four times too dark
        state.update({key: state[key] / 4 for key in filters})

    assert "is not the filter" in refusal(remade(quarter))


def test_an_average_of_another_width_is_refused(remade):
    assert "mis-shaped tensor latent_avg" in refusal(remade(wrap={"latent_avg": torch.zeros(31)}))


def test_small_and_odd_networks(case, remade):
    """4 pixels, and widths that fit no formula."""

    def cut(state):
        for key in list(state):
            if key.startswith(("convs.", "to_rgbs.", "noises.")) and key != "noises.noise_0":
                del state[key]

    opened = open_network(remade(cut))
    assert (opened.sizes["resolution"], opened.sizes["num_ws"]) == (4, 2)
    assert load_network(remade(cut)).synthesis(torch.zeros(1, 2, 32)).shape == (1, 3, 4, 4)
    G = load_network(ZIP)
    assert [getattr(G.synthesis, f"b{res}").conv1.weight.shape[0] for res in (4, 8, 16, 32)] == [24, 24, 20, 16]


def test_arguments_of_the_training_are_inert(remade):
    """An argparse.Namespace beside the network is read as a record, whatever it says."""
    assert open_network(remade(wrap={"args": argparse.Namespace(size=32, ckpt=None)})).hook.name == "rosinality"
