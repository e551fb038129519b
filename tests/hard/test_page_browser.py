"""The page in a real browser, from disk: it loads nothing from elsewhere, shows its sheets, fits the window, plays."""

from __future__ import annotations

import io
import json
import shutil

import numpy as np
import pytest
from PIL import Image
from typed_commands import sefa

from sefa_plugin import Directions
from sefa_plugin.media.effect import heat_picture
from sefa_plugin.media.sheet import write_sheet
from sefa_plugin.media.video import write_video
from sefa_plugin.runs.page.contents import packed
from sefa_plugin.runs.page.html import Card, Matrix, Section, Star, write_page
from sefa_plugin.runs.page.playing import Cells, Clip, Play
from sefa_plugin.runs.page.sheets import sheet_of

pytestmark = pytest.mark.hard
WINDOWS = {
    "phone": {"width": 360, "height": 740},
    "tablet": {"width": 768, "height": 1024},
    "desktop": {"width": 1280, "height": 900},
    "wide": {"width": 1920, "height": 1080},
}
MP4, SHEET = "videos/a b#%.mp4", "sheets/a b#%{}.jpg"
HEAT = np.repeat(np.linspace(0, 255, 16).astype(np.uint8)[None], 16, 0)
PREFERS = "matchMedia('(prefers-color-scheme: dark)').matches"


def until(tab, true, seconds=20):
    """Wait for it; Playwright's own wait evaluates text inside the page, which the page's policy forbids."""
    for _ in range(seconds * 20):
        if tab.evaluate(true):
            return
        tab.wait_for_timeout(50)
    pytest.fail(f"never true: {true}")


def picture(index, size=64):
    ramp = np.linspace(0, 255, size)
    red, green = np.meshgrid(ramp, ramp)
    return np.stack([red, green, np.full_like(red, index * 9 % 256)], axis=2).astype(np.uint8)


AT = [step / 2 for step in range(-6, 7)]  # distances of the frames of the clip
SHADES = [20 * place for place in range(13)]  # of those frames; each subject is lighter by 5


def play_of(pictures, clip):
    cells = Cells(pictures.left, pictures.top, pictures.size, pictures.step, list(range(-3, 4)))
    return Play(
        pictures.rows, AT if clip else cells.at, cells=cells, clip=Clip(list(range(13)), 12, 1920) if clip else None
    )


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """A page of twelve directions in two groups, one with a clip, one with a GIF."""
    folder = tmp_path_factory.mktemp("page with a # and %")
    frames = [picture(index) for index in range(12)]
    grey = [np.full((64, 64, 3), 1, np.uint8) * shade for shade in range(256)]
    there = [np.concatenate([grey[shade + 5 * row] for row in range(3)], axis=1) for shade in SHADES]
    write_video(folder / MP4, there + there[-2:0:-1], fps=12)
    write_video(folder / "videos/two.gif", frames, fps=12)
    rows = [[picture(row * 7 + at) for at in range(7)] for row in range(3)]
    labels = {"row_labels": ["seed 0", "seed 1", "seed 2"], "column_labels": ["-3", "-2", "-1", "0", "+1", "+2", "+3"]}
    about = {"rows": labels["row_labels"], "columns": labels["column_labels"]}
    for index in range(11):
        boxes = write_sheet(
            folder / SHEET.format(index), rows, title="a title " * 9, marked=3, aside=rows[0][0], **labels
        )
    # One of a record of before places were noted.
    abouts = [{**about, "boxes": boxes}] * 10 + [about]
    names = {0: "<b>smile</b>", 2: "averyveryverylongnamewithoutanyplacetobreakit" * 2, 4: "قبعة زرقاء"}
    sheets = [sheet_of(folder, SHEET.format(index), abouts[index]) for index in range(11)] + [None]
    cards = [
        Card(
            anchor=f"all-dir{index:02d}",
            title=f"Direction {index}",
            name=names.get(index, ""),
            words=("brighter by 12 %", "zooms in by 6 %"),
            where="centre (61 % of the change)",
            details=(("eigenvalue", "71.04"), ("range", "-2.9 to +3.1 units of w (-1.9 to +2.0 sigmas)")),
            command=f"python gen_sefa.py --network demo --directions {index} --distance=-2.9,3.1 --seeds 0,1,2",
            heat=packed(HEAT),
            sheet=sheets[index],
            video={0: MP4, 1: "videos/two.gif", 11: MP4}.get(index, ""),
            play=play_of(sheets[index].pictures, index == 0) if index < 10 else None,
            star=Star("all", index, f"{index}" * 64, (0, 1), index == 4),
        )
        for index in range(12)
    ]
    seeds = {"columns": labels["row_labels"]}
    seeds["boxes"] = write_sheet(
        folder / "sheets/unedited.jpg", [rows[0][:3]], row_labels=[""], column_labels=seeds["columns"]
    )
    write_page(
        folder / "index.html",
        title="Editing directions of a-network-whose-file-has-a-rather-long-name-stylegan2-ffhq-256x256",
        facts=[("network", "demo"), ("class", "Generator (stylegan2_ada)")],
        sections=[
            Section("layers-all", "All layers", "Rows 0-9.", cards[:8]),
            Section("layers-mid", "Middle", "Rows 2-5.", cards[8:]),
        ],
        unedited=sheet_of(folder, "sheets/unedited.jpg", seeds),
        command="gen_sefa.py --network demo --outdir a/rather/long/folder --seeds 0-2 -K 12 --layers all,middle",
        busy=True,
    )
    return (folder / "index.html").as_uri()


