"""The stage: one state that pages, the picture window and controllers share; the newest value of each control wins."""

from __future__ import annotations

import asyncio
import math
import random
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Optional, Union

from msgspec import Meta, structs
from starlette.concurrency import run_in_threadpool

from ..directions.layers import Label
from ..rendering.typed_edits import MAX_SEED
from ..system.messages import one_line
from .gallery import FOLDER
from .network import Network, replace_edits
from .presets import NAME, Controls, controls_in, presets_in
from .state import Id, Sent, Slider, State

ADDRESS = "/sefa/"  # what the addresses of controls begin with
SOURCES, SLIDERS = 2000, 200  # different sources between two states, and sliders that are not at 0
FAR = 2.0  # times the end of a slider
OTHERS, SEEDS_OF_A_KNOB, TRUNC = 100_000, 127, (-2.0, 2.0)  # seeds of chance, those of a knob, and ends of truncation
BUTTONS = ("seed/next", "seed/previous", "seed/random", "reset", "preset")
_FIELDS = ("seed", "trunc", "label", "noise", "photo")
Value = Union[float, str, None]


class Shown(Sent, frozen=True):
    """The state of a page, and the shared one that it comes from."""

    state: State
    over: Optional[State] = None


class Moves(Sent, frozen=True):
    """New values of sources, 0 to 1 each: MIDI, which browsers read."""

    network: Id
    moves: Annotated[dict[Annotated[str, Meta(max_length=200)], float], Meta(max_length=200)]


def merged(base: State, mine: State, theirs: State) -> State:
    """``theirs`` with what differs between ``base`` and ``mine``."""
    if mine.network != base.network or theirs.network != base.network:
        return mine if mine.network != base.network else theirs
    was, now, held = ({(one.layers, one.index): one.distance for one in state.edits} for state in (base, mine, theirs))
    for place in {**was, **now}:
        if was.get(place) != now.get(place):
            held[place] = now.get(place, 0.0)
    edits = [Slider(*place, distance) for place, distance in held.items() if distance]
    fields = {name: getattr(mine if getattr(mine, name) != getattr(base, name) else theirs, name) for name in _FIELDS}
    return replace_edits(structs.replace(theirs, **fields), edits)


def as_address(text: str) -> str:
    """A name as a part of an address, which has no spaces and none of ``#*,/?[]{}``."""
    return re.sub(r"[\s#*,/?\[\]{}]+", "-", text)


