"""The studio in a real browser: drag, keys, undo over a reload, names, kept pictures, videos, two visitors, errors."""

import base64
import io
import json
import re
import time

import numpy as np
import pytest
from PIL import Image
from places import ROOT
from studio_page import calibrated, edits, picked, settled, shown, slider, until, watched
from studio_process import running
from typed_commands import sefa

from sefa_plugin import Directions

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")
pytestmark = pytest.mark.hard
WIDE = {"width": 1280, "height": 900}


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """A studio of the bundled network."""
    folder = tmp_path_factory.mktemp("studio")
    with running(folder, "--network", "demo", "--port", 0) as (process, address, token):
        yield f"{address}/#token={token}"
    assert "Traceback" not in (folder / "studio.log").read_text()
    assert process.returncode == 0


@pytest.fixture
def visit(browser, address):
    """Open the page; at the end nothing was asked of another host, and the console is empty."""
    contexts, asked, said = [], [], []

    def open_in(size=WIDE, to=address, **options):
        context = browser.new_context(viewport=size, **options)
        contexts.append(context)
        tab = context.new_page()
        watched(tab, said, asked)
        tab.goto(to)
        return tab

    open_in.said = said
    yield open_in
    for context in contexts:
        context.close()
    host = address.partition("/#")[0]
    assert asked and all(url.startswith((host, f"blob:{host}", "data:image/")) for url in asked)
    assert not said


def picture(tab):
    """The pixels of the picture, uint8 RGB."""
    code = """() => {
      const picture = document.getElementById("picture");
      const canvas = new OffscreenCanvas(picture.naturalWidth, picture.naturalHeight);
      const context = canvas.getContext("2d");
      context.drawImage(picture, 0, 0);
      return [...context.getImageData(0, 0, canvas.width, canvas.height).data];
    }"""
    return np.array(tab.evaluate(code), np.uint8).reshape(64, 64, 4)[..., :3]


def test_a_drag_changes_the_picture_at_once_and_ends_in_full(visit):
    tab = visit()
    first = settled(tab)
    calibrated(tab)
    box = slider(tab).bounding_box()
    before, numbers = shown(tab)[0], set()
    middle = box["y"] + box["height"] / 2
    tab.mouse.move(box["x"] + box["width"] / 2, middle)
    tab.mouse.down()
    for step in range(40):
        tab.mouse.move(box["x"] + box["width"] * (0.5 + 0.4 * step / 40), middle)
        time.sleep(0.02)
        number, kind, _ = shown(tab)
        if kind == "preview":
            numbers.add(number)
    tab.mouse.up()
    last = settled(tab, lambda state: state["edits"])
    value = edits(last)["all", 0]
    assert value == pytest.approx(float(slider(tab).input_value()))
    assert value > 0.5 and last != first and len(numbers) >= 2 and shown(tab)[0] > before
    slider(tab).dblclick()
    assert not settled(tab, lambda state: not state["edits"])["edits"]


def test_sixty_keys_in_a_second_end_in_the_right_picture(visit):
    tab = visit()
    settled(tab)
    calibrated(tab)
    slider(tab, "Direction 1").focus()
    for _ in range(60):
        tab.keyboard.press("ArrowRight")
    value = float(slider(tab, "Direction 1").input_value())
    last = settled(tab, lambda state: edits(state).get(("all", 1)) == pytest.approx(value))
    assert value == pytest.approx(0.6)
    code = """async (state) => {
      const headers = { "X-Sefa-Token": sessionStorage.getItem("sefa-studio-token") };
      const answer = await fetch("/api/frame", { method: "POST", headers, body: JSON.stringify(state) });
      const bytes = new Uint8Array(await answer.arrayBuffer());
      return btoa(Array.from(bytes, (one) => String.fromCharCode(one)).join(""));
    }"""
    again = np.asarray(Image.open(io.BytesIO(base64.b64decode(tab.evaluate(code, last)))))
    assert np.array_equal(picture(tab), again)


