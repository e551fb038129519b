"""Latents in the layouts of other tools, written here by plain numpy and torch calls."""

import io
import json
import pickle
import shlex
import zipfile

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pickle_writer import call, dumps
from safetensors.numpy import save_file

from sefa_plugin import load_network
from sefa_plugin.rendering.latent_files import LatentsError, load_projected_w, read_label


def test_projected_latents(tmp_path):
    ws = np.random.RandomState(0).randn(2, 6, 4)
    np.savez(tmp_path / "all.npz", w=ws)
    held = load_projected_w(tmp_path / "all.npz", 6, 4)
    assert held.dtype == np.float32
    assert np.array_equal(held, ws.astype("f4"))
    np.savez_compressed(tmp_path / "one.npz", w=ws[:, :1].astype("f4"))
    repeated = load_projected_w(tmp_path / "one.npz", 6, 4)
    assert repeated.shape == (2, 6, 4)
    assert (repeated == repeated[:, :1]).all()
    repeated[0, 0] = 9  # rows are their own memory
    assert not (repeated[0, 1] == 9).any()


@pytest.mark.parametrize(
    ("arrays", "says"),
    [
        ({"w": np.eye(5, 4)[None]}, r"w is \[1, 5, 4\], this network needs \[N, 6, 4\] or \[N, 4\]"),
        ({"w": np.zeros((1, 6, 3))}, r"\[1, 6, 3\]"),
        ({"w": np.zeros((2, 2, 6, 4))}, r"\[2, 2, 6, 4\]"),
        ({"w": np.zeros((0, 6, 4))}, r"\[0, 6, 4\]"),
        ({"w": np.zeros((1, 6, 4), int)}, "int64, not floating point"),
        ({"w": np.full((1, 6, 4), np.nan)}, "NaN"),
        ({"w": np.full((1, 6, 4), 1e300)}, "infinity"),  # of float32
        ({"w": np.array([[["a"]]], dtype=object)}, "no latents that are known: w is none"),
        (
            {"z": np.zeros((2, 4)), "x": np.zeros(4)},
            r"holds z, codes of Z, not w; .* Map it: python",
        ),
        ({"noise": np.zeros(4)}, "holds noise, noise, not w"),
        ({"labels": np.zeros(4), "img": np.zeros(4)}, "holds labels, labels, not w"),
        (
            {"eigvecs": np.eye(4)},
            r"holds directions \(eigvecs\), not latents; `sefa import .*w.npz --network NETWORK`",
        ),
    ],
)
def test_projected_latents_that_do_not_fit(tmp_path, arrays, says):
    path = tmp_path / "w.npz"
    np.savez(path, **arrays)
    with pytest.raises(LatentsError, match=says) as caught:
        load_projected_w(path, 6, 4)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_files_that_hold_no_latents(tmp_path):
    whole = io.BytesIO()
    np.savez_compressed(whole, w=np.random.RandomState(0).randn(1, 6, 4))
    data = whole.getvalue()
    text = io.BytesIO()
    with zipfile.ZipFile(text, "w") as file:
        file.writestr("w.npy", b"no array")
    broken = [b"", b"some text", b"\x80\x04K\x01.", data[:-40], text.getvalue()]
    for index, content in enumerate(broken):
        path = tmp_path / f"{index}.npz"
        path.write_bytes(content)
        with pytest.raises(LatentsError):
            load_projected_w(path, 6, 4)
    with pytest.raises(LatentsError, match="no such file"):
        load_projected_w(tmp_path / "none.npz", 6, 4)
    with pytest.raises(LatentsError, match="is a folder"):
        load_projected_w(tmp_path, 6, 4)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_one_spoilt_byte_is_a_clear_error_or_harmless(tmp_path, save):
    path, whole = tmp_path / "w.npz", io.BytesIO()
    save(whole, w=np.zeros((1, 6, 4), "f4"))
    for place in range(len(whole.getvalue())):
        data = bytearray(whole.getvalue())
        data[place] ^= 0xFF
        path.write_bytes(data)
        try:
            assert load_projected_w(path, 6, 4).shape == (1, 6, 4)
        except LatentsError as error:
            assert "\n" not in str(error)


