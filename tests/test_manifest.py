import json

import pytest

from sefa_plugin.manifest import Manifest, digest_of

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


def test_entries_of_other_runs_stay(manifest):
    other = again(manifest)
    (manifest.outdir / "b.mp4").write_bytes(b"b")
    other.add("b.mp4", {}, [0])
    assert set(again(manifest).outputs) == {"a.mp4", "b.mp4"}
