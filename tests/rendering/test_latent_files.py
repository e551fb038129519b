"""Latents in the layouts of other tools, written here by plain numpy and torch calls."""

import io
import pickle
import zipfile

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pickle_writer import call, dumps

from sefa_plugin.rendering.latent_files import LatentsError, load_projected_w


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
        ({"w": np.zeros((1, 5, 4))}, r"w is \[1, 5, 4\], this network needs \[N, 6, 4\] or \[N, 4\]"),
        ({"w": np.zeros((1, 6, 3))}, r"\[1, 6, 3\]"),
        ({"w": np.zeros((2, 2, 6, 4))}, r"\[2, 2, 6, 4\]"),
        ({"w": np.zeros((0, 6, 4))}, r"\[0, 6, 4\]"),
        ({"w": np.zeros((1, 6, 4), int)}, "int64, not floating point"),
        ({"w": np.full((1, 6, 4), np.nan)}, "NaN"),
        ({"w": np.full((1, 6, 4), 1e300)}, "infinity"),  # of float32
        ({"w": np.array([[["a"]]], dtype=object)}, "Object arrays cannot be loaded"),  # would be unpickled
        ({"z": np.zeros(3), "y": np.zeros(3)}, "holds z, y, not w"),
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

    torch.save(torch.zeros(2, 18, W_DIM), path)
    refused(r"\[2, 18, 4\], this network needs \[N, 6, 4\] or \[N, 4\]")
    torch.save({"ckpt": "x", "eigvec": torch.eye(4)}, path)
    refused("no latents that are known: ckpt is none")
    torch.save({}, path)
    refused("empty dict")
    torch.save([torch.zeros(4)], path)
    refused("neither a tensor nor a dict")
    torch.save(torch.zeros(2, 4, dtype=torch.int64), path)
    refused("int64, not floating point")
    path.write_bytes(dumps(call("os.system", "true")))
    refused("os.system, which is not known to be harmless")
    path.write_bytes(golden("sg2ada-skip-64").pickle.read_bytes())
    refused("no latents that are known: G is none")
    path.write_bytes(b"")
    refused("empty")