NUM_WS, W_DIM = 6, 4
WRITERS = {
    "npy": np.save,
    "npz": lambda path, array: np.savez(path, w=array),
    "other npz": lambda path, array: np.savez_compressed(path, projected=array),
    "pt": lambda path, array: torch.save(torch.from_numpy(array), path),
    "pth": lambda path, array: torch.save(torch.from_numpy(array), path, _use_new_zipfile_serialization=False),
    "pkl": lambda path, array: path.write_bytes(pickle.dumps(array)),
}


@pytest.mark.parametrize("kind", WRITERS)
@given(st.integers(1, 9), st.sampled_from(["w", "one row", "all rows", "alone", "alone with rows"]))
def test_every_shape_in_every_file(tmp_path_factory, kind, count, shape):
    """e4e writes [N, 18, 512], PTI [1, 18, 512] or [1, 1, 512], InterFaceGAN's latents are [N, 512]."""
    shapes = {
        "w": (count, W_DIM),
        "one row": (count, 1, W_DIM),
        "all rows": (count, NUM_WS, W_DIM),
        "alone": (W_DIM,),
        "alone with rows": (NUM_WS, W_DIM),
    }
    array = np.random.RandomState(count).randn(*shapes[shape]).astype("f4")
    path = tmp_path_factory.getbasetemp() / f"latents.{kind.split()[-1]}"
    WRITERS[kind](path, array)
    if shape == "w" and count in (8, 10, 12, 14, 16, 18):  # as many as another network has layers
        with pytest.raises(LatentsError, match=rf"as one latent it has {count} layers, this network has {NUM_WS}"):
            load_projected_w(path, NUM_WS, W_DIM)
        return
    ws = load_projected_w(path, NUM_WS, W_DIM)
    assert ws.dtype == np.float32 and ws.flags.c_contiguous
    if shape == "w" and count == NUM_WS:  # as many as layers: one latent with a row for each
        shape = "alone with rows"
    want = {"w": array[:, None] if array.ndim == 2 else array, "alone": array.reshape(1, 1, -1)}.get(shape, array)
    want = want[None] if want.ndim == 2 else want
    np.testing.assert_array_equal(ws, np.broadcast_to(want, (len(want), NUM_WS, W_DIM)))


def test_dicts_of_latents(tmp_path):
    path = tmp_path / "x.pt"
    codes = torch.randn(3, NUM_WS, W_DIM)
    torch.save({"a.png": codes[0], "b.png": codes[1:]}, path)
    assert np.array_equal(load_projected_w(path, NUM_WS, W_DIM), codes)
    projected = {"img": torch.zeros(3, 8, 8), "noise": [torch.zeros(1, 1, 4, 4)]}  # rosinality's projector.py
    torch.save({"a.png": {**projected, "latent": codes[0, 0]}, "b.png": {**projected, "latent": codes[1]}}, path)
    ws = load_projected_w(path, NUM_WS, W_DIM)
    assert np.array_equal(ws, torch.stack([codes[0, :1].expand(NUM_WS, -1), codes[1]]))
    torch.save(codes.to(torch.bfloat16).requires_grad_(), path)
    assert np.array_equal(load_projected_w(path, NUM_WS, W_DIM), codes.to(torch.bfloat16).float())


def test_what_is_no_file_of_latents(tmp_path, golden):
    path = tmp_path / "x.pt"

    def refused(says):
        with pytest.raises(LatentsError, match=says) as caught:
            load_projected_w(path, NUM_WS, W_DIM)
        assert str(caught.value).startswith(str(path)) and "\n" not in str(caught.value)

    torch.save(torch.randn(2, 18, W_DIM), path)
    refused(r"\[2, 18, 4\], this network needs \[N, 6, 4\] or \[N, 4\]")
    torch.save({"ckpt": "x", "eigvec": torch.eye(4)}, path)
    refused(r"holds directions \(eigvec\), not latents; `sefa import .* makes a directions file")
    torch.save({}, path)
    refused("empty dict")
    torch.save("text", path)
    refused("neither an array, nor a dict or a list of some")
    torch.save({"a": 3}, path)
    refused("no latents that are known: a is none")
    torch.save(torch.zeros(2, 4, dtype=torch.int64), path)
    refused("int64, not floating point")
    path.write_bytes(dumps(call("os.system", "true")))
    refused("os.system, which is not known to be harmless")
    path.write_bytes(golden("sg2ada-skip-64").pickle.read_bytes())
    refused("is a network; a network is given by --network")
    path.write_bytes(b"")
    refused("empty")


# --- any container, any nesting -------------------------------------------------------------------