@pytest.fixture
def opened(browser, address):
    """Open the page; gives it with all that it asked for and complained about."""
    contexts = []

    def open_in(window="desktop", scheme="light", script=True):
        context = browser.new_context(
            viewport=WINDOWS[window],
            color_scheme=scheme,
            reduced_motion="reduce",
            java_script_enabled=script,
            has_touch=window == "phone",
        )
        contexts.append(context)
        asked, said = [], []
        tab = context.new_page()
        tab.on("request", lambda request: asked.append(request.url))
        tab.on("console", lambda message: said.append(message.text) if message.type in ("error", "warning") else None)
        tab.on("pageerror", lambda error: said.append(str(error)))
        tab.goto(address)
        return tab, asked, said

    yield open_in
    for context in contexts:
        context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("window", WINDOWS)
def test_it_fits_loads_all_and_asks_nobody(opened, window, scheme):
    tab, asked, said = opened(window, scheme)
    tab.evaluate("for (const one of document.images) one.loading = 'eager'")
    loaded = "Array.from(document.images).every(one => one.complete && one.naturalWidth > 0)"
    until(tab, loaded)
    wide, room = tab.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
    assert wide <= room == WINDOWS[window]["width"]
    assert tab.locator("article .sheet img").count() == 11
    assert asked and all(url.startswith(("file:", "data:")) for url in asked)
    assert not said


def test_sheets_come_when_they_are_looked_at(opened):
    tab, asked, said = opened()
    until(tab, "document.querySelector('header img').naturalWidth > 0")
    assert not any("%23%259.jpg" in url for url in asked)
    last = "document.querySelector('#all-dir09 .sheet img')"
    assert tab.evaluate(f"{last}.naturalWidth") == 0
    room = tab.evaluate(f"{last}.getBoundingClientRect().height")
    assert room > 300  # nothing moves when it comes
    tab.evaluate(f"{last}.scrollIntoView()")
    until(tab, f"{last}.naturalWidth > 0")
    assert any("%23%259.jpg" in url for url in asked)
    assert tab.evaluate(f"{last}.getBoundingClientRect().height") == pytest.approx(room)
    assert not said


