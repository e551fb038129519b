"""Networks of the TensorFlow toolkits, taken apart without TensorFlow."""

import numpy as np
import pytest
from pickle_writer import call, dumps
from pickle_writer import numpy_array as array
from pickle_writer import numpy_scalar as scalar

from sefa_plugin.hook import HookError
from sefa_plugin.networks.opening import open_network
from sefa_plugin.reading.network_file import read_network
from sefa_plugin.reading.network_record import NetworkFileError

SOURCE = "# a comment only\n"


def network(version=4, build="G_main", variables=(), components=None, source=SOURCE, kwargs=None):
    state = {
        "version": version,
        "name": "Gs",
        "static_kwargs": {"resolution": 4} if kwargs is None else kwargs,
        "components": {} if components is None else components,
        "build_module_src": source,
        "build_func_name": build,
        "variables": list(variables),
    }
    return call("dnnlib.tflib.network.Network", state=state)


@pytest.fixture
def write(tmp_path):
    def to_file(value, protocol=4):
        path = tmp_path / "net.pkl"
        path.write_bytes(dumps(value, protocol))
        return path

    return to_file


def test_a_network_and_its_components(write):
    inner = network(build="G_synthesis", variables=[("4x4/Const/const", array(np.ones((1, 2))))], source="x = 1\n")
    path = write((network(), network(), network(variables=[("lod", scalar(2))], components={"synthesis": inner})))
    record = read_network(path)
    assert (record.family, record.layout, record.class_name) == ("tensorflow", "4", "G_main")
    assert record.entries == ("G", "D", "G_ema")
    assert {name: np.asarray(held).tolist() for name, held in record.tensors.items()} == {
        "lod": 2.0,
        "synthesis/4x4/Const/const": [[1.0, 1.0]],
    }
    assert record.modules["synthesis"].class_name == "G_synthesis"
    assert record.init_kwargs == {"resolution": 4}
    assert list(record.sources.values()) == ["x = 1\n"]


@pytest.mark.parametrize("protocol", range(5))
def test_every_protocol_and_a_network_alone(write, protocol):
    record = read_network(write(network(variables=[("a", array([1.5]))]), protocol))
    assert record.entries == ("G_ema",)
    assert np.asarray(record.tensors["a"]).tolist() == [1.5]


def test_files_with_fewer_networks(write):
    """The last one is what is used, whatever is missing before it."""
    last = network(variables=[("a", array([1.5]))])
    assert read_network(write((network(), last))).entries == ("D", "G_ema")
    assert read_network(write((None, network(), last))).entries == ("D", "G_ema")
    assert "a" in read_network(write([last])).tensors


def test_scalars_and_arrays_are_of_their_own_type(write):
    record = read_network(write(network(variables=[("a", scalar(0.1)), ("b", array([3], "i4"))])))
    assert np.asarray(record.tensors["a"]).dtype == np.float32
    assert np.asarray(record.tensors["a"]) == np.float32(0.1)
    assert np.asarray(record.tensors["b"]).dtype == np.int32


@pytest.mark.parametrize(
    "value, message",
    [
        (network(version=9), "of version 9 of the TensorFlow toolkits"),
        (network(build=None), "does not say what built it"),
        (network(variables=["a"]), "malformed variable"),
        (network(variables=[("a", scalar(1)), ("a", scalar(1))]), "variable a twice"),
        (network(variables=[("a", "text")]), "variable a is a str"),
        (network(variables=[("a", call("os.system", "true"))]), "needs os.system"),
        (network(kwargs={"f": call("os.system", "true")}), "needs os.system"),
        (network(components=[1]), "malformed components"),
        (network(components={"synthesis": 3}), "network synthesis is not a network"),
        (network(components={"a/b": network()}), "component without a name"),
        (network(components={"a": network(components={"b": network()})}), "malformed components"),
    ],
)
def test_what_is_refused(write, value, message):
    with pytest.raises(NetworkFileError, match=message):
        read_network(write((value, value, value)))


def test_a_network_that_no_hook_knows_is_named(write):
    with pytest.raises(HookError, match=r"this TensorFlow network \(built by G_other, version 4\)"):
        open_network(write((network(), network(), network(build="G_other"))))