def test_undo_and_redo_survive_a_reload(visit):
    tab = visit()
    settled(tab)
    calibrated(tab)
    tab.fill("#seed", "7")
    settled(tab, lambda state: state["seed"] == 7)
    slider(tab).focus()
    tab.keyboard.press("PageUp")
    edited = settled(tab, lambda state: state["edits"])
    tab.reload()
    assert settled(tab) == edited
    tab.keyboard.press("Control+z")
    assert not settled(tab, lambda state: state["seed"] == 7 and not state["edits"])["edits"]
    tab.click("#undo")
    settled(tab, lambda state: state["seed"] == 13)
    tab.keyboard.press("Control+Shift+z")
    tab.click("#redo")
    assert settled(tab, lambda state: state["edits"]) == edited
    assert float(slider(tab).input_value()) == edits(edited)["all", 0]


def test_names_stars_kept_pictures_and_links(visit):
    tab = visit()
    settled(tab)
    calibrated(tab)
    tab.get_by_role("button", name="Rename Direction 2", exact=True).click()
    tab.keyboard.type("hair")
    tab.keyboard.press("Enter")
    slider(tab, "hair").wait_for()
    tab.get_by_role("button", name="Star hair", exact=True).click()
    until(lambda: tab.get_by_role("button", name="Star hair").get_attribute("aria-pressed") == "true")
    slider(tab, "hair").focus()
    for _ in range(3):
        tab.keyboard.press("PageUp")
    kept = settled(tab, lambda state: edits(state).get(("all", 2)) == pytest.approx(0.3))
    tab.click("#keep")
    tab.get_by_role("tab", name="Kept").click()
    until(lambda: tab.locator("#kept img[src]").count() == 1)
    tab.get_by_role("tab", name="Directions").click()
    tab.click("#reset")
    settled(tab, lambda state: not state["edits"])
    tab.get_by_role("tab", name="Kept").click()
    tab.locator("#kept .open").click()
    assert settled(tab, lambda state: state["edits"]) == kept

    tab.get_by_role("tab", name="Take along").click()
    until(lambda: "--edit hair=+" in tab.text_content("#command"))
    assert "edit_of(found['all'], 2" in tab.text_content("#python")
    with tab.expect_download() as saved:
        tab.click("#save-recipe")
    recipe = saved.value.path().read_bytes()
    assert json.loads(recipe)["format"] == "sefa_recipe"
    tab.click("#undo")
    settled(tab, lambda state: state != kept)
    tab.set_input_files("#open-recipe", {"name": "recipe.json", "mimeType": "application/json", "buffer": recipe})
    assert settled(tab, lambda state: state["edits"]) == kept

    text = base64.urlsafe_b64encode(json.dumps({**kept, "seed": 11}).encode()).decode().rstrip("=")
    tab.evaluate("(text) => { location.hash = `state=${text}`; }", text)
    assert edits(settled(tab, lambda state: state["seed"] == 11)) == edits(kept)
    assert tab.evaluate("location.hash") == ""

    tab.get_by_role("tab", name="Kept").click()
    tab.get_by_role("button", name="Remove all").click()
    tab.locator("#ask").get_by_role("button", name="Yes").click()
    until(lambda: tab.locator("#kept li").count() == 0)


def test_presets(visit):
    tab = visit()
    settled(tab)
    calibrated(tab)
    slider(tab).focus()
    tab.keyboard.press("End")
    edited = settled(tab, lambda state: state["edits"])
    tab.get_by_text("Presets").click()
    tab.fill("#preset", "far")
    tab.keyboard.press("Enter")
    tab.get_by_role("button", name="far", exact=True).wait_for()
    tab.click("#reset")
    settled(tab, lambda state: not state["edits"])
    tab.get_by_role("button", name="far", exact=True).click()
    assert settled(tab, lambda state: state["edits"]) == edited
    with tab.expect_download() as saved:
        tab.get_by_role("button", name="Export", exact=True).click()
    file = saved.value.path().read_bytes()
    tab.get_by_role("button", name="Remove the preset far").click()
    until(lambda: tab.locator("#presets li").count() == 0)
    tab.set_input_files("#import-presets", {"name": "x.json", "mimeType": "application/json", "buffer": file})
    until(lambda: "Taken: 0 names, 1 preset" in tab.text_content("#status"))
    tab.get_by_role("button", name="Remove the preset far").click()
    until(lambda: tab.locator("#presets li").count() == 0)
    other = {**json.loads(file), "network": {"name": "ffhq", "digest": "0" * 64}}
    file = {"name": "x.json", "mimeType": "application/json", "buffer": json.dumps(other).encode()}
    tab.set_input_files("#import-presets", file)
    until(lambda: "this file is for 'ffhq'" in tab.text_content("#status"))
    assert "demo (digest" in tab.text_content("#status")
    visit.said[:] = [line for line in visit.said if "400" not in line]  # the browser's own line on that answer


