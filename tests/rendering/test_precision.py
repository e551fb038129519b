"""bfloat16 on a CPU: how far pictures may be from float32, and who is refused."""

import numpy as np
import pytest
import torch

from sefa_plugin import load_network
from sefa_plugin.rendering import set_up
from sefa_plugin.rendering.frames import render
from sefa_plugin.rendering.latents import z_from_seeds

MEAN, LARGEST = 2.0, 24.0  # of 255, stated in docs/performance.md


@pytest.fixture
def able(monkeypatch):
    """As if the processor had it: where it does not, oneDNN computes the same slowly."""
    if not hasattr(torch.cpu, "_is_avx512_bf16_supported"):
        pytest.skip("the option is refused with an old torch, which cannot be asked")
    monkeypatch.setattr(set_up, "cpu_has_bfloat16", lambda: True)


def both(G, ws, **options):
    full = np.stack(list(render(G, [ws], **options))).astype(int)
    set_up.use_bfloat16(G)
    reduced = np.stack(list(render(G, [ws], **options))).astype(int)
    set_up.use_bfloat16(G, False)
    assert np.array_equal(np.stack(list(render(G, [ws], **options))), full)
    return full, reduced


@pytest.mark.parametrize("batch_size", [1, 4])
def test_the_bundled_network_stays_close(able, batch_size):
    G = load_network("demo")
    ws = G.mapping(z_from_seeds(range(8), G.z_dim), None)
    full, reduced = both(G, ws, batch_size=batch_size)
    apart = abs(full - reduced)
    assert 0 < apart.mean() <= MEAN and apart.max() <= LARGEST


@pytest.mark.parametrize("name", ["sg2ada-skip-64", "sg3t-64", "sg3r-64"])
def test_random_networks_stay_close_relative_to_their_size(able, golden, name):
    case, G = golden(name), load_network(golden(name).pickle)
    ws = torch.from_numpy(case["out/ws"])
    set_up.use_bfloat16(G)
    with torch.no_grad():
        reduced = G.synthesis(ws, noise_mode="const").numpy()
        again = G.synthesis(ws, noise_mode="const", force_fp32=True).numpy()
    wanted = case["out/img_const"]
    assert abs(again - wanted).max() < 1e-5 * max(1, abs(wanted).max())
    assert 1e-4 < np.sqrt(((reduced - wanted) ** 2).mean()) / wanted.std() < 0.03


def test_refused_where_it_would_be_slow_or_has_no_effect(monkeypatch):
    G = load_network("demo")
    monkeypatch.setattr(set_up, "cpu_has_bfloat16", lambda: False)
    with pytest.raises(set_up.PrecisionError, match="no bfloat16"):
        set_up.use_bfloat16(G)
    assert not set_up.uses_bfloat16(G)

    class Other:
        synthesis = torch.nn.Linear(2, 2)

    with pytest.raises(set_up.PrecisionError, match="float32 only"):
        set_up.use_bfloat16(Other())


def test_asking_the_processor():
    assert set_up.cpu_has_bfloat16() in (True, False)


@pytest.mark.command
def test_the_option(able, monkeypatch, tmp_path):
    from click.testing import CliRunner

    from sefa_plugin.commands.cli import gen_sefa

    given = ["--network", "demo", "--precision", "bf16", "--outdir", str(tmp_path), "--directions", "0", "--seeds", "1"]
    given += ["--video", "none", "--distance", "2", "--device", "cpu"]
    done = CliRunner().invoke(gen_sefa, given)
    assert done.exit_code == 0, done.output
    assert "--precision bf16" in (tmp_path / "run.json").read_text()
    monkeypatch.setattr(set_up, "cpu_has_bfloat16", lambda: False)
    refused = CliRunner().invoke(gen_sefa, [*given, "--overwrite"])
    assert refused.exit_code == 2 and "no bfloat16" in refused.output
