"""What a visitor looks at, as plain data: the browser keeps it, sends it and can put it into a link."""

from __future__ import annotations

from typing import Annotated, Literal, Optional, Union

from msgspec import UNSET, Meta, Struct, UnsetType, field

from ..rendering.look import Look
from ..rendering.typed_edits import MAX_DISTANCE, MAX_SEED

Id = Annotated[str, Meta(pattern="^[0-9a-f]{1,64}$")]
Layers = Annotated[str, Meta(pattern="^[A-Za-z0-9_,.-]{1,100}$")]
Place = Annotated[int, Meta(ge=0, le=10**5)]
_Distance = Annotated[float, Meta(ge=-MAX_DISTANCE, le=MAX_DISTANCE)]
Seed = Annotated[int, Meta(ge=0, le=MAX_SEED)]


class Sent(Struct, frozen=True, forbid_unknown_fields=True):
    """What a browser sends; unknown keys are refused."""


class Slider(Sent, frozen=True):
    """A direction of a group of layers, at a distance in units of w."""

    layers: Layers
    index: Place
    distance: _Distance


class State(Sent, frozen=True):
    """One edited picture, of a seed or of a photograph; ``network`` is the start of the network's digest."""

    network: Id
    seed: Seed
    trunc: Annotated[float, Meta(ge=-10, le=10)] = 1.0
    label: Optional[Annotated[int, Meta(ge=0, le=10**9)]] = field(default=None, name="class")
    noise: Literal["const", "random", "none"] = "const"
    edits: Annotated[tuple[Slider, ...], Meta(max_length=200)] = ()
    photo: Union[Annotated[str, Meta(pattern="^([0-9a-f]{16})?$")], UnsetType] = UNSET

    @property
    def photograph(self) -> str:
        """The id of the photograph; '' for a seed."""
        return "" if isinstance(self.photo, UnsetType) else self.photo

    @property
    def look(self) -> Look:
        """Truncation, class and noise."""
        return Look(trunc=self.trunc, noise_mode=self.noise, label=self.label)


class Preview(Sent, frozen=True):
    """A state while the slider of a direction of ``moving`` layers is dragged ('' if it is another control)."""

    state: State
    moving: str = ""


class Ends(Sent, frozen=True):
    """A state, and the direction whose strip is asked for."""

    state: State
    layers: Layers
    index: Place
    low: _Distance
    high: _Distance


class Cropped(Sent, frozen=True):
    """The part of a photograph that is projected, as `sefa project --crop` has it."""

    id: Annotated[str, Meta(pattern="^[0-9a-f]{16}$")]
    crop: Annotated[str, Meta(max_length=200)] = "center"


class Naming(Sent, frozen=True):
    """What is set for one direction; None leaves it."""

    network: Id
    layers: Layers
    index: Place
    name: Optional[Annotated[str, Meta(max_length=200)]] = None
    starred: Optional[bool] = None
    note: Optional[Annotated[str, Meta(max_length=2000)]] = None


class Choice(Sent, frozen=True):
    """Kept pictures of a network: the one of this id; '' for all."""

    network: Id
    id: Annotated[str, Meta(pattern="^[0-9a-f]{0,64}$")] = ""


class Record(Sent, frozen=True):
    """A video of a state, a walk through seeds with its edits, or one through kept pictures with theirs."""

    state: State
    kind: Literal["edit", "sequence", "walk", "kept"] = "edit"
    seeds: Annotated[tuple[Seed, ...], Meta(max_length=100)] = ()
    kept: Annotated[tuple[Id, ...], Meta(max_length=100)] = ()
    frames: Annotated[int, Meta(ge=2, le=3000)] = 60
    fps: Annotated[float, Meta(ge=1, le=120)] = 30.0
    loop: Literal["pingpong", "once", "closed"] = "pingpong"
    easing: Literal["linear", "sine", "cubic", "spherical"] = "linear"
    video: Literal["mp4", "gif", "png"] = "mp4"
    size: Optional[Annotated[int, Meta(ge=2, le=16384)]] = None
