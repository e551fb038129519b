"""The comparison of a network with the world: its arithmetic on planted distributions, and the command."""

import json

import numpy as np
import pytest
import torch

from demo import audit, checkpoint, train, world
from sefa_plugin.networks.building import load_network


class Planted:
    """Reads the first pixel's channels as factors."""

    names = ("glasses", "wrinkles", "hair_colour", "skin")

    def features(self, pictures):
        return pictures[:, 0, 0, :3].astype(np.float32) / 255

    def __call__(self, pictures):
        values = pictures[:, 0, 0].astype(float) / 255
        return {name: values[:, index] for index, name in enumerate(self.names)}


def pictures(rng, count, tie=0.5, shift=0.0):
    """Two independent factors and two whose correlation is ``tie``; ``shift`` moves the last."""
    normal = rng.randn(count, 4)
    normal[:, 1] = tie * normal[:, 0] + np.sqrt(1 - tie**2) * normal[:, 1]
    normal[:, 3] += shift
    return (127.5 + 30 * normal).clip(0, 255).astype(np.uint8)[:, None, None, :]


def test_wasserstein_distance_of_planted_samples():
    rng = np.random.RandomState(0)
    values = rng.randn(500)
    assert audit.wasserstein(values, rng.permutation(values)) == 0
    assert audit.wasserstein(values, values + 0.7) == pytest.approx(0.7)
    uniform = np.linspace(0, 1, 1001)
    assert audit.wasserstein(uniform, 3 * uniform) == pytest.approx(1)
    # A share of 0.2 moved over a distance of 1.
    assert audit.wasserstein(np.repeat([0, 1], [50, 50]), np.repeat([0, 1], [70, 30])) == pytest.approx(0.2)


def test_kolmogorov_distance_of_planted_samples():
    uniform = np.linspace(0, 1, 1001)
    assert audit.kolmogorov(uniform, uniform) == 0
    assert audit.kolmogorov(uniform, uniform + 0.25) == pytest.approx(0.25, abs=2e-3)
    assert audit.kolmogorov(uniform, uniform + 2) == 1
    assert audit.kolmogorov(np.repeat([0, 1], [50, 50]), np.repeat([0, 1], [7, 3])) == pytest.approx(0.2)


def test_a_report_finds_what_was_planted():
    rng = np.random.RandomState(0)
    data, more, shown = pictures(rng, 2000), pictures(rng, 2000), pictures(rng, 2000, tie=0.0, shift=1.0)
    result = audit.report(Planted(), shown, data, more)
    network, chance = result["factors"]["network"], result["factors"]["chance"]
    assert network["skin"]["w1"] == pytest.approx(1, abs=0.08)
    assert network["skin"]["ks"] == pytest.approx(0.383, abs=0.04)  # of two normal laws one sd apart
    assert max(network["hair_colour"]["w1"], *(row["w1"] for row in chance.values())) < 0.12
    assert network["skin"]["mean"] - result["factors"]["data"]["skin"]["mean"] == pytest.approx(30 / 255, abs=0.01)
    assert network["glasses"]["worn"] == pytest.approx(0.5, abs=0.04)
    assert result["factors"]["data"]["skin"]["w1"] == 0
    tie = result["correlations"]["glasses/wrinkles"]
    assert tie["data"] == pytest.approx(0.5, abs=0.06)
    assert tie["network"] == pytest.approx(0, abs=0.06)
    # One of six correlations is off by one half.
    assert result["correlation_error"]["network"] == pytest.approx(0.5 / np.sqrt(6), abs=0.04)
    assert result["correlation_error"]["more"] < 0.05
    # The third channel is as it was: what differs is the covariance of the first two.
    values = np.array([1.5, 0.5])
    wanted = (30 / 255) ** 2 * np.square(np.sqrt(values) - 1).sum()
    assert result["frechet"]["network"] == pytest.approx(wanted, abs=2e-4)
    assert result["frechet"]["more"] < 2e-4
    lines = []
    audit.table(result, lines.append)
    assert len(lines) == 1 + 4 + 1 + 3 + 2
    json.dumps(result)


def test_samples_are_those_of_the_seeds():
    G = load_network("demo")
    many, few = audit.samples(G, 5, 7), audit.samples(G, 2, 8)
    assert many.shape == (5, 64, 64, 3)
    assert abs(many[1:3].astype(int) - few).max() <= 1


@pytest.mark.hard  # seconds
def test_the_command_reads_networks_and_checkpoints(tmp_path, capsys):
    recipe = train.Recipe(z_dim=8, w_dim=8, mapping_layers=2, channel_base=256, channel_max=8)
    training = train.Training(recipe, world.faces(0, 4)[0])
    checkpoint.write(tmp_path / "c.safetensors", training.state())
    found = {}
    for network in ("demo", str(tmp_path / "c.safetensors")):
        output = tmp_path / "out" / "audit.json"
        audit.main([network, "--samples", "200", "--output", str(output)], standalone_mode=False)
        found[network] = json.loads(output.read_text(encoding="utf-8"))
        assert "Frechet distance" in capsys.readouterr().out
    trained, untrained = found.values()
    assert 0 < max(trained["frechet"].values()) < untrained["frechet"]["network"] / 3
    assert set(trained["factors"]["network"]) == set(world.NAMES)
    assert torch.is_grad_enabled()
