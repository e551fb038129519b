"""The benchmarks measure the same pictures, and say what they measured. No time is tested."""

import json
from dataclasses import replace

import pytest
import torch
from click.testing import CliRunner

from benchmarks import contest, networks, plain, report
from benchmarks.__main__ import main

SMALL = {"channel_base": 512, "channel_max": 16}
TINY = {
    "sg2": networks.Case("sg2", "stylegan2", 64, {**SMALL, "conv_clamp": 256}),
    "sg3t": networks.Case("sg3t", "stylegan3", 32, {**SMALL, "num_layers": 4}),
    "sg3r": networks.Case("sg3r", "stylegan3", 32, {**networks._R, **SMALL, "num_layers": 4}),
}


@pytest.mark.parametrize("name", list(TINY))
def test_plain_operators_make_our_pictures(name):
    G = networks.ours(TINY[name])
    ws = G.mapping(torch.randn(2, networks.W_DIM), None)
    with torch.no_grad():
        ours, simple = G.synthesis(ws, noise_mode="const"), plain.synthesize(G, ws)
    assert ours.std() > 0.01
    assert abs(ours - simple).max() < 1e-5 * max(1, float(simple.abs().max()))


@pytest.mark.parametrize("name", list(TINY))
def test_work_is_that_of_the_convolutions(name, monkeypatch):
    """Counted while they run, by the sizes they are given."""
    G = networks.ours(TINY[name])
    counted = []

    def counting(run, transposed):
        def conv(x, weight, *args, groups=1, **options):
            y = run(x, weight, *args, groups=groups, **options)
            if groups == 1:  # filters are not counted
                counted.append(2 * weight.numel() * (x if transposed else y)[0, 0].numel())
            return y

        return conv

    for function, transposed in (("conv2d", False), ("conv_transpose2d", True)):
        monkeypatch.setattr(torch.nn.functional, function, counting(getattr(torch.nn.functional, function), transposed))
    with torch.no_grad():
        G.synthesis(G.mapping(torch.randn(1, networks.W_DIM), None), noise_mode="const")
    assert networks.convolution_work(G) == sum(counted)


def works(fails):
    def run(number):
        if fails and number == 1:
            raise ValueError("no more")

    return run


def test_contestants_take_turns_and_one_that_fails_drops_out():
    entries = [
        contest.Entry("good", "test_benchmarks:works", (False,)),
        contest.Entry("bad", "test_benchmarks:works", (True,)),
    ]
    results = contest.compete(entries, 3, warm_up=1)
    assert len(results["good"].seconds) == 3 and results["good"].peak_bytes > 0 and not results["good"].error
    assert results["bad"].error == "ValueError: no more"


def test_compare(tmp_path):
    result = contest.Result([0.2, 0.4, 0.3], 1000)
    case = replace(TINY["sg2"], batch=2)
    held = {"machine": {"torch": "1"}, "rows": [report.row(case, {"plain": result}, 3e9, {"float32": 4e10})]}
    about = held["rows"][0]["contestants"]["plain"]
    assert about["seconds_per_picture"] == 0.15 and about["share"] == pytest.approx(0.5)
    before, after = tmp_path / "a.json", tmp_path / "b.json"
    before.write_text(json.dumps(held))
    about["seconds"], held["machine"]["torch"] = 0.1, "2"
    after.write_text(json.dumps(held))
    done = CliRunner().invoke(main, ["compare", str(before), str(after)])
    assert done.exit_code == 0, done.output
    assert "3.00x the speed" in done.output and "torch differs: 1 and 2" in done.output
