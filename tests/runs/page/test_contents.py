import base64
import hashlib
import html
import json
import re
import time

import numpy as np
import pytest

from sefa_plugin.directions.directions import Directions
from sefa_plugin.media.sheet import write_sheet
from sefa_plugin.runs.folder import single_page
from sefa_plugin.runs.page.contents import Pages, packed, write_report
from sefa_plugin.runs.record import Entry, Manifest
from sefa_plugin.runs.renaming import refresh_page, rename, set_stars
from sefa_plugin.runs.reproduce import about_direction
from sefa_plugin.runs.settings import SettingsError
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


def facts(folder, card):
    """Terms and values that everybody reads on a card."""
    text = (folder / "index.html").read_text(encoding="utf-8")
    head = text.partition(f'<article id="{card}"')[2].partition('<div class="rest">')[0]
    return dict(re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", head))


def with_looks(folder, *looks):
    held = json.loads((folder / "run.json").read_text())
    for index, look in enumerate(looks):
        held["outputs"][f"sheets/all-dir{index:02d}.jpg"]["settings"]["look"] = look
    (folder / "run.json").write_text(json.dumps(held))
    refresh_page(folder)
    head = (folder / "index.html").read_text(encoding="utf-8").partition("<main")[0]
    return dict(re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", head))


def test_truncation_class_and_noise_are_shown_where_cards_differ(tmp_path):
    folder = folder_of(tmp_path)
    top = with_looks(folder, {"trunc": 0.7, "label": 3}, {"trunc": 0.5, "label": 3}, {"trunc": 0.7, "label": 3})
    assert top["class"] == "3" and "psi" not in top
    assert [facts(folder, f"all-dir{index:02d}").get("psi") for index in range(3)] == ["0.7", "0.5", "0.7"]
    assert "class" not in facts(folder, "all-dir00")
    top = with_looks(folder, *[{"trunc": 0.7, "noise_mode": "none", "translate": [0.5, 0]}] * 3)
    assert (top["psi"], top["noise"], top["shift"]) == ("0.7", "none", "0.5, 0") and not facts(folder, "all-dir00")
    top = with_looks(folder, *[{}] * 3)
    assert not {"psi", "noise", "class"} & top.keys()


def test_what_is_shown_when_asked_for(tmp_path):
    text = (folder_of(tmp_path) / "index.html").read_text(encoding="utf-8")
    card = text.partition('<article id="all-dir00"')[2].partition("</article>")[0]
    head, _, details = card.partition("<details>")
    assert "-1 to +1 units of w" in details and "units of w" not in head
    assert "brighter" in head


def test_stars_can_be_set_on_the_page(tmp_path):
    folder = folder_of(tmp_path)
    rename(folder, "1", starred=True)
    text = (folder / "index.html").read_text(encoding="utf-8")
    stars = [json.loads(html.unescape(found)) for found in re.findall(r"data-star='(.*?)'", text)]
    held = Directions.load(folder / "directions.safetensors")
    assert [(one["set"], one["index"], one["starred"]) for one in stars] == [("all", at, at == 1) for at in range(3)]
    assert [one["direction"] for one in stars] == [hashlib.sha256(row.tobytes()).hexdigest() for row in held.vectors]
    assert stars[0]["layers"] == list(held.layers)
    (folder / "stars.json").write_text(
        json.dumps({"format": "sefa_stars", "version": 1, "stars": [{**one, "starred": True} for one in stars]})
    )
    set_stars(folder, folder / "stars.json")
    assert (folder / "index.html").read_text(encoding="utf-8").count('aria-label="starred"') == 3


def test_a_page_with_everything_inside(tmp_path):
    folder = folder_of(tmp_path)
    path = single_page(folder)
    assert path == folder / "index-single.html"
    text = path.read_text(encoding="utf-8")
    sheet = base64.b64encode((folder / "sheets/all-dir01.jpg").read_bytes()).decode()
    assert text.count(f'src="data:image/jpeg;base64,{sheet}"') == 4  # all sheets are of one picture, each once
    links = re.findall(r'(?:href|src)="([^"]*)"', text)
    assert links and all(link.startswith(("#", "data:image/")) for link in links)
    assert "file:" not in text.partition("</head>")[0]
    assert (folder / "index.html").read_text(encoding="utf-8").count("data:image/jpeg") == 0
    path.write_text("mine")
    with pytest.raises(SettingsError, match=r"index-single\.html: was not made by this program"):
        single_page(folder)
    assert path.read_text() == "mine"
    with pytest.raises(SettingsError, match="no record"):
        single_page(folder / "sheets")


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
