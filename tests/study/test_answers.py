"""Answers on the disk: at once, whole, one file for each person."""

import os

import pytest
from made_runs import answer, answers_of

from sefa_plugin.study import answers as work
from sefa_plugin.study.design import Clip, Item, Run, Shown, Study

FILES = ("0" * 12 + ".mp4", "1" * 12 + ".mp4")
STUDY = Study(
    "a" * 12,
    0,
    0.1,
    (Run("../run", "run", "net", ""),),
    (Shown(0, "all", 0, "d", (0,)),),
    (Item("b" * 12, (Clip(FILES, 2.0, 0),)),),
    {},
)


def test_an_answer_is_on_the_disk_before_the_next_line_runs(tmp_path, monkeypatch):
    synced = []
    real = os.fsync
    monkeypatch.setattr(os, "fsync", lambda number: (synced.append(os.fstat(number).st_size), real(number)))
    records = answers_of(STUDY, "Anna", [("hair", 3)])
    answer(tmp_path, records)
    path = tmp_path / "answers" / "anna.jsonl"
    assert work.read(path) == (records, 0) and path.read_bytes().count(b"\n") == 2
    assert synced[-1] == path.stat().st_size and len(synced) == 3  # two records, and the new folder


def test_a_line_that_was_cut_off_loses_itself_and_no_other(tmp_path):
    records = answers_of(STUDY, "anna", [("hair", 3)])
    answer(tmp_path, records)
    path = work.file_of(tmp_path, "anna")
    path.write_bytes(path.read_bytes()[:-20])
    answer(tmp_path, records[1:])
    assert work.read(path) == (records, 1)


def test_a_later_answer_replaces_the_one_before(tmp_path):
    one, two = (answers_of(STUDY, "anna", [(text, 3)])[1] for text in ("hair", "hat"))
    assert work.latest([one, two]) == {0: two}


def test_names_that_look_alike_have_files_of_their_own(tmp_path):
    names = ["anna", "an/na", "an:na", "an_na", "con", "\u202eanna", "..", "/etc/passwd", "x" * 80]
    files = {work.file_of(tmp_path, name) for name in names}
    assert len(files) == len(names) and {file.parent for file in files} == {tmp_path / "answers"}
    assert work.file_of(tmp_path, " Anna  B ") == work.file_of(tmp_path, "anna b")


def test_a_file_has_an_end(tmp_path, monkeypatch):
    monkeypatch.setattr(work, "MOST", 100)
    records = answers_of(STUDY, "anna", [("hair", 3)])
    work.append(tmp_path, records[1])
    with pytest.raises(ValueError, match="too many answers"):
        work.append(tmp_path, records[1])


def test_the_address_of_a_study_stays(tmp_path):
    made = work.token_of(tmp_path)
    assert len(made) > 20 and work.token_of(tmp_path) == made
    assert os.name != "posix" or (tmp_path / "token").stat().st_mode & 0o077 == 0
    (tmp_path / "token").write_text("")  # a power failure
    assert work.token_of(tmp_path) not in ("", made)
