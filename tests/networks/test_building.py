import copy

import pytest
import torch
from pickle_writer import Call, dumps, loads

from sefa_plugin import load_network, style_layers
from sefa_plugin.hook import HookError
from sefa_plugin.hooks import known_sources
from sefa_plugin.networks.opening import open_network
from sefa_plugin.networks.style_layers import mapping_layer
from sefa_plugin.reading.module_walk import source_digest
from sefa_plugin.reading.network_file import write_converted

FILES = ["sg2ada-skip-64", "sg2ada-cond-32", "sg2-in-sg3-32", "sg3t-64", "sg3r-64"]


@pytest.mark.command
@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("converted", [False, True])
def test_from_a_file_to_the_official_pictures(golden, tmp_path, name, converted):
    case, path = golden(name), golden(name).pickle
    if converted:
        path = tmp_path / "net.safetensors"
        write_converted(open_network(case.pickle).record, path)
    G = load_network(path)
    c = torch.from_numpy(case["in/c"]) if "in/c" in case.arrays else None
    ws = G.mapping(torch.from_numpy(case["in/z"]), c)
    assert abs(ws.numpy() - case["out/ws"]).max() < 1e-5
    img = G.synthesis(ws, noise_mode="const").numpy()
    assert abs(img - case["out/img_const"]).max() < 1e-5 * max(1, abs(img).max())
    assert not G.training
    assert not any(p.requires_grad for p in G.parameters())


def module_of(network, name):
    """What is pickled of a module."""
    for part in name.split(".") if name else ():
        held = network.args[0]["state"]["_modules"]
        network = (dict(held.pairs) if isinstance(held, Call) else held)[part]
    return network.args[0]


@pytest.mark.parametrize(
    "name, module, key, value",
    [
        ("sg2ada-cond-32", "synthesis", "block_resolutions", [4, 8, 16]),
        ("sg2ada-cond-32", "synthesis.b4", "is_last", True),
        ("sg2ada-cond-32", "synthesis.b4.conv1", "resolution", 8),
        ("sg3t-64", "synthesis", "layer_names", ["L0_36_20"]),
        ("sg3t-64", "synthesis.input", "size", [36, 35]),
        ("sg3t-64", "synthesis.L0_36_20", "in_size", [36, 35]),
        ("sg3t-64", "synthesis.L0_36_20", "is_torgb", True),
        ("sg3t-64", "synthesis.L0_36_20", "up_factor", 4),
        ("sg3t-64", "synthesis.L0_36_20", "padding", [9, 8, 9, 7]),
        ("sg3t-64", "synthesis.L14_64_3", "conv_kernel", 3),
    ],
)
def test_attributes_that_a_forward_pass_reads_are_compared(golden, tmp_path, name, module, key, value):
    G, path = loads(golden(name).pickle.read_bytes())["G_ema"], tmp_path / "net.pkl"
    state = module_of(G, module)["state"]
    assert state[key] != value
    state[key] = value
    path.write_bytes(dumps({"G_ema": G}))
    with pytest.raises(HookError, match=f"{module} has {key} = "):
        load_network(path)


def test_classes_of_modules_are_those_of_the_toolkit(golden, tmp_path, monkeypatch):
    """Where their source is known: the toolkit makes of each module what its class says."""
    text = "class Generator: pass\n"
    monkeypatch.setitem(known_sources.KNOWN, source_digest(text), ("stylegan2_ada", "a toolkit"))
    G, path = loads(golden("sg2ada-cond-32").pickle.read_bytes())["G_ema"], tmp_path / "net.pkl"
    metas = [module_of(G, name) for name in open_network(golden("sg2ada-cond-32").pickle).record.modules]
    for meta in metas:
        meta["module_src"] = text
    path.write_bytes(dumps({"G_ema": G}))
    load_network(path, strict=False)
    for name, theirs in (("synthesis.b8.conv1", "ToRGBLayer"), ("synthesis.b8.conv1", "Conv2dLayer")):
        meta = module_of(G, name)
        mine, meta["class_name"] = meta["class_name"], theirs
        path.write_bytes(dumps({"G_ema": G}))
        with pytest.raises(HookError, match=f"{name} is a {theirs}, where the known toolkits have a {mine}"):
            load_network(path)
        meta["class_name"] = mine
    for meta in metas:  # all of a kind
        if meta["class_name"] == "SynthesisLayer":
            meta["class_name"] = "MappingNetwork"
    path.write_bytes(dumps({"G_ema": G}))
    with pytest.raises(HookError, match="is a MappingNetwork, where the known toolkits have a SynthesisLayer"):
        load_network(path)


def test_constructor_arguments_are_kept_as_scripts_expect_them(golden):
    G = load_network(golden("sg2ada-skip-64").pickle)
    assert G.init_kwargs == golden("sg2ada-skip-64").info["init_kwargs"]
    twin = type(G)(*G.init_args, **G.init_kwargs)
    twin.load_state_dict(G.state_dict())


def test_layers_have_the_weights_of_the_moment(golden):
    G = load_network(golden("sg3t-64").pickle)
    layers = style_layers(G)
    assert [layer.name for layer in layers] == [item["name"] for item in golden("sg3t-64").info["style_layers"]]
    with torch.no_grad():
        G.get_submodule(layers[3].name).weight.fill_(7)
    assert (style_layers(G)[3].weight == 7).all()
    assert mapping_layer(G).weight.shape == (32, 48)
    assert style_layers(copy.deepcopy(G))[3].ws_index == 3


def test_other_modules_are_refused():
    with pytest.raises(HookError, match="Linear is not a generator: it has no mapping and no synthesis"):
        style_layers(torch.nn.Linear(2, 2))
