"""Convolutions for previews: the same numbers but for rounding, and the usual ones are left as they are."""

import pytest
import torch

from sefa_plugin.generators import quick
from sefa_plugin.generators.quick import Quick, winograd, winograd_weights
from sefa_plugin.generators.stylegan2 import Generator


@pytest.mark.parametrize("shape", [(3, 5, 4, 4), (8, 8, 16, 16), (4, 6, 20, 8)])
def test_tiles_give_the_convolution(shape, monkeypatch):
    monkeypatch.setattr(quick, "_TILES", 5)  # several turns
    inputs, outputs, high, wide = shape
    draw = torch.Generator().manual_seed(1)
    x = torch.randn(2, inputs, high, wide, generator=draw)
    weight = torch.randn(outputs, inputs, 3, 3, generator=draw)
    made = winograd(x.contiguous(memory_format=torch.channels_last), winograd_weights(weight))
    wanted = torch.nn.functional.conv2d(x.double(), weight.double(), padding=1)
    assert made.shape == wanted.shape
    assert abs(made - wanted).max() < 1e-5 * wanted.abs().max()


@pytest.mark.parametrize("architecture", ["skip", "resnet"])
def test_a_network_gives_the_same_picture_but_for_rounding(architecture, monkeypatch):
    monkeypatch.setattr(quick, "FROM_CHANNELS", 8)
    monkeypatch.setattr(quick, "FROM_PIXELS", 8)
    torch.manual_seed(0)
    sizes = {"channel_base": 512, "channel_max": 16, "conv_clamp": 256, "architecture": architecture}
    G, prepared, used = Generator(16, 0, 16, 64, 3, synthesis_kwargs=sizes).eval(), Quick(), []
    ws = torch.randn(2, G.num_ws, G.w_dim)
    monkeypatch.setattr(quick, "winograd", lambda x, weights: used.append(x.shape[-1]) or winograd(x, weights))
    with torch.no_grad():
        usual = G.synthesis(ws[:1], noise_mode="const")
        for _ in range(2):  # the second time with prepared weights
            made = G.synthesis(ws, noise_mode="const", quick=prepared)
            assert 0 < abs(made[:1] - usual).max() < 2e-5 * usual.abs().max()
        assert set(used) == {8, 16, 32, 64}
        assert torch.equal(G.synthesis(ws[:1], noise_mode="const"), usual)
