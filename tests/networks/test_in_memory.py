"""Generators that a script has in memory: classes of the user's own, wrapped, half, frozen, in training."""

import copy
import random

import numpy as np
import pytest
import torch
from torch import nn

from sefa_plugin import edit, factorize, load_network, render, style_layers
from sefa_plugin.hook import HookError
from sefa_plugin.networks.in_memory import LiveError, adopt, undisturbed, usable
from sefa_plugin.networks.opening import open_network
from sefa_plugin.networks.style_layers import generator_of, mapping_layer

Z, W, ROWS = 6, 8, 3


class Mapping(nn.Module):
    """Normalises z, as all do; gives w alone or a row for each layer."""

    def __init__(self, rows=0):
        super().__init__()
        self.first, self.rows = nn.Linear(Z, W), rows

    def forward(self, z):
        w = torch.relu(self.first(z / (z.square().mean(dim=1, keepdim=True) + 1e-8).sqrt()))
        return w[:, None].repeat(1, self.rows, 1) if self.rows else w


class Synthesis(nn.Module):
    """Styles by names of its own, one of them for two rows; normalisation and dropout that training would feel."""

    def __init__(self):
        super().__init__()
        self.start = nn.Parameter(torch.randn(1, 5, 4, 4))
        self.knob, self.both = nn.Linear(W, 5), nn.Linear(W, 5)
        self.norm, self.drop = nn.BatchNorm2d(5), nn.Dropout(0.5)
        self.register_buffer("calls", torch.zeros(()))
        self.weight = nn.Parameter(torch.randn(3, 5, 1, 1))

    def forward(self, ws):
        self.calls += 1
        x = self.start * self.knob(ws[:, 1])[:, :, None, None]
        x = self.drop(self.norm(x * self.both(ws[:, 0])[:, :, None, None]))
        x = nn.functional.interpolate(x, scale_factor=2) * self.both(ws[:, 2])[:, :, None, None]
        return nn.functional.conv2d(x + 0.1 * torch.randn_like(x), self.weight)


class Own(nn.Module):
    """Says nothing of its sizes."""

    def __init__(self, rows=ROWS):
        super().__init__()
        self.mapping, self.synthesis = Mapping(rows), Synthesis()


@pytest.fixture
def own():
    torch.manual_seed(0)
    return Own()


def facts(layers):
    return [(layer.name, layer.ws_index, layer.kind, layer.weight_gain, layer.size) for layer in layers]


EXPECTED = [
    ("synthesis.knob", 1, "torgb", 1.0, 8),
    ("synthesis.both", 0, "torgb", 1.0, 8),
    ("synthesis.both[2]", 2, "torgb", 1.0, 8),
]


@pytest.mark.parametrize("rows", [ROWS, 0], ids=["mapping gives rows", "mapping gives w"])
def test_a_class_of_the_users_own(rows):
    torch.manual_seed(0)
    G = Own(rows)
    layers = style_layers(G)
    assert facts(layers) == EXPECTED
    for layer, module in zip(layers, (G.synthesis.knob, G.synthesis.both, G.synthesis.both)):
        np.testing.assert_array_equal(layer.weight, module.weight.detach().numpy())
    made = generator_of(G)
    assert (made.z_dim, made.c_dim, made.w_dim, made.num_ws, made.img_channels) == (Z, 0, W, ROWS, 3)
    assert mapping_layer(G).name == "mapping.first"
    found = factorize(G, layers="2", torgb="last", num_directions=2)
    weight = G.synthesis.both.weight.detach().double().numpy()
    weight /= np.linalg.norm(weight, axis=1, keepdims=True)
    np.testing.assert_allclose(found.eigenvalues, np.linalg.eigvalsh(weight.T @ weight)[::-1][:2], atol=1e-6)
    assert (found.network, found.num_ws, found.layers) == ("Own", ROWS, (2,))
    assert factorize(G, space="z").vectors.shape == (Z, Z)


def test_edits_and_pictures(own):
    ws = generator_of(own).mapping(torch.randn(1, Z))
    found = factorize(own, layers="2", num_directions=1)
    frames = list(render(own, [ws[0], edit(ws, found, {0: 5.0})[0], ws[0]], batch_size=3))
    assert [frame.shape for frame in frames] == [(8, 8, 3)] * 3
    assert (frames[0] == frames[2]).all() and (frames[0] != frames[1]).any()  # noise is the same in each


