"""RGB frames to an H.264 file that every player shows in the same colours, and back, by ffmpeg of imageio-ffmpeg."""

from __future__ import annotations

import errno
import os
import re
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from itertools import chain
from typing import IO

import numpy as np

from ..system.interrupts import postponed
from ..system.whole_files import whole_file

# Conversion and tags are both BT.709, limited range: players that read the tags and those that assume it agree.
# The flags make swscale round instead of truncate and keep chroma at full resolution until it is averaged.
FILTERS = (
    "scale=out_color_matrix=bt709:out_range=tv:flags=bicubic+accurate_rnd+full_chroma_int+full_chroma_inp,"
    "setparams=range=tv:colorspace=bt709:color_primaries=bt709:color_trc=bt709"
)
TAGS = ["-color_range", "tv", "-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709"]
# Chroma gets a finer quantiser than x264's default: a step of 1 in Cb is 2 in blue.
CODEC = "libx264"
CRF = 16  # constant quality at any size, visually lossless
RATE = ["-crf", str(CRF), "-x264-params", "chroma-qp-offset=-6"]
# What ffmpeg says where the disk is at fault, not the video.
_DISK = (errno.ENOSPC, errno.EIO, getattr(errno, "EDQUOT", errno.EIO))
_OF_THE_DISK = {os.strerror(number): number for number in _DISK}
LONGEST = 31_000  # letters of a comment: Windows starts programs with up to 32,767
PARAMETERS = ["-vf", FILTERS, *TAGS, *RATE]


class VideoError(RuntimeError):
    """ffmpeg is missing, or it failed; the message holds its reason."""


@lru_cache(maxsize=1)
def check_ffmpeg() -> str:
    """Try ffmpeg on one black frame with the settings of a real video; give the program's path.

    Raises:
        VideoError: there is no ffmpeg, or it cannot write H.264.
    """
    try:
        import imageio_ffmpeg

        program: str = imageio_ffmpeg.get_ffmpeg_exe()
    except (ImportError, RuntimeError):
        raise VideoError("mp4 needs ffmpeg, which was not found: pip install imageio-ffmpeg") from None
    black = np.zeros((2, 2, 3), np.uint8)
    reason = _failure(_command(program, black, 30, ["-f", "null", "-"]), [black])
    if reason:
        raise VideoError(f"{program} cannot write H.264 ({reason}): pip install imageio-ffmpeg")
    return program


def write_mp4(path: str | os.PathLike[str], frames: Iterable[np.ndarray], fps: float, comment: str = "") -> None:
    """Write a video; it appears whole or not at all.

    Odd sizes grow by one, the edge repeated: 4:2:0 has one chroma sample for 2 x 2 pixels.

    Args:
        path: ends in ``.mp4``.
        frames: at least one, uint8 RGB ``[H, W, 3]``, all of one size.
        fps: frames per second.
        comment: goes into the file's metadata.

    Raises:
        VideoError: ffmpeg is missing or failed.
        OSError: the place cannot be written.
    """
    program, frames = check_ffmpeg(), map(_even, frames)
    first = next(frames)
    # Fit to be an argument of a program.
    text = "".join(letter if letter.isprintable() or letter == "\n" else " " for letter in comment)[:LONGEST]
    with whole_file(path) as part:
        output = ["-movflags", "+faststart", "-metadata", f"comment={text}", str(part)]
        reason = _failure(_command(program, first, fps, output), chain([first], frames))
        for words, number in _OF_THE_DISK.items():
            if words in reason:
                raise OSError(number, words, str(path))
        if reason:
            raise VideoError(f"{path}: ffmpeg failed ({reason})")


def read_mp4(path: str | os.PathLike[str]) -> Iterator[np.ndarray]:
    """The frames of a video, uint8 RGB ``[H, W, 3]``, as they are decoded; an odd size has grown by one.

    Raises:
        VideoError: ffmpeg is missing, or cannot read the file.
    """
    source = ["-protocol_whitelist", "file", "-i", f"file:{os.path.abspath(path)}"]
    command = [check_ffmpeg(), "-v", "error", *source, "-f", "image2pipe", "-vcodec", "ppm", "pipe:1"]
    with tempfile.TemporaryFile() as errors, _decoding(command, errors) as stream:
        while stream.readline() == b"P6\n":  # each frame tells its size
            wide, high = map(int, stream.readline().split())
            stream.readline()
            yield np.frombuffer(stream.read(3 * wide * high), np.uint8).reshape(high, wide, 3)
        errors.seek(0)
        reason = errors.read().decode(errors="replace").strip().split("\n")[-1]
        if reason:
            raise VideoError(f"{path}: ffmpeg cannot read it ({reason})")


@contextmanager
def _decoding(command: list[str], errors: IO[bytes]) -> Iterator[IO[bytes]]:
    """Start a program that writes to a pipe; the program is ended with the block."""
    process = _started(command, errors, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    with process:
        assert process.stdout is not None
        try:
            yield process.stdout
        finally:
            process.kill()


def _even(frame: np.ndarray) -> np.ndarray:
    return np.pad(frame, ((0, frame.shape[0] % 2), (0, frame.shape[1] % 2), (0, 0)), "edge")


def _command(program: str, frame: np.ndarray, fps: float, output: list[str]) -> list[str]:
    size = f"{frame.shape[1]}x{frame.shape[0]}"
    frames = ["-f", "rawvideo", "-s", size, "-pix_fmt", "rgb24", "-r", str(fps), "-i", "-"]
    return [program, "-v", "error", *frames, "-vcodec", CODEC, "-pix_fmt", "yuv420p", *PARAMETERS, *output]


def _failure(command: list[str], frames: Iterable[np.ndarray]) -> str:
    """Give frames to ffmpeg, one by one, and wait for its end; returns its error message, '' if it succeeded."""
    with tempfile.TemporaryFile() as errors, _running(command, errors) as process:
        assert process.stdin is not None
        for frame in frames:
            try:
                process.stdin.write(frame.tobytes())
            except OSError:  # ffmpeg has ended
                break
        process.communicate()
        if not process.returncode:
            return ""
        errors.seek(0)
        lines = errors.read().decode(errors="replace").split("\n")
    # The first error, without the address in brackets; later ones follow from it.
    return re.sub(r"^(\[[^]]*\] *)+", "", lines[0]).strip() or "it gave no reason; is the disk full?"


@contextmanager
def _running(command: list[str], errors: IO[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    """Start a program that reads a pipe; the program is ended with the block, also after an error."""
    process: subprocess.Popen[bytes] | None = None
    try:
        with postponed():  # a signal during Popen would leave a process that is never ended
            process = _started(command, errors)
        yield process
    finally:
        if process is not None:
            process.kill()
            process.communicate()


def _started(
    command: list[str], errors: IO[bytes], stdin: int = subprocess.PIPE, stdout: int = subprocess.DEVNULL
) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            command,
            stdin=stdin,
            stdout=stdout,
            stderr=errors,
            start_new_session=True,  # Ctrl-C in a terminal reaches only this process, which then ends ffmpeg
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),  # the same on Windows
        )
    except OSError as error:
        raise VideoError(f"{command[0]} does not run ({error.strerror}): pip install imageio-ffmpeg") from None
