"""A study in a real browser: by keys alone, loaded again, its server killed, from plain files, at every width."""

import json
import re
import signal
import time

import pytest
from made_runs import made_run
from places import ROOT
from studio_page import until, watched
from studio_process import running
from typed_commands import sefa

from sefa_plugin.study import answers
from sefa_plugin.study.copy import copy_study
from sefa_plugin.study.design import load
from sefa_plugin.study.making import Wanted, make_study

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")
pytestmark = pytest.mark.hard
WIDE = {"width": 1280, "height": 900}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    return [made_run(folder / "one", 4), made_run(folder / "two", 3, seed=1)]


@pytest.fixture(scope="module")
def single(runs, tmp_path_factory):
    """A study of one run as plain files: the study, its folder, and the page."""
    folder = tmp_path_factory.mktemp("single")
    texts = folder / "texts.md"
    texts.write_text("# Instructions\nLook at <b>it</b>.\n\n* One\ntwo\n* Three\n")
    study = make_study(runs[:1], folder / "study", Wanted(texts=texts))
    copy_study(study, folder / "study", folder / "page")
    return study, folder / "study", (folder / "page/index.html").as_uri()


@pytest.fixture
def visit(browser):
    """Open a page; at the end nothing was asked of another host, and the console is empty."""
    contexts, asked, said = [], [], []

    def open_at(address, size=WIDE, **options):
        context = browser.new_context(viewport=size, **options)
        contexts.append(context)
        tab = context.new_page()
        watched(tab, said, asked)
        tab.goto(address)
        open_at.hosts = (re.split(r"/(index\.html)?[?#]|/index\.html$", address)[0],)
        return tab

    open_at.said = said
    yield open_at
    for context in contexts:
        context.close()
    (host,) = open_at.hosts
    assert asked and all(url.startswith((host, f"blob:{host}")) for url in asked), asked
    assert not said


def begin(tab, name=None):
    """By keys alone, as everything here."""
    tab.locator("#welcome").wait_for()
    if name is not None:
        tab.focus("#name")
        tab.keyboard.type(name)
        tab.keyboard.press("Tab")
    else:
        tab.focus("#agree")
    tab.keyboard.press("Space")
    tab.keyboard.press("Enter")
    tab.locator("#trial").wait_for()


def at_hand(tab):
    return tab.evaluate("trials[place]")


def played(tab):
    until(lambda: tab.text_content("#played") == "")


def give(tab, study, says):
    """Answer the question at hand, by its item; gives what was said."""
    played(tab)
    trial = at_hand(tab)
    item = study.item(trial["item"])
    said = says(item, trial)
    if isinstance(said, tuple):
        tab.keyboard.press("w")
        tab.keyboard.press("ControlOrMeta+a")
        tab.keyboard.type(said[0])
        tab.keyboard.press("Escape")
        tab.keyboard.press(str(said[1]))
    else:
        tab.keyboard.press({"nothing": "n", "unsure": "t", "left": "a", "right": "b"}[said])
    tab.keyboard.press("Enter")
    until(lambda: tab.locator("#done").is_visible() or at_hand(tab)["place"] != trial["place"])
    return trial, said


def known(words):
    """Answers of somebody who looks: words by direction, catches right, and the first method of a pair."""

    def says(item, trial):
        if item.kind == "pair":
            wanted = item.clips[int(item.catch or 0)].files
            return "left" if trial["shown"][0] in wanted else "right"
        if item.catch:
            return "nothing" if item.catch == "nothing" else ("gets dark", 5)
        return words[item.clips[0].direction]

    return says


WORDS = [("hair", 4), ("smile", 3), "nothing", "unsure", ("pose", 2), ("hair", 5), ("age", 1)]


def kept(folder, name):
    records, broken = answers.read(answers.file_of(folder, name))
    assert broken == 0
    return records


