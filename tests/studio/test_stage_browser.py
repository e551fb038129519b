"""The stage in a real browser: the picture window follows, faders over OSC, knobs of a stand-in for MIDI."""

import json
import re
import socket
import time
from urllib.parse import urlsplit

import pytest
from chromium import chromium
from open_studio import TOKEN
from osc_packets import packet
from studio_process import running

pytest.importorskip("starlette")
pytestmark = pytest.mark.hard
MIDI = """
  const input = { name: "Nine Knobs", onmidimessage: null };
  window.knob = (...data) => input.onmidimessage({ data });
  navigator.requestMIDIAccess = async () => ({ inputs: new Map([["1", input]]), onstatechange: null });
"""


def until(true, seconds=60):
    for _ in range(seconds * 20):
        if true():
            return
        time.sleep(0.05)
    pytest.fail("never true")


def state(tab, kind="full"):
    held = (tab.get_attribute("#picture", "data-state") or "").split(" ", 2)
    return json.loads(held[2]) if len(held) == 3 and held[1] == kind else {"seed": None, "edits": []}


def settled(tab, true=lambda state: True):
    until(lambda: state(tab)["seed"] is not None and true(state(tab)))
    return state(tab)


def distances(held):
    return {(one["layers"], one["index"]): one["distance"] for one in held["edits"]}


@pytest.fixture(scope="module")
def browser():
    with chromium() as opened:
        yield opened


@pytest.fixture
def place(tmp_path, browser):
    """A studio with OSC; gives a function that opens its page, its folder and a function that sends."""
    contexts, said = [], []
    with running(tmp_path, "--network", "demo", "--port", 0, "--osc", 0, "--token", TOKEN) as (_, address, token):
        until(lambda: "taken at" in (tmp_path / "studio.log").read_text())
        port = int(re.search(r"taken at 127\.0\.0\.1:(\d+)", (tmp_path / "studio.log").read_text())[1])

        def visit(size=(1280, 900), path="/", **options):
            context = browser.new_context(viewport={"width": size[0], "height": size[1]}, **options)
            context.add_init_script(MIDI)
            contexts.append(context)
            tab = context.new_page()
            tab.on("console", lambda message: said.append(message.text))
            tab.on("pageerror", lambda error: said.append(str(error)))
            tab.goto(f"{address}{path}#token={token}")
            return tab

        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            yield visit, lambda *given: sender.sendto(packet(*given), ("127.0.0.1", port)), said
        for context in contexts:
            context.close()
    assert not said and "Traceback" not in (tmp_path / "studio.log").read_text()


def calibrated(tab):
    until(lambda: tab.locator("input[type=range]").count() == 6 and tab.locator(".measuring").count() == 0)


def slider(tab, name="Direction 0"):
    return tab.get_by_role("slider", name=name, exact=True)


def test_faders_move_the_page_and_the_window_sixty_times_a_second(place):
    visit, send, _ = place
    tab, window = visit(), visit(path="/stage")
    settled(tab)
    calibrated(tab)
    settled(window)
    shown = set()
    for step in range(180):  # three seconds
        send("/sefa/direction/all/0", step / 179)
        send("/sefa/direction/coarse/1", -step / 179)
        time.sleep(1 / 60)
        shown.add(window.get_attribute("#picture", "data-state").split(" ")[0])
    sent = time.monotonic()
    until(lambda: set(distances(state(window))) == {("all", 0), ("coarse", 1)})
    high = float(slider(tab).get_attribute("max"))
    until(lambda: distances(state(window))["all", 0] == pytest.approx(high, abs=0.1))
    assert time.monotonic() - sent < 20 and len(shown) > 3  # pictures were shown on the way, and none was queued
    assert distances(settled(tab, lambda held: len(held["edits"]) == 2)) == distances(state(window))
    assert float(slider(tab).input_value()) == distances(state(tab))["all", 0]
    tab.keyboard.press("Control+z")
    settled(window, lambda held: not held["edits"] or held["edits"][0]["distance"] < high)

    slider(tab, "Direction 3").focus()
    tab.keyboard.press("PageUp")
    settled(window, lambda held: ("all", 3) in distances(held))
    send("/sefa/seed", 5)
    settled(tab, lambda held: held["seed"] == 5)
    tab.fill("#seed", "7")
    settled(window, lambda held: held["seed"] == 7 and ("all", 3) in distances(held))
    send("/sefa/nothing", 1)
    until(lambda: "no such control" in tab.text_content("#status"))


