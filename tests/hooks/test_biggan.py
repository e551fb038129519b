"""BigGAN in both public layouts, against numbers that their own code has made.

``golden/biggan*.npz`` were made by BigGAN-PyTorch and by pytorch-pretrained-BigGAN, with the weights of
``support/made_weights.py``: names and shapes of the tensors (``shapes``), latents, classes and pictures, and what every
conditional layer gives (``style/NAME``).
"""

import json

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from made_weights import made_weights
from places import GOLDEN

from sefa_plugin import edit, factorize, load_network, style_layers
from sefa_plugin.commands.cli import sefa
from sefa_plugin.hook import HookError
from sefa_plugin.networks.opening import open_network
from sefa_plugin.rendering.latents import drawn_z

FIRST = ["biggan-32", "biggan-flat-32"]
DEEP = "biggan-deep-16"


def golden(name):
    with np.load(GOLDEN / f"{name}.npz") as file:
        return {key: file[key] for key in file.files}


@pytest.fixture
def remade(tmp_path):
    def make(name, change=None, config=True):
        held = golden(name)
        state = {key: torch.from_numpy(np.array(v)) for key, v in made_weights(json.loads(str(held["shapes"]))).items()}
        if change:
            change(state)
        path = tmp_path / ("pytorch_model.bin" if name == DEEP else "G_ema.pth")
        torch.save(state, path)
        if name == DEEP and config:
            (tmp_path / "config.json").write_text(str(held["config"]))
        return path, held

    return make


def their_name(ours):
    if ours == "synthesis.first":
        return "style/linear"
    _, block, norm, affine = ours.split(".")
    number = {"b8": 0, "b16": 1, "b32": 2}[block]
    return f"style/blocks.{number}.0.bn{int(norm[-1]) + 1}.{'gain' if affine == 'scale' else 'bias'}"


def name_in_deep(ours, attends):
    if ours == "synthesis.first":
        return "style/generator.gen_z"
    _, block, norm, affine = ours.split(".")
    number = int(block[len("block") :])
    affine = "scale" if affine == "scale" else "offset"
    return f"style/generator.layers.{number + (number >= attends)}.bn_{norm[-1]}.{affine}"


@pytest.mark.parametrize("name", FIRST)
def test_pictures(remade, name):
    path, held = remade(name)
    G = load_network(path)
    ws = G.mapping(torch.from_numpy(held["z"]), torch.eye(G.c_dim)[held["y"]])
    assert np.abs(G.synthesis(ws).numpy() - held["img"]).max() < 1e-5
    half = G.mapping(torch.from_numpy(held["z"]), torch.eye(G.c_dim)[held["y"]], truncation_psi=0.5)
    assert torch.allclose(half[:, :, : G.z_dim], ws[:, :, : G.z_dim] * 0.5)
    assert torch.allclose(half[:, :, G.z_dim :], ws[:, :, G.z_dim :])


@pytest.mark.parametrize("name", FIRST)
def test_every_layer_that_z_enters(remade, name):
    """A layer gives its matrix times z, and what the class adds."""
    path, held = remade(name)
    opened, G = open_network(path), load_network(path)
    assert opened.hook.name == "biggan" and "averages of batch normalisation as stored" in opened.warnings[0]
    layers = style_layers(G)
    rows = [0] if name == "biggan-flat-32" else [0, *(row for row in (1, 2, 3) for _ in range(4))]
    assert [layer.ws_index for layer in layers] == rows
    shared = made_weights(json.loads(str(held["shapes"])))["shared.weight"][held["y"]]
    for layer in layers:
        module = G.get_submodule(layer.name)
        of_class = shared @ module.weight.numpy()[:, :5].T if layer.ws_index else module.bias.numpy()
        found = held["z"] @ np.asarray(layer.weight)[:, : G.z_dim].T + of_class
        assert np.abs(found - held[their_name(layer.name)]).max() < 1e-5, layer.name
    if name == "biggan-32":
        assert factorize(G).vectors.shape == (12, 17) and factorize(G, layers="2").vectors.shape == (3, 17)
        ws = G.mapping(torch.from_numpy(held["z"]), torch.eye(3)[held["y"]])
        moved = edit(ws, factorize(G, layers="2"), {0: 2.0})
        assert torch.equal(moved[:, [0, 1, 3]], ws[:, [0, 1, 3]])
        assert not torch.allclose(G.synthesis(moved), G.synthesis(ws), atol=1e-2)


