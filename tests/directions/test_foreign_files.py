"""Files in the layouts of other tools, written here by plain numpy, torch and safetensors calls."""

import argparse
import json
import pickle
import random
from collections import OrderedDict

import numpy as np
import pytest
import torch
from pickle_writer import call, dumps
from safetensors.numpy import save_file

from sefa_plugin.directions.foreign_files import FormatError, Reading, read_foreign

DIM, ROWS = 8, 5
BASIS = np.linalg.qr(np.random.RandomState(0).randn(DIM, DIM))[0]


def refused(path, says, reading=None):
    with pytest.raises(FormatError, match=says) as caught:
        read_foreign(path, reading)
    assert str(caught.value).startswith(str(path)) and "\n" not in str(caught.value)


# --- plain arrays ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "reading", "want"),
    [
        ((DIM,), {}, (1, DIM)),
        ((1, DIM), {}, (1, DIM)),
        ((3, DIM), {}, (3, DIM)),
        ((3, 1, DIM), {}, (3, DIM)),
        ((1, 1, DIM), {}, (1, DIM)),
        ((2, ROWS, DIM), {}, (2, ROWS, DIM)),
        ((ROWS, DIM), {}, (ROWS, DIM)),  # directions, unless it is known that there are as many layers
        ((ROWS, DIM), {"num_ws": ROWS}, (1, ROWS, DIM)),
        ((ROWS, DIM), {"num_ws": ROWS, "rows": "directions"}, (ROWS, DIM)),
        ((ROWS, DIM), {"rows": "layers"}, (1, ROWS, DIM)),
        ((1, ROWS, DIM), {"rows": "directions"}, (ROWS, DIM)),
        ((1, DIM), {"num_ws": 1}, (1, DIM)),
        ((DIM, 3), {"vectors": "columns"}, (3, DIM)),
        ((DIM, 3), {"dims": (DIM,)}, (3, DIM)),  # only so it fits the network
        ((DIM, DIM), {"dims": (DIM,)}, (DIM, DIM)),
    ],
)
@pytest.mark.parametrize("write", ["npy", "npz", "pt", "legacy"])
def test_what_an_array_means(tmp_path, write, shape, reading, want):
    array = np.random.RandomState(1).randn(*shape)
    path = tmp_path / f"a.{write}"
    if write in ("npy", "npz"):
        {"npy": np.save, "npz": np.savez}[write](path, array)
    else:
        torch.save(torch.from_numpy(array), path, _use_new_zipfile_serialization=write == "pt")
    found = read_foreign(path, Reading(**reading))
    assert found.vectors.shape == want
    columns = shape[0] == DIM and shape[-1] != DIM
    np.testing.assert_array_equal(found.vectors.ravel(), (array.T if columns else array).ravel())
    assert found.eigenvalues is None and found.layers is None and found.space is None


def test_a_choice_that_could_have_been_another_is_told(tmp_path):
    np.save(tmp_path / "a.npy", BASIS[:ROWS])
    (note,) = read_foreign(tmp_path / "a.npy", Reading(num_ws=ROWS)).notes
    assert "one edit with a row for each layer" in note and "--rows directions" in note
    np.save(tmp_path / "a.npy", BASIS[:, :3])
    (note,) = read_foreign(tmp_path / "a.npy", Reading(dims=(DIM,))).notes
    assert "columns are the directions" in note


def test_interfacegans_names_tell_the_space(tmp_path):
    for name, space in (("stylegan_ffhq_smile_w_boundary", "w"), ("stylegan_ffhq_age_c_gender_boundary", "z")):
        np.save(tmp_path / f"{name}.npy", BASIS[:1])
        found = read_foreign(tmp_path / f"{name}.npy")
        assert (found.space, found.kind) == (space, "InterFaceGAN boundary")
        assert found.notes == (f"InterFaceGAN's file of this name is of {space.upper()}",)
    for name in ("age_boundary", "stylegan_ffhq_hat_boundary", "my_stylegan_ffhq_age_boundary", "age_w_boundary"):
        np.save(tmp_path / f"{name}.npy", BASIS[:1])  # anybody's: its name says nothing
        found = read_foreign(tmp_path / f"{name}.npy")
        assert (found.space, found.kind, found.notes) == (None, "array", ())


