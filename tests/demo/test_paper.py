"""`make paper`: it runs, fills in the document, and its claims follow from the numbers."""

import json
import re
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner
from places import ROOT

from demo import paper
from demo.claims import Claim
from sefa_plugin.evaluate.statistics.bootstrap import Interval


@pytest.mark.hard
def test_a_quick_run_fills_in_the_document(tmp_path, monkeypatch):
    docs = tmp_path / "docs"
    docs.mkdir()
    shutil.copy(ROOT / "docs" / "evaluation.md", docs)
    asked = re.findall(r"<!--=truth/([^>]+?)\.\w+-->", (docs / "evaluation.md").read_text(encoding="utf-8"))
    few = [variant for variant in paper.truth.VARIANTS if variant.name in asked]
    monkeypatch.setattr(paper.truth, "VARIANTS", tuple(few))
    monkeypatch.setattr(paper.truth.fitting, "__defaults__", (tuple(few),))
    words = ["--quick", "--score-only", "turn,smile,skin,eyes", "--docs", str(docs), "--work", str(tmp_path / "work")]
    result = CliRunner().invoke(paper.main, words, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    text = (docs / "evaluation.md").read_text(encoding="utf-8")
    shipped = (ROOT / "docs" / "evaluation.md").read_text(encoding="utf-8")
    assert text != shipped
    assert paper._VALUE.sub("", paper._BLOCK.sub("", text)) == paper._VALUE.sub("", paper._BLOCK.sub("", shipped))
    assert "--><!--/-->" not in text  # every number is there
    about = json.loads((docs / "evaluation" / "paper.json").read_text())
    assert about["values"]["samples"] == paper.QUICK.samples
    assert set(about["claims"]) == {"methods", "layers", "variants"}
    assert all(
        verdict in ("holds", "does not hold", "open") for held in about["claims"].values() for _, verdict in held
    )
    first = {path.name: path.read_bytes() for path in (docs / "evaluation").iterdir()}
    CliRunner().invoke(paper.main, [*words, "--resume"], catch_exceptions=False)
    again = {path.name: path.read_bytes() for path in (docs / "evaluation").iterdir()}
    timed = {"methods.csv", "paper.json"}  # seconds differ
    assert {name: first[name] for name in first.keys() - timed} == {name: again[name] for name in again.keys() - timed}


def test_the_shipped_document_is_filled_in_and_agrees_with_its_numbers():
    text = (ROOT / "docs" / "evaluation.md").read_text(encoding="utf-8")
    about = json.loads((ROOT / "docs" / "evaluation" / "paper.json").read_text(encoding="utf-8"))
    assert about["values"]["samples"] == paper.Size().samples  # not a quick run
    for key, shown in re.findall(r"<!--=([^>]+?)-->(.*?)<!--/-->", text, re.DOTALL):
        value = about["values"][key]
        value = Interval(*value) if isinstance(value, list) else value
        assert value == "" or shown == paper.written(value), key
    for held in about["claims"].values():
        for line, _ in held:
            assert line in text
    for name in re.findall(r"\(evaluation/([^)]+)\)", text):
        assert (ROOT / "docs" / "evaluation" / name).is_file()


def test_a_quick_run_leaves_the_shipped_document_alone():
    assert paper.target_of(None, False, "work") == paper.DOCS == ROOT / "docs"
    assert paper.target_of(None, True, "work") == Path("work/docs")
    assert paper.target_of("mine", True, "work") == Path("mine")


def test_what_the_text_asks_for_must_be_there():
    found = {"values": {"a.b": 1.5, "c": Interval(1.0, 0.5, 2.0)}, "blocks": {"t": "| x |\n"}}
    text = "x <!--=a.b-->old<!--/-->, <!--=c--><!--/-->\n<!-- from: t -->\nold\nlines\n<!-- end -->\n"
    expected = "x <!--=a.b-->1.5<!--/-->, <!--=c-->1.00 [0.50, 2.00]<!--/-->\n<!-- from: t -->\n| x |\n<!-- end -->\n"
    assert paper.filled(text, found) == expected
    assert paper.filled(expected, found) == expected
    with pytest.raises(paper.PaperError, match="asks for 'z'"):
        paper.filled("<!--=z--><!--/-->", found)
    with pytest.raises(paper.PaperError, match="asks for the table 'z'"):
        paper.filled("<!-- from: z -->\n<!-- end -->", found)


@pytest.mark.parametrize(
    ("interval", "sign", "verdict"),
    [
        ((0.2, 0.1, 0.3), 1, "holds"),
        ((0.2, 0.1, 0.3), -1, "does not hold"),
        ((-0.2, -0.3, -0.1), -1, "holds"),
        ((0.2, -0.1, 0.3), 1, "open"),
        ((float("nan"),) * 3, 1, "open"),
    ],
)
def test_claims_are_judged_by_their_interval(interval, sign, verdict):
    claim = Claim("It is so", Interval(*interval), sign)
    assert claim.verdict == verdict
    assert str(claim).startswith(f"It is so: **{verdict}** (")
