"""Weights without their network: which files hold them, under which names, and what is refused."""

import numpy as np
import pytest
from pickle_writer import call, dumps, network, ordered, tensor

from sefa_plugin.hook import HookError
from sefa_plugin.networks.opening import open_network
from sefa_plugin.reading.audit import audit
from sefa_plugin.reading.network_file import read_network
from sefa_plugin.reading.network_record import NetworkFileError

ONE = ordered({"conv.weight": tensor(np.arange(3, dtype="f4"))})
TWO = {"conv.weight": tensor(np.zeros(3, "f4"))}
ARGS = call("argparse.Namespace", state={"size": 32, "path": "/data", "channel_multiplier": 2})


@pytest.fixture
def write(tmp_path):
    def to_file(value, protocol=4):
        path = tmp_path / "net.pt"
        path.write_bytes(dumps(value, protocol))
        return path

    return to_file


@pytest.mark.parametrize(
    "value, layout, entries",
    [
        (ONE, "bare", ("G_ema",)),
        (TWO, "bare", ("G_ema",)),
        ({"state_dict": ONE}, "bare", ("G_ema",)),
        ({"g_ema": ONE}, "rosinality", ("G_ema",)),
        ({"g": TWO, "d": TWO, "g_ema": ONE, "g_optim": {"lr": 0.1}, "args": ARGS}, "rosinality", ("G_ema", "G", "D")),
        ({"generator": TWO, "discriminator": TWO, "generator_smooth": ONE}, "genforce", ("G_ema", "G", "D")),
        ({"G_ema": ONE, "G": TWO}, "bare", ("G_ema", "G")),
        ({"models": {"generator": TWO, "generator_smooth": ONE}, "iter": 3}, "genforce", ("G_ema", "G")),
    ],
)
@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_known_surroundings(write, value, layout, entries, protocol):
    record = read_network(write(value, protocol))
    assert (record.family, record.layout, record.entries) == ("state_dict", layout, entries)
    assert list(record.tensors) == ["conv.weight"]
    assert record.which == "G_ema"


@pytest.mark.parametrize(
    "value",
    [
        {"g_ema": ONE, "generator_smooth": TWO},
        {"g": ONE, "G_ema": TWO},
        {"generator": ONE, "models": {"generator_smooth": TWO}},
        {"g_ema": ONE, "G_ema": network({}, {})},
        {"G": ONE, "G_ema": network({}, {})},
    ],
)
def test_networks_of_two_toolkits_are_read_by_none(write, value):
    with pytest.raises(NetworkFileError, match="under the names of two toolkits"):
        read_network(write(value))
    assert "under the names of two toolkits" in audit(write(value), str).findings[-1]


def test_the_average_beside_the_network_comes_along(write):
    record = read_network(write({"g_ema": ONE, "latent_avg": tensor(np.full(2, 7, "f4"))}))
    assert np.asarray(record.tensors["latent_avg"]).tolist() == [7, 7]


def test_only_one_average_can_be_meant(write):
    inside = ordered({"latent_avg": tensor(np.ones(2, "f4"))})
    with pytest.raises(NetworkFileError, match="latent_avg inside of it and beside it"):
        read_network(write({"g_ema": inside, "latent_avg": tensor(np.full(2, 7, "f4"))}))


def test_weights_that_fit_nothing_are_named(write):
    with pytest.raises(HookError, match=r"this state_dict: weights without their network \(1 tensors: conv.weight"):
        open_network(write(ONE))


def test_an_encoder_says_so(write):
    value = {"state_dict": ordered({"encoder.body.0.weight": tensor(np.zeros(3, "f4"))}), "opts": {}}
    with pytest.raises(NetworkFileError, match="holds an encoder"):
        read_network(write(value))


def test_only_a_discriminator_says_so(write):
    with pytest.raises(NetworkFileError, match="holds only a discriminator"):
        read_network(write({"d": ONE}))


@pytest.mark.parametrize(
    "held, message",
    [
        ({"a": tensor(np.zeros(2, "f4")), "b": 3}, "in which b is no tensor"),
        ({"a": tensor(np.zeros(2, "f4"), shape=(9,))}, r"a tensor of shape \(9,\) that needs more"),
        ({"a": tensor(np.zeros(2, "f4")), "b": call("os.system", "true")}, "needs os.system"),
        ({"a": call("torch._utils._rebuild_tensor_v2", call("os.system", "x"), 0, (1,), (1,))}, "needs os.system"),
    ],
)
def test_what_is_refused(write, held, message):
    with pytest.raises(NetworkFileError, match=message):
        read_network(write({"g_ema": held}))
