import re

from sefa_plugin.page_matrix import Matrix, matrix_html

MATRIX = Matrix(
    "scores-all",
    "What <they> do",
    "How & why",
    ["skin", "a<b"],
    [("all-dir00", "0", "x<y"), ("", "1", "")],
    [[2.0, -0.5], [-2.0, 0.01]],
    [[True, True], [True, False]],
    ["evaluate/a b.csv"],
)


def test_every_number_is_there_with_its_colour():
    text = matrix_html(MATRIX)
    cells = re.findall(r"<td([^>]*)>([^<]+)</td>", text)
    assert [number for _, number in cells] == ["+2.00", "-0.50", "-2.00", "+0.01"]
    assert "190,60,40,1.00" in cells[0][0] and "strong" in cells[0][0]
    assert "33,102,172,0.25" in cells[1][0] and "strong" not in cells[1][0]
    assert "33,102,172,1.00" in cells[2][0]
    assert cells[3][0] == ' class="chance"'


def test_nothing_can_break_out_of_the_page():
    text = matrix_html(MATRIX)
    assert "<they>" not in text and "What &lt;they&gt; do" in text and "a&lt;b" in text and "How &amp; why" in text
    assert '<a href="#all-dir00">0 <bdi>x&lt;y</bdi></a>' in text
    assert '<th scope="row">1</th>' in text
    assert 'href="evaluate/a%20b.csv"' in text
