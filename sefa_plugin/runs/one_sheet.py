"""The contact sheet of one direction of a generator in memory, for scripts and notebooks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from ..directions.kept import KeptDirections
from ..directions.keys import Key
from ..networks.style_layers import generator_of
from ..rendering.calibration import seeds_of
from ..rendering.local import Local
from ..rendering.look import Look
from ..rendering.ranges import Ranges
from ..rendering.shards import View
from .each_direction import EachDirection
from .folder import Silent
from .making import Making, is_current
from .output_settings import OutputSettings
from .record import Manifest

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import nn

    from ..directions.directions import Directions
    from ..networks.generator import Generator


def contact_sheet(
    G: Generator | nn.Module,
    directions: Directions,
    key: Key = 0,
    *,
    seeds: Sequence[int] = (0, 1, 2),
    look: Look | None = None,
    distance: tuple[float, float] | None = None,
) -> Image:
    """Draw the contact sheet of a direction, as ``sefa sheet`` does: seeds down, distances across.

    Args:
        G: a generator of ``load_network``, or any in memory (see ``in_memory.adopt``).
        directions: of its W or Z.
        key: number or name of one of them.
        seeds: the rows.
        look: truncation, class and so on.
        distance: the ends; None takes the calibrated range, measured now where ``directions`` have none for this look.

    Raises:
        FramesError: the network gives NaN or infinite pixels.
        ValueError: there is no such direction, or the network is conditional and ``look`` names no class.
        HookError: ``G`` is no generator.
    """
    generator, view = generator_of(G), View(look or Look(), tuple(seeds))
    engine, known = Local.of(generator), generator.sefa
    ranges = Ranges(view, engine, seeds_of(generator), distance)
    network = {"name": known.name, "digest": known.digest}
    output, job = OutputSettings.of_kind("none"), (KeptDirections(directions), directions.index(key))
    planned = EachDirection(view, network, (), output, ranges, [job]).planned()
    with TemporaryDirectory() as folder:
        manifest = Manifest(folder, (), network)
        Making(view, engine, manifest, Silent(), is_current(manifest, Silent(), True)).make(planned[1:])
        (sheet,) = Path(folder, "sheets").iterdir()
        return opened(sheet)


def opened(path: Path) -> Image:
    """A picture whose file is no longer needed."""
    from PIL import Image

    with Image.open(path) as image:
        return image.convert("RGB")
