"""Numbers at the edge: weights that are none, zero, tiny or huge; spaces of one dimension; ties; half precision."""

import hashlib
import json
import os
import re
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from sefa_plugin import Directions, factorize, load_network, render
from sefa_plugin.commands import cli
from sefa_plugin.directions import layers, matching
from sefa_plugin.directions.closed_form import decompose, factorize_weights
from sefa_plugin.directions.ties import ROUNDING, remark_on, remarks, tied, zero_eigenvalues
from sefa_plugin.generators import ops, stylegan2, stylegan3
from sefa_plugin.media import alignment, change, effect
from sefa_plugin.reading import converted_file
from sefa_plugin.rendering import calibration, frames
from sefa_plugin.rendering.calibration import FURTHEST, calibrate

SIZES = {
    "z_dim": 8,
    "c_dim": 0,
    "w_dim": 8,
    "img_resolution": 8,
    "img_channels": 3,
    "mapping_kwargs": {"num_layers": 2},
}
SMALL = {"synthesis_kwargs": {"channel_base": 64, "channel_max": 8}}


def small_network(path, change=lambda tensors: None, kind=stylegan2, seed=0, **given):
    """A file of a small network whose tensors ``change`` has altered."""
    arguments = {**SIZES, **(SMALL if kind is stylegan2 else {"channel_base": 64, "channel_max": 8}), **given}
    torch.manual_seed(seed)
    G = kind.Generator(**arguments)
    tensors = {name: tensor.numpy().copy() for name, tensor in G.state_dict().items()}
    change(tensors)
    held = {**dict(G.named_parameters()), **dict(G.named_buffers())}
    parts = [(name, key) for name, part in G.named_modules() for key in (*part._parameters, *part._buffers)]
    none = [f"{name}.{key}" for name, key in parts if f"{name}.{key}".lstrip(".") not in held]
    converted_file.write(path, converted_file.Converted("Generator", "G_ema", [], arguments, none, [], {}, tensors))
    return path


def affines(function):
    """A change of every affine weight."""

    def change(tensors):
        for name in tensors:
            if name.endswith("affine.weight"):
                tensors[name] = function(tensors[name])

    return change


def put(name, value, at=...):
    """A change of one tensor, or of one number in it."""

    def change(tensors):
        tensors[name][at] = value

    return change


def sefa(*words):
    result = CliRunner().invoke(cli.sefa, [str(word) for word in words])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def error(result, code):
    """The one line that it ended with."""
    assert result.exit_code == code, result.output
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
    assert "unexpected" not in line
    return line


# --- weights ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize(
    "name", ["synthesis.b8.conv0.affine.weight", "synthesis.b8.conv0.weight", "mapping.fc0.weight", "mapping.w_avg"]
)
def test_one_number_that_is_none(tmp_path, name, bad):
    path = small_network(tmp_path / "n.safetensors", lambda tensors: put(name, bad, (0,) * tensors[name].ndim)(tensors))
    line = error(sefa("sheet", "--network", path, "--outdir", tmp_path / "out"), 1)
    assert f"tensor {name} holds NaN or infinity" in line
    result = sefa("factorize", "--network", path, "--outdir", tmp_path / "out")
    assert result.exit_code == (1 if "affine" in name else 0)  # the others have no part in it


def test_numbers_that_float32_cannot_hold(tmp_path):
    def change(tensors):
        tensors["synthesis.b8.conv0.weight"] = tensors["synthesis.b8.conv0.weight"] * np.float64(1e200)

    path = small_network(tmp_path / "n.safetensors", change)
    line = error(sefa("sheet", "--network", path, "--outdir", tmp_path / "out"), 1)
    assert "synthesis.b8.conv0.weight holds" in line and "more than float32 can" in line


