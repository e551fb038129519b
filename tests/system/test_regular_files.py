import os

import pytest

from sefa_plugin.system.regular_files import mapped, open_regular, reading


class Problem(Exception):
    pass


def test_a_file_is_read_as_it_is(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(b"abc")
    assert bytes(mapped(path, Problem)) == b"abc"
    with open_regular(path) as file:
        assert file.read() == b"abc"


def refusals(tmp_path):
    (tmp_path / "empty").touch()
    os.mkfifo(tmp_path / "pipe")
    return {
        "none": "no such file",
        ".": "is a folder; name a file in it",
        "empty": "the file is empty; download or copy it again",
        "pipe": "cannot be read (it is a pipe or a device, and no regular file)",
        "empty/x": "cannot be read (Not a directory)",
        "a\0b": "cannot be read (embedded null byte)",
    }


@pytest.mark.skipif(os.name != "posix", reason="makes a pipe")
def test_what_cannot_be_read_is_one_line_of_the_callers_error(tmp_path):
    for name, says in refusals(tmp_path).items():
        path = tmp_path / name
        with pytest.raises(Problem) as caught:
            mapped(path, Problem)
        assert str(caught.value) == f"{path}: {says}"


def test_other_errors_are_left_alone():
    with pytest.raises(ValueError, match="mine"), reading("x", Problem):
        raise ValueError("mine")
