"""An explorer for notebooks: sliders along the strongest directions, and a picture that follows them.

ipywidgets is imported when an explorer is made (the extra ``notebook``); version 7, which Colab has, and 8 both do.
"""

from __future__ import annotations

import html
import io
import math
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from ..directions.directions import Directions
from ..directions.factorization import factorize_groups
from ..directions.kept import KeptDirections
from ..directions.layers import GROUPS
from ..media.pictures import as_image
from ..networks.building import load_network
from ..networks.style_layers import generator_of
from ..reading.download import BUNDLED, DATA
from ..rendering.calibration import seeds_of
from ..rendering.edits import Edit, edit_of
from ..rendering.local import Local
from ..rendering.look import Look
from ..rendering.ranges import Ranges
from ..rendering.shards import Shard, View
from ..system.environment import require_extra
from ..system.file_names import safe_name
from ..system.messages import without_unprintable
from .command_line import portable
from .recipe import Recipe
from .reproduce import of_explored
from .session import device_of

if TYPE_CHECKING:
    from torch import nn

    from ..networks.generator import Generator

STRONGEST = 6  # directions of a set that have a slider
SIDE = 384  # pixels; smaller pictures are enlarged by a whole number
QUICK = 0.25  # seconds; pictures that take longer follow a slider only when it is let go
COPY = "var t = this.previousElementSibling; t.select(); document.execCommand('copy');"


def explore(
    G: Generator | nn.Module | str | os.PathLike[str],
    directions: Directions | Sequence[Directions] | None = None,
    *,
    seed: int = 0,
    look: Look | None = None,
) -> Explorer:
    """Show sliders along the strongest directions of a network, in Jupyter or Colab.

    Args:
        G: a network file (or ``demo``), a generator of ``load_network``, or any in memory.
        directions: of one group of layers, or of several; their ranges are used, and measured where they have none.
            None finds those of all, of the coarse, the middle and the fine layers.
        seed: of the first picture.
        look: truncation, class and so on of the first picture.

    Raises:
        MissingExtra: ipywidgets is not installed.
        HookError, NetworkFileError, DownloadError: the network cannot be used.
        FramesError: it gives NaN or infinite pixels.
    """
    require_extra("ipywidgets", "the explorer")
    if isinstance(G, (str, os.PathLike)):
        G = load_network(G, device=device_of("auto"))
    return Explorer(G, directions, seed, look or Look())