@pytest.mark.parametrize("scale", [1e-40, 1e-30, 1e30])
def test_denormal_and_huge_weights_have_the_same_directions(tmp_path, scale):
    """Rows are brought to length; the denormal ones are as exact as their few digits."""
    rows = np.random.RandomState(0).randint(-3, 4, (9, 4)) * 2.0
    plain, scaled = factorize([rows]), factorize([(rows * scale).astype(np.float32)])
    assert abs(plain.vectors - scaled.vectors).max() < (1e-3 if scale == 1e-40 else 1e-6)
    path = small_network(tmp_path / "n.safetensors", affines(lambda w: (w * scale).astype(np.float32)))
    assert sefa("sheet", "--network", path, "-K", 1, "--seeds", 0, "--outdir", tmp_path / "out").exit_code == 0


@given(hnp.arrays(np.float64, (5, 3), elements=st.floats(-9, 9)), st.integers(-290, 290))
@settings(max_examples=60)
def test_rows_of_any_size_come_to_length(rows, exponent):
    scaled = rows * 10.0**exponent
    if (
        np.isfinite(scaled).all()
        and (scaled != 0).sum() == (rows != 0).sum()
        and abs(rows[rows != 0]).min(initial=1) > 1e-9
    ):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            one, other = factorize_weights([rows]), factorize_weights([scaled])
        assert other.eigenvalues == pytest.approx(one.eigenvalues, abs=1e-9)
        assert other.eigenvalues.sum() == pytest.approx(np.any(rows, axis=1).sum())  # rows of length 1, or of zeros


@pytest.mark.parametrize("scale", [1e-200, 1e200])
@pytest.mark.parametrize("rows", [1, 9])
def test_what_float64_cannot_square_is_said(scale, rows):
    with pytest.raises(ValueError, match="too large or too small to be squared in float64"):
        factorize_weights([np.ones((rows, 8)) * scale], normalize=False)


@pytest.mark.parametrize("weight", [np.ones((2, 2), complex), np.array([["a", "b"]]), np.array([[None, 1]])])
def test_what_is_no_real_number_is_refused(weight):
    with pytest.raises(ValueError, match=r"second holds .*, expected real numbers"):
        factorize({"first": np.eye(2), "second": weight})


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
def test_how_weights_are_stored_changes_nothing(tmp_path, kind):
    def change(tensors):
        tensors.update({name: tensor.astype(np.float16).astype(kind) for name, tensor in tensors.items()})

    made = factorize(load_network(small_network(tmp_path / "n.safetensors", change)))
    plain = factorize(load_network(small_network(tmp_path / "p.safetensors", affines(lambda w: w.astype(np.float16)))))
    assert np.array_equal(made.vectors, plain.vectors)


# --- what eigenvalues do not tell apart ---------------------------------------------------------------


def spectrum_of(*singular, k=None):
    """Directions with these singular values, turned at random, of weights as float32."""
    dim = len(singular)
    turn = np.linalg.qr(np.random.RandomState(1).randn(dim, dim))[0]
    return factorize([(np.diag(singular) @ turn).astype(np.float32)], normalize=False, num_directions=k)


def test_ties_are_told_and_nothing_else():
    assert remarks(spectrum_of(5, 4, 3, 2)) == []
    both = "directions 1-2 have equal eigenvalues: only the space that they span is defined"
    assert remarks(spectrum_of(5, 3, 3, 2)) == [both]
    assert remarks(spectrum_of(0.05, 0.03, 0.03, 0.02)) == [both]  # whatever the size of the weights
    assert remarks(spectrum_of(0.05, 0.04, 0.03, 1e-7)) == []
    several = remarks(spectrum_of(5, 5, 3, 2, 2, 2, 1))
    assert several == [
        "directions 0-1; 3-5 have equal eigenvalues: of each run, only the space that they span is defined"
    ]
    assert (
        remark_on(spectrum_of(5, 3, 3, 2), 2)
        == "has the same eigenvalue as 1: only the space that they span is defined"
    )
    assert remark_on(spectrum_of(5, 3, 3, 2), 0) == ""


