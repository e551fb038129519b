"""What is made of each direction, and the distances that it takes."""

from __future__ import annotations

from dataclasses import dataclass

from ..media.mp4 import check_ffmpeg
from ..rendering.timelines import Schedule, pick, schedule, spread

COLUMNS = 7  # of a sheet
WIDTHS = {"gif": 480}  # pixels, of a video, where none is asked for
RATES = {"gif": 15.0}  # frames per second, likewise
WIDTH, RATE = 1920, 30.0


@dataclass(frozen=True)
class OutputSettings:
    """What is made of each direction.

    Attributes:
        frames, fps, loop, easing: of the video; see ``timelines.schedule``.
        video: ``mp4``, ``gif``, ``png`` or ``none``.
        max_width: of the video in pixels; None keeps the network's size.
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
    max_bytes: int | None = None
    captions: bool = False
    grid: bool = False
    sheet: bool = True

    def check(self) -> None:
        """Make sure, before any work, that videos of this kind can be written.

        Raises:
            VideoError: an MP4 needs ffmpeg, which is not there.
        """
        if self.video == "mp4":
            check_ffmpeg()

    def timeline(self, low: float, high: float) -> Schedule:
        """The video's distances over a range."""
        return schedule(low, high, self.frames, self.loop, self.easing)

    def columns(self, low: float, high: float) -> tuple[float, ...]:
        """A sheet's distances: steps of its video where there are enough, so that those are rendered once."""
        steps = self.timeline(low, high).distances
        return pick(steps, COLUMNS) if self.video != "none" and len(steps) >= COLUMNS else spread(low, high, COLUMNS)
