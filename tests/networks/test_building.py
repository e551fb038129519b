import copy

import pytest
import torch

from sefa_plugin import load_network, style_layers
from sefa_plugin.hook import HookError
from sefa_plugin.networks.opening import open_network
from sefa_plugin.networks.style_layers import mapping_layer
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
    with pytest.raises(HookError, match="Linear is not a generator"):
        style_layers(torch.nn.Linear(2, 2))
