"""Networks of the TensorFlow toolkits against the numbers of their own functions."""

import copy

import numpy as np
import pytest
import torch
from conftest import GOLDEN

from sefa_plugin import factorize, load_network, style_layers
from sefa_plugin.hook import HookError
from sefa_plugin.network import open_network
from sefa_plugin.network_file import read_network, write_converted

STYLED = {
    "stylegan1-32": ("stylegan1", (0.7, 8)),
    "stylegan1-auto-128": ("stylegan1", (0.7, 8)),
    "stylegan2-tf-32": ("stylegan2_tf", (0.5, None)),
    "stylegan2-ada-tf-32": ("stylegan2_tf", (0.5, None)),
}
PGGAN = ["pggan-32", "pggan-fused-32"]
# Our name of a layer, by the last part of its variable's.
PLACES = {"Const": "conv0", "Conv": "conv1", "Conv0_up": "conv0", "Conv1": "conv1", "ToRGB": "torgb"}


def close(found, want, bound=1e-5):
    return abs(found.numpy() - want).max() < bound * max(1, abs(want).max())


@pytest.mark.parametrize("name", STYLED)
def test_latents_and_pictures(golden, name):
    case, (hook, (psi, cutoff)) = golden(name), STYLED[name]
    opened, G = open_network(case.pickle), load_network(case.pickle)
    assert opened.hook.name == hook and not opened.warnings
    z = torch.from_numpy(case["in/z"])
    c = torch.from_numpy(case["in/c"]) if "in/c" in case.arrays else None
    cut = case.info["truncation"]["cutoff"]
    for key, options in (
        ("ws", {}),
        ("ws_psi07", {"truncation_psi": 0.7}),
        ("ws_psi07_cut", {"truncation_psi": 0.7, "truncation_cutoff": cut}),
    ):
        assert close(G.mapping(z.double(), c, **options), case[f"out/{key}"]), key
    for key, given, mode in (
        ("img_const", "out/ws", "const"),
        ("img_none", "out/ws", "none"),
        ("img_edit", "in/ws_edit", "const"),
        ("img_mix", "in/ws_mix", "const"),
        ("img_psi07_cut", "out/ws_psi07_cut", "const"),
    ):
        if f"out/{key}" in case.arrays:
            assert close(G.synthesis(torch.from_numpy(case[given]), noise_mode=mode), case[f"out/{key}"]), key
    if "out/img_default_call" in case.arrays:
        picture = G(z, c, truncation_psi=psi, truncation_cutoff=cutoff, noise_mode="const")
        assert close(picture, case["out/img_default_call"])
    noisy = [G.synthesis(torch.from_numpy(case["out/ws"]), noise_mode="random") for _ in range(2)]
    assert not torch.equal(*noisy) and torch.isfinite(noisy[0]).all()
    with pytest.raises(ValueError, match="noise_mode"):
        G.synthesis(torch.from_numpy(case["out/ws"]), noise_mode="loud")


@pytest.mark.parametrize("name", STYLED)
def test_style_layers(golden, name):
    case = golden(name)
    layers, known = style_layers(load_network(case.pickle)), case.info["style_layers"]
    assert len(layers) == len(known)
    held = read_network(case.pickle).tensors
    for layer, facts in zip(layers, known):
        side, part = facts["weight_variable"].split("/")[:2]
        assert layer.name == f"synthesis.b{side.partition('x')[0]}.{PLACES[part]}.affine"
        assert (layer.ws_index, layer.kind) == (facts["ws_index"], "torgb" if facts["is_torgb"] else "conv")
        assert layer.detail == float(side.partition("x")[0])
        assert (layer.weight_gain, layer.style_gain) == pytest.approx((facts["weight_gain"], facts["style_gain"]))
        weight = np.asarray(held[f"synthesis/{facts['weight_variable']}"])
        np.testing.assert_array_equal(layer.weight, weight.T)


@pytest.mark.parametrize("name", PGGAN)
def test_pggan(golden, name):
    case = golden(name)
    opened, G = open_network(case.pickle), load_network(case.pickle)
    assert opened.hook.name == "pggan" and (G.num_ws, G.w_dim) == (1, G.z_dim)
    for key, given, lod in (
        ("img", "in/z", 0),
        ("img_edit", "in/z_edit", 0),
        ("img_lod1", "in/z", 1),
        ("img_lod0p4", "in/z", 0.4),
    ):
        if f"out/{key}" in case.arrays:
            G.synthesis.lod.fill_(lod)
            assert close(G(torch.from_numpy(case[given]).double()), case[f"out/{key}"]), key
    (layer,) = opened.layers
    assert layer.weight_gain == pytest.approx(case.info["sefa_weight"]["run_time_gain"])
    z = torch.from_numpy(case["in/z"])
    for call, message in (
        (lambda: G.mapping(z, truncation_psi=0.5), "truncation is not possible"),
        (lambda: G.mapping(z, torch.zeros(2, 3)), "takes no labels"),
        (lambda: G.mapping(z[:, 1:]), "z is"),
        (lambda: G.synthesis(torch.zeros(1, 2, G.z_dim)), "ws is"),
    ):
        with pytest.raises(ValueError, match=message):
            call()