@pytest.mark.parametrize(("roundings", "runs"), [(1.9, [[1, 2]]), (2.1, []), (3.0, [])])
def test_a_gap_of_more_than_two_roundings_is_no_tie(roundings, runs):
    """In singular values, where one rounding is 2^-24 sqrt(dim) of the largest."""
    gap = roundings * 2.0**-24 * np.sqrt(4) * 5
    sizes = np.array([5.0, 3.0 + gap, 3.0, 2.0])
    assert tied(Directions.of(np.eye(4), sizes**2, (0,)))[0] == runs


@pytest.mark.parametrize(("roundings", "zero"), [(0.9, [3]), (1.1, [])])
def test_what_is_larger_than_one_rounding_is_not_0(roundings, zero):
    sizes = np.array([5.0, 3.0, 2.0, roundings * 2.0**-24 * np.sqrt(4) * 5])
    assert zero_eigenvalues(Directions.of(np.eye(4), sizes**2, (0,))) == zero


def test_a_tie_with_what_was_left_out():
    made = spectrum_of(5, 3, 3, 2, k=2)
    assert made.next_eigenvalue == pytest.approx(9)
    assert remarks(made) == [
        "directions 1 and further ones have equal eigenvalues: only the space that they span is defined"
    ]
    assert remark_on(made, 1) == "has the same eigenvalue as further ones: only the space that they span is defined"
    assert remarks(spectrum_of(5, 3, 3, 2, k=1)) == remarks(spectrum_of(5, 3, 3, 2, k=3))[1:] == []
    assert made.chosen([0]).next_eigenvalue is None


def test_directions_that_nothing_responds_to():
    made = spectrum_of(5, 3, 0, 0)
    assert zero_eigenvalues(made) == [2, 3]
    assert remarks(made) == ["directions 2-3 have eigenvalue 0: the layers do not respond to them"]
    assert remark_on(made, 3) == "eigenvalue 0: the layers do not respond to it"
    assert remarks(spectrum_of(5, 4, 3, 0)) == ["direction 3 has eigenvalue 0: the layers do not respond to it"]
    assert remarks(factorize([np.zeros((3, 4))])) == [
        "every direction has eigenvalue 0: the weights of these layers are zero"
    ]
    # Of imported directions eigenvalues are often not known, and 0.
    assert remarks(Directions.of(np.eye(3), np.zeros(3), (0,), origin="numpy")) == []


@given(st.integers(2, 24), st.integers(0, 2**32 - 1), st.integers(1, 6))
@settings(max_examples=40)
def test_the_tolerance_is_what_rounding_to_float32_can_do(dim, seed, rank):
    """Of weights with a planted tie and a planted rank, rounded as files round them, both are found again."""
    rng = np.random.RandomState(seed)
    sizes = np.concatenate([[9.0, 5.0, 5.0], np.linspace(4, 2, 24)])[: min(dim, rank + 2)]
    sizes = np.concatenate([sizes, np.zeros(dim - len(sizes))])
    left, right = (np.linalg.qr(rng.randn(side, dim))[0][:, :dim] for side in (3 * dim, dim))
    made = factorize([(left * sizes @ right.T).astype(np.float32)], normalize=False)
    assert tied(made)[0] == ([[1, 2]] if dim > 2 else [])
    assert zero_eigenvalues(made) == list(range(min(dim, rank + 2), dim))
    exact = np.linalg.svd(left * sizes @ right.T, compute_uv=False)
    moved = abs(np.sqrt(made.eigenvalues[sizes > 0]) - exact[sizes > 0]).max(initial=0)
    assert moved <= ROUNDING * np.sqrt(dim) * exact[0] + 1e-12  # Weyl


