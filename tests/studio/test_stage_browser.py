"""The stage in a real browser: the picture window follows, faders over OSC, knobs of a stand-in for MIDI."""

import re
import socket
import time
from urllib.parse import urlsplit

import pytest
from open_studio import TOKEN
from osc_packets import packet
from studio_page import calibrated, edits, settled, shown, slider, until, watched
from studio_process import running

pytest.importorskip("starlette")
pytestmark = pytest.mark.hard
MIDI = """
  const input = { name: "Nine Knobs", onmidimessage: null };
  window.knob = (...data) => input.onmidimessage({ data });
  navigator.requestMIDIAccess = async () => ({ inputs: new Map([["1", input]]), onstatechange: null });
"""


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
            watched(tab, said)
            tab.goto(f"{address}{path}#token={token}")
            return tab

        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            yield visit, lambda *given: sender.sendto(packet(*given), ("127.0.0.1", port)), said
        for context in contexts:
            context.close()
    assert not said and "Traceback" not in (tmp_path / "studio.log").read_text()


def test_faders_move_the_page_and_the_window_sixty_times_a_second(place):
    visit, send, _ = place
    tab, window = visit(), visit(path="/stage")
    settled(tab)
    calibrated(tab)
    settled(window)
    numbers = set()
    for step in range(180):  # three seconds
        send("/sefa/direction/all/0", step / 179)
        send("/sefa/direction/coarse/1", -step / 179)
        time.sleep(1 / 60)
        numbers.add(shown(window)[0])
    sent = time.monotonic()
    settled(window, lambda held: set(edits(held)) == {("all", 0), ("coarse", 1)})
    high = float(slider(tab).get_attribute("max"))
    last = settled(window, lambda held: edits(held)["all", 0] == pytest.approx(high, abs=0.1))
    assert time.monotonic() - sent < 20 and len(numbers) > 3  # pictures were shown on the way, and none was queued
    assert edits(settled(tab, lambda held: len(held["edits"]) == 2)) == edits(last)
    assert float(slider(tab).input_value()) == edits(last)["all", 0]
    tab.keyboard.press("Control+z")
    settled(window, lambda held: not held["edits"] or held["edits"][0]["distance"] < high)

    slider(tab, "Direction 3").focus()
    tab.keyboard.press("PageUp")
    settled(window, lambda held: ("all", 3) in edits(held))
    send("/sefa/seed", 5)
    settled(tab, lambda held: held["seed"] == 5)
    tab.fill("#seed", "7")
    settled(window, lambda held: held["seed"] == 7 and ("all", 3) in edits(held))
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
    until(lambda: "does not answer" in window.text_content("#status") or shown(window)[2].get("seed") == 3)
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
    assert not settled(tab)["edits"]  # what is learned moves nothing yet

    tab.evaluate("for (let value = 0; value < 128; value += 1) knob(0xB0, 7, value)")  # at once: the newest wins
    high = float(tab.locator("#direction-0").get_attribute("max"))
    settled(tab, lambda held: edits(held).get(("all", 0)) == pytest.approx(high, abs=0.1))
    tab.evaluate("knob(0xB0, 7, 64)")
    settled(tab, lambda held: ("all", 0) not in edits(held))
    send("/1/fader1", 0.0)
    settled(tab, lambda held: edits(held).get(("all", 1), 0) < 0)
    tab.evaluate("knob(0x90, 36, 90); knob(0x80, 36, 0); knob(0x90, 36, 0)")
    settled(tab, lambda held: held["seed"] == 14)

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