class Stage:
    """All methods but those of threads belong to the server's event loop.

    Attributes:
        state: what is shown.
        number: grows with every change, and with every message.
        by: the page that has changed it last; '' for a controller.
        unassigned: the last source that belongs to no control, to be learned.
        problem: a line on the last message that could not be used.

    Args:
        network: finds one by its id.
        first: the state in the beginning.
    """

    def __init__(self, network: Callable[[str], Network], first: State) -> None:
        self.state, self.number, self.by, self.unassigned, self.problem = first, 1, "", "", ""
        self._network = network
        self._pending: dict[str, tuple[int, Value]] = {}  # by source: how often it was pressed, its newest value
        self._applying: asyncio.Task[None] | None = None
        self._waiting: set[asyncio.Future[None]] = set()
        self._controls: tuple[object, Controls] = (None, {})

    # --- pages ------------------------------------------------------------------------------------

    def about(self) -> dict[str, object]:
        """What a page gets."""
        names = ("number", "state", "by", "unassigned", "problem")
        return {name: getattr(self, name) for name in names}

    def show(self, shown: Shown, by: str) -> None:
        """Take over what a page has changed."""
        state = shown.state if shown.over is None else merged(shown.over, shown.state, self.state)
        if len(state.edits) > SLIDERS:
            raise ValueError(f"over {SLIDERS} sliders are not at 0")
        self._set(state, by)

    def _set(self, state: State, by: str) -> None:
        self.state, self.by, self.number = state, by, self.number + 1
        for future in self._waiting:
            if not future.done():
                future.set_result(None)

    async def news(self, after: int, within: float) -> bool:
        """Wait for a higher number; returns whether there is one."""
        if self.number <= after:
            future = asyncio.get_running_loop().create_future()
            self._waiting.add(future)
            try:
                await asyncio.wait_for(future, within)
            except asyncio.TimeoutError:
                pass
            finally:
                self._waiting.discard(future)
        return self.number > after

    # --- controllers ------------------------------------------------------------------------------

    def moved(self, source: str, value: Value) -> None:
        """A controller has sent a value; of each source only the newest waits."""
        presses, _ = self._pending.pop(source, (0, None))
        if len(self._pending) >= SOURCES:
            return
        pressed = not isinstance(value, float) or value > 0
        self._pending[source] = presses + pressed, value
        if self._applying is None:
            self._applying = asyncio.get_running_loop().create_task(self._apply())

    async def settled(self) -> None:
        """Wait until all that controllers have sent is in the state."""
        while self._applying is not None:
            await asyncio.shield(self._applying)

    async def _apply(self) -> None:
        try:
            while self._pending:
                some, self._pending = self._pending, {}
                before = self.state
                after = await run_in_threadpool(self._after, before, some)
                self._set(merged(before, after, self.state), "")
        finally:
            self._applying = None

    def _after(self, state: State, some: Mapping[str, tuple[int, Value]]) -> State:
        """The state after some messages, in a thread."""
        for source, (presses, value) in some.items():
            try:
                network = self._network(state.network)
                if source.startswith(ADDRESS):
                    state = self._with(state, network, source[len(ADDRESS) :], presses, value)
                    continue
                self.unassigned, control = source, self._known(network).get(source, "")
                if control:
                    state = self._with(state, network, control, presses, _of_knob(control, value, network))
            except Exception as error:  # of any kind: the show goes on
                self.problem = one_line(f"{source}: {error}")
        return state

    def _known(self, network: Network) -> Controls:
        """The controls of sources that were learned, by source; read again where the file has changed."""
        path = network.folder / FOLDER / NAME
        stamp = path, _stamp(path)
        if self._controls[0] != stamp:
            self._controls = stamp, controls_in(network.folder / FOLDER)
        return self._controls[1]

    def _with(self, state: State, network: Network, control: str, presses: int, value: Value) -> State:
        """The state after one control; its value is that of an address.

        Raises:
            ValueError: there is no such control, or this cannot be its value.
        """
        if any(control == button or control.startswith(f"{button}/") for button in BUTTONS):
            return self._pressed(state, network, control, presses, value) if presses else state
        kind, _, rest = control.partition("/")
        if kind == "direction":
            layers, _, index = rest.partition("/")
            layers = Label.of(layers).of_layers
            if not index.isdecimal() or len(index) > 5:
                raise ValueError(f"expected {ADDRESS}direction/all/0")
            low, high = network.ends(layers, int(index))
            part = max(-FAR, min(FAR, _number(value)))
            distance = float(f"{part * (high if part > 0 else -low):.4g}")
            held = {(one.layers, one.index): one.distance for one in state.edits}
            held[layers, int(index)] = distance
            edits = [Slider(*place, distance) for place, distance in held.items() if distance]
            if len(edits) > SLIDERS:
                raise ValueError(f"over {SLIDERS} sliders are not at 0")
            return replace_edits(state, edits)
        if control == "seed":
            return structs.replace(state, seed=max(0, min(MAX_SEED, round(_number(value)))), photo="")
        if control == "trunc":
            return structs.replace(state, trunc=round(max(TRUNC[0], min(TRUNC[1], _number(value))), 4))
        classes = network.session.opened.sizes["c_dim"]
        if control == "class" and classes:
            return structs.replace(state, label=max(0, min(classes - 1, round(_number(value)))))
        raise ValueError("there is no such control; the page lists them")

    def _pressed(self, state: State, network: Network, control: str, presses: int, value: Value) -> State:
        kind, _, rest = control.partition("/")
        if control == "reset":
            return replace_edits(state, ())
        if kind == "seed":
            step = {"next": presses, "previous": -presses}.get(rest, 0)
            seed = state.seed + step if step else random.randrange(OTHERS)
            return structs.replace(state, seed=max(0, min(MAX_SEED, seed)), photo="")
        presets = presets_in(network.folder / FOLDER)
        wanted = rest or value
        if isinstance(wanted, float) and 1 <= wanted <= len(presets):
            return replace_edits(state, presets[int(wanted) - 1].edits)
        for preset in presets:
            if isinstance(wanted, str) and wanted in (preset.name, as_address(preset.name)):
                return replace_edits(state, preset.edits)
        raise ValueError("there is no such preset")


def _of_knob(control: str, value: Value, network: Network) -> Value:
    """The value of an address for that of a knob, 0 to 1."""
    kind = control.partition("/")[0]
    part = max(0.0, min(1.0, _number(value))) if value is not None else 1.0
    if kind == "direction":
        return 2 * part - 1
    if control == "seed":
        return part * SEEDS_OF_A_KNOB
    return part * (network.session.opened.sizes["c_dim"] - 1) if control == "class" else part


def _number(value: Value) -> float:
    if not isinstance(value, float) or not math.isfinite(value):
        raise ValueError("a number is needed")
    return value


def _stamp(path: Path) -> object:
    try:
        about = path.stat()
    except OSError:
        return None
    return about.st_mtime_ns, about.st_size