def test_it_is_left_as_it_was(own):
    own.train()
    own.synthesis.norm.eval()
    own.synthesis.knob.weight.requires_grad_(False)
    own.synthesis.both.weight.grad = torch.ones_like(own.synthesis.both.weight)
    fired = []
    own.synthesis.register_forward_hook(lambda *args: fired.append(1))
    flags = [module.training for module in own.modules()]
    grads = [p.requires_grad for p in own.parameters()]
    hooks = [(len(m._forward_hooks), len(m._forward_pre_hooks)) for m in own.modules()]
    state = copy.deepcopy(own.state_dict())
    seeds = torch.get_rng_state(), np.random.get_state()[1].tolist(), random.getstate()
    style_layers(own)
    factorize(own)
    list(render(own, torch.zeros(1, ROWS, W)))
    assert [module.training for module in own.modules()] == flags
    assert [p.requires_grad for p in own.parameters()] == grads
    assert [(len(m._forward_hooks), len(m._forward_pre_hooks)) for m in own.modules()] == hooks
    assert all(torch.equal(state[key], value) for key, value in own.state_dict().items())
    assert torch.equal(torch.get_rng_state(), seeds[0])
    assert np.random.get_state()[1].tolist() == seeds[1] and random.getstate() == seeds[2]
    assert (own.synthesis.both.weight.grad == 1).all()
    assert "sefa" not in vars(own) and fired


def test_it_is_put_back_even_if_it_fails(own):
    own.train()
    with pytest.raises(ZeroDivisionError), undisturbed(own):
        own.synthesis.calls += 7
        raise ZeroDivisionError
    assert own.synthesis.calls == 0 and all(module.training for module in own.modules())


def test_frozen_layers_hold_their_weights_as_buffers(own):
    for module in (own.synthesis.knob, own.synthesis.both):
        for name, tensor in list(module.named_parameters()):
            delattr(module, name)
            module.register_buffer(name, tensor.detach().clone())
    assert facts(style_layers(own)) == EXPECTED


def test_a_weight_that_is_scaled_at_run_time(own):
    class Scaled(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight, self.weight_gain = nn.Parameter(torch.randn(5, W)), 0.37

        def forward(self, w):
            return w @ (self.weight * self.weight_gain).t()

    own.synthesis.knob = Scaled()
    layer = style_layers(own)[0]
    assert layer.weight_gain == 0.37  # exactly: not as measured
    np.testing.assert_array_equal(layer.weight, own.synthesis.knob.weight.detach().numpy())
    own.synthesis.knob.weight_gain = torch.tensor(0.37)  # no plain number: then it is measured
    assert style_layers(own)[0].weight_gain == pytest.approx(0.37, rel=1e-5)


@pytest.mark.parametrize("inside", [False, True], ids=["around it", "inside it"])
@pytest.mark.parametrize(
    "wrap",
    [
        pytest.param(nn.DataParallel, id="DP"),
        pytest.param(lambda m: torch.compile(m, backend="eager"), id="compile", marks=pytest.mark.command),  # seconds
    ],
)
def test_wrappers_are_seen_through(own, wrap, inside):
    if not hasattr(torch, "compile"):
        pytest.skip("this torch has no compiler")
    want = factorize(own)
    G = own
    if inside:
        own.mapping, own.synthesis = wrap(own.mapping), wrap(own.synthesis)
        own.synthesis(torch.zeros(1, ROWS, W))  # so that something is compiled
    else:
        G = wrap(own)
    assert facts(style_layers(G)) == EXPECTED
    np.testing.assert_array_equal(factorize(G).vectors, want.vectors)
    assert mapping_layer(G).name == "mapping.first"
    assert next(render(G, torch.zeros(1, ROWS, W))).shape == (8, 8, 3)


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float64])
def test_other_types_of_numbers(own, kind):
    own.to(kind)
    try:
        own.synthesis(torch.zeros(1, ROWS, W, dtype=kind))
    except RuntimeError:
        pytest.skip("this torch cannot compute so on a CPU")
    layers = style_layers(own)
    assert facts(layers) == EXPECTED
    np.testing.assert_array_equal(layers[0].weight, own.synthesis.knob.weight.detach().float().numpy())
    assert next(render(own, torch.zeros(1, ROWS, W))).dtype == np.uint8