def test_before_and_after(visit):
    tab = visit()
    settled(tab)
    calibrated(tab)
    slider(tab).focus()
    tab.keyboard.press("End")
    settled(tab, lambda state: state["edits"])
    frame = tab.locator("#unedited-frame")
    tab.keyboard.down("b")
    until(frame.is_visible)
    tab.keyboard.up("b")
    until(lambda: not frame.is_visible())
    tab.keyboard.press("s")
    until(lambda: frame.is_visible() and tab.evaluate("document.getElementById('unedited').naturalWidth") == 64)
    left, right = frame.bounding_box(), tab.locator("#picture").bounding_box()
    assert left["x"] + left["width"] <= right["x"] + 1


def test_a_video_is_made_while_the_page_stays_usable(visit):
    tab = visit()
    settled(tab)
    calibrated(tab)
    slider(tab).focus()
    tab.keyboard.press("End")
    settled(tab, lambda state: state["edits"])
    tab.get_by_role("tab", name="Video").click()
    tab.fill("#frames-count", "12")
    tab.click("#record button")
    tab.keyboard.press("]")
    settled(tab, lambda state: state["seed"] == 14)
    until(lambda: tab.locator("#recordings video").count() == 1)
    until(lambda: tab.evaluate("document.querySelector('#recordings video').readyState") >= 2)
    with tab.expect_download() as saved:
        tab.get_by_role("button", name="Save MP4").click()
    assert saved.value.path().read_bytes()[4:8] == b"ftyp"
    assert "sefa render --recipe" in tab.text_content("#recordings pre")
    tab.reload()
    settled(tab)
    tab.get_by_role("tab", name="Video").click()
    until(lambda: tab.locator("#recordings video").count() == 1)

    tab.fill("#frames-count", "3000")
    tab.click("#record button")
    tab.get_by_role("button", name="Cancel").click()
    until(lambda: tab.locator("#recordings [data-state=cancelled]").count() == 1)


def test_two_visitors_have_pictures_of_their_own(visit):
    one, other = visit(), visit()
    for tab in (one, other):
        settled(tab)
        calibrated(tab)
    slider(one).focus()
    slider(other, "Direction 3").focus()
    for _ in range(10):
        one.keyboard.press("ArrowRight")
        other.keyboard.press("ArrowLeft")
    assert set(edits(settled(one, lambda state: state["edits"]))) == {("all", 0)}
    assert set(edits(settled(other, lambda state: state["edits"]))) == {("all", 3)}


def test_a_broken_picture_is_a_line_and_the_page_lives_on(visit):
    tab = visit()
    settled(tab)
    calibrated(tab)
    tab.route("**/api/frame", lambda route: route.fulfill(status=200, content_type="image/png", body=b"not a picture"))
    tab.keyboard.press("]")
    until(lambda: "cannot be shown" in tab.text_content("#status"))
    tab.unroute("**/api/frame")
    tab.route("**/api/frame", lambda route: route.fulfill(status=422, json={"error": "NaN <b>pixels</b>"}))
    tab.keyboard.press("]")
    until(lambda: tab.text_content("#status") == "NaN <b>pixels</b>")
    tab.unroute("**/api/frame")
    tab.keyboard.press("]")
    settled(tab, lambda state: state["seed"] == 16)
    until(lambda: tab.text_content("#status") == "")
    visit.said[:] = [line for line in visit.said if "422" not in line]  # the browser's own line on that answer


def test_without_the_token_it_asks_for_the_address(visit, address):
    tab = visit(to=address.partition("#")[0])
    tab.locator("#lost").wait_for()
    tab.fill("#token", address)
    tab.keyboard.press("Enter")
    settled(tab)
    assert "token" not in tab.url


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("wide", [360, 768, 1280, 2560])
def test_it_fits_the_window_and_can_be_read(visit, wide, scheme):
    tab = visit({"width": wide, "height": 800}, color_scheme=scheme, reduced_motion="reduce")
    settled(tab)
    calibrated(tab)
    for name in ("Photos", "Kept", "Video", "Take along", "Stage", "Directions"):
        tab.get_by_role("tab", name=name).click()
        assert tab.evaluate("document.documentElement.scrollWidth") <= wide
    named = tab.evaluate(
        """() => [...document.querySelectorAll("button, input, select")].filter((one) => one.offsetParent
          && !(one.labels?.length || one.getAttribute("aria-label") || one.textContent.trim()))
          .map((one) => one.outerHTML)"""
    )
    assert named == []
    dark = tab.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (max(map(int, re.findall(r"\d+", dark)[:3])) < 60) == (scheme == "dark")


