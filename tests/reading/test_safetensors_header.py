import json

import numpy as np
from safetensors import safe_open
from safetensors.numpy import load_file, save

from sefa_plugin.reading.safetensors_header import settle

TENSORS = {"b": np.arange(6, dtype=np.float32).reshape(2, 3), "a": np.ones(5, np.float16)}
ABOUT = {f"key {index}": f'value "{index}" é😀\n\x01' for index in range(12)}


def test_the_same_bytes_each_time_and_the_same_content(tmp_path):
    found = set()
    for index in range(6):  # the library's order is another one each time
        path = tmp_path / f"{index}.safetensors"
        path.write_bytes(save(TENSORS, ABOUT))
        size = path.stat().st_size
        settle(path)
        assert path.stat().st_size == size
        found.add(path.read_bytes())
    assert len(found) == 1
    held = load_file(path)
    assert held.keys() == TENSORS.keys() and all(np.array_equal(held[key], TENSORS[key]) for key in held)
    with safe_open(path, framework="np") as file:
        assert file.metadata() == ABOUT


def test_a_file_without_metadata(tmp_path):
    path = tmp_path / "a.safetensors"
    path.write_bytes(save(TENSORS))
    settle(path)
    assert load_file(path).keys() == TENSORS.keys()
    header = path.read_bytes()
    assert json.loads(header[8 : 8 + int.from_bytes(header[:8], "little")])["a"]["shape"] == [5]