PARTS = np.random.RandomState(3).randn(3, NUM_WS, W_DIM).astype("f4")
CONTAINERS = {
    "npy": lambda path, held: np.save(path, np.array(held, dtype=object) if isinstance(held, list) else held),
    "npz": lambda path, held: np.savez(path, **held),
    "npz of objects": lambda path, held: np.savez(path, latents=np.array(held, dtype=object)),
    "pt": lambda path, held: torch.save(mapped(held, torch.from_numpy), path),
    "pth": lambda path, held: torch.save(mapped(held, torch.from_numpy), path, _use_new_zipfile_serialization=False),
    "pkl": lambda path, held: path.write_bytes(pickle.dumps(held)),
    "json": lambda path, held: path.write_text(json.dumps(mapped(held, np.ndarray.tolist))),
    "safetensors": lambda path, held: save_file(held, path),
}


def mapped(held, convert):
    """Nested dicts and lists with converted arrays."""
    if isinstance(held, dict):
        return {key: mapped(part, convert) for key, part in held.items()}
    return [mapped(part, convert) for part in held] if isinstance(held, list) else convert(held)


@pytest.mark.parametrize("kind", CONTAINERS)
def test_one_dict_in_every_container(tmp_path, kind):
    held = {"a.jpg": PARTS[0], "b.jpg": PARTS[1]}
    path = tmp_path / f"x.{kind.split()[0]}"
    CONTAINERS[kind](path, held)
    np.testing.assert_allclose(load_projected_w(path, NUM_WS, W_DIM), PARTS[:2], rtol=1e-6)


@pytest.mark.parametrize("kind", ["npy", "npz of objects", "pt", "pth", "pkl", "json"])
def test_lists(tmp_path, kind):
    """Of a picture the last iteration is taken, and this is said; a list by itself holds latents."""
    path, said = tmp_path / f"x.{kind.split()[0]}", []
    CONTAINERS[kind](path, {"a.jpg": [PARTS[0], PARTS[1], PARTS[2]], "b.jpg": [PARTS[1], PARTS[0]]})
    np.testing.assert_allclose(load_projected_w(path, NUM_WS, W_DIM, said.append), PARTS[[2, 0]], rtol=1e-6)
    assert said == [f"{name}: the last of its {n} iterations is taken" for name, n in (("a.jpg", 3), ("b.jpg", 2))]
    CONTAINERS[kind](path, {"a.jpg": {"latents": PARTS[0][None, None], "noise": [PARTS[1]]}})
    np.testing.assert_allclose(load_projected_w(path, NUM_WS, W_DIM), PARTS[:1], rtol=1e-6)
    CONTAINERS[kind](path, {"a.jpg": [PARTS[0, row] for row in range(NUM_WS)]})
    np.testing.assert_allclose(load_projected_w(path, NUM_WS, W_DIM), PARTS[:1], rtol=1e-6)
    if kind != "json":  # where rows of numbers are an array
        CONTAINERS[kind](path, {0: [PARTS[0, 0], PARTS[1, 0]]})
        np.testing.assert_allclose(load_projected_w(path, NUM_WS, W_DIM)[:, 2], PARTS[1:2, 0], rtol=1e-6)
    if kind not in ("npy", "npz of objects"):  # which make one array of a list of arrays
        CONTAINERS[kind](path, [PARTS[0], PARTS[1]])
        np.testing.assert_allclose(load_projected_w(path, NUM_WS, W_DIM), PARTS[:2], rtol=1e-6)


def test_tensors_of_torch_in_an_array_of_objects(tmp_path):
    np.save(tmp_path / "x.npy", {"a.jpg": torch.from_numpy(PARTS[0])})
    assert np.array_equal(load_projected_w(tmp_path / "x.npy", NUM_WS, W_DIM), PARTS[:1])


