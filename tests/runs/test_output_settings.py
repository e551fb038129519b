import numpy as np
import pytest

from sefa_plugin.rendering.timelines import pick
from sefa_plugin.runs.output_settings import COLUMNS, OutputSettings


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
