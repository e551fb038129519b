"""An ffmpeg that fails in every way: one line with its reason, no file, and no process."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import time

import imageio_ffmpeg
import numpy as np
import pytest
from click.testing import CliRunner
from faults import content, hidden, one_line

from sefa_plugin.commands import cli
from sefa_plugin.media.mp4 import VideoError, check_ffmpeg
from sefa_plugin.media.video import write_video

pytestmark = pytest.mark.skipif(os.name != "posix", reason="pretends to be ffmpeg with shell scripts")
REAL = imageio_ffmpeg.get_ffmpeg_exe()
LARGE = np.random.RandomState(0).randint(0, 256, (256, 256, 3)).astype(np.uint8)  # more than a pipe holds
SMALL = LARGE[:16, :16]


@pytest.fixture
def pretend(tmp_path, monkeypatch):
    """Put a script in the place of ffmpeg; the trial frame goes to the real one, unless it is to fail too."""

    def put(script, trial=f'exec "{REAL}" "$@"'):
        path = tmp_path / "bin" / "ffmpeg"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f'#!/bin/sh\nfor last; do :; done\nif [ "$last" = - ]; then {trial}; fi\n{script}\n')
        path.chmod(0o755)
        monkeypatch.setattr(imageio_ffmpeg, "get_ffmpeg_exe", lambda: str(path))
        check_ffmpeg.cache_clear()
        return path

    yield put
    check_ffmpeg.cache_clear()


DEATHS = {
    "at once": "exit 1",
    "killed": "head -c 300000 >/dev/null; kill -9 $$",
    "of a signal": "head -c 100 >/dev/null; kill -TERM $$",
    "after the last frame": "cat >/dev/null; exit 3",
    "half a file": 'cat >/dev/null; echo half > "$last"; exit 1',
    "saying why": "echo '[x @ 0x1] no luck' >&2; echo and more >&2; head -c 100 >/dev/null; exit 1",
}


@pytest.mark.parametrize("frame", [LARGE, SMALL], ids=["large", "small"])
@pytest.mark.parametrize("kind", DEATHS)
def test_it_dies(tmp_path, pretend, capfd, kind, frame):
    pretend(DEATHS[kind])
    says = "no luck" if kind == "saying why" else r"it gave no reason; is the disk full\?"
    out = tmp_path / "out"
    out.mkdir()
    (out / "a.mp4").write_bytes(b"old")
    with pytest.raises(VideoError, match=rf"a\.mp4: ffmpeg failed \({says}\)$"):
        write_video(out / "a.mp4", [frame] * 4)
    assert content(out) == {"a.mp4": b"old"} and hidden(out) == []
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EIO])
def test_a_full_disk_is_said_as_of_every_other_file(tmp_path, pretend, number):
    """So a job does not take it for a failure of the video, and makes it once there is room again."""
    pretend(f"cat >/dev/null; echo '[out#0/mp4 @ 0x1] Error writing trailer: {os.strerror(number)}' >&2; exit 1")
    with pytest.raises(OSError) as caught:
        write_video(tmp_path / "a.mp4", [SMALL])
    assert (caught.value.errno, caught.value.filename) == (number, str(tmp_path / "a.mp4"))


def test_an_interruption_while_it_hangs(tmp_path, pretend, monkeypatch):
    pretend("cat >/dev/null; exec sleep 60")

    def frames():
        yield SMALL
        raise KeyboardInterrupt

    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        write_video(tmp_path / "a.mp4", frames())
    assert hidden(tmp_path) == [] and time.monotonic() - start < 30


def test_an_interruption_while_it_starts(tmp_path, monkeypatch):
    """Raised within Popen, it would leave an ffmpeg that nobody knows, and that makes its file afterwards."""
    started = []

    class Interrupted(subprocess.Popen):
        def __init__(self, *args, **options):
            started.append(self)
            super().__init__(*args, **options)
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.01)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    check_ffmpeg()
    monkeypatch.setattr(subprocess, "Popen", Interrupted)
    try:
        with pytest.raises(KeyboardInterrupt):
            write_video(tmp_path / "a.mp4", [SMALL] * 3)
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)
    assert started[0].wait(5) is not None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("trial", "says"),
    [("echo no encoder >&2; exit 1", "no encoder"), ("kill -9 $$", "H.264")],
)
def test_it_fails_the_trial_before_any_work(tmp_path, pretend, trial, says):
    pretend("exit 1", trial)
    with pytest.raises(VideoError, match=says):
        check_ffmpeg()
    words = ["--network", "demo", "--outdir", str(tmp_path / "out")]
    result = CliRunner().invoke(cli.gen_sefa, words)
    assert says in one_line(result.exit_code, result.stderr)
    assert content(tmp_path / "out") == {}


def test_it_vanishes_after_the_trial(tmp_path, pretend):
    path = pretend(f'exec "{REAL}" "$@"')
    check_ffmpeg()
    path.unlink()
    with pytest.raises(VideoError, match=r"bin/ffmpeg does not run \(No such file"):
        write_video(tmp_path / "a.mp4", [SMALL] * 2)
    assert hidden(tmp_path) == []


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENOEXEC])
def test_what_the_system_says_of_it_is_in_the_line(pretend, monkeypatch, number):
    def start(*words, **options):
        raise OSError(number, os.strerror(number))

    pretend("")
    monkeypatch.setattr(subprocess, "Popen", start)
    with pytest.raises(VideoError, match=rf"bin/ffmpeg does not run \({os.strerror(number)}\): pip install"):
        check_ffmpeg()
