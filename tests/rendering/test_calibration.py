"""Ranges: measured right on planted changes, and right on seeds and a measure that had no part in them."""

from dataclasses import replace

import numpy as np
import pytest

from sefa_plugin import Directions, factorize, load_network
from sefa_plugin.media.change import broken, reduced, visible_change
from sefa_plugin.rendering import calibration
from sefa_plugin.rendering.calibration import GROWTH, SEEDS, TARGET, Calibrator, _Prior, calibrate, settings_of
from sefa_plugin.rendering.look import Look
from sefa_plugin.rendering.shards import FramesError, View


class Planted:
    """An engine whose pictures change by a known law: ``slope[index] * distance ** GROWTH`` in root mean square."""

    def __init__(self, slopes, subjects=4, spoil=None, sigma=1.0, contrast=60):
        rng = np.random.RandomState(0)
        self.slopes, self.spoil, self.sigma = slopes, spoil, sigma
        self.base = [np.clip(128 + contrast * rng.randn(32, 32, 3), 40, 215).astype(np.uint8) for _ in range(subjects)]
        self.rendered = 0
        self.view = View(Look(), range(subjects))
        self.labels = self.view.labels

    def calibrator(self, *options, **named):
        return Calibrator(self.view, self, *options, **named)

    def spread(self, view, directions):
        return np.full(len(self.slopes), self.sigma)

    def pictures(self, view, shard):
        assert view is self.view
        for who, step in shard.shots:
            self.rendered += 1
            if not step:
                yield self.base[int(who)]
                continue
            ((place, distance),) = step
            yield self.shot(shard.edits[place].index, int(who), distance)

    def shot(self, index, who, distance):
        if self.spoil is not None:
            spoiled = self.spoil(self.base[who], distance)
            if spoiled is not None:
                return spoiled
        change = 255 * self.slopes[index] * abs(distance) ** GROWTH
        checks = np.indices((32, 32)).sum(axis=0)[..., None] % 2 * 2 - 1
        return np.clip(self.base[who] + change * np.sign(distance) * checks, 0, 255).astype(np.uint8)


def planted_directions(values):
    return Directions.of(np.eye(len(values)), np.array(values, float), (0,))


@pytest.mark.parametrize("slope", [0.002, 0.02, 0.2, 2.0])
def test_the_distance_of_a_planted_change(slope):
    scene = Planted([slope])
    found = scene.calibrator().measure(planted_directions([4.0]), 0)
    wanted = (TARGET / slope) ** (1 / GROWTH)
    assert found.high == pytest.approx(min(wanted, 20), rel=0.12)  # 20 sigmas are the furthest
    assert -found.low == found.high
    assert found.sigma == 1
    assert found.broken == ""


def test_a_local_direction_goes_to_where_its_region_has_changed():
    def spoil(base, distance):
        changed = base.copy()
        changed[8:24, 8:24] = np.clip(base[8:24, 8:24].astype(float) + 4 * distance, 0, 255)
        return changed

    held = planted_directions([4.0])
    whole = Planted([0], spoil=spoil, contrast=20).calibrator().measure(held, 0)
    local = replace(held, region="0.25,0.25,0.5,0.5", sharpen="region")
    part = Planted([0], spoil=spoil, contrast=20).calibrator().measure(local, 0)
    assert whole.high / part.high == pytest.approx(4 ** (1 / 1.5), rel=0.25)  # of a quarter of the pixels


def test_every_direction_costs_four_pictures():
    slopes = [0.1 / (i + 1) for i in range(10)]
    scene = Planted(slopes)
    seen = []
    calibrator = scene.calibrator(seen.append, dict(zip(scene.labels[:3], scene.base)))
    directions = planted_directions([100 / (i + 1) ** 2 for i in range(10)])
    for index in range(10):
        calibrator.measure(directions, index)
    sheets = 3 + 10 * 6 * 3  # pictures of three seeds' sheets
    assert sum(seen) == scene.rendered
    assert 41 <= scene.rendered <= sheets / 4


