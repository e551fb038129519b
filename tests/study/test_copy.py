"""A study as plain files."""

import pytest
from made_runs import made_run

from sefa_plugin.study.copy import PAGE, copy_study
from sefa_plugin.study.design import StudyError
from sefa_plugin.study.making import Wanted, make_study


def test_a_copy_has_the_page_the_clips_and_nothing_that_says_what_they_show(tmp_path):
    study = make_study([made_run(tmp_path / "run", 1)], tmp_path / "study", Wanted(catches=0))
    page = tmp_path / "page"
    copy_study(study, tmp_path / "study", page)
    made = {path.relative_to(page).as_posix() for path in page.rglob("*") if path.is_file()}
    clips = {f"clips/{name}" for name in study.items[0].clips[0].files}
    assert made == {path.name for path in PAGE.iterdir()} - {"server.js"} | {"data.js"} | clips
    html = (page / "index.html").read_text()
    assert "server.js" not in html and html.index("data.js") < html.index("browser.js") < html.index("study.js")
    assert 'type="module"' not in html and "http" not in html  # which files on a disk could not load
    assert study.directions[0].direction not in (page / "data.js").read_text()

    other = make_study([made_run(tmp_path / "second", 1, seed=1)], tmp_path / "study", Wanted(catches=0))
    copy_study(other, tmp_path / "study", page)  # over an earlier one
    assert {path.name for path in (page / "clips").iterdir()} == set(other.items[0].clips[0].files)

    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/index.html").write_text("mine")
    with pytest.raises(StudyError, match="--static .*mine: holds other files"):
        copy_study(study, tmp_path / "study", tmp_path / "mine")
    assert (tmp_path / "mine/index.html").read_text() == "mine"
