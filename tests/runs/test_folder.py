import os
import tempfile

import pytest

from sefa_plugin.runs.folder import check_folder


def test_a_folder_is_made_and_checked(tmp_path):
    check_folder(tmp_path / "a" / "b")
    assert list((tmp_path / "a" / "b").iterdir()) == []
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(NotADirectoryError, match="is a file, and no folder"):
        check_folder(tmp_path / "file")


@pytest.mark.skipif(os.name != "posix", reason="makes links")
def test_a_link_that_leads_nowhere(tmp_path):
    (tmp_path / "link").symlink_to("nowhere")
    with pytest.raises(NotADirectoryError, match="leads nowhere"):
        check_folder(tmp_path / "link")


def test_what_cannot_be_written_to_is_the_folder(tmp_path, monkeypatch):
    """Not the file that it was tried with."""

    def refused(*args, **options):
        raise PermissionError(13, "Permission denied", str(tmp_path / ".sefa-abc"))

    monkeypatch.setattr(tempfile, "TemporaryFile", refused)
    with pytest.raises(PermissionError) as caught:
        check_folder(tmp_path)
    assert caught.value.filename == str(tmp_path)