def test_a_whole_study_by_keys_loaded_again_and_with_a_step_back(visit, runs, tmp_path):
    words = ["--outdir", tmp_path / "study", "--port", 0, "--catches", 2]
    with running(tmp_path, *runs, *words, command="study") as (process, address, token):
        study = load(tmp_path / "study")
        lost = visit(f"{address}/#")
        until(lambda: "#token=" in lost.text_content("#trouble"))
        assert not lost.locator("#welcome").is_visible()
        tab = visit(f"{address}/?name=Anna#token={token}")
        begin(tab)
        told = {}
        for count in range(3):
            trial, said = give(tab, study, known(WORDS))
            told[trial["place"]] = said
            assert len(kept(tmp_path / "study", "anna")) == count + 2  # at once
        tab.reload()
        tab.locator("#trial").wait_for()
        assert at_hand(tab)["place"] == 3 and tab.text_content("#who") == "Anna"
        tab.locator("#where").focus()
        tab.keyboard.press("Backspace")
        until(lambda: at_hand(tab)["place"] == 2)
        give(tab, study, lambda item, trial: ("something else", 2))
        while tab.locator("#trial").is_visible():
            trial, said = give(tab, study, known(WORDS))
            told[trial["place"]] = said
        assert "saved" in tab.text_content("#kept")
        tab.reload()
        tab.locator("#done").wait_for()
    assert process.returncode == 0 and "Traceback" not in (tmp_path / "studio.log").read_text()
    records = kept(tmp_path / "study", "anna")
    held = answers.latest(records)
    assert len(records) == 1 + len(held) + 1 and held[2].text == "something else" and held[2].clean == 2
    for place, one in held.items():
        said = told[place]
        given = (one.text, one.clean) if one.choice == "change" else one.choice
        assert place == 2 or given == said
        assert one.seconds >= 0.35 and one.plays >= 1
    assert sum(one.again for one in held.values()) == 2  # a tenth of the clips and of the pairs, each at least one
    assert [len(one.shown) for one in held.values()] == sorted(len(one.shown) for one in held.values())
    result = sefa("evaluate", "study", tmp_path / "study", "--keep-all", "--json")
    tables = json.loads(result.stdout)
    assert tables["people"]["rows"][0][1] == len(held)
    assert tables["pairs"]["rows"][0][1:4] == [3, 0, 0]
    visit.said[:] = [line for line in visit.said if "403" not in line]  # the browser's own line on the lost page


def test_a_server_that_is_killed_loses_nothing(visit, runs, tmp_path):
    words = [runs[0], "--outdir", tmp_path / "study", "--catches", 2]
    with running(tmp_path, *words, "--port", 0, command="study") as (process, address, token):
        study = load(tmp_path / "study")
        tab = visit(f"{address}/#token={token}")
        begin(tab, "ben")
        for _ in range(2):
            give(tab, study, known(WORDS))
        played(tab)
        process.send_signal(signal.SIGKILL)
        process.wait()
        tab.keyboard.press("n")
        tab.keyboard.press("Enter")
        until(lambda: "not saved yet" in tab.text_content("#trouble"))
        place = at_hand(tab)["place"]
    path = answers.file_of(tmp_path / "study", "ben")
    path.write_bytes(path.read_bytes() + b'{"kind":"answer","stu')  # what a power failure leaves
    with running(tmp_path, *words, "--port", address.rpartition(":")[2], command="study") as (_, again, same):
        assert (again, same) == (address, token)
        tab.keyboard.press("Enter")
        until(lambda: at_hand(tab)["place"] == place + 1)
        assert not tab.locator("#trouble").is_visible()
        while tab.locator("#trial").is_visible():
            give(tab, study, known(WORDS))
    records, broken = answers.read(path)
    assert broken == 1 and list(answers.latest(records)) == list(range(len(study.items) + 1))
    visit.said[:] = [line for line in visit.said if "ERR_CONNECTION_REFUSED" not in line]