def test_rank_and_ties_are_said_wherever_directions_are_listed(tmp_path):
    path = small_network(tmp_path / "n.safetensors", affines(lambda w: np.outer(w[:, 0], np.ones(8)).astype("f4")))
    says = "directions 1-7 have eigenvalue 0: the layers do not respond to them"
    out = tmp_path / "out"
    result = sefa("factorize", "--network", path, "--outdir", out)
    assert f"Note: {says}" in result.stdout.splitlines()
    assert f"Note: {says}" in sefa("name", out).stdout.splitlines()
    from safetensors import safe_open

    with safe_open(str(out / "directions.safetensors"), framework="np") as file:
        assert json.loads(file.metadata()["remarks"]) == [says]
    result = sefa("sheet", "--network", path, "--outdir", out, "-K", 2, "--seeds", 0)
    assert says in result.stderr
    assert "eigenvalue 0: the layers do not respond to it" in (out / "index.html").read_text()
    sefa("factorize", "--network", path, "--outdir", tmp_path / "one", "-K", 1)
    held = Directions.load(tmp_path / "one" / "directions.safetensors")
    assert held.next_eigenvalue == pytest.approx(0, abs=1e-12)


def test_the_sign_of_equal_components_does_not_hang_on_rounding():
    """0.7071 and -0.7071: whichever were the larger in its last bit would be made positive."""
    for noise in (1e-12, -1e-12):
        vectors = decompose(np.array([[1.0, -1.0 - noise], [0.1, 0.1]])).vectors
        assert vectors[0] == pytest.approx([np.sqrt(0.5), -np.sqrt(0.5)], abs=1e-9)


# --- small spaces -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "sizes"),
    [
        (stylegan2, {"w_dim": 1}),
        (stylegan2, {"z_dim": 1, "w_dim": 1, "img_resolution": 4, "img_channels": 1}),
        pytest.param(stylegan2, {"img_resolution": 4}, marks=pytest.mark.hard),
        (stylegan3, {"img_resolution": 16, "num_layers": 3, "num_critical": 1, "w_dim": 1}),  # an odd num_ws
    ],
)
def test_the_smallest_networks_go_all_the_way(tmp_path, monkeypatch, kind, sizes):
    monkeypatch.setattr(ops, "numba_works", lambda: False)  # compiling takes longer than all the rest
    path = small_network(tmp_path / "n.safetensors", kind=kind, **sizes)
    out = tmp_path / "out"
    words = ["--seeds", 0, "-K", 2, "--frames", 2, "--video", "gif"]
    result = sefa("render", "--network", path, *words, "--outdir", out)
    assert result.exit_code == 0, result.output
    held = Directions.load(out / "directions.safetensors")
    assert len(held) == min(2, sizes.get("w_dim", 8))
    if kind is stylegan3:
        assert held.num_ws == 5
    in_z = sefa("sheet", "--network", path, "--space", "z", "-K", 1, "--seeds", 0, "--outdir", tmp_path / "z")
    assert in_z.exit_code == 0, in_z.output
    if sizes.get("w_dim") == 1:
        assert "this space has 1 directions" in result.stderr
        assert abs(held.vectors).tolist() == [[1.0]]


class OneRow(torch.nn.Module):
    """A generator in memory with a single row of ws."""

    z_dim, w_dim, c_dim, num_ws, img_resolution, img_channels = 3, 2, 0, 1, 4, 3

    def __init__(self):
        super().__init__()
        self.mapping = torch.nn.Linear(3, 2)
        self.mapping.forward = lambda z, c=None, **_: torch.nn.functional.linear(z, self.mapping.weight)[:, None]
        self.synthesis = _OneLayer()