def seen(tab, which):
    """Pixels of an element, as they are on the screen, with 1 of the screen for 1 of the page."""
    with Image.open(io.BytesIO(tab.locator(which).first.screenshot(animations="disabled"))) as image:
        return np.asarray(image.convert("RGB")).astype(int)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_pictures_of_a_sheet_stand_below_their_captions_and_its_paper_is_not_seen(opened, scheme):
    tab, _, said = opened(scheme=scheme)
    tab.locator("#all-dir01 .pictures").scroll_into_view_if_needed()
    until(tab, "document.querySelector('#all-dir01 .pictures img').naturalWidth > 0")
    shown = seen(tab, "#all-dir01 .held a")
    high, wide = np.array(shown.shape[:2]) / (3, 7)
    ground = tab.evaluate("getComputedStyle(document.querySelector('article')).backgroundColor")
    paper = np.array([int(part) for part in ground[4:-1].split(",")])
    for row in range(3):
        for column in range(7):
            middle = shown[int(high * (row + 0.5)), int(wide * (column + 0.5))]
            expected = picture(row * 7 + column)[32, 32]
            assert np.abs(middle - expected).max() < 12, (row, column)
            if row and column != 3:  # above each is a gap
                assert np.abs(shown[int(high * row), int(wide * (column + 0.5))] - paper).max() < 12
    mark = shown[int(high * 1.5), round(wide * 3) + 1]
    assert np.abs(mark - paper).max() > 60  # the frame
    captions, pictures = (
        tab.evaluate(f"Array.from(document.querySelectorAll('#all-dir01 {which} span'), one => {{"
                     "const box = one.getBoundingClientRect(); return (box.left + box.right) / 2})")
        for which in (".across", ".held a")
    )  # fmt: skip
    assert captions[3] == pytest.approx(pictures[1], abs=1)  # of the column and of the frame
    assert not said