def test_arrays_that_are_no_directions(tmp_path):
    path = tmp_path / "a.npy"
    for array, says, reading in (
        (np.zeros(()), r"array \[\]", None),
        (np.zeros((2, 2, 2, 2)), r"array \[2, 2, 2, 2\]", None),
        (np.zeros((0, 4)), "where directions", None),
        (np.eye(3)[[0, 1, 1]] * [[1], [0], [1]], "direction 1 is all zeros", None),
        (np.array([["a"]]), "not numbers", None),
        (np.ones((2, 4)), "4 components, the network's latents have 8 or 9", Reading(dims=(8, 9))),
        (BASIS[None, :3], "3 rows, the network has 5 layers", Reading(dims=(DIM,), num_ws=ROWS)),
    ):
        np.save(path, array)
        refused(path, says, reading)
    refused(tmp_path / "none.npy", "no such file")
    refused(tmp_path, "is a folder")


# --- SeFa of other ports --------------------------------------------------------------------------


def test_gan_acas_npz_holds_columns(tmp_path):
    values = np.arange(9.0, 1, -1)
    for count in (3, DIM):  # also where the shape does not tell
        np.savez(tmp_path / "d.npz", eigvecs=BASIS[:, :count], eigvals=values[:count])
        found = read_foreign(tmp_path / "d.npz", Reading(num_ws=DIM))
        np.testing.assert_array_equal(found.vectors, BASIS[:, :count].T)
        np.testing.assert_array_equal(found.eigenvalues, values[:count])
    rows = read_foreign(tmp_path / "d.npz", Reading(vectors="rows"))
    np.testing.assert_array_equal(rows.vectors, BASIS)
    np.savez(tmp_path / "d.npz", eigvecs=BASIS[:, :3], eigvals=values[:2])
    refused(tmp_path / "d.npz", r"3 directions and \[2\] eigenvalues")
    np.savez(tmp_path / "d.npz", boundaries=BASIS[:3], values=values[[1, 0, 2]])  # the authors' names: rows
    found = read_foreign(tmp_path / "d.npz")
    np.testing.assert_array_equal(found.vectors, BASIS[:3])
    assert found.eigenvalues.tolist() == values[[1, 0, 2]].tolist()


@pytest.mark.parametrize("zipped", [True, False])
def test_factor_pt_holds_columns(tmp_path, zipped):
    eigvec = torch.from_numpy(BASIS).requires_grad_()  # as dvschultz's script leaves it
    torch.save({"ckpt": "ffhq.pt", "eigvec": eigvec}, tmp_path / "f.pt", _use_new_zipfile_serialization=zipped)
    found = read_foreign(tmp_path / "f.pt", Reading(num_ws=DIM))
    np.testing.assert_array_equal(found.vectors, BASIS.T)
    assert found.space == "w" and "factor.pt" in found.kind


# --- GANSpace -------------------------------------------------------------------------------------


def components(**change):
    sigmas = np.array([3.0, 2, 1], "f4")
    held = {
        "act_comp": BASIS[:3, None].astype("f4"),
        "act_mean": np.zeros((1, DIM), "f4"),
        "act_stdev": sigmas,
        "lat_comp": BASIS[:3, None].astype("f4"),
        "lat_mean": np.zeros((1, DIM), "f4"),
        "lat_stdev": sigmas / 2,
        "var_ratio": sigmas,
        "random_stdevs": np.ones(5, "f4"),
    }
    return {**held, **change}


def test_ganspace_components(tmp_path):
    path = tmp_path / "stylegan2-ffhq_style_ipca_c80_n1000000_w.npz"
    np.savez_compressed(path, **components())
    found = read_foreign(path, Reading(num_ws=3))
    np.testing.assert_array_equal(found.vectors, BASIS[:3].astype("f4"))
    assert found.sigmas.tolist() == [1.5, 1, 0.5] and found.space == "w" and found.eigenvalues is None
    np.savez_compressed(path, **components(lat_stdev=np.ones(3, "f4")))  # GANSpace measures only those of W
    found = read_foreign(path)
    assert found.space == "z" and "of Z" in found.notes[0]
    np.savez_compressed(path, **components(lat_stdev=np.array([1, 0, 2.0])))
    assert read_foreign(path).sigmas is None
    torch.save({"comp": torch.from_numpy(BASIS[:3, None]), "mean": torch.zeros(1, DIM), "std": torch.ones(3) * 2}, path)
    found = read_foreign(path)  # as PTI and e4e keep them
    np.testing.assert_array_equal(found.vectors, BASIS[:3])
    assert found.sigmas.tolist() == [2, 2, 2]