class _OneLayer(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.affine = torch.nn.Linear(2, 3)

    def forward(self, ws, noise_mode="const"):
        return torch.tanh(self.affine(ws[:, 0]))[:, :, None, None].repeat(1, 1, 4, 4)


def test_a_single_row_of_ws():
    torch.manual_seed(0)
    made = factorize(OneRow())
    assert (made.layers, made.num_ws, made.vectors.shape) == ((0,), 1, (2, 2))


# --- pictures -----------------------------------------------------------------------------------------


def ranges_of(path, change=lambda tensors: None):
    G = load_network(small_network(path, change))
    return calibrate(G, factorize(G, num_directions=3))


def test_ranges_where_pictures_never_change(tmp_path):
    """No picture tells how far is far: a range ends at 20 sigmas, or before, and is finite."""

    def constant(tensors):
        for name in tensors:
            if "torgb.weight" in name:
                tensors[name].fill(0)

    held = ranges_of(tmp_path / "n.safetensors", constant)
    for (low, high), sigma in zip(held.ranges, held.sigmas):
        assert -low == high == pytest.approx(FURTHEST * sigma, rel=0.1)


@pytest.mark.parametrize("kept", [0, 1])
def test_ranges_where_w_does_not_vary(tmp_path, kept):
    """Collapsed mappings: w a point, or a line. Pictures still answer to every direction, and ranges go there."""

    def collapsed(tensors):
        tensors["mapping.fc1.weight"][kept:] = 0

    usual, held = ranges_of(tmp_path / "n.safetensors"), ranges_of(tmp_path / "c.safetensors", collapsed)
    assert min(held.sigmas) < 1e-5 if kept == 0 else max(held.sigmas) > 0.01
    for (low, high), (low0, high0) in zip(held.ranges, usual.ranges):
        assert high - low > (high0 - low0) / 10


def half(layer, device, force_fp32):
    """What a network works in on a graphics card, on a processor."""
    return torch.float16 if layer.use_fp16 and not force_fp32 else torch.float32


@pytest.fixture
def as_on_cuda(monkeypatch):
    monkeypatch.setattr(ops, "working_dtype", half)
    monkeypatch.setattr(frames, "working_dtype", half)
    monkeypatch.setattr(frames, "uses_bfloat16", lambda G: True)  # so that float32 is not forced


def half_network(path, scale, clamp=None):
    def change(tensors):
        for name in tensors:
            if name.endswith(("conv0.weight", "conv1.weight", "torgb.weight")):
                tensors[name] *= np.float32(scale)

    options = {"channel_base": 256, "channel_max": 8, "num_fp16_res": 3, "conv_clamp": clamp}
    return load_network(small_network(path, change, img_resolution=32, synthesis_kwargs=options))


@pytest.mark.parametrize("scale", [1e-4, 1.0, 1e4])
def test_float16_layers_are_as_exact_as_float16(as_on_cuda, tmp_path, scale):
    """Styles and weights are brought to at most 1 before they are rounded."""
    G = half_network(tmp_path / "n.safetensors", scale)
    ws = G.mapping(torch.randn(2, 8, generator=torch.Generator().manual_seed(0)), None)
    exact, made = (G.synthesis(ws, noise_mode="const", force_fp32=force) for force in (True, False))
    assert not torch.equal(exact, made)
    assert abs(made - exact).max() < 4e-3 * abs(exact).max()


def test_overflow_of_float16_says_what_to_do(as_on_cuda, tmp_path):
    G = half_network(tmp_path / "n.safetensors", 1e6)
    ws = torch.ones(1, G.num_ws, 8)
    with pytest.raises(
        frames.FramesError, match=r"NaN or infinite pixels: its float16 layers overflow; use --precision"
    ):
        list(render(G, ws))
    assert len(list(render(G, ws, force_fp32=True))) == 1
    clamped = half_network(tmp_path / "c.safetensors", 1e6, clamp=256)  # what conv_clamp is for
    assert len(list(render(clamped, ws))) == 1


def test_overflow_of_float32_says_that_it_is_the_weights(tmp_path):
    path = small_network(tmp_path / "n.safetensors", affines(lambda w: np.full_like(w, 3e38)))
    line = error(sefa("sheet", "--network", path, "--outdir", tmp_path / "out"), 1)
    assert "if even its unedited pictures are so, its weights are too large for float32" in line
    assert not list((tmp_path / "out").rglob("*.jpg"))


# --- what is typed ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("option", "value"),
    [
        *(
            (option, value)
            for option in ("--trunc", "--rotate", "--fov-deg", "--fps", "--max-mb")
            for value in ("nan", "inf")
        ),
        ("--translate", "nan,0"),
        ("--camera", "0,inf"),
        ("--distance", "nan"),
        ("--distance", "1e30"),
        ("--seeds", "4294967296"),
        ("--seeds", "9" * 400),
        ("--trunc-cutoff", "9" * 30),
    ],
)
def test_numbers_that_make_no_sense(tmp_path, option, value):
    path = small_network(tmp_path / "n.safetensors")
    error(sefa("render", "--network", path, option, value, "--video", "gif", "--outdir", tmp_path / "out"), 2)


