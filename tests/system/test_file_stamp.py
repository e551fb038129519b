import os

import pytest

from sefa_plugin.system.regular_files import Stamp


def test_what_counts_as_changed(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"1234")
    stamp = Stamp(path)
    assert not stamp.is_changed()
    os.utime(path, ns=(1, 1))  # written to within one tick of a clock, or longer ago than before
    assert stamp.is_changed()
    stamp = Stamp(path)
    path.write_bytes(b"123")
    assert stamp.is_changed()
    stamp = Stamp(path)
    (tmp_path / "b").write_bytes(b"other")
    os.replace(tmp_path / "b", path)
    assert not stamp.is_changed()  # the one that was opened is as it was
    path.unlink()
    assert not stamp.is_changed()
    with pytest.raises(OSError):
        Stamp(path)