@pytest.mark.parametrize("name, spaces", [("pggan-32", ("w", "z")), ("stylegan1-32", ("w",))])
def test_the_authors_own_directions(golden, name, spaces):
    want = np.load(GOLDEN / f"sefa-{name}.npz")
    G = load_network(golden(name).pickle)
    for space in spaces:
        found = factorize(G, space=space)
        np.testing.assert_allclose(found.vectors, want["all/directions_f64"], atol=1e-6)
        np.testing.assert_allclose(found.eigenvalues, want["all/eigenvalues_f64"], atol=1e-6)


@pytest.mark.parametrize("name", [*STYLED, *PGGAN])
def test_converted_and_copied_networks_are_the_same(golden, tmp_path, name):
    record = read_network(golden(name).pickle)
    write_converted(record, tmp_path / "net.safetensors")
    again = read_network(tmp_path / "net.safetensors")
    assert again.digest() == record.digest()
    G = load_network(golden(name).pickle)
    ws = torch.randn(1, G.num_ws, G.w_dim)
    pictures = [g.synthesis(ws, noise_mode="const") for g in (G, load_network(again.path), copy.deepcopy(G))]
    assert torch.equal(pictures[0], pictures[1]) and torch.equal(pictures[0], pictures[2])


@pytest.mark.parametrize("name", [*STYLED, *PGGAN])
@pytest.mark.parametrize("change", ["missing", "extra", "shape", "argument", "size"])
def test_a_modified_network_is_refused_by_name(golden, tmp_path, name, change):
    """Each is made of a converted file, whose record is the pickle's."""
    from dataclasses import replace

    record = read_network(golden(name).pickle)
    tensors = {key: np.asarray(value) for key, value in record.tensors.items()}
    modules = dict(record.modules)
    odd = next(key for key in reversed(tensors) if key.endswith("bias"))
    if change == "missing":
        del tensors[odd]
        wanted = "lacks"
    elif change == "extra":
        tensors["synthesis/extra"] = np.zeros(3, "f4")
        wanted = "has extra tensor synthesis/extra"
    elif change == "shape":
        tensors[odd] = np.concatenate([tensors[odd]] * 2)
        wanted = "mis-shaped|contradict|its variables say|expected"
    elif change == "argument":
        modules[""] = replace(modules[""], attributes={**modules[""].attributes, "new_trick": 1})
        wanted = "built with new_trick"
    else:
        modules[""] = replace(modules[""], attributes={**modules[""].attributes, "num_channels": 5})
        wanted = "says num_channels 5, its variables say 3"
    write_converted(replace(record, tensors=tensors, modules=modules), tmp_path / "net.safetensors")
    with pytest.raises(HookError, match=wanted):
        open_network(tmp_path / "net.safetensors")


def test_unsupported_settings_are_named(golden, tmp_path):
    from dataclasses import replace

    for name, key, value in (
        ("pggan-32", "use_pixelnorm", False),
        ("pggan-32", "label_size", 4),
        ("stylegan1-32", "use_instance_norm", False),
        ("stylegan1-32", "blur_filter", [1, 5, 1]),
        ("stylegan2-tf-32", "architecture", "odd"),
        ("stylegan2-ada-tf-32", "conv_clamp", "a lot"),
        ("stylegan2-ada-tf-32", "mapping_lrmul", -1),
    ):
        record = read_network(golden(name).pickle)
        root = replace(record.modules[""], attributes={**record.modules[""].attributes, key: value})
        record = replace(record, modules={**record.modules, "": root}, init_kwargs=root.attributes)
        write_converted(record, tmp_path / "net.safetensors")
        with pytest.raises(HookError, match=key):
            open_network(tmp_path / "net.safetensors")


def test_a_discriminator_is_called_one(golden):
    for name in ("pggan-32", "stylegan1-32", "stylegan2-ada-tf-32"):
        with pytest.raises(HookError, match="discriminator"):
            open_network(golden(name).pickle, which="D")
