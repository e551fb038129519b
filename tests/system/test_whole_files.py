"""Outputs appear whole or not at all."""

from __future__ import annotations

import os
import threading
import time
from contextlib import suppress

import pytest

from sefa_plugin.system import whole_files as atomic
from sefa_plugin.system.whole_files import alone_in, keep_inside, whole_file, whole_folder


def names(folder):
    return sorted(p.name for p in folder.iterdir())


def test_a_file_appears_only_at_the_end_and_is_written_under_its_name(tmp_path):
    target = tmp_path / "new" / "folder" / "all-dir00.mp4"
    with whole_file(target) as part:
        assert part.name == target.name and part.parent.parent == target.parent and part.parent.name.startswith(".")
        part.write_bytes(b"new")
        assert not target.exists()
    assert target.read_bytes() == b"new"
    assert names(target.parent) == ["all-dir00.mp4"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, OSError])
def test_a_failure_keeps_the_old_file_and_nothing_else(tmp_path, error):
    target = tmp_path / "a.png"
    target.write_bytes(b"old")
    with pytest.raises(error):
        with whole_file(target) as part:
            part.write_bytes(b"half")
            raise error
    assert target.read_bytes() == b"old"
    assert names(tmp_path) == ["a.png"]


def test_a_signal_while_the_hidden_folder_is_removed_leaves_nothing(tmp_path, monkeypatch):
    remove, calls = atomic.shutil.rmtree, []

    def interrupted(path, **more):
        calls.append(path)
        if len(calls) == 1:
            raise KeyboardInterrupt
        remove(path, **more)

    monkeypatch.setattr(atomic.shutil, "rmtree", interrupted)
    with pytest.raises(KeyboardInterrupt):
        with whole_file(tmp_path / "a.png") as part:
            part.write_bytes(b"new")
    assert names(tmp_path) == ["a.png"]


def test_a_failure_before_anything_was_written_is_the_error_seen(tmp_path):
    with pytest.raises(ZeroDivisionError):
        with whole_file(tmp_path / "a.png"):
            raise ZeroDivisionError
    assert names(tmp_path) == []


def test_a_block_that_writes_nothing_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        with whole_file(tmp_path / "a.png"):
            pass


def test_the_longest_name_leaves_room_for_the_temporary_one(tmp_path):
    target = tmp_path / ("n" * 251 + ".png")
    with whole_file(target) as part:
        part.write_bytes(b"x")
    assert target.read_bytes() == b"x"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
@pytest.mark.parametrize("make", [whole_file, whole_folder])
@pytest.mark.parametrize("linked", [False, True])
def test_pipes_and_devices_are_not_replaced(tmp_path, make, linked):
    pipe = target = tmp_path / "pipe"
    os.mkfifo(pipe)
    if linked:
        target = tmp_path / "link"
        target.symlink_to(pipe)
    with pytest.raises(OSError, match="a pipe or a device"), make(target):
        raise AssertionError("work was done for it")
    assert pipe.is_fifo() and set(names(tmp_path)) == {"pipe", target.name}


def test_two_at_once_do_not_meet(tmp_path):
    with whole_file(tmp_path / "a.png") as one, whole_file(tmp_path / "a.png") as two:
        one.write_bytes(b"1")
        two.write_bytes(b"2")
    assert (tmp_path / "a.png").read_bytes() == b"1"  # the last to finish


def test_a_folder_in_the_place_of_a_file_is_refused_before_the_work(tmp_path):
    (tmp_path / "a.png").mkdir()
    with pytest.raises(IsADirectoryError):
        with whole_file(tmp_path / "a.png"):
            pytest.fail("the work began")


def test_a_linked_output_stays_a_link(tmp_path):
    real, link = tmp_path / "real.png", tmp_path / "link.png"
    real.write_bytes(b"old")
    try:
        link.symlink_to(real)
    except OSError:
        pytest.skip("no links here")
    with whole_file(link) as part:
        part.write_bytes(b"new")
    assert link.is_symlink() and real.read_bytes() == b"new"


