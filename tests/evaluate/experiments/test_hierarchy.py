"""Which layers hold what: planted, and found."""

import json

import numpy as np
import pytest
from planted import ATTRIBUTES, Planted, Reader

from sefa_plugin.evaluate.experiments import hierarchy
from sefa_plugin.evaluate.samples.bench import Bench

pytestmark = pytest.mark.command


def test_every_attribute_is_found_in_its_layer():
    bench = Bench(Planted(), Reader(), count=20)
    directions = hierarchy.factorised(bench.G, 2)
    assert [held.label for held in directions] == ["layer00", "layer01", "layer02", "coarse", "middle", "fine", "all"]
    found = hierarchy.levels(bench, directions)
    grid = hierarchy.heatmap(found).matrix
    assert grid.shape == (7, 6)
    for layer in range(3):
        mine = np.arange(6) // 2 == layer
        for row in (layer, layer + 3):  # the single layer, and the group that it alone forms
            assert grid[row, mine].min() > 1
            assert np.abs(grid[row, ~mine]).max() < 0.05
    homes = hierarchy.homes(found)
    assert homes.columns == ["attribute", "strongest layer", "coarse (0-0)", "middle (1-1)", "fine (2-2)", "all (0-2)"]
    expected = ["ws 0, 4 px", "ws 0, 4 px", "ws 1, 8 px", "ws 1, 8 px", "ws 2, 16 px", "ws 2, 16 px"]
    assert [row[1] for row in homes.rows] == expected
    table = hierarchy.table_of(found)
    assert table.columns == ["layer", *ATTRIBUTES]
    assert len(table.rows) == 7
    held = json.loads(json.dumps(hierarchy.details(found)))
    assert np.allclose(held[0]["matrix"], found[0].summary.matrix, atol=1e-5)
    drawn = hierarchy.heatmap(found)
    assert (len(drawn.row_labels), len(drawn.column_labels)) == grid.shape


def test_a_network_without_groups_has_single_layers_and_all():
    from dataclasses import replace

    G = Planted()
    G.sefa = replace(G.sefa, layers=tuple(replace(layer, detail=None) for layer in G.sefa.layers))
    assert [held.label for held in hierarchy.factorised(G)] == ["layer00", "layer01", "layer02", "all"]
