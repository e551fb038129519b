import json
import os

import pytest

from sefa_plugin.runs.record import Manifest, digest_of

SETTINGS = {"frames": 6, "look": {"trunc": 0.7, "translate": (0.0, 1.0)}}


@pytest.fixture
def manifest(tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"video")
    made = Manifest(tmp_path, ["gen_sefa.py", "--network", "x"], {"name": "x", "digest": "d"})
    made.add("a.mp4", SETTINGS, (-1.0, 0.0, 1.0))
    return made


def again(manifest):
    return Manifest(manifest.outdir, [], {})


def test_the_record_holds_what_made_an_output(manifest):
    held = json.loads((manifest.outdir / "run.json").read_text())
    assert held["command"] == ["gen_sefa.py", "--network", "x"]
    assert set(held["versions"]) == {"sefa_plugin", "python", "torch", "numpy", "imageio"}
    assert held["network"]["digest"] == "d"
    assert held["outputs"]["a.mp4"]["distances"] == [-1, 0, 1]
    assert held["outputs"]["a.mp4"]["sha256"] == digest_of(manifest.outdir / "a.mp4")


def test_an_output_is_current_while_settings_and_file_are_the_same(manifest):
    assert again(manifest).is_current("a.mp4", SETTINGS)
    assert not again(manifest).is_current("a.mp4", {**SETTINGS, "frames": 7})
    assert not again(manifest).is_current("b.mp4", SETTINGS)
    (manifest.outdir / "a.mp4").write_bytes(b"other")
    assert not again(manifest).is_current("a.mp4", SETTINGS)
    (manifest.outdir / "a.mp4").unlink()
    assert not again(manifest).is_current("a.mp4", SETTINGS)
    assert again(manifest).outputs == {}


def test_a_folder_is_current_while_its_files_are(manifest):
    folder = manifest.outdir / "frames"
    folder.mkdir()
    (folder / "0.png").write_bytes(b"0")
    manifest.add("frames", SETTINGS, [0])
    assert again(manifest).is_current("frames", SETTINGS)
    (folder / "1.png").write_bytes(b"1")
    assert not again(manifest).is_current("frames", SETTINGS)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 2}', '{"format": 1, "outputs": []}', "[" * 100_000])
def test_a_record_that_cannot_be_read_counts_as_none(manifest, text):
    (manifest.outdir / "run.json").write_text(text)
    assert again(manifest).outputs == {}


def test_entries_are_written_as_they_were_read(manifest):
    """Also those of earlier versions, which may lack some parts, and hold whole numbers as distances."""
    path = manifest.outdir / "run.json"
    (manifest.outdir / "b.mp4").write_bytes(b"video")
    held = json.loads(path.read_text())
    whole = {"settings": SETTINGS, "distances": [0, 0.5], "sha256": "", "command": ["x"], "about": {"title": "t"}}
    held["outputs"]["b.mp4"] = {**json.loads(json.dumps(whole)), "computed": {"at_once": 4}, "begun": True}
    path.write_text(json.dumps(held, indent=1) + "\n")
    before = path.read_bytes()
    Manifest(manifest.outdir, manifest.command, manifest.network).write()
    assert path.read_bytes() == before
    held["outputs"]["b.mp4"] = {"settings": {"frames": 6}}
    path.write_text(json.dumps(held))
    assert again(manifest).outputs["b.mp4"].settings == {"frames": 6}
    assert not again(manifest).has_begun("b.mp4")


def test_entries_of_other_runs_stay(manifest):
    other = again(manifest)
    (manifest.outdir / "b.mp4").write_bytes(b"b")
    other.add("b.mp4", {}, [0])
    assert set(again(manifest).outputs) == {"a.mp4", "b.mp4"}


@pytest.mark.parametrize(
    "name", ["../secret.png", "sheets/../../secret.png", "/etc/passwd", "C:\\x.png", "..\\x.png", "pipe", "", "a\0b"]
)
def test_entries_of_other_places_are_left_out(manifest, name):
    """The folder may come from somebody else."""
    (manifest.outdir.parent / "secret.png").write_bytes(b"mine")
    if hasattr(os, "mkfifo"):
        os.mkfifo(manifest.outdir / "pipe")
    path = manifest.outdir / "run.json"
    held = json.loads(path.read_text())
    held["outputs"][name] = held["outputs"]["a.mp4"]
    path.write_text(json.dumps(held))
    assert list(again(manifest).outputs) == ["a.mp4"]


@pytest.mark.parametrize(
    "change",
    [
        {"settings": []},
        {"settings": {"label": ["all"]}},
        {"settings": {"index": 1e9}},
        {"settings": {"index": -1}},
        {"settings": {"layers": []}},
        {"settings": {"layers": [[1]]}},
        {"about": "x"},
        {"about": {"title": 1}},
        {"about": {"words": "x"}},
        {"about": {"boxes": [[[0, 0, 0, 5]]]}},
        {"about": {"boxes": [[[0, 0, 10**30, 5]]]}},
        {"about": {"boxes": [[[0, 0, 1, 1]] * 10_001]}},
        {"about": {"heat": "x" * 100_001}},
        {"command": "rm"},
    ],
    ids=lambda change: str(change)[:40],
)
def test_entries_that_are_none_of_ours_are_left_out(manifest, change):
    path = manifest.outdir / "run.json"
    held = json.loads(path.read_text())
    held["outputs"]["a.mp4"].update(change)
    path.write_text(json.dumps(held))
    assert again(manifest).outputs == {}


@pytest.mark.parametrize(
    "change", [{"command": "x"}, {"network": {"name": ["x"], "class": "", "hook": ""}}, {"network": []}]
)
def test_a_record_of_no_network_gives_no_page(manifest, change):
    path = manifest.outdir / "run.json"
    held = {**json.loads(path.read_text()), "network": {"name": "x", "class": "G", "hook": "h"}}
    path.write_text(json.dumps(held))
    assert Manifest.of(manifest.outdir).network["name"] == "x"
    path.write_text(json.dumps({**held, **change}))
    assert Manifest.of(manifest.outdir) is None
