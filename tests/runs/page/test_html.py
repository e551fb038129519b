"""The page: nothing of a name is markup, nothing comes from elsewhere, and it stays small."""

from __future__ import annotations

import base64
import io
import os
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from sefa_plugin.runs.page import html as page
from sefa_plugin.runs.page.html import Card, Section, write_page
from sefa_plugin.runs.page.matrix import Matrix

VOID = {"meta", "img", "br", "link", "input", "hr"}
HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "</title></style><b>",
    "&lt;b&gt; & \u202eevil 🙂 قبعة",
]


class Parsed(HTMLParser):
    """Tags, balanced; what they say; and the text of the page."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict]] = []
        self.text: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert not self._open, self._open

    def handle_starttag(self, tag, attrs):
        assert len(dict(attrs)) == len(attrs), f"<{tag}> says something twice"
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag):
        assert self._open and self._open.pop() == tag, f"</{tag}> closes something else"

    def handle_data(self, data):
        self.text.append(data)

    def all(self, *tags):
        return [attributes for tag, attributes in self.tags if tag in tags]


def noise(size=32, seed=0, channels=3):
    return np.random.default_rng(seed).integers(0, 256, (size, size, channels), np.uint8)


def card(index=0, row_count=3, columns=3, size=32, **given):
    one = {
        "anchor": f"all-dir{index:02d}",
        "title": f"Direction {index}",
        "words": ("brighter by 12 %",),
        "where": "centre (61 % of the change)",
        "facts": (("eigenvalue", "71.04"),),
        "command": f"gen_sefa.py --directions {index}",
        "heat": noise(8, index),
        "rows": [[noise(size, 100 * index + 10 * row + at) for at in range(columns)] for row in range(row_count)],
        "row_labels": [f"seed {row}" for row in range(row_count)],
        "column_labels": [f"{at - columns // 2:+d}" if at != columns // 2 else "0" for at in range(columns)],
        "marked": columns // 2,
        "sheet": f"sheets/all-dir{index:02d}.jpg",
        "video": f"videos/all-dir{index:02d}.mp4",
    }
    return Card(**{**one, **given})


def written(tmp_path, cards, **given):
    path = tmp_path / "index.html"
    sections = [Section("all", "All layers", "Rows 0-9.", cards)]
    options = {"title": "Directions", "facts": [("network", "demo")], "sections": sections, **given}
    size = write_page(path, **options)
    data = path.read_bytes()
    assert size == len(data) <= page.BUDGET
    return data.decode("utf-8")


def embedded(parsed, kind="jpeg"):
    """Pictures held by the page itself, opened."""
    addresses = [attributes.get("src") or "" for attributes in parsed.all("img")]
    addresses += [attributes.get("poster") or "" for attributes in parsed.all("video")]
    start = f"data:image/{kind};base64,"
    held = [base64.b64decode(one[len(start) :], validate=True) for one in addresses if one.startswith(start)]
    pictures = []
    for data in held:
        with Image.open(io.BytesIO(data)) as image:
            image.load()
            assert image.format == kind.upper()
            pictures.append(image.copy())
    return pictures


@pytest.mark.parametrize("bad", HOSTILE)
def test_names_are_never_markup(tmp_path, bad):
    plain = Parsed(written(tmp_path, [card()], unedited=[("seed 0", noise())], command="x", notes=["x"]))
    one = card(
        name=bad, title=bad, words=(bad,), where=bad, facts=((bad, bad),), command=bad, row_labels=[bad] * 3,
        column_labels=[bad] * 3, sheet=bad, video=f"{bad}.mp4",
    )  # fmt: skip
    section = Section("all", bad, bad, [one])
    given = {"facts": [(bad, bad)], "sections": [section], "unedited": [(bad, noise())], "notes": [bad]}
    text = written(tmp_path, [], title=bad, command=bad, **given)
    found = Parsed(text)
    assert sum(bad in piece for piece in found.text) >= 10
    for attributes in (attributes for _, attributes in found.tags):
        assert not [name for name in attributes if name.startswith("on")]
    kinds = {tag for tag, _ in found.tags}
    assert kinds <= {tag for tag, _ in plain.tags} | {"bdi", "span"}
    assert len(found.all("script")) == len(found.all("style")) == 1
    assert len(found.all("img")) == len(plain.all("img"))


def test_nothing_comes_from_elsewhere(tmp_path):
    cards = [card(), card(1, video="videos/one.gif"), card(2, video="videos/frames")]
    text = written(tmp_path, cards, unedited=[("seed 0", noise())], command="gen_sefa.py")
    found = Parsed(text)
    for tag, attributes in found.tags:
        for name in ("src", "href", "poster", "srcset", "action", "data"):
            value = attributes.get(name) or ""
            assert not re.match(r"(?i)\s*(?:[a-z]+:|//)", value) or value.startswith("data:image/"), (tag, value[:60])
    assert not re.search(r"(?i)url\(|@import|https?://", text)
    policies = [one["content"] for one in found.all("meta") if one.get("http-equiv") == "Content-Security-Policy"]
    assert len(policies) == 1 and policies[0].startswith("default-src 'none';") and "http" not in policies[0]
    assert not found.all("link", "iframe", "object", "embed", "base", "form")


def test_it_says_what_it_is_before_anything_else(tmp_path):
    text = written(tmp_path, [card()])
    found = Parsed(text)
    assert text.lower().startswith("<!doctype html>") and text.index("<meta charset") < 200
    assert found.all("html")[0]["lang"] == "en" and found.all("meta")[0] == {"charset": "utf-8"}
    assert {"viewport", "generator"} <= {one.get("name") for one in found.all("meta")}
    assert len(found.all("h1")) == len(found.all("main")) == len(found.all("footer")) == 1


def test_everything_seen_is_also_told(tmp_path):
    cards = [card(3, name="smile"), card(4, video="videos/four.gif")]
    found = Parsed(written(tmp_path, cards, unedited=[("seed 0", noise())]))
    assert all(one.get("alt") for one in found.all("img"))
    assert all(one.get("aria-label") for one in found.all("video", "nav"))
    told = [one["alt"] for one in found.all("img")]
    assert any("seed 1" in alt and "irection 3" in alt and "smile" in alt and "+1" in alt for alt in told)
    for words in ("brighter by 12 %", "centre (61 % of the change)", "71.04", "seed 2", "smile"):
        assert any(words in piece for piece in found.text), words
    video = found.all("video")[0]
    assert {"controls", "loop", "muted", "playsinline"} <= set(video) and video["preload"] == "none"


def test_links_of_the_contents_lead_somewhere_and_ids_are_single(tmp_path):
    found = Parsed(written(tmp_path, [card(index) for index in range(5)]))
    ids = [attributes["id"] for _, attributes in found.tags if "id" in attributes]
    jumps = [one["href"][1:] for one in found.all("a") if one["href"].startswith("#")]
    assert len(set(ids)) == len(ids) and set(jumps) <= set(ids)
    assert {f"all-dir{index:02d}" for index in range(5)} <= set(jumps)
    for _, attributes in found.tags:
        assert set((attributes.get("aria-labelledby") or "").split()) <= set(ids)


@pytest.mark.parametrize("bad", HOSTILE)
def test_tables_of_scores_are_part_of_it(tmp_path, bad):
    rows = [("all-dir00", "0", bad), ("", "1", "")]
    matrix = Matrix(
        "scores-all", bad, bad, [bad, "b"], rows, [[1.0, -2.0], [0.0, 3.0]], [[True] * 2] * 2, [f"{bad}.csv"]
    )
    write_page(
        tmp_path / "index.html", title="t", facts=[], sections=[Section("s", "S", "", [card(0)])], matrices=[matrix]
    )
    found = Parsed((tmp_path / "index.html").read_text(encoding="utf-8"))
    ids = [attributes["id"] for _, attributes in found.tags if "id" in attributes]
    jumps = [one["href"][1:] for one in found.all("a") if one["href"].startswith("#")]
    assert len(set(ids)) == len(ids) and set(jumps) <= set(ids) and "scores" in jumps
    assert bad in found.text and {"+1.00", "-2.00", "+3.00"} <= set(found.text)
    assert len(found.all("script")) == 1


def test_the_unedited_column_is_marked(tmp_path):
    text = written(tmp_path, [card(row_count=2, columns=5)])
    marked = [one for one in Parsed(text).all("th", "td") if one.get("class")]
    assert len(marked) == 3  # its caption and a picture for each row
    assert not [one for one in Parsed(written(tmp_path, [card(marked=None)])).all("th", "td") if one.get("class")]


@pytest.mark.parametrize(
    ("shape", "shown"),
    [((64, 64, 3), (64, 64)), ((300, 600, 3), (256, 128)), ((600, 300, 4), (128, 256)), ((40, 40, 1), (40, 40))],
)
def test_pictures_are_small_and_never_enlarged(tmp_path, shape, shown):
    rows = [[np.full(shape, 90, np.uint8)] * 3]
    one = card(rows=rows, row_labels=["seed 0"], video="")
    pictures = embedded(Parsed(written(tmp_path, [one], unedited=[("seed 0", rows[0][0])])))
    assert [picture.size for picture in pictures] == [shown] * 4


def test_heat_maps_are_exact(tmp_path):
    heat = noise(16)
    (picture,) = embedded(Parsed(written(tmp_path, [card(heat=heat)])), "png")
    np.testing.assert_array_equal(np.asarray(picture), heat)
    assert not embedded(Parsed(written(tmp_path, [card(heat=None)])), "png")


def test_stills_of_clips_are_small_too(tmp_path):
    pictures = embedded(Parsed(written(tmp_path, [card(size=200)])))
    assert max(max(picture.size) for picture in pictures) <= 256


@pytest.mark.parametrize("budget", [2_000_000, 500_000, 250_000, 120_000, 60_000, 22_000])
def test_it_stays_within_its_budget(tmp_path, monkeypatch, budget):
    monkeypatch.setattr(page, "BUDGET", budget)
    cards = [card(index, columns=5, size=128, heat=None) for index in range(8)]
    text = written(tmp_path, cards)  # looks at the size itself
    pictures = len(Parsed(text).all("img"))
    assert pictures == 8 * 3 * 5 or "sheet" in " ".join(Parsed(text).text)
    assert (pictures < 8 * 3 * 5) == ("keep this page small" in text)
    assert len(Parsed(text).all("article")) == 8


def test_the_largest_size_that_fits_is_taken(tmp_path, monkeypatch):
    cards = [card(index, size=256, video="", heat=None) for index in range(2)]
    sizes = []
    for budget in (15_000_000, 700_000, 200_000):
        monkeypatch.setattr(page, "BUDGET", budget)
        sizes.append(max(max(picture.size) for picture in embedded(Parsed(written(tmp_path, cards)))))
    assert sizes[0] == 256 and sizes == sorted(sizes, reverse=True) and len(set(sizes)) == 3


def test_work_that_goes_on_is_told(tmp_path):
    words = "More is being rendered; reload this page to see it."
    assert words in written(tmp_path, [card()], busy=True)
    assert words not in written(tmp_path, [card()], busy=False)
    assert "one more thing" in written(tmp_path, [card()], notes=["one more thing"])


def test_what_is_not_made_yet_leaves_no_hole(tmp_path):
    bare = card(rows=(), row_labels=(), column_labels=(), marked=None, sheet="", video="", heat=None, command="")
    found = Parsed(written(tmp_path, [bare, card(1, rows=(), row_labels=(), column_labels=())], busy=True))
    assert not found.all("table") and len(found.all("article")) == 2
    assert all(one.get("src") for one in found.all("img", "video"))
    assert all(one.get("href") for one in found.all("a"))
    empty = Parsed(written(tmp_path, [], sections=[], facts=[]))
    assert not empty.all("article", "nav") and len(empty.all("h1")) == 1


def test_paths_are_encoded(tmp_path):
    odd = 'a b#%?"é.jpg'
    kinds = [card(0, sheet=odd, video="c d#%.mp4"), card(1, video="e f#.gif"), card(2, video="javascript:alert(1)")]
    found = Parsed(written(tmp_path, kinds))
    links = [one["href"] for one in found.all("a") if not one["href"].startswith("#")]
    assert "a%20b%23%25%3F%22%C3%A9.jpg" in links
    assert found.all("video")[0]["src"] == "c%20d%23%25.mp4"
    assert "e%20f%23.gif" in [one["src"] for one in found.all("img")]
    assert "javascript%3Aalert%281%29/" in links


@pytest.mark.skipif(os.name == "nt", reason="names there are text")
def test_a_path_that_is_no_text_is_linked_by_its_bytes(tmp_path):
    found = Parsed(written(tmp_path, [card(sheet=os.fsdecode(b"caf\xe9.jpg"))]))
    assert "caf%E9.jpg" in [one["href"] for one in found.all("a")]


def test_a_page_that_cannot_be_written_leaves_the_older_one(tmp_path, monkeypatch):
    before = written(tmp_path, [card()])

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", full)
        with pytest.raises(OSError, match="No space"):
            written(tmp_path, [card(1)])
    wrong = card(rows=[[noise().astype(np.float32)] * 3], row_labels=["seed 0"])
    with pytest.raises(ValueError, match="expected uint8"):
        written(tmp_path, [wrong])
    assert [one.name for one in tmp_path.iterdir()] == ["index.html"]
    assert (tmp_path / "index.html").read_text(encoding="utf-8") == before


def test_colours_have_contrast():
    """Text against its grounds: 4.5 to 1 and more, light and dark (WCAG 2.1)."""
    from sefa_plugin.runs.page.style import STYLE

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
