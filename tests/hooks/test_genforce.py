"""genforce's state dicts against the numbers of their own classes (random weights, 16 pixels)."""

import numpy as np
import pytest
import torch
from places import GOLDEN

from sefa_plugin import load_network
from sefa_plugin.hook import HookError
from sefa_plugin.networks.opening import open_network

CASES = ["genforce-sg2-16", "genforce-ada-16"]


@pytest.fixture(scope="module")
def arrays():
    held = {}
    for name in CASES:
        with np.load(GOLDEN / f"{name}.npz") as file:
            held[name] = {key: file[key] for key in file.files}
    return held


@pytest.fixture
def remade(arrays, tmp_path):
    """A golden network as a file, with changes; ``training`` as checkpoints of a training have it."""

    def make(name, change=None, training=False):
        state = {k[6:]: torch.from_numpy(v.copy()) for k, v in arrays[name].items() if k.startswith("param/")}
        if change:
            change(state)
        value = {"generator": {"other": torch.zeros(1)}, "generator_smooth": state}
        if training:
            value = {"models": {**value, "generator_smooth": {"module." + k: v for k, v in state.items()}}, "iter": 3}
        path = tmp_path / "net.pth"
        torch.save(value, path)
        return path

    return make


def refusal(path):
    with pytest.raises(HookError) as caught:
        load_network(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("name", CASES)
def test_mapping_truncation_and_pictures(arrays, remade, name, training):
    held = arrays[name]
    G = load_network(remade(name, training=training))
    z = torch.from_numpy(held["in/z"])
    c = torch.from_numpy(held["in/c"]) if "in/c" in held else None
    assert abs(G.mapping(z, c).numpy() - held["out/ws"]).max() < 2e-6
    cut = {"truncation_psi": 0.7, "truncation_cutoff": 3}
    assert abs(G.mapping(z, c, **cut).numpy() - held["out/ws_psi07_cut"]).max() < 2e-6
    for key, ws in (("const", "out/ws"), ("mix", "in/ws_mix"), ("psi07_cut", "out/ws_psi07_cut")):
        wanted = held[f"out/img_{key}"]
        img = G.synthesis(torch.from_numpy(held[ws]), noise_mode="const").numpy()
        assert abs(img - wanted).max() < 2e-6 * max(1, abs(wanted).max()), key


@pytest.mark.parametrize("name", CASES)
def test_layers_and_styles(arrays, remade, name):
    opened = open_network(remade(name))
    G = load_network(remade(name))
    assert opened.hook.name == "genforce"
    assert opened.sizes == {
        "z_dim": 10, "c_dim": 5 if "ada" in name else 0, "w_dim": 12, "num_ws": 6, "resolution": 16, "channels": 3
    }  # fmt: skip
    (remark,) = opened.warnings
    assert "final_tanh" in remark
    assert [layer.ws_index for layer in opened.layers] == [0, 1, 1, 2, 3, 3, 4, 5]
    held = arrays[name]
    for layer in opened.layers:
        number = layer.ws_index // 2 if layer.kind == "conv" else (layer.ws_index - 1) // 2
        key = f"style{layer.ws_index:02d}" if layer.kind == "conv" else f"output_style{number}"
        style = G.get_submodule(layer.name)(torch.from_numpy(held["out/ws"])[:, layer.ws_index]).numpy()
        assert abs(style - held[f"out/styles/{key}"]).max() < 1e-5, layer.name
        theirs = f"layer{layer.ws_index}" if layer.kind == "conv" else f"output{number}"
        assert (np.asarray(layer.weight) == held[f"param/synthesis.{theirs}.style.weight"]).all()
    assert opened.mapping.weight_gain == pytest.approx(0.01 / opened.mapping.weight.shape[1] ** 0.5)


def test_without_inner_colours(arrays, remade):
    """The architecture "origin": colours only at the end, no up-sampling of pictures."""

    def change(state):
        for key in list(state):
            if key.startswith(("synthesis.output0.", "synthesis.output1.", "synthesis.upsample.")):
                del state[key]

    G = load_network(remade(CASES[0], change))
    assert [G.synthesis.b4.num_torgb, G.synthesis.b8.num_torgb, G.synthesis.b16.num_torgb] == [0, 0, 1]
    skip = load_network(remade(CASES[0]))
    ws = torch.from_numpy(arrays[CASES[0]]["out/ws"])
    images = []

    def keep(module, inputs, output):
        images.append(output)

    skip.synthesis.b16.torgb.register_forward_hook(keep)
    skip.synthesis(ws, noise_mode="const")
    assert abs(G.synthesis(ws, noise_mode="const") - images[0]).max() < 1e-5


def test_tensors_must_be_exactly_those_of_the_network(remade):
    def wrong(key, value):
        return lambda state: state.update({key: value})

    for change, says in (
        (lambda s: s.pop("synthesis.layer3.bias"), "lacks tensor synthesis.layer3.bias"),
        (lambda s: s.pop("synthesis.output1.weight"), "lacks tensor synthesis.output1.weight"),
        (wrong("synthesis.layer9.weight", torch.zeros(2)), "has extra tensor synthesis.layer9.weight"),
        (wrong("mapping.label_weight", torch.zeros(5, 10)), "has extra tensor mapping.label_weight"),
        (wrong("truncation.w_avg", torch.zeros(72)), "mis-shaped tensor truncation.w_avg (72,)"),
        (wrong("synthesis.layer2.noise", torch.zeros(1, 9, 1, 1)), "mis-shaped tensor synthesis.layer2.noise"),
        (wrong("synthesis.upsample.kernel", torch.ones(1, 1, 4, 4) / 4), "upsample.kernel is not the filter"),
        (wrong("synthesis.layer1.filter.kernel", torch.ones(1, 1, 4, 4) / 4), "filter.kernel is not the filter"),
    ):
        assert says in refusal(remade(CASES[0], change))
    assert "lacks tensor mapping.LabelEmbed.bias" in refusal(
        remade(CASES[1], lambda s: s.pop("mapping.LabelEmbed.bias"))
    )
