"""InterFaceGAN as a command: conditions, files, and directions that can be rendered."""

import numpy as np
import pytest
from planted import ATTRIBUTES, Planted, Reader

from sefa_plugin.directions.directions import Directions
from sefa_plugin.evaluate.methods.boundaries import read, train
from sefa_plugin.evaluate.methods.interfacegan import BoundaryError, load_boundary, save_boundary
from sefa_plugin.evaluate.samples.bench import Bench

pytestmark = pytest.mark.command


@pytest.fixture(scope="module")
def bench():
    return Bench(Planted(), Reader(), count=4)


def test_plain_and_conditional(bench, tmp_path):
    plain = train(bench, 2000, ("smile", "turn"))
    assert plain.directions.names == ("turn", "smile")  # in the order of the scorer
    assert len(plain.summary()) == 2 and plain.summary()[0].startswith("turn: ")
    freed = train(bench, 2000, ("smile", "turn"), ("turn", "hair"))
    assert set(freed.boundaries) == {"turn", "smile"}
    smile = freed.directions.vectors[1]
    assert abs(smile @ plain.directions.vectors[0]) < 1e-5  # turn was taken out
    assert smile @ plain.directions.vectors[1] > 0.7
    paths = freed.save(tmp_path)
    names = [path.name for path in paths]
    assert names == ["turn_c_hair_boundary.npy", "smile_c_turn_hair_boundary.npy", "interfacegan.safetensors"]
    assert np.allclose(load_boundary(paths[1], 12)[0], smile, atol=1e-6)
    held = Directions.load(paths[-1])
    assert held.index("smile") == 1 and held.layers == (0, 1, 2) and held.digest == "digest0"


def test_theirs_become_directions(bench, tmp_path):
    rng = np.random.RandomState(0)
    paths = [tmp_path / "stylegan_ffhq_age_w_boundary.npy", tmp_path / "pose.npy"]
    normals = [rng.randn(1, 12), rng.randn(1, 12)]
    for path, normal in zip(paths, normals):
        save_boundary(path, normal)
    found = read(bench.G, paths, "middle")
    assert found.names == ("stylegan_ffhq_age_w", "pose")
    assert found.layers == (1,)
    assert np.allclose(found.vectors, np.concatenate([n / np.linalg.norm(n) for n in normals]), atol=1e-6)
    with pytest.raises(ValueError, match="one name"):
        read(bench.G, [paths[0], paths[0]])
    save_boundary(tmp_path / "short.npy", np.ones((1, 5)))
    with pytest.raises(BoundaryError, match="this network needs 12"):
        read(bench.G, [tmp_path / "short.npy"])


def test_all_conditions_leave_something(bench):
    freed = train(bench, 2000, ATTRIBUTES, ATTRIBUTES)
    cosines = freed.directions.vectors @ bench.G.axes.T
    assert np.diag(cosines).min() > 0.6
