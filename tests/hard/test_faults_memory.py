"""Devices and computers without memory: smaller batches, then one clear line."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from faults import content, hidden, one_line
from toys import Planted

from sefa_plugin import load_network, render
from sefa_plugin.commands import cli
from sefa_plugin.evaluate.scorers.interface import ScorerError, scores_of
from sefa_plugin.rendering import frames
from sefa_plugin.rendering.latents import z_from_seeds
from sefa_plugin.system.processor import is_out_of_memory

CUDA = getattr(torch.cuda, "OutOfMemoryError", RuntimeError)
ERRORS = {
    "cuda": CUDA("CUDA out of memory. Tried to allocate 20.00 MiB (GPU 0; 2.00 GiB total capacity)"),
    "mps": RuntimeError("MPS backend out of memory (MPS allocated: 5.00 GB, other allocations: 4.00 GB)"),
    "cublas": RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    "cpu": RuntimeError(
        "[enforce fail at alloc_cpu.cpp:117] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to "
        "allocate 68719476736 bytes. Error code 12 (Cannot allocate memory)"
    ),
    "windows": RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 68719476736 bytes."),
    "numpy": MemoryError("Unable to allocate 16.0 GiB for an array with shape (2147483648,) and data type float64"),
}


class Small(torch.nn.Module):
    """A synthesis network of a device that has room for so many pictures at once."""

    def __init__(self, inner, room, error):
        super().__init__()
        self.inner, self.room, self.error = inner, room, error
        self.batches = []

    def forward(self, ws, **options):
        self.batches.append(len(ws))
        if len(ws) > self.room:
            raise type(self.error)(*self.error.args)  # a new one: an error holds on to where it was raised
        return self.inner(ws, **options)


def small(room, error):
    G = Planted()
    G.synthesis = Small(G.synthesis, room, error)
    return G, G.mapping(z_from_seeds(range(11), 6))


@pytest.mark.parametrize("kind", ERRORS)
def test_batches_become_smaller_until_they_fit(kind):
    assert is_out_of_memory(ERRORS[kind])
    G, ws = small(2, ERRORS[kind])
    pictures = list(render(G, ws, batch_size=8))
    assert G.synthesis.batches == [8, 4, 2, 2, 2, 2, 2, 1]
    assert np.array_equal(pictures, list(render(Planted(), ws)))
    G.synthesis.batches.clear()
    assert len(list(render(G, ws[:4], batch_size=4))) == 4
    assert G.synthesis.batches == [2, 2]  # what has fitted once is not tried out again


def test_not_even_one_picture(monkeypatch):
    G, ws = small(0, ERRORS["cuda"])
    with pytest.raises(CUDA):
        list(render(G, ws, batch_size=4))
    assert G.synthesis.batches == [4, 2, 1]


def test_other_errors_are_no_lack_of_memory():
    G, ws = small(2, RuntimeError("expected scalar type Half but found Float"))
    with pytest.raises(RuntimeError, match="scalar type"):
        list(render(G, ws, batch_size=4))
    assert G.synthesis.batches == [4]
    assert not is_out_of_memory(ValueError("x"))


def test_what_is_kept_for_later_pictures_goes_first(golden):
    """Features that an edit leaves unchanged only save time."""
    G = load_network(golden("sg2ada-skip-64").pickle)
    ws = G.mapping(z_from_seeds([0], 48), None).repeat(3, 1, 1)
    ws[:, 6:] += torch.linspace(0, 1, 3)[:, None, None]
    want = list(render(G, ws))
    synthesis, seen = G.synthesis.forward, []

    def forward(ws, prefixes=None, **options):
        seen.append(prefixes is not None)
        if prefixes is not None and len(seen) > 1:
            raise ERRORS["cuda"]
        return synthesis(ws, prefixes=prefixes, **options)

    G.synthesis.forward = forward
    assert np.array_equal(list(render(G, ws, unchanged_rows=6)), want)
    assert seen == [True, True, False, False]


def test_a_scorer_without_memory_is_not_called_broken():
    pictures = np.zeros((2, 8, 8, 3), np.uint8)
    for error in (ERRORS["cpu"], ERRORS["cuda"], ERRORS["numpy"]):

        def scorer(pictures, error=error):
            raise error

        with pytest.raises(type(error)):
            scores_of(scorer, pictures)
    with pytest.raises(ScorerError):
        scores_of(lambda pictures: 1 / 0, pictures)


@pytest.mark.parametrize(("kind", "room"), [("cuda", 0), ("cpu", 1), ("numpy", 0)])
def test_on_the_command_line(golden, tmp_path, monkeypatch, kind, room):
    """With room for one picture everything is made; without, one line and nothing half-written."""
    from sefa_plugin.generators.stylegan2 import SynthesisNetwork

    forward, seen = SynthesisNetwork.forward, []

    def cramped(self, ws, **options):
        seen.append(len(ws))
        if len(ws) > room:
            raise ERRORS[kind]
        return forward(self, ws, **options)

    monkeypatch.setattr(SynthesisNetwork, "forward", cramped)
    words = ["--network", str(golden("sg2ada-skip-64").pickle), "--seeds", "0-2", "-K", "1", "--distance", "2"]
    result = CliRunner().invoke(cli.gen_sefa, [*words, "--video", "none", "--outdir", str(tmp_path / "out")])
    assert max(seen) == 3
    if room:
        assert result.exit_code == 0, result.output
        assert seen.count(3) == 1
    else:
        line = one_line(result.exit_code, result.stderr)
        assert "out of memory" in line and "--device cpu" in line
        assert not [name for name in content(tmp_path) if name.endswith(".jpg")]
    assert hidden(tmp_path) == []


def test_where_limits_are_kept_networks_still_go():
    """The note of what fits does not hold on to a network."""
    before = len(frames._fitting)
    G, ws = small(1, ERRORS["cuda"])
    list(render(G, ws, batch_size=2))
    assert len(frames._fitting) == before + 1
    del G
    import gc

    gc.collect()
    assert len(frames._fitting) == before
