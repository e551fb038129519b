"""What all commands make is what it was: the reference run, and whether it would tell."""

import subprocess
import sys

import numpy as np
import pytest
import reference_run
from PIL import Image
from places import ROOT


def recording(folder, pixels, **machine):
    """A recording of one command that has made one picture."""
    folder.mkdir()
    Image.fromarray(pixels).save(folder / "a.png")
    masks = reference_run.Masks(folder, folder / "code")
    files = {name: part._asdict() for name, part in reference_run._parts(folder, ["a.png"], masks)}
    command = {"typed": "sefa sheet", "exit": 0, "files": files}
    return {"format": reference_run.FORMAT, "machine": machine, "commands": {"demo/first": command}}


def test_a_changed_pixel_is_found(tmp_path):
    pixels = np.random.RandomState(0).randint(0, 255, (32, 48, 3)).astype(np.uint8)
    changed = pixels.copy()
    changed[3, 4, 1] += 1
    before, after = recording(tmp_path / "a", pixels), recording(tmp_path / "b", changed)
    wrong, remarks = reference_run.compare(before, after, [])
    assert [(one.command, one.file) for one in wrong] == [("demo/first", "a.png")]
    assert "1 differences" in reference_run.told(wrong, remarks)
    assert reference_run.compare(before, recording(tmp_path / "c", pixels), []) == ([], [])

    # On another processor a level more or less is nothing, another picture is something.
    elsewhere = recording(tmp_path / "d", changed, processor="another")
    wrong, remarks = reference_run.compare(before, elsewhere, [])
    assert not wrong and "processor" in remarks[0]
    wrong, _ = reference_run.compare(before, recording(tmp_path / "e", 255 - pixels, processor="another"), [])
    assert [one.file for one in wrong] == ["a.png"]


def test_an_allowed_difference_passes(tmp_path):
    black = np.zeros((16, 16), np.uint8)
    before, after = recording(tmp_path / "a", black), recording(tmp_path / "b", black + 1)
    wrong, remarks = reference_run.compare(before, after, [("demo/*", "*.png", "brighter on purpose")])
    assert not wrong
    assert remarks == ["allowed: demo/first a.png (brighter on purpose)"]
    wrong, remarks = reference_run.compare(before, after, [("demo/*", "*.jpg", "another file")])
    assert [one.file for one in wrong] == ["a.png"]
    assert remarks == ["allows nothing: ('demo/*', '*.jpg', 'another file')"]
    after["commands"]["demo/first"]["exit"] = 1
    wrong, _ = reference_run.compare(before, after, [("*", "*.png", "")])
    assert [(one.file, one.how) for one in wrong] == [("exit", "exit code 0, now 1")]


@pytest.mark.hard
def test_all_commands_make_what_they_made():
    script = ROOT / "tests" / "support" / "reference_run.py"
    done = subprocess.run([sys.executable, str(script), "check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
