from dataclasses import replace

import numpy as np
import pytest

from sefa_plugin import Directions, factorize
from sefa_plugin.directions.foreign_files import FormatError, Found
from sefa_plugin.directions.importing import Target, assemble
from sefa_plugin.networks.opening import open_network

DIM = 32


@pytest.fixture(scope="module")
def opened(golden):
    return open_network(golden("sg2ada-skip-64").pickle)


def target_of(opened):
    sizes = {key: opened.sizes[key] for key in ("w_dim", "z_dim", "num_ws")}
    return Target(
        opened.record.name, opened.record.digest(), layers=tuple(opened.layers), mapping=opened.mapping, **sizes
    )


def found(count=3, dim=DIM, **given):
    return Found("somebody's", np.linalg.qr(np.random.RandomState(0).randn(dim, dim))[0][:count], **given)


def test_lengths_become_1_and_are_told(opened):
    held = replace(found(), vectors=found().vectors * [[2.0], [2], [2]])
    made, remarks = assemble(held, "x/age.npy", Target(), layers="0-3,7")
    np.testing.assert_allclose(made.vectors, found().vectors, atol=1e-6)
    assert remarks == ["of unit length now: a step of 1 in the file is a distance of 2 here"]
    assert (made.layers, made.label, made.origin, made.num_ws) == ((0, 1, 2, 3, 7), "age", "somebody's", 0)
    assert assemble(found(), "age.npy", Target(), layers="0")[1] == []
    held = replace(held, vectors=found().vectors * [[1.0], [3], [2]])
    assert "1 to 3 here" in assemble(held, "age.npy", Target(), layers="0")[1][0]


def test_which_layers(opened, golden):
    target = target_of(opened)
    assert assemble(found(), "a.npy", target)[0].layers == tuple(range(10))
    assert assemble(found(layers=(2, 3)), "a.npy", target)[0].layers == (2, 3)
    assert assemble(found(layers=(2, 3)), "a.npy", target, layers="middle")[0].layers == (3, 4, 5, 6)
    assert assemble(found(layers=(2, 3)), "a.npy", Target())[0].layers == (2, 3)
    with pytest.raises(FormatError, match=r"^a.npy: does not say which layers .* --network, or --layers"):
        assemble(found(), "a.npy", Target())
    with pytest.raises(FormatError, match="changes layer 17, sg2ada-skip-64 has 0-9"):
        assemble(found(layers=tuple(range(18))), "a.npy", target)
    for layers, says in (("middle", "need --network"), ("0-99999", "out of range"), ("5-2", "backwards")):
        with pytest.raises(ValueError, match=says):
            assemble(found(), "a.npy", Target(), layers=layers)
    with pytest.raises(ValueError, match="layer 10: out of range, 0-9"):
        assemble(found(), "a.npy", target, layers="10")
    with pytest.raises(ValueError, match="10 groups"):
        assemble(found(), "a.npy", target, layers="each")


def test_stylegan3s_input_is_moved_only_if_asked_for(golden):
    target = target_of(open_network(golden("sg3t-64").pickle))
    made, remarks = assemble(found(), "a.npy", target)
    assert made.layers == tuple(range(1, target.num_ws))
    assert remarks == [f"layer 0, which moves the picture as a whole, is left out; --layers 0-{target.num_ws - 1} "
                       "takes it along"]  # fmt: skip
    made, remarks = assemble(found(), "a.npy", target, layers=f"0-{target.num_ws - 1}")
    assert made.layers == tuple(range(target.num_ws)) and not remarks


