"""With the truth known: variants of SeFa and baselines on a generator whose factors are planted."""

import json

import numpy as np
import pytest
from planted import ATTRIBUTES, Planted, Reader

from sefa_plugin.evaluate.experiments import truth
from sefa_plugin.evaluate.samples.bench import Bench
from sefa_plugin.evaluate.samples.parts import Parts

pytestmark = pytest.mark.command

CHOSEN = [
    variant
    for variant in truth.VARIANTS
    if variant.name
    in ("SeFa (default)", "not normalised", "groups together", "truncation 0.7", "coarse only", "chance")
    or variant.by == "interfacegan"
]


def measured(folder, variants, count, scored):
    """Two networks with two sets of ``count`` samples each."""
    parts, units = Parts(folder), []
    for network in (0, 1):
        bench = Bench(Planted(network), Reader(), count=count, parts=parts)
        for seed in (0, 1):
            unit = bench.replace(first=1000 + count * seed)
            units.append(truth.measure_unit(unit, variants, 6, scored, scored, seed=seed, network=network))
    return units


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    return truth.gather(measured(tmp_path_factory.mktemp("parts"), CHOSEN, 40, 1000), CHOSEN)


FEW = [variant for variant in CHOSEN if variant.name in ("SeFa (default)", "coarse only", "chance")]


@pytest.fixture(scope="module")
def units(tmp_path_factory):
    """Of few variants and samples, where the values are not looked at."""
    return measured(tmp_path_factory.mktemp("few"), FEW, 10, 500)


@pytest.fixture(scope="module")
def few(units):
    return truth.gather(units, FEW)


@pytest.mark.hard
def test_planted_factors_are_recovered(results):
    by = {result.variant: result for result in results}
    default = by["SeFa (default)"]
    assert default.values["correlation"].value > 0.99
    assert default.values["share"].value > 0.95
    assert default.values["variety"].value == 6
    # In a linear world any direction changes every factor in proportion: what tells them apart is what else changes.
    assert by["chance"].values["correlation"].value > 0.99
    assert by["chance"].values["share"].value < 0.6
    assert set(default.factors["share"]) == set(ATTRIBUTES)


@pytest.mark.hard
def test_differences_are_clear_where_they_are_and_not_where_there_are_none(results):
    by = {result.variant: result for result in results}
    assert by["chance"].differences["share"].high < -0.2
    assert by["coarse only"].differences["variety"].high < -3
    assert by["InterFaceGAN"].differences["share"].high < 0
    apart = by["groups together"].differences["share"]
    assert apart.low <= 0.02 and apart.high >= -0.02  # both find each attribute
    assert by["SeFa (default)"].differences["share"].as_list() == [0, 0, 0]


def test_differences_are_those_of_the_values(few):
    default, *_ = few
    assert default.variant == "SeFa (default)"
    for measure in truth.COMPARED:
        for result in few:
            expected = result.values[measure].value - default.values[measure].value
            assert result.differences[measure].value == pytest.approx(expected, abs=1e-9)


def test_what_is_written(few):
    table = truth.table_of(few)
    assert [row[0] for row in table.rows] == [variant.name for variant in FEW]
    assert len(truth.differences(few).rows) == len(FEW) - 1
    json.loads(table.json(truth.details(few)))
    drawn = truth.heatmap(few, "correlation", "title")
    assert drawn.matrix.shape == (len(drawn.row_labels), len(drawn.column_labels)) == (len(FEW), 6)
    factors = truth.by_factor(few, "share", "How purely")
    assert factors.rows[0][1].value == few[0].factors["share"]["turn"].value


def test_any_two_variants_can_be_compared(units, few):
    by = {result.variant: result for result in few}
    found = truth.between(units, "chance", "coarse only", "share")
    apart = by["chance"].values["share"].value - by["coarse only"].values["share"].value
    assert found.value == pytest.approx(apart)
    assert found.low <= found.value <= found.high
    back = truth.between(units, "coarse only", "chance", "share")
    assert (back.value, back.low, back.high) == pytest.approx((-found.value, -found.high, -found.low))


def test_directions_are_divided_among_groups():
    G = Planted()
    by_group = next(variant for variant in truth.VARIANTS if variant.name == "groups together")
    single = next(variant for variant in truth.VARIANTS if variant.layers == "each")
    assert truth._divided(G, by_group, 7) == [("coarse", 3), ("middle", 2), ("fine", 2)]
    assert truth._divided(G, single, 2) == [("0", 1), ("1", 1)]
    changes, intended = truth._changes(Bench(G, Reader(), count=5), by_group, 5, 10, 10, 0)
    assert changes.scores.shape == (5, 2, 5, 6) and intended == ("",) * 5
    still = np.abs(changes.across[:2, :, 2:]).max()  # the two of the coarse layer leave what other layers hold
    assert still < 0.2


def test_variants_that_a_network_has_no_layers_for_are_left_out():
    from dataclasses import replace

    G = Planted()
    assert truth.fitting(G) == list(truth.VARIANTS)
    G.sefa = replace(G.sefa, layers=tuple(replace(layer, detail=None) for layer in G.sefa.layers))
    kept = truth.fitting(G)
    assert 5 < len(kept) < len(truth.VARIANTS)
    assert not any("coarse" in variant.layers for variant in kept)
