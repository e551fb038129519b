from dataclasses import replace

import numpy as np
import pytest
import torch
from made_directions import altered
from safetensors import safe_open

from sefa_plugin import Directions
from sefa_plugin.directions.exporting import LAYOUTS, SUFFIXES, ExportError, export
from sefa_plugin.directions.foreign_files import Reading, read_foreign
from sefa_plugin.directions.importing import Target, assemble

DIM, NUM_WS = 8, 5
BASIS = np.linalg.qr(np.random.RandomState(0).randn(DIM, DIM))[0]


@pytest.fixture
def held():
    return Directions.of(BASIS[:3], [3.0, 2, 1], (1, 2), names=("smile", "", "age"), num_ws=NUM_WS, network="ffhq")


@pytest.fixture
def rows():
    made = np.random.RandomState(1).randn(2, 2, DIM)
    made /= np.sqrt(np.square(made).sum(axis=2).mean(axis=1))[:, None, None]
    return Directions.of(made, np.zeros(2), (1, 3), num_ws=NUM_WS)


@pytest.mark.parametrize("layout", sorted(LAYOUTS))
def test_what_is_exported_can_be_imported(tmp_path, held, layout):
    path = tmp_path / f"d{SUFFIXES[layout][0]}"
    export(held, layout, path)
    found = read_foreign(path, Reading(num_ws=NUM_WS))
    made, _ = assemble(found, str(path), Target(num_ws=NUM_WS), layers=None if layout == "npy-rows" else "1-2")
    if layout == "npy-rows":
        assert made.per_row and made.layers == (1, 2)
        np.testing.assert_array_equal(made.vectors, np.repeat(held.vectors[:, None], 2, axis=1))
    else:
        np.testing.assert_allclose(made.vectors, held.vectors, atol=1e-7)
        assert made.layers == held.layers
    assert made.eigenvalues.tolist() == (held.eigenvalues.tolist() if layout == "npz" else [0, 0, 0])
    assert made.names == (("smile", "component_01", "age") if layout == "comfyui" else ("", "", ""))


def test_what_the_other_tools_find_there(tmp_path, held):
    export(held, "factor", tmp_path / "f.pt")
    factor = torch.load(tmp_path / "f.pt", weights_only=True)
    assert factor["ckpt"] == "ffhq"
    assert (factor["eigvec"][:, 1].numpy() == held.vectors[1]).all()  # apply_factor.py takes eigvec[:, index]
    export(held, "npz", tmp_path / "d.npz")
    with np.load(tmp_path / "d.npz", allow_pickle=False) as file:
        assert (file["eigvecs"][:, 2] == held.vectors[2]).all() and file["eigvals"].tolist() == [3, 2, 1]
    export(held.chosen(["age"]), "npy", tmp_path / "age.npy")
    boundary = np.load(tmp_path / "age.npy", allow_pickle=False)
    assert boundary.shape == (1, DIM) and boundary.dtype == np.float32 and (boundary == held.vectors[2]).all()
    export(held.chosen(["age"]), "npy-rows", tmp_path / "age.npy")
    edit = np.load(tmp_path / "age.npy", allow_pickle=False)
    assert edit.shape == (NUM_WS, DIM) and (edit[[1, 2]] == held.vectors[2]).all() and not edit[[0, 3, 4]].any()
    export(altered(held, names=()), "comfyui", tmp_path / "d.safetensors")
    with safe_open(str(tmp_path / "d.safetensors"), framework="np") as file:
        assert file.metadata()["component_order"] == '["component_00", "component_01", "component_02"]'
        assert (file.get_tensor("component_02") == held.vectors[2]).all()


def test_rows_for_each_layer(tmp_path, rows):
    export(rows, "npy", tmp_path / "a.npy")
    array = np.load(tmp_path / "a.npy", allow_pickle=False)
    assert array.shape == (2, NUM_WS, DIM) and (array[:, [1, 3]] == rows.vectors).all()
    export(rows.chosen([1]), "npy", tmp_path / "a.npy")
    assert np.load(tmp_path / "a.npy", allow_pickle=False).shape == (NUM_WS, DIM)
    for layout in ("npz", "factor", "comfyui"):
        with pytest.raises(ExportError, match="one vector for all layers"):
            export(rows, layout, tmp_path / "none")
    with pytest.raises(ExportError, match="num_ws"):
        export(replace(rows, num_ws=0), "npy", tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_directions_of_z(tmp_path, held):
    z = replace(held, space="z", layers=())
    assert "that these are directions of Z is not kept" in export(z, "npy", tmp_path / "z.npy")
    for layout in ("npy-rows", "npz", "factor", "comfyui"):
        with pytest.raises(ExportError, match="of Z"):
            export(z, layout, tmp_path / "none")


def test_what_is_lost_is_told(tmp_path, held):
    told = export(held, "npy", tmp_path / "a.npy")
    assert told == ["the layers that edits change (1, 2) are not kept: choose them in the other tool",
                    "names are not kept"]  # fmt: skip
    assert export(altered(held, layers=tuple(range(NUM_WS)), names=()), "npy", tmp_path / "a.npy") == []
    ranged = altered(held, ranges=((-1, 1), None, None))
    assert export(ranged, "comfyui", tmp_path / "a.safetensors")[1:] == ["calibrated ranges are not kept"]
    with pytest.raises(ExportError, match="one name"):
        export(altered(held, names=("a", "a", "")), "comfyui", tmp_path / "b.safetensors")
