import itertools

import numpy as np
import pytest
import torch
from torch import nn

from sefa_plugin import load_network
from sefa_plugin.rendering.frames import FramesError, render, to_uint8


class Synthesis(nn.Module):
    """Paints ws into a picture of 4 x 6 pixels, and draws noise as the networks do."""

    def __init__(self, channels=3, strength=0.5):
        super().__init__()
        self.scale = nn.Parameter(torch.ones([]))
        self.channels, self.strength = channels, strength
        self.calls = []

    def forward(self, ws, noise_mode="const", force_fp32=False):
        self.calls.append((tuple(ws.shape), noise_mode, force_fp32, torch.is_grad_enabled()))
        x = (ws[:, :, :1] * self.scale).mean(dim=1)[:, :, None, None].expand(-1, self.channels, 4, 6)
        if noise_mode == "random":
            x = x + self.strength * torch.randn(len(ws), 1, 4, 6)
        return x


class Generator:
    def __init__(self, **given):
        self.synthesis = Synthesis(**given)


def ws(count):
    return torch.linspace(-0.9, 0.9, count)[:, None, None].expand(-1, 5, 7)


def test_pixels_are_the_toolkits():
    values = torch.tensor([-2, -1, -0.5, 0, 0.5, 0.99, 1, 2])
    img = values.reshape(1, 1, 2, 4)
    wanted = [(float(v) * 127.5 + 128) for v in values]
    assert to_uint8(img).shape == (1, 2, 4, 1)
    assert to_uint8(img).ravel().tolist() == [int(min(max(v, 0), 255)) for v in wanted]
    assert to_uint8(img).ravel().tolist() == [0, 0, 64, 128, 191, 254, 255, 255]


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_pictures_are_in_order_and_as_the_network_made_them(channels):
    pictures = list(render(Generator(channels=channels), ws(5), batch_size=2))
    assert [p.shape for p in pictures] == [(4, 6, channels)] * 5
    assert all(p.dtype == np.uint8 for p in pictures)
    levels = [int(p[0, 0, 0]) for p in pictures]
    assert levels == [int(np.float32(v) * 127.5 + 128) for v in (-0.9, -0.45, 0, 0.45, 0.9)]


@pytest.mark.parametrize("batch_size", [1, 2, 3, 8])
def test_batches_are_full_and_change_nothing(batch_size):
    G = Generator()
    pictures = list(render(G, (row for row in ws(7)), batch_size=batch_size))
    sizes = [shape[0] for shape, *_ in G.synthesis.calls]
    assert sizes == [batch_size] * (7 // batch_size) + [7 % batch_size] * (7 % batch_size > 0)
    assert np.array_equal(pictures, list(render(Generator(), ws(7))))


def test_every_kind_of_schedule_gives_the_same():
    plain = list(render(Generator(), ws(6)))
    for kind in (list(ws(6)), [ws(6)[:2], ws(6)[2], ws(6)[3:]], ws(6).double().numpy(), iter(ws(6))):
        assert np.array_equal(list(render(Generator(), kind, batch_size=4)), plain)
    assert np.array_equal(list(render(Generator(), ws(6)[3])), plain[3:4])
    assert list(render(Generator(), [])) == []


def test_a_long_schedule_is_pulled_one_batch_at_a_time():
    pulled = []
    endless = (pulled.append(1) or torch.zeros(5, 7) for _ in itertools.count())
    frames = render(Generator(), endless, batch_size=3)
    assert pulled == []
    next(frames)
    assert len(pulled) == 3


def test_random_noise_stands_still_during_a_video():
    schedule = torch.zeros(4, 5, 7)
    before = torch.random.get_rng_state()
    first, *rest = render(Generator(), schedule, batch_size=2, noise_mode="random")
    assert first.std() > 0
    assert all(np.array_equal(first, other) for other in rest)
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.rand(3)  # whatever was drawn before, a second run gives the same video
    again = list(render(Generator(), schedule, batch_size=4, noise_mode="random"))
    assert np.array_equal(again[-1], first)


def test_const_noise_and_no_gradient_unless_asked_for():
    G = Generator()
    frames = render(G, ws(2))
    next(frames)
    assert torch.is_grad_enabled()  # between two frames the caller's own setting holds
    list(frames)
    assert [call[1:] for call in G.synthesis.calls] == [("const", True, False)] * 2
    list(render(G, ws(1), noise_mode="none"))
    assert G.synthesis.calls[-1][1] == "none"


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_pixels_that_are_no_numbers(value):
    schedule = torch.zeros(3, 5, 7)
    schedule[1] = value
    frames = render(Generator(), schedule)
    next(frames)
    with pytest.raises(FramesError, match="NaN or infinite pixels"):
        next(frames)


def test_arguments_that_make_no_sense():
    with pytest.raises(ValueError, match="batch_size 0"):
        next(render(Generator(), ws(2), batch_size=0))
    with pytest.raises(ValueError, match=r"holds \[7\], expected \[num_ws, w_dim\]"):
        next(render(Generator(), [torch.zeros(7)]))


def test_a_real_network_at_any_batch_size(golden):
    case = golden("sg2ada-skip-64")
    G = load_network(case.pickle)
    schedule = torch.from_numpy(np.concatenate([case["out/ws"], case["in/ws_edit"]]))
    wanted = to_uint8(torch.from_numpy(np.concatenate([case["out/img_const"], case["out/img_edit"]])))
    for batch_size in (1, 3):
        got = np.stack(list(render(G, schedule, batch_size=batch_size)))
        assert abs(got.astype(int) - wanted).max() <= 1
