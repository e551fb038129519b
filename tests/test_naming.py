import numpy as np
import pytest

from sefa_plugin.directions import Directions, DirectionsFileError
from sefa_plugin.naming import listed, rename


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "directions.safetensors"
    Directions(np.eye(4), np.arange(4, 0, -1), (0, 1)).with_range(2, 0.5, -1.5, 2, "low").save(path)
    return path


def test_naming(file):
    assert "direction 2 is called 'brush size'" in rename(file, "2", "brush size")
    assert rename(file.parent, "brush size", "brush")  # by its name, and in a folder
    held = Directions.load(file)
    assert held.names == ("", "", "brush", "")
    assert held.ranges[2] == (-1.5, 2)
    assert held.broken == ("", "", "low", "")
    assert held.index("brush") == 2
    assert [line.split() for line in listed(file)[1:]] == [["2", "-1.5", "to", "+2", "brush"]]
    assert "no name now" in rename(file, "2", "")
    assert Directions.load(file).names == ("",) * 4


@pytest.mark.parametrize(
    ("key", "name", "says"),
    [
        ("4", "x", "0-3"),
        ("smile", "x", "smile"),
        ("1", "a,b", "comma"),
        ("1", "7", "number"),
        ("1", "taken", "already called"),
    ],
)
def test_what_cannot_be_named(file, key, name, says):
    rename(file, "0", "taken")
    before = file.read_bytes()
    with pytest.raises(ValueError, match=says):
        rename(file, key, name)
    assert file.read_bytes() == before


def test_which_file(file, tmp_path):
    file.rename(tmp_path / "directions-coarse.safetensors")
    assert "coarse" in rename(tmp_path, "0", "x")
    Directions(np.eye(4), np.arange(4, 0, -1), (0, 1)).save(tmp_path / "directions-fine.safetensors")
    with pytest.raises(DirectionsFileError, match=r"directions-coarse.safetensors, directions-fine.safetensors"):
        rename(tmp_path, "0", "y")