def test_rows_for_each_layer(opened):
    rows = np.zeros((2, 10, DIM))
    rows[:, [2, 5]] = np.random.RandomState(0).randn(2, 2, DIM)
    made, _ = assemble(Found("edits", rows), "a.npy", Target())
    assert made.per_row and made.layers == (2, 5) and made.num_ws == 10  # the others change nothing
    assert np.square(made.vectors).sum(axis=2).mean(axis=1) == pytest.approx([1, 1], rel=1e-5)
    scale = rows[:, 2, 0] / made.vectors[:, 0, 0]
    np.testing.assert_allclose(made.vectors * scale[:, None, None], rows[:, [2, 5]], rtol=1e-5)
    named, _ = assemble(Found("edits", rows[:, :3]), "a.npy", Target(), layers="4-6")
    assert named.layers == (6,)
    with pytest.raises(FormatError, match="10 rows, --layers names 2"):
        assemble(Found("edits", rows), "a.npy", Target(), layers="0-1")
    with pytest.raises(FormatError, match="has no layers; use --space w"):
        assemble(Found("edits", rows), "a.npy", Target(), space="z")
    alike, _ = assemble(Found("edits", np.repeat(found().vectors[:, None], 10, axis=1)), "a.npy", target_of(opened))
    plain, _ = assemble(found(), "a.npy", target_of(opened))
    np.testing.assert_allclose(alike.vectors[:, 4], plain.vectors, atol=1e-6)
    np.testing.assert_allclose(alike.eigenvalues, plain.eigenvalues, rtol=1e-6)


@pytest.mark.parametrize("normalize", [True, False])
def test_missing_eigenvalues_are_measured_by_the_network(opened, normalize):
    own = factorize(opened.layers, layers="all", normalize=normalize)
    made, _ = assemble(Found("x", own.vectors.astype(float)), "a.npy", target_of(opened), normalize=normalize)
    np.testing.assert_allclose(made.eigenvalues, own.eigenvalues, rtol=1e-4)
    assert (made.network, made.digest) == ("sg2ada-skip-64", opened.record.digest())
    assert not assemble(found(), "a.npy", Target(), layers="0")[0].eigenvalues.any()
    z, _ = assemble(found(dim=48, space="z"), "a.npy", target_of(opened))
    assert (z.space, z.layers) == ("z", tuple(range(10))) and z.eigenvalues.all()


def test_the_order_of_the_file_stays(opened):
    values = np.array([1.0, 5, 3])
    made, remarks = assemble(found(eigenvalues=values), "a.npz", Target(), layers="0")
    assert made.eigenvalues.tolist() == [1, 5, 3]
    np.testing.assert_allclose(made.vectors, found().vectors, atol=1e-6)
    assert "not descending (number 1 is above" in remarks[0] and "the strongest is number 1" in remarks[0]
    assert assemble(found(eigenvalues=values[[1, 2, 0]]), "a.npz", Target(), layers="0")[1] == []


def test_spaces(opened):
    with pytest.raises(FormatError, match="48 components, W of sg2ada-skip-64 has 32"):
        assemble(found(dim=48), "a.npy", target_of(opened))
    made, remarks = assemble(found(space="z"), "a.npy", Target(), space="w", layers="0")
    assert made.space == "w" and "directions are of Z; they are taken as of W" in remarks[0]
    made, _ = assemble(found(space="z"), "a.npy", Target())
    assert (made.space, made.layers) == ("z", ())


def test_names_and_labels_are_fit_for_use(tmp_path):
    names = ("smile, big", "3", "smile  big", "a\nb", "x" * 300, "", "-1-2")
    made, _ = assemble(found(count=7, names=names, sigmas=np.arange(1, 8.0)), "a.npy", Target(), layers="0")
    assert made.names == ("smile big", "", "", "a b", "x" * 100, "", "")
    assert made.sigmas == (1, 2, 3, 4, 5, 6, 7)
    for path, label in (("x/My dir (2).npy", "My-dir-2"), ("all.npy", "file-all"), ("0-3.npy", "file-0-3"),
                        ("ä.npy", "imported"), ("middle.pt", "file-middle"), (".hidden", "hidden")):  # fmt: skip
        made, _ = assemble(found(), path, Target(), layers="0")
        assert made.label == label
        made.save(tmp_path / "d.safetensors")
        again = Directions.load(tmp_path / "d.safetensors")
        assert (again.label, again.origin) == (label, "somebody's")
