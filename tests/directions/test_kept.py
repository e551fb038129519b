"""Directions in files: what several processes write into one is all there in the end."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from made_directions import directions
from places import ROOT
from safetensors import safe_open

from sefa_plugin import Directions
from sefa_plugin.directions import kept
from sefa_plugin.directions.directions import STEPS
from sefa_plugin.directions.file import DirectionsFileError
from sefa_plugin.directions.kept import change, files_of, keep, keep_result, known_files

WRITER = """
import sys
from dataclasses import replace
from pathlib import Path
from sefa_plugin import Directions
from sefa_plugin.directions.kept import change, keep
path, kind = Path(sys.argv[1]), sys.argv[2]
print("ready", flush=True)
sys.stdin.readline()
for index in range(40):
    if kind == "names":
        change(path, lambda held: held.named(index, f"name {index}"))
    else:
        held = replace(Directions.load(path), calibration="one look")
        keep(held.with_range(index, 1.0, -1.0 - index, 1.0), path)
"""


def test_two_processes_that_write_names_and_ranges_lose_none(tmp_path):
    path = tmp_path / "directions.safetensors"
    directions(dim=40).save(path)
    command = [sys.executable, "-c", WRITER, str(path)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    running = [subprocess.Popen([*command, kind], cwd=ROOT, **pipes) for kind in ("names", "ranges")]
    for one in running:
        assert one.stdout.readline() == "ready\n"
    for one in running:  # both at the same time
        one.stdin.write("go\n")
        one.stdin.flush()
    for one in running:
        one.communicate(timeout=100)
    assert [one.returncode for one in running] == [0, 0]
    held = Directions.load(path)
    assert held.names == tuple(f"name {index}" for index in range(40))
    assert held.ranges == tuple((-1.0 - index, 1.0) for index in range(40))


def test_a_change_is_made_to_what_the_file_holds(tmp_path):
    path = tmp_path / "directions.safetensors"
    with pytest.raises(DirectionsFileError):
        change(path, lambda held: held)
    made = change(path, lambda held: held.named(0, "pose"), otherwise=directions())
    assert made.names[0] == Directions.load(path).names[0] == "pose"
    assert change(path, lambda held: held.named(1, "smile")).names[:2] == ("pose", "smile")


def test_other_directions_get_a_file_of_their_own(tmp_path):
    """What a folder holds of one factorisation, with its names, is never replaced by another one."""
    coarse, fine = directions(layers=(0, 1)), directions(layers=(2, 3))
    plain = replace(coarse, normalize=not coarse.normalize)
    names = []
    for found in (coarse, fine, plain, coarse, fine, plain):
        (path,) = files_of([found], tmp_path)
        keep(found, path)
        names.append(path.name)
    assert names[:2] == ["directions.safetensors", f"directions-{fine.label}.safetensors"]
    assert names[2].startswith(f"directions-{plain.label}-")
    assert names[3:] == names[:3] and len(set(names)) == 3
    (tmp_path / "directions.safetensors").write_bytes(b"no directions")  # somebody's own file is not replaced
    said = []
    assert files_of([fine, coarse], tmp_path, said.append)[0] == tmp_path / names[1]
    (path,) = files_of([coarse], tmp_path)
    assert path.name.startswith("directions-all-") and not path.exists()
    assert len(said) == 1 and "left as it is" in said[0]


def test_two_runs_that_begin_at_once_share_a_file(tmp_path, monkeypatch):
    """The other run writes its directions after this one has looked for them, and before it chooses a name."""
    found = directions()

    def looking(groups, folder, warn):
        files = known_files(groups, folder, warn)
        keep(found, tmp_path / "directions.safetensors")
        return files

    monkeypatch.setattr(kept, "known_files", looking)
    assert files_of([found], tmp_path) == [tmp_path / "directions.safetensors"]


def test_the_files_of_groups(tmp_path):
    coarse, fine = directions(layers=(0, 1)), directions(layers=(2, 3))
    assert files_of([coarse], tmp_path) == [tmp_path / "directions.safetensors"]
    labelled = [
        Directions.of(one.vectors, one.eigenvalues, one.layers, label=label)
        for one, label in ((coarse, "a"), (fine, "b"))
    ]
    assert [path.name for path in files_of(labelled, tmp_path)] == [
        "directions-a.safetensors",
        "directions-b.safetensors",
    ]
    moved = Directions.of(coarse.vectors, coarse.eigenvalues, (5,), label="a@b")
    assert files_of([moved], tmp_path) == [tmp_path / "directions-a@b.safetensors"]
    keep(coarse, tmp_path / "directions-of-before.safetensors")
    assert known_files([coarse, fine], tmp_path) == [tmp_path / "directions-of-before.safetensors", None]
    assert np.array_equal(Directions.load(tmp_path / "directions-of-before.safetensors").vectors, coarse.vectors)


def test_a_file_that_other_directions_have_got_meanwhile_is_not_replaced(tmp_path):
    """Two commands at once may choose one name; the second to write takes another."""
    coarse, fine = directions(layers=(0, 1)), directions(layers=(2, 3))
    path = tmp_path / "directions.safetensors"
    assert keep(coarse.named(0, "pose"), path) == path
    other = keep(fine, path)
    assert other != path and Directions.load(other).layers == (2, 3)
    assert Directions.load(path).names[0] == "pose"
    assert keep(fine, path) == other


def test_directions_that_depend_on_the_computer_do_not_part_a_set(tmp_path):
    """Those with eigenvalue 0 are any basis of a space; another machine finds another one, and the names are there."""
    vectors = directions().vectors
    turned = vectors.copy()
    turned[6:] = np.array([[0.6, 0.8], [-0.8, 0.6]]) @ vectors[6:]
    values = [9, 8, 7, 6, 5, 4, 0, 0]
    here, there = (Directions.of(held, values, (0, 1), label="coarse") for held in (vectors, turned))
    keep(here.named(1, "pose"), tmp_path / "directions-coarse.safetensors")
    assert known_files([there], tmp_path) == [tmp_path / "directions-coarse.safetensors"]
    swapped = Directions.of(vectors[[1, 0, *range(2, 8)]], values, (0, 1), label="coarse")
    assert known_files([swapped], tmp_path) == [None]


def test_names_of_results_stay_where_a_person_has_given_them(tmp_path):
    first, second = directions(layers=(0, 1)), directions(layers=(2, 3))
    path = tmp_path / "ganspace.safetensors"
    assert keep_result(first, path) == keep_result(second, path) == path  # nobody has named any
    change(path, lambda held: held.named(0, "pose"))
    assert keep_result(second, path) == path and Directions.load(path).names[0] == "pose"
    other = keep_result(first, path)
    assert other != path and Directions.load(path).names[0] == "pose" and Directions.load(other).layers == (0, 1)


def test_stars_notes_and_history_in_a_file(tmp_path):
    path = tmp_path / "directions.safetensors"
    plain = directions()
    plain.save(path)
    with safe_open(path, framework="np") as file:  # files without any are those of before
        assert not {"starred", "notes", "history"} & file.metadata().keys()
    plain.typed(1, "pose", starred=True, note="up to +3").typed(2, note="ears").save(path)
    held = Directions.load(path)
    assert (held.names[1], held.starred[1], held.notes[1:3]) == ("pose", True, ("up to +3", "ears"))
    for _ in range(2):
        held = held.undone()
    assert not any(held.names) and not any(held.starred) and not any(held.notes)
    with pytest.raises(ValueError, match="nothing to take back"):
        held.undone()
    for number in range(60):
        held = held.named(0, f"name {number}")
    assert len(held.history) == STEPS and held.undone().names[0] == "name 58"


def test_a_name_that_re_scoring_lost_to_a_person_comes_back():
    held = directions().with_auto_names({0: ("skin", 0.5)}, [0]).named(3, "skin")
    assert (held.names[0], held.names[3]) == ("", "skin")
    back = held.undone()
    assert (back.names[0], back.named_by[0], back.purity[0], back.names[3]) == ("skin", "auto", 0.5, "")
    taken = held.named(3, "hair").with_auto_names({1: ("skin", 0.9)}, [1]).undone()
    assert (taken.names[1], taken.names[3]) == ("", "skin")  # each name once; a person's stays
