"""The outputs of a run as plain data: each with its settings, its layout and the shards of its pictures.

A plan can be written as JSON by one process and rendered by another (``making.render_plan``), with the same bytes if
both have equal ``Arithmetic``. No torch.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Optional, Union

import msgspec
import numpy as np

from ..media.pictures import Size
from ..rendering.arithmetic import Arithmetic
from ..rendering.shards import Shard, View
from ..system.whole_files import whole_file
from .record import About, Settings

RENDERER = 2  # increased when equal settings would give other pictures
FORMAT = 1
SHEETS, VIDEOS, LAST = 1, 2, 3  # the order in which outputs are made


class PlanError(Exception):
    """Data that are no plan, or a plan of another network."""


class _OfOneShard(msgspec.Struct, frozen=True, kw_only=True):
    shard: Shard

    @property
    def shards(self) -> tuple[Shard, ...]:
        """The shard of its pictures."""
        return (self.shard,)


class Sheet(_OfOneShard, frozen=True, kw_only=True, tag=True):
    """A contact sheet.

    Attributes:
        shard: its pictures, by rows, or by columns if ``by_columns``.
        row_labels, column_labels: as many as it has rows and columns; further pictures of the shard are not shown.
        title, text: lines above it.
        marked: the column, or the row and the column, of the unedited pictures.
        comment: the command that makes it again.
        described: whether changes at the ends are described in words, with a map of the changed places.
        scale: how many times pictures are larger than usual.
        region: whose outline is drawn, and whose share of the change is measured; '' for none.
    """

    row_labels: tuple[str, ...]
    column_labels: tuple[str, ...]
    title: str
    text: str = ""
    by_columns: bool = False
    marked: Union[int, tuple[int, int], None] = None
    comment: str = ""
    described: bool = False
    scale: int = 1
    region: str = ""


class Video(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A video.

    Attributes:
        shards: distinct frames, a row of a shard for each; of several shards, the frames side by side.
        order: for each frame of the video the index of its distinct frame.
        captions: texts below each distinct frame; () for none.
        kind: ``mp4``, ``gif`` or ``png``.
        fps, max_width, scale, canvas, max_bytes: see ``OutputSettings``.
        comment: the command that makes it again.
    """

    shards: tuple[Shard, ...]
    order: tuple[int, ...]
    kind: str
    fps: float
    captions: tuple[tuple[str, ...], ...] = ()
    max_width: Optional[int] = None
    scale: Optional[int] = 1
    canvas: str = ""
    max_bytes: Optional[int] = None
    comment: str = ""

    @property
    def size(self) -> Size:
        """The size of its pictures."""
        return Size(self.max_width, self.scale, self.canvas)


class Still(_OfOneShard, frozen=True, kw_only=True, tag=True):
    """One picture in full size, with the command that makes it again."""

    comment: str = ""


class Latents(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The ws of shots, as NVIDIA's projectors write them."""

    shard: Shard
    shards: ClassVar[tuple[Shard, ...]] = ()  # no picture is made


class Text(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A file of text."""

    text: str
    shards: ClassVar[tuple[Shard, ...]] = ()


Layout = Union[Sheet, Video, Still, Latents, Text]


@dataclass(frozen=True, eq=False)
class Output:
    """One file, or one folder of frames.

    Attributes:
        name: its path in the folder of the run.
        layout: what is made of which pictures.
        settings: all that determines it; it is up to date if the record has it with equal settings.
        distances: of its columns or frames, for the record.
        about: words about it, for the record.
        order: outputs are made in this order.
        quiet: not reported or counted if it is kept.
    """

    name: str
    layout: Layout
    settings: Settings
    distances: tuple[Union[int, float], ...] = ()
    about: About = field(default_factory=dict)
    order: tuple[int, int] = (0, 0)
    quiet: bool = False


@dataclass(frozen=True, eq=False)
class Later:
    """Outputs that can be planned only when a range has been measured.

    Attributes:
        order: as that of an output.
        pictures: about how many the measurement and the outputs need.
        settle: measures the range and plans the outputs, given the unedited pictures by label.
    """

    order: tuple[int, int]
    pictures: int
    settle: Callable[[Mapping[str, np.ndarray]], Sequence[Output]]


Planned = Union[Output, Later]


@dataclass(frozen=True, eq=False)
class Plan:
    """All outputs of a run.

    Attributes:
        network: path, name, digest and so on; see ``Session.about``.
        command: what was typed.
        view: subjects and look.
        outputs: in the order in which they are made.
        arithmetic: how their pictures are computed; None for the default of the rendering computer.
        format: of the file.
    """

    network: dict[str, str]
    command: tuple[str, ...]
    view: View
    outputs: tuple[Output, ...]
    arithmetic: Optional[Arithmetic] = None
    format: int = FORMAT

    def data(self) -> bytes:
        """The plan as JSON."""
        return msgspec.json.encode(self, enc_hook=_from_array)

    @classmethod
    def of(cls, data: bytes) -> Plan:
        """Read a plan from JSON.

        Raises:
            PlanError: it holds no plan, or one of another version.
        """
        try:
            plan = msgspec.json.decode(data, type=cls, dec_hook=_to_array)
        except (msgspec.MsgspecError, ValueError, TypeError) as error:
            raise PlanError(f"this is no plan: {' '.join(str(error).split())[:200]}") from None
        if plan.format != FORMAT:
            raise PlanError(f"this plan has the format {plan.format}, this version reads {FORMAT}")
        return plan

    def save(self, path: Path) -> None:
        """Write the plan, whole or not at all.

        Raises:
            OSError: the file cannot be written.
        """
        with whole_file(path) as part:
            part.write_bytes(self.data())


def _from_array(value: object) -> object:
    if isinstance(value, np.ndarray):
        return {"shape": value.shape, "float32": base64.b64encode(value.astype("<f4").tobytes()).decode("ascii")}
    raise NotImplementedError(type(value).__name__)


def _to_array(kind: type, value: Any) -> object:
    if kind is np.ndarray:
        return np.frombuffer(base64.b64decode(value["float32"]), "<f4").reshape(value["shape"]).astype(np.float32)
    raise NotImplementedError(kind.__name__)


def common_settings(view: View, network: Mapping[str, str]) -> Settings:
    """The settings of all pictures of a view, for the record."""
    look = asdict(view.look)
    look |= {key: list(look[key]) for key in ("translate", "camera")}
    if look["background"] is None:  # as in records of versions that had none
        del look["background"]
    return {
        "renderer": RENDERER,
        "network": network["digest"],
        "subjects": view.labels,
        "projected": view.projected,
        "look": look,
    }
