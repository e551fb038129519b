"""State dicts of the DCGAN tutorial's generator, against the same layers put together here."""

import numpy as np
import pytest
import torch
from torch import nn

from sefa_plugin import edit, factorize, load_network, render
from sefa_plugin.hook import HookError
from sefa_plugin.networks.opening import open_network
from sefa_plugin.reading.network_record import NetworkFileError

Z = 7


class Tutorial(nn.Module):
    """Layers as in PyTorch's tutorial; ``blocks`` that double the size, the last with a kernel of ``last``."""

    def __init__(self, blocks=4, last=4, bias=False):
        super().__init__()
        widths, layers = [Z, *(2 + blocks - at for at in range(blocks))], []
        for at, (before, width) in enumerate(zip(widths, widths[1:])):
            conv = nn.ConvTranspose2d(before, width, 4, 2 if at else 1, 1 if at else 0, bias=bias)
            layers += [conv, nn.BatchNorm2d(width), nn.ReLU(True)]
        stride, padding = (2, 1) if last == 4 else (1, 0)
        final = nn.ConvTranspose2d(widths[-1], 3, last, stride, padding, bias=bias)
        self.main = nn.Sequential(*layers, final, nn.Tanh())

    def forward(self, z):
        return self.main(z)


def made(*given, **options):
    torch.manual_seed(0)
    G = Tutorial(*given, **options)
    with torch.no_grad():
        G(torch.randn(8, Z, 1, 1))  # running averages of its own
    return G.eval()


@pytest.mark.parametrize(
    ("options", "size"), [({}, 64), ({"blocks": 5}, 128), ({"last": 1}, 32), ({"bias": True, "blocks": 3}, 32)]
)
def test_pictures_and_directions(tmp_path, options, size):
    G, path = made(**options), tmp_path / "netG.pth"
    torch.save(G.state_dict(), path)
    opened = open_network(path)
    assert opened.hook.name == "dcgan" and "taken to be as in PyTorch's tutorial" in opened.warnings[0]
    assert opened.sizes == {"z_dim": Z, "c_dim": 0, "w_dim": Z, "num_ws": 1, "resolution": size, "channels": 3}
    held, z = load_network(path), torch.randn(2, Z)
    assert torch.allclose(held(z), G(z[:, :, None, None]).detach(), atol=1e-5)
    natively, in_memory = factorize(held), factorize(G)
    np.testing.assert_allclose(natively.vectors, in_memory.vectors, atol=1e-4)
    np.testing.assert_allclose(natively.eigenvalues, in_memory.eigenvalues, atol=1e-4)
    moved = edit(z, natively, {0: 2.0})
    want = (G(moved[:, :, None, None]).detach().permute(0, 2, 3, 1) * 127.5 + 128).clamp(0, 255).numpy()
    assert np.abs(np.stack(list(render(held, moved))) - want).max() <= 1
    with pytest.raises(ValueError, match="truncation is not possible"):
        held.mapping(z, None, truncation_psi=0.5)


@pytest.mark.parametrize("key", ["netG", "generator", "G", "model_g.module"])
def test_under_a_key(tmp_path, key):
    G, held = made(3), {}
    inside = held
    for step in key.split(".")[:-1]:
        inside = inside.setdefault(step, {})
    inside[key.split(".")[-1]] = G.state_dict()
    torch.save({"epoch": 3, **held, "netD": {"main.0.weight": torch.zeros(4, 3, 4, 4)}}, tmp_path / "both.pth")
    z = torch.randn(1, Z)
    G_of_file = load_network(tmp_path / "both.pth", which="G" if key in ("G", "generator") else "G_ema")
    assert torch.allclose(G_of_file(z), G(z[:, :, None, None]).detach(), atol=1e-5)


def test_what_is_not_one_is_refused(tmp_path):
    state, path = made(3).state_dict(), tmp_path / "net.pth"
    torch.save({**state, "main.4.more": torch.zeros(2)}, path)
    with pytest.raises(HookError, match=r"has extra tensor main\.4\.more"):
        open_network(path)
    torch.save({name: tensor for name, tensor in state.items() if not name.startswith("main.6")}, path)
    with pytest.raises(HookError, match=r"its layers main\.N\.weight are not those"):
        open_network(path)
    discriminator = nn.Sequential(nn.Conv2d(3, 4, 4), nn.ReLU(), nn.Conv2d(4, 8, 4), nn.BatchNorm2d(8), nn.ReLU())
    torch.save({f"main.{name}": tensor for name, tensor in discriminator.state_dict().items()}, path)
    with pytest.raises((HookError, NetworkFileError)):
        open_network(path)
