"""The page's text: escaped, self-contained, small enough, well-formed."""

import base64
import io
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from sefa_plugin import page
from sefa_plugin.page import Card, Section, write_page

HOSTILE = "<script>alert(1)</script>\"><img src=x onerror='alert(2)'>&amp; Lächeln 😀 \u202e"
VOID = {"meta", "img", "br", "link", "input", "hr"}


class Checked(HTMLParser):
    """Balanced tags, and every tag with its attributes."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.texts = [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


def noise(size, seed=0):
    return np.random.RandomState(seed).randint(0, 256, (size, size, 3)).astype(np.uint8)


def card(index=0, size=64, rows=2, **other):
    about = {
        "anchor": f"all-dir{index:02d}",
        "title": f"Direction {index}",
        "words": ("brighter by 12 %",),
        "where": "mostly centre (61 % of the change)",
        "facts": (("eigenvalue", "7.1"),),
        "command": f"python gen_sefa.py --directions {index}",
        "heat": noise(32),
        "rows": [[noise(size, row * 3 + column) for column in range(3)] for row in range(rows)],
        "row_labels": [f"seed {row}" for row in range(rows)],
        "column_labels": ["-1", "0", "+1"],
        "marked": 1,
        "sheet": f"sheets/all-dir{index:02d}.jpg",
        "video": f"videos/all-dir{index:02d}.mp4",
    }
    return Card(**{**about, **other})


def written(path, cards, **other):
    sections = [Section("layers-all", "All layers", "Edits change rows 0-9 of ws.", cards)]
    options = {"title": "Editing directions of net", "facts": [("network", "net")], "sections": sections}
    assert write_page(path, **{**options, **other}) == path.stat().st_size
    text = path.read_text(encoding="utf-8")
    return text, Checked(text)


def embedded(checked):
    found = [tag.get("src", "") for tag in checked.all("img")] + [tag.get("poster", "") for tag in checked.all("video")]
    data = [address.split(",", 1)[1] for address in found if address.startswith("data:")]
    return [Image.open(io.BytesIO(base64.b64decode(text))) for text in data]


def test_what_it_shows(tmp_path):
    text, checked = written(tmp_path / "index.html", [card(0), card(1, name="smile")], command="gen-sefa --network net")
    assert "Towards +: brighter by 12 %." in text
    assert [tag["src"] for tag in checked.all("video")] == ["videos/all-dir00.mp4", "videos/all-dir01.mp4"]
    assert {tag.get("href") for tag in checked.all("a")} >= {"sheets/all-dir00.jpg", "#all-dir01", "#layers-all"}
    ids = [attributes["id"] for _, attributes in checked.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert {tag["href"][1:] for tag in checked.all("a") if tag["href"].startswith("#")} <= set(ids)
    assert "seed 1, Direction 1: smile at +1" in [tag["alt"] for tag in checked.all("img")]
    assert text.count('class="now"') == 2 * 3
    assert "More is being rendered" not in text
    assert checked.all("html") == [{"lang": "en"}]
    assert [tag for tag in checked.all("meta") if tag.get("name") == "viewport"]


def test_nothing_comes_from_elsewhere(tmp_path):
    text, checked = written(tmp_path / "index.html", [card()], unedited=[("seed 0", noise(64))])
    assert "http://" not in text
    assert "https://" not in text
    assert "@import" not in text
    assert "url(" not in text
    for tag in [*checked.all("img"), *checked.all("video"), *checked.all("a")]:
        assert not tag.get("src", tag.get("href", "")).startswith(("//", "/", "javascript"))
    assert not checked.all("link")


def test_every_picture_has_words(tmp_path):
    _, checked = written(tmp_path / "index.html", [card(), card(1, video="videos/x.gif")], unedited=[("s", noise(9))])
    assert all(tag["alt"].strip() for tag in checked.all("img"))
    assert all(tag["aria-label"] for tag in checked.all("video"))


def test_hostile_words_are_only_words(tmp_path):
    hostile = card(
        title=HOSTILE,
        name=HOSTILE,
        words=(HOSTILE,),
        where=HOSTILE,
        facts=((HOSTILE, HOSTILE),),
        command=HOSTILE,
        row_labels=[HOSTILE] * 2,
        column_labels=[HOSTILE] * 3,
        sheet='sheets/a "b<#%?.jpg',
        video="videos/a 'b>#%?.mp4",
    )
    _, checked = written(tmp_path / "index.html", [hostile], title=HOSTILE, notes=[HOSTILE], command=HOSTILE)
    assert len(checked.all("script")) == 1
    assert not [tag for tag in checked.all("img") if "onerror" in tag]
    assert "".join(checked.texts).count("alert(1)") >= 7
    assert checked.all("video")[0]["src"] == "videos/a%20%27b%3E%23%25%3F.mp4"
    assert "sheets/a%20%22b%3C%23%25%3F.jpg" in [tag["href"] for tag in checked.all("a")]


def test_embedded_pictures_are_small(tmp_path):
    _, checked = written(tmp_path / "index.html", [card(size=700)], unedited=[("seed 0", noise(1024))])
    sizes = [max(image.size) for image in embedded(checked)]
    assert max(sizes) == 256
    _, checked = written(tmp_path / "index.html", [card(size=40)])
    assert {image.size for image in embedded(checked) if image.format == "JPEG"} >= {(40, 40)}  # none is enlarged


@pytest.mark.parametrize(("budget", "longest", "rows"), [(900_000, 128, 2), (120_000, 48, 1)])
def test_a_page_stays_within_its_budget(tmp_path, monkeypatch, budget, longest, rows):
    monkeypatch.setattr(page, "BUDGET", budget)
    text, checked = written(tmp_path / "index.html", [card(index, size=300) for index in range(9)])
    assert len(text.encode()) <= budget
    assert max(max(image.size) for image in embedded(checked)) <= longest
    assert len(checked.all("tr")) == 9 * (1 + rows)
    assert ("shows only a part" in text) == (rows == 1)


def test_while_work_goes_on(tmp_path):
    bare = Card(anchor="all-dir03", title="Direction 3")
    text, checked = written(tmp_path / "index.html", [bare], busy=True)
    assert "More is being rendered" in text
    assert not checked.all("video")
    assert not checked.all("table")
    assert written(tmp_path / "index.html", [], busy=True)


def test_other_clips(tmp_path):
    text, checked = written(tmp_path / "index.html", [card(video="videos/a.gif"), card(1, video="videos/all-dir01")])
    assert "videos/a.gif" in [tag["src"] for tag in checked.all("img")]
    assert "videos/all-dir01/" in [tag["href"] for tag in checked.all("a")]


def test_an_older_page_survives_a_failure(tmp_path, monkeypatch):
    path = tmp_path / "index.html"
    written(path, [card()])
    before = path.read_bytes()
    monkeypatch.setattr("os.replace", lambda *a: (_ for _ in ()).throw(OSError(28, "full")))
    with pytest.raises(OSError, match="full"):
        write_page(path, title="x", facts=[], sections=[])
    assert path.read_bytes() == before
    assert [one.name for one in tmp_path.iterdir()] == ["index.html"]


def test_colours_have_contrast():
    """Text against its grounds: 4.5 to 1 and more, light and dark (WCAG 2.1)."""
    from sefa_plugin.page_style import STYLE

    def luminance(colour):
        colour = colour if len(colour) == 6 else "".join(2 * letter for letter in colour)
        parts = [int(colour[i : i + 2], 16) / 255 for i in (0, 2, 4)]
        return sum(
            w * (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4)
            for w, p in zip((0.2126, 0.7152, 0.0722), parts)
        )

    for scheme in re.findall(r":root\{([^}]*)\}", STYLE.replace("\n", "")):
        colours = dict(re.findall(r"--(\w+):#(\w+)", scheme))
        for ground in ("paper", "card", "chip"):
            for ink in ("ink", "soft", "mark"):
                light, dark = sorted((luminance(colours[ground]), luminance(colours[ink])), reverse=True)
                assert (light + 0.05) / (dark + 0.05) >= 4.5, (ground, ink)
