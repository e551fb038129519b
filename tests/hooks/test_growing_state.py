"""State dicts of our own PGGAN and StyleGAN: the same network again."""

import pytest
import torch

from sefa_plugin import factorize, load_network
from sefa_plugin.hook import HookError
from sefa_plugin.networks.opening import open_network


@pytest.fixture
def saved(golden, tmp_path):
    def save(name, change=lambda state: None):
        G = load_network(golden(name).pickle)
        state = {key: value.clone() for key, value in G.state_dict().items()}
        change(state)
        path = tmp_path / "state.pt"
        torch.save(state, path)
        return path, G

    return save


@pytest.mark.parametrize("name", ["pggan-32", "pggan-fused-32", "stylegan1-32", "stylegan1-auto-128"])
def test_the_same_network_again(saved, name):
    path, G = saved(name)
    opened, again = open_network(path), load_network(path)
    assert opened.hook.name == "growing_state"
    assert bool(opened.warnings) == name.startswith("stylegan1")
    assert len(opened.layers) == G.num_ws
    z = torch.randn(2, G.z_dim, dtype=torch.float64)
    with torch.no_grad():
        assert torch.equal(again(z, None, noise_mode="const"), G(z, None, noise_mode="const"))
    for space in ("w", "z"):
        mine, theirs = factorize(again, space=space), factorize(G, space=space)
        assert (mine.vectors == theirs.vectors).all() and mine.layers == theirs.layers
    first = G.sefa.mapping
    assert (opened.mapping.name, opened.mapping.weight_gain) == (first.name, pytest.approx(first.weight_gain))


def test_labels(saved, golden, tmp_path):
    from sefa_plugin.generators.stylegan1 import Generator

    torch.manual_seed(0)
    options = {"num_layers": 2, "layer_features": 7, "embed_features": 5, "label_concat": True}
    G = Generator(5, 3, 6, 1, [4, 4], mapping_kwargs=options).eval()
    torch.save(G.state_dict(), tmp_path / "labels.pt")
    again = load_network(tmp_path / "labels.pt")
    z, c = torch.randn(2, 5), torch.eye(3)[:2]
    with torch.no_grad():
        assert torch.equal(again(z, c, noise_mode="const"), G(z, c, noise_mode="const"))


@pytest.mark.parametrize(
    "name, change, message",
    [
        ("pggan-32", lambda s: s.pop("synthesis.b8.torgb.bias"), "lacks tensor synthesis.b8.torgb.bias"),
        ("pggan-32", lambda s: s.update(extra=torch.zeros(1)), "has extra tensor extra"),
        (
            "stylegan1-32",
            lambda s: s.pop("synthesis.b4.conv0.noise_strength"),
            "lacks tensor synthesis.b4.conv0.noise_strength",
        ),
        ("stylegan1-32", lambda s: s.update({"mapping.w_avg": torch.zeros(3)}), "mis-shaped tensor mapping.w_avg"),
        ("stylegan1-32", lambda s: s.update({"mapping.fc0.weight": torch.zeros(3)}), "mis-shaped tensor mapping.fc0"),
        ("stylegan1-32", lambda s: s.pop("synthesis.b4.conv1.weight"), "has 0 blocks"),
    ],
)
def test_what_is_refused(saved, name, change, message):
    path, _ = saved(name, change)
    with pytest.raises(HookError, match=message):
        open_network(path)
