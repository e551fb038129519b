"""The outputs of each direction, and the distances of their frames and columns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

from ..media.mp4 import check_ffmpeg
from ..media.pictures import CANVASES
from ..media.video import KINDS
from ..rendering.paths import EASINGS
from ..rendering.shards import Shard
from ..rendering.timelines import PATH_LOOPS, Schedule, pick, round_steps, schedule, spread
from .plan import Video
from .settings import SettingsError

COLUMNS = 7  # of a sheet
WIDTHS = {"gif": 480}  # default width of a video in pixels
RATES = {"gif": 15.0}  # default frames per second
WIDTH, RATE = 1920, 30.0


@dataclass(frozen=True)
class OutputSettings:
    """The outputs of each direction.

    Attributes:
        frames, fps, loop, easing: of the video; see ``timelines.schedule``.
        video: ``mp4``, ``gif``, ``png`` or ``none``.
        max_width: of the video in pixels; None sets no limit.
        scale: how many times pictures are enlarged; None enlarges those of small networks (see ``Size``),
            but not in PNGs and without a ``max_width``.
        canvas: the format of the video, ``1080p`` or ``square``; '' takes that of the pictures.
        max_bytes: of a GIF; it is reduced until it fits. None sets no limit.
        captions: whether direction and distance are written below the frames.
        grid: whether one more video shows all directions at once.
        sheet: whether a contact sheet is made.
    """

    frames: int = 60
    fps: float = RATE
    loop: str = "pingpong"
    easing: str = "linear"
    video: str = "mp4"
    max_width: int | None = WIDTH
    scale: int | None = None
    canvas: str = ""
    max_bytes: int | None = None
    captions: bool = False
    grid: bool = False
    sheet: bool = True

    @classmethod
    def of_kind(
        cls,
        video: str,
        *,
        frames: int = 60,
        fps: float | None = None,
        loop: str = "pingpong",
        easing: str = "linear",
        width: int | str | None = None,
        scale: int | None = None,
        canvas: str | None = None,
        max_mb: float = 10.0,
        captions: bool = False,
        grid: bool = False,
        sheet: bool = True,
    ) -> OutputSettings:
        """Settings with the defaults of a kind of video: a GIF is smaller and has fewer frames per second.

        Args:
            fps, width: None takes the default; ``native`` keeps the network's size.
            canvas: None takes the format of the pictures.
            max_mb: of a GIF, in megabytes.
            video, frames, loop, easing, scale, captions, grid, sheet: as the attributes.
        """
        return cls(
            frames=frames,
            fps=RATES.get(video, RATE) if fps is None else fps,
            loop=loop,
            easing=easing,
            video=video,
            max_width=None if width == "native" else WIDTHS.get(video, WIDTH) if width is None else int(width),
            scale=scale,
            canvas=canvas or "",
            max_bytes=int(max_mb * 1e6) if video == "gif" else None,
            captions=captions,
            grid=grid,
            sheet=sheet,
        )

    def check(self) -> None:
        """Check, before any work, that these outputs can be made.

        Raises:
            SettingsError: a kind, loop or easing that is not known, or no frame.
            VideoError: an MP4 needs ffmpeg, which is not there.
        """
        known = self.video in (*KINDS, "none") and self.loop in PATH_LOOPS and self.easing in EASINGS
        if not known or self.frames < 1 or not self.fps > 0:
            raise SettingsError(
                f"{self.frames} frames, {self.fps} fps, video {self.video!r:.20}, loop {self.loop!r:.20}, easing "
                f"{self.easing!r:.20}: choose of {', '.join(KINDS)}; {', '.join(PATH_LOOPS)}; {', '.join(EASINGS)}"
            )
        if self.canvas and (self.canvas not in CANVASES or self.scale not in (1, None)):
            raise SettingsError(
                f"canvas {self.canvas!r:.20}: choose of {', '.join(CANVASES)}, which decide the size; leave out a scale"
            )
        if self.video == "mp4":
            check_ffmpeg()

    def of_video(self) -> dict[str, object]:
        """The settings that determine a video, for its record."""
        held = asdict(self)
        del held["sheet"], held["grid"]
        if not self.canvas:
            del held["canvas"]
        if self.scale is None:
            del held["scale"]
        return held

    def of_sheet(self) -> dict[str, object]:
        """The settings that determine a sheet, beside its columns."""
        return {} if self.scale in (None, 1) else {"scale": self.scale}

    def video_named(self, stem: str) -> str:
        """The name of a video: a file, or for ``png`` a folder."""
        return stem if self.video == "png" else f"{stem}.{self.video}"

    def layout(
        self, shards: tuple[Shard, ...], order: Sequence[int], captions: Iterable[Sequence[str]], comment: str
    ) -> Video:
        """A video with these settings; see :class:`Video`."""
        return Video(
            shards=shards,
            order=tuple(order),
            kind=self.video,
            fps=self.fps,
            captions=tuple(map(tuple, captions)) if self.captions else (),
            max_width=self.max_width,
            scale=1 if self.scale is None and self.video == "png" else self.scale,
            canvas=self.canvas,
            max_bytes=self.max_bytes,
            comment=comment,
        )

    def timeline(self, low: float, high: float) -> Schedule:
        """The video's distances over a range."""
        return schedule(low, high, self.frames, self.loop, self.easing)

    def columns(self, low: float, high: float, measured: bool = False) -> tuple[float, ...]:
        """A sheet's distances: round numbers for a range that was measured, else from end to end.

        Those of a typed range are some of its video where there are enough, so that these are rendered once.
        """
        if measured:
            return round_steps(low, high, COLUMNS)
        steps = self.timeline(low, high).distances
        return pick(steps, COLUMNS) if self.video != "none" and len(steps) >= COLUMNS else spread(low, high, COLUMNS)
