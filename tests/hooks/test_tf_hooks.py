"""PGGAN, StyleGAN and StyleGAN2 of the TensorFlow toolkits, against the numbers of their own functions."""

import copy
import json
import math

import numpy as np
import pytest
import torch
from pickle_writer import dumps, loads, numpy_array, numpy_scalar, tensorflow_network
from places import GOLDEN

from sefa_plugin import factorize, load_network
from sefa_plugin.hook import HookError
from sefa_plugin.hooks import known_sources
from sefa_plugin.networks.opening import open_network
from sefa_plugin.reading.module_walk import source_digest
from sefa_plugin.reading.network_file import read_network, write_converted

PGGAN = ["pggan-32", "pggan-fused-32"]
STYLEGAN1 = ["stylegan1-32", "stylegan1-auto-128"]
STYLEGAN2 = ["stylegan2-tf-32", "stylegan2-ada-tf-32"]
WITH_W = STYLEGAN1 + STYLEGAN2
HOOKS = {
    **dict.fromkeys(PGGAN, "pggan"),
    **dict.fromkeys(STYLEGAN1, "stylegan1"),
    **dict.fromkeys(STYLEGAN2, "stylegan2_tf"),
}


@pytest.fixture(scope="module")
def generator():
    """Give the generators of golden cases, each built once; they must not be changed."""
    held = {}

    def get(name):
        if name not in held:
            held[name] = load_network(GOLDEN / f"{name}.pkl")
        return held[name]

    return get


def tensor(case, key):
    return torch.from_numpy(case[key]) if key in case.arrays else None


def near(image, wanted, tolerance=1e-5):
    return abs(image.numpy() - wanted).max() <= tolerance * max(1, abs(wanted).max())


class Network:
    """A golden file's ``Gs``, its parts changed at will."""

    def __init__(self, name):
        self.file = loads((GOLDEN / f"{name}.pkl").read_bytes())
        self.gs = self.file[2].state

    def part(self, name):
        """Component and variable of a name like ``synthesis/noise0``."""
        component, _, rest = name.partition("/")
        held = self.gs.get("components") or {}
        return (held[component].state, rest) if component in held else (self.gs, name)

    def set(self, name, value):
        """Change a variable or add one; None removes it."""
        state, key = self.part(name)
        rest = [pair for pair in state["variables"] if pair[0] != key]
        if value is not None:
            rest.append((key, numpy_array(value) if np.ndim(value) else numpy_scalar(value)))
        state["variables"] = rest

    def kwargs(self, **given):
        for state in (self.gs, *(item.state for item in (self.gs.get("components") or {}).values())):
            state["static_kwargs"] = {**state["static_kwargs"], **given}

    def write(self, path):
        path.write_bytes(dumps(self.file))
        return path


@pytest.fixture
def remade(tmp_path):
    """Write a golden file anew with changes: variables by name (None: removed), and arguments."""

    def make(name, variables=None, **kwargs):
        network = Network(name)
        for key, value in (variables or {}).items():
            network.set(key, value)
        network.kwargs(**kwargs)
        return network.write(tmp_path / "net.pkl")

    return make


def refusal(path, **options):
    with pytest.raises(HookError) as caught:
        load_network(path, **options)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)
    return str(caught.value)


# --- the official numbers ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", WITH_W)
def test_mapping(generator, golden, name):
    G, case = generator(name), golden(name)
    z, c = tensor(case, "in/z"), tensor(case, "in/c")
    cutoff = case.info["truncation"]["cutoff"]
    for key, options in (
        ("out/ws", {}),
        ("out/ws_psi07", {"truncation_psi": 0.7}),
        ("out/ws_psi07_cut", {"truncation_psi": 0.7, "truncation_cutoff": cutoff}),
    ):
        assert abs(G.mapping(z, c, **options).numpy() - case[key]).max() < 1e-5, key