def test_the_window_is_black_bare_and_finds_the_studio_again(place, tmp_path):
    visit, send, said = place
    window = visit(path="/stage", size=(1600, 900))
    settled(window)
    box = window.locator("#picture").bounding_box()
    assert (box["width"], box["height"]) == (1600, 900)
    found = window.evaluate(
        """() => [getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).cursor,
          getComputedStyle(document.getElementById("picture")).objectFit, document.body.innerText.trim()]"""
    )
    assert found == ["rgb(0, 0, 0)", "none", "contain", "Stage"]  # a heading for screen readers
    window.locator("#picture").click()
    until(lambda: window.evaluate("document.fullscreenElement !== null"))
    window.keyboard.press("f")
    until(lambda: window.evaluate("document.fullscreenElement === null"))

    window.route("**/api/**", lambda route: route.abort())
    send("/sefa/seed", 3)
    until(lambda: "does not answer" in window.text_content("#status") or state(window)["seed"] == 3)
    window.unroute("**/api/**")
    send("/sefa/seed", 4)
    settled(window, lambda held: held["seed"] == 4)
    until(lambda: window.text_content("#status") == "")
    said[:] = [line for line in said if "ERR_FAILED" not in line]  # the browser's own line on that


def test_a_studio_that_is_started_anew_goes_on(tmp_path, browser):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = ("--network", "demo", "--port", port, "--token", TOKEN)
    tab = browser.new_context().new_page()
    with running(tmp_path, *words) as (_, address, token):
        tab.goto(f"{address}/#token={token}")
        settled(tab)
        tab.get_by_role("tab", name="Stage").click()
        with tab.expect_popup() as opened:
            tab.get_by_role("button", name="Picture window").click()
        window = opened.value
        settled(window)
        assert urlsplit(window.url).path == "/stage" and not urlsplit(window.url).fragment
        tab.fill("#seed", "11")
        settled(window, lambda held: held["seed"] == 11)
    with running(tmp_path, *words):
        tab.fill("#seed", "12")
        settled(window, lambda held: held["seed"] == 12)
        settled(tab, lambda held: held["seed"] == 12)
    tab.context.close()


def test_a_window_without_the_token_says_where_to_open_it(tmp_path, browser):
    with (
        running(tmp_path, "--network", "demo", "--port", 0) as (_, address, _),
        browser.new_context() as context,
    ):
        window = context.new_page()
        window.goto(f"{address}/stage")
        until(lambda: window.text_content("#status") == "Open this window from the studio's page once more")
        assert window.get_attribute("#picture", "src") is None


def test_knobs_are_learned_by_moving_them_and_kept(place):
    visit, send, _ = place
    tab = visit()
    settled(tab)
    calibrated(tab)
    tab.get_by_role("tab", name="Stage").click()
    tab.get_by_role("button", name="Use MIDI").click()
    until(lambda: "Nine Knobs" in tab.text_content("#midi-about"))

    def learn(name, move):
        tab.get_by_role("button", name=f"Learn what moves {name}", exact=True).click()
        move()
        tab.get_by_role("button", name=f"Forget what moves {name}", exact=True).wait_for()

    learn("Direction 0", lambda: tab.evaluate("knob(0xB0, 7, 100)"))
    learn("Direction 1", lambda: send("/1/fader1", 0.3))
    learn("Next seed", lambda: tab.evaluate("knob(0x90, 36, 90)"))
    assert tab.locator("#controls code").first.text_content() == "/sefa/direction/all/0"
    assert not state(tab)["edits"]  # what is learned moves nothing yet

    tab.evaluate("for (let value = 0; value < 128; value += 1) knob(0xB0, 7, value)")  # at once: the newest wins
    high = float(tab.locator("#direction-0").get_attribute("max"))
    until(lambda: distances(state(tab)).get(("all", 0)) == pytest.approx(high, abs=0.1))
    tab.evaluate("knob(0xB0, 7, 64)")
    settled(tab, lambda held: ("all", 0) not in distances(held))
    send("/1/fader1", 0.0)
    settled(tab, lambda held: distances(held).get(("all", 1), 0) < 0)
    tab.evaluate("knob(0x90, 36, 90); knob(0x80, 36, 0); knob(0x90, 36, 0)")
    settled(tab, lambda held: held["seed"] == 1)

    tab.reload()
    settled(tab)
    calibrated(tab)
    tab.get_by_role("tab", name="Stage").click()
    assert tab.locator("#controls .learned").all_text_contents() == ["knob 7", "/1/fader1", "key 36"]
    tab.get_by_role("button", name="Forget what moves Next seed", exact=True).click()
    until(lambda: tab.locator("#controls .learned").count() == 2)


def test_a_browser_without_midi_says_so(place):
    visit, _, _ = place
    tab = visit()
    settled(tab)
    tab.evaluate("navigator.requestMIDIAccess = undefined")
    tab.get_by_role("tab", name="Stage").click()
    tab.get_by_role("button", name="Use MIDI").click()
    until(lambda: "this browser has no MIDI" in tab.text_content("#status"))
