"""Weights saved by ``torch.save(G.state_dict())``, and whole networks by ``torch.save(G)``."""

import dataclasses
import re

import numpy as np
import pytest
import torch
from pickle_writer import dumps, network, persistent
from torch_writer import TorchWriter

from sefa_plugin import load_network
from sefa_plugin.generators import stylegan2
from sefa_plugin.hook import HookError
from sefa_plugin.networks.opening import open_network

STYLEGAN2 = ["sg2ada-skip-64", "sg2ada-cond-32", "sg2ada-resnet-32", "sg2ada-orig-32", "sg2-in-sg3-32"]
STYLEGAN3 = ["sg3t-64", "sg3r-64", "sg3-cond-32", "sg3r-transform-32"]
CLAMPED = {"sg2ada-cond-32", "sg2ada-resnet-32", "sg3-cond-32"}  # by less than the 256 that is assumed


@pytest.fixture
def remade(golden, tmp_path):
    def make(name, change=None, wrap=None):
        state = {key: torch.from_numpy(np.array(value)) for key, value in golden(name).state.items()}
        if change:
            change(state)
        path = tmp_path / "net.pt"
        torch.save(wrap(state) if wrap else state, path)
        return path

    return make


def refusal(path):
    with pytest.raises(HookError) as caught:
        load_network(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)
    return str(caught.value)


def whole(case, tmp_path):
    """The case as a network of its toolkit, with its constructor arguments."""
    path = tmp_path / "whole.pkl"
    none = case.info["pickle"]["buffers_registered_as_None"]
    path.write_bytes(dumps({"G_ema": network(case.state, case.info["init_kwargs"], none=none)}))
    return path


@pytest.mark.command
@pytest.mark.parametrize("name", STYLEGAN2 + STYLEGAN3)
def test_everything_that_tensors_show_is_told(golden, remade, tmp_path, name):
    """Layers, sizes and every attribute of the built modules are those of the network stored whole."""
    found, wanted = open_network(remade(name)), open_network(whole(golden(name), tmp_path))
    assert found.hook.name == ("stylegan2_state" if name in STYLEGAN2 else "stylegan3_state")
    assert found.sizes == wanted.sizes
    for one, other in zip([*found.layers, found.mapping], [*wanted.layers, wanted.mapping]):
        assert dataclasses.replace(one, weight=None).__dict__ == dataclasses.replace(other, weight=None).__dict__
        assert (np.asarray(one.weight) == np.asarray(other.weight)).all()
    assert len(found.layers) == len(wanted.layers)
    G, whole_G = load_network(remade(name)), load_network(whole(golden(name), tmp_path))
    unseen = {"conv_clamp", "num_fp16_res", "use_fp16", "w_avg_beta", "magnitude_ema_beta"}
    for inside, module in whole_G.named_modules():
        theirs = G.get_submodule(inside).__dict__
        for key, value in module.__dict__.items():
            if key not in unseen and not key.startswith("_") and isinstance(value, (bool, int, float, str, list)):
                assert theirs[key] == pytest.approx(value) if isinstance(value, float) else theirs[key] == value
    (remark,) = found.warnings
    assert "conv_clamp 256" in remark


@pytest.mark.parametrize("name", [name for name in STYLEGAN2 + STYLEGAN3 if name not in CLAMPED])
def test_pictures(golden, remade, name):
    case, G = golden(name), load_network(remade(name))
    z = torch.from_numpy(case["in/z"])
    assert abs(G.mapping(z, None, truncation_psi=0.7).numpy() - case["out/ws_psi07"]).max() < 1e-5
    for key, ws in (("out/img_const", "out/ws"), ("out/img_mix", "in/ws_mix")):
        img = G.synthesis(torch.from_numpy(case[ws]), noise_mode="const").numpy()
        assert abs(img - case[key]).max() < 1e-5 * max(1, abs(case[key]).max()), key


def test_labels(golden, remade):
    for name in ("sg2ada-cond-32", "sg3-cond-32"):
        case, G = golden(name), load_network(remade(name))
        ws = G.mapping(torch.from_numpy(case["in/z"]), torch.from_numpy(case["in/c"]))
        assert abs(ws.numpy() - case["out/ws"]).max() < 1e-5


def test_a_mapping_network_of_odd_widths(tmp_path):
    widths = {"embed_features": 6, "layer_features": 12, "num_layers": 3}
    made = stylegan2.Generator(
        8, 3, 10, 8, 3, mapping_kwargs=widths, synthesis_kwargs={"channel_base": 64, "conv_clamp": 256}
    )
    torch.save(made.state_dict(), tmp_path / "net.pt")
    G = load_network(tmp_path / "net.pt")
    assert (G.z_dim, G.c_dim, G.w_dim) == (8, 3, 10)
    z, c = torch.randn(2, 8), torch.eye(3)[:2]
    assert (G(z, c, noise_mode="const") == made.eval().requires_grad_(False)(z, c, noise_mode="const")).all()


def test_by_the_names_of_nvidias_files(remade):
    path = remade("sg2ada-orig-32", wrap=lambda state: {"G_ema": state, "G": state, "D": {"b4.fc.weight": state}})
    assert open_network(path).record.entries == ("G_ema", "G", "D")
    assert load_network(path).sefa.hook == "stylegan2_state"