def test_two_people_with_plain_files(visit, single, tmp_path):
    study, folder, page = single
    files = []
    for name, words in (("Anna", WORDS), ("Ben <b>", [("Hair!", 5), ("grin", 3), "nothing", ("pose", 1)])):
        tab = visit(page)
        begin(tab, name)
        for _ in range(2):
            give(tab, study, known(words))
        tab.reload()  # the browser has them
        tab.locator("#trial").wait_for()
        assert at_hand(tab)["place"] == 2
        while tab.locator("#trial").is_visible():
            give(tab, study, known(words))
        with tab.expect_download() as saved:
            tab.click("#save")
        files.append(tmp_path / saved.value.suggested_filename)
        saved.value.save_as(files[-1])
    assert [file.name for file in files] == ["answers-Anna.jsonl", "answers-Ben-b-.jsonl"]
    result = sefa("evaluate", "study", folder, *files, "--outdir", tmp_path, "--keep-all", "--json")
    assert result.exit_code == 0, result.output
    held = json.loads(result.stdout)
    rows = held["directions"]["rows"]
    assert [(row[0], row[1], row[3], row[4], row[5]) for row in rows] == [
        ("all:0", 2, 0, 0, "hair"),
        ("all:1", 2, 0, 0, None),
        ("all:2", 2, 2, 0, None),
        ("all:3", 2, 0, 1, None),
    ]
    assert [row[0] for row in held["people"]["rows"]] == ["Anna", "Ben <b>"]
    assert [row[2] for row in held["people"]["rows"]] == ["2 of 2"] * 2
    # Units (hair, hair), (smile, grin), (nothing, nothing): as in the test of the evaluation, by hand.
    assert held["agreement"]["rows"][0][1][0] == pytest.approx(1 - (2 / 6) / (26 / 30))


def test_answers_can_be_copied(visit, single):
    study, _, page = single
    tab = visit(page)
    begin(tab, "carl")
    give(tab, study, known(WORDS))
    tab.click("#copy")
    until(lambda: tab.text_content("#taken") != "")
    if tab.locator("#lines").is_visible():
        lines = tab.input_value("#lines").splitlines()
        assert [json.loads(line)["kind"] for line in lines] == ["begin", "answer"]
    else:
        assert "Copied" in tab.text_content("#taken")


def test_nothing_counts_before_the_clip_has_ended(visit, tmp_path):
    run = made_run(tmp_path / "run", 1, fps=4.0)
    study = make_study([run], tmp_path / "study", Wanted(catches=0))
    copy_study(study, tmp_path / "study", tmp_path / "page")
    tab = visit((tmp_path / "page/index.html").as_uri())
    begin(tab, "anna")
    for key in ("n", "Enter"):
        tab.keyboard.press(key)
    assert "watch to the end first" in tab.text_content("#hint")
    assert tab.locator("#trial").is_visible() and "answer" not in tab.evaluate("store.lines(name)").replace(
        "answers", ""
    )
    played(tab)
    tab.locator("#where").focus()
    tab.keyboard.press("w")  # what changes needs words, and how cleanly
    tab.keyboard.type("hair")
    tab.keyboard.press("Enter")
    assert "from 1 to 5" in tab.text_content("#hint")
    assert tab.evaluate("document.activeElement.name") == "clean"
    tab.keyboard.press("2")
    tab.locator("#where").focus()
    tab.keyboard.press("Enter")
    tab.locator("#done").wait_for()


def test_who_asked_for_less_motion_starts_clips_themselves(visit, single):
    study, _, page = single
    tab = visit(page, reduced_motion="reduce")
    begin(tab, "dora")
    time.sleep(0.8)
    assert tab.text_content("#play") == "Play" and tab.text_content("#played") != ""
    tab.keyboard.press("Space")
    played(tab)
    assert tab.text_content("#play") == "Play"
    give(tab, study, lambda item, trial: "nothing")


