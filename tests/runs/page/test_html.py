"""The page: nothing of a name is markup, nothing comes from elsewhere, and every picture is a file beside it."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
from dataclasses import replace
from html.parser import HTMLParser
from importlib.resources import files
from urllib.parse import unquote, unquote_to_bytes

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jinja2 import UndefinedError

from sefa_plugin.runs.page.html import Card, Matrix, Section, Star, write_page
from sefa_plugin.runs.page.playing import Cells, Play
from sefa_plugin.runs.page.sheets import Pictures, Sheet

VOID = {"meta", "img", "br", "link", "input", "hr", "fefuncr", "fefuncg", "fefuncb"}
HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "</title></style><b>",
    "&lt;b&gt; & \u202eevil 🙂 قبعة",
    "{{ 7 * 7 }}{% raw %}{# #}",
    "javascript:alert(1)//",
]
STYLE = files("sefa_plugin.runs.page").joinpath("page.css").read_text("utf-8")
GREY = "iVBORw0KGgo="
PICTURES = Pictures(60, 80, (128, 128), (132, 132), ["seed 0", "seed 1"], ["-1", "0", "+1"], (None, 1))
SHEET = Sheet("sheets/all-dir00.jpg", (600, 400), PICTURES)


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

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self._open and self._open.pop() == tag, f"</{tag}> closes something else"

    def handle_data(self, data):
        self.text.append(data)

    def all(self, *tags):
        return [attributes for tag, attributes in self.tags if tag in tags]

    @property
    def shape(self):
        """All that a name must not change: tags and the names of their attributes, in order."""
        return [(tag, *attributes) for tag, attributes in self.tags]


def card(index=0, **given):
    one = {
        "anchor": f"all-dir{index:02d}",
        "title": f"Direction {index}",
        "words": ("brighter by 12 %",),
        "where": "centre (61 % of the change)",
        "facts": (("eigenvalue", "71.04"),),
        "command": f"gen_sefa.py --directions {index}",
        "heat": GREY,
        "sheet": replace(SHEET, path=f"sheets/all-dir{index:02d}.jpg"),
        "video": f"videos/all-dir{index:02d}.mp4",
    }
    return Card(**{**one, **given})


def written(folder, cards, **given):
    path = folder / "index.html"
    sections = [Section("all", "All layers", "Rows 0-9.", cards)]
    write_page(path, **{"title": "Directions", "facts": [("network", "demo")], "sections": sections, **given})
    return path.read_bytes().decode("utf-8")


def everywhere(folder, bad):
    """A page with ``bad`` in every field that a person or a file can fill."""
    pictures = replace(PICTURES, rows=[bad] * 2, columns=[bad] * 3)
    one = card(
        name=bad, title=bad, words=(bad, bad), where=bad, facts=((bad, bad),), command=bad, heat=bad,
        sheet=Sheet(bad, (600, 400), pictures, bad), video=f"{bad}.mp4", anchor=bad, details=((bad, bad),),
        play=Play([bad] * 2, [-1.0, 0.0, 1.0], cells=Cells(60, 80, (128, 128), (132, 132), [-1.0, 0.0, 1.0])),
        star=Star(bad, 0, bad, (0, 1)), shots=[(bad, bad)], clips=[(bad, bad), (f"{bad}.mp4", bad)], files=[bad],
    )  # fmt: skip
    cards = [one, card(1, video=f"{bad}.gif", sheet=Sheet(bad, None, None, bad)), card(2, video=f"{bad}/frames")]
    rows = [("all-dir02", bad, bad), ("", bad, bad)]
    matrix = Matrix("scores", bad, bad, [bad, "b"], rows, [[1.0, -2.0], [0.0, 3.0]], [[True, False]] * 2, [bad])
    section = Section(bad, bad, bad, cards)
    return written(
        folder, [], title=bad, facts=[(bad, bad)], sections=[section], unedited=SHEET, command=bad, matrices=[matrix],
        naming=bad,
    )  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("page")


@pytest.fixture(scope="module")
def plain_shape(folder):
    return Parsed(everywhere(folder, "plain")).shape


@settings(max_examples=25)
@given(
    st.text(max_size=12)
    .flatmap(lambda around: st.sampled_from([*HOSTILE, "<", "&amp;", "]]>", "<!--"]).map(lambda bad: around + bad))
    .filter(lambda bad: "\\" not in bad)
)
def test_names_are_never_markup(folder, plain_shape, bad):
    found = Parsed(everywhere(folder, bad))
    assert found.shape == plain_shape
    assert not [name for _, attributes in found.tags for name in attributes if name.startswith("on")]
    assert sum(bad in piece for piece in found.text) >= 20  # as it was given, to the letter
    assert f"Sheet of {bad}: {bad}, {bad}; down {bad}, {bad}; across {bad}, {bad}, {bad}" in [
        one["alt"] for one in found.all("img")
    ]
    for tag, name in (("a", "href"), ("img", "src"), ("video", "src")):
        for address in (one[name] for one in found.all(tag)):
            assert address.startswith(("data:image/png;base64,", "#")) or re.fullmatch(r"[\w.~/%-]*", address, re.A)
    assert bad in [unquote(one["href"]) for one in found.all("a")]
    (play,) = (json.loads(one["data-play"]) for one in found.all("article") if "data-play" in one)
    (star,) = (json.loads(one["data-star"]) for one in found.all("article") if "data-star" in one)
    assert play["rows"] == [bad] * 2 and star["set"] == star["direction"] == bad
    assert f"{bad}.mp4" == unquote(found.all("video")[0]["src"])


def test_nothing_comes_from_elsewhere(tmp_path):
    cards = [card(), card(1, video="videos/one.gif"), card(2, video="videos/frames")]
    text = written(tmp_path, cards, unedited=SHEET, command="gen_sefa.py")
    found = Parsed(text)
    for tag, attributes in found.tags:
        for name in ("src", "href", "poster", "srcset", "action", "data"):
            value = attributes.get(name) or ""
            assert not re.match(r"(?i)\s*(?:[a-z]+:|//)", value) or value.startswith("data:image/"), (tag, value[:60])
    assert not re.search(r"(?i)(?<!createObject)url\((?!#)|@import|https?://", text)
    assert not found.all("link", "iframe", "object", "embed", "base", "form")


def test_no_script_but_its_own_may_run(tmp_path):
    text = written(tmp_path, [card()])
    (policy,) = (one["content"] for one in Parsed(text).all("meta") if "http-equiv" in one)
    assert policy.startswith("default-src 'none';") and "http" not in policy
    (script,) = re.findall(r"<script>(.*?)</script>", text, re.S)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}';" in policy


def test_it_says_what_it_is_before_anything_else(tmp_path):
    text = written(tmp_path, [card()])
    found = Parsed(text)
    assert text.lower().startswith("<!doctype html>") and text.index("<meta charset") < 200
    assert found.all("html")[0]["lang"] == "en" and found.all("meta")[0] == {"charset": "utf-8"}
    assert {"viewport", "generator"} <= {one.get("name") for one in found.all("meta")}
    assert len(found.all("h1")) == len(found.all("main")) == len(found.all("footer")) == 1


def test_everything_seen_is_also_told(tmp_path):
    cards = [card(3, name="smile"), card(4, video="videos/four.gif")]
    found = Parsed(written(tmp_path, cards, unedited=SHEET))
    assert all(one.get("alt") for one in found.all("img"))
    assert all(one.get("aria-label") for one in found.all("video", "nav"))
    caption = "Direction 3: smile, subjects down, distances across; down seed 0, seed 1; across -1, 0, +1"
    assert f"Sheet of {caption}" in [one["alt"] for one in found.all("img")]
    for words in ("brighter by 12 %", "centre (61 % of the change)", "71.04", "seed 1", "smile"):
        assert any(words in piece for piece in found.text), words
    assert {"controls", "loop", "muted", "playsinline"} <= set(found.all("video")[0])
    regions = [one for one in found.all("div") if one.get("role") == "region"]
    assert len(regions) == 3 and all(one["tabindex"] == "0" and one["aria-label"] for one in regions)


def test_links_of_the_contents_lead_somewhere_and_ids_are_single(tmp_path):
    matrix = Matrix("scores-all", "S", "", ["a"], [("all-dir00", "0", ""), ("", "9", "")], [[1.0]] * 2, [[True]] * 2)
    found = Parsed(written(tmp_path, [card(index) for index in range(5)], matrices=[matrix]))
    ids = [attributes["id"] for _, attributes in found.tags if "id" in attributes]
    jumps = [one["href"][1:] for one in found.all("a") if one["href"].startswith("#")]
    assert len(set(ids)) == len(ids) and set(jumps) <= set(ids) and "scores" in jumps
    assert {f"all-dir{index:02d}" for index in range(5)} <= set(jumps)
    for _, attributes in found.tags:
        assert set((attributes.get("aria-labelledby") or "").split()) <= set(ids)


def test_sheets_are_shown_as_the_files_beside_the_page(tmp_path):
    found = Parsed(written(tmp_path, [card(), card(1)], unedited=replace(SHEET, path="sheets/unedited.jpg")))
    shown = [one for one in found.all("img") if not one["src"].startswith("data:")]
    paths = ["sheets/unedited.jpg", "sheets/all-dir00.jpg", "sheets/all-dir01.jpg"]
    assert [one["src"] for one in shown] == paths
    assert all((one["loading"], one["width"], one["height"]) == ("lazy", "600", "400") for one in shown)
    assert set(paths) <= {one["href"] for one in found.all("a")}  # in full size
    (heat,) = {one["src"] for one in found.all("img")} - set(paths)
    assert heat == f"data:image/png;base64,{GREY}"  # as the record has it


def test_only_the_pictures_of_a_sheet_are_in_sight(tmp_path):
    found = Parsed(written(tmp_path, [card()]))
    (style,) = (one["style"] for one in found.all("img") if "style" in one)
    sizes = {name: float(number) for name, number in re.findall(r"(\w+):(-?[\d.]+)%", style)}
    # 3 x 132 wide from 58 on, 2 x 132 high from 78 on, in a sheet of 600 x 400
    expected = {"width": 60000 / 396, "left": -5800 / 396, "top": -7800 / 264}
    assert sizes == pytest.approx(expected, abs=1e-3)


def test_the_unedited_pictures_are_marked(tmp_path):
    def marks(pictures):
        found = Parsed(written(tmp_path, [card(sheet=replace(SHEET, pictures=pictures))]))
        return [one["style"] for one in found.all("span") if one.get("class") == "mark"], [
            one for one in found.all("span") if one.get("class") == "now"
        ]

    assert [len(one) for one in marks(PICTURES)] == [1, 1]
    assert marks(replace(PICTURES, marked=(1, 2)))[0] == ["--column:2;--row:1;--tall:1"]
    assert len(marks(replace(PICTURES, marked=(1, 2)))[1]) == 2
    assert marks(replace(PICTURES, marked=(None, None))) == ([], [])


def test_a_sheet_of_an_older_record_is_shown_as_it_is(tmp_path):
    cards = [card(sheet=Sheet("sheets/one.jpg", (600, 400))), card(1, sheet=Sheet("sheets/two.jpg"))]
    found = Parsed(written(tmp_path, cards))
    one, two = (one for one in found.all("img") if one["src"].startswith("sheets/"))
    assert (one["width"], one["height"]) == ("600", "400") and "width" not in two
    assert "style" not in one and not [one for one in found.all("span") if one.get("class") == "mark"]


MATRIX = Matrix(
    "scores-all",
    "What they do",
    "How",
    ["skin", "hair"],
    [("all-dir00", "0", "x"), ("", "1", "")],
    [[2.0, -0.5], [-2.0, 0.01]],
    [[True, True], [True, False]],
    ["evaluate/a b.csv"],
)


def test_every_number_of_a_table_is_there_with_its_colour(tmp_path):
    text = written(tmp_path, [card()], matrices=[MATRIX])
    cells = re.findall(r"<td ([^>]*)>([^<]+)</td>", text)
    assert [number for _, number in cells] == ["+2.00", "-0.50", "-2.00", "+0.01"]
    assert [look for look, _ in cells] == [
        'class="more" style="--part:1.000"',
        'class="less" style="--part:0.250"',
        'class="less" style="--part:1.000"',
        'class="chance"',
    ]
    assert '<a href="#all-dir00">0 <bdi>x</bdi></a>' in text and '<th scope="row">1</th>' in text
    assert 'href="evaluate/a%20b.csv"' in text
    small = replace(MATRIX, values=[[0.5, 0.1], [0.1, 0.1]])
    assert "--part:0.500" in written(tmp_path, [], matrices=[small])  # of one standard deviation


def test_work_that_goes_on_is_told(tmp_path):
    words = "More is being rendered; reload this page to see it."
    assert words in written(tmp_path, [card()], busy=True)
    assert words not in written(tmp_path, [card()], busy=False)


def test_what_is_not_made_yet_leaves_no_hole(tmp_path):
    bare = card(sheet=None, video="", heat="", command="")
    found = Parsed(written(tmp_path, [bare, card(1, sheet=None)], busy=True))
    assert len(found.all("article")) == 2 and not [one for one in found.all("div") if one.get("class") == "sheet"]
    assert all(one.get("src") for one in found.all("img", "video"))
    assert all(one.get("href") for one in found.all("a"))
    empty = Parsed(written(tmp_path, [], sections=[], facts=[]))
    assert not empty.all("article", "nav", "dl") and len(empty.all("h1")) == 1


def test_paths_are_encoded(tmp_path):
    odd, windows = 'a b#%?"é.jpg', "sheets\\b c.jpg"
    kinds = [
        card(0, sheet=Sheet(odd), video="c d#%.mp4"),
        card(1, sheet=Sheet(windows), video="e f#.GIF"),
        card(2, sheet=None, video="javascript:alert(1)"),
    ]
    found = Parsed(written(tmp_path, kinds))
    links = [one["href"] for one in found.all("a") if not one["href"].startswith("#")]
    assert {"a%20b%23%25%3F%22%C3%A9.jpg", "sheets/b%20c.jpg", "javascript%3Aalert%281%29/"} == set(links)
    assert found.all("video")[0]["src"] == "c%20d%23%25.mp4"
    assert {"a%20b%23%25%3F%22%C3%A9.jpg", "e%20f%23.GIF"} <= {one["src"] for one in found.all("img")}


@pytest.mark.skipif(os.name == "nt", reason="names there are text")
@given(st.binary(min_size=1, max_size=20).filter(lambda raw: not {0, 92} & set(raw)))
def test_a_path_that_is_no_text_is_linked_by_its_bytes(folder, raw):
    found = Parsed(written(folder, [card(name=os.fsdecode(raw), sheet=Sheet(os.fsdecode(raw)))]))
    assert raw in [unquote_to_bytes(one["href"]) for one in found.all("a")]


def test_a_page_that_cannot_be_written_leaves_the_older_one(tmp_path, monkeypatch):
    before = written(tmp_path, [card()])

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", full)
        with pytest.raises(OSError, match="No space"):
            written(tmp_path, [card(1)])
    with pytest.raises(UndefinedError):  # what is missing is never left out in silence
        written(tmp_path, [{"anchor": "x"}])
    assert [one.name for one in tmp_path.iterdir()] == ["index.html"]
    assert (tmp_path / "index.html").read_text(encoding="utf-8") == before


def luminance(colour):
    if isinstance(colour, str):
        colour = colour if len(colour) == 6 else "".join(2 * letter for letter in colour)
        colour = [int(colour[i : i + 2], 16) for i in (0, 2, 4)]
    parts = [part / 255 for part in colour]
    return sum(
        w * (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4)
        for w, p in zip((0.2126, 0.7152, 0.0722), parts)
    )


def contrast(one, other):
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


SCHEMES = [dict(re.findall(r"--(\w+): #(\w+)", scheme)) for scheme in re.findall(r":root \{([^}]*)\}", STYLE)]


@pytest.mark.parametrize("colours", SCHEMES, ids=["light", "dark"])
def test_colours_have_contrast(colours):
    """Text against its grounds: 4.5 to 1 and more (WCAG 2.1)."""
    for ground in ("paper", "card", "chip"):
        for ink in ("ink", "soft", "mark"):
            assert contrast(colours[ground], colours[ink]) >= 4.5, (ground, ink)


@pytest.mark.parametrize("colours", SCHEMES, ids=["light", "dark"])
@pytest.mark.parametrize("kind", ["less", "more"])
def test_numbers_can_be_read_on_their_colours(colours, kind):
    """Likewise, at the fullest colours."""
    found = re.search(rf"td\.{kind} {{ background: rgb\((\d+) (\d+) (\d+) / calc\(var\(--part\) \* (\.\d+)\)\)", STYLE)
    *colour, most = map(float, found.groups())
    card = [int(part, 16) for part in re.findall("..", colours["card"] if len(colours["card"]) == 6 else "ffffff")]
    assert contrast([most * c + (1 - most) * under for c, under in zip(colour, card)], colours["ink"]) >= 4.5
