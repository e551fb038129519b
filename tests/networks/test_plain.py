"""Plain generators, ``G(z)`` and ``G(z, c)``: called the right way, whatever their parts are named."""

import importlib
import json
import sys

import numpy as np
import pytest
import torch
import toys
from click.testing import CliRunner
from torch import nn

from sefa_plugin import calibrate, contact_sheet, edit, factorize, load_network, render, style_layers
from sefa_plugin.commands.cli import sefa
from sefa_plugin.hook import HookError
from sefa_plugin.networks.plain import shown_range
from sefa_plugin.networks.style_layers import generator_of, mapping_layer
from sefa_plugin.networks.unpickle import TrustedFileError
from sefa_plugin.rendering.look import Look

Z, LABELS = 6, 3


class Convolutional(nn.Module):
    """As the DCGAN tutorial: z ``[N, 6, 1, 1]`` enters a transposed convolution."""

    def __init__(self, first="main"):
        super().__init__()
        self.add_module(first, nn.Sequential(nn.ConvTranspose2d(Z, 4, 4), nn.BatchNorm2d(4), nn.ReLU()))
        self.last = nn.ConvTranspose2d(4, 3, 4, 2, 1)
        getattr(self, first)[1].running_mean.normal_()

    def forward(self, noise):
        return torch.tanh(self.last(next(self.children())(noise)))


class Skipping(nn.Module):
    """A chunk of z enters a linear layer, others two conditional normalisations beside an embedding of an index.

    Pictures are from 0 to 1, and no attribute gives the width of z.
    """

    def __init__(self):
        super().__init__()
        self.names = nn.Embedding(LABELS, 2)
        self.start = nn.Linear(2, 5 * 4)
        self.blocks = nn.ModuleList([SkipBlock(), SkipBlock()])
        self.last = nn.Conv2d(5, 3, 1)

    def forward(self, z, y):
        pieces = z.split(2, dim=1)
        x = self.start(pieces[0]).view(-1, 5, 2, 2)
        for at, block in enumerate(self.blocks, start=1):
            x = block(x, torch.cat([self.names(y), pieces[at]], dim=1))
        return torch.sigmoid(self.last(x))


