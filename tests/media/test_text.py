import numpy as np
import pytest

from sefa_plugin.media.text import GAP, captioned, font_of, in_steps, legible, signed, width_of, wrapped


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("wide", [16, 192, 1920])
def test_a_strip_below_the_frame(channels, wide):
    frame = np.full((40, wide, channels), 255, np.uint8)
    result = captioned(frame, "direction 3   +1.5")
    assert result.dtype == np.uint8
    assert result.shape[1:] == (wide, 3)
    assert np.array_equal(result[:40], np.full((40, wide, 3), 255))
    assert result[40:].max() > 150  # letters
    assert result[40:].min() < 40  # on dark paper
    assert captioned(frame, "another, much longer text that does not fit at all").shape == result.shape


def test_each_text_below_its_share():
    frame = np.zeros((10, 400, 3), np.uint8)
    left, right = captioned(frame, "X", "")[10:, :200], captioned(frame, "X", "")[10:, 200:]
    assert left.max() > 150
    assert right.max() < 40


def test_words_give_way_to_the_distance():
    frame = np.zeros((10, 64, 3), np.uint8)
    strips = [captioned(frame, f"direction 3 of layers middle{GAP}{distance}") for distance in ("+1.5", "+1.6")]
    assert not np.array_equal(*strips)
    assert np.array_equal(captioned(frame, f"{'W' * 50}{GAP}{'1' * 50}"), captioned(frame, f"{GAP}{'1' * 50}"))


def test_words_stand_still_while_the_distance_changes():
    frame = np.zeros((10, 300, 3), np.uint8)
    strips = [captioned(frame, f"Direction 3, middle layers{GAP}{far}")[10:].max(axis=2) for far in ("-1.5", "+11.25")]
    assert np.array_equal(strips[0][:, :200], strips[1][:, :200])
    assert not np.array_equal(*strips)
    ends = [np.flatnonzero((strip > 100).any(axis=0)).max() for strip in strips]
    assert abs(ends[0] - ends[1]) <= 2  # the last digits, at the right edge


def test_distances_of_a_clip_have_the_same_decimals():
    assert [in_steps(x, 2.1) for x in (-1.5, 0.0, 2.1, 0.333)] == ["-1.50", "+0.00", "+2.10", "+0.33"]
    assert in_steps(3.0, 12) == "+3.0"
    assert in_steps(150.0, 170) == "+150"


def test_lettering():
    font = font_of(14)
    assert width_of(font, "wider") > width_of(font, "i")
    assert legible("a\nb\t c") == "a b c"
    assert legible("smile 😀") == "smile ?"
    lines = wrapped("some words that need more than one line", font, 100)
    assert len(lines) > 1
    assert all(width_of(font, line) <= 100 for line in lines)
    assert "".join(wrapped("W" * 50, font, 60)) == "W" * 50


def test_distances_as_people_read_them():
    assert [signed(x) for x in (-3, 0, 0.3333333)] == ["-3", "0", "+0.333"]
