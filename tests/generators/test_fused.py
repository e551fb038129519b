"""The compiled non-linearity, beside the same in PyTorch's operations."""

import math

import numpy as np
import pytest
import torch

from sefa_plugin import load_network
from sefa_plugin.generators import kaiser, ops

fused = pytest.importorskip("sefa_plugin.generators.fused", reason="Numba is not installed (the extra fast)")


@pytest.fixture(scope="module", autouse=True)
def two_threads():
    """How rows are shared out depends on their number."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def taps(count, radial=False):
    """A low-pass filter as StyleGAN3 designs them."""
    return torch.as_tensor(kaiser.lowpass(count, 3.0, 4.0, 32.0, radial), dtype=torch.float32)


def both(x, monkeypatch, **options):
    with torch.no_grad():
        compiled = ops.filtered_lrelu(x, **options)
        with monkeypatch.context() as patch:
            patch.setattr(ops, "numba_works", lambda: False)
            plain = ops.filtered_lrelu(x, **options)
    return compiled, plain


@pytest.mark.parametrize("radial", [False, True])
@pytest.mark.parametrize(
    "up, down, padding, size",
    [
        (2, 2, (9, 8, 9, 8), (14, 14)),
        (2, 2, (3, 12, 8, 9), (11, 23)),
        (4, 2, (-6, -9, -6, -9), (20, 20)),
        (4, 2, (5, 14, -13, 0), (17, 9)),
        (4, 4, (13, 14, 13, 14), (9, 12)),
        (2, 2, (-11, -12, -11, -12), (31, 30)),
        (2, 1, (9, 8, 9, 8), (9, 10)),
        (2, 2, (99, 8, 9, 70), (12, 11)),
        (2, 2, (9, 40, 9, -9), (20, 28)),
    ],
)
@pytest.mark.parametrize("clamp", [None, 0.5])
def test_equal_to_the_plain_operators(monkeypatch, radial, up, down, padding, size, clamp):
    torch.manual_seed(0)
    down_kernel = taps(12 if down == 1 else 6 * down, radial)
    options = {"up_kernel": taps(6 * up), "down_kernel": down_kernel, "bias": torch.randn(3), "up": up, "down": down}
    x = torch.randn(2, 3, *size)
    calls = []
    run = fused.filtered_lrelu
    monkeypatch.setattr(fused, "filtered_lrelu", lambda *args: calls.append(1) or run(*args))
    compiled, plain = both(x, monkeypatch, **options, padding=padding, gain=1.7, slope=0.3, clamp=clamp)
    assert calls == [1]  # or this would compare the plain one with itself
    assert compiled.shape == plain.shape
    assert abs(compiled - plain).max() < 1e-5 * max(1, float(plain.abs().max()))
    last = x.contiguous(memory_format=torch.channels_last)
    again, _ = both(last, monkeypatch, **options, padding=padding, gain=1.7, slope=0.3, clamp=clamp)
    assert torch.equal(again, compiled)


@pytest.mark.parametrize(
    "factors, cutoff, width", [(1, 0.3, 8), (2, 1, 4), (3, 3, 4), (4, 6, 4), (5, 9, 3), (6, 14, 2)]
)
def test_radial_filters_of_every_rank(monkeypatch, factors, cutoff, width):
    torch.manual_seed(0)
    down_kernel = torch.as_tensor(kaiser.lowpass(12, cutoff, width, 32.0, True), dtype=torch.float32)
    assert len(fused._factors(down_kernel.numpy(), 2)[0]) == factors  # each number of them has loops of its own
    options = {"up_kernel": taps(12), "down_kernel": down_kernel, "bias": torch.randn(3), "up": 2, "down": 2}
    x = torch.randn(1, 3, 16, 16)
    compiled, plain = both(x, monkeypatch, **options, padding=(9, 8, 9, 8), gain=1.4, slope=0.2, clamp=None)
    assert abs(compiled - plain).max() < 3e-6 * float(plain.abs().max())


def test_what_it_is_not_written_for_is_left_to_the_operators(monkeypatch):
    up, down = taps(12), taps(12)
    good = (up.numpy(), down.numpy(), 2, 2)
    assert fused.fits(*good)
    lopsided = np.arange(144, dtype=np.float32).reshape(12, 12)
    for place, other in (
        (0, up.numpy()[:8]),
        (0, np.outer(up, up)),
        (1, down.numpy()[:10]),
        (1, lopsided),
        (2, 1),
        (3, 3),
    ):
        changed = [*good]
        changed[place] = other
        assert not fused.fits(*changed), (place, other)
    monkeypatch.setattr(fused, "filtered_lrelu", None)  # must not be called
    x = torch.randn(1, 2, 12, 12)
    options = {"up": 2, "down": 2, "padding": (9, 8, 9, 8)}
    assert ops.filtered_lrelu(x.requires_grad_(), up, down, **options).requires_grad
    with torch.no_grad():
        ops.filtered_lrelu(x.double(), up, down, **options)
        ops.filtered_lrelu(x, up, down, flip_filter=True, **options)
        ops.filtered_lrelu(x, up, down, gain=-1, **options)
        ops.filtered_lrelu(x, None, down, down=2, padding=(0, 0, 0, 0))


@pytest.mark.parametrize("name", ["sg3t-64", "sg3r-64"])
def test_a_whole_network_with_and_without(golden, monkeypatch, name):
    case, G = golden(name), load_network(golden(name).pickle)
    ws = torch.from_numpy(case["out/ws"])
    with torch.no_grad():
        compiled = G.synthesis(ws)
        monkeypatch.setattr(ops, "numba_works", lambda: False)
        plain = G.synthesis(ws)
    for picture in (compiled, plain):
        assert abs(picture.numpy() - case["out/img_const"]).max() < 1e-5
    assert math.isfinite(float(compiled.sum())) and not torch.equal(compiled, plain)


def test_threads_follow_torch(monkeypatch):
    import numba

    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        x = torch.randn(1, 2, 12, 12)
        with torch.no_grad():
            ops.filtered_lrelu(x, taps(12), taps(12), up=2, down=2, padding=(9, 8, 9, 8))
        assert numba.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)


def test_radial_filters_are_few_separable_ones():
    kernel = taps(12, radial=True).numpy()
    across, along = fused._factors(kernel, 2)
    assert across.shape == (len(across), 6) and along.shape == (2, len(across), 6) and 2 <= len(across) <= 4
    columns = along.transpose(1, 2, 0).reshape(len(across), 12)  # the numbers of rows from their quotients and remains
    rows = np.concatenate([across, across[:, ::-1]], axis=1)
    assert abs(columns.T.astype(float) @ rows.astype(float) - kernel).max() < 3e-6 * abs(kernel).max()
    across, along = fused._factors(taps(12).numpy(), 2)
    assert across.shape == (1, 6) and along.shape == (2, 1, 6)


def test_filters_of_either_kind_need_one_compilation():
    """Numba compiles anew for each layout in memory, some ten seconds each time."""
    import numba

    separable, radial = (fused._factors(taps(12, radial).numpy(), 2) for radial in (False, True))
    assert [numba.typeof(part) for part in separable] == [numba.typeof(part) for part in radial]


@pytest.mark.command  # compiles for another type, for some twenty seconds the first time
@pytest.mark.parametrize("up, down, size", [(2, 2, 12), (4, 2, 12), (4, 4, 24)])
@pytest.mark.parametrize("channels", [3, 70, 200])
def test_bfloat16_goes_in_and_out_rounded_once(up, down, size, channels):
    torch.manual_seed(1)
    x = torch.randn(1, channels, 13, 11).to(torch.bfloat16)
    options = {"up": up, "down": down, "padding": (9, 8, 9, 8), "clamp": 2.0, "bias": torch.randn(channels)}
    filters = (taps(6 * up), taps(size, radial=True))
    with torch.no_grad():
        half = ops.filtered_lrelu(x, *filters, **options)
        whole = ops.filtered_lrelu(x.to(torch.float32), *filters, **options)
    assert half.dtype == torch.bfloat16
    assert torch.equal(half, whole.to(torch.bfloat16))


def test_bfloat16_without_numba(monkeypatch):
    monkeypatch.setattr(ops, "numba_works", lambda: False)
    x = torch.randn(1, 2, 12, 12).to(torch.bfloat16)
    options = {"up": 2, "down": 2, "padding": (9, 8, 9, 8)}
    with torch.no_grad():
        half = ops.filtered_lrelu(x, taps(12), taps(12), **options)
        whole = ops.filtered_lrelu(x.to(torch.float32), taps(12), taps(12), **options)
    assert half.dtype == torch.bfloat16 and torch.equal(half, whole.to(torch.bfloat16))


def test_whether_the_loops_were_compiled_before(tmp_path, monkeypatch):
    """In this process, or for Numba's folder; not where neither holds them."""
    code, stats = fused._run.py_func.__code__, fused._run.stats

    class New:
        signatures, py_func = [], fused._run.py_func

    New.stats = stats._replace(cache_path=str(tmp_path))
    monkeypatch.setattr(fused, "_run", New)
    assert not fused.is_compiled()
    (tmp_path / f"fused._run-{code.co_firstlineno}.py311.nbi").touch()
    assert fused.is_compiled()
    New.stats = stats._replace(cache_path=None)
    assert not fused.is_compiled()
    New.signatures = [()]
    assert fused.is_compiled()
