import numpy as np
import pytest

from sefa_plugin.rendering.timelines import BEYOND, pick, round_steps
from sefa_plugin.runs.output_settings import COLUMNS, OutputSettings
from sefa_plugin.runs.settings import SettingsError


def test_columns_of_a_sheet_are_steps_of_its_video():
    output = OutputSettings(frames=60)
    columns = output.columns(-3, 3)
    assert columns == pytest.approx((-3, -2, -1, 0, 1, 2, 3))
    assert set(columns) <= set(output.timeline(-3, 3).distances)


@pytest.mark.parametrize("easing", ["linear", "sine"])
@pytest.mark.parametrize(("low", "high"), [(-1.3, 4.1), (0, 2), (-5, 0), (-0.5, 7)])
def test_uneven_ranges_too(low, high, easing):
    output = OutputSettings(frames=48, easing=easing)
    columns = output.columns(low, high)
    assert len(set(columns)) == COLUMNS
    assert columns == tuple(sorted(columns))
    assert (columns[0], columns[-1]) == (low, high)
    assert 0 in columns
    assert set(columns) <= set(output.timeline(low, high).distances)


def test_without_a_video_columns_are_even():
    assert OutputSettings(video="none", frames=4).columns(-3, 3) == (-3, -2, -1, 0, 1, 2, 3)
    assert OutputSettings(frames=4).columns(-3, 3) == (-3, -2, -1, 0, 1, 2, 3)


def test_picking():
    uneven = (-1.0, -0.4, 0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0)
    picked = pick(uneven, 5)
    assert picked[0] == -1
    assert picked[-1] == 6
    assert 0 in picked
    assert len(set(picked)) == 5
    assert pick(tuple(np.linspace(-3, 3, 31)), 7) == pytest.approx((-3, -2, -1, 0, 1, 2, 3))
    assert pick((1.0, 2.0), 2) == (1, 2)


def test_sine_easing_is_slow_at_the_ends():
    linear, sine = (
        np.diff(OutputSettings(frames=60, easing=easing).timeline(-3, 3).distances) for easing in ("linear", "sine")
    )
    assert sine[0] < 0.1 * linear[0]
    assert sine[15] > 1.4 * linear[15]
    with pytest.raises(ValueError, match="linear, sine"):
        OutputSettings(easing="bounce").timeline(-1, 1)


@pytest.mark.parametrize(
    ("low", "high", "columns"),
    [
        (-2.7, 2.9, (-3, -2, -1, 0, 1, 2, 3)),
        (-2.71, 3.04, (-3, -2, -1, 0, 1, 2, 3)),
        (-1.8, 2.1, (-2, -1, 0, 1, 2)),
        (0, 2.3, (0, 0.4, 0.8, 1.2, 1.6, 2.0, 2.4)),
        (-5, 0, (-5, -4, -3, -2, -1, 0)),
        (-0.5, 7, (0, 1, 2, 3, 4, 5, 6, 7)),
        (-11, 12, (-12, -8, -4, 0, 4, 8, 12)),
    ],
)
def test_columns_of_a_measured_range_are_round(low, high, columns):
    assert OutputSettings().columns(low, high, measured=True) == columns


@pytest.mark.parametrize("seed", range(3))
def test_round_columns_of_any_range(seed):
    for low, high in np.random.RandomState(seed).lognormal(0, 3, (200, 2)) * [-1, 1]:
        steps = round_steps(low, high, COLUMNS)
        if abs(np.log(-low / high)) < np.log(4):  # measured ranges are not more one-sided than that, or end at 0
            assert 5 <= len(steps) <= 8
            assert np.diff(steps) == pytest.approx(steps[-1] - steps[-2], rel=1e-6)
            assert 0.0 in steps
        assert steps[0] >= low * (1 + BEYOND) - 1e-9 and steps[-1] <= high * (1 + BEYOND) + 1e-9


def test_a_clip_is_enlarged_unless_it_has_to_be_exact():
    def scale(video, **given):
        return OutputSettings.of_kind(video, **given).layout((), (), (), "").size.of((64, 64), 1)[0]

    assert scale("mp4") == scale("gif") == 256
    assert scale("png") == scale("mp4", width="native") == 64
    assert scale("png", scale=3) == scale("mp4", width="native", scale=3) == 192
    assert scale("mp4", width=100) == 100
    assert scale("mp4", canvas="square") == 1080
    with pytest.raises(SettingsError, match="leave out a scale"):
        OutputSettings.of_kind("mp4", canvas="square", scale=2).check()
    with pytest.raises(SettingsError, match="1080p, square"):
        OutputSettings.of_kind("mp4", canvas="cinema").check()