def test_next_to_look_at(visit):
    tab = visit()
    settled(tab)
    calibrated(tab)
    at_hand = tab.locator(".direction.hand label[for^=direction]")
    for key, name in (("n", "Direction 0"), ("n", "Direction 1"), ("p", "Direction 0")):
        tab.keyboard.press(key)
        until(lambda name=name: at_hand.text_content() == name)
    until(lambda: tab.locator(".hand .end img:visible").count() == 2 and tab.locator(".hand .map:visible").count() == 1)
    for _ in range(6):
        tab.click("#look")
    until(lambda: at_hand.text_content() == "Direction 6")  # of the second half dozen
    assert tab.locator(".direction.hand").count() == 1


def test_touch(visit):
    """A finger drags a slider, and the page still scrolls up and down."""
    tab = visit({"width": 390, "height": 780}, has_touch=True, is_mobile=True)
    settled(tab)
    calibrated(tab)
    tab.locator("#direction-0").scroll_into_view_if_needed()
    box = slider(tab).bounding_box()
    middle, fingers = box["y"] + box["height"] / 2, tab.context.new_cdp_session(tab)

    def finger(kind, share):
        points = [] if kind == "touchEnd" else [{"x": box["x"] + box["width"] * share, "y": middle}]
        fingers.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    finger(
        "touchStart",
        float(tab.evaluate("getComputedStyle(document.querySelector('.direction')).getPropertyValue('--at')")),
    )
    for step in range(1, 11):
        finger("touchMove", 0.5 + 0.03 * step)
        time.sleep(0.03)
    finger("touchEnd", 0.8)
    assert edits(settled(tab, lambda state: state["edits"]))["all", 0] > 0
    tab.locator("#dice").tap()
    settled(tab, lambda state: state["seed"] != 13)
    assert tab.evaluate("getComputedStyle(document.querySelector('input[type=range]')).touchAction") == "pan-y"


AXE = ROOT / "node_modules/axe-core/axe.min.js"


@pytest.mark.skipif(not AXE.is_file(), reason="axe-core is not there: npm install --no-save axe-core")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(visit, scheme):
    tab = visit(color_scheme=scheme, reduced_motion="reduce")
    settled(tab)
    calibrated(tab)
    slider(tab).focus()
    tab.keyboard.press("End")
    settled(tab, lambda state: state["edits"])
    tab.click("#keep")
    tab.evaluate(AXE.read_text(encoding="utf-8") + "; 1")
    found = []
    for name in ("Directions", "Photos", "Kept", "Video", "Take along", "Stage"):
        tab.get_by_role("tab", name=name).click()
        time.sleep(0.5)
        result = tab.evaluate("() => axe.run(document)")
        found += [
            f"{name}: {one['impact']} {one['id']}: {one['nodes'][0]['html']:.200}" for one in result["violations"]
        ]
    assert found == []