def test_nothing_of_an_array_of_objects_is_run(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (open, (str(tmp_path / "ran"), "w"))

    path = tmp_path / "x.npy"
    for held in (Bomb(), {"a.jpg": Bomb()}, {"a.jpg": PARTS[0], "b": [Bomb()]}):
        np.save(path, np.array(held, dtype=object))
        with pytest.raises(LatentsError, match="open, which is not known to be harmless"):
            load_projected_w(path, NUM_WS, W_DIM)
    path.write_bytes(path.read_bytes() + b"more")
    with pytest.raises(LatentsError):
        load_projected_w(path, NUM_WS, W_DIM)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "shape", [(1, 1, NUM_WS, W_DIM), (1, 2, NUM_WS, W_DIM), (2, 1, 1, W_DIM), (2, 1, NUM_WS, W_DIM)]
)
def test_spare_axes(tmp_path, shape):
    array = np.random.RandomState(0).randn(*shape)
    np.save(tmp_path / "x.npy", array)
    rows = array.reshape(-1, NUM_WS if NUM_WS in shape else 1, W_DIM)
    want = np.broadcast_to(rows, (len(rows), NUM_WS, W_DIM))
    np.testing.assert_allclose(load_projected_w(tmp_path / "x.npy", NUM_WS, W_DIM), want, rtol=1e-6)


def test_equal_rows_are_one_latent(tmp_path):
    said = []
    np.save(tmp_path / "x.npy", np.repeat(PARTS[0, :1], 18, 0))
    ws = load_projected_w(tmp_path / "x.npy", NUM_WS, W_DIM, said.append)
    assert np.array_equal(ws, np.repeat(PARTS[:1, :1], NUM_WS, 1))
    assert said == ["the array: its 18 rows are equal, and are taken as one latent of W"]
    np.save(tmp_path / "x.npy", np.repeat(PARTS[:2, :1], 18, 1))
    assert np.array_equal(load_projected_w(tmp_path / "x.npy", NUM_WS, W_DIM), np.repeat(PARTS[:2, :1], NUM_WS, 1))


@pytest.mark.parametrize("kind", ["npy", "npz"])
def test_what_a_message_says_to_type_works(tmp_path, monkeypatch, kind):
    """Rows of a count that fits another network; codes of Z."""
    monkeypatch.chdir(tmp_path)
    array = np.random.RandomState(0).randn(18, W_DIM)
    {"npy": np.save, "npz": np.savez}[kind](f"x.{kind}", array)
    with pytest.raises(LatentsError) as caught:
        load_projected_w(f"x.{kind}", NUM_WS, W_DIM)
    command, _, option = str(caught.value).partition("type ")[2].rpartition(" and ")
    exec(shlex.split(command)[2])
    assert option == "--projected-w each.npz"
    np.testing.assert_allclose(load_projected_w("each.npz", NUM_WS, W_DIM)[:, 0], array, rtol=1e-6)
    z = np.random.RandomState(0).randn(2, 64)
    np.save("z.npy", z) if kind == "npy" else np.savez("x.npz", z=z)
    with pytest.raises(LatentsError) as caught:
        load_projected_w("z.npy" if kind == "npy" else "x.npz", 10, 64)
    exec(shlex.split(str(caught.value).partition("Map it: ")[2])[2].replace("'NETWORK'", "'demo'"))
    with torch.no_grad():
        want = load_network("demo").mapping(torch.from_numpy(z), None)
    np.testing.assert_allclose(load_projected_w("w.npz", 10, 64), want, rtol=1e-5)


def test_latents_as_long_as_directions_are_noted(tmp_path):
    said, vector = [], np.random.RandomState(0).randn(1, 64)
    np.save(tmp_path / "age_boundary.npy", vector / np.linalg.norm(vector))
    load_projected_w(tmp_path / "age_boundary.npy", 10, 64, said.append)
    assert len(said) == 1 and "of length 1, as directions are" in said[0] and "`sefa import`" in said[0]


# --- labels ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(3,), (1, 3)])
@pytest.mark.parametrize("kind", ["npy", "npz", "pt", "json", "txt"])
def test_a_label_in_a_file(tmp_path, kind, shape):
    path, label = tmp_path / f"label.{kind}", np.array([0.5, 0, -1.5])
    if kind == "txt":
        path.write_text("0.5, 0, -1.5\n")
    elif kind == "npz":
        np.savez(path, label.reshape(shape))
    else:
        CONTAINERS[kind](path, label.reshape(shape))
    assert read_label(path) == (0.5, 0.0, -1.5)


def test_what_is_no_label(tmp_path):
    np.save(tmp_path / "two.npy", np.eye(2))
    (tmp_path / "words.txt").write_text("cat dog")
    for name, says in (("two.npy", "one label is needed"), ("words.txt", "no numbers"), ("none.npy", "no such file")):
        with pytest.raises(LatentsError, match=says) as caught:
            read_label(tmp_path / name)
        assert "\n" not in str(caught.value)
