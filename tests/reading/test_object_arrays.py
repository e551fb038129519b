"""NumPy's arrays of Python objects, as numpy.save writes them."""

import io
import pickle

import numpy as np
import pytest
from pickle_writer import call, dumps

from sefa_plugin.reading.array_file import ArrayFile, ArrayFileError
from sefa_plugin.reading.object_arrays import Objects, load_objects
from sefa_plugin.reading.pickle_forms import load
from sefa_plugin.reading.pickle_machine import InertPickleError
from sefa_plugin.reading.tensors_file import InertParts


def parts(tmp_path, array):
    np.save(tmp_path / "x.npy", array)
    return InertParts(tmp_path / "x.npy")


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_every_protocol(protocol):
    array = np.empty((2, 3), object)
    array[:] = [["a", 1, 2.5], [None, [1], {"b": 2}]]
    held = load_objects(pickle.dumps(array, protocol)).value.view
    assert isinstance(held, Objects) and held.shape == (2, 3)
    assert held.nested() == array.tolist()


def test_a_dict_is_a_dict(tmp_path):
    inner = np.empty(2, object)
    inner[:] = [np.arange(3.0), {"c": np.ones(2)}]
    file = parts(tmp_path, {"a": np.arange(4.0), "b": inner})
    assert list(file.pairs) == ["a", "b"] and file.shape(file.pairs["a"]) == (4,)
    first, second = file.list_of(file.pairs["b"])
    assert file.array(first, "x").tolist() == [0, 1, 2]
    assert file.array(file.dict_of(second)["c"], "x").tolist() == [1, 1]


def test_an_array_of_numbers_as_objects_is_one_of_numbers(tmp_path):
    file = parts(tmp_path, np.array([[1.5, 2], [3, 4]], dtype=object))
    assert file.array(file.value, "x").tolist() == [[1.5, 2], [3, 4]]


def test_networks_hold_none():
    with pytest.raises(InertPickleError, match="only numbers are read"):
        load(pickle.dumps(np.array({"a": 1}, dtype=object)))


@pytest.mark.parametrize("change", [b"more", b"", None])
def test_what_is_no_array_of_objects(tmp_path, change):
    stream = io.BytesIO()
    np.save(stream, np.array({"a": np.ones(3)}, dtype=object), allow_pickle=True)
    data = stream.getvalue()
    start = data.index(b"\n") + 1
    content = {b"more": data + b"more", b"": data[:-5], None: data[:start] + dumps(call("os.system", "touch ran"))}
    (tmp_path / "x.npy").write_bytes(content[change])
    with pytest.raises(ArrayFileError) as caught:
        InertParts(tmp_path / "x.npy")
    assert "\n" not in str(caught.value)


def test_every_spoilt_byte_is_one_line_or_harmless(tmp_path):
    path, stream = tmp_path / "x.npy", io.BytesIO()
    np.save(stream, {"a": [np.arange(2.0)]}, allow_pickle=True)
    for place in range(len(stream.getvalue())):
        data = bytearray(stream.getvalue())
        data[place] ^= 0xFF
        path.write_bytes(data)
        try:
            file = InertParts(path)
            for item in (file.pairs or {}).values():
                file.shape(item)
        except Exception as error:
            assert type(error).__module__.startswith("sefa_plugin"), repr(error)
            assert "\n" not in str(error)


def test_an_archive_that_unfolds_to_much_is_refused(tmp_path):
    np.savez_compressed(tmp_path / "x.npz", a=np.array({"a": np.zeros(2**20)}, dtype=object))
    with pytest.raises(ArrayFileError, match="unfolds to over 100 times"):
        InertParts(tmp_path / "x.npz")
    np.savez(tmp_path / "x.npz", a=np.array({"a": np.zeros(2**10)}, dtype=object))
    assert ArrayFile(tmp_path / "x.npz").holds_objects("a")
    assert InertParts(tmp_path / "x.npz").pairs.keys() == {"a"}