def test_no_average_and_no_noise(remade):
    def change(state):
        for key in [key for key in state if key.endswith(("w_avg", "noise_const", "noise_strength"))]:
            del state[key]

    G = load_network(remade("sg2ada-skip-64", change))
    assert not G.synthesis.b8.conv0.use_noise
    z = torch.from_numpy(np.random.RandomState(0).randn(4096, G.z_dim))
    assert abs(G.mapping.w_avg - G.mapping(z, None)[:, 0].mean(dim=0)).max() < 1e-5


def test_half_precision(golden, remade):
    for name in ("sg2ada-orig-32", "sg3r-64"):
        for dtype in (torch.float16, torch.bfloat16):

            def halve(state, dtype=dtype):
                state.update({key: value.to(dtype) for key, value in state.items()})

            G = load_network(remade(name, halve))
            img = G.synthesis(torch.from_numpy(golden(name)["out/ws"]), noise_mode="const").numpy()
            wanted = golden(name)["out/img_const"]
            assert abs(img - wanted).max() < 0.1 * abs(wanted).max()


def test_tensors_must_be_exactly_those_of_the_network(remade):
    def wrong(key, value):
        return lambda state: state.update({key: value})

    for name, change, says in (
        ("sg2ada-orig-32", lambda s: s.pop("synthesis.b8.conv0.bias"), "lacks tensor synthesis.b8.conv0.bias"),
        ("sg2ada-orig-32", lambda s: s.pop("mapping.fc3.weight"), "has extra tensor mapping.fc3.bias"),
        ("sg2ada-orig-32", lambda s: s.pop("synthesis.b16.noise", s.pop("synthesis.b16.conv1.weight")), "torgb.weight"),
        ("sg2ada-orig-32", wrong("synthesis.b8.extra", torch.zeros(2)), "has extra tensor synthesis.b8.extra"),
        (
            "sg2ada-orig-32",
            wrong("synthesis.b4.const", torch.zeros(24, 4, 2)),
            "mis-shaped tensor synthesis.b4.conv1.noise",
        ),
        ("sg3t-64", lambda s: s.pop("synthesis.input.phases"), "lacks tensor synthesis.input.phases"),
        ("sg3t-64", wrong("synthesis.input.extra", torch.zeros(2)), "has extra tensor synthesis.input.extra"),
        ("sg3t-64", wrong("synthesis.input.freqs", torch.zeros(3, 2)), "mis-shaped tensor synthesis.input.freqs"),
        ("sg3t-64", lambda s: s.pop(_layer(s, 3)), "lacks some of its layers"),
        ("sg3t-64", wrong("synthesis.L15_64_3.weight", torch.zeros(2)), "are not laid out as"),
    ):
        assert says in refusal(remade(name, change))


def _layer(state, number):
    wanted = re.compile(rf"synthesis\.L{number}_\d+_\d+\.weight")
    return next(key for key in state if wanted.fullmatch(key))


def test_filters_show_how_a_stylegan3_was_designed(remade):
    """Cutoffs and rates show in nothing else, so other filters mean another network."""
    for name, number, part in (("sg3t-64", 0, "up_filter"), ("sg3r-64", 2, "down_filter")):

        def change(state, number=number, part=part):
            key = next(key for key in state if key.startswith(f"synthesis.L{number}_") and key.endswith(part))
            state[key] = torch.roll(state[key], 1, dims=0)

        assert f"{part} is not the filter that belongs to this layer" in refusal(remade(name, change))


def test_others_are_left_alone(remade):
    """StyleGAN-XL adds to these tensors; a discriminator has none of them."""
    xl = {"mapping.embed_proj.weight": torch.zeros(2, 2)}
    assert "no hook fits" in refusal(remade("sg3t-64", lambda state: state.update(xl)))
    assert "no hook fits" in refusal(remade("sg2ada-orig-32", wrap=lambda s: {"b32.fromrgb.weight": torch.zeros(2)}))


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("name", ["sg2ada-skip-64", "sg3r-64"])
def test_a_whole_network_saved_by_torch(golden, tmp_path, name, legacy):
    """What PTI leaves behind: the tuned generator itself, ``torch.save(G, "model_x.pt")``."""
    case, writer, path = golden(name), TorchWriter(legacy), tmp_path / "model_x.pt"
    tensors = {key: writer.tensor(value) for key, value in case.state.items()}
    none = case.info["pickle"]["buffers_registered_as_None"]
    path.write_bytes(writer.dumps(network(tensors, case.info["init_kwargs"], none=none)))
    opened = open_network(path)
    assert (opened.record.format, opened.record.family, opened.warnings) == ("torch", "module", ())
    img = load_network(path).synthesis(torch.from_numpy(case["out/ws"]), noise_mode="const").numpy()
    assert abs(img - case["out/img_const"]).max() < 1e-5 * max(1, abs(case["out/img_const"]).max())
    writer.storages.pop()
    path.write_bytes(writer.dumps(persistent("Generator", {"_parameters": tensors})))
    with pytest.raises(Exception, match="storage"):
        open_network(path)