def edit_record(**change):
    record = {
        "name": "Smile, big",
        "sigma_range": 2.5,
        "component_index": 4,
        "act_comp": BASIS[:1].astype("f4"),
        "lat_comp": BASIS[:1].astype("f4"),
        "latent_space": "W",
        "act_stdev": 1.5,
        "lat_stdev": 2.0,
        "model_name": "StyleGAN2",
        "output_class": "ffhq",
        "decomposition": {"name": "ipca", "components": 80, "samples": 10**6, "layer": "style", "class_name": "ffhq"},
        "edit_type": "latent",
        "truncation": 0.7,
        "edit_start": 2,
        "edit_end": 6,
        "example_seed": 7,
    }
    return {**record, **change}


@pytest.mark.parametrize("protocol", [0, 2, 3, 4, 5])
def test_ganspace_edit_records(tmp_path, protocol):
    path = tmp_path / "stylegan2-smile-comp4-range2-6.pkl"
    path.write_bytes(pickle.dumps(edit_record(), protocol))
    found = read_foreign(path)
    np.testing.assert_array_equal(found.vectors, BASIS[:1].astype("f4"))
    assert (found.layers, found.space, found.names) == ((2, 3, 4, 5), "w", ("Smile, big",))
    assert found.sigmas.tolist() == [2.0]
    assert "2.5 sigmas, which is a distance of 5" in found.notes[0]


def test_odd_edit_records(tmp_path):
    path = tmp_path / "e.pkl"
    path.write_bytes(pickle.dumps(edit_record(latent_space="Z", edit_type="activation", edit_start=0, edit_end=1)))
    found = read_foreign(path)
    assert found.space == "z" and any("its latent part is taken" in note for note in found.notes)
    for change, says in (
        ({"edit_end": 2}, "edits layers 2 to 2"),
        ({"edit_start": "x"}, "no number"),
        ({"lat_stdev": 10**12}, "no number"),
        ({"lat_comp": "smile"}, "lat_comp is a str"),
        ({"lat_comp": np.array([["a"]])}, "lat_comp|only numbers"),
    ):
        path.write_bytes(pickle.dumps(edit_record(**change)))
        refused(path, says)


