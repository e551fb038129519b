import re

from sefa_plugin.runs.page.matrix import LESS, MORE, MOST, Matrix, matrix_html
from sefa_plugin.runs.page.style import STYLE

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
    assert "190,60,40,0.60" in cells[0][0]
    assert "33,102,172,0.15" in cells[1][0]
    assert "33,102,172,0.60" in cells[2][0]
    assert cells[3][0] == ' class="chance"'


def test_nothing_can_break_out_of_the_page():
    text = matrix_html(MATRIX)
    assert "<they>" not in text and "What &lt;they&gt; do" in text and "a&lt;b" in text and "How &amp; why" in text
    assert '<a href="#all-dir00">0 <bdi>x&lt;y</bdi></a>' in text
    assert '<th scope="row">1</th>' in text
    assert 'href="evaluate/a%20b.csv"' in text


def test_numbers_can_be_read_on_their_colours():
    """4.5 to 1 and more (WCAG 2.1), in light and dark, at the fullest colours."""

    def light(colour):
        parts = [c / 255 / 12.92 if c <= 10 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in colour]
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]

    schemes = re.findall(r":root\{([^}]*)\}", STYLE.replace("\n", ""))
    assert len(schemes) == 2
    for scheme in schemes:
        held = {}
        for name, code in re.findall(r"--(card|ink):#(\w+)", scheme):
            code = code if len(code) == 6 else "".join(2 * letter for letter in code)
            held[name] = [int(code[at : at + 2], 16) for at in (0, 2, 4)]
        for colour in (LESS, MORE):
            full = [MOST * int(c) + (1 - MOST) * card for c, card in zip(colour.split(","), held["card"])]
            dark, bright = sorted((light(full), light(held["ink"])))
            assert (bright + 0.05) / (dark + 0.05) >= 4.5