@pytest.mark.parametrize("name", WITH_W)
def test_synthesis(generator, golden, name):
    G, case = generator(name), golden(name)
    compared = 0
    for ws, noise, key in (
        ("out/ws", "const", "out/img_const"),
        ("out/ws", "none", "out/img_none"),
        ("in/ws_edit", "const", "out/img_edit"),
        ("in/ws_mix", "const", "out/img_mix"),
        ("out/ws_psi07_cut", "const", "out/img_psi07_cut"),
    ):
        if key in case.arrays:
            assert near(G.synthesis(tensor(case, ws), noise_mode=noise), case[key]), key
            compared += 1
    assert compared == (3 if name == "stylegan1-auto-128" else 5)


@pytest.mark.parametrize("name, psi, cutoff", [("stylegan1-32", 0.7, 8), *((name, 0.5, None) for name in STYLEGAN2)])
def test_a_call_with_the_toolkits_own_truncation(generator, golden, name, psi, cutoff):
    case = golden(name)
    options = {"truncation_psi": psi, "truncation_cutoff": cutoff, "noise_mode": "const"}
    assert near(generator(name)(tensor(case, "in/z"), tensor(case, "in/c"), **options), case["out/img_default_call"])


@pytest.mark.parametrize("name", PGGAN)
def test_pggan(generator, golden, name):
    G, case = generator(name), golden(name)
    assert near(G(tensor(case, "in/z")), case["out/img"])
    assert near(G(tensor(case, "in/z_edit")), case["out/img_edit"])
    ws = G.mapping(tensor(case, "in/z"))
    assert ws.shape == (2, 1, G.z_dim)
    assert near(G.synthesis(ws, noise_mode="const"), case["out/img"])
    # What was edited has another length, and is normalised again.
    assert near(G.synthesis(tensor(case, "in/z_edit")[:, None]), case["out/img_edit"])


@pytest.mark.parametrize("lod, key", [(1, "out/img_lod1"), (0.4, "out/img_lod0p4")])
def test_pggan_that_has_yet_to_grow(remade, golden, lod, key):
    case = golden("pggan-32")
    assert near(load_network(remade("pggan-32", {"lod": lod}))(tensor(case, "in/z")), case[key])


@pytest.mark.parametrize("name", WITH_W)
def test_style_layers(golden, name):
    case, opened = golden(name), open_network(GOLDEN / f"{name}.pkl")
    info = case.info
    assert opened.hook.name == HOOKS[name]
    assert len(opened.layers) == len(info["style_layers"])
    record = opened.record
    for layer, wanted in zip(opened.layers, info["style_layers"]):
        place = wanted["weight_variable"].split("/")
        side = int(place[0].split("x")[0])
        assert (layer.ws_index, layer.channels) == (wanted["ws_index"], wanted["out_features"])
        assert layer.kind == ("torgb" if wanted["is_torgb"] else "conv")
        assert (layer.size, layer.detail) == (side, side)
        first = {"Const": "conv0", "Conv": "conv1", "Conv0_up": "conv0", "Conv1": "conv1", "ToRGB": "torgb"}
        assert layer.name == f"synthesis.b{side}.{first[place[1]]}.affine"
        assert layer.weight_gain == pytest.approx(wanted["weight_gain"], rel=1e-6)
        assert layer.style_gain == pytest.approx(wanted["style_gain"], rel=1e-6)
        bias = record.tensors[f"synthesis/{wanted['bias_variable']}"].numpy() + wanted["bias_offset"]
        key = f"out/styles/{wanted['component']}/{wanted['weight_variable'].rpartition('/')[0]}"
        style = case["out/ws"][:, layer.ws_index] @ (layer.weight * layer.weight_gain).T + bias
        built = load_network(record.path).get_submodule(layer.name) if layer is opened.layers[1] else None
        if built is not None:
            assert abs(built(tensor(case, "out/ws")[:, layer.ws_index]).numpy() - style).max() < 1e-5
        assert key not in case.arrays or abs(style - case[key]).max() < 1e-5
    assert opened.sizes == {
        "z_dim": info["latent_size"],
        "c_dim": info["label_size"],
        "w_dim": info["dlatent_size"],
        "num_ws": info["num_layers"],
        "resolution": info["img_resolution"],
        "channels": info["img_channels"],
    }
    assert (opened.source, opened.warnings) == ("none", ())


