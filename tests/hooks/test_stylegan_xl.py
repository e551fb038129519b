"""StyleGAN-XL: classes by their number, an average for each, networks grown by super-resolution."""

import copy

import numpy as np
import pytest
import torch
from pickle_writer import dumps, network
from pickle_writer import numpy_array as array

from sefa_plugin import factorize, load_network
from sefa_plugin.hook import HookError
from sefa_plugin.networks.opening import open_network
from sefa_plugin.reading.network_file import read_network, write_converted

CASES = ["sgxl-cond-32", "sgxl-superres-64"]


def attributes(case):
    """What the modules of a super-resolution network say of themselves."""
    facts = case.info["sg3_layers"]
    held = {
        "mapping": {"num_layers": 2, "z_dim": 24},
        "mapping.fc0": {"bias_gain": 0.01},
        "synthesis": {
            "layer_names": [layer["name"] for layer in facts["layers"]],
            "num_layers": len(facts["layers"]) - 1,
            "output_scale": 0.25,
            "margin_size": 10,
            "num_critical": 2,
        },
        "synthesis.input": {**facts["input"], "size": array(facts["input"]["size"], "i8")},
    }
    for layer in facts["layers"]:
        kept = {key: value for key, value in layer.items() if not key.endswith("_shape") and key != "name"}
        kept.update(in_size=array(layer["in_size"], "i8"), out_size=array(layer["out_size"], "i8"))
        held[f"synthesis.{layer['name']}"] = kept
    return held


@pytest.fixture
def written(golden, tmp_path):
    def write(name, change=lambda tensors, held, root: None):
        case = golden(name)
        tensors, held = dict(case.state), attributes(case)
        sizes = ("z_dim", "c_dim", "w_dim", "img_resolution", "img_channels")
        root = {key: case.info[key] for key in sizes}
        kwargs = copy.deepcopy(case.info["init_kwargs"])
        change(tensors, held, kwargs if name == CASES[0] else root)
        root.update({key: kwargs[key] for key in sizes if key in kwargs and name == CASES[0]})
        kind = case.info["class_name"]
        made = network(tensors, kwargs, kind, attributes=held if name == CASES[1] else None, **root)
        path = tmp_path / f"{name}.pkl"
        path.write_bytes(dumps({"G_ema": made}))
        return path

    return write


@pytest.mark.parametrize("name", CASES)
def test_golden(golden, written, name):
    case, path = golden(name), written(name)
    opened, G = open_network(path), load_network(path)
    assert opened.hook.name == "stylegan_xl" and not opened.warnings
    assert (G.num_ws, G.img_resolution, G.c_dim) == (case.info["num_ws"], case.info["img_resolution"], 10)
    z, c = torch.from_numpy(case["in/z"]), torch.from_numpy(case["in/c"])
    cut = case.info["truncation"]["cutoff"]
    for key, options in (
        ("ws", {}),
        ("ws_psi07", {"truncation_psi": 0.7}),
        ("ws_psi07_cut", {"truncation_psi": 0.7, "truncation_cutoff": cut}),
    ):
        assert abs(G.mapping(z.double(), c, **options).numpy() - case[f"out/{key}"]).max() < 1e-5, key
    for key, given in (("const", "out/ws"), ("none", "out/ws"), ("edit", "in/ws_edit"), ("mix", "in/ws_mix")):
        picture = G.synthesis(torch.from_numpy(case[given]), noise_mode="const", force_fp32=True).numpy()
        assert abs(picture - case[f"out/img_{key}"]).max() < 1e-5, key
    for layer, known in zip(opened.layers, case.info["style_layers"]):
        assert (layer.name, layer.ws_index) == (known["name"], known["ws_index"])
        style = case["out/ws"][:, layer.ws_index] @ (np.asarray(layer.weight) * known["weight_gain"]).T
        style = style + case.state[f"{layer.name}.bias"]
        assert abs(style - case[f"out/styles/{layer.name}"]).max() < 1e-5
        assert (layer.weight_gain, layer.style_gain) == pytest.approx((known["weight_gain"], known["style_gain"]))
    assert len(opened.layers) == len(case.info["style_layers"])