@pytest.mark.parametrize("side", [-1, 1])
def test_a_side_that_breaks_ends_there(side):
    def washed_out(picture, distance):
        if distance * side > 0:
            flat = picture.mean() + (picture - picture.mean()) * max(0.05, 1 - 0.35 * abs(distance))
            return flat.astype(np.uint8)

    found = Planted([0.05], spoil=washed_out).calibrator().measure(planted_directions([1.0]), 0)
    short, long = (-found.low, found.high) if side < 0 else (found.high, -found.low)
    assert found.broken == ("low" if side < 0 else "high")
    assert 0 < short < 0.8 * long


def test_a_side_that_breaks_at_once_is_left_out():
    def noise(picture, distance):
        if distance > 0:
            return np.random.RandomState(1).randint(0, 2, picture.shape).astype(np.uint8) * 255

    found = Planted([0.05], sigma=0.7, spoil=noise).calibrator().measure(planted_directions([1.0]), 0)
    assert found.high == 0 > found.low


def broken_by(monkeypatch, low=0.0, high=0.0):
    """How broken the pictures of each side are, whatever is on them."""
    checks = np.indices((32, 32)).sum(axis=0)[..., None] % 2 * 2 - 1
    sides = {-1: low, 1: high}
    monkeypatch.setattr(calibration, "broken", lambda before, after: sides[np.sign(((after - before) * checks).sum())])


@pytest.mark.parametrize(("share", "end"), [(0.25, 2.0), (0.64, 1.25), (1.0, 1.0), (1.25, 0.8)])
def test_where_a_side_breaks_follows_from_how_broken_it_was(monkeypatch, share, end):
    """Seen at 1.5 sigmas, long before the target: breaking grows at least linearly and at most quadratically."""
    broken_by(monkeypatch, low=share)
    found = Planted([TARGET / 4**GROWTH]).calibrator().measure(planted_directions([1.0]), 0)
    assert found.broken == "low"
    assert -found.low == pytest.approx(1.5 * end, rel=0.02)
    assert found.high == pytest.approx(4, rel=0.1)


@pytest.mark.parametrize(("share", "kept"), [(0.24, False), (0.26, True)])
@pytest.mark.parametrize("side", ["low", "high"])
def test_a_range_is_one_sided_from_a_quarter_on(monkeypatch, share, kept, side):
    """Seen at 1.5 sigmas, where the target is, about: there one end is, and the other at a share of it."""
    scene = Planted([TARGET / 1.5**GROWTH])
    whole, _ = scene.calibrator().measure(planted_directions([1.0]), 0).prior
    broken_by(monkeypatch, **{side: 1.5 / (share * whole)})
    found = scene.calibrator().measure(planted_directions([1.0]), 0)
    short, long = (-found.low, found.high) if side == "low" else (found.high, -found.low)
    assert long == pytest.approx(whole, rel=0.05)
    assert short == pytest.approx(share * whole if kept else 0.0, rel=0.05)
    assert found.broken == side


def test_a_direction_without_effect_ends_at_twenty_sigmas():
    found = Planted([0.0], sigma=0.5).calibrator().measure(planted_directions([1.0]), 0)
    assert (found.low, found.high) == (-10, 10)


def test_infinite_pictures_are_too_far():
    scene, furthest = Planted([0.1]), 0.5
    shot = scene.shot

    def fragile(index, who, distance):
        if abs(distance) > furthest:
            raise FramesError("NaN")
        return shot(index, who, distance)

    scene.shot = fragile
    assert scene.calibrator().measure(planted_directions([1.0]), 0).high > 0
    furthest = 0.0
    with pytest.raises(FramesError, match="NaN"):
        scene.calibrator().measure(planted_directions([1.0]), 0)


def test_a_single_subject_serves_both_sides():
    scene = Planted([0.1], subjects=1)
    found = scene.calibrator().measure(planted_directions([1.0]), 0)
    assert found.high == -found.low == pytest.approx((TARGET / 0.1) ** (1 / GROWTH), rel=0.1)


def test_networks_of_little_contrast_have_a_smaller_target():
    scene = Planted([0.1], contrast=10)
    apart = np.mean([visible_change(reduced(a), reduced(b)) for a in scene.base for b in scene.base if a is not b])
    calibrator = scene.calibrator()
    assert calibrator.target == pytest.approx(0.45 * apart, rel=1e-3)
    scene.view = View(Look(trunc=0.5), scene.view.seeds)
    assert scene.calibrator().target == pytest.approx(0.9 * apart, rel=1e-3)
    scene.base = scene.base[:1] * 4  # truncation 0: all alike, no scale to be had
    assert scene.calibrator().target == TARGET


