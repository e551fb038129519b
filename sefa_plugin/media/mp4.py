"""RGB frames to an H.264 file that every player shows in the same colours, by way of imageio and ffmpeg."""

from __future__ import annotations

import errno
import logging
import os
import re
import subprocess
import threading
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..system.interrupts import postponed
from ..system.whole_files import scratch_folder, whole_file

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from typing import Protocol

    class Writer(AbstractContextManager[object], Protocol):
        """imageio's writer of a video, as far as it is used."""

        def append_data(self, im: np.ndarray) -> object: ...


# Conversion and tags both say BT.709, limited range: players that read the tags and players that guess agree.
# The flags make swscale round instead of truncate and keep chroma at full resolution until it is averaged.
FILTERS = (
    "scale=out_color_matrix=bt709:out_range=tv:flags=bicubic+accurate_rnd+full_chroma_int+full_chroma_inp,"
    "setparams=range=tv:colorspace=bt709:color_primaries=bt709:color_trc=bt709"
)
TAGS = ["-color_range", "tv", "-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709"]
# Chroma gets a finer quantiser than x264's default: a step of 1 in Cb is 2 in blue.
CODEC = "libx264"
CRF = 16  # constant quality, visually lossless, whatever the size
RATE = ["-crf", str(CRF), "-x264-params", "chroma-qp-offset=-6"]
PARAMETERS = ["-vf", FILTERS, *TAGS, *RATE, "-movflags", "+faststart"]
PATIENCE = 120  # seconds in which ffmpeg must take a frame, or finish the file
TICK = 1  # second
HELD, SLOWEST = 60, 1_000_000  # frames that it buffers, and pixels that it encodes a second: this comes on top
SCARCE = (errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.ENOMEM)  # of these the system has no more for a program
_launch = threading.Lock()  # the environment belongs to the whole process


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
    command = [program, "-v", "error", "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", "2x2", "-i", "-"]
    command += ["-vcodec", CODEC, "-pix_fmt", "yuv420p", *PARAMETERS[:-2], "-f", "null", "-"]
    try:
        trial = subprocess.run(command, input=bytes(12), capture_output=True, check=False, timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        raise VideoError(f"{program} hangs: pip install imageio-ffmpeg") from None
    except OSError as error:
        advice = "close other programs and try again" if error.errno in SCARCE else "pip install imageio-ffmpeg"
        raise VideoError(f"{program} does not run ({error.strerror}): {advice}") from None
    if trial.returncode:
        reason = _reason(trial.stderr.decode(errors="replace"))
        raise VideoError(f"{program} cannot write H.264 ({reason}): pip install imageio-ffmpeg") from None
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
    check_ffmpeg()
    with whole_file(path) as part, scratch_folder() as folder, _quiet():
        report = folder / "ffmpeg.log"
        try:
            _encode(part, frames, fps, report, comment)
        except _Stopped as stopped:
            text = report.read_text(errors="replace") if report.is_file() else ""
            reason = str(stopped) or _reason(text.split("Command line:", 1)[-1].lstrip().partition("\n")[2])
            raise VideoError(f"{path}: ffmpeg failed ({reason})") from None


class _Stopped(Exception):
    """ffmpeg ended before its time, or with an error; the text says why, where ffmpeg does not."""


def _encode(part: Path, frames: Iterable[np.ndarray], fps: float, report: Path, comment: str) -> None:
    process = None
    watch = _Watch()
    try:
        with watch:
            writer = _open(part, fps, comment)
            with writer, watch.closing():
                for frame in frames:
                    even = np.pad(frame, ((0, frame.shape[0] % 2), (0, frame.shape[1] % 2), (0, 0)), "edge")
                    try:
                        if process is None:
                            watch.begin(writer, even)
                            process = _start(writer, even, report)
                        else:
                            watch.begin(writer, even)
                            writer.append_data(even)
                    except OSError as error:  # not those of the frames: a full disk there has its own message
                        unstarted = f"{error.filename}: {error.strerror}" if error.filename else ""
                        raise _Stopped(watch.reason or unstarted) from None
                    watch.pause()
    finally:
        code = _end(process)
    if code or watch.reason:
        raise _Stopped(watch.reason)
    if not part.is_file() or not part.stat().st_size:
        raise _Stopped("it ended well, and wrote no file")


class _Watch:
    """Ends an ffmpeg that hangs. It counts its own ticks, so that time asleep, or stopped by Ctrl-Z, does not count.

    Attributes:
        reason: why it has ended ffmpeg; '' if it has not.
    """

    def __init__(self) -> None:
        self.reason = ""
        self._writer: Writer | None = None
        self._left: int | None = None  # seconds; None while ffmpeg waits for us
        self._patience = PATIENCE
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, name="sefa-ffmpeg", daemon=True)

    def __enter__(self) -> _Watch:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._thread.join()

    def begin(self, writer: Writer, frame: np.ndarray) -> None:
        """Begin to count: ffmpeg is given the frame. It has longer for large ones, of which it buffers dozens."""
        self._writer = writer
        self._left = self._patience = PATIENCE + HELD * frame.shape[0] * frame.shape[1] // SLOWEST

    def pause(self) -> None:
        """Stop counting: ffmpeg has taken the frame."""
        self._left = None

    @contextmanager
    def closing(self) -> Iterator[None]:
        """Count again after the block, whatever ends it: ffmpeg then writes the rest of the file."""
        try:
            yield
        finally:
            self._left = self._patience

    def _look(self) -> None:
        while not self._over.wait(TICK):
            left, process = self._left, _process_of(self._writer)
            if left is None or process is None:
                continue
            self._left = left - 1
            if left <= 1:
                self.reason = f"it did nothing for {self._patience} seconds"
                process.kill()
                return


