"""Style layers found by watching a living generator, whatever its modules are called."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from sefa_plugin import load_network
from sefa_plugin.networks.opening import open_network
from sefa_plugin.networks.probe import ProbeError, mapping_layer, style_layers


def unit_rows(count, width, seed=0):
    rows = torch.randn(count, width, generator=torch.Generator().manual_seed(seed))
    return rows * rows.square().mean(dim=1, keepdim=True).rsqrt()


@pytest.mark.parametrize("name", ["sg2ada-skip-64", "sg2ada-cond-32", "sg3t-64", "sg3r-64", "sg2-in-sg3-32"])
def test_known_networks_are_found_as_their_hooks_list_them(golden, name):
    """Names, rows, kinds, gains, sizes and groups: all that a hook knows of a toolkit, seen from outside."""
    opened = open_network(golden(name).pickle)
    G = load_network(golden(name).pickle)
    rows = unit_rows(G.num_ws, G.w_dim)
    with torch.no_grad():
        found = style_layers(G, lambda ws: G.synthesis(ws, noise_mode="const"), rows, G.img_channels)
    assert len(found) == len(opened.layers)
    for seen, known in zip(found, opened.layers):
        assert (seen.name, seen.ws_index, seen.kind, seen.detail) == (
            known.name,
            known.ws_index,
            known.kind,
            known.detail,
        )
        assert seen.weight_gain == pytest.approx(known.weight_gain, rel=1e-5)
        assert seen.style_gain == pytest.approx(known.style_gain, rel=1e-6)
        assert seen.size == known.size
        np.testing.assert_allclose(seen.weight, np.asarray(known.weight), atol=1e-6)
    first = mapping_layer(G, lambda z: G.mapping(z, torch.eye(G.c_dim)[:1]), unit_rows(1, G.z_dim)[0])
    assert first.name == opened.mapping.name
    assert first.weight_gain == pytest.approx(opened.mapping.weight_gain)
    np.testing.assert_allclose(first.weight, np.asarray(opened.mapping.weight)[:, : G.z_dim], atol=1e-6)


class Toy(nn.Module):
    """One row, one module of the kind under test."""

    def __init__(self, module, use=lambda module, w: module(w)):
        super().__init__()
        self.entry, self.use = module, use

    def forward(self, ws):
        return self.use(self.entry, ws[:, 1]).reshape(len(ws), 1, 1, -1)


class MadeOnTheFly(nn.Module):
    """A low-rank affine: its matrix is no parameter of its own."""

    def __init__(self):
        super().__init__()
        self.left, self.right = nn.Parameter(torch.randn(5, 2)), nn.Parameter(torch.randn(2, 8))

    def forward(self, w):
        return w @ (self.left @ self.right).t() + 1


class Outer(nn.Module):
    """An affine function of two affine parts: it is one layer, and its parts are none."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(8, 6), nn.Linear(6, 4)

    def forward(self, w):
        return self.second(self.first(w))