def test_a_rectangle_over_the_picture_gets_sliders(visit):
    tab = visit()
    settled(tab)
    calibrated(tab)
    tab.get_by_text("Directions of one region").click()
    box = tab.locator("#picture").bounding_box()

    def at(x, y):
        return box["x"] + x * box["width"], box["y"] + y * box["height"]

    tab.mouse.move(*at(0.25, 0.6))
    tab.mouse.down()
    tab.mouse.move(*at(0.5, 0.7))
    tab.mouse.move(*at(0.75, 0.85))
    tab.mouse.up()
    drawn = [float(number) for number in tab.input_value("#region").split(",")]
    assert drawn == pytest.approx([0.25, 0.6, 0.5, 0.25], abs=0.02)
    outline = tab.locator("#region-box").bounding_box()
    assert outline["width"] == pytest.approx(drawn[2] * box["width"], abs=2)
    assert outline["y"] == pytest.approx(box["y"] + drawn[1] * box["height"], abs=2)
    tab.get_by_role("button", name="Find directions").click()
    until(lambda: "pictures" in tab.text_content("#region-way span"))
    slider(tab, "Direction 1").press("ArrowRight")  # the page stays at hand
    settled(tab, lambda state: ("all", 1) in edits(state))
    group = "all-in-" + "_".join(tab.input_value("#region").split(","))
    picked(tab, "region", 500)
    calibrated(tab)
    slider(tab).press("End")
    state = settled(tab, lambda state: (group, 0) in edits(state))
    assert ("all", 1) in edits(state)
    tab.reload()
    assert settled(tab) == state
    tab.get_by_role("radio", name="region").check(force=True)
    until(lambda: float(slider(tab).input_value() or 0) == pytest.approx(edits(state)[group, 0], rel=0.01))
    tab.get_by_text("Directions of one region").click()
    until(lambda: tab.locator("#region-box").is_visible())


def test_marked_pictures_take_two_directions_apart(visit):
    tab = visit()
    settled(tab)
    calibrated(tab)
    part = tab.locator("#apart-part")
    part.get_by_text("Two directions apart").click()
    part.get_by_label("Direction").select_option("8")
    part.get_by_label("without").select_option("9")
    part.get_by_role("button", name="Show pictures").click()
    pictures = part.get_by_role("button", name="before and after")
    until(lambda: pictures.count() == 20)
    make = part.get_by_role("button", name="Make the direction")
    assert make.is_disabled()
    amounts = np.random.RandomState(0).permutation(np.linspace(-1, 1, 20))  # as they are shown
    wanted = [number for number, amount in enumerate(amounts) if -1 < amount < -0.2]
    for number in [*wanted, 0, 0]:  # the last one is taken back
        pictures.nth(number).click()
    assert part.locator("#apart-count").text_content() == f"{len(wanted)} of 20"
    tab.reload()
    until(lambda: tab.locator("#apart-pictures [aria-pressed=true]").count() == len(wanted))  # no click is lost
    part.get_by_text("Two directions apart").click()
    make.click()
    picked(tab, "8 without 9")
    until(lambda: "Direction 8 with -0." in tab.locator("#status").text_content())
    assert part.is_hidden()  # of one direction
    until(lambda: tab.locator(".measuring").count() == 0)
    slider(tab, "8 apart from 9").press("End")
    settled(tab, lambda state: ("all-apart-8-9", 0) in edits(state))
    tab.get_by_role("tab", name="Take along").click()
    until(lambda: "all-apart-8-9:8 apart from 9=+" in tab.text_content("#command"))


def test_those_that_do_one_thing_come_first_where_that_is_asked_for(browser, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert sefa("factorize", "--network", "demo", "--sharpen", "pictures").exit_code == 0
    (held,) = (Directions.load(file) for file in tmp_path.rglob("directions*"))
    with running(tmp_path, "--network", "demo", "--port", 0) as (_, address, token):
        tab, said = browser.new_page(viewport=WIDE), []
        watched(tab, said, [])
        tab.goto(f"{address}/#token={token}")
        settled(tab)
        titles = tab.locator("#sliders label[for^=direction]")
        clean = tab.get_by_label("Those that do one thing first")
        assert clean.is_hidden()  # of SeFa's own directions
        tab.get_by_role("radio", name="all-sharp-pictures").check(force=True)
        until(lambda: clean.is_visible() and not clean.is_checked() and titles.count() == 6)
        assert titles.all_text_contents() == [f"Direction {index}" for index in range(6)]
        clean.check()
        first = [f"Direction {index}" for index in held.in_order("clean")]
        until(lambda: titles.all_text_contents() == first[:6])
        tab.click("#more")
        until(lambda: titles.all_text_contents() == first[:12])
        for _ in range(2):
            tab.keyboard.press("n")
        until(lambda: tab.locator(".direction.hand label[for^=direction]").text_content() == first[1])
        alike = f"{held.scores[held.in_order('clean')[1]].alike * 100:.0f} % of the change is the same"
        until(lambda: alike in tab.locator(".direction.hand .words").text_content())
        tab.get_by_role("radio", name="all layers").check(force=True)
        until(lambda: clean.is_hidden() and titles.first.text_content() == "Direction 0")
        assert not said
        tab.close()