def test_pictures_from_w_itself():
    class Flat(nn.Module):
        def __init__(self):
            super().__init__()
            self.start, self.style = nn.Parameter(torch.randn(1, 3, 4, 4)), nn.Linear(W, 3)

        def forward(self, w, **options):
            assert w.ndim == 2
            return torch.tanh(self.start * self.style(w)[:, :, None, None])

    G = Own(0)
    G.synthesis = Flat()
    assert [(layer.name, layer.ws_index) for layer in style_layers(G)] == [("synthesis.style", 0)]
    assert generator_of(G).num_ws == 1


def test_parts_in_something_that_is_no_module(own):
    class Pair:
        def __init__(self):
            self.mapping, self.synthesis, self.num_ws = own.mapping, own.synthesis, ROWS

    assert facts(style_layers(Pair())) == EXPECTED


@pytest.mark.command
@pytest.mark.parametrize("name", ["sg2ada-skip-64", "sg2ada-cond-32", "sg2-in-sg3-32", "sg3t-64", "sg3r-64"])
def test_a_known_network_in_memory_gives_what_its_file_gives(golden, name):
    path = golden(name).pickle
    G, known = load_network(path), open_network(path).layers
    want = [factorize(G, layers=layers) for layers in ("all", "middle")]
    del G.sefa
    found = style_layers(G)
    fields = ("name", "ws_index", "kind", "weight_gain", "style_gain", "size", "detail", "channels")
    assert [[getattr(x, f) for f in fields] for x in found] == [[getattr(x, f) for f in fields] for x in known]
    for one, layers in zip(want, ("all", "middle")):
        live = factorize(G, layers=layers)
        np.testing.assert_array_equal(live.vectors, one.vectors)
        np.testing.assert_array_equal(live.eigenvalues, one.eigenvalues)
        assert live.layers == one.layers and live.num_ws == one.num_ws


def test_generators_of_files_are_taken_as_they_are(golden):
    G = load_network(golden("sg2ada-skip-64").pickle)
    assert generator_of(nn.DataParallel(G)) is G
    assert usable(G) is G
    assert factorize(nn.DataParallel(G), num_directions=1).network == "sg2ada-skip-64"


class NoMapping(nn.Module):
    def __init__(self):
        super().__init__()
        self.synthesis = Synthesis()


def changed(change):
    torch.manual_seed(0)
    G = Own()
    change(G)
    return G


class ThreeInputs(nn.Module):
    def forward(self, z, mood, weather):
        return z[:, None].repeat(1, ROWS, 1)


class NoPicture(Synthesis):
    def forward(self, ws):
        return "a picture"


class Square(Synthesis):
    def forward(self, ws):
        return super().forward(ws.square())


@pytest.mark.parametrize(
    ("G", "says"),
    [
        (nn.Linear(2, 2), "Linear is not a generator: it has no mapping and no synthesis, and it has no z_dim"),
        (NoMapping(), "NoMapping is not a generator: it has no mapping; give"),
        (3, "int is not a generator"),
        (changed(lambda G: G.to("meta")), "Own is on the meta device"),
        (changed(lambda G: G.synthesis.weight.data.fill_(float("nan"))), "tensor synthesis.weight holds NaN"),
        (changed(lambda G: setattr(G, "mapping", ThreeInputs())), "has no z_dim"),
        (
            changed(lambda G: (setattr(G, "mapping", ThreeInputs()), setattr(G, "z_dim", W))),
            r"in mapping, TypeError: .*weather",
        ),
        (changed(lambda G: setattr(G, "synthesis", NoPicture())), "gives a str where a tensor was expected"),
        (changed(lambda G: setattr(G, "synthesis", Square())), "no affine layer that is fed by a row"),
    ],
    ids=lambda value: value[:20] if isinstance(value, str) else "",
)
def test_what_cannot_be_used_says_why(G, says):
    with pytest.raises(HookError, match=says) as caught:
        style_layers(G)
    assert isinstance(caught.value, LiveError) and "\n" not in str(caught.value)


def test_an_interface_is_not_put_around_an_interface(own):
    made = adopt(own)
    assert adopt(made) is made


def test_a_hook_lists_only_what_watching_confirms(golden):
    """A known network is listed by its hook; one that was changed in memory is what it does now."""
    G = load_network(golden("sg2ada-skip-64").pickle)
    del G.sefa
    assert generator_of(G).sefa.hook in ("stylegan2_ada", "stylegan3")
    affine = G.synthesis.b8.conv1.affine
    affine.weight_gain *= 2
    made = generator_of(G)
    assert made.sefa.hook == "live"
    (layer,) = (layer for layer in style_layers(G) if layer.name == "synthesis.b8.conv1.affine")
    assert layer.weight_gain == affine.weight_gain
