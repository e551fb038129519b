"""RGB frames to a looping GIF with one palette for all frames, in constant memory."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable
from typing import BinaryIO

import numpy as np
from PIL import Image
from PIL.GifImagePlugin import getdata

from ..system.whole_files import whole_file
from .frame_store import FrameList

COLOURS = 255  # of 256: one index means "as in the frame before"
SAME = 255
SHORTEST = 2  # 1/100 s; players show anything shorter at 1/10 s
PIXELS = 1 << 18  # sampled from each frame for the palette, at most
TRIALS = 8  # sizes that are tried to stay below a limit of bytes
DITHER = 8  # levels, about the distance between neighbours of a palette


def write_gif(
    path: str | os.PathLike[str],
    frames: Iterable[np.ndarray],
    fps: float,
    max_bytes: int | None = None,
    comment: str = "",
) -> None:
    """Write a GIF that loops for ever; it appears whole or not at all.

    GIF counts time in 1/100 s, so a single frame is up to half of that too long or short, the total is not;
    above 50 fps, which players do not show, every frame lasts 1/50 s.

    Args:
        path: the file.
        frames: at least one, uint8 RGB ``[H, W, 3]``, all of one size. They are kept in a temporary
            file until the palette has been computed from all of them.
        fps: frames per second.
        max_bytes: where the file grows larger, it is written again in a smaller size.
        comment: goes into the metadata of the file.

    Raises:
        OSError: the place, or the temporary folder, cannot be written.
    """
    with FrameList() as store, whole_file(path) as part:
        colours = _Colours()
        for frame in frames:
            store.append(frame)
            colours.add(frame)
        waits = delays(len(store), fps)
        palette, dither = colours.palette(COLOURS), DITHER if colours.many(COLOURS) else 0
        scale = 1.0
        for _ in range(TRIALS):
            with open(part, "wb") as file:
                _write(file, store, palette, dither, waits, scale, comment)
                size = file.tell()
            if max_bytes is None or size <= max_bytes:
                break
            scale *= min(0.9, (max_bytes / size) ** 0.5)  # bytes are roughly proportional to the area


def delays(count: int, fps: float) -> list[int]:
    """Durations of ``count`` frames in 1/100 s: whole numbers whose sum is the true length, rounded."""
    ends = [round(100 * i / fps) for i in range(count + 1)]
    return [max(SHORTEST, end - start) for start, end in zip(ends, ends[1:])]


class _Colours:
    """A histogram of colours in 64 x 64 x 64 cells."""

    def __init__(self) -> None:
        self.count = np.zeros(1 << 18)
        self.total = np.zeros((3, 1 << 18))  # sum of the colours in each cell, for its exact mean

    def add(self, frame: np.ndarray) -> None:
        step = max(1, int(np.ceil(np.sqrt(frame.shape[0] * frame.shape[1] / PIXELS))))
        pixels = frame[::step, ::step].reshape(-1, 3)
        r, g, b = (pixels >> 2).astype(np.int32).T
        cell = r << 12 | g << 6 | b
        self.count += np.bincount(cell, minlength=1 << 18)
        for channel in range(3):
            self.total[channel] += np.bincount(cell, pixels[:, channel], minlength=1 << 18)

    def many(self, size: int) -> bool:
        """Whether there are more than ``size`` colours."""
        return bool(np.count_nonzero(self.count) > size)

    def palette(self, size: int) -> np.ndarray:
        """At most ``size`` colours, uint8 ``[n, 3]``: all of them if they are no more than that."""
        used = np.flatnonzero(self.count)
        colours = np.rint(self.total[:, used] / self.count[used]).astype(np.uint8).T
        if not self.many(size):
            return colours
        # Square root: small parts such as eyes and mouths get more colours than by their area alone.
        share = np.sqrt(self.count[used])
        times = 1 + np.floor(share * (PIXELS / share.sum())).astype(np.int64)
        pixels = np.repeat(colours, times, axis=0)[None]
        reduced = Image.fromarray(pixels).quantize(size, method=0, kmeans=1)  # median cut, then refined
        palette = reduced.getpalette()
        assert palette is not None  # quantized pictures have one
        return np.array(palette[: 3 * size], np.uint8).reshape(-1, 3)


def _write(
    file: BinaryIO,
    store: FrameList,
    palette: np.ndarray,
    dither: int,
    waits: list[int],
    scale: float,
    comment: str,
) -> None:
    height, width = (max(2, round(side * scale)) for side in store[0].shape[:2])
    pattern = _pattern(height, width) * dither
    table = np.concatenate([palette, np.repeat(palette[-1:], 256 - len(palette), axis=0)])
    file.write(b"GIF89a" + struct.pack("<HHBBB", width, height, 0xF7, 0, 0) + table.tobytes())
    file.write(b"!\xff\x0bNETSCAPE2.0\x03\x01\x00\x00\x00")  # repeat without end
    if comment:
        text = comment.encode("utf-8", "replace")
        blocks = [text[start : start + 255] for start in range(0, len(text), 255)]
        file.write(b"!\xfe" + b"".join(bytes([len(block)]) + block for block in blocks) + b"\x00")
    chart = Image.new("P", (1, 1))
    chart.putpalette(table.tobytes())
    before = None
    for index, wait in enumerate(waits):
        frame = store[index]
        if scale < 1:
            frame = np.asarray(Image.fromarray(frame).resize((width, height), 1))  # Lanczos
        dithered = np.clip(np.rint(frame + pattern), 0, 255).astype(np.uint8)
        # 0: none. A number, since Image.Dither came with Pillow 9.1.
        picture = Image.fromarray(dithered).quantize(palette=chart, dither=0)  # type: ignore[arg-type]
        now = np.minimum(np.asarray(picture), len(palette) - 1)
        left, top, part = (0, 0, now) if before is None else _change(before, now)
        packed = getdata(Image.fromarray(part), (left, top), duration=10 * wait, transparency=SAME, disposal=1)
        file.write(b"".join(packed))
        before = now
    file.write(b";")


def _pattern(height: int, width: int) -> np.ndarray:
    """Ordered dither (Bayer 1973), float32 [H, W, 1] within -0.5 to 0.5; the same in all frames."""
    cell = np.zeros((1, 1))
    for _ in range(3):
        cell = np.block([[4 * cell, 4 * cell + 2], [4 * cell + 3, 4 * cell + 1]])
    cell = ((cell + 0.5) / cell.size - 0.5).astype(np.float32)
    return np.tile(cell, (height // 8 + 1, width // 8 + 1))[:height, :width, None]


def _change(before: np.ndarray, now: np.ndarray) -> tuple[int, int, np.ndarray]:
    """The rectangle that differs: its left, its top, its indices (SAME where a pixel may stay)."""
    differs = before != now
    box = Image.fromarray(differs.view(np.uint8)).getbbox()
    if box is None:
        return 0, 0, np.full((1, 1), SAME, np.uint8)
    left, top, right, bottom = box
    left = min(left, max(0, now.shape[1] - 2))  # two columns or more: Pillow 8 encodes a single one wrongly
    inside = slice(top, bottom), slice(left, max(right, left + 2))
    if differs[inside].mean() > 0.5:  # with many changes, scattered SAME pixels would compress worse
        return left, top, now[inside]
    return left, top, np.where(differs[inside], now[inside], SAME).astype(np.uint8)
