"""The drawn vases, and the training of their network by regression."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from demo import checkpoint, fit, words, world
from demo.vase_reader import read_factors
from demo.vases import FACTORS, NAMES, SIZE, draw, factors_of
from sefa_plugin import load_network
from sefa_plugin.media.effect import describe


def vase(**changes: float) -> torch.Tensor:
    """The factors of a vase in the middle of all ranges, but for those given: ``[1, len(NAMES)]``."""
    return torch.tensor([[changes.get(name, sum(FACTORS[name]) / 2) for name in NAMES]])


def test_factors_are_independent_and_uniform():
    factors = factors_of(fit.latents(5, 20_000))
    low, high = torch.tensor(list(FACTORS.values()), dtype=torch.float64).T
    assert (factors > low).all() and (factors < high).all()
    shares = (factors - low) / (high - low)
    assert (shares.mean(0) - 0.5).abs().max() < 0.01 and (shares.std(0) - 12**-0.5).abs().max() < 0.01
    assert (torch.corrcoef(shares.T) - torch.eye(len(NAMES))).abs().max() < 0.03


def test_the_length_of_a_latent_means_nothing():
    z = fit.latents(6, 3)
    assert torch.allclose(factors_of(z), factors_of(3 * z), atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_every_factor_changes_the_picture(name):
    low, high = (draw(vase(**{name: value})) for value in FACTORS[name])
    assert low.shape == (1, 3, SIZE, SIZE) and low.abs().max() <= 1
    assert (low - high).abs().mean() > 0.004


def test_factors_change_what_they_are_named_after():
    base = draw(vase())[0]
    wall = (slice(None), slice(0, 20), slice(0, 20))
    for name in ("tilt", "belly", "glaze", "bands", "gloss"):
        assert torch.equal(draw(vase(**{name: FACTORS[name][1]}))[0][wall], base[wall]), name
    assert (draw(vase(background=1.0))[0][wall] - base[wall]).abs().min() > 0.01
    lit, dark = draw(vase(light=1.0))[0], draw(vase(light=-1.0))[0]
    left, right = (slice(None), slice(50, 80), slice(48, 60)), (slice(None), slice(50, 80), slice(68, 80))
    assert lit[right].mean() > dark[right].mean() and lit[left].mean() < dark[left].mean()


def test_training_goes_on_as_if_never_interrupted(tmp_path, monkeypatch):
    monkeypatch.setattr(fit, "BATCH", 2)
    whole = fit.Fit(steps=3)
    losses = [whole.step() for _ in range(3)]
    assert len(set(losses)) == 3
    first = fit.Fit(steps=3)
    first.step()
    checkpoint.write(tmp_path / "one", first.state())
    second = fit.Fit(steps=3)
    second.restore(checkpoint.read(tmp_path / "one"))
    assert [second.step() for _ in range(2)] == losses[1:]
    assert all(torch.equal(a, b) for a, b in zip(whole.G_ema.parameters(), second.G_ema.parameters()))


@pytest.mark.hard
def test_training_brings_pictures_closer_to_the_drawn_ones(tmp_path, monkeypatch):
    monkeypatch.setattr(fit, "BATCH", 4)
    before = fit.accuracy(fit.Fit(steps=1).G_ema, fit.WORLDS["vases"], 8)[0]
    words = ["--outdir", str(tmp_path), "--output", str(tmp_path / "made.safetensors"), "--steps"]
    result = CliRunner().invoke(fit.main, [*words, "60"], catch_exceptions=False)
    after = float(result.output.split("median ")[1].split()[0])
    assert result.exit_code == 0 and after > before + 1.5
    again = CliRunner().invoke(fit.main, [*words, "60"])
    assert "going on from step 60" in again.output
    other = CliRunner().invoke(fit.main, [*words, "61"])
    assert other.exit_code == 1 and "has --world vases --seed 0 --steps 60" in other.output


def test_the_network_is_written_with_its_own_pictures(tmp_path):
    made = fit.generator(fit.WORLDS["vases"]).eval()
    fit.write_network(made, fit.WORLDS["vases"], tmp_path / "vases.safetensors")
    G, z = load_network(tmp_path / "vases.safetensors"), fit.latents(1, 2)
    with torch.no_grad():
        assert (G(z, None, noise_mode="const") - made(z, noise_mode="none")).abs().max() < 1e-4
        assert G.mapping.w_avg.abs().max() > 0


def test_the_shipped_network_draws_the_drawn_vases():
    median, lowest = fit.accuracy(load_network("vases"), fit.WORLDS["vases"])
    assert median > 28 and lowest > 25


def test_the_factors_of_a_picture_are_read_from_it():
    wanted, start = (factors_of(fit.latents(seed, 2)) for seed in (3, 4))
    start = 0.7 * wanted + 0.3 * start
    drawn = ((draw(wanted) + 1) * 127.5).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
    found = read_factors(drawn, start)
    assert list(found) == list(NAMES)
    for place, name in enumerate(NAMES):
        width = FACTORS[name][1] - FACTORS[name][0]
        assert abs(found[name] - wanted[:, place].numpy()).max() < 0.08 * width, name


@pytest.mark.parametrize("correlations", [world.USUAL, world.OTHER])
def test_faces_of_latents_are_distributed_as_those_of_the_world(correlations):
    mine = fit.factors_of_faces(fit.latents(7, 4000), correlations)
    usual = world.sample_factors(np.random.RandomState(8), 4000, correlations)
    assert abs(mine.mean(0) - usual.mean(0)).max() < 0.05 and abs(mine.std(0) - usual.std(0)).max() < 0.03
    assert abs(np.corrcoef(mine.T) - np.corrcoef(usual.T)).max() < 0.08


def test_drawn_faces_are_those_of_their_factors():
    z = fit.latents(9, 2)
    drawn = (fit.WORLDS["faces"].draw(z) + 1) * 127.5
    for one, factors in zip(drawn, fit.factors_of_faces(z)):
        assert np.array_equal(one.permute(1, 2, 0).round().numpy(), world.draw(factors))


@pytest.mark.hard
@pytest.mark.parametrize("name", ["tilt", "x", "size", "belly", "shoulder", "neck", "lip", "glaze", "bands"])
def test_words_of_a_factor_alone_are_of_its_kind(name):
    """A belly that widens is a shape that bends, not a vase that turns."""

    def pictures(factors: torch.Tensor) -> list[np.ndarray]:
        return list(((draw(factors) + 1) * 127.5).round().to(torch.uint8).permute(0, 2, 3, 1).numpy())

    place, (low, high) = NAMES.index(name), FACTORS[name]
    middle = factors_of(fit.latents(5, 3)).float()
    ends = [middle.clone() for _ in range(2)]
    for sign, factors in zip((-1, 1), ends):
        factors[:, place] = (factors[:, place] + sign * (high - low) / 12**0.5).clamp(low, high)
    assert describe(pictures(middle), *map(pictures, ends)).kind == words.VASES[name]
