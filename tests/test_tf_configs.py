"""Settings that the golden pickles do not have, against what the official functions gave for them.

``golden/tf-configs.npz`` holds variables and outputs of small networks with random weights, computed by the
functions of stylegan, stylegan2 and stylegan2-ada in TensorFlow (CPU, constant noise): the first StyleGAN in the
second toolkit (config A), the revised one (B-D), orig, resnet, ReLU; labels before and in -ADA; fused up-sampling,
another blur, a level of detail; the box filter, no noise inputs and an active clamp; PGGAN in the second layout.
"""

import json

import numpy as np
import pytest
import torch
from conftest import GOLDEN
from pickle_writer import dumps
from test_tf_networks import array, network, scalar

from sefa_plugin import load_network
from sefa_plugin.hook import HookError
from sefa_plugin.network import open_network

FACTS = json.loads((GOLDEN / "tf-configs.json").read_text())


@pytest.fixture(scope="module")
def arrays():
    with np.load(GOLDEN / "tf-configs.npz") as file:
        return {key: file[key] for key in file.files}


@pytest.fixture
def written(arrays, tmp_path):
    def write(name, change=lambda variables: None):
        variables = {key.split("|")[2]: value for key, value in arrays.items() if key.startswith(f"{name}|var|")}
        change(variables)
        parts = {}
        for part, (build, kwargs) in FACTS[name]["modules"].items():
            prefix = f"{part}/" if part else ""
            own = {
                key[len(prefix) :]: value
                for key, value in variables.items()
                if key.startswith(prefix) and (part or key.split("/")[0] not in FACTS[name]["modules"])
            }
            held = [(key, scalar(value) if value.ndim == 0 else array(value)) for key, value in own.items()]
            parts[part] = network(FACTS[name]["version"], build, held, kwargs=kwargs)
        root = parts.pop("")
        root.state["components"] = parts
        path = tmp_path / f"{name}.pkl"
        path.write_bytes(dumps((root, root, root)))
        return path

    return write


def close(found, want):
    return abs(found.numpy() - want).max() < 1e-5 * max(1, abs(want).max())


@pytest.mark.parametrize("name", FACTS)
def test_pictures_are_those_of_the_official_functions(arrays, written, name):
    path = written(name)
    assert not open_network(path).warnings
    G = load_network(path)
    z = torch.from_numpy(arrays[f"{name}|z"])
    c = torch.from_numpy(arrays[f"{name}|c"]) if f"{name}|c" in arrays else None
    with torch.no_grad():
        ws = G.mapping(z, c)
        assert close(G.synthesis(ws, noise_mode="const"), arrays[f"{name}|img"])
        if f"{name}|ws" in arrays:
            assert close(ws, arrays[f"{name}|ws"])
            cut = G(z, c, truncation_psi=0.6, truncation_cutoff=3, noise_mode="const")
            assert close(cut, arrays[f"{name}|trunc"])


def test_a_network_of_the_revised_kind_that_still_grows(written):
    path = written("sg2-b", lambda held: held.update(lod=np.float32(1.5) + np.zeros((), "f4")))
    with pytest.raises(HookError, match="still growing .lod 1.5."):
        open_network(path)
    path = written("sg2-b", lambda held: held.update(lod=np.float32(99) + np.zeros((), "f4")))
    with pytest.raises(HookError, match="level of detail"):
        open_network(path)


def test_labels_are_needed_where_there_are_some(written):
    for name in ("sg1-labels", "sg2-labels", "ada-labels"):
        G = load_network(written(name))
        assert G.c_dim == 4
        with pytest.raises(ValueError, match="needs labels"):
            G.mapping(torch.zeros(1, G.z_dim), None)