def test_maps_have_the_colours_that_they_have_on_sheets(opened):
    tab, _, said = opened()
    shown = seen(tab, "#all-dir00 .heat img")
    row = shown[len(shown) // 2]
    expected = heat_picture(HEAT)[8]
    places = ((np.arange(16) + 0.5) * len(row) / 16).astype(int)
    assert np.abs(row[places] - expected)[1:-1].max() < 16 and not said


def test_no_other_script_runs(opened):
    tab, _, said = opened()
    tab.evaluate("const one = document.createElement('script'); one.textContent = 'document.title = 1';"
                 "document.body.append(one)")  # fmt: skip
    assert tab.evaluate("document.title").startswith("Editing") and len(said) == 1
    assert "Content Security Policy" in said[0] or "Content-Security-Policy" in said[0]


@pytest.mark.parametrize("window", ["phone", "desktop"])
def test_a_clip_that_is_not_played_with_plays_and_its_controls_stand_below_it(opened, window):
    tab, asked, said = opened(window)
    video = "document.querySelector('#all-dir11 video')"
    until(tab, f"{video}.readyState > 0")  # how long it is, and how large
    tab.evaluate(f"{video}.play()")
    until(tab, f"{video}.currentTime > 0")
    assert tab.evaluate(f"{video}.duration") == pytest.approx(2, abs=0.1)
    box = tab.locator("#all-dir11 video").bounding_box()
    assert box["height"] - box["width"] / 3 > 50
    assert any("%23%25.mp4" in url for url in asked) and not said


def large(tab, card):
    """Colour in the middle of the large picture of a card."""
    shown = seen(tab, f"#{card} canvas")
    return shown[len(shown) // 2, 20]


def at(tab, card="all-dir00"):
    return tab.locator(f"#{card} .along output").first.inner_text()


def shows(tab, card, place, row=0, seconds=20):
    """Wait until the large picture is a frame of the clip."""
    for _ in range(seconds * 5):
        if np.abs(large(tab, card) - (SHADES[place] + 5 * row)).max() < 4:
            return
        tab.wait_for_timeout(200)
    pytest.fail(f"never frame {place} of subject {row}: {large(tab, card)}")


@pytest.mark.parametrize("window", ["phone", "wide"])
def test_the_large_picture_follows_slider_keys_and_drags(opened, window):
    tab, _, said = opened(window)
    assert at(tab) == "0"
    shows(tab, "all-dir00", 6)
    slider = tab.locator("#all-dir00 input[type=range]")
    slider.focus()
    for key, place in (("ArrowRight", 7), ("ArrowRight", 8), ("Home", 0), ("End", 12), ("ArrowLeft", 11), ("0", 6)):
        tab.keyboard.press(key)
        assert at(tab) == (f"{AT[place]:+g}" if AT[place] else "0")
        shows(tab, "all-dir00", place)
    assert slider.get_attribute("aria-valuetext") == "0"
    box = slider.bounding_box()
    tab.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    tab.mouse.down()
    tab.mouse.move(box["x"] + box["width"] - 3, box["y"] + box["height"] / 2, steps=4)
    tab.mouse.up()
    assert at(tab) == "+3"
    slider.dblclick()
    assert at(tab) == "0"
    stage = tab.locator("#all-dir00 .stage").bounding_box()
    tab.mouse.move(stage["x"] + stage["width"] / 2, stage["y"] + 40)
    tab.mouse.down()
    tab.mouse.move(stage["x"] + stage["width"] / 2 - stage["width"] / 4, stage["y"] + 40, steps=3)
    tab.mouse.up()
    assert at(tab) == "-1.5"
    shows(tab, "all-dir00", 3)
    tab.locator("#all-dir00 .stage").dblclick(position={"x": 9, "y": 9})
    assert at(tab) == "0" and not said


def test_a_finger_moves_the_slider(opened):
    tab, _, _ = opened("phone")
    tab.locator("#all-dir00 input[type=range]").scroll_into_view_if_needed()
    box = tab.locator("#all-dir00 input[type=range]").bounding_box()
    assert box["height"] >= 40
    tab.touchscreen.tap(box["x"] + box["width"] * 0.9, box["y"] + box["height"] / 2)
    assert float(at(tab)) > 1.5


def test_without_a_clip_the_cells_of_the_sheet_are_shown(opened):
    tab, _, said = opened()
    tab.locator("#all-dir01").scroll_into_view_if_needed()
    until(tab, "document.querySelector('#all-dir01 .pictures img').naturalWidth > 0")
    tab.locator("#all-dir01 input[type=range]").focus()
    for key, column in (("Home", 0), ("ArrowRight", 1), ("0", 3)):
        tab.keyboard.press(key)
        for row in (0, 2):
            tab.locator(f"#all-dir01 .tabs input >> nth={row}").check()
            shown = seen(tab, "#all-dir01 canvas")
            for part in (0.2, 0.5, 0.8):
                spot = tuple(int(part * side) for side in shown.shape[:2])
                expected = picture(row * 7 + column)[int(part * 64), int(part * 64)]
                assert np.abs(shown[spot] - expected).max() < 12, (row, column)
        tab.locator("#all-dir01 input[type=range]").focus()
    assert not said


def test_tabs_choose_the_subject_and_the_sheet_is_a_map(opened):
    tab, _, said = opened()
    tabs = tab.locator("#all-dir00 .tabs input")
    assert tabs.count() == 3
    tabs.nth(0).focus()
    tab.keyboard.press("ArrowRight")
    shows(tab, "all-dir00", 6, row=1)
    link = tab.locator("#all-dir00 .held a")
    box = link.bounding_box()
    link.click(position={"x": box["width"] * 5.5 / 7, "y": box["height"] * 2.5 / 3})  # +2 of seed 2
    assert at(tab) == "+2" and tabs.nth(2).is_checked()
    shows(tab, "all-dir00", 10, row=2)
    here = tab.locator("#all-dir00 .here").bounding_box()
    assert here["x"] + here["width"] / 2 == pytest.approx(box["x"] + box["width"] * 5.5 / 7, abs=2)
    assert not said and tab.evaluate("location.hash") == ""


def test_it_plays_there_and_back(opened):
    tab, _, said = opened()
    button = tab.locator("#all-dir00 .go")
    button.click()
    places = set()
    for _ in range(200):
        places.add(at(tab))
        if {"+3", "-3"} <= places:
            break
        tab.wait_for_timeout(30)
    assert {"+3", "-3"} <= places and button.get_attribute("aria-label") == "Stop"
    button.click()
    stopped = at(tab)
    tab.wait_for_timeout(300)
    assert at(tab) == stopped and not said


def test_two_directions_are_compared_side_by_side(opened):
    tab, _, said = opened()
    tab.locator("#all-dir00 .beside").click()
    assert "Compare" in tab.locator(".say").inner_text()
    tab.locator("#all-dir01 .beside").click()
    sliders = tab.locator("dialog[open] input[type=range]")
    assert sliders.count() == 2
    one, other = (tab.locator("dialog canvas").nth(which).bounding_box() for which in (0, 1))
    assert one["x"] + one["width"] < other["x"] and one["y"] == pytest.approx(other["y"], abs=2)
    sliders.nth(1).focus()
    tab.keyboard.press("End")
    assert tab.locator("dialog output").all_inner_texts() == ["0", "+3"]
    tab.locator("dialog .tabs input").nth(2).check()  # seed 2 of the first, and so of the second
    assert tab.locator("dialog .tabs").nth(1).locator("input").nth(2).is_checked()
    tab.keyboard.press("Escape")
    assert tab.locator("dialog[open]").count() == 0 and at(tab) == "0" and not said


def test_pictures_are_enlarged(opened):
    tab, _, said = opened()
    tab.locator("#all-dir00 .stage").hover()
    tab.locator("#all-dir00 .large").click()
    assert tab.locator("dialog[open] input[type=range]").count() == 1
    tab.locator("dialog .close").click()
    tab.locator("header a.zoom").click()
    until(tab, "document.querySelector('dialog[open] .light > img').naturalWidth > 0")
    tab.keyboard.press("Escape")
    assert tab.locator("dialog[open]").count() == 0 and not said


def test_the_filter(opened):
    tab, _, said = opened()
    box = tab.locator(".filter input[type=search]")
    box.fill("قبعة")
    assert tab.locator("article:visible").count() == 1 and tab.locator("#all-dir04").is_visible()
    assert tab.locator(".filter output").inner_text() == "1 of 12"
    box.fill("")
    tab.locator(".filter select").select_option("layers-mid")
    assert tab.locator("article:visible").count() == 4 and not tab.locator("#layers-all").is_visible()
    tab.locator(".filter select").select_option("")
    tab.locator(".filter [type=checkbox]").check()
    assert tab.locator("article:visible").count() == 1  # the one of the file
    tab.locator("#all-dir04 .star").click()
    assert tab.locator("article:visible").count() == 0
    tab.locator(".filter [type=checkbox]").uncheck()
    assert tab.locator("article:visible").count() == 12 and not said


def test_stars_are_kept_and_saved(opened):
    tab, _, said = opened()
    tab.locator("#all-dir04 .star").click()
    tab.locator("#all-dir02 .star").click()
    tab.reload()
    assert tab.locator("#all-dir02 .star").get_attribute("aria-pressed") == "true"
    assert tab.locator("#all-dir04 .star").get_attribute("aria-pressed") == "false"
    with tab.expect_download() as saved:
        tab.locator(".keep").click()
    held = json.loads(saved.value.path().read_text("utf-8"))
    assert saved.value.suggested_filename == "stars.json"
    assert [(one["index"], one["starred"]) for one in held["stars"]] == [(2, True), (4, False)]
    assert not said


def test_the_bar_marks_where_you_are(opened):
    for window in ("phone", "desktop"):
        tab, _, _ = opened(window)
        for card in ("all-dir03", "all-dir09", "all-dir11"):
            tab.evaluate(f"document.getElementById('{card}').scrollIntoView()")
            until(tab, f"document.querySelector('nav [aria-current]').hash === '#{card}'")
            link = tab.locator("nav [aria-current]").bounding_box()
            assert link["y"] >= 0 and 0 <= link["x"] < WINDOWS[window]["width"]
            assert tab.evaluate("document.querySelector('nav').getBoundingClientRect().top") <= 8


def test_at_a_phone_the_unedited_column_is_in_view(opened):
    tab, _, _ = opened("phone")
    mark, view = (tab.locator(f"#all-dir03 .{which}").bounding_box() for which in ("mark", "view"))
    assert view["x"] <= mark["x"] and mark["x"] + mark["width"] <= view["x"] + view["width"]


def test_on_a_wide_screen_the_width_is_used(opened):
    tab, _, _ = opened("wide")
    card = tab.locator("#all-dir00").bounding_box()
    assert card["width"] > 1600 and tab.locator("#all-dir00 canvas").bounding_box()["width"] > 560
    assert card["height"] < 1080  # one direction at a time


def test_light_and_dark_differ_and_both_can_be_read(opened):
    papers = []
    for scheme in ("light", "dark"):
        tab, _, _ = opened(scheme=scheme)
        assert tab.evaluate(PREFERS) == (scheme == "dark")
        seen = tab.evaluate(
            "['body', 'dt', 'article a', 'figcaption', 'nav li a', 'pre', 'summary', '.star', '[aria-pressed=true]',"
            "'.tabs span', '.marks button', '.say', 'nav [aria-current]', 'nav div:not(.now) .to'].map(which => {"
            "let one = document.querySelector(which), ink = getComputedStyle(one).color;"
            "while (getComputedStyle(one).backgroundColor === 'rgba(0, 0, 0, 0)') one = one.parentElement;"
            "return [which, ink, getComputedStyle(one).backgroundColor]})"
        )
        for which, ink, paper in seen:
            assert contrast(ink, paper) >= 4.5, (scheme, which, ink, paper)
        papers.append(seen[0][2])
    assert papers[0] != papers[1]


def contrast(one, other):
    """Ratio by WCAG 2, of colours as browsers give them."""
    light = []
    for colour in (one, other):
        part = np.array([int(word.strip()) for word in colour[colour.index("(") + 1 : -1].split(",")[:3]]) / 255
        light.append(
            np.where(part <= 0.04045, part / 12.92, ((part + 0.055) / 1.055) ** 2.4) @ [0.2126, 0.7152, 0.0722]
        )
    return (max(light) + 0.05) / (min(light) + 0.05)


@pytest.mark.parametrize("window", ["phone", "desktop"])
def test_the_contents_lead_to_each_direction_and_do_not_hide_it(opened, window):
    tab, _, _ = opened(window)
    links = tab.locator("nav li a")
    assert links.count() == 12
    for index in (0, 5, 10):
        if not links.nth(index).is_visible():  # only those of the group that is read
            tab.locator("nav .to").nth(int(index >= 8)).click()
            until(tab, "document.querySelector('nav .now').contains(document.querySelector('[href=\"#all-dir10\"]'))")
        links.nth(index).click()
        until(tab, f"location.hash === '#all-dir{index:02d}'")
        below = tab.evaluate("document.querySelector('nav').getBoundingClientRect().bottom")
        # `nav` sticks to the top; the heading stands below it, in sight.
        head = tab.locator(f"#all-dir{index:02d} h3").bounding_box()
        assert below <= head["y"] < WINDOWS[window]["height"]


def test_headings_of_a_direction_stand_at_its_top(opened):
    tab, _, _ = opened()
    card, head = (tab.locator(f"#all-dir03{part}").bounding_box() for part in ("", " h3"))
    assert head["y"] - card["y"] < 40


def test_short_terms_are_not_broken(opened):
    tab, _, _ = opened("phone")
    lines = tab.evaluate(
        "Array.from(document.querySelectorAll('dt')).map(one => {"
        "const text = document.createRange(); text.selectNodeContents(one); return text.getClientRects().length})"
    )
    assert lines and set(lines) == {1}


def test_a_wide_sheet_fits_a_desktop(opened):
    tab, _, _ = opened()
    sizes = tab.evaluate("Array.from(document.querySelectorAll('.view'), one => [one.scrollWidth, one.clientWidth])")
    assert len(sizes) == 12 and all(wide <= room for wide, room in sizes)


def test_a_wide_sheet_scrolls_in_its_own_box_by_keys_too(opened):
    tab, _, _ = opened("phone")
    box = "document.querySelector('article .view')"
    wide, room = tab.evaluate(f"[{box}.scrollWidth, {box}.clientWidth]")
    assert wide > room
    tab.evaluate(f"{box}.focus()")
    tab.keyboard.press("ArrowRight")
    until(tab, f"{box}.scrollLeft > 0")
    assert tab.locator("article .down span").first.bounding_box()["x"] >= 0  # which row is which stays in sight
    outline = tab.evaluate(f"getComputedStyle({box}).outlineStyle")
    assert outline == "solid"


def test_on_paper_nothing_is_cut_off_and_nothing_plays(opened):
    tab, _, _ = opened("phone")
    tab.emulate_media(media="print")
    sizes = tab.evaluate("Array.from(document.querySelectorAll('.view'), one => [one.scrollWidth, one.clientWidth])")
    assert len(sizes) == 12 and all(wide <= room for wide, room in sizes)
    assert tab.locator("nav:visible, .command:visible, .clip:visible").count() == 0


def test_a_wide_table_of_scores_scrolls_in_its_own_box(browser, tmp_path):
    names = [f"attribute_{index}" for index in range(30)]
    rows = [("", str(index), "skin-hair_colour+light") for index in range(3)]
    matrix = Matrix("scores-all", "Scores", "How", names, rows, np.ones((3, 30)).tolist(), [[True] * 30] * 3)
    write_page(tmp_path / "index.html", title="Scores", facts=[], sections=[], matrices=[matrix])
    context = browser.new_context(viewport=WINDOWS["phone"])
    tab = context.new_page()
    tab.goto((tmp_path / "index.html").as_uri())
    wide, room = tab.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
    assert wide <= room
    wide, room = tab.evaluate(
        "[document.querySelector('.wide').scrollWidth, document.querySelector('.wide').clientWidth]"
    )
    assert wide > room
    context.close()


def test_without_scripts_everything_is_there(opened):
    tab, _, said = opened(script=False)
    assert tab.locator("article").count() == 12 and tab.locator("h3").nth(11).is_visible()
    # What does nothing is not shown.
    assert tab.locator("button:visible, input:visible, select:visible, canvas, dialog:visible").count() == 0
    assert "<b>smile</b>" in tab.locator("h3").first.inner_text() and not said


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """What `sefa demo --single-file` makes."""
    folder = tmp_path_factory.mktemp("run")
    words = [
        "demo",
        "--layers",
        "all",
        "-K",
        "2",
        "--seeds",
        "4,5",
        "--frames",
        "20",
        "--distance",
        "1",
        "--outdir",
        folder,
        "--single-file",
    ]
    result = sefa(*words)
    assert result.exit_code == 0, result.output
    return folder


def test_stars_go_from_the_page_of_a_run_into_its_directions_file(browser, run):
    context = browser.new_context(reduced_motion="reduce")
    tab = context.new_page()
    tab.goto((run / "index.html").as_uri())
    tab.locator("#all-dir01 .star").click()
    with tab.expect_download() as saved:
        tab.locator(".keep").click()
    saved.value.save_as(run / "stars.json")
    assert "--from stars.json" in tab.locator(".say").inner_text()
    assert "1 set" in sefa("name", run, "--from", run / "stars.json").stdout
    assert Directions.load(run / "directions.safetensors").starred == (False, True)
    context.close()
    context = browser.new_context()  # another person's
    tab = context.new_page()
    tab.goto((run / "index.html").as_uri())
    assert tab.locator("#all-dir01 .star").get_attribute("aria-pressed") == "true"
    context.close()


def test_the_page_in_one_file_needs_no_other(browser, run, tmp_path):
    alone = tmp_path / "mail.html"
    shutil.copy(run / "index-single.html", alone)
    context = browser.new_context(reduced_motion="reduce")
    asked, said, tab = [], [], context.new_page()
    tab.on("request", lambda request: asked.append(request.url[:40]))
    tab.on("console", lambda message: said.append(message.text) if message.type in ("error", "warning") else None)
    tab.on("pageerror", lambda error: said.append(str(error)))
    tab.goto(alone.as_uri())
    tab.evaluate("for (const one of document.images) one.loading = 'eager'")
    until(tab, "Array.from(document.images).every(one => one.complete && one.naturalWidth > 0)")
    slider = tab.locator("#all-dir00 input[type=range]")
    slider.focus()
    tab.keyboard.press("Home")
    low = None
    for _ in range(50):  # the clip inside it is played with
        tab.wait_for_timeout(200)
        low = tab.evaluate("document.querySelector('#all-dir00 video').currentTime")
        if low:
            break
    left = seen(tab, "#all-dir00 canvas")
    tab.keyboard.press("End")
    tab.wait_for_timeout(1000)
    assert low and np.abs(seen(tab, "#all-dir00 canvas") - left).mean() > 2
    tab.locator("header a.zoom").click()
    assert tab.locator("dialog[open] img").count() == 1
    assert [url for url in asked if not url.startswith("data:")] == [alone.as_uri()[:40]] and not said
    context.close()