def test_links_out_of_an_output_folder_are_refused(tmp_path):
    """It may have been unpacked from an archive of somebody else's."""
    out, mine = tmp_path / "out", tmp_path / "mine"
    for folder in (out / "sheets", mine):
        folder.mkdir(parents=True)
    (mine / "bashrc").write_bytes(b"mine")
    try:
        (out / "run.json").symlink_to(mine / "bashrc")
        (out / "new.json").symlink_to(mine / "new")
        (out / "videos").symlink_to(mine)
        (out / "index.html").symlink_to("sheets/page")
        (tmp_path / "linked").symlink_to(out)
    except OSError:
        pytest.skip("no links here")
    for folder in (out, tmp_path / "linked"):
        keep_inside(folder)
        for name in ("run.json", "new.json", "videos/bashrc", "videos/new.gif"):
            with pytest.raises(OSError, match="leads out of it") as caught, whole_file(folder / name):
                pytest.fail("the work began")
            assert caught.value.filename == str(folder / name)
        with pytest.raises(OSError, match="leads out of it"), whole_folder(folder / "videos" / "frames"):
            pytest.fail("the work began")
        for name in ("index.html", "sheets/a.jpg", "a/b/c.json"):
            with whole_file(folder / name) as part:
                part.write_bytes(b"new")
    assert [path.name for path in mine.iterdir()] == ["bashrc"] and (mine / "bashrc").read_bytes() == b"mine"
    assert (out / "sheets" / "page").read_bytes() == b"new"


def test_a_folder_is_swapped_in_whole(tmp_path):
    target = tmp_path / "frames"
    target.mkdir()
    (target / "old.png").write_bytes(b"old")
    with whole_folder(target) as part:
        (part / "new.png").write_bytes(b"new")
        assert names(target) == ["old.png"]
    assert names(target) == ["new.png"]
    assert names(tmp_path) == ["frames"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_failure_keeps_the_old_folder(tmp_path, error):
    target = tmp_path / "frames"
    target.mkdir()
    (target / "old.png").write_bytes(b"old")
    with pytest.raises(error):
        with whole_folder(target) as part:
            (part / "new.png").write_bytes(b"half")
            raise error
    assert names(target) == ["old.png"]
    assert names(tmp_path) == ["frames"]


def test_a_failed_exchange_brings_the_old_folder_back(tmp_path, monkeypatch):
    target = tmp_path / "frames"
    target.mkdir()
    (target / "old.png").write_bytes(b"old")
    replace = os.replace

    def fails_for_the_new_one(source, destination):
        if source.name == "new":
            raise OSError(28, "No space left on device")
        replace(source, destination)

    monkeypatch.setattr(atomic.os, "replace", fails_for_the_new_one)
    with pytest.raises(OSError, match="No space left"):
        with whole_folder(target) as part:
            (part / "new.png").write_bytes(b"new")
    assert names(target) == ["old.png"]
    assert names(tmp_path) == ["frames"]


def test_a_file_in_the_place_of_a_folder_is_refused(tmp_path):
    (tmp_path / "frames").write_bytes(b"mine")
    with pytest.raises(NotADirectoryError):
        with whole_folder(tmp_path / "frames"):
            pytest.fail("the work began")
    assert (tmp_path / "frames").read_bytes() == b"mine"


@pytest.mark.skipif(os.name == "nt", reason="there are no such locks")
def test_threads_are_alone_in_a_folder_one_after_the_other(tmp_path):
    (tmp_path / "other").mkdir()
    inside, seen = [], []

    def work():
        with alone_in(tmp_path):
            inside.append(1)
            time.sleep(0.02)
            seen.append(len(inside))
            inside.pop()

    threads = [threading.Thread(target=work) for _ in range(4)]
    with alone_in(tmp_path):
        for thread in threads:
            thread.start()
        with alone_in(tmp_path / "other"):  # another folder is nobody's
            time.sleep(0.05)
        assert seen == []
    for thread in threads:
        thread.join(10)
    assert seen == [1, 1, 1, 1]
    assert names(tmp_path) == ["other"]


def test_a_new_file_never_replaces_one(tmp_path):
    for text in ("first", "second"):
        with suppress(FileExistsError), whole_file(tmp_path / "file", new=True) as part:
            part.write_text(text)
    assert (tmp_path / "file").read_text() == "first"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