@pytest.mark.parametrize(
    "words", [("--trunc", 0), ("--trunc", -1), ("--trunc", 1e30), ("--distance", "1e6"), ("-K", 99)]
)
def test_numbers_that_are_odd_and_fine(tmp_path, words):
    path = small_network(tmp_path / "n.safetensors")
    result = sefa("sheet", "--network", path, "-K", 1, *words, "--seeds", 4294967295, "--outdir", tmp_path / "out")
    assert result.exit_code == 0, result.output
    if words[0] == "-K":
        assert len(list((tmp_path / "out" / "sheets").glob("all-dir*.jpg"))) == 8
        assert "-K 99: this space has 8 directions" in result.stderr


# --- the same again -----------------------------------------------------------------------------------

AGAIN = """
import sys
import numpy as np
from click.testing import CliRunner
from sefa_plugin import factorize
from sefa_plugin.commands import cli
network, out = sys.argv[1:]
words = ["render", "--network", network, "--outdir", out, "-K", "2", "--seeds", "0", "--frames", "4", "--video", "png"]
result = CliRunner().invoke(cli.sefa, words)
assert result.exit_code == 0, result.output
made = factorize([np.random.RandomState(row).randn(512, 512).astype(np.float32) for row in range(4)])
np.savez(f"{out}/large.npz", vectors=made.vectors, eigenvalues=made.eigenvalues)
"""


