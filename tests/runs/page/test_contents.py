import hashlib
import re
import time

import numpy as np
import pytest

from sefa_plugin.directions.directions import Directions
from sefa_plugin.media.sheet import write_sheet
from sefa_plugin.runs.page.contents import Pages, packed, write_report
from sefa_plugin.runs.record import Entry, Manifest
from sefa_plugin.runs.renaming import refresh_page, rename
from sefa_plugin.runs.reproduce import about_direction
from sefa_plugin.system.messages import spans


def directions(**other):
    fields = {"vectors": np.eye(4), "eigenvalues": np.arange(4, 0, -1), "layers": (0, 1, 3), "label": "0-1_3"}
    return Directions.of(**{**fields, **other})


def manifest_of(tmp_path, path="/home/somebody/nets/ffhq.pkl"):
    return Manifest(tmp_path, ["gen_sefa.py"], {"path": path, "name": "ffhq", "class": "Generator", "hook": "x"})


def test_words_about_a_direction():
    held = directions(names=("", "smile", "", "")).with_range(1, 0.5, -1, 2)
    about = about_direction(held, 1, held.ranges[1])
    assert about["title"] == "Direction 1 (smile), layers 0-1,3"
    assert about["range"] == "-1 to +2 units of w (-2.0 to +4.0 sigmas)"
    assert about["eigenvalue"] == "3"
    assert about_direction(held, 0, (0.0, 2.5))["range"] == "0 to +2.5 units of w"
    held = directions().with_range(1, 0.5, -1, 2, "high")
    assert about_direction(held, 1, (-1, 2))["range"].endswith("; the high side ends where pictures break")
    assert "break" not in about_direction(held, 1, (-3, 3))["range"]  # a typed range ends where it was told to


def test_spans_and_packing():
    assert spans([5, 0, 1, 2]) == "0-2, 5"
    assert spans([7]) == "7"
    assert packed(np.zeros((4, 4), np.uint8)).startswith("iVBOR")


def test_a_page_of_nothing_and_of_an_odd_record(tmp_path):
    manifest = manifest_of(tmp_path)
    assert write_report(manifest).read_text(encoding="utf-8").count("<article") == 0
    (tmp_path / "sheets").mkdir()
    (tmp_path / "sheets" / "x.jpg").write_bytes(b"no picture")
    about = {"title": "direction 0 of layers all", "name": "", "heat": "###", "rows": ["a"]}
    about.update(sheet=5, video=["x"], purity="high", moves={}, digest=None)  # what only other records could hold
    settings = {"label": "all", "index": 0, "direction": "d", "layers": [0]}
    manifest.outputs["sheets/x.jpg"] = Entry(settings, about=about)
    manifest.outputs["sheets/./x.jpg"] = Entry({"plane": []}, about=about)
    assert write_report(manifest).read_text(encoding="utf-8").count("<article") == 2


def folder_of(tmp_path, count=3, record=True):
    """A folder with the sheets of ``count`` directions, all of one picture, named in its directions file."""
    names = [f"name {index}" for index in range(count)]
    held = directions(vectors=np.eye(count), eigenvalues=np.ones(count), names=names, label="all")
    held.save(tmp_path / "directions.safetensors")
    cells = [[np.full((32, 32, 3), 9 * column, np.uint8) for column in range(3)]] * 2
    about = {"rows": ["seed 0", "seed 7"], "columns": ["-1", "0", "+1"]}
    manifest = manifest_of(tmp_path)
    for name in ["unedited", *(f"all-dir{index:02d}" for index in range(count))]:
        path = tmp_path / "sheets" / f"{name}.jpg"
        boxes = write_sheet(path, cells, row_labels=about["rows"], column_labels=about["columns"])
        entry = {"settings": {}, "distances": [], "sha256": "", "command": [], "about": {**about, "boxes": boxes}}
        if name != "unedited":
            index = int(name[-2:])
            entry["settings"] = {"label": "all", "index": index, "layers": [0, 1, 3]}
            entry["settings"]["direction"] = hashlib.sha256(held.entries[index].vector.tobytes()).hexdigest()
            words = about_direction(held, index, (-1, 1))
            entry["about"].update(words, heat=packed(np.zeros((32, 32), np.uint8)), words=["brighter"], where="top")
        if not record:
            del entry["about"]["boxes"]
        manifest.outputs[f"sheets/{name}.jpg"] = Entry(**entry)
    manifest.write()
    write_report(manifest)
    return tmp_path


def shown(folder):
    """Sources of the pictures of a page that are files, without those of maps."""
    text = (folder / "index.html").read_text(encoding="utf-8")
    return [source for source in re.findall(r'<img src="([^"]*)"', text) if not source.startswith("data:")]


def test_the_page_of_a_folder_shows_its_sheets(tmp_path):
    folder = folder_of(tmp_path)
    text = (folder / "index.html").read_text(encoding="utf-8")
    assert shown(folder) == ["sheets/unedited.jpg", *(f"sheets/all-dir{index:02d}.jpg" for index in range(3))]
    assert text.count('class="mark"') == 4 and text.count("data:image/png;base64,") == 3
    assert [name in text for name in ("name 0", "name 2", "name 3")] == [True, True, False]
    (folder / "sheets" / "all-dir01.jpg").unlink()
    assert refresh_page(folder) and len(shown(folder)) == 3


def test_the_page_of_an_older_record_shows_them_too(tmp_path):
    folder = folder_of(tmp_path, record=False)
    text = (folder / "index.html").read_text(encoding="utf-8")
    assert len(shown(folder)) == 4 and text.count('class="sheet whole"') == 4 and 'class="mark"' not in text


def test_naming_one_of_a_hundred_directions_opens_no_picture(tmp_path, monkeypatch):
    from PIL import Image

    folder = folder_of(tmp_path, 100)
    for name in ("open", "fromarray", "new"):
        monkeypatch.setattr(Image, name, lambda *_, **__: pytest.fail("a picture was opened"))
    start = time.perf_counter()
    rename(folder, "7", "brush & ink")
    taken = time.perf_counter() - start
    text = (folder / "index.html").read_text(encoding="utf-8")
    assert text.count("<article") == len(shown(folder)) - 1 == 100
    assert '<bdi class="name">brush &amp; ink</bdi>' in text and "name 7<" not in text
    assert len(text) < 1_000_000
    assert taken < 2  # 0.1 s on the cores this was measured on


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
