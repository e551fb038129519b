import json

import numpy as np
import pytest
from click.testing import CliRunner

from sefa_plugin.commands import cli
from sefa_plugin.directions.directions import Directions
from sefa_plugin.runs.page.contents import Pages, packed, write_report
from sefa_plugin.runs.record import Manifest
from sefa_plugin.runs.reproduce import _without_folder, about_direction, reproduce
from sefa_plugin.system.messages import spans


def directions(**other):
    fields = {"vectors": np.eye(4), "eigenvalues": np.arange(4, 0, -1), "layers": (0, 1, 3), "label": "0-1_3"}
    return Directions.of(**{**fields, **other})


def settings(**other):
    look = {
        "trunc": 1.0,
        "trunc_cutoff": None,
        "noise_mode": "const",
        "label": None,
        "translate": [0, 0],
        "rotate": 0.0,
    }
    look.update({key: other.pop(key) for key in list(other) if key in look})
    film = {
        "low": -1.5,
        "high": 2.0,
        **{key: other.pop(key) for key in list(other) if key not in ("label_", "projected")},
    }
    held = {"space": "w", "label": "all", "index": 3, "subjects": ["seed 0", "seed 7"], "projected": "", "look": look}
    return {**held, "film": film, **other}


def manifest_of(tmp_path, path="/home/somebody/nets/ffhq.pkl"):
    return Manifest(tmp_path, ["gen_sefa.py"], {"path": path, "name": "ffhq", "class": "Generator", "hook": "x"})


def test_words_about_a_direction():
    held = directions(names=("", "smile", "", "")).with_range(1, 0.5, -1, 2)
    about = about_direction(held, 1, held.ranges[1])
    assert about["title"] == "direction 1 (smile) of layers 0-1_3"
    assert about["range"] == "-1 to +2 units of w (-2.0 to +4.0 sigmas)"
    assert about["eigenvalue"] == "3"
    assert about_direction(held, 0, (0.0, 2.5))["range"] == "0 to +2.5 units of w"
    held = directions().with_range(1, 0.5, -1, 2, "high")
    assert about_direction(held, 1, (-1, 2))["range"].endswith("; the high side ends where pictures break")
    assert "break" not in about_direction(held, 1, (-3, 3))["range"]  # a typed range ends where it was told to


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "--directions 3 --distance=-1.5,2 --seeds 0,7"),
        ({"trunc": 0.7, "label": 2}, "--trunc 0.7 --class 2"),
        ({"noise_mode": "none", "rotate": 15.0}, "--noise-mode none --rotate 15.0"),
        ({"translate": [0.1, -0.2]}, "--translate=0.1,-0.2"),
        ({"frames": 12, "fps": 25.0, "captions": True}, "--frames 12 --fps 25 --captions"),
        ({"easing": "sine", "video": "gif"}, "--easing sine --video gif"),
        ({"projected": "abc"}, "--projected-w FILE.npz"),
    ],
)
def test_the_command_that_makes_it_again(tmp_path, changes, words):
    about = about_direction(directions(), 0, (-1, 1))
    command = reproduce(manifest_of(tmp_path).network["path"], settings(**changes), about)
    assert command.startswith("python gen_sefa.py --network ffhq.pkl ")  # no folder of somebody's machine
    assert words in command


@pytest.mark.parametrize(
    ("label", "layers"),
    [("coarse", "--layers coarse"), ("0-1_5", "--layers 0-1,5"), ("layer03", "--layers 3"), ("layer12", "--layers 12")],
)
def test_labels_become_layers_again(tmp_path, label, layers):
    held = {**settings(), "label": label}
    network = manifest_of(tmp_path).network["path"]
    assert f" {layers} " in reproduce(network, held, about_direction(directions(), 0, (-1, 1)))