@pytest.mark.hard  # seconds
def test_runs_repeat(golden, tmp_path):
    """With as many threads every output is the same, byte for byte, whatever the hash seed; with others to the bounds
    that docs/method.md states."""
    started = {}
    for name, threads, seed in (("one", "1", "1"), ("again", "1", "2"), ("two", "2", "3")):
        environ = {**os.environ, "PYTHONHASHSEED": seed, "OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads}
        environ["PYTHONPATH"] = str(Path(cli.__file__).parents[2])
        (tmp_path / name).mkdir()  # the same words in every command: outputs note it
        words = [sys.executable, "-W", "ignore", "-c", AGAIN, golden("sg2ada-skip-64").pickle, "out"]
        started[name] = subprocess.Popen(words, cwd=tmp_path / name, env=environ, stderr=subprocess.PIPE, text=True)
    for process in started.values():
        told = process.communicate(timeout=170)[1]
        assert process.returncode == 0, told
    made = {
        name: {
            path.relative_to(tmp_path / name).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted((tmp_path / name).rglob("*"))
            if path.is_file()
        }
        for name in started
    }
    assert len(made["one"]) >= 2 * 4 + 4
    assert made["one"] == made["again"]
    one, two = (np.load(tmp_path / name / "out" / "large.npz") for name in ("one", "two"))
    assert abs(one["eigenvalues"] - two["eigenvalues"]).max() < 1e-13 * one["eigenvalues"][0]
    assert abs(one["vectors"] - two["vectors"]).max() < 1e-7
    first, second = (Directions.load(tmp_path / name / "out" / "directions.safetensors") for name in ("one", "two"))
    assert abs(first.vectors - second.vectors).max() < 1e-7
    assert np.array(first.ranges) == pytest.approx(np.array(second.ranges), rel=0.03)  # two digits are told
    from PIL import Image

    for path in sorted((tmp_path / "one").rglob("*.png")):
        twin = tmp_path / "two" / path.relative_to(tmp_path / "one")
        pictures = [np.asarray(Image.open(each)).astype(int) for each in (path, twin)]
        if first.ranges == second.ranges:
            assert abs(pictures[0] - pictures[1]).max() <= 1


# --- figures that documents state ----------------------------------------------------------------------


def document(name):
    return " ".join((Path(__file__).parents[1] / name).read_text(encoding="utf-8").replace("*", "").split())


def test_figures_of_the_method_are_those_of_the_code():
    weyl = ROUNDING * np.sqrt(512)
    share, _, scale, turn = alignment.FARTHEST
    words = {name: threshold for kind in effect.NOTICED.values() for name, (threshold, *_) in kind.items()}
    assert [*calibration.SEEDS] == [*range(4)] and [*calibration.MORE_SEEDS] == [*range(8)]  # "four seeds (eight ..."
    assert (change.CLIPPED, calibration.ONE_SIDED, effect.CONSISTENT, share) == (0.1, 0.25, 2 / 3, 0.25)
    text = document("docs/method.md")
    for figure in (
        f"| `coarse` | up to {layers.BOUNDS['coarse']:.0f} pixels |",
        f"| `middle` | up to {layers.BOUNDS['middle']:.0f} |",
        f"power mean (exponent {change.POWER}, ",
        f"both are reduced to at most {change.LONGEST} pixels",
        f"to a visible change of {calibration.TARGET} on average over four seeds",
        f"(eight of StyleGAN2 networks of up to {calibration.SMALL} pixels)",
        f"get {calibration.ALIKE} of that difference instead",
        f"to the power of {calibration.GROWTH}, about",
        "breaks before a quarter of the other side",
        f"No range goes beyond {FURTHEST:.0f} sigmas",
        f"on at most {effect.LONGEST} pixels",
        f"it leaves at most {100 * alignment.EXPLAINED:.0f} % of the difference",
        f"then correlate by {alignment.CORRELATED} or more",
        f"({words['brightness']:.0f} points of lightness, {words['saturation']:.0f} % of saturation, "
        f"{words['hue']:.0f}° of hue, {words['contrast']:.0f} % of contrast, {words['detail']:.0f} % of detail, "
        f"{words['shift_x']:.0f} % of shift, {words['zoom']:.0f} % of zoom, {words['rotation']:.0f}° of tilt)",
        f"beyond a quarter of the picture, {np.exp(scale):.1f} times the size or {np.degrees(turn):.0f}° are ignored",
        f"For 512 components that is {2 * weyl:.1e} and {weyl:.1e}".replace("e-0", "e-"),
        f"takes eigenvalues within {matching.EQUAL:.0e} as equal".replace("e-0", "e-"),
        "w agrees to 1e-5 and pictures to 1e-5 of their largest value",  # tests/generators/test_generators.py
    ):
        assert figure in text, figure
    tour = document("docs/tour.md")
    assert f"up to {layers.BOUNDS['coarse']:.0f} pixels, up to {layers.BOUNDS['middle']:.0f}, above" in tour
    assert "The tests hold latents and pictures to 1e-5 of their range" in document("README.md")


def test_documents_state_the_measured_time_of_the_first_sheet():
    (seconds,) = re.findall(r"seconds to the first sheet \| (\d+) \|", document("docs/performance.md"))
    assert f"({seconds} s after the command for a StyleGAN2 of 1024 pixels on 2 cores)" in document("docs/tour.md")
