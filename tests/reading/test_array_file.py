import io
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from sefa_plugin.reading.array_file import ArrayFile, ArrayFileError

kinds = st.sampled_from(["<f4", "<f8", ">f4", "<f2", "<i4", "|u1"])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("arrays")


@given(st.data(), kinds, st.booleans())
def test_every_array_of_numbers_is_read_as_numpy_reads_it(folder, data, kind, fortran):
    shape = data.draw(hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4))
    array = np.random.RandomState(0).randint(0, 9, shape).astype(kind)
    array = np.asfortranarray(array) if fortran else array
    np.save(folder / "a.npy", array)
    np.savez_compressed(folder / "a.npz", one=array, two=array + 1)
    for found in (ArrayFile(folder / "a.npy").read(""), ArrayFile(folder / "a.npz").read("one")):
        assert found.dtype == np.float64 and found.shape == array.shape
        np.testing.assert_array_equal(found, array)
    assert "two" in ArrayFile(folder / "a.npz") and "three" not in ArrayFile(folder / "a.npz")


def header(shape, kind="<f8"):
    text = repr({"descr": kind, "fortran_order": False, "shape": shape}).ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()


def packed(content, method=zipfile.ZIP_DEFLATED):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        archive.writestr("w.npy", content)
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (header((10**9, 10**9)), "more than is read"),  # nothing of that size is asked for
        (header((2**25,)), r"cut short: its shape is \(33554432,\), its file has 128 bytes"),
        (header((2**27,), "|u1"), "more than is read"),  # small as it is, but not as float64
        (header((-1, 2)), r"cut short: its shape is \(-1, 2\)"),
        (header((2,), "|O") + b"x", "Object arrays cannot be loaded"),
        (header((1,), "<c16") + b"0" * 16, "not numbers"),
        (header((1,), "<f8") + np.float64("nan").tobytes(), "NaN or infinity"),
        (header((1,), "<f8") + np.float64(1e300).tobytes(), "NaN or infinity"),  # of float32
        (b"\x93NUMPY\x07\x00" + b"\0" * 9, "no NumPy file that can be read"),
        (b"\x93NUMPY\x01\x00" + b"\x20\x00" + b"(" * 32, "no NumPy file that can be read"),
        (b"\x93NUMPY\x01\x00" + b"\x20\x00", "reading array header"),
        (b"no array", "no NumPy file"),
        (b"", "no NumPy file"),
        (packed(header((10**6, 10**6))), "more than is read"),
        (packed(b"no array"), "magic string is not correct"),
        (packed(header((4,)) + b"\0" * 32)[:-30], "no readable zip archive"),
    ],
)
def test_hostile_and_broken_files(tmp_path, content, says):
    path = tmp_path / "a.npz"
    path.write_bytes(content)
    with pytest.raises(ArrayFileError, match=says) as caught:
        file = ArrayFile(path)
        file.read(file.names[0])
    assert "\n" not in str(caught.value)


def test_an_archive_of_something_else(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("picture.png", b"x")
    with pytest.raises(ArrayFileError, match="0 arrays"):
        ArrayFile(tmp_path / "a.npz")
