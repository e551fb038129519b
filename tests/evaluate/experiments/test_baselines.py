"""Methods side by side, on a generator in which it is known what each must find."""

import json

import numpy as np
import pytest
from planted import ATTRIBUTES, Planted, Reader

from sefa_plugin.evaluate.experiments import baselines
from sefa_plugin.evaluate.methods.methods import METHODS
from sefa_plugin.evaluate.samples.bench import Bench

pytestmark = pytest.mark.command


FEW = ("sefa", "interfacegan", "chance")


def measured(methods, count, scored, codes):
    bench = Bench(Planted(), Reader(), count=count)
    found = baselines.find(bench, methods, 6, scored=scored, codes=codes, first=50_000)
    floor = baselines.floors(bench, Reader(), portraits=count)
    return bench, baselines.compare(bench, found, Reader(), portraits=count), floor


@pytest.fixture(scope="module")
def compared():
    return measured(FEW, 30, 500, 500)


@pytest.mark.hard
def test_sefa_is_purest_where_layers_respond_to_one_attribute_each():
    _, outcomes, _ = measured(METHODS, 120, 3000, 4000)
    by = {one.found.method: one for one in outcomes}
    share = {method: one.summary.mean("share").value for method, one in by.items()}
    assert share["sefa"] > 0.95
    assert share["interfacegan-c"] > share["interfacegan"] > share["chance"]
    assert max(share["ganspace"], share["chance"]) < 0.6
    assert by["sefa"].summary.values["variety"] == 6
    assert by["sefa"].summary.values["rank"] > 5
    assert by["sefa"].summary.mean("preserved").value > 0.95 > by["chance"].summary.mean("preserved").value
    assert by["sefa"].like_sefa == pytest.approx(1, abs=1e-6)
    assert by["interfacegan"].like_sefa > 0.9 > by["chance"].like_sefa
    visible = [one.visible for one in outcomes]
    assert max(visible) / min(visible) < 1.25  # equal footing


def test_frechet_distance_has_a_floor(compared):
    _, outcomes, (floor, _) = compared
    assert floor.low < floor.value < floor.high
    assert all(one.frechet.value > floor.value for one in outcomes)


def test_tables(compared):
    _, outcomes, floor = compared
    table = baselines.table_of(outcomes, floor)
    assert [row[0] for row in table.rows] == ["no edit", *(baselines.TITLES.get(method, method) for method in FEW)]
    assert all(len(row) == len(table.columns) for row in table.rows)
    assert "Frechet" in table.columns and "Frechet, real" not in table.columns
    assert table.rows[1][table.columns.index("variety")] == "6 of 6"
    json.loads(table.json(baselines.details(outcomes)))
    share = baselines.by_attribute(outcomes, "share", "Disentanglement")
    assert [row[0] for row in share.rows] == list(ATTRIBUTES)
    assert share.rows[2][1].value == outcomes[0].summary.of("share", "smile").value
    alike = baselines.agreement_of(outcomes)
    assert [row[at + 1] for at, row in enumerate(alike.rows)] == pytest.approx([1] * len(FEW), abs=1e-6)
    own = baselines.details(outcomes)["sefa"]["own"]
    assert [own[name]["direction"] for name in ATTRIBUTES] == list(range(6))


def test_methods_can_be_chosen_and_are_checked(compared):
    bench, _, _ = compared
    found = baselines.find(bench, ["chance", "sefa"], 2, "coarse", scored=10)
    assert [one.method for one in found] == ["chance", "sefa"]
    assert all(one.directions.layers == (0,) for one in found)
    outcomes = baselines.compare(bench, found)
    assert outcomes[0].frechet is None
    # Of the layer that holds turn and tilt alone, nothing else moves.
    assert np.abs(outcomes[1].summary.matrix[:, 2:]).max() < 0.02
    assert outcomes[1].summary.values["variety"] == 2
    with pytest.raises(ValueError, match="choose from sefa, sharpen-layers"):
        baselines.find(bench, ["pca"], 2, scored=10)


def test_real_pictures_as_reference(compared):
    bench, outcomes, (floor, none) = compared
    far = bench.features(Reader()) + 10
    found = [outcomes[0].found]
    again = baselines.compare(bench, found, Reader(), far, portraits=30)
    assert none is None and again[0].real.value > 100 * floor.value
    assert again[0].frechet.value == outcomes[0].frechet.value
    assert "Frechet, real" in baselines.table_of(again, baselines.floors(bench, Reader(), far, 30)).columns
