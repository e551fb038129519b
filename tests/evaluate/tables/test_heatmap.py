import numpy as np
import pytest
from PIL import Image

from sefa_plugin.evaluate.tables.heatmap import Heatmap, colour_of, ink_on, number_of

MATRIX = np.array([[2.0, -1.0, 0.0], [0.5, -2.0, 1.0]])
LABELS = {"row_labels": ["0: skin", "1"], "column_labels": ["skin", "hair_colour", "x"]}


@pytest.fixture
def drawn():
    def drawn(matrix, **texts):
        return np.asarray(Heatmap(matrix, **texts).picture())

    return drawn


def test_colours_are_signed_and_grow():
    assert colour_of(0, 2) == (255, 255, 255)
    reds, blues = ([colour_of(sign * value, 2) for value in (0.5, 1, 2)] for sign in (1, -1))
    assert all(red > blue for red, _, blue in reds) and all(red < blue for red, _, blue in blues)
    assert [sum(colour) for colour in reds] == sorted((sum(colour) for colour in reds), reverse=True)
    assert colour_of(9, 2) == colour_of(2, 2)


@pytest.mark.parametrize("value", np.linspace(-1, 1, 21))
def test_numbers_can_be_read_on_every_colour(value):
    def light(colour):
        parts = [c / 255 / 12.92 if c <= 10 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in colour]
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]

    colour = colour_of(value, 1)
    dark, bright = sorted((light(colour), light(ink_on(colour))))
    assert (bright + 0.05) / (dark + 0.05) > 4.5  # contrast as WCAG counts it


def test_every_cell_has_its_colour(drawn):
    picture = drawn(MATRIX, title="a", text="b", legend="units", **LABELS)
    assert picture.dtype == np.uint8 and picture.shape[2] == 3

    def pixels(shown, value):
        return int((shown == colour_of(value, 2)).all(axis=2).sum())

    for value in MATRIX.ravel():
        assert pixels(picture, value) > 500
    faint = drawn(MATRIX, faint=MATRIX == 0.5, **LABELS)
    assert pixels(faint, 0.5) < 50


def test_more_columns_make_it_wider_until_their_labels_stand_upright(drawn):
    def size(columns):
        picture = drawn(
            np.ones((2, columns)),
            row_labels=["a", "b"],
            column_labels=[f"attribute number {k}" for k in range(columns)],
        )
        return picture.shape[:2]

    assert size(4)[1] < size(8)[1] and size(4)[0] == size(8)[0]
    assert size(40)[0] > size(8)[0] and size(40)[1] < 40 * 80
    long = drawn(np.ones((1, 1)), row_labels=["a"], column_labels=["b"], title="word " * 60, text="more " * 99)
    assert long.shape[1] < 700 and long.shape[0] > 200


def test_files(tmp_path):
    path = tmp_path / "a" / "map.png"
    Heatmap(MATRIX, **LABELS).write(path, "how")
    with Image.open(path) as picture:
        assert picture.text["Comment"] == "how"
    assert [file.name for file in path.parent.iterdir()] == ["map.png"]


def test_numbers_have_their_sign_and_little_else():
    assert [number_of(value) for value in (0, 1.234, -0.5, 12.34, -123.4)] == [
        "+0.00",
        "+1.23",
        "-0.50",
        "+12.3",
        "-123",
    ]