class SkipBlock(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale, self.shift = nn.Linear(4, 5), nn.Linear(4, 5)

    def forward(self, x, code):
        x = torch.relu(x * (1 + self.scale(code))[:, :, None, None] + self.shift(code)[:, :, None, None])
        return nn.functional.interpolate(x, scale_factor=2)


class Numbers(nn.Module):
    """z and a one-hot label enter one linear layer, so that nothing shows where one ends."""

    def __init__(self):
        super().__init__()
        self.entry = nn.Linear(Z + LABELS, 12)

    def forward(self, z, c):
        return torch.tanh(self.entry(torch.cat([z, c], dim=1))).view(-1, 3, 2, 2)


class Product(nn.Module):
    """z is multiplied by parameters of the network itself, once beside features."""

    def __init__(self):
        super().__init__()
        self.first, self.later = nn.Parameter(torch.randn(3 * 16, Z)), nn.Parameter(torch.randn(3, Z))

    def forward(self, z):
        x = nn.functional.linear(z, self.first).view(-1, 3, 4, 4)
        return torch.tanh(x * nn.functional.linear(z, self.later)[:, :, None, None])


def made(kind, *given):
    torch.manual_seed(0)
    return kind(*given).eval()


def eigenvalues(matrix):
    matrix = matrix.detach().double().numpy()
    matrix = matrix / np.linalg.norm(matrix, axis=1, keepdims=True)
    return np.linalg.eigvalsh(matrix.T @ matrix)[::-1]


def taps(kernel):
    return kernel.reshape(len(kernel), -1).T


def test_a_kernel_counts_with_all_its_taps():
    G = made(Convolutional)
    (layer,) = style_layers(G)
    assert (layer.name, layer.ws_index, layer.kind, layer.size) == ("main.0", 0, "conv", 4)
    np.testing.assert_allclose(layer.weight, taps(G.main[0].weight.detach()), atol=1e-6)
    found = factorize(G)
    np.testing.assert_allclose(found.eigenvalues, eigenvalues(taps(G.main[0].weight)), atol=1e-5)
    sizes = generator_of(G)
    assert (sizes.z_dim, sizes.c_dim, sizes.w_dim, sizes.num_ws, sizes.img_resolution) == (Z, 0, Z, 1, 8)


def test_pictures_and_edits_of_z():
    G = made(Convolutional)
    found, z = factorize(G, num_directions=2), torch.randn(3, Z, 1, 1)
    moved = edit(z, found, {1: 2.5})
    assert torch.allclose(moved[:, :, 0, 0], z[:, :, 0, 0] + 2.5 * torch.from_numpy(found.vectors[1]), atol=1e-5)
    assert torch.allclose(edit(z[:, :, 0, 0], found, {1: 2.5}), moved[:, :, 0, 0], atol=1e-5)
    want = (G(moved).detach().permute(0, 2, 3, 1) * 127.5 + 128).clamp(0, 255).numpy()
    for codes in (moved, moved[:, :, 0, 0], moved.view(3, 1, Z)):
        assert np.abs(np.stack(list(render(G, codes))) - want).max() <= 1


def test_names_decide_nothing():
    wanted = factorize(made(Convolutional))
    renamed = factorize(made(Convolutional, "weights_of_something_else"))
    np.testing.assert_array_equal(renamed.vectors, wanted.vectors)
    np.testing.assert_array_equal(factorize(nn.DataParallel(made(Convolutional))).vectors, wanted.vectors)


def test_training_mode_is_said_and_kept():
    G = made(Convolutional).train()
    before = G.main[1].running_mean.clone()
    with pytest.warns(
        UserWarning, match="Convolutional: it was in training mode; its pictures are those of evaluation"
    ):
        found = factorize(G)
    assert G.main[1].training and torch.equal(G.main[1].running_mean, before)
    np.testing.assert_array_equal(found.vectors, factorize(G.eval()).vectors)


@pytest.mark.filterwarnings("ignore:Skipping. its pictures are numbers from 0 to 1")
def test_several_layers_are_chosen_like_rows():
    G = made(Skipping)
    seen = [(layer.name, layer.ws_index, layer.size) for layer in style_layers(G)]
    blocks = [(f"blocks.{at}.{part}", at + 1, 4 << at) for at in (0, 1) for part in ("scale", "shift")]
    assert seen == [("start", 0, 8), *blocks]
    whole = generator_of(G)
    assert (whole.z_dim, whole.c_dim, whole.num_ws) == (Z, LABELS, 3)
    second = factorize(G, layers="1")
    matrix = torch.cat([G.blocks[0].scale.weight, G.blocks[0].shift.weight])[:, 2:]  # behind the embedding
    np.testing.assert_allclose(second.eigenvalues, eigenvalues(matrix), atol=1e-5)
    assert not second.vectors[:, [0, 1, 4, 5, 6, 7, 8]].any()  # other chunks, and the label
    assert len(factorize(G)) == Z and mapping_layer(G).name == "start"
    z, c = torch.randn(2, Z), torch.eye(LABELS)[[0, 2]]
    ws = edit(whole.mapping(z, c), second, {0: 3.0})
    codes = z + 3 * torch.from_numpy(second.vectors[0, :Z])  # no other layer reads this chunk
    assert torch.allclose(whole.synthesis(ws), G(codes, c.argmax(dim=1)).detach() * 2 - 1, atol=1e-5)
    every = factorize(G)
    assert torch.allclose(edit(z, every, {0: 1.0}), z + torch.from_numpy(every.vectors[0, :Z]), atol=1e-5)
    with pytest.raises(ValueError, match="change 1 of the 3 rows of ws"):
        edit(z, second, {0: 3.0})


class Whole(nn.Module):
    """All of z enters two layers."""

    def __init__(self):
        super().__init__()
        self.entry, self.second = nn.Linear(Z, 12), nn.Linear(Z, 3)

    def forward(self, z):
        z = z / z.norm(dim=1, keepdim=True)
        return torch.tanh(self.entry(z).view(-1, 3, 2, 2) * self.second(z)[:, :, None, None])


def test_a_row_alone_is_given_to_its_layer():
    G = made(Whole)
    found, whole = factorize(G, layers="1"), generator_of(G)
    assert whole.normalizes_z and not generator_of(made(Convolutional)).normalizes_z
    ws = whole.mapping(torch.randn(2, Z))
    other = edit(ws, found, {0: 2.0})
    z, moved = (codes / codes.norm(dim=1, keepdim=True) for codes in (ws[:, 0], other[:, 1]))
    want = torch.tanh(G.entry(z).view(-1, 3, 2, 2) * G.second(moved)[:, :, None, None]).detach()
    assert torch.allclose(whole.synthesis(other), want, atol=1e-5)


@pytest.mark.filterwarnings("ignore:Skipping. its pictures are numbers from 0 to 1")
def test_ranges_and_sheets_in_memory():
    G = made(Skipping)
    look = Look(label=2)
    found = calibrate(G, factorize(G, layers="0", num_directions=1), look=look, seeds=[0, 1])
    low, high = found.ranges[0]
    assert low < 0 < high
    assert contact_sheet(G, found, 0, seeds=[0], look=look).size[0] > 100


def test_pictures_from_0_to_1_are_said():
    with pytest.warns(UserWarning, match="Skipping: its pictures are numbers from 0 to 1, which are scaled to -1 to 1"):
        generator_of(made(Skipping))
    assert shown_range(torch.tensor([[-0.9, 1.0]])).words == "-1 to 1"
    assert shown_range(torch.tensor([[0.0, 251.0]])).words == "0 to 255"


def test_widths_that_nothing_shows_are_asked_for():
    G = made(Numbers)
    with pytest.raises(HookError, match="Numbers is not a generator: .* set its attributes z_dim and c_dim first"):
        style_layers(G)
    G.z_dim, G.c_dim = Z, LABELS
    (layer,) = style_layers(G)
    np.testing.assert_allclose(layer.weight[:, :Z], G.entry.weight.detach()[:, :Z], atol=1e-6)
    assert not layer.weight[:, Z:].any()  # a label is no direction
    assert len(factorize(G)) == Z
    del G.c_dim
    assert generator_of(G).c_dim == LABELS


class Third(Numbers):
    def forward(self, z, c, mood):
        return super().forward(z, c)


def test_a_third_argument_is_refused():
    with pytest.raises(HookError, match=r"it needs 'mood', .*: wrap it as G\(z\) or G\(z, c\)"):
        style_layers(made(Third))


@pytest.mark.command  # watching products imports a compiler, which takes seconds
def test_products_of_parameters():
    G = made(Product)
    first, later = style_layers(G)
    assert (first.ws_index, later.ws_index) == (0, 0)
    np.testing.assert_allclose(first.weight, G.first.detach(), atol=1e-5)
    np.testing.assert_allclose(later.weight, G.later.detach(), atol=1e-5)


OWN = """
import torch

class Own(torch.nn.Sequential):
    def __init__(self):
        super().__init__(torch.nn.ConvTranspose2d(6, 3, 4), torch.nn.Tanh())
"""


def test_classes_of_the_working_folder(tmp_path, monkeypatch):
    """What ``torch.save(G)`` stores names a class; its module is where the command runs, or was a script."""
    (tmp_path / "own_gan.py").write_text(OWN)
    monkeypatch.setattr(sys, "path", [*sys.path])
    with monkeypatch.context() as patch:
        patch.syspath_prepend(tmp_path)
        kind = importlib.import_module("own_gan").Own
        torch.save(kind(), tmp_path / "net.pt")
        patch.setattr(kind, "__module__", "__main__")
        patch.setattr(sys.modules["__main__"], "Own", kind, raising=False)
        torch.save(kind(), tmp_path / "script.pt")
        del sys.modules["own_gan"]
    with pytest.raises(TrustedFileError, match="imports own_gan, which is not here"):
        load_network(tmp_path / "net.pt", trust_pickle=True)
    monkeypatch.chdir(tmp_path)
    assert load_network(tmp_path / "net.pt", trust_pickle=True).z_dim == Z
    with pytest.raises(TrustedFileError, match="its class was defined in the script that saved it"):
        load_network(tmp_path / "script.pt", trust_pickle=True)
    sys.modules.pop("own_gan")


@pytest.mark.command
def test_a_file_of_one(tmp_path, monkeypatch):
    """Every kind of output of a conditional generator whose code is in its file."""
    G = toys.live(toys.PLAIN, "Plain")
    path = toys.write(tmp_path / "net.pt", G, monkeypatch, torch_save=True)
    words = ["--network", str(path), "--trust-pickle", "--class", "1", "-K", "1", "--seeds", "0,1"]
    result = CliRunner().invoke(
        sefa, ["render", *words, "--layers", "0,1", "--frames", "2", "--outdir", str(tmp_path / "out")]
    )
    assert result.exit_code == 0, result.output
    assert "numbers from 0 to 1" in result.output and "training mode" in result.output
    outputs = json.loads((tmp_path / "out" / "run.json").read_text())["outputs"]
    assert any(name.endswith(".mp4") for name in outputs)