@pytest.mark.parametrize("name", PGGAN)
def test_pggans_one_layer(golden, name):
    case, opened = golden(name), open_network(GOLDEN / f"{name}.pkl")
    (layer,), mapping = opened.layers, opened.mapping
    gain = case.info["sefa_weight"]["run_time_gain"]
    assert (layer.name, layer.kind, layer.ws_index, layer.size, layer.detail) == (
        "synthesis.b4.dense",
        "conv",
        0,
        4,
        None,
    )
    assert (mapping.name, mapping.kind, mapping.ws_index) == ("synthesis.b4.dense", "mapping", -1)
    for held in (layer, mapping):
        assert held.weight_gain == pytest.approx(gain, rel=1e-6)
        assert (opened.record.tensors["4x4/Dense/weight"].numpy() == held.weight.T).all()
    z_dim = case.info["latent_size"]
    assert opened.hook.name == "pggan"
    assert opened.sizes == {
        "z_dim": z_dim,
        "c_dim": 0,
        "w_dim": z_dim,
        "num_ws": 1,
        "resolution": 32,
        "channels": 3,
    }


@pytest.mark.parametrize("name", WITH_W)
def test_the_mapping_layer(generator, golden, name):
    """Its weight and gain, by the first layer's outputs for the latents of the case."""
    opened, G = open_network(GOLDEN / f"{name}.pkl"), generator(name)
    layer = opened.mapping
    assert (layer.name, layer.kind, layer.ws_index) == ("mapping.fc0", "mapping", -1)
    first = opened.record.tensors["mapping/Dense0/weight"].numpy()
    assert (first == layer.weight.T).all()
    # before the activation; StyleGAN has its gain before it, StyleGAN2 after it
    gain = (2**0.5 if name in STYLEGAN1 else 1) * 0.01 / first.shape[0] ** 0.5
    assert layer.weight_gain == pytest.approx(gain, rel=1e-6)
    assert (G.mapping.fc0.weight.numpy() == layer.weight).all()


@pytest.mark.parametrize("name, layers", [("pggan-32", "all"), *(("stylegan1-32", s) for s in ("all", "0-1", "2-5"))])
def test_the_authors_directions(generator, name, layers):
    wanted = np.load(GOLDEN / f"sefa-{name}.npz")
    directions = factorize(generator(name), layers=layers)
    assert abs(directions.vectors - wanted[f"{layers}/directions_f64"]).max() < 1e-6
    assert abs(directions.eigenvalues - wanted[f"{layers}/eigenvalues_f64"]).max() < 1e-5


def test_directions_of_z(generator):
    wanted = np.load(GOLDEN / "sefa-pggan-32.npz")
    directions = factorize(generator("pggan-32"), space="z")
    assert (directions.space, directions.layers) == ("z", (0,))
    assert abs(directions.vectors - wanted["all/directions_f64"]).max() < 1e-6
    for name in WITH_W:
        G = generator(name)
        found = factorize(G, space="z")
        matrix = open_network(GOLDEN / f"{name}.pkl").record.tensors["mapping/Dense0/weight"].numpy()[: G.z_dim]
        matrix = matrix.astype(np.float64)
        matrix = matrix / np.linalg.norm(matrix, axis=0)
        for vector, value in zip(found.vectors, found.eigenvalues):
            assert abs(matrix @ (matrix.T @ vector) - value * vector).max() < 1e-5 * max(1, value)


# Further settings at 16 pixels; numbers of the official functions, as above.
VARIANTS = json.loads((GOLDEN / "tf-variants.json").read_text())


@pytest.fixture(scope="module")
def variants():
    with np.load(GOLDEN / "tf-variants.npz") as file:
        return {key: file[key] for key in file.files}


