"""Ranges do not tell in how many runs they were measured."""

import pytest
from made_directions import altered

from sefa_plugin import Directions, load_network
from sefa_plugin.directions.factorization import factorize_groups
from sefa_plugin.directions.kept import KeptDirections
from sefa_plugin.rendering.calibration import seeds_of
from sefa_plugin.rendering.local import Local
from sefa_plugin.rendering.look import Look
from sefa_plugin.rendering.ranges import Ranges
from sefa_plugin.rendering.shards import View

pytestmark = pytest.mark.command


@pytest.fixture(scope="module")
def G(golden):
    return load_network(golden("sg2-in-sg3-32").pickle)


class Kept:
    """Groups of directions in files."""

    def __init__(self, G, folder):
        self.G, self.folder = G, folder
        folder.mkdir()
        for found in factorize_groups(G, "coarse,middle", num_directions=3):
            found.save(folder / found.label)

    def measure(self, places, stop=None):
        """In a run of its own, which may be stopped after so many: what is known comes first, as in the pipeline."""
        groups = {label: self.group(label) for label in ("coarse", "middle")}
        ranges = Ranges(View(Look(), [5]), Local.of(self.G), seeds_of(self.G))
        known = [place for place in places if ranges.known(groups[place[0]], place[1])]
        for label, index in known + [place for place in places if place not in known][:stop]:
            ranges.of(groups[label], index)

    def group(self, label):
        path = self.folder / label
        return KeptDirections(Directions.load(path), path)

    def content(self):
        return {path.name: path.read_bytes() for path in self.folder.iterdir()}


def test_a_run_that_was_stopped_ends_as_if_it_were_not(G, tmp_path):
    places = [(label, index) for label in ("coarse", "middle") for index in range(3)]
    whole = Kept(G, tmp_path / "whole")
    whole.measure(places)
    for stop in (1, 3, 5):  # in the first group, between the two, in the second
        kept = Kept(G, tmp_path / f"{stop}")
        kept.measure(places, stop)
        assert kept.content() != whole.content()
        kept.measure(places)
        assert kept.content() == whole.content(), stop


def test_neither_does_one_that_begins_in_the_middle(G, tmp_path):
    """Directions that an earlier command has measured are priors in the first run as in the one after a stop."""
    places = [("coarse", index) for index in range(3)]
    contents = []
    for stop in (0, 1):
        kept = Kept(G, tmp_path / f"{stop}")
        kept.measure([("coarse", 1)])
        kept.measure(places, stop)
        kept.measure(places)
        contents.append(kept.content())
    assert contents[0] == contents[1]


def test_older_files_hold_no_priors(G, tmp_path):

    kept = Kept(G, tmp_path / "old")
    kept.measure([("coarse", 0)])
    group = kept.group("coarse")
    before = group.directions.ranges[0]
    assert group.directions.priors[0] is not None
    altered(group.directions, priors=()).save(group.path)
    kept.measure([("coarse", 0), ("coarse", 1)])
    held = kept.group("coarse").directions
    assert held.ranges[0] == before and held.ranges[1] is not None
    assert held.priors[0] is None and held.priors[1][0] > 0


def test_ranges_of_another_truncation_are_neither_used_nor_kept(G, tmp_path):
    kept = Kept(G, tmp_path / "kept")
    kept.measure([("coarse", 0), ("coarse", 1)])
    group = kept.group("coarse")
    before = group.directions
    same, other = (Ranges(View(Look(trunc=trunc), [5]), Local.of(G), seeds_of(G)) for trunc in (1.0, 0.5))
    assert [same.known(group, index) for index in range(3)] == [True, True, False]
    assert same.of(group, 0) == before.ranges[0] and group.directions is before
    assert not any(other.known(group, index) for index in range(3))
    ends = other.of(group, 0)
    held = group.directions
    assert held.calibration == other.settings != before.calibration
    assert held.ranges == (ends, None, None)
    assert other.known(group, 0) and not same.known(group, 0)
    assert kept.group("coarse").directions.ranges == held.ranges  # in the file, too
