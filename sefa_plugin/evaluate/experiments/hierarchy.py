"""Which layers control which attributes: SeFa of every single layer and of the groups, at equal visible change.

CVPR 2021 finds pose in the bottom layers, shape in the middle and colour at the top of style-based generators; here
this is measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ...directions.factorization import factorize_groups
from ...directions.layers import GROUPS
from ...networks.style_layers import style_layers
from ..samples.bench import Bench
from ..statistics.summary import Summary, draws, summarise
from ..tables.heatmap import Heatmap
from ..tables.table import Table

if TYPE_CHECKING:
    from ...directions.directions import Directions
    from ...networks.generator import Generator
    from ..tables.table import Cell

DIRECTIONS = 5  # of each layer
NOTE = (
    "For each attribute the change, from one end of the range to the other, by that direction of a layer's strongest "
    "ones which changes it most, in standard deviations among unedited samples; ranges of equal visible change."
)


@dataclass(frozen=True, eq=False)
class Level:
    """One layer or group of layers.

    Attributes:
        label: ``layer03``, ``coarse``, ``all``.
        rows: its ws indices.
        size: pixels a side of the output of its last layer.
        summary: its directions.
        visible: mean visible change at their ends.
    """

    label: str
    rows: tuple[int, ...]
    size: int
    summary: Summary
    visible: float

    @property
    def title(self) -> str:
        """Its name in tables: ``ws 3, 16 px``."""
        if len(self.rows) == 1 and self.label.startswith("layer"):
            return f"ws {self.rows[0]}, {self.size} px"
        return f"{self.label} ({self.rows[0]}-{self.rows[-1]})"


def factorised(G: Generator, count: int = DIRECTIONS, torgb: str = "last", normalize: bool = True) -> list[Directions]:
    """The strongest directions of each single layer, of each group where the network has groups, and of all."""

    def strongest(layers: str) -> list[Directions]:
        return factorize_groups(G, layers, normalize=normalize, torgb=torgb, num_directions=min(count, G.w_dim))

    found = strongest("each")
    if len(found) >= len(GROUPS) and all(layer.detail is not None for layer in style_layers(G) if layer.kind == "conv"):
        found += strongest(",".join(GROUPS))
    return found + strongest("all")


def levels(bench: Bench, directions: Sequence[Directions]) -> list[Level]:
    """Calibrate, edit and score the directions of :func:`factorised`, and compute the measures."""
    sizes = {layer.ws_index: layer.size for layer in style_layers(bench.G) if layer.kind == "conv"}
    sizes = {**{layer.ws_index: layer.size for layer in style_layers(bench.G)}, **sizes}
    weights = draws(len(bench.samples))
    found = []
    for held in directions:
        changes = bench.changes(bench.calibrated(held))
        size = sizes[max(held.layers)]
        visible = float(changes.visible[changes.places != 0].mean())
        found.append(Level(held.label, held.layers, size, summarise(changes, weights=weights), visible))
    return found


def table_of(found: Sequence[Level]) -> Table:
    """The table of changes: a row for each layer, a column for each attribute."""
    names = found[0].summary.names
    rows: list[list[Cell]] = [[level.title, *(level.summary.of("change", name) for name in names)] for level in found]
    return Table("What each layer changes", ["layer", *names], rows, NOTE)


def homes(found: Sequence[Level]) -> Table:
    """For each attribute the single layer that changes it most, and the change by each group."""
    singles = [level for level in found if level.label.startswith("layer")]
    groups = [level for level in found if not level.label.startswith("layer")]
    rows: list[list[Cell]] = []
    for at, name in enumerate(found[0].summary.names):
        best = max(singles, key=lambda level: level.summary.values["change"][at])
        rows.append([name, best.title, *(level.summary.of("change", name) for level in groups)])
    return Table("Where each attribute lives", ["attribute", "strongest layer", *(g.title for g in groups)], rows, NOTE)


def heatmap(found: Sequence[Level]) -> Heatmap:
    """Mean change by the best direction, ``[levels, attributes]``, in standard deviations."""
    return Heatmap(
        np.stack([level.summary.values["change"] for level in found]),
        [level.title for level in found],
        found[0].summary.names,
        "What each layer changes",
        NOTE,
        "standard deviations",
    )


def details(found: Sequence[Level]) -> list[dict[str, object]]:
    """The whole matrices as JSON values."""
    return [
        {
            "label": level.label,
            "layers": list(level.rows),
            "size": level.size,
            "visible": level.visible,
            "attributes": list(level.summary.names),
            "matrix": level.summary.matrix.round(5).tolist(),
        }
        for level in found
    ]
