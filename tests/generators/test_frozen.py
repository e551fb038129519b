"""Layers with a gradient by hand: pictures and gradients of the usual ones but for rounding."""

import pytest
import torch

from sefa_plugin.generators import frozen, quick
from sefa_plugin.generators.frozen import Frozen
from sefa_plugin.generators.stylegan2 import Generator, SynthesisLayer


def network(architecture, clamp, first_size=(4, 4)):
    torch.manual_seed(0)
    sizes = {"channel_base": 512, "channel_max": 16, "first_size": first_size}
    G = Generator(16, 0, 16, 64, 3, synthesis_kwargs={**sizes, "conv_clamp": clamp, "architecture": architecture})
    for layer in G.modules():
        if isinstance(layer, SynthesisLayer):
            layer.noise_strength.data.fill_(0.3)
            layer.bias.data.normal_()
    return G.eval().requires_grad_(False)


def picture_and_gradient(G, ws, noise_mode="const", **prepared):
    ws = ws.clone().requires_grad_(True)
    img = G.synthesis(ws, noise_mode=noise_mode, force_fp32=True, **prepared)
    weights = torch.linspace(-1, 1, img.numel()).reshape(img.shape)  # so that no two pixels count the same
    return img.detach(), torch.autograd.grad((img * weights).sum(), ws)[0]


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("from_channels", [8, 128])
@pytest.mark.parametrize("architecture", ["skip", "resnet"])
@pytest.mark.parametrize("clamp", [256, 1.0])
def test_pictures_and_gradients(monkeypatch, count, from_channels, architecture, clamp):
    """With clamps that are reached, and that are not; in tiles, and not; of one picture, and of several."""
    monkeypatch.setattr(frozen, "FROM_CHANNELS", from_channels)
    monkeypatch.setattr(quick, "FROM_PIXELS", 8)
    used = []
    monkeypatch.setattr(frozen, "winograd", lambda x, weights: used.append(len(x)) or quick.winograd(x, weights))
    G, prepared = network(architecture, clamp), Frozen()
    ws = torch.randn(count, G.num_ws, G.w_dim)
    usual = picture_and_gradient(G, ws)
    for _ in range(2):  # the second time with what was prepared
        for made, wanted in zip(picture_and_gradient(G, ws, quick=prepared), usual):
            assert abs(made - wanted).max() < 1e-5 * wanted.abs().max()
    assert bool(used) == (from_channels == 8)
    free = picture_and_gradient(network(architecture, None), ws)[0]
    assert torch.equal(free, usual[0]) == (clamp == 256)


def test_a_rectangular_network():
    G = network("skip", None, (4, 2))
    ws = torch.randn(1, G.num_ws, G.w_dim)
    for made, wanted in zip(picture_and_gradient(G, ws, quick=Frozen()), picture_and_gradient(G, ws)):
        assert abs(made - wanted).max() < 1e-5 * wanted.abs().max()


def test_what_does_not_suit_is_computed_as_usual():
    """Without noise, and with weights that need gradients themselves."""
    G = network("skip", None)
    ws = torch.randn(1, G.num_ws, G.w_dim)
    usual, made = (picture_and_gradient(G, ws, "none", **how) for how in ({}, {"quick": Frozen()}))
    assert torch.allclose(made[1], usual[1], rtol=1e-4, atol=1e-4)
    G.requires_grad_(True)
    found = torch.autograd.grad(
        G.synthesis(ws, noise_mode="const", quick=Frozen()).sum(), list(G.synthesis.parameters())
    )
    wanted = torch.autograd.grad(G.synthesis(ws, noise_mode="const").sum(), list(G.synthesis.parameters()))
    assert all(torch.equal(*pair) for pair in zip(found, wanted))
