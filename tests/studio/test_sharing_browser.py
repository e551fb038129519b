"""In a real browser: a studio below a path, behind a proxy; one for strangers; one inside of a frame."""

import re
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from open_studio import TOKEN
from places import ROOT
from proxy import proxied
from studio_page import calibrated, settled, slider, until, watched
from studio_process import running

pytest.importorskip("starlette")
pytestmark = pytest.mark.hard
AXE = ROOT / "node_modules/axe-core/axe.min.js"


@pytest.mark.parametrize("strip", [True, False])
def test_below_a_path_everything_works(browser, tmp_path, strip):
    words = ("--network", "demo", "--port", 0, "--token", TOKEN, *(() if strip else ("--prefix", "/my/sefa")))
    with running(tmp_path, *words) as (_, address, token), browser.new_context() as context:
        assert address.endswith("/my/sefa") != strip
        upstream = re.match(r"http://[^/]+", address)[0]
        with proxied(upstream, "/my/sefa", strip) as (outside, lost):
            tab = context.new_page()
            said = watched(tab)
            tab.goto(f"{outside}/#token={token}")
            settled(tab)
            calibrated(tab)
            slider(tab).focus()
            tab.keyboard.press("End")
            edited = settled(tab, lambda state: state["edits"])
            tab.click("#keep")
            tab.get_by_role("tab", name="Kept").click()
            until(lambda: tab.locator("#kept img[src]").count() == 1)
            tab.get_by_role("tab", name="Stage").click()
            with tab.expect_popup() as opened:
                tab.get_by_role("button", name="Picture window").click()
            assert settled(opened.value)["edits"] == edited["edits"]
            assert opened.value.url == f"{outside}/stage"
            tab.evaluate(
                "navigator.clipboard.writeText = (text) => { window.copied = text; return Promise.resolve(); }"
            )
            tab.get_by_role("tab", name="Take along").click()
            tab.click("#copy-link")
            until(lambda: tab.evaluate("window.copied"))
            assert tab.evaluate("window.copied").startswith(f"{outside}/#state=")
            other = context.new_page()
            other.goto(tab.evaluate("window.copied"))
            assert (
                settled(other, lambda state: state["edits"])["edits"] == edited["edits"]
            )  # the token of the other tab
            assert lost == [] and said == []
    assert "Traceback" not in (tmp_path / "studio.log").read_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_strangers_look_drag_and_take_a_video_along(browser, tmp_path, scheme):
    words = ("--network", "demo", "--port", 0, "--share-safe", "--public")
    with (
        running(tmp_path, *words) as (_, address, token),
        browser.new_context(viewport={"width": 360, "height": 800}, color_scheme=scheme) as context,
    ):
        assert token == ""
        tab = context.new_page()
        said = watched(tab)
        tab.goto(address)
        settled(tab)
        calibrated(tab)
        slider(tab).focus()
        tab.keyboard.press("End")
        settled(tab, lambda state: state["edits"])
        tab.keyboard.press("k")
        assert tab.get_by_role("tab").all_text_contents() and [
            one.text_content() for one in tab.get_by_role("tab").all() if one.is_visible()
        ] == ["Directions", "Kept", "Video", "Take along"]
        for hidden in ("#keep", ".star", ".rename", ".said label", "#preset-form", "#export"):
            assert not tab.locator(hidden).first.is_visible(), hidden
        for name in ("Directions", "Kept", "Take along", "Video"):
            tab.get_by_role("tab", name=name).click()
            assert tab.evaluate("document.documentElement.scrollWidth") <= 360
        assert tab.get_attribute("#frames-count", "max") == "120"
        tab.fill("#frames-count", "8")
        tab.click("#record button")
        until(lambda: tab.locator("#recordings video").count() == 1)
        assert "--recipe recipe.json" in tab.text_content("#recordings pre")
        if AXE.is_file():
            tab.evaluate(AXE.read_text(encoding="utf-8") + "; 1")
            assert tab.evaluate("async () => (await axe.run(document)).violations.map((one) => one.id)") == []
        assert said == []
    assert not (tmp_path / "sefa-out").exists()


def test_inside_of_the_frame_of_a_named_site(browser, tmp_path):
    """As on a Space: another origin, whose frame gets no storage of this one."""
    page = b"<!doctype html><title>a site</title><iframe width=900 height=700></iframe>"

    class Site(BaseHTTPRequestHandler):
        def log_message(self, *given):
            pass

        def do_GET(self):  # noqa: N802 - named by the library
            self.send_response(200 if self.path == "/" else 404)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(page if self.path == "/" else b"")

    site = HTTPServer(("127.0.0.1", 0), Site)
    thread = threading.Thread(target=site.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    origin = f"http://localhost:{site.server_port}"
    try:
        words = ("--network", "demo", "--port", 0, "--share-safe", "--public")
        for allowed in (True, False):
            folder = tmp_path / str(allowed)
            folder.mkdir()
            more = ("--allow-frame", origin) if allowed else ()
            with running(folder, *words, *more) as (_, address, _), browser.new_context() as context:
                tab = context.new_page()
                tab.goto(origin)
                tab.evaluate("(address) => { document.querySelector('iframe').src = address; }", address)
                frame = tab.frame_locator("iframe")
                if allowed:
                    settled(frame)
                    until(lambda frame=frame: frame.locator("input[type=range]").count() == 6)
                else:
                    time.sleep(2)
                    assert frame.locator("#picture").count() == 0
    finally:
        site.shutdown()
        site.server_close()
        thread.join()
