"""genforce's PGGAN and first StyleGAN: layers for SeFa, against the numbers of their own classes."""

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from places import GOLDEN

from sefa_plugin import Directions, load_network
from sefa_plugin.commands import cli
from sefa_plugin.directions.closed_form import factorize_weights
from sefa_plugin.hook import HookError
from sefa_plugin.networks.opening import open_network

STYLEGAN1 = "genforce-stylegan1-16"
PGGAN = ["genforce-pggan-16", "genforce-pggan-fused-16"]


def arrays(name):
    with np.load(GOLDEN / f"{name}.npz") as file:
        return {key: file[key] for key in file.files}


@pytest.fixture
def remade(tmp_path):
    def make(name, change=None):
        state = {k[6:]: torch.from_numpy(v.copy()) for k, v in arrays(name).items() if k.startswith("param/")}
        if change:
            change(state)
        path = tmp_path / "net.pth"
        torch.save({"generator_smooth": state}, path)
        return path

    return make


def refusal(path):
    with pytest.raises(HookError) as caught:
        open_network(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)
    return str(caught.value)


def test_styles_of_the_first_stylegan(remade):
    held, opened = arrays(STYLEGAN1), open_network(remade(STYLEGAN1))
    assert opened.hook.name == "genforce_stylegan1"
    assert opened.sizes == {"z_dim": 10, "c_dim": 0, "w_dim": 12, "num_ws": 6, "resolution": 16, "channels": 3}
    assert [layer.name for layer in opened.layers[:3]] == [
        "synthesis.b4.conv0.affine",
        "synthesis.b4.conv1.affine",
        "synthesis.b8.conv0.affine",
    ]
    assert [layer.detail for layer in opened.layers] == [4, 4, 8, 8, 16, 16]
    for row, layer in enumerate(opened.layers):
        style = held["out/ws"][:, row] @ (np.asarray(layer.weight) * layer.weight_gain).T
        style = style + held[f"param/synthesis.layer{row}.style.bias"]
        assert (layer.ws_index, layer.kind) == (row, "conv")
        assert abs(style - held[f"out/styles/style{row:02d}"]).max() < 1e-5
    z = held["in/z"] / np.sqrt((held["in/z"] ** 2).mean(axis=1, keepdims=True) + 1e-8)
    w = z
    for index in range(3):
        weight, bias = held[f"param/mapping.dense{index}.weight"], held[f"param/mapping.dense{index}.bias"]
        gain = opened.mapping.weight_gain if index == 0 else 2**0.5 * 0.01 / weight.shape[1] ** 0.5
        w = w @ (weight * gain).T + bias * 0.01
        w = np.where(w > 0, w, 0.2 * w)
    assert abs(w - held["out/ws"][:, 0]).max() < 1e-5


@pytest.mark.parametrize("name", PGGAN)
def test_the_first_layer_of_pggan(remade, name):
    held, opened = arrays(name), open_network(remade(name))
    assert opened.hook.name == "genforce_pggan"
    assert opened.sizes == {"z_dim": 10, "c_dim": 0, "w_dim": 10, "num_ws": 1, "resolution": 16, "channels": 3}
    (layer,) = opened.layers
    first = held["in/first"] @ (layer.weight * layer.weight_gain).T
    first = first.reshape(2, 9, 4, 4) + held["param/layer0.bias"][:, None, None]
    assert abs(first - held["out/first"]).max() < 1e-5
    assert (layer.name, layer.kind, layer.ws_index) == ("synthesis.b4.dense", "conv", 0)
    mapping = opened.mapping
    assert (mapping.kind, mapping.ws_index, mapping.weight_gain) == ("mapping", -1, layer.weight_gain)
    assert (mapping.weight == layer.weight).all()


def test_the_authors_own_results_for_pggan(remade):
    """Golden weights put into the file's form, a turned 4x4 kernel, give the golden directions."""
    dense = np.load(GOLDEN / "sefa-weights.npz")["pggan-32/0"]
    kernel = dense.reshape(-1, 4, 4, dense.shape[1]).transpose(0, 3, 1, 2)[:, :, ::-1, ::-1]

    def change(state):
        state["layer0.weight"] = torch.from_numpy(kernel.copy())
        width = kernel.shape[0]
        state["layer0.bias"] = torch.zeros(width)
        state["layer1.weight"], state["layer1.bias"] = torch.zeros(width, width, 3, 3), torch.zeros(width)
        state["layer2.weight"] = torch.zeros(9, width, 3, 3)
        state["output0.weight"] = torch.zeros(3, width, 1, 1)

    (layer,) = open_network(remade(PGGAN[0], change)).layers
    want = np.load(GOLDEN / "sefa-pggan-32.npz")
    assert abs(factorize_weights([layer.weight]).vectors - want["all/directions_f64"]).max() < 1e-11