class Explorer:
    """Widgets, and the picture that they show; a notebook shows it where it is the last line of a cell.

    Attributes:
        seed, trunc, label: boxes for the seed, truncation psi and the class (hidden where there are no classes).
        layers: chooses the group of layers that ``sliders`` edit. Edits of the other groups stay.
        sliders: of the chosen group, the strongest direction first; in units of w, over calibrated ranges.
        picture: the edited picture, as PNG, enlarged by a whole number if it is small.
        reset: sets all sliders to 0.
        save: writes ``recipe`` to the current folder.
        command: the command that makes this picture in full size, with a button that copies it.
        widget: all of them together.
    """

    def __init__(
        self, G: Generator | nn.Module, directions: Directions | Sequence[Directions] | None, seed: int, look: Look
    ) -> None:
        import ipywidgets

        self._widgets: Any = ipywidgets
        self._G = generator_of(G)
        self._engine = Local.of(self._G)
        self._look = replace(look, label=look.label or 0) if self._G.c_dim else look
        if directions is None:
            split = all(layer.detail is not None for layer in self._G.sefa.layers if layer.kind != "input")
            groups = ("all", *GROUPS) if split else ("all",)
            directions = factorize_groups(self._G, ",".join(groups), num_directions=min(STRONGEST, self._G.w_dim))
        self._sets = {held.label: held for held in ([directions] if isinstance(directions, Directions) else directions)}
        self._sliders: dict[str, list[Any]] = {}
        self._ranges = Ranges(View(self._look, (seed,)), self._engine, seeds_of(self._G))
        self._held = False  # whether the picture waits for further changes
        self._make(seed)
        self._show()
        start = perf_counter()
        self._show()
        self._quick = perf_counter() - start < QUICK
        self._choose()

    def _make(self, seed: int) -> None:
        w, whole, labels = self._widgets, 2**32 - 1, list(self._sets)
        self.seed = w.BoundedIntText(value=seed, min=0, max=whole, description="seed")
        self.trunc = w.FloatSlider(value=self._look.trunc, min=0, max=1, step=0.05, description="truncation")
        self.label = w.BoundedIntText(value=self._look.label or 0, min=0, max=max(self._G.c_dim - 1, 0))
        self.label.description, self.label.layout.display = "class", None if self._G.c_dim else "none"
        self.layers = w.ToggleButtons(options=labels, value=labels[0], description="layers")
        self.layers.style.button_width = "auto"
        self.picture, self.command, self._note = w.Image(format="png"), w.HTML(), w.HTML()
        self.reset = w.Button(description="Reset", tooltip="all sliders to 0")
        self.save = w.Button(description="Save recipe", tooltip="for sefa render --recipe")
        self.save.disabled = not self._G.sefa.which  # a recipe names the network's file
        self._box = w.VBox()
        self.layers.observe(self._choose, "value")
        for one in (self.seed, self.trunc, self.label):
            one.observe(self._show, "value")
        self.reset.on_click(self._reset)
        self.save.on_click(self._save)
        controls = [self.seed, self.trunc, self.label, self.layers, self._box, w.HBox([self.reset, self.save])]
        self.widget = w.VBox([w.HBox([self.picture, w.VBox(controls)]), self.command, self._note])

    def _ipython_display_(self) -> None:
        from IPython.display import display

        show: Callable[[object], object] = display
        show(self.widget)

    @property
    def sliders(self) -> tuple[Any, ...]:
        """The sliders of the chosen layers."""
        return tuple(self._sliders[self.layers.value])

    @property
    def look(self) -> Look:
        """Truncation and class as chosen, the rest as it was given."""
        return replace(self._look, trunc=self.trunc.value, label=self.label.value if self._G.c_dim else None)

    @property
    def edits(self) -> tuple[Edit, ...]:
        """The edits of all groups of layers whose sliders are not at 0."""
        return tuple(
            edit_of(self._sets[label], index, round(slider.value, 6))
            for label, sliders in self._sliders.items()
            for index, slider in enumerate(sliders)
            if slider.value
        )

    @property
    def recipe(self) -> Recipe:
        """Network, seed, look and edits; its network has no path where the generator came from no file."""
        known = self._G.sefa
        path = {str(DATA / file): name for name, file in BUNDLED.items()}.get(known.path) or portable(known.path)
        network = {"path": path, "name": known.name, "which": known.which, "digest": known.digest}
        network = {key: without_unprintable(value) for key, value in network.items()}
        return Recipe(network, (self.seed.value,), self.look, self.edits)

    def pixels(self) -> np.ndarray:
        """The picture in the network's size, uint8 ``[H, W, C]``."""
        edits = self.edits
        shard = Shard(((0.0, tuple((place, 1.0) for place in range(len(edits)))),), edits)
        (picture,) = self._engine.pictures(View(self.look, (self.seed.value,)), shard)
        return picture

    # --- what widgets call ------------------------------------------------------------------------

    def _choose(self, change: object = None) -> None:
        """Show the sliders of the chosen layers; their ranges are measured when they are chosen first."""
        label = self.layers.value
        if label not in self._sliders:
            self._sliders[label] = [self._slider(label, index) for index in range(len(self._sets[label]))[:STRONGEST]]
            self._note.value = ""
        self._box.children = self.sliders

    def _slider(self, label: str, index: int) -> Any:
        held = self._sets[label]
        ends = held.ranges[index]
        if ends is None:
            self._note.value = f"measuring how far direction {index} of {html.escape(label)} goes"
            group = KeptDirections(held)
            ends = self._ranges.of(group, index)
            self._sets[label] = group.directions
        step = 10.0 ** math.floor(math.log10((ends[1] - ends[0]) / 50))
        # A browser counts steps from the low end, and 0 must be one of them.
        low, high = (round(round(end / step) * step, 6) for end in ends)
        name = held.names[index] or f"direction {index}"
        slider = self._widgets.FloatSlider(value=0.0, min=low, max=high, step=step, description=name)
        slider.style.description_width = "initial"
        slider.readout_format, slider.continuous_update = "+.2f", self._quick
        slider.observe(self._show, "value")
        return slider

    def _show(self, change: object = None) -> None:
        if self._held:
            return
        picture = self.pixels()
        times = max(1, SIDE // max(picture.shape[:2]))
        data = io.BytesIO()
        as_image(np.repeat(np.repeat(picture, times, axis=0), times, axis=1)).save(data, "PNG")
        self.picture.value = data.getvalue()
        command = of_explored(self.recipe, self._sets.values()) if self._G.sefa.which else ""
        self.command.value = command and (
            f'<textarea readonly rows="2" style="width: 100%">{html.escape(command)}</textarea>'
            f'<button onclick="{COPY}">Copy command</button>'
        )

    def _reset(self, button: object = None) -> None:
        self._held = True
        for slider in (slider for sliders in self._sliders.values() for slider in sliders):
            slider.value = 0.0
        self._held = False
        self._show()

    def _save(self, button: object = None) -> None:
        recipe = self.recipe
        path = Path(f"{safe_name(recipe.stem)}.json")
        recipe.save(path)
        self._note.value = f"saved: <code>sefa render --recipe {html.escape(str(path))}</code>"
