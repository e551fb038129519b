"""Frames to a video, an animation or a folder of pictures, whole or not at all, in constant memory."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

import numpy as np

from ..system.whole_files import whole_folder
from .mp4 import check_ffmpeg, write_mp4
from .pictures import as_image, as_rgb, png_text

KINDS = ("mp4", "gif", "png")


def write_video(
    path: str | os.PathLike[str],
    frames: Iterable[np.ndarray],
    fps: float = 30,
    kind: str | None = None,
    *,
    comment: str = "",
    max_bytes: int | None = None,
) -> int:
    """Write frames as they come to a file, or to a folder of PNGs.

    mp4 is H.264 in BT.709 colours; an odd width or height grows by one pixel, since it has one chroma
    sample for 2 x 2 pixels; frames are not resized. gif loops for ever with one palette of 255 colours. png is a folder
    of ``frame0000.png``..., exact, which replaces an older folder as a whole.

    Args:
        path: the file; for ``png`` a folder.
        frames: uint8 ``[H, W, C]``, C 1 to 4, all of one size; read one by one, and closed at the end
            if it is a generator. For mp4 and gif, alpha is blended with white.
        fps: frames per second, 0.1 to 1000 (gif shows at most 50).
        kind: ``mp4``, ``gif`` or ``png``; None takes the suffix of ``path`` (without one ``png``).
        comment: goes into the metadata of the file, or of each PNG.
        max_bytes: of a GIF, which is made smaller in width and height until it fits.

    Returns:
        The number of frames written.

    Raises:
        ValueError: no frame, one that does not fit (its index is named), or an unknown kind or rate.
        VideoError: ffmpeg is missing or failed; the message gives its reason.
        OSError: the place cannot be written. Nothing new is left, and what was there before stays.
    """
    source, count = iter(frames), 0

    def checked() -> Iterator[np.ndarray]:
        nonlocal count
        shape = None
        for frame in map(np.asarray, source):
            what = f"frame {count} is {frame.dtype} {list(frame.shape)}"
            if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] not in (1, 2, 3, 4) or not frame.size:
                raise ValueError(f"{what}, expected uint8 [H, W, 1-4]")
            if shape not in (None, frame.shape):
                raise ValueError(f"{what}, the first was {list(shape)}: all must be of one size")
            shape = frame.shape
            count += 1
            yield frame

    try:
        kind = _kind(Path(path), fps, kind)
        if kind == "mp4":
            check_ffmpeg()  # before the first frame is rendered
        made = checked()
        first = next(made, None)
        if first is None:
            raise ValueError(f"{path}: there are no frames to write")
        made = chain([first], made)
        if kind == "png":
            _write_folder(path, made, comment)
        elif kind == "gif":
            from .gif import write_gif

            write_gif(path, map(as_rgb, made), fps, max_bytes, comment)
        else:
            write_mp4(path, map(as_rgb, made), fps, comment)
        return count
    finally:
        if hasattr(source, "close"):
            source.close()


def _kind(path: Path, fps: float, kind: str | None) -> str:
    suffix = path.suffix.lower().lstrip(".")
    kind = kind or suffix or "png"
    if kind not in KINDS:
        raise ValueError(f"{path}: cannot write {kind!r}, choose one of {', '.join(KINDS)}")
    if kind != "png" and suffix != kind:
        raise ValueError(f"{path}: the name of a {kind} ends in .{kind}")
    if not 0.1 <= fps <= 1000:
        raise ValueError(f"fps {fps}: expected a number from 0.1 to 1000")
    return kind


def _write_folder(path: str | os.PathLike[str], frames: Iterator[np.ndarray], comment: str) -> None:
    with whole_folder(path) as part:
        for index, frame in enumerate(frames):
            # Level 1: higher levels take longer than rendering and save little.
            as_image(frame).save(part / f"frame{index:04d}.png", compress_level=1, pnginfo=png_text(comment))
