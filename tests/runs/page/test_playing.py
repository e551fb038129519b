"""What a card's large picture steps through, by the record of its sheet and its clip."""

from __future__ import annotations

from copy import deepcopy

import pytest

from sefa_plugin.runs.page.playing import MOST, Made, play_of, play_of_plane
from sefa_plugin.runs.page.sheets import Pictures
from sefa_plugin.runs.record import Entry

LOOK = {"trunc": 1.0, "label": None}
SHOWN = {"direction": "d", "subjects": ["seed 0", "seed 7"], "look": LOOK}
PICTURES = Pictures(60, 80, (128, 96), (132, 100), ["seed 0", "seed 7"], ["-1", "0", "+1.5"])
THERE = [-1.0, -0.5, 0.0, 0.75, 1.5]


def sheet(distances=(-1.0, 0.0, 1.5), pictures=PICTURES, **settings):
    film = {"low": -1.0, "high": 1.5, "columns": list(distances)}
    return Made("sheets/a.jpg", Entry({**deepcopy(SHOWN), "film": film, **settings}, list(distances)), pictures)


def clip(name="videos/a.mp4", distances=(*THERE, *THERE[-2:0:-1]), film=(), **settings):
    shown = {"low": -1.0, "high": 1.5, "fps": 12.0, "max_width": 1920, "captions": False, **dict(film)}
    return Made(name, Entry({**deepcopy(SHOWN), "film": shown, **settings}, list(distances)))


def test_a_clip_gives_the_positions_and_a_sheet_what_is_seen_until_it_is_loaded():
    play = play_of(sheet(), clip())
    assert play.rows == ("seed 0", "seed 7") and play.at == THERE
    assert list(play.clip.frames) == [0, 1, 2, 3, 4]  # there, not back: they are decoded first
    assert (play.clip.fps, play.clip.limit) == (12, 1920)
    cells = play.cells
    assert (cells.left, cells.top, cells.size, cells.step, cells.at) == (60, 80, (128, 96), (132, 100), [-1, 0, 1.5])


def test_frames_are_found_in_any_order():
    play = play_of(None, clip(distances=[1.5, 0.0, -1.0, 0.0]))
    assert play.at == [-1, 0, 1.5] and list(play.clip.frames) == [2, 1, 0] and play.cells is None


@pytest.mark.parametrize(
    "other",
    [
        {"look": {**LOOK, "trunc": 0.5}},
        {"subjects": ["seed 1", "seed 7"]},
        {"direction": "e"},
        {"film": {"low": -2.0, "high": 1.5}},
    ],
)
def test_a_clip_of_other_pictures_is_not_mixed_with_the_sheet(other):
    play = play_of(sheet(), clip(**other))
    assert play.clip is None and play.at == [-1, 0, 1.5] and play.rows == ["seed 0", "seed 7"]


@pytest.mark.parametrize("name", ["videos/a.gif", "videos/a"])
def test_what_cannot_be_sought_in_is_not_played(name):
    assert play_of(sheet(), clip(name)).clip is None
    assert play_of(None, clip(name)) is None


def test_captions_below_a_clip_are_cut_off_where_the_height_of_a_picture_is_known():
    assert play_of(sheet(), clip(film={"captions": True})).clip
    assert play_of(None, clip(film={"captions": True})) is None


@pytest.mark.parametrize(
    "made",
    [
        None,
        sheet(pictures=None),
        sheet(distances=[]),
        sheet(distances=[-1, 0]),
        sheet(distances=[0, 0, 1]),
        sheet(distances=[1, 0, -1]),
    ],
)
def test_records_that_do_not_say_where_pictures_are(made):
    assert play_of(made, None) is None


@pytest.mark.parametrize("wrong", [{"film": 3}, {"subjects": "x"}, {"film": {"fps": "fast"}}, {"look": []}])
def test_settings_of_another_version(wrong):
    odd = clip()
    odd.entry.settings.update(wrong)
    assert play_of(sheet(), odd).clip is None and play_of(None, odd) is None


def test_a_long_clip_has_fewer_positions_with_0_and_both_ends():
    distances = [round(place / 100 - 3.33, 4) for place in range(1000)]
    at = play_of(None, clip(distances=distances)).at
    assert len(at) <= MOST and {at[0], at[-1]} == {distances[0], distances[-1]} and 0 in at and at == sorted(at)


def test_a_plane_has_two_sliders():
    made = sheet(sheet=[[-1, 0, 1.5], [-2, 3]])
    play = play_of_plane(made)
    assert play.at == [-1, 0, 1.5] and play.down == [-2, 3] and play.rows == ()
    assert play_of_plane(sheet()) is None and play_of_plane(sheet(sheet=[[-1, 0, 1.5], [-2, 3, 4]])) is None