def test_everybody_has_an_order_of_their_own(visit, runs, tmp_path):
    study = make_study(runs, tmp_path / "study", Wanted("both", repeats=0.3))
    copy_study(study, tmp_path / "study", tmp_path / "page")
    tab = visit((tmp_path / "page/index.html").as_uri())
    tab.locator("#welcome").wait_for()
    orders = [
        tab.evaluate("(name) => trialsOf(STUDY, name)", name) for name in ("anna", " Anna ", "ben", "carl", "dora")
    ]
    assert orders[0] == orders[1] != orders[2]
    ids, turned, sides = [], [], []
    for order in orders[1:]:
        first = [one["item"] for one in order if not one["again"]]
        again = [one["item"] for one in order if one["again"]]
        assert sorted(first) == sorted(item.id for item in study.items)
        assert len(again) == 3 + 2  # 30 % of 9 clips, and of 4 pairs
        assert all(not study.item(one).catch for one in again) and len(set(again)) == 5
        places = {one["item"]: one["place"] for one in order if not one["again"]}
        assert all(one["place"] > places[one["item"]] + 1 for one in order if one["again"])
        ids.append(tuple(first))
        for one in order:
            item = study.item(one["item"])
            for file in one["shown"]:
                turned += [file == clip.files[1] for clip in item.clips if file in clip.files]
            sides += [one["shown"][0] in item.clips[0].files] * (item.kind == "pair")
    assert len(set(ids)) == 4
    assert 0.3 < sum(turned) / len(turned) < 0.7 and 0.2 < sum(sides) / len(sides) < 0.8


def test_texts_are_texts(visit, single):
    _, _, page = single
    tab = visit(page)
    tab.locator("#welcome").wait_for()
    assert tab.locator("#instructions p").first.text_content() == "Look at <b>it</b>."
    assert tab.locator("#instructions ul").first.locator("li").all_text_contents() == ["One two", "Three"]
    assert tab.locator("#instructions").text_content().count("two clips") == 0  # this study has no pairs


def test_a_name_in_the_address_is_another_person(visit, single):
    study, _, page = single
    tab = visit(f"{page}?name=anna")
    begin(tab)
    give(tab, study, known(WORDS))
    tab.goto(f"{page}?name=ben")
    tab.locator("#welcome").wait_for()
    assert tab.input_value("#name") == "ben"
    begin(tab)
    assert at_hand(tab)["place"] == 0
    tab.click("#other")
    tab.locator("#welcome").wait_for()
    assert not tab.is_checked("#agree")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("wide", [360, 768, 1280, 1920])
def test_it_fits_the_window_and_can_be_read(visit, runs, tmp_path_factory, single, wide, scheme):
    _, _, page = single
    tab = visit(page, {"width": wide, "height": 800}, color_scheme=scheme)
    tab.locator("#welcome").wait_for()
    fits = [tab.evaluate("document.documentElement.scrollWidth")]
    begin(tab, "a-long-name-without-any-space-" * 2)
    played(tab)
    fits.append(tab.evaluate("document.documentElement.scrollWidth"))
    tab.click("summary")
    fits.append(tab.evaluate("document.documentElement.scrollWidth"))
    assert max(fits) <= wide
    named = tab.evaluate(
        """() => [...document.querySelectorAll("button, input, textarea, progress, video")]
          .filter((one) => one.offsetParent)
          .filter((one) => !(one.labels?.length || one.getAttribute("aria-label") || one.textContent.trim()))
          .map((one) => one.outerHTML)"""
    )
    assert named == []
    dark = tab.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (max(map(int, re.findall(r"\d+", dark)[:3])) < 60) == (scheme == "dark")


AXE = ROOT / "node_modules/axe-core/axe.min.js"


@pytest.mark.skipif(not AXE.is_file(), reason="axe-core is not there: npm install --no-save axe-core")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(visit, single, scheme):
    study, _, page = single
    tab = visit(page, color_scheme=scheme)
    tab.evaluate(AXE.read_text(encoding="utf-8") + "; 1")
    found = []
    for step in (lambda: None, lambda: begin(tab, "axel"), lambda: give(tab, study, known(WORDS))):
        step()
        result = tab.evaluate("() => axe.run(document)")
        found += [f"{one['impact']} {one['id']}: {one['nodes'][0]['html']:.200}" for one in result["violations"]]
    assert found == []
    visit.said.clear()  # axe itself asks for style sheets, which a page from a disk may not