def test_the_average_is_that_of_the_class(written):
    G = load_network(written(CASES[0]))
    assert G.mapping.w_avg.shape == (10, 32)
    z, c = torch.zeros(2, 24), torch.eye(10)[[1, 8]]
    assert torch.equal(G.mapping(z, c, truncation_psi=0)[:, 3], G.mapping.w_avg[[1, 8]])
    soft = torch.full((2, 10), 0.1) + 0.01 * c
    assert torch.equal(G.mapping(z, soft), G.mapping(z, c))  # the largest entry counts
    for wrong in (None, torch.zeros(2, 3)):
        with pytest.raises(ValueError, match="needs labels"):
            G.mapping(z, wrong)
    assert factorize(G, space="z", num_directions=2).vectors.shape == (2, 24)


def test_one_average_for_all_and_no_classes(written):
    """The first version of the code kept one average; without labels there is no projection either."""

    def one(tensors, held, kwargs):
        tensors["mapping.w_avg"] = tensors["mapping.w_avg"][4]

    G = load_network(written(CASES[0], one))
    assert torch.equal(G.mapping(torch.zeros(1, 24), torch.eye(10)[:1], truncation_psi=0)[0, 0], G.mapping.w_avg)

    def none(tensors, held, kwargs):
        one(tensors, held, kwargs)
        kwargs["c_dim"] = 0
        del tensors["mapping.embed_proj.weight"], tensors["mapping.embed_proj.bias"]
        tensors["mapping.fc0.weight"] = tensors["mapping.fc0.weight"][:, :24].copy()

    G = load_network(written(CASES[0], none))
    assert G(torch.zeros(1, 24)).shape == (1, 3, 32, 32)
    with pytest.raises(ValueError, match="takes no labels"):
        G.mapping(torch.zeros(1, 24), torch.eye(10)[:1])


@pytest.mark.parametrize("name", CASES)
def test_a_converted_network_is_the_same(written, tmp_path, name):
    path = written(name)
    write_converted(read_network(path), tmp_path / "net.safetensors")
    ws = torch.randn(1, load_network(path).num_ws, 32)
    pictures = [load_network(file).synthesis(ws) for file in (path, tmp_path / "net.safetensors")]
    assert torch.equal(*pictures)


def layer(key, value, name="synthesis.L10_84_13"):
    return lambda tensors, held, root: held[name].update({key: value})


@pytest.mark.parametrize(
    "name, change, message",
    [
        (CASES[0], lambda t, h, k: k.update(c_dim=13), "13 classes, but a table of 12"),
        (CASES[0], lambda t, h, k: k.update(extra=1), "built with synthesis keywords extra"),
        (CASES[0], lambda t, h, k: k["mapping_kwargs"].update(odd=1), "built with mapping_kwargs odd"),
        (CASES[0], lambda t, h, k: t.pop("mapping.embed_proj.bias"), "lacks tensor mapping.embed_proj.bias"),
        (CASES[0], lambda t, h, k: t.update({"mapping.embed.weight": np.zeros(4, "f4")}), "table of classes is"),
        (CASES[1], layer("padding", [0, 0, 0, 0]), "contradicts itself"),
        (CASES[1], layer("up_factor", 2), "contradicts itself"),
        (CASES[1], layer("tmp_sampling_rate", 64), "contradicts itself"),
        (CASES[1], layer("in_size", 36), "contradicts itself"),
        (CASES[1], layer("out_channels", "13"), "no valid out_channels"),
        (CASES[1], layer("in_cutoff", float("nan")), "no valid in_cutoff"),
        (CASES[1], layer("in_channels", 13), "does not go with the layer before"),
        (CASES[1], layer("conv_clamp", 1), "different or invalid clamps"),
        (CASES[1], layer("layer_names", [], "synthesis"), "no valid layer_names"),
        (CASES[1], layer("layer_names", ["L0_36_20", "L1_36_20"], "synthesis"), "last layer is not ToRGB"),
        (CASES[1], layer("layer_names", ["x"], "synthesis"), "lacks module synthesis.x"),
        (CASES[1], lambda t, h, k: k.update(img_resolution=32), "does not give its picture"),
        (CASES[1], lambda t, h, k: t.update(extra=np.zeros(2, "f4")), "has extra tensor extra"),
    ],
)
def test_what_is_refused(written, name, change, message):
    with pytest.raises(HookError, match=message):
        open_network(written(name, change))