def variant_file(name, held, path, change=None):
    """Write the network of a variant as its toolkit would."""
    facts = VARIANTS[name]
    parts, start = {part: {} for part in facts["build"]}, 0
    for key, shape in facts["variables"].items():
        part, _, rest = key.partition("/")
        part, rest = (part, rest) if part and part in parts else ("", key)
        size = math.prod(shape)
        parts[part][rest] = held[f"{name}/variables"][start : start + size].reshape(shape)
        start += size
    assert start == len(held[f"{name}/variables"])
    if change:
        change(parts)
    made = {
        part: tensorflow_network(facts["version"], facts["build"][part], facts["kwargs"][part], variables)
        for part, variables in parts.items()
        if part
    }
    root = tensorflow_network(facts["version"], facts["build"][""], facts["kwargs"][""], parts[""], made)
    path.write_bytes(dumps((root, root, root)))
    return path


@pytest.mark.parametrize("name", VARIANTS)
def test_other_settings(variants, tmp_path, name):
    G = load_network(variant_file(name, variants, tmp_path / "net.pkl"))
    z, c = (torch.from_numpy(variants[f"{name}/in/{k}"]) if f"{name}/in/{k}" in variants else None for k in "zc")
    if f"{name}/out/ws" in variants:
        assert abs(G.mapping(z, c).numpy() - variants[f"{name}/out/ws"]).max() < 1e-5
    assert near(G(z, c, noise_mode="const"), variants[f"{name}/out/img"])


def test_configs_b_to_d_that_are_still_growing(variants, tmp_path):
    def younger(parts):
        parts[""]["lod"] = np.float32(0.5)

    path = variant_file("stylegan2-revised", variants, tmp_path / "net.pkl", younger)
    assert "is still growing (lod 0.5), which is not supported" in refusal(path)


def test_configs_b_to_d_need_all_their_colours_or_the_last(variants, tmp_path):
    def ungrown(parts):
        for key in [key for key in parts["synthesis"] if key.startswith(("ToRGB_lod1", "ToRGB_lod2"))]:
            del parts["synthesis"][key]

    def broken(parts):
        del parts["synthesis"]["ToRGB_lod1/mod_bias"]

    name = "stylegan2-revised"
    G = load_network(variant_file(name, variants, tmp_path / "net.pkl", ungrown))
    assert near(G(torch.from_numpy(variants[f"{name}/in/z"]), noise_mode="const"), variants[f"{name}/out/img"])
    said = refusal(variant_file(name, variants, tmp_path / "net.pkl", broken))
    assert "lacks tensor synthesis/ToRGB_lod1/mod_bias" in said


# --- the common interface ----------------------------------------------------------------------------


def test_pggan_has_no_truncation_and_no_labels(generator):
    G = generator("pggan-32")
    z = torch.zeros(1, 28)
    with pytest.raises(ValueError, match="no W and keeps no average"):
        G.mapping(z, None, truncation_psi=0.7)
    with pytest.raises(ValueError, match="takes no labels"):
        G.mapping(z, torch.zeros(1, 3))
    with pytest.raises(ValueError, match=r"z is \[1, 27\], expected \[N, 28\]"):
        G.mapping(torch.zeros(1, 27))
    with pytest.raises(ValueError, match="ws is"):
        G.synthesis(torch.zeros(1, 2, 28))
    assert G.mapping(z, torch.zeros(1, 0)).shape == (1, 1, 28)


@pytest.mark.parametrize("name", ["stylegan1-32", *STYLEGAN2])
def test_random_noise(generator, golden, name):
    G, ws = generator(name), tensor(golden(name), "out/ws")
    torch.manual_seed(1)
    first, second = G.synthesis(ws), G.synthesis(ws, noise_mode="random")
    torch.manual_seed(1)
    assert (G.synthesis(ws, noise_mode="random") == first).all()
    assert abs(first - second).max() > 1e-3
    assert abs(first - G.synthesis(ws, noise_mode="const")).max() > 1e-3
    same = G.synthesis(ws[:1].repeat(2, 1, 1), noise_mode="random")
    assert abs(same[0] - same[1]).max() > 1e-3
    with pytest.raises(ValueError, match="noise_mode 'other'"):
        G.synthesis(ws, noise_mode="other")