@pytest.mark.parametrize("psi", [0.4, 0.37, 1.0])
def test_deep_pictures_of_seeds(remade, psi):
    """Seeds, truncation and its statistics, as their functions have them."""
    path, held = remade(DEEP)
    opened, G = open_network(path), load_network(path)
    assert (opened.hook.name, opened.warnings) == ("biggan_deep", ())
    assert opened.sizes == {"z_dim": 6, "c_dim": 3, "w_dim": 14, "num_ws": 5, "resolution": 16, "channels": 3}
    z = drawn_z(G, [3, 4])
    assert np.abs(z.numpy() * psi - held[f"z/{psi}"]).max() < 1e-6
    ws = G.mapping(z, torch.eye(3)[held["y"]], truncation_psi=psi)
    assert np.abs(G.synthesis(ws).numpy() - held[f"img/{psi}"]).max() < 1e-5
    if psi == 1.0:
        layers = style_layers(G)
        assert [layer.ws_index for layer in layers] == [0, *(row for row in (1, 2, 3, 4) for _ in range(8))]
        for layer in layers:
            module = G.get_submodule(layer.name)
            rest = G.mapping.embed(torch.eye(3)[held["y"]]) @ module.weight[:, 6:].T
            rest = rest if module.bias is None else rest + module.bias
            found = held[f"z/{psi}"] @ np.asarray(layer.weight)[:, :6].T + rest.numpy()
            assert np.abs(found - held[name_in_deep(layer.name, 1)]).max() < 1e-5, layer.name
        for outside in (0.0, 1.5):
            with pytest.raises(ValueError, match="has statistics for those above 0, up to 1"):
                G.mapping(z, torch.eye(3)[:2], truncation_psi=outside)


def test_deep_without_its_configuration(remade, tmp_path):
    path, held = remade(DEEP, config=False)
    opened = open_network(path)
    assert "every second block doubles the size; put its config.json beside it" in opened.warnings[0]
    assert opened.sizes["resolution"] == 16
    (tmp_path / "config.json").write_text('{"layers": [[true, 16, 8]]}')
    with pytest.raises(HookError, match=r"the config\.json beside it is of another network"):
        open_network(path)
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(HookError, match=r"config\.json: cannot be read"):
        open_network(path)


def test_what_is_not_one_is_refused(remade):
    path, _ = remade("biggan-32", lambda state: state.pop("blocks.1.0.conv_sc.bias"))
    with pytest.raises(HookError, match=r"lacks tensor blocks\.1\.0\.conv_sc\.bias"):
        open_network(path)
    path, _ = remade("biggan-32", lambda state: state.update({"blocks.0.0.bn1.gain.weight": torch.zeros(16, 6)}))
    with pytest.raises(HookError, match=r"takes 6 numbers, expected 5 of the class, or with a chunk of z 8"):
        open_network(path)
    path, _ = remade(DEEP, lambda state: state.pop("generator.layers.2.conv_3.weight_orig"))
    with pytest.raises(HookError, match=r"lacks some of its generator\.layers"):
        open_network(path)


@pytest.mark.command
@pytest.mark.parametrize("name", ["biggan-32", DEEP])
def test_sheets_of_a_class(remade, tmp_path, name):
    path, _ = remade(name)
    words = ["sheet", "--network", str(path), "-K", "1", "--seeds", "0,1", "--layers", "1-2", "--trunc", "0.5"]
    result = CliRunner().invoke(sefa, [*words, "--class", "2", "--outdir", str(tmp_path / "out")])
    assert result.exit_code == 0, result.output
    assert (tmp_path / "out" / "sheets" / "1-2-dir00.jpg").is_file()
    result = CliRunner().invoke(sefa, [*words, "--outdir", str(tmp_path / "other")])
    assert "choose a class with --class 0-2" in result.output
