"""Frames to a video, an animation or a folder of pictures, whole or not at all."""

from __future__ import annotations

import itertools
import logging
import os
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np

from .atomic import whole_file, whole_folder
from .pictures import as_rgb
from .spool import Spool

KINDS = ("mp4", "gif", "png")
CRF = 17  # constant quality: visually lossless, whatever the size
# Players assume BT.709 for anything of today; convert to it and say so, or colours shift.
_FILTER = "scale=in_range=pc:out_range=tv:out_color_matrix=bt709:flags=accurate_rnd+full_chroma_int+bicubic"
_TAGS = ["-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709", "-color_range", "tv"]
_GIF_CLOCK = 100  # GIF counts hundredths of a second
_GIF_SHORTEST = 2  # players slow anything shorter down
_GIF_SAMPLE = 24  # frames that choose the palette


class VideoError(Exception):
    """A video could not be written: no ffmpeg, or it failed."""


def write_video(path: str | os.PathLike, frames: Iterable[np.ndarray], fps: float = 30, kind: str | None = None) -> int:
    """Write frames to a file, or to a folder of PNGs.

    Args:
        path: the file; for ``png`` a folder.
        frames: uint8 ``[H, W, C]``, C 1 to 4, all of one size; pulled one by one. mp4 pads an odd width
            or height by one pixel, since its colours come in pairs; nothing is ever resized.
        fps: frames per second.
        kind: ``mp4`` (H.264), ``gif`` or ``png``; None goes by the suffix of ``path`` (none: ``png``).

    Returns:
        The number of frames written.

    Raises:
        ValueError: no frame, frames of different sizes, not uint8, or an unknown kind.
        VideoError: ffmpeg is missing or failed.
        OSError: the place cannot be written. Nothing new is left, and what was there before stays.
    """
    path = Path(path)
    kind = kind or path.suffix.lstrip(".").lower() or "png"
    if kind not in KINDS:
        raise ValueError(f"{path}: cannot write {kind!r}, choose one of {', '.join(KINDS)}")
    if not 0 < fps <= 1000:
        raise ValueError(f"fps {fps}: expected a number above 0")
    with _closing(frames) as source:
        checked = _checked(source)
        if kind == "png":
            return _write_folder(path, checked)
        with whole_file(path) as part:
            return (_write_mp4 if kind == "mp4" else _write_gif)(part, checked, fps)


@contextmanager
def _closing(frames: Iterable[np.ndarray]) -> Iterator[Iterator[np.ndarray]]:
    """Close a generator of frames at once when writing fails, not some time later."""
    source = iter(frames)
    if hasattr(source, "close"):
        with closing(source):
            yield source
    else:
        yield source


def _checked(frames: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    shape = None
    for index, frame in enumerate(frames):
        rgb = as_rgb(np.asarray(frame))
        if shape is None:
            shape = rgb.shape
        if rgb.shape != shape:
            raise ValueError(f"frame {index} is {rgb.shape[1]}x{rgb.shape[0]}, the first was {shape[1]}x{shape[0]}")
        yield rgb
    if shape is None:
        raise ValueError("there are no frames to write")


def check_ffmpeg() -> None:
    """Make sure that ffmpeg is there, before any work is done.

    Raises:
        VideoError: it is not; the message names the cure.
    """
    try:
        import imageio_ffmpeg

        imageio_ffmpeg.get_ffmpeg_exe()
    except (ImportError, RuntimeError) as error:
        raise VideoError(
            f"no ffmpeg to write mp4 with ({' '.join(str(error).split())[:80]}): "
            "pip install imageio-ffmpeg, or choose --video gif or png"
        ) from None


def _imageio():
    try:
        import imageio.v2 as imageio
    except ImportError:  # before 2.16
        import imageio
    return imageio


def _even(frame: np.ndarray) -> np.ndarray:
    """Repeat the last row or column where the size is odd."""
    return np.pad(frame, ((0, frame.shape[0] % 2), (0, frame.shape[1] % 2), (0, 0)), mode="edge")


def _write_mp4(part: Path, frames: Iterator[np.ndarray], fps: float) -> int:
    check_ffmpeg()
    first = next(frames)  # a mistake in the frames shows before ffmpeg is started
    logging.getLogger("imageio_ffmpeg").setLevel(logging.CRITICAL)
    count = 0
    try:
        writer = _imageio().get_writer(
            os.fspath(part),
            format="FFMPEG",
            mode="I",
            fps=fps,
            codec="libx264",
            quality=None,
            pixelformat="yuv420p",
            macro_block_size=2,
            ffmpeg_log_level="error",
            output_params=["-vf", _FILTER, "-crf", str(CRF), *_TAGS, "-movflags", "+faststart"],
        )
        with writer:
            for frame in itertools.chain([first], frames):
                writer.append_data(_even(frame))
                count += 1
    except (OSError, RuntimeError) as error:
        if isinstance(error, OSError) and error.errno is not None and not isinstance(error, BrokenPipeError):
            raise
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        raise VideoError(f"ffmpeg failed after {count} frames: {lines[-1][:200] if lines else 'no reason given'}") from None
    if not part.exists() or part.stat().st_size == 0:
        raise VideoError(f"ffmpeg wrote nothing for {count} frames")
    return count


def _write_folder(path: Path, frames: Iterator[np.ndarray]) -> int:
    from PIL import Image

    count = 0
    with whole_folder(path) as part:
        for frame in frames:
            Image.fromarray(frame).save(part / f"frame{count:04d}.png")
            count += 1
    return count


def _durations(count: int, fps: float) -> list[int]:
    """Milliseconds of each frame, on GIF's clock, so that the total is right."""
    ends = [max(round((index + 1) * _GIF_CLOCK / fps), (index + 1) * _GIF_SHORTEST) for index in range(count)]
    return [10 * (end - start) for start, end in zip([0, *ends], ends)]


def _write_gif(part: Path, frames: Iterator[np.ndarray], fps: float) -> int:
    """One palette for all frames, so that nothing flickers; they wait on disk until it is chosen."""
    from PIL import Image

    with Spool() as spool:
        for frame in frames:
            spool.append(frame)
        count = len(spool)
        sample = [_thumbnail(spool[index]) for index in range(0, count, -(-count // _GIF_SAMPLE))]
        palette = Image.fromarray(np.concatenate(sample, axis=1)).quantize(256, dither=Image.NONE)
        pictures = (Image.fromarray(spool[i]).quantize(palette=palette, dither=Image.NONE) for i in range(count))
        next(pictures).save(
            part, format="GIF", save_all=True, append_images=pictures, duration=_durations(count, fps), loop=0
        )
    return count


def _thumbnail(frame: np.ndarray) -> np.ndarray:
    """About 64 rows of a frame, for choosing colours."""
    step = max(1, frame.shape[0] // 64)
    return frame[::step, ::step]