@pytest.mark.parametrize("name", ["pggan-fused-32", "stylegan1-32", "stylegan2-tf-32"])
def test_a_copy_is_a_network_of_its_own(generator, golden, name):
    G, case = generator(name), golden(name)
    z = tensor(case, "in/z")
    other = copy.deepcopy(G)
    want = G(z, noise_mode="const")
    assert (other(z, noise_mode="const") == want).all()
    other.synthesis.b8.conv0.bias.add_(1)
    assert (other(z, noise_mode="const") != want).any()
    assert (G(z, noise_mode="const") == want).all()


@pytest.mark.parametrize("name", PGGAN + WITH_W)
def test_converted_files_give_the_same(generator, golden, tmp_path, name):
    G, case = generator(name), golden(name)
    path = tmp_path / "net.safetensors"
    write_converted(read_network(GOLDEN / f"{name}.pkl"), path)
    other = load_network(path)
    assert (other.sefa.hook, other.sefa.digest) == (HOOKS[name], G.sefa.digest)
    z, c = tensor(case, "in/z"), tensor(case, "in/c")
    assert (other(z, c, noise_mode="const") == G(z, c, noise_mode="const")).all()
    assert (factorize(other).vectors == factorize(G).vectors).all()


def test_g_is_another_network(golden):
    case = golden("stylegan2-tf-32")
    G = load_network(case.pickle, which="G")
    assert abs(G.mapping(tensor(case, "in/z")).numpy() - case["out/ws"]).max() > 1e-2


def test_labels_are_needed_where_a_network_has_them(generator, golden):
    z = tensor(golden("stylegan2-ada-tf-32"), "in/z")
    with pytest.raises(ValueError, match=r"needs labels c of \[N, 6\]"):
        generator("stylegan2-ada-tf-32").mapping(z)


# --- files that merely look alike --------------------------------------------------------------------


@pytest.mark.parametrize("name", PGGAN + WITH_W)
def test_a_discriminator_is_named(name):
    said = refusal(GOLDEN / f"{name}.pkl", which="D")
    assert "D is a discriminator" in said and "--which" in said


@pytest.mark.parametrize("name", PGGAN + WITH_W)
def test_arguments_that_no_toolkit_has(remade, name):
    said = refusal(remade(name, gain_of_everything=2))
    assert "built with gain_of_everything, which the known toolkits do not have" in said


@pytest.mark.parametrize(
    "name, argument, value",
    [
        ("pggan-32", "normalize_latents", False),
        ("pggan-32", "use_pixelnorm", False),
        ("pggan-32", "use_leakyrelu", False),
        ("pggan-32", "use_wscale", False),
        ("pggan-32", "pixelnorm_epsilon", 1e-4),
        ("stylegan1-32", "use_pixel_norm", True),
        ("stylegan1-32", "use_instance_norm", False),
        ("stylegan1-32", "use_wscale", False),
        ("stylegan1-32", "nonlinearity", "tanh"),
        ("stylegan1-32", "blur_filter", [1, 2, 3]),
        ("stylegan1-32", "fused_scale", "never"),
        ("stylegan2-tf-32", "resample_kernel", [1, 2, 1]),
        ("stylegan2-tf-32", "nonlinearity", "mish"),
        ("stylegan2-tf-32", "architecture", "other"),
        ("stylegan2-ada-tf-32", "resample_kernel", [1, 3, 3, 2]),
        ("stylegan2-ada-tf-32", "use_noise", 3),
    ],
)
def test_values_that_would_be_rendered_wrong(remade, name, argument, value):
    said = refusal(remade(name, **{argument: value}))
    assert f"was built with {argument} = {value!r}, which is not supported" in said


@pytest.mark.parametrize(
    "name, argument, value",
    [
        ("stylegan1-32", "mapping_lrmul", -1),
        ("stylegan1-32", "mapping_lrmul", True),
        ("stylegan2-tf-32", "mapping_lrmul", None),
        ("stylegan2-ada-tf-32", "conv_clamp", "256"),
    ],
)
def test_numbers_that_are_none(remade, name, argument, value):
    assert f"was built with {argument} = {value!r}" in refusal(remade(name, **{argument: value}))