class Bilinear(nn.Module):
    """A style that is a product of two affine functions of w: no affine function, but made of some."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(8, 4), nn.Linear(8, 4)

    def forward(self, w):
        return self.first(w) * self.second(w)


def found_in(module, **options):
    torch.manual_seed(0)
    toy = Toy(module, **options)
    with torch.no_grad():
        return style_layers(toy, toy, unit_rows(3, 8), img_channels=3)


def test_a_matrix_that_is_no_parameter_is_measured():
    module = MadeOnTheFly()
    (layer,) = found_in(module)
    assert (layer.name, layer.ws_index, layer.weight_gain) == ("entry", 1, 1.0)
    np.testing.assert_allclose(layer.weight, (module.left @ module.right).detach(), atol=1e-5)


def test_the_outermost_affine_module_is_the_layer():
    module = Outer()
    (layer,) = found_in(module)
    assert layer.name == "entry"
    np.testing.assert_allclose(layer.weight, (module.second.weight @ module.first.weight).detach(), atol=1e-5)


def test_of_what_is_not_affine_the_affine_parts_are_taken():
    assert [layer.name for layer in found_in(Bilinear())] == ["entry.first", "entry.second"]


def test_an_activation_behind_the_weight_is_seen_through():
    module = nn.Sequential(nn.Linear(8, 5), nn.LeakyReLU(0.2))
    (layer,) = found_in(module)
    assert layer.name == "entry.0"

    class Activated(nn.Linear):
        def forward(self, w):
            return nn.functional.leaky_relu(super().forward(w), 0.2)

    module = Activated(8, 5)
    (layer,) = found_in(module)
    np.testing.assert_array_equal(layer.weight, module.weight.detach())


def test_further_inputs_behind_the_row_are_no_directions():
    module = nn.Linear(11, 5)
    (layer,) = found_in(module, use=lambda m, w: m(torch.cat([w, torch.ones(len(w), 3)], dim=1)))
    np.testing.assert_allclose(layer.weight, module.weight.detach()[:, :8], atol=1e-5)


@pytest.mark.parametrize("scale", [0.5, -2.0])
def test_a_row_that_was_scaled_on_its_way(scale):
    module = nn.Linear(8, 5)
    (layer,) = found_in(module, use=lambda m, w: m(w * scale))
    np.testing.assert_allclose(layer.weight * layer.weight_gain, module.weight.detach() * scale, atol=1e-5)


class Inside(nn.Module):
    """A convolution that makes its style itself, by parameters of its own."""

    def __init__(self, left):
        super().__init__()
        self.left = left
        self.style = nn.Parameter(torch.randn(5, 8))
        self.shift = nn.Parameter(torch.randn(5))
        self.weight = nn.Parameter(torch.randn(3, 5, 1, 1))

    def forward(self, x, w):
        style = (self.style * 0.1 @ w.t()).t() if self.left else nn.functional.linear(w, self.style * 0.1, self.shift)
        return nn.functional.conv2d(x * style[:, :, None, None], self.weight)


def test_two_products_with_one_row_are_one_layer():
    class ScaleAndShift(nn.Module):
        def __init__(self):
            super().__init__()
            self.one, self.two = nn.Parameter(torch.randn(5, 8)), nn.Parameter(torch.randn(4, 8))

        def forward(self, x, w):
            return x * (w @ self.one.t()).sum() + (2 * w @ self.two.t()).sum()

    pytest.importorskip("torch.utils._python_dispatch")
    module = ScaleAndShift()
    (layer,) = found_in(module, use=lambda m, w: m(torch.ones(len(w), 5, 4, 4), w))
    np.testing.assert_allclose(layer.weight, torch.cat([module.one, 2 * module.two]).detach(), atol=1e-5)


@pytest.mark.parametrize("left", [False, True])
def test_a_product_inside_a_larger_module(left):
    pytest.importorskip("torch.utils._python_dispatch")
    module = Inside(left)
    (layer,) = found_in(module, use=lambda m, w: m(torch.ones(len(w), 5, 4, 4), w))
    assert (layer.name, layer.ws_index, layer.kind, layer.size) == ("entry", 1, "torgb", 4)
    np.testing.assert_allclose(layer.weight, module.style.detach() * 0.1, atol=1e-5)


@pytest.mark.parametrize(
    "module, use",
    [
        (nn.Linear(8, 4), lambda m, w: m(w.square())),
        (nn.Linear(8, 4), lambda m, w: m(torch.ones_like(w))),
        (nn.LayerNorm(8), lambda m, w: m(w)),
        (nn.Dropout(0.5).eval(), lambda m, w: m(w)),
    ],
    ids=["not the row", "a constant", "a normalisation", "a pass-through"],
)
def test_what_is_no_style_layer(module, use):
    with pytest.raises(ProbeError, match="no affine layer"):
        found_in(module, use=use)


def test_the_network_is_left_as_it_was(golden):
    G = load_network(golden("sg2ada-skip-64").pickle)
    style_layers(G, lambda ws: G.synthesis(ws, noise_mode="const"), unit_rows(G.num_ws, G.w_dim), 3)
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in G.modules())
    broken = Toy(nn.Linear(8, 4), use=lambda m, w: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        style_layers(broken, broken, unit_rows(3, 8), 3)
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in broken.modules())
    assert math.isfinite(float(G(torch.zeros(1, G.z_dim)).sum()))