def test_nothing_of_a_pickle_is_run(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (open, (str(tmp_path / "ran"), "w"))

    path = tmp_path / "e.pkl"
    path.write_bytes(pickle.dumps(edit_record(name=Bomb())))
    refused(path, "open|not known to be harmless")
    path.write_bytes(pickle.dumps(edit_record(example_seed=Bomb())))
    refused(path, "open, which is not known to be harmless")
    path.write_bytes(
        pickle.dumps(edit_record(example_seed=argparse.Namespace(a=1)))
    )  # what is not needed may be anything
    assert read_foreign(path).layers == (2, 3, 4, 5)
    path.write_bytes(dumps(call("os.system", "touch ran")))
    refused(path, "os.system, which is not known to be harmless")
    assert not (tmp_path / "ran").exists()


# --- ComfyUI-StyleGan, and other safetensors ------------------------------------------------------


def comfy(path, vectors, method="sefa", **about):
    order = [f"component_{index:02d}" for index in range(len(vectors))]
    meta = {"method": method, "num_components": str(len(vectors)), "w_dim": str(DIM)}
    meta.update({"component_order": json.dumps(order), **about})
    save_file({name: np.ascontiguousarray(v, "f4") for name, v in zip(order, vectors)}, str(path), meta)


def test_comfyui_stylegan(tmp_path):
    path = tmp_path / "d.safetensors"
    comfy(path, BASIS)
    found = read_foreign(path)
    np.testing.assert_array_equal(found.vectors, BASIS.astype("f4"))
    assert (found.space, found.names, found.sigmas) == ("w", (), None)
    many = np.random.RandomState(0).randn(101, DIM)  # component_100 sorts before component_11
    order = [f"component_{index:02d}" for index in range(101)]
    random.Random(0).shuffle(order)
    comfy(path, many, component_order=json.dumps(order))
    np.testing.assert_array_equal(read_foreign(path).vectors, many.astype("f4")[[int(n[10:]) for n in order]])
    comfy(path, BASIS * np.arange(1, DIM + 1)[:, None], method="ganspace")  # as long as one standard deviation
    np.testing.assert_allclose(read_foreign(path).sigmas, np.arange(1, DIM + 1), rtol=1e-6)
    for order, says in (("[1]", "no list of names"), ("{", "no list"), ('["x"]', "does not fit"), ("[" * 9999, "list")):
        comfy(path, BASIS, component_order=order)
        refused(path, says)


def test_other_safetensors_and_dicts_are_directions_by_name(tmp_path):
    path = tmp_path / "d.safetensors"
    save_file({"smile": BASIS[0], "age": BASIS[1:2]}, str(path))
    found = read_foreign(path)
    assert found.names == ("age", "smile") and (found.vectors == BASIS[[1, 0]]).all()
    torch.save(OrderedDict(smile=torch.from_numpy(BASIS[0]), age=torch.from_numpy(BASIS[1:2])), tmp_path / "d.pt")
    found = read_foreign(tmp_path / "d.pt")
    assert found.names == ("smile", "age") and (found.vectors == BASIS[:2]).all()
    rows = np.random.RandomState(0).randn(2, ROWS, DIM)
    torch.save({"a": torch.from_numpy(rows[0]), "b": torch.from_numpy(rows[1])}, tmp_path / "d.pt")
    np.testing.assert_array_equal(read_foreign(tmp_path / "d.pt").vectors, rows)
    save_file({"a": BASIS[0], "b": BASIS[0, :4]}, str(path))
    refused(path, r"shapes \[4\], \[8\]")
    path.write_bytes(path.read_bytes()[:-3])
    refused(path, "no whole safetensors file")
    save_file({"directions": BASIS}, str(path), {"format": "sefa_directions"})
    refused(path, "--directions-file as it is")


def test_networks_and_latents_are_told_from_directions(golden, tmp_path):
    refused(golden("sg2ada-skip-64").pickle, "no directions that are known: a dict of G, D, G_ema")
    refused(golden("rosinality-32").pickle.with_suffix(".pt"), "a dict of g_ema, latent_avg")
    state = {"a.weight": torch.zeros(4, 3, 3, 3), "a.bias": torch.zeros(4)}
    torch.save(state, tmp_path / "net.pt")
    refused(tmp_path / "net.pt", "a.weight, a.bias, which is a network; `sefa factorize --network .*net.pt` finds")
    torch.save({"a": torch.zeros(4, 3, 3, 3), "b": torch.zeros(4)}, tmp_path / "net.pt")
    refused(tmp_path / "net.pt", r"shapes \[4, 3, 3, 3\], \[4\]")
    np.savez(tmp_path / "projected_w.npz", w=np.zeros((1, ROWS, DIM)))
    refused(tmp_path / "projected_w.npz", "projected latents")
    for name, says in (("z", "holds z, codes of Z, not directions"), ("latents", r"projected latents \(latents\)")):
        np.savez(tmp_path / "x.npz", **{name: BASIS[:1]})
        refused(tmp_path / "x.npz", says)
    torch.save({"a.png": torch.from_numpy(BASIS)}, tmp_path / "x.pt")
    refused(tmp_path / "x.pt", r"projected latents \(a.png\), not directions; --projected-w takes them")
    torch.save("text", tmp_path / "x.pt")
    refused(tmp_path / "x.pt", "neither an array, nor a dict or a list of some")
    (tmp_path / "x.pt").write_bytes(b"")
    refused(tmp_path / "x.pt", "empty")
    torch.save({"ckpt": "x", "eigvec": "y"}, tmp_path / "x.pt")
    refused(tmp_path / "x.pt", "eigvec is a str")
    torch.save(torch.full((2, 3), float("nan")), tmp_path / "x.pt")
    refused(tmp_path / "x.pt", "NaN")


def test_many_views_of_a_few_bytes_do_not_fill_the_memory(tmp_path):
    wide = torch.ones(2**22)
    torch.save({f"a{index}": wide for index in range(100)}, tmp_path / "x.pt")
    assert (tmp_path / "x.pt").stat().st_size < 2**25
    refused(tmp_path / "x.pt", "more than is read")


@pytest.mark.parametrize("kind", ["npz", "pt", "pkl", "safetensors"])
def test_spoilt_bytes_are_a_clear_line_or_harmless(tmp_path, kind):
    path = tmp_path / f"x.{kind}"
    if kind == "npz":
        np.savez_compressed(path, **components())
    elif kind == "pt":
        torch.save({"ckpt": "x", "eigvec": torch.from_numpy(BASIS)}, path)
    elif kind == "pkl":
        path.write_bytes(pickle.dumps(edit_record()))
    else:
        comfy(path, BASIS)
    whole, generator = path.read_bytes(), random.Random(0)
    for _ in range(300):
        data = bytearray(whole)
        data[generator.randrange(len(data))] = generator.randrange(256)
        path.write_bytes(data if generator.random() < 0.7 else data[: generator.randrange(len(data))])
        try:
            assert read_foreign(path).vectors.ndim in (2, 3)
        except FormatError as error:
            assert "\n" not in str(error)


# --- any container --------------------------------------------------------------------------------

TWO = np.random.RandomState(5).randn(2, 1, DIM).astype("f4")
WRITERS = {
    "npy": np.save,
    "npz": lambda path, held: np.savez(path, **held),
    "pt": lambda path, held: torch.save({key: torch.from_numpy(part) for key, part in held.items()}, path),
    "pkl": lambda path, held: path.write_bytes(pickle.dumps(held)),
    "json": lambda path, held: path.write_text(json.dumps({key: part.tolist() for key, part in held.items()})),
    "safetensors": lambda path, held: save_file(held, path),
}


@pytest.mark.parametrize("kind", WRITERS)
def test_one_dict_in_every_container(tmp_path, kind):
    for held in ({"age": TWO[0], "smile": TWO[1]}, {"smile": TWO[1]}):
        WRITERS[kind](tmp_path / f"x.{kind}", held)
        found = read_foreign(tmp_path / f"x.{kind}")
        assert found.names == tuple(held)
        np.testing.assert_allclose(found.vectors, [part[0] for part in held.values()], rtol=1e-6)


@pytest.mark.parametrize("kind", [kind for kind in WRITERS if kind != "safetensors"])
def test_one_format_in_every_container(tmp_path, kind):
    path = tmp_path / f"x.{kind}"
    WRITERS[kind](path, {"eigvecs": BASIS[:, :3].copy(), "eigvals": np.arange(3.0, 0, -1)})
    found = read_foreign(path)
    np.testing.assert_allclose(found.vectors, BASIS[:, :3].T, rtol=1e-6)
    assert found.eigenvalues.tolist() == [3, 2, 1]
    WRITERS[kind](path, components())
    found = read_foreign(path)
    assert found.kind == "GANSpace components" and found.sigmas.tolist() == [1.5, 1, 0.5]


def test_lists_and_spare_axes(tmp_path):
    torch.save([torch.from_numpy(part) for part in TWO], tmp_path / "x.pt")
    np.testing.assert_array_equal(read_foreign(tmp_path / "x.pt").vectors, TWO[:, 0])
    np.save(tmp_path / "x.npy", TWO[None])
    np.testing.assert_array_equal(read_foreign(tmp_path / "x.npy").vectors, TWO[:, 0])
    np.save(tmp_path / "x.npy", {"smile": [TWO[0], TWO[1]]})
    found = read_foreign(tmp_path / "x.npy")
    np.testing.assert_array_equal(found.vectors, TWO[1])
    assert found.notes == ("smile: the last of its 2 iterations is taken",)


def test_equal_rows_are_one_direction(tmp_path):
    path = tmp_path / "x.npy"
    for count in (18, ROWS):  # of another network, and of this one
        np.save(path, np.repeat(TWO[0], count, 0))
        found = read_foreign(path, Reading(num_ws=ROWS, dims=(DIM,)))
        np.testing.assert_array_equal(found.vectors, TWO[0])
        assert found.notes == (f"its {count} rows are equal, and are taken as one direction",)
    np.save(path, np.repeat(TWO, 18, 1))
    np.testing.assert_array_equal(read_foreign(path, Reading(num_ws=ROWS, dims=(DIM,))).vectors, TWO[:, 0])


@pytest.mark.parametrize(
    ("count", "dim", "says"), [(18, 32, "18 rows: as one edit"), (40, 32, "40 rows of 32 numbers")]
)
def test_counts_that_do_not_fit_are_asked_back(tmp_path, count, dim, says):
    rows = np.random.RandomState(0).randn(count, dim)
    np.save(tmp_path / "x.npy", rows)
    with pytest.raises(FormatError, match=says) as caught:
        read_foreign(tmp_path / "x.npy", Reading(num_ws=10))
    option, value = str(caught.value).rpartition("add ")[2].split()  # what it says to type works
    assert option == "--rows"
    assert read_foreign(tmp_path / "x.npy", Reading(num_ws=10, rows=value)).vectors.shape == (count, dim)
    if count < dim:  # of one length: nobody scales the rows of an edit so
        np.save(tmp_path / "x.npy", rows / np.linalg.norm(rows, axis=1, keepdims=True))
        assert read_foreign(tmp_path / "x.npy", Reading(num_ws=10)).vectors.shape == (count, dim)