def test_a_clamp_before_there_was_one(remade):
    assert "built with conv_clamp, which the known toolkits do not have" in refusal(
        remade("stylegan2-tf-32", conv_clamp=256)
    )


@pytest.mark.parametrize(
    "name, argument, says, value",
    [
        ("pggan-32", "resolution", 32, 64),
        ("pggan-32", "num_channels", 3, 1),
        ("pggan-32", "latent_size", 28, 512),
        ("stylegan1-32", "resolution", 32, 1024),
        ("stylegan1-32", "num_channels", 3, 1),
        ("stylegan1-32", "latent_size", 28, 512),
        ("stylegan1-32", "dlatent_size", 32, 512),
        ("stylegan1-32", "label_size", 0, 10),
        ("stylegan1-32", "mapping_layers", 8, 4),
        ("stylegan2-tf-32", "dlatent_broadcast", 8, 10),
        ("stylegan2-tf-32", "resolution", 32, 64),
        ("stylegan2-ada-tf-32", "label_size", 6, 0),
        ("stylegan2-ada-tf-32", "mapping_layers", 2, 8),
    ],
)
def test_sizes_that_the_variables_contradict(remade, name, argument, says, value):
    said = refusal(remade(name, **{argument: value}))
    assert f"says {argument} {value}, its variables say {says}" in said


def test_parts_that_contradict_each_other(tmp_path):
    network = Network("stylegan2-tf-32")
    network.kwargs(nonlinearity="relu")
    network.gs["components"]["synthesis"].state["static_kwargs"]["nonlinearity"] = "lrelu"
    assert "was given nonlinearity twice" in refusal(network.write(tmp_path / "net.pkl"))


SOME = np.zeros((3, 3, 2, 2), "f4")


@pytest.mark.parametrize(
    "name, variable, value, says",
    [
        ("pggan-32", "8x8/Conv0/bias", None, "lacks tensor 8x8/Conv0/bias"),
        ("pggan-32", "lod", None, "lacks tensor lod"),
        ("pggan-32", "8x8/Conv0/more", np.zeros(2), "has extra tensor 8x8/Conv0/more"),
        ("pggan-32", "16x16/Conv0/weight", SOME, "mis-shaped tensor 16x16/Conv0/weight (3, 3, 2, 2)"),
        ("pggan-32", "ToRGB_lod2/weight", np.zeros((1, 1, 2, 3)), "mis-shaped tensor ToRGB_lod2/weight"),
        ("pggan-fused-32", "16x16/Conv0_up/weight", SOME, "mis-shaped tensor 16x16/Conv0_up/weight"),
        ("pggan-fused-32", "16x16/Conv0_up/weight", None, "lacks tensor 16x16/Conv0_up/weight"),
        ("stylegan1-32", "dlatent_avg", None, "lacks tensor dlatent_avg"),
        ("stylegan1-32", "dlatent_avg", np.zeros(4), "mis-shaped tensor dlatent_avg (4,)"),
        ("stylegan1-32", "synthesis/noise3", None, "lacks tensor synthesis/noise3"),
        ("stylegan1-32", "synthesis/noise3", np.zeros((1, 3, 8, 8)), "mis-shaped tensor synthesis/noise3"),
        ("stylegan1-32", "mapping/Dense3/bias", np.zeros(2), "mis-shaped tensor mapping/Dense3/bias"),
        ("stylegan1-32", "synthesis/ToRGB_lod1/bias", None, "lacks tensor synthesis/ToRGB_lod1/bias"),
        ("stylegan1-32", "synthesis/8x8/Conv1/Extra/b", np.zeros(2), "extra tensor synthesis/8x8/Conv1/Extra/b"),
        ("stylegan1-32", "synthesis/4x4/Const/const", np.zeros((1, 2, 4, 4)), "mis-shaped tensor synthesis/4x4/Const"),
        ("stylegan2-tf-32", "synthesis/8x8/ToRGB/bias", None, "lacks tensor synthesis/8x8/ToRGB/bias"),
        ("stylegan2-tf-32", "synthesis/8x8/Skip/weight", np.zeros((1, 1, 2, 2)), "extra tensor synthesis/8x8/Skip"),
        ("stylegan2-tf-32", "synthesis/8x8/Conv1/weight", np.zeros((3, 3, 2, 24)), "mis-shaped tensor synthesis/8x8"),
        ("stylegan2-tf-32", "synthesis/4x4/Conv/noise_strength", np.zeros(24), "tensor synthesis/4x4/Conv/noise_stre"),
        ("stylegan2-ada-tf-32", "mapping/LabelEmbed/bias", None, "lacks tensor mapping/LabelEmbed/bias"),
        ("stylegan2-ada-tf-32", "synthesis/8x8/Conv1/weight", np.zeros((3, 3, 24)), "(3, 3, 24): 4 axes"),
        ("stylegan2-ada-tf-32", "synthesis/noise2", None, "lacks tensor synthesis/noise2"),
    ],
)
def test_variables_must_be_exactly_those_of_the_network(remade, name, variable, value, says):
    assert says in refusal(remade(name, {variable: value}))


