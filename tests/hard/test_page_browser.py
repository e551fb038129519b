"""The page in a real browser, from disk: it loads nothing from elsewhere, shows its sheets, fits the window, plays."""

from __future__ import annotations

import io
import shutil

import numpy as np
import pytest
from PIL import Image

from sefa_plugin.media.effect import heat_picture
from sefa_plugin.media.sheet import write_sheet
from sefa_plugin.media.video import write_video
from sefa_plugin.runs.page.contents import packed
from sefa_plugin.runs.page.html import Card, Matrix, Section, write_page
from sefa_plugin.runs.page.sheets import sheet_of

sync = pytest.importorskip("playwright.sync_api")
pytestmark = pytest.mark.hard
WINDOWS = {"phone": {"width": 360, "height": 740}, "desktop": {"width": 1280, "height": 900}}
MP4, SHEET = "videos/a b#%.mp4", "sheets/a b#%{}.jpg"
HEAT = np.repeat(np.linspace(0, 255, 16).astype(np.uint8)[None], 16, 0)
PREFERS = "matchMedia('(prefers-color-scheme: dark)').matches"


@pytest.fixture(scope="module")
def browser():
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("no chromium")
    with sync.sync_playwright() as play:
        opened = play.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield opened
        opened.close()


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


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """A page of twelve directions in two groups, one with a clip, one with a GIF."""
    folder = tmp_path_factory.mktemp("page with a # and %")
    frames = [picture(index) for index in range(12)]
    write_video(folder / MP4, frames, fps=12)
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
    cards = [
        Card(
            anchor=f"all-dir{index:02d}",
            title=f"Direction {index}",
            name=names.get(index, ""),
            words=("brighter by 12 %", "zooms in by 6 %"),
            where="centre (61 % of the change)",
            facts=(("eigenvalue", "71.04"), ("range", "-2.9 to +3.1 units of w (-1.9 to +2.0 sigmas)")),
            command=f"python gen_sefa.py --network demo --directions {index} --distance=-2.9,3.1 --seeds 0,1,2",
            heat=packed(HEAT),
            sheet=sheet_of(folder, SHEET.format(index), abouts[index]) if index != 11 else None,
            video={0: MP4, 1: "videos/two.gif"}.get(index, ""),
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
            Section("all", "All layers", "Rows 0-9.", cards[:8]),
            Section("mid", "Middle", "Rows 2-5.", cards[8:]),
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
            viewport=WINDOWS[window], color_scheme=scheme, reduced_motion="reduce", java_script_enabled=script
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


@pytest.mark.parametrize("window", WINDOWS)
def test_the_clip_plays(opened, window):
    tab, asked, said = opened(window)
    until(tab, "document.querySelector('video').readyState > 0")  # how long it is, and how large
    tab.evaluate("document.querySelector('video').play()")
    until(tab, "document.querySelector('video').currentTime > 0")
    assert tab.evaluate("document.querySelector('video').duration") == pytest.approx(1, abs=0.1)
    assert any("%23%25.mp4" in url for url in asked) and not said


def test_light_and_dark_differ_and_both_can_be_read(opened):
    papers = []
    for scheme in ("light", "dark"):
        tab, _, _ = opened(scheme=scheme)
        assert tab.evaluate(PREFERS) == (scheme == "dark")
        seen = tab.evaluate(
            "['body', 'dt', 'article a', 'figcaption', 'nav li a', 'pre'].map(which => {"
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


@pytest.mark.parametrize("window", WINDOWS)
def test_the_contents_lead_to_each_direction_and_do_not_hide_it(opened, window):
    tab, _, _ = opened(window)
    links = tab.locator("nav li a")
    assert links.count() == 12
    for index in (0, 5, 10):
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
    assert tab.locator("button:visible").count() == 0  # a button that does nothing is not shown
    assert "<b>smile</b>" in tab.locator("h3").first.inner_text() and not said
