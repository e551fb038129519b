"""Tables: every format says the same."""

import csv
import io
import json

import numpy as np
import pytest
from PIL import Image

from sefa_plugin.evaluate.statistics.bootstrap import Interval
from sefa_plugin.evaluate.tables.table import Table, written

TABLE = Table(
    "Methods",
    ["method", "change", "time"],
    [["SeFa", Interval(0.5, 0.4, 0.6), 0.0123], ["a|b", Interval(12.0, 11.0, 13.0), None]],
    "What it means.",
)


def test_csv_gives_intervals_three_columns():
    rows = list(csv.reader(io.StringIO(TABLE.csv())))
    assert rows[0] == ["method", "change", "change low", "change high", "time"]
    assert rows[1] == ["SeFa", "0.5", "0.4", "0.6", "0.0123"]
    assert rows[2] == ["a|b", "12", "11", "13", ""]
    mixed = Table("t", ["a", "b"], [["x", None], ["y", Interval(1.0, 0.0, 2.0)]])
    assert list(csv.reader(io.StringIO(mixed.csv())))[1] == ["x", "", "", ""]


def test_json_holds_all_of_it():
    held = json.loads(TABLE.json({"samples": 5}))
    assert held["rows"][0] == ["SeFa", [0.5, 0.4, 0.6], 0.0123]
    assert (held["title"], held["note"], held["samples"]) == ("Methods", "What it means.", 5)
    with pytest.raises(ValueError):
        Table("t", ["a"], [[float("nan")]]).json()


def test_markdown():
    lines = TABLE.markdown().splitlines()
    assert lines[0] == "| method | change | time |"
    assert lines[1] == "| --- | ---: | ---: |"
    assert lines[2] == "| SeFa | 0.50 [0.40, 0.60] | 0.0123 |"
    assert lines[3] == "| a/b | 12.0 [11.0, 13.0] | - |"


def test_numbers_as_people_read_them():
    cells = [None, "x", 3, 0.1234, 12.34, 123.4, Interval(0.01234, 0.0111, 0.0131), Interval(0.0, -0.02, 0.02)]
    expected = ["-", "x", "3", "0.123", "12.3", "123.4", "0.012 [0.011, 0.013]", "0.00 [-0.02, 0.02]"]
    assert [written(cell) for cell in cells] == expected


def test_written_whole_or_not_at_all(tmp_path):
    for kind in ("csv", "json", "md", "png"):
        TABLE.write(tmp_path / f"t.{kind}", {"command": "sefa"}, "sefa")
    assert (tmp_path / "t.csv").read_bytes() == TABLE.csv().encode()
    picture = Image.open(tmp_path / "t.png")
    assert picture.text == {"Comment": "sefa"}
    assert len(np.unique(np.asarray(picture).reshape(-1, 3), axis=0)) > 5
    with pytest.raises(ValueError, match="written as one of"):
        TABLE.write(tmp_path / "t.xls")
    with pytest.raises(ValueError):
        Table("t", ["a"], [[float("nan")]]).write(tmp_path / "t.json")
    assert json.loads((tmp_path / "t.json").read_text())["title"] == "Methods"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["t.csv", "t.json", "t.md", "t.png"]


def test_csv_holds_nothing_that_a_spreadsheet_would_act_on():
    """Names may come from a stranger's file."""
    names = ["=cmd|' /C calc'!A0", "@SUM(1)", "+1+cmd|'x'!A0", "-HYPERLINK(1)", "-tilt", "+1.5", "smile", "a=b"]
    rows = list(csv.reader(io.StringIO(Table("t", ["=1", "b"], [[name, name] for name in names]).csv())))
    assert rows[0] == ["'=1", "b"]
    assert [row[0] for row in rows[1:]] == [f"'{name}" for name in names[:4]] + names[4:]
    assert all(row[0] == row[1] for row in rows[1:])
