import pytest

from sefa_plugin.outputs import check_folder, output_folder


def test_where_outputs_go(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert str(output_folder(None, "ffhq")).replace("\\", "/") == "sefa-out/ffhq"
    assert str(output_folder("here", "ffhq")) == "here"
    check_folder(tmp_path / "a" / "b")
    assert list((tmp_path / "a" / "b").iterdir()) == []
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OSError):
        check_folder(tmp_path / "file")
