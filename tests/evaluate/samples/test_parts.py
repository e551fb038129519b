"""Measurements that are kept by what they depend on."""

import os
import struct
import zipfile

import numpy as np
import pytest

from sefa_plugin.evaluate.samples.parts import Parts, digest_of, name_of

LIKE = {"x": ("f", (3,)), "names": ("U", (None,))}
A = {"a": ("f", (None,))}


def test_kept_by_what_they_depend_on(tmp_path):
    parts, calls = Parts(tmp_path / "parts"), []

    def measure():
        calls.append(1)
        return {"x": np.arange(3.0), "names": np.array(["a", "bb"])}

    first = parts.of({"what": "x", "seeds": [1, 2]}, measure, LIKE)
    again = parts.of({"seeds": [1, 2], "what": "x"}, measure, LIKE)
    assert len(calls) == 1
    assert np.array_equal(first["x"], again["x"]) and again["names"].tolist() == ["a", "bb"]
    parts.of({"what": "x", "seeds": [1, 3]}, measure, LIKE)
    assert len(calls) == 2
    assert parts.has({"what": "x", "seeds": [1, 3]}) and not parts.has({"what": "y"})


def test_a_failure_leaves_nothing(tmp_path):
    parts = Parts(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        parts.of({"what": "x"}, lambda: (_ for _ in ()).throw(KeyboardInterrupt), A)
    assert not list(tmp_path.iterdir())


def test_what_is_not_whole_is_measured_again(tmp_path):
    parts = Parts(tmp_path)
    path = parts.path({"what": "x"})
    for content in (b"", b"PK\x03\x04 cut", b"\x80\x04N."):
        path.write_bytes(content)
        assert parts.of({"what": "x"}, lambda: {"a": np.ones(2)}, A)["a"].tolist() == [1, 1]
    assert np.load(path, allow_pickle=False)["a"].tolist() == [1, 1]


def test_what_does_not_fit_is_measured_again(tmp_path):
    """A folder that somebody passed on may hold anything under the right name; bombs are not unfolded."""
    parts = Parts(tmp_path)
    path = parts.path({"what": "x"})
    for arrays in (
        {"b": np.ones(2)},
        {"a": np.ones(2), "b": np.ones(2)},
        {"a": np.ones((2, 2))},
        {"a": np.array(["x"])},
        {"a": np.array([np.nan])},
    ):
        np.savez(path, **arrays)
        assert parts.of({"what": "x"}, lambda: {"a": np.ones(2)}, A)["a"].tolist() == [1, 1]
    for write in (lambda: np.savez_compressed(path, a=np.ones(1 << 20)), lambda: _cut_short(path)):
        write()
        assert parts.of({"what": "x"}, lambda: {"a": np.ones(2)}, A)["a"].tolist() == [1, 1]
    if hasattr(os, "mkfifo"):
        path.unlink()
        os.mkfifo(path)
        with pytest.raises(OSError, match="a pipe or a device"):
            parts.of({"what": "x"}, lambda: {"a": np.ones(2)}, A)


def _cut_short(path):
    """The header promises more than there is, and more than memory holds."""
    head = np.lib.format.magic(1, 0) + struct.pack("<H", 118)
    text = "{'descr': '<f8', 'fortran_order': False, 'shape': (10000000000000,), }"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.npy", head + text.ljust(117).encode() + b"\n" + bytes(16))


def test_clearing_leaves_other_files_alone(tmp_path):
    parts = Parts(tmp_path)
    parts.of({"what": "x"}, lambda: {"a": np.ones(2)}, A)
    for name in ("mine.npz", "notes.txt"):
        (tmp_path / name).write_text("mine")
    parts.clear()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.npz", "notes.txt"]
    Parts(tmp_path / "nowhere").clear()


def test_without_a_folder_nothing_is_kept():
    parts = Parts(None)
    assert parts.of({"what": "x"}, lambda: {"a": np.ones(1)}, A)["a"] == 1
    assert not parts.has({"what": "x"})
    parts.clear()


def test_digests_tell_arrays_apart():
    a = np.arange(6.0)
    different = [a, a.reshape(2, 3), a.astype(np.float32), a + 1, a[::-1]]
    assert len({digest_of(one) for one in different}) == 5
    assert digest_of(a, a) != digest_of(a)
    assert name_of({"a": 1, "b": 2}) == name_of({"b": 2, "a": 1}) != name_of({"a": 1})