def _open(part: Path, fps: float, comment: str) -> Writer:
    try:
        import imageio.v2 as imageio
    except ImportError:  # imageio 2.9
        import imageio  # type: ignore[no-redef]  # its functions are then those of imageio.v2
    writer: Writer = imageio.get_writer(
        os.path.abspath(part),  # absolute, so that ffmpeg sees no option and no protocol in a name
        format="FFMPEG",
        mode="I",
        fps=fps,
        codec=CODEC,
        pixelformat="yuv420p",
        quality=None,  # the rate is ours
        macro_block_size=2,
        ffmpeg_log_level="quiet",
        output_params=[*PARAMETERS, *(["-metadata", f"comment={_plain(comment)}"] if comment else [])],
    )
    return writer


def _plain(comment: str) -> str:
    """One line, fit to be an argument of a program."""
    return "".join(letter if letter.isprintable() else " " for letter in comment)[:8000]


def _start(writer: Writer, frame: np.ndarray, report: Path) -> subprocess.Popen[bytes] | None:
    """Write the first frame, which starts ffmpeg, with its errors going to a file; give the process."""
    quoted = str(report).replace("%", "%%").replace("'", "'\\''")
    with _launch:
        before = os.environ.get("FFREPORT")
        try:
            os.environ["FFREPORT"] = f"file='{quoted}':level=16"
            with postponed():  # an ffmpeg that is not known yet could not be ended
                writer.append_data(frame)
        except BaseException as error:
            _end(_process_of(writer))  # after a signal; imageio closes nothing then
            for place, _ in traceback.walk_tb(error.__traceback__):  # the generator has ended, and with it its locals
                if isinstance(place.f_locals.get("p"), subprocess.Popen):
                    _end(place.f_locals["p"])
            raise
        finally:
            if before is None:
                os.environ.pop("FFREPORT", None)
            else:
                os.environ["FFREPORT"] = before
    return _process_of(writer)


def _process_of(writer: Writer | None) -> subprocess.Popen[bytes] | None:
    """ffmpeg's process: needed for its exit status, and to leave none behind.

    imageio keeps it in a local of its own generator; None where a later version does not, or nothing runs.
    """
    inner = getattr(getattr(writer, "_write_gen", None), "gi_frame", None)
    return inner.f_locals.get("p") if inner is not None else None


def _end(process: subprocess.Popen[bytes] | None) -> int:
    if process is None:
        return 0
    if process.poll() is None:  # only after Ctrl-C: otherwise closing the writer has waited
        process.kill()
    code = process.wait()
    for pipe in (process.stdin, process.stdout):
        with suppress(OSError):  # what ffmpeg did not take any more
            if pipe is not None:
                pipe.close()
    return code


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep imageio's warnings about a failing ffmpeg from the terminal: the error has its reason."""
    logger = logging.getLogger("imageio_ffmpeg")
    before, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = before


def _reason(text: str) -> str:
    """The first error that ffmpeg names, without its address: those that follow are consequences."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return re.sub(r"^(\[[^]]*\] *)+", "", lines[0]) if lines else "it gave no reason; is the disk full?"
