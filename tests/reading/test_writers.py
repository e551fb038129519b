"""Networks with unusual options, by every pickler: all are read, and are exactly what their writer writes."""

import io
import itertools
import pickle

import numpy as np
import pytest
import torch
import toys
from pickle_writer import Global, Writer, dumps, network, numpy_scalar, tensorflow_network

from sefa_plugin.generators import stylegan2, stylegan3
from sefa_plugin.hooks.known_sources import origin
from sefa_plugin.networks.opening import open_network
from sefa_plugin.reading.audit import audit
from sefa_plugin.reading.network_file import read_network
from sefa_plugin.third_party import dnnlib


def check(path, family):
    """Read it, and have nothing in it but a source text that nobody knows."""
    record = read_network(path)
    assert record.family == family and record.tensors
    assert [text for text in audit(path, origin).findings if "source text that is not known" not in text] == []
    return record


def in_python(protocol):
    """Python's pickler that is written in Python."""

    def write(value):
        file = io.BytesIO()
        pickle._Pickler(file, protocol).dump(value)
        return file.getvalue()

    return write


def in_c(protocol):
    return lambda value: pickle.dumps(value, protocol)


def saved(protocol, zipped):
    def write(value):
        file = io.BytesIO()
        torch.save(value, file, pickle_protocol=protocol, _use_new_zipfile_serialization=zipped)
        return file.getvalue()

    return write


class OfPython2(Writer):
    """Writes texts as strings, and numbers its memo from 1, as the pickler in C of Python 2 did."""

    dispatch = dict(Writer.dispatch)

    def memoize(self, obj):
        place = len(self.memo) + 1
        self.write(self.put(place))
        self.memo[id(obj)] = place, obj

    def put(self, place):
        if not self.bin:
            return b"p%d\n" % place
        return b"q" + bytes([place]) if place < 256 else b"r" + place.to_bytes(4, "little")

    def save_string(self, obj):
        raw = obj.encode("latin-1") if isinstance(obj, str) else obj
        if not self.bin:
            self.write(b"S" + repr(raw)[1:].encode() + b"\n")
        elif len(raw) < 256:
            self.write(b"U" + bytes([len(raw)]) + raw)
        else:
            self.write(b"T" + len(raw).to_bytes(4, "little") + raw)
        self.memoize(obj)

    dispatch[str] = dispatch[bytes] = save_string


PICKLERS = {
    **{f"c-{protocol}": in_c(protocol) for protocol in range(6)},
    **{f"python-{protocol}": in_python(protocol) for protocol in range(6)},
    **{f"zip-{protocol}": saved(protocol, True) for protocol in range(2, 6)},
    **{f"legacy-{protocol}": saved(protocol, False) for protocol in range(2, 6)},
}
TOYS = {
    "conditional": lambda: toys.live(toys.STYLED, "Strange", z_dim=5, c_dim=3, w_dim=7),
    "without-w": lambda: toys.live(toys.UNSTYLED, "Unstyled", z_dim=3, c_dim=0),
}


@pytest.mark.parametrize("name, toy", list(itertools.product(PICKLERS, TOYS)))
def test_live_networks(tmp_path, monkeypatch, name, toy):
    G = TOYS[toy]()
    more = {
        "steps": np.int64(3),
        "size": np.array([2, 3]),
        "options": dnnlib.EasyDict(a=dnnlib.EasyDict(b={1}), c=b"x"),
    }
    snapshot = {"G": G, "D": None, "G_ema": G, "training_set_kwargs": dnnlib.EasyDict(more)}
    path = toys.write(tmp_path / "net.pkl", snapshot, monkeypatch, write=PICKLERS[name])
    record = check(path, "module")
    want = {key: value.detach().numpy() for key, value in [*G.named_parameters(), *G.named_buffers()]}
    assert record.tensors.keys() == want.keys()
    assert all((np.asarray(record.tensors[key]) == want[key]).all() for key in want)


@pytest.mark.parametrize("version, protocol", list(itertools.product((2, 3, 4, 5), range(3))))
def test_networks_of_tensorflow_by_python_2(tmp_path, version, protocol):
    variables = {"4x4/Const/const": np.arange(300, dtype="f4").reshape(2, 150), "lod": 0.5, "it's": np.ones((1, 1))}
    made = tensorflow_network(version, "G_main", {"resolution": 4, "label_size": 10**10}, variables)
    file = io.BytesIO()
    OfPython2(file, protocol).dump((None, None, made))
    path = tmp_path / "net.pkl"
    path.write_bytes(file.getvalue())
    record = check(path, "tensorflow")
    assert record.init_kwargs == {"resolution": 4, "label_size": 10**10}
    for key, value in variables.items():
        assert (np.asarray(record.tensors[key]) == value).all(), key


SLIM = {"channel_base": 16, "channel_max": 2}
SIZES = {"z_dim": 4, "c_dim": 0, "w_dim": 4, "img_resolution": 8, "img_channels": 3}
OPTIONS2 = [
    {**SIZES, "c_dim": 3, "mapping_kwargs": {"num_layers": 1}, "synthesis_kwargs": SLIM},
    {**SIZES, "w_dim": 12, "mapping_kwargs": {"num_layers": 3}, "synthesis_kwargs": {**SLIM, "channel_max": 3}},
    {**SIZES, "img_channels": 1, "img_resolution": 16, "mapping_kwargs": {}, "synthesis_kwargs": SLIM},
    {**SIZES, "img_channels": 4, "z_dim": 7, "mapping_kwargs": {"num_layers": 2}, "synthesis_kwargs": SLIM},
]
OPTIONS3 = [
    {**SIZES, "img_resolution": 16, "mapping_kwargs": {"num_layers": 1}, "channel_base": 64, "channel_max": 4,
     "num_layers": layers, "num_critical": 1, "c_dim": classes}
    for layers, classes in ((2, 0), (3, 2), (5, 0), (7, 4))
]  # fmt: skip


@pytest.mark.parametrize("kwargs", [*OPTIONS2, *OPTIONS3])
@pytest.mark.parametrize("protocol", [2, 4])
def test_options_of_stylegan(tmp_path, kwargs, protocol):
    torch.manual_seed(0)
    G = (stylegan3 if "num_critical" in kwargs else stylegan2).Generator(**kwargs)
    tensors = {name: value.numpy() for name, value in G.state_dict().items()}
    path = tmp_path / "net.pkl"
    made = network(tensors, kwargs, source="# none\n", attributes={"synthesis": {"num_ws": numpy_scalar(G.num_ws)}})
    path.write_bytes(dumps({"G_ema": made, "D": None, "x": Global("torch", "float32")}, protocol))
    check(path, "module")
    assert open_network(path).sizes["num_ws"] == G.num_ws


@pytest.mark.command
@pytest.mark.parametrize("protocol, zipped", list(itertools.product(range(2, 6), (True, False))))
def test_checkpoints(tmp_path, protocol, zipped):
    layer = torch.nn.Linear(3, 2)
    optimizer = torch.optim.Adam(layer.parameters())
    layer.half()
    weights = layer.state_dict()
    weights.update(noise=torch.zeros(4)[1:3], step=torch.tensor(5), p=torch.nn.Parameter(torch.ones(1)))
    path = tmp_path / "net.pt"
    path.write_bytes(saved(protocol, zipped)({"g_ema": weights, "g_optim": optimizer.state_dict(), "epoch": 3}))
    assert check(path, "state_dict").tensors.keys() == weights.keys()
