import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from places import RESERVED

from sefa_plugin.system.file_names import LONGEST, safe_name


@pytest.mark.parametrize(
    "name", ["ffhq", "stylegan3-t-ffhqu-256x256", "all-dir00", "a b", "é", "😀", "100%", "it's", ".x"]
)
def test_ordinary_names_stay(name):
    assert safe_name(name) == name


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("CON", "_CON"),
        ("aux.txt", "_aux.txt"),
        ("nul .tar.gz", "_nul .tar.gz"),
        ("com¹", "_com¹"),
        ("console", "console"),
        ("a:b", "a_b"),
        ("../../etc", ".._.._etc"),
        ("..", "network"),
        ("", "network"),
        (" . ", "network"),
        ("trail. .", "trail"),
        ("--outdir", "outdir"),
        ("a\nb\tc\x7f", "a_b_c_"),
        ("caf\udce9", "caf_"),
        ("a\u202eb", "a_b"),  # turns the rest of a line round
    ],
)
def test_what_some_system_does_not_take(name, safe):
    assert safe_name(name) == safe


def test_long_names_stay_apart():
    one, two = safe_name("x" * 250 + "1"), safe_name("x" * 250 + "2")
    assert one != two and len(one) == len(two) == LONGEST
    assert len(safe_name("😀" * 100).encode()) <= LONGEST


@given(st.text(st.characters(), max_size=200))
@example("con\n.x")
@example("\udce9" * 300)
def test_every_name_can_be_unpacked_everywhere(text):
    name = safe_name(text)
    assert name and len(name.encode("utf-8")) <= LONGEST + 1
    assert not re.search(r'[<>:"/\\|?*\x00-\x1f]', name) and name[-1] not in ". "
    assert name.split(".")[0].strip().lower() not in RESERVED
    assert safe_name(name) == name