def test_the_command_does_make_it_again(tmp_path, golden):
    """Typed as it stands, it finds every output up to date."""
    import shlex
    import shutil

    net = tmp_path / "my net.pkl"
    shutil.copy(golden("sg2ada-cond-32").pickle, net)
    words = ["--network", net, "--layers", "0-1,3", "--class", "1", "--trunc", "0.8", "--frames", "6", "-K", "2"]
    words += ["--no-normalize", "--torgb", "never", "--seeds", "3,5", "--easing", "sine", "--outdir", tmp_path / "out"]
    assert CliRunner().invoke(cli.gen_sefa, [str(word) for word in words]).exit_code == 0
    record = json.loads((tmp_path / "out" / "run.json").read_text())["outputs"]
    command = record["videos/0-1_3-dir01.mp4"]["about"]["command"].split("  #")[0]
    again = shlex.split(command)[2:]
    again[again.index("--network") + 1] = str(net)
    result = CliRunner().invoke(cli.gen_sefa, [*again, "--outdir", str(tmp_path / "out")])
    assert "0 outputs made, 2 kept" in result.stdout


@pytest.mark.parametrize(
    ("word", "shown"),
    [
        ("/home/me/nets/ffhq.pkl", "ffhq.pkl"),
        ("C:\\nets\\ffhq.pkl", "ffhq.pkl"),
        ("--outdir=/home/me/out/", "--outdir=out"),
        ("https://somewhere/ffhq.pkl", "https://somewhere/ffhq.pkl"),
        ("--distance=-3,3", "--distance=-3,3"),
        ("0-2", "0-2"),
    ],
)
def test_folders_stay_out_of_the_page(word, shown):
    assert _without_folder(word) == shown


def test_spans_and_packing():
    assert spans([5, 0, 1, 2]) == "0-2, 5"
    assert spans([7]) == "7"
    assert packed(np.zeros((4, 4), np.uint8)).startswith("iVBOR")


def test_a_page_of_nothing_and_of_an_odd_record(tmp_path):
    manifest = manifest_of(tmp_path)
    assert write_report(manifest).read_text(encoding="utf-8").count("<article") == 0
    (tmp_path / "sheets").mkdir()
    (tmp_path / "sheets" / "x.jpg").write_bytes(b"no picture")
    about = {"title": "direction 0 of layers all", "name": "", "boxes": "nonsense", "heat": "###", "rows": ["a"]}
    manifest.outputs["sheets/x.jpg"] = {
        "settings": {"label": "all", "index": 0, "direction": "d", "layers": [0]},
        "about": about,
    }
    assert write_report(manifest).read_text(encoding="utf-8").count("<article") == 1


def test_the_page_takes_little_of_the_time(tmp_path, monkeypatch):
    written = []
    monkeypatch.setattr("sefa_plugin.runs.page.contents.write_report", lambda manifest, busy: written.append(busy))
    clock = iter(np.arange(0, 1000, 0.5))
    monkeypatch.setattr("sefa_plugin.runs.page.contents.time.monotonic", lambda: next(clock))
    pages = Pages(manifest_of(tmp_path))
    for _ in range(40):
        pages(True)
    pages(False)
    assert written[:2] == [True, True]  # what is there first is shown at once
    assert 3 <= len(written) < 15
    assert written[-1] is False


def test_pictures_of_a_strange_folder(tmp_path):
    """Bombs are not unfolded, other files not opened, and a sheet that does not fit its boxes is left out."""
    import base64
    import io
    import os

    from PIL import Image

    from sefa_plugin.runs.page.contents import _cells, _unpacked

    path, boxes = tmp_path / "sheet.jpg", [[[0, 0, 8, 8]]]
    Image.new("RGB", (16, 8)).save(path)
    assert [cell.shape for cell in _cells(path, boxes)[0]] == [(8, 8, 3)]
    assert _cells(path, [[[10, 0, 8, 8]]]) == _cells(path, [[[0, 1, 8, 8]]]) == []
    Image.new("L", (8000, 8000)).save(path, progressive=True, optimize=True)
    data = path.read_bytes()
    assert 100 * len(data) < 8000 * 8000 and _cells(path, boxes) == []
    Image.new("RGB", (16, 8)).save(path, "PNG")
    assert _cells(path, boxes) == []
    for size, good in ((16, True), (5000, False)):
        file = io.BytesIO()
        Image.new("L", (size, size)).save(file, "PNG")
        assert (_unpacked(base64.b64encode(file.getvalue()).decode()) is not None) == good
    if hasattr(os, "mkfifo"):
        path.unlink()
        os.mkfifo(path)
        assert _cells(path, boxes) == []