@pytest.mark.parametrize(("noise", "low", "high"), [(0.0001, 2.5, 2.72), (0.4, 1.0, 2.0)])
def test_noise_between_seeds_shrinks_a_result(noise, low, high):
    """A result far from the earlier ones is kept where seeds agree, and moved towards them where they do not."""
    calibrator = Planted([1.0]).calibrator()
    calibrator.target  # noqa: B018, prepares
    calibrator._priors = [_Prior(7, scaled, 1.0) for scaled in (0.9, 1.0, 1.1, 1.0)]
    calibrator._noise = [noise]
    assert low < calibrator._shrunk(7, 2.718) < high
    assert calibrator._shrunk(8, 2.718) == 2.718  # no directions of these layers were measured


def test_unedited_pictures_that_are_there_are_not_rendered_again():
    scene = Planted([0.1])
    calibrator = scene.calibrator(unedited=dict(zip(scene.labels, scene.base)))
    first = calibrator.measure(planted_directions([1.0]), 0)
    assert scene.rendered in (4, 8)
    assert first == Planted([0.1]).calibrator().measure(planted_directions([1.0]), 0)


def test_settings_tell_truncation_and_class_apart():
    looks = (Look(), Look(trunc=0.7), Look(label=1), Look(noise_mode="none"))
    assert len({settings_of(look, SEEDS) for look in looks}) == 4
    assert settings_of(Look(), SEEDS, "digest") != settings_of(Look(), SEEDS) != settings_of(Look(), [5])
    assert settings_of(Look(force_fp32=True), SEEDS) == settings_of(Look(), SEEDS)


def test_small_networks_but_stylegan3_are_measured_with_more_seeds():
    sizes = [(32, False), (64, False), (65, False), (1024, False), (32, True), (1024, True)]
    assert [len(calibration.seeds_for(*size)) for size in sizes] == [8, 8, 4, 4, 4, 4]


def test_change_and_breaking_of_pictures():
    grey = np.full((300, 200, 1), 128, np.uint8)
    assert reduced(grey).shape == (100, 67, 1)
    lighter = np.full((300, 200, 1), 179, np.uint8)
    assert visible_change(reduced(grey), reduced(lighter)) == pytest.approx(0.2)
    picture = (128 + 40 * np.random.RandomState(0).randn(64, 64, 3)).clip(0, 255).astype(np.uint8)
    weak = (128 + (picture.astype(float) - 128) / 2.2).astype(np.uint8)
    assert broken(reduced(picture), reduced(picture)) == 0
    assert broken(reduced(picture), reduced(weak)) > 1
    assert broken(reduced(weak), reduced(picture)) > 1
    clipped = picture.copy()
    clipped[:12] = 255
    assert broken(reduced(picture), reduced(clipped)) > 1


# --- on networks ----------------------------------------------------------------------------------


@pytest.mark.hard  # hundreds of pictures
@pytest.mark.parametrize("layers", ["all", "coarse"])
def test_ranges_show_the_same_change_to_other_seeds_and_measures(layers):
    from demo.ranges import compare

    G = load_network("demo")
    directions = calibrate(G, factorize(G, layers, num_directions=10))
    found = compare(G, directions, Look())
    assert max(fitted for fitted, _ in found.values()) < 0.25
    for name in ("difference", "colours"):  # structure saturates: any change that is large enough is all
        fitted, fixed = found[name]
        assert fitted < 0.6 * min(fixed.values())


def test_the_public_function(golden):
    G = load_network(golden("sg2ada-cond-32").pickle)
    directions = factorize(G, num_directions=4)
    with pytest.raises(ValueError, match="conditional"):
        calibrate(G, directions)
    found = calibrate(G, directions, [0, 2], seeds=range(3), look=Look(label=1, trunc=0.7))
    assert found.ranges[1] is found.ranges[3] is None
    assert found.ranges[0][0] < 0 < found.ranges[2][1]
    assert found.sigmas[0] > 0
    assert found.calibration == settings_of(Look(label=1, trunc=0.7), range(3))
    again = calibrate(G, directions, [0, 2], seeds=range(3), look=Look(label=1, trunc=0.7))
    assert again.ranges == found.ranges
    assert len(SEEDS) == 4