def test_the_first_stylegan_is_rendered_as_by_its_own_class(remade):
    held, G = arrays(STYLEGAN1), load_network(remade(STYLEGAN1))
    tensors = {key: torch.from_numpy(value) for key, value in held.items()}
    with torch.no_grad():
        assert abs(G.mapping(tensors["in/z"]) - tensors["out/ws"]).max() < 1e-5
        cut = held["out/ws_psi07_cut"]
        rows = int((abs(cut - held["out/ws"]).max(axis=(0, 2)) > 1e-6).sum())
        ws = G.mapping(tensors["in/z"], truncation_psi=0.7, truncation_cutoff=rows)
        assert 0 < rows < G.num_ws and abs(ws - tensors["out/ws_psi07_cut"]).max() < 1e-5
        for given, lod, picture in (
            ("out/ws", 0, "out/img_const"),
            ("out/ws_psi07_cut", 0, "out/img_psi07_cut"),
            ("in/ws_mix", 0, "out/img_mix"),
            ("in/ws_mix", 0.6, "out/img_mix_lod0p6"),
        ):
            G.synthesis.lod.fill_(lod)
            difference = abs(G.synthesis(tensors[given], noise_mode="const") - tensors[picture]).max()
            assert difference < 1e-5 * max(1, float(tensors[picture].abs().max())), picture


@pytest.mark.parametrize("name", PGGAN)
def test_pggan_is_rendered_as_by_its_own_class(remade, name):
    held, G = arrays(name), load_network(remade(name))
    with torch.no_grad():
        picture = G(torch.from_numpy(held["in/z"])).numpy()
    assert abs(picture - held["out/img"]).max() < 1e-5 * max(1, abs(held["out/img"]).max())


@pytest.mark.parametrize("name", [STYLEGAN1, *PGGAN])
def test_they_are_factorised(remade, tmp_path, name):
    path = remade(name)
    result = CliRunner().invoke(cli.sefa, ["factorize", "--network", str(path), "--outdir", str(tmp_path / "out")])
    assert result.exit_code == 0, result.output
    found = Directions.load(tmp_path / "out" / "directions.safetensors")
    assert found.vectors.shape[1] == (12 if name == STYLEGAN1 else 10)


def test_another_blur_is_refused(remade):
    def other(state):
        state["synthesis.layer2.blur.kernel"] *= torch.tensor([1.0, 1.5, 1.0])

    assert "synthesis.layer2.blur.kernel is not the filter 1, 2, 1" in refusal(remade(STYLEGAN1, other))


def test_tensors_must_be_exactly_those_of_the_network(remade):
    def wrong(key, value):
        return lambda state: state.update({key: value})

    for name, change, says in (
        (
            STYLEGAN1,
            lambda s: s.pop("synthesis.layer3.apply_noise.weight"),
            "lacks tensor synthesis.layer3.apply_noise",
        ),
        (STYLEGAN1, wrong("mapping.label_weight", torch.zeros(5, 10)), "has extra tensor mapping.label_weight"),
        (STYLEGAN1, wrong("truncation.w_avg", torch.zeros(72)), "mis-shaped tensor truncation.w_avg (72,)"),
        (STYLEGAN1, wrong("synthesis.layer2.weight", torch.zeros(9, 9, 5, 5)), "mis-shaped tensor synthesis.layer2"),
        (PGGAN[0], lambda s: s.pop("output1.bias"), "lacks tensor output1.bias"),
        (PGGAN[0], wrong("layer9.weight", torch.zeros(2)), "has extra tensor layer9.weight"),
        (PGGAN[0], wrong("layer0.weight", torch.zeros(9, 10, 5, 5)), "mis-shaped tensor layer0.weight"),
        (PGGAN[1], wrong("layer4.weight", torch.zeros(7, 9, 3, 3)), "mis-shaped tensor layer4.weight"),
    ):
        assert says in refusal(remade(name, change)), says
