"""StyleGAN-Human: pictures half as wide as they are high, in both generations."""

import copy

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from pickle_writer import dumps, network

from sefa_plugin import load_network
from sefa_plugin.commands.cli import sefa
from sefa_plugin.hook import HookError
from sefa_plugin.networks.opening import open_network

CASES = {"sghuman-sg2-64x32": "stylegan2_ada", "sghuman-sg3-64x32": "stylegan3"}


@pytest.fixture
def written(golden, tmp_path):
    def write(name, change=lambda tensors, kwargs: None):
        case = golden(name)
        tensors, kwargs = dict(case.state), copy.deepcopy(case.info["init_kwargs"])
        change(tensors, kwargs)
        path = tmp_path / f"{name}.pkl"
        path.write_bytes(dumps({"G_ema": network(tensors, kwargs)}))
        return path

    return write


@pytest.mark.parametrize("name, hook", CASES.items())
def test_golden(golden, written, name, hook):
    case, path = golden(name), written(name)
    opened, G = open_network(path), load_network(path)
    assert opened.hook.name == hook and not opened.warnings
    z, cut = torch.from_numpy(case["in/z"]), case.info["truncation"]["cutoff"]
    for key, options in (
        ("ws", {}),
        ("ws_psi07", {"truncation_psi": 0.7}),
        ("ws_psi07_cut", {"truncation_psi": 0.7, "truncation_cutoff": cut}),
    ):
        assert abs(G.mapping(z, None, **options).numpy() - case[f"out/{key}"]).max() < 1e-5, key
    for key, given, mode in (
        ("const", "out/ws", "const"),
        ("none", "out/ws", "none"),
        ("edit", "in/ws_edit", "const"),
        ("mix", "in/ws_mix", "const"),
    ):
        picture = G.synthesis(torch.from_numpy(case[given]), noise_mode=mode).numpy()
        want = case[f"out/img_{key}"]
        assert picture.shape == want.shape == (2, 3, 64, 32)
        assert abs(picture - want).max() < 1e-5 * max(1, abs(want).max()), key
    assert [layer.name for layer in opened.layers] == [layer["name"] for layer in case.info["style_layers"]]
    noisy = [G.synthesis(torch.from_numpy(case["out/ws"]), noise_mode="random") for _ in range(2)]
    assert noisy[0].shape == (2, 3, 64, 32) and torch.equal(*noisy) == (hook == "stylegan3")


@pytest.mark.parametrize("name", CASES)
def test_a_whole_run_keeps_the_shape(written, tmp_path, name):
    out = tmp_path / "out"
    words = ["render", "--network", str(written(name)), "--seeds", "0", "-K", "1", "--distance", "1", "--frames", "2"]
    result = CliRunner().invoke(sefa, [*words, "--video", "png", "--size", "native", "--outdir", str(out)])
    assert result.exit_code == 0, result.output
    from PIL import Image

    (first, _) = sorted(out.rglob("*.png"))
    with Image.open(first) as picture:
        assert picture.size == (32, 64)


@pytest.mark.parametrize(
    "name, change, message",
    [
        ("sghuman-sg2-64x32", lambda t, k: k.update(square=True), "mis-shaped tensor"),
        ("sghuman-sg2-64x32", lambda t, k: k.pop("square"), "mis-shaped tensor"),
        ("sghuman-sg2-64x32", lambda t, k: k.update(square=1), "square is 1"),
        ("sghuman-sg2-64x32", lambda t, k: k["synthesis_kwargs"].update(square=k.pop("square")), "square"),
        ("sghuman-sg3-64x32", lambda t, k: k.update(square=True), "lacks tensor"),
        ("sghuman-sg3-64x32", lambda t, k: k.update(square=0), "square is 0"),
        (
            "sghuman-sg2-64x32",
            lambda t, k: t.update({"synthesis.b4.const": np.zeros((24, 4, 4), "f4")}),
            "mis-shaped tensor synthesis.b4.const",
        ),
    ],
)
def test_what_is_refused(written, name, change, message):
    with pytest.raises(HookError, match=message):
        open_network(written(name, change))