@pytest.mark.parametrize("name", ["pggan-32", "stylegan1-32", "stylegan2-tf-32"])
@pytest.mark.parametrize("lod", [-0.1, 3.1, float("nan")])
def test_a_level_of_detail_that_cannot_be(remade, name, lod):
    assert "level of detail (lod) is missing or" in refusal(remade(name, {"lod": lod}))


def test_the_least_grown_network_is_of_4_pixels(remade, golden):
    for name in ("pggan-32", "stylegan1-32"):
        picture = load_network(remade(name, {"lod": 3}))(tensor(golden(name), "in/z"), noise_mode="const")
        blocks = picture.reshape(2, 3, 4, 8, 4, 8)
        assert (blocks == blocks[:, :, :, :1, :, :1]).all()


def test_pggan_with_labels(remade):
    assert "a PGGAN with labels (label_size 4)" in refusal(remade("pggan-32", label_size=4))


@pytest.mark.parametrize("name, says", [("pggan-32", True), ("pggan-fused-32", False)])
def test_pggans_way_of_enlarging_must_go_with_its_variables(remade, name, says):
    assert f"fused_scale {says} does not go with its variables" in refusal(remade(name, fused_scale=says))


def test_networks_with_nan(remade):
    said = refusal(remade("stylegan1-32", {"dlatent_avg": np.full(32, np.nan)}))
    assert "NaN or infinity" in said


def test_endless_blocks(remade):
    """Sizes are looked at before anything is made or counted on."""
    many = {f"{4 << i}x{4 << i}/Conv1/weight": np.zeros((3, 3, 1, 1)) for i in range(1, 20)}
    assert "has 20 blocks" in refusal(remade("pggan-32", many))


def test_the_source_text_of_a_file_is_judged(tmp_path, monkeypatch):
    network = Network("stylegan1-32")
    text = "def G_style(latents_in, labels_in, **kwargs): pass\n"
    for state in (network.gs, *(item.state for item in network.gs["components"].values())):
        state["build_module_src"] = text
    path = network.write(tmp_path / "net.pkl")
    digest = source_digest(text)
    opened = open_network(path)
    assert digest[:16] in opened.warnings[0] and opened.source.startswith("unknown")
    assert "refused because of --strict" in refusal(path, strict=True)
    monkeypatch.setitem(known_sources.KNOWN, digest, ("stylegan1", "a toolkit"))
    assert (open_network(path).source, open_network(path).warnings) == ("a toolkit", ())
    monkeypatch.setitem(known_sources.KNOWN, digest, ("pggan", "another toolkit"))
    assert open_network(path).warnings


def test_every_known_toolkit_has_its_sources():
    hooks = [hook for hook, _ in known_sources.KNOWN.values()]
    assert [hooks.count(name) for name in ("pggan", "stylegan1", "stylegan2_tf")] == [2, 2, 2]
    assert all(len(digest) == 64 for digest in [*known_sources.KNOWN, *known_sources.BESIDE])
    assert not set(known_sources.KNOWN) & set(known_sources.BESIDE)
