"""A photograph in the studio, in a real browser: chosen, three clicks, watched, then moved by a slider."""

import numpy as np
import pytest
from PIL import Image
from places import GOLDEN
from studio_page import edits, settled, shown, slider, until, watched
from studio_process import running

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")
pytestmark = pytest.mark.hard


def test_a_photograph_is_dropped_clicked_watched_and_edited(browser, tmp_path):
    pixels = np.random.RandomState(0).randint(0, 255, (6, 8, 3), np.uint8)
    Image.fromarray(pixels).resize((640, 480)).save(tmp_path / "me.jpg")
    words = ("--network", GOLDEN / "sg2ada-skip-64.pkl", "--port", 0)
    with running(tmp_path, *words) as (_, address, token):
        tab = browser.new_page(viewport={"width": 1280, "height": 900})
        said = watched(tab)
        tab.goto(f"{address}/#token={token}")
        tab.get_by_role("tab", name="Photos").click()
        tab.set_input_files("#photo-file", tmp_path / "me.jpg")
        item = tab.locator("#photo-list li")
        item.get_by_role("button", name="Project").wait_for()
        box = item.locator("img").bounding_box()
        for x, y in ((0.4, 0.4), (0.6, 0.4), (0.5, 0.65)):
            tab.mouse.click(box["x"] + x * box["width"], box["y"] + y * box["height"])
        assert "aligned" in item.locator("p").inner_text()
        tab.screenshot(path=tmp_path / "clicked.png")
        item.get_by_role("button", name="Project").click()
        until(lambda: item.get_attribute("data-beside") == "yes", 500)  # a picture on the way
        tab.screenshot(path=tmp_path / "on-its-way.png")
        until(lambda: item.get_attribute("data-state") == "done", 500)
        until(lambda: shown(tab)[2].get("photo"))
        assert "PSNR" in item.locator("p").inner_text()
        tab.get_by_role("tab", name="Directions").click()
        slider(tab).press("ArrowRight")
        state = settled(tab, lambda state: state["edits"])
        assert state["photo"] and edits(state)
        tab.screenshot(path=tmp_path / "edited.png")
        tab.get_by_role("tab", name="Take along").click()
        until(lambda: "--projected-w projected_w.npz" in tab.inner_text("#command"))
        assert not said
    assert "Traceback" not in (tmp_path / "studio.log").read_text()
