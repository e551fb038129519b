"""The operators that network files call, against their definitions written out, and their gradients."""

import itertools
import math

import numpy as np
import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck

from sefa_plugin.third_party.torch_utils import custom_ops
from sefa_plugin.third_party.torch_utils.ops import (
    bias_act,
    conv2d_gradfix,
    conv2d_resample,
    filtered_lrelu,
    fma,
    grid_sample_gradfix,
    upfirdn2d,
)

SEPARABLE = [0.1, 0.5, 0.7, 0.2, 0.4, 0.9, 0.3, 0.6]
UNEVEN = [[0.2, 0.5, 0.1], [0.9, 0.3, 0.4]]  # 2 high, 3 wide


def noise(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def taps(f, flip, gain=1.0):
    """What a picture is multiplied with, [kh, kw], as a correlation."""
    f = np.ones((1, 1)) if f is None else f.double().numpy()
    f = np.outer(f, f) if f.ndim == 1 else f
    return (f if flip else f[::-1, ::-1]) * gain


def stuffed(x, up_x, up_y, padding):
    """Zeros between the pixels, then padding; negative padding cuts."""
    n, c, h, w = x.shape
    left, right, top, bottom = padding
    out = np.zeros((n, c, h * up_y + top + bottom, w * up_x + left + right))
    for i, j in itertools.product(range(h), range(w)):
        row, column = i * up_y + top, j * up_x + left
        if 0 <= row < out.shape[2] and 0 <= column < out.shape[3]:
            out[:, :, row, column] = x[:, :, i, j]
    return out


def correlated(x, kernel, step_x=1, step_y=1):
    """Every place where the kernel fits inside the picture."""
    high, wide = kernel.shape
    rows = range(0, x.shape[2] - high + 1, step_y)
    columns = range(0, x.shape[3] - wide + 1, step_x)
    out = np.zeros((*x.shape[:2], len(rows), len(columns)))
    for (a, i), (b, j) in itertools.product(enumerate(rows), enumerate(columns)):
        out[:, :, a, b] = (x[:, :, i : i + high, j : j + wide] * kernel).sum((2, 3))
    return out


def resampled(x, f, up=(1, 1), down=(1, 1), padding=(0, 0, 0, 0), flip=False, gain=1.0):
    return correlated(stuffed(x, *up, padding), taps(f, flip, gain), *down)


FILTERS = {
    "none": None,
    "separable": upfirdn2d.setup_filter(SEPARABLE),
    "uneven": upfirdn2d.setup_filter(UNEVEN),
    "one": upfirdn2d.setup_filter([3.0], separable=True, normalize=False),
}


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize(
    "up, down, padding, sides",
    [
        (1, 1, 7, (7, 7, 7, 7)),
        (2, 1, [6, 7], (6, 6, 7, 7)),
        ([3, 1], [1, 2], [5, 4, 6, 8], (5, 4, 6, 8)),
        (4, 3, [-2, 5, 6, -1], (-2, 5, 6, -1)),
        ([1, 2], [3, 1], [9, -5, 3, 7], (9, -5, 3, 7)),
        (2, 2, [30, -25, 8, 8], (30, -25, 8, 8)),  # cuts more than the picture had
    ],
)
@pytest.mark.parametrize("name", FILTERS)
def test_upfirdn2d(name, up, down, padding, sides, flip):
    x, f = noise(2, 3, 5, 6), FILTERS[name]
    pair = [n if isinstance(n, list) else [n, n] for n in (up, down)]
    wanted = resampled(x.numpy(), f, *pair, sides, flip, 1.7)
    for impl in ("ref", "cuda"):
        got = upfirdn2d.upfirdn2d(x, f, up, down, padding, flip, 1.7, impl)
        np.testing.assert_allclose(got.numpy(), wanted, atol=1e-6)


@pytest.mark.parametrize("name", [*FILTERS, "bilinear"])
@pytest.mark.parametrize("padding, more", [(0, (0, 0, 0, 0)), ([2, -1, 1, 3], (2, -1, 1, 3))])
@pytest.mark.parametrize("factor", [1, 2, 3, [2, 1]])
def test_up_and_down_and_filter_stay_centred(name, padding, more, factor):
    x = noise(1, 2, 12, 12)
    f = upfirdn2d.setup_filter([1, 3, 3, 1]) if name == "bilinear" else FILTERS[name]
    high, wide = taps(f, False).shape
    by_x, by_y = factor if isinstance(factor, list) else (factor, factor)

    def sides(*around):
        return tuple(a + b for a, b in zip(around, more))

    up = sides((wide + by_x - 1) // 2, (wide - by_x) // 2, (high + by_y - 1) // 2, (high - by_y) // 2)
    wanted = resampled(x.numpy(), f, (by_x, by_y), padding=up, flip=True, gain=0.5 * by_x * by_y)
    got = upfirdn2d.upsample2d(x, f, factor, padding, True, 0.5)
    np.testing.assert_allclose(got.numpy(), wanted, atol=1e-6)
    plain = resampled(x.numpy(), f, (by_x, by_y), padding=up, gain=by_x * by_y)
    np.testing.assert_allclose(upfirdn2d.upsample2d(x, f, factor, padding).numpy(), plain, atol=1e-6)

    down = sides((wide - by_x + 1) // 2, (wide - by_x) // 2, (high - by_y + 1) // 2, (high - by_y) // 2)
    wanted = resampled(x.numpy(), f, down=(by_x, by_y), padding=down, flip=True, gain=0.5)
    got = upfirdn2d.downsample2d(x, f, factor, padding, True, 0.5)
    np.testing.assert_allclose(got.numpy(), wanted, atol=1e-6)

    same = sides(wide // 2, (wide - 1) // 2, high // 2, (high - 1) // 2)
    wanted = resampled(x.numpy(), f, padding=same, flip=True, gain=0.5)
    np.testing.assert_allclose(upfirdn2d.filter2d(x, f, padding, True, 0.5).numpy(), wanted, atol=1e-6)


def test_setup_filter():
    short = upfirdn2d.setup_filter([1, 2, 5])
    assert torch.allclose(short, torch.outer(torch.tensor([1.0, 2, 5]), torch.tensor([1.0, 2, 5])) / 64)
    assert short.dtype == torch.float32
    assert upfirdn2d.setup_filter(SEPARABLE).shape == (8,)
    assert upfirdn2d.setup_filter(SEPARABLE, separable=False).shape == (8, 8)
    assert torch.equal(upfirdn2d.setup_filter([1, 2, 5], separable=True), torch.tensor([1.0, 2, 5]) / 8)
    raw = upfirdn2d.setup_filter(np.array(UNEVEN), normalize=False, flip_filter=True, gain=3)
    assert torch.allclose(raw, torch.tensor(UNEVEN).flip([0, 1]) * 3)
    # A separable filter acts along both axes, so each time it has the root of the gain.
    assert torch.allclose(upfirdn2d.setup_filter([1, 3], separable=True, gain=4), torch.tensor([0.5, 1.5]))
    assert torch.equal(upfirdn2d.setup_filter(None), torch.ones(1, 1))
    assert torch.equal(upfirdn2d.setup_filter(5.0, normalize=False), torch.full((1, 1), 25.0))
    given = torch.tensor([1.0, 3.0])
    upfirdn2d.setup_filter(given)
    assert torch.equal(given, torch.tensor([1.0, 3.0]))  # stays what it was
    for wrong in ([], np.zeros((2, 2, 2))):
        with pytest.raises(ValueError, match="a filter of shape"):
            upfirdn2d.setup_filter(wrong)
    with pytest.raises(ValueError, match=r"\[2, 3\]: taps of shape \[n\] are needed"):
        upfirdn2d.setup_filter(UNEVEN, separable=True)


def test_helpers_that_other_operators_import():
    assert upfirdn2d._parse_scaling(3) == (3, 3)
    assert upfirdn2d._parse_scaling((1, 2)) == (1, 2)
    assert upfirdn2d._parse_padding(3) == (3, 3, 3, 3)
    assert upfirdn2d._parse_padding([1, -2]) == (1, 1, -2, -2)
    assert upfirdn2d._parse_padding(np.array([1, 2, 3, 4]).tolist()) == (1, 2, 3, 4)
    assert filtered_lrelu._parse_padding([np.int64(1), 2]) == (1, 1, 2, 2)
    assert upfirdn2d._get_filter_size(None) == (1, 1)
    assert upfirdn2d._get_filter_size(torch.ones(5)) == (5, 5)
    assert conv2d_resample._get_filter_size(torch.ones(2, 3)) == (3, 2)
    for wrong in (0, [1, 0], [1], 1.5, "2"):
        with pytest.raises(AssertionError, match="no factor"):
            upfirdn2d._parse_scaling(wrong)
    for wrong in ([1, 2, 3], 0.5, [1, 0.5]):
        with pytest.raises(AssertionError, match="no padding"):
            upfirdn2d._parse_padding(wrong)


def test_wrong_arguments_of_upfirdn2d():
    x = noise(1, 1, 4, 4)
    with pytest.raises(AssertionError, match=r"\[N, C, H, W\]"):
        upfirdn2d.upfirdn2d(x[0], None)
    with pytest.raises(AssertionError, match="impl"):
        upfirdn2d.upsample2d(x, None, impl="fast")
    with pytest.raises(AssertionError, match="setup_filter"):
        upfirdn2d.filter2d(x, [1, 2, 1])
    with pytest.raises(AssertionError, match="floating"):
        upfirdn2d.downsample2d(x, torch.ones(2, 2, dtype=torch.int64))
    with pytest.raises(AssertionError, match="4x2 pixels after padding is smaller than the filter, 3x3"):
        upfirdn2d.upfirdn2d(x, torch.ones(3), padding=[-1, -1, 0, 0])
    assert upfirdn2d.upfirdn2d(x, torch.ones(3), padding=[-1, 0, 0, 0]).shape == (1, 1, 2, 1)


ACTIVATIONS = {
    "linear": (lambda x, a: x, 0, 1, ""),
    "relu": (lambda x, a: max(x, 0), 0, 2**0.5, "y"),
    "lrelu": (lambda x, a: x if x > 0 else a * x, 0.2, 2**0.5, "y"),
    "tanh": (lambda x, a: math.tanh(x), 0, 1, "y"),
    "sigmoid": (lambda x, a: 1 / (1 + math.exp(-x)), 0, 1, "y"),
    "elu": (lambda x, a: x if x > 0 else math.exp(x) - 1, 0, 1, "y"),
    "selu": (lambda x, a: 1.0507009873554805 * (x if x > 0 else 1.6732632423543772 * (math.exp(x) - 1)), 0, 1, "y"),
    "softplus": (lambda x, a: math.log1p(math.exp(x)), 0, 1, "y"),
    "swish": (lambda x, a: x / (1 + math.exp(-x)), 0, 2**0.5, "x"),
}


@pytest.mark.parametrize("number, act", list(enumerate(ACTIVATIONS, start=1)))
def test_bias_act(number, act):
    function, alpha, gain, saves = ACTIVATIONS[act]
    record = bias_act.activation_funcs[act]
    assert list(bias_act.activation_funcs) == list(ACTIVATIONS)
    assert (record.def_alpha, record.cuda_idx, record.ref) == (alpha, number, saves)
    assert record.has_2nd_grad == (number > 3)
    assert record.def_gain == pytest.approx(gain)
    x, b = noise(2, 3, 4), noise(4, seed=1)
    one = float(record.func(x, alpha=record.def_alpha)[0, 0, 0])
    assert one == pytest.approx(function(float(x[0, 0, 0]), alpha))

    def wanted(values, a, g):
        return np.vectorize(lambda v: g * function(v, a))(values.numpy())

    np.testing.assert_allclose(bias_act.bias_act(x, act=act).numpy(), wanted(x, alpha, gain), rtol=1e-12)
    full = bias_act.bias_act(x, b, 2, act, 0.7, 1.5, 0.6, "ref")
    np.testing.assert_allclose(full.numpy(), wanted(x + b, 0.7, 1.5).clip(-0.6, 0.6), rtol=1e-12)
    first = bias_act.bias_act(x, b[:3], act=act, gain=0)
    assert not first.any() and first.shape == x.shape
    assert gradcheck(lambda x, b: bias_act.bias_act(x, b, 1, act), (x.requires_grad_(), b[:3].requires_grad_()))
    assert gradgradcheck(lambda x: bias_act.bias_act(x, None, 1, act), (x,))


def test_bias_act_leaves_its_input_alone_and_keeps_its_dtype():
    kind = (
        torch.bfloat16 if torch.__version__.startswith("1.") else torch.float16
    )  # a CPU computes in float16 from 2.0 on
    x = noise(2, 3).to(kind)
    before = x.clone()
    with torch.no_grad():
        out = bias_act.bias_act(x, x[0], act="lrelu", gain=2, clamp=1)
    assert torch.equal(x, before)
    assert out.dtype == kind
    assert torch.equal(bias_act.bias_act(x, clamp=0), torch.zeros_like(x))


@pytest.mark.parametrize(
    "wrong, message",
    [
        ({"b": torch.ones(2)}, "2 biases for axis 1"),
        ({"b": torch.ones(3, 1)}, "one axis"),
        ({"b": torch.ones(3), "dim": 2}, "no axis 2"),
        ({"b": torch.ones(3), "dim": -1}, "no axis -1"),
        ({"clamp": -1}, "negative"),
        ({"impl": "fast"}, "impl"),
    ],
)
def test_wrong_arguments_of_bias_act(wrong, message):
    with pytest.raises(AssertionError, match=message):
        bias_act.bias_act(torch.ones(2, 3), **wrong)
    with pytest.raises(KeyError):
        bias_act.bias_act(torch.ones(2, 3), act="cubic")


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize(
    "up, down, padding, clamp, slope", [(2, 2, 9, None, 0.2), (4, 2, [12, -1, 9, 11], 0.8, 0), (1, 3, [9, 8], None, 1)]
)
@pytest.mark.parametrize("fu, fd", [("separable", "uneven"), ("none", "separable"), ("uneven", "none")])
def test_filtered_lrelu(fu, fd, up, down, padding, clamp, slope, flip):
    x, b = noise(2, 3, 5, 4), noise(3, seed=1)
    fu, fd = FILTERS[fu], FILTERS[fd]
    sides = [padding] * 4 if isinstance(padding, int) else padding
    sides = [sides[0], sides[0], sides[1], sides[1]] if len(sides) == 2 else sides
    for bias in (None, b):
        start = x if bias is None else x + bias[:, None, None]
        wide = resampled(start.numpy(), fu, (up, up), padding=sides, flip=flip, gain=up**2)
        wide = np.where(wide > 0, wide, slope * wide) * 1.3
        wide = wide if clamp is None else wide.clip(-clamp, clamp)
        wanted = resampled(wide, fd, down=(down, down), flip=flip)
        before = x.clone()
        with torch.no_grad():
            got = filtered_lrelu.filtered_lrelu(x, fu, fd, bias, up, down, padding, 1.3, slope, clamp, flip)
        np.testing.assert_allclose(got.numpy(), wanted, atol=1e-6)
        assert torch.equal(x, before)
        graph = filtered_lrelu.filtered_lrelu(
            x.clone().requires_grad_(), fu, fd, bias, up, down, padding, 1.3, slope, clamp, flip
        )
        np.testing.assert_allclose(graph.detach().numpy(), wanted, atol=1e-6)


def test_filtered_lrelu_defaults_are_a_leaky_relu():
    x = noise(1, 2, 3, 3)
    wanted = np.where(x > 0, x, 0.2 * x) * 2**0.5
    np.testing.assert_allclose(filtered_lrelu.filtered_lrelu(x).numpy(), wanted)
    for wrong, message in (
        ({"b": torch.ones(2)}, "bias must be torch.float64"),
        ({"b": noise(3)}, r"shape \[2\]"),
        ({"up": 0}, "factor"),
        ({"down": 1.5}, "factor"),
        ({"gain": 0}, "gain"),
        ({"slope": -0.1}, "slope"),
        ({"clamp": -1}, "clamp"),
        ({"impl": ""}, "impl"),
        ({"fd": [1, 2]}, "filter"),
    ):
        with pytest.raises(AssertionError, match=message):
            filtered_lrelu.filtered_lrelu(x, **wrong)


def convolved(x, w, groups=1, correlate=True):
    """A convolution without padding, summed channel by channel."""
    w = w if correlate else w[:, :, ::-1, ::-1]
    out, per = w.shape[:2]
    found = []
    for o in range(out):
        first = o // (out // groups) * per
        found.append(sum(correlated(x[:, first + i : first + i + 1], w[o, i]) for i in range(per)))
    return np.concatenate(found, axis=1)


def resamplings():
    """Every filter at every pair of factors with every kernel, and both ways of turning each round in turn."""
    flips = list(itertools.product([False, True], repeat=2))
    names, factors, sizes = ("none", "separable", "uneven"), ((1, 1), (2, 1), (1, 2), (3, 2)), ((1, 1), (3, 3), (2, 3))
    for places in itertools.product(range(3), range(4), range(3), range(2)):
        name, factor, size, groups = places
        yield names[name], *factors[factor], sizes[size], 1 + groups, flips[(name + factor + 2 * size + groups) % 4]


@pytest.mark.command
@pytest.mark.parametrize("name, up, down, size, groups, flips", list(resamplings()))
def test_conv2d_resample(name, up, down, size, groups, flips):
    x, w, f = noise(1, 2, 6, 7), noise(4, 2 // groups, *size, seed=1), FILTERS[name]
    high, wide = taps(f, False).shape
    for padding, sides in ((1, (1, 1, 1, 1)), ([3, -1, 2, 4], (3, -1, 2, 4))):
        left, right, top, bottom = sides
        if up > 1:
            left, right = left + (wide + up - 1) // 2, right + (wide - up) // 2
            top, bottom = top + (high + up - 1) // 2, bottom + (high - up) // 2
        if down > 1:
            left, right = left + (wide - down + 1) // 2, right + (wide - down) // 2
            top, bottom = top + (high - down + 1) // 2, bottom + (high - down) // 2
        wanted = stuffed(x.numpy(), up, up, (left, right, top, bottom))
        if up > 1:
            wanted = correlated(wanted, taps(f, flips[1], up**2))
        wanted = convolved(wanted, w.numpy(), groups, flips[0])
        if down > 1:
            wanted = correlated(wanted, taps(f, flips[1]), down, down)
        got = conv2d_resample.conv2d_resample(x, w, f, up, down, padding, groups, *flips)
        np.testing.assert_allclose(got.numpy(), wanted, atol=1e-5)


def test_wrong_arguments_of_conv2d_resample():
    x, w = noise(1, 2, 4, 4), noise(2, 2, 1, 1)
    assert conv2d_resample.conv2d_resample(x, w).shape == x.shape
    for wrong, message in (
        ({"w": w.float()}, "weight must be torch.float64"),
        ({"w": w[0]}, "weight must be"),
        ({"x": x[0]}, "N, C, H, W"),
        ({"up": 0}, "up is 0"),
        ({"down": 1.0}, "down is 1.0"),
        ({"groups": 0}, "groups is 0"),
        ({"f": 3}, "filter"),
    ):
        with pytest.raises(AssertionError, match=message):
            conv2d_resample.conv2d_resample(**{"x": x, "w": w, **wrong})


@pytest.mark.command
def test_gradients_of_the_resampling_operators():
    x = noise(1, 2, 3, 3).requires_grad_()
    f = upfirdn2d.setup_filter(UNEVEN)
    b = noise(2, seed=2).requires_grad_()
    w = noise(2, 2, 2, 2, seed=1).requires_grad_()
    grown = upfirdn2d.setup_filter([1, 3, 3, 1])
    for function, inputs in (
        (lambda x: upfirdn2d.upfirdn2d(x, f, 2, [1, 2], [3, -1, 2, 2], gain=2), (x,)),
        (lambda x: upfirdn2d.upsample2d(x, grown), (x,)),
        (lambda x: upfirdn2d.downsample2d(x, f), (x,)),
        (lambda x, b: filtered_lrelu.filtered_lrelu(x, f, f, b, 2, 2, 4, clamp=2), (x, b)),
        (lambda x, w: conv2d_resample.conv2d_resample(x, w, f, 2, 1, 1, 1, False), (x, w)),
        (lambda x, w: conv2d_resample.conv2d_resample(x, w, f, 1, 2, 1), (x, w)),
    ):
        assert gradcheck(function, inputs)
        assert gradgradcheck(function, inputs, fast_mode=True)


def test_convolutions_and_the_switch_for_their_weights(monkeypatch):
    x, w, b = noise(1, 2, 4, 4), noise(4, 1, 3, 3, seed=1), noise(4, seed=2)
    plain = torch.nn.functional.conv2d(x, w, b, stride=2, padding=1, dilation=1, groups=2)
    assert torch.equal(conv2d_gradfix.conv2d(x, w, b, 2, 1, 1, 2), plain)
    wide = torch.nn.functional.conv_transpose2d(x, w[:2], None, stride=2, padding=1, output_padding=1, dilation=2)
    assert torch.equal(conv2d_gradfix.conv_transpose2d(x, w[:2], None, 2, 1, 1, 1, 2), wide)

    assert (conv2d_gradfix.enabled, conv2d_gradfix.weight_gradients_disabled) == (False, False)
    x.requires_grad_(), w.requires_grad_()
    functions = (
        lambda: conv2d_gradfix.conv2d(x, w, groups=2),
        lambda: conv2d_gradfix.conv_transpose2d(x, w[:2]),
        lambda: conv2d_resample.conv2d_resample(x, w, padding=1, groups=2),
    )
    for enabled, function in itertools.product((False, True), functions):
        monkeypatch.setattr(conv2d_gradfix, "enabled", enabled)
        with conv2d_gradfix.no_weight_gradients(False):
            assert torch.autograd.grad(function().sum(), w)[0].any()
        with conv2d_gradfix.no_weight_gradients():
            assert conv2d_gradfix.weight_gradients_disabled
            with conv2d_gradfix.no_weight_gradients(False):
                found = torch.autograd.grad(function().square().sum(), (x, w), create_graph=True, allow_unused=True)
            assert (found[1] is None) == enabled
        # The gradient that was taken inside can still be differentiated by the weights outside.
        assert torch.autograd.grad(found[0].square().sum(), w)[0].any()
        with pytest.raises(ZeroDivisionError), conv2d_gradfix.no_weight_gradients():
            raise ZeroDivisionError
        assert not conv2d_gradfix.weight_gradients_disabled
    monkeypatch.setattr(conv2d_gradfix, "enabled", True)
    assert gradcheck(lambda x, w: conv2d_gradfix.conv2d(x, w, groups=2), (x, w))
    assert gradgradcheck(lambda x, w: conv2d_gradfix.conv2d(x, w, groups=2), (x, w))


def test_grid_sample():
    picture, grid = noise(2, 3, 4, 5), noise(2, 6, 7, 2, seed=1) * 0.8
    wanted = np.zeros((2, 3, 6, 7))
    for n, i, j in itertools.product(range(2), range(6), range(7)):
        x = (float(grid[n, i, j, 0]) + 1) / 2 * 5 - 0.5
        y = (float(grid[n, i, j, 1]) + 1) / 2 * 4 - 0.5
        for row, column in itertools.product(range(4), range(5)):
            share = max(0, 1 - abs(x - column)) * max(0, 1 - abs(y - row))
            wanted[n, :, i, j] += share * picture[n, :, row, column].numpy()
    np.testing.assert_allclose(grid_sample_gradfix.grid_sample(picture, grid).numpy(), wanted, atol=1e-12)
    np.testing.assert_allclose(grid_sample_gradfix._formula(picture, grid).numpy(), wanted, atol=1e-12)
    with pytest.raises(AssertionError, match="grid"):
        grid_sample_gradfix.grid_sample(picture, grid[0])


@pytest.mark.parametrize("which", [(True, True), (True, False), (False, True)])
def test_grid_sample_can_be_differentiated_again(which):
    picture, grid = noise(1, 2, 3, 4), noise(1, 3, 2, 2, seed=1)
    inputs = [t.requires_grad_(wanted) for t, wanted in zip((picture, grid), which)]
    assert gradcheck(grid_sample_gradfix.grid_sample, inputs)
    assert gradgradcheck(grid_sample_gradfix.grid_sample, inputs)
    assert gradgradcheck(grid_sample_gradfix._formula, inputs)  # the former's second order, whatever PyTorch can
    # Without a graph the gradient comes from PyTorch's operator; both must be the same.
    out = grid_sample_gradfix.grid_sample(*inputs).sum()
    wanted = [t for t in inputs if t.requires_grad]
    kept = torch.autograd.grad(out, wanted, create_graph=True)
    dropped = torch.autograd.grad(out, wanted)
    assert all(torch.allclose(a, b, atol=1e-12) for a, b in zip(kept, dropped))


def test_fma():
    a, b, c = (t.requires_grad_() for t in (noise(2, 3), noise(3, seed=1), noise(2, 1, seed=2)))
    assert torch.allclose(fma.fma(a, b, c), a * b + c)
    assert gradcheck(fma.fma, (a, b, c))
    assert gradgradcheck(fma.fma, (a, b, c))


def test_nothing_is_compiled():
    assert custom_ops.verbosity == "brief"
    with pytest.raises(RuntimeError, match="^bias_act_plugin: .*compiles no operators") as error:
        custom_ops.get_plugin("bias_act_plugin", sources=["bias_act.cu"], extra_cuda_cflags=[])
    assert "\n" not in str(error.value)
