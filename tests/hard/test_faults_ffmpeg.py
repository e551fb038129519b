"""An ffmpeg that fails in every way: one line with its reason, no file, no process, and never a run that hangs."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import threading
import time

import imageio_ffmpeg
import numpy as np
import pytest
from click.testing import CliRunner
from faults import content, hidden, one_line

from sefa_plugin.commands import cli
from sefa_plugin.media import mp4
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
        for module in (imageio_ffmpeg, imageio_ffmpeg._io):
            monkeypatch.setattr(module, "get_ffmpeg_exe", lambda: str(path))
        check_ffmpeg.cache_clear()
        return path

    monkeypatch.setattr(mp4, "PATIENCE", 4)
    monkeypatch.setattr(mp4, "HELD", 0)
    monkeypatch.setattr(mp4, "TICK", 0.05)
    yield put
    check_ffmpeg.cache_clear()


DEATHS = {
    "at once": ("exit 1", "it gave no reason"),
    "killed": ("head -c 300000 >/dev/null; kill -9 $$", "it gave no reason"),
    "of a signal": ("head -c 100 >/dev/null; kill -TERM $$", "it gave no reason"),
    "after the last frame": ("cat >/dev/null; exit 3", "it gave no reason"),
    "half a file": ('cat >/dev/null; echo half > "$last"; exit 1', "it gave no reason"),
    "well, without a file": ("cat >/dev/null; exit 0", "wrote no file"),
    "well, with nothing in it": ('cat >/dev/null; : > "$last"; exit 0', "wrote no file"),
    "well, too early": ("exit 0", "wrote no file"),
    "stops reading": ("exec <&-; exec sleep 60", "did nothing"),
    "hangs at once": ("exec sleep 60", "did nothing"),
    "hangs in the middle": ("head -c 300000 >/dev/null; exec sleep 60", "did nothing"),
    "hangs at the end": ("cat >/dev/null; exec sleep 60", "did nothing"),
}


@pytest.mark.parametrize("frame", [LARGE, SMALL], ids=["large", "small"])
@pytest.mark.parametrize("kind", DEATHS)
def test_it_dies(tmp_path, pretend, capfd, kind, frame):
    script, says = DEATHS[kind]
    pretend(script)
    out = tmp_path / "out"
    out.mkdir()
    (out / "a.mp4").write_bytes(b"old")
    if frame is SMALL and "300000" in script:
        pytest.skip("never gets there")
    with pytest.raises(VideoError, match=rf"a\.mp4: ffmpeg failed \(.*({says}|disk full)") as caught:
        write_video(out / "a.mp4", [frame] * 4)
    assert "\n" not in str(caught.value)
    assert content(out) == {"a.mp4": b"old"} and hidden(out) == []
    assert capfd.readouterr() == ("", "")
    assert not [thread for thread in threading.enumerate() if thread.name == "sefa-ffmpeg"]


def test_an_interruption_while_it_hangs(tmp_path, pretend, monkeypatch):
    pretend("cat >/dev/null; exec sleep 60")

    def frames():
        yield SMALL
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_video(tmp_path / "a.mp4", frames())
    assert hidden(tmp_path) == []


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
    monkeypatch.setattr(imageio_ffmpeg._io.subprocess, "Popen", Interrupted)
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
    [("exec sleep 60", "hangs"), ("echo no encoder >&2; exit 1", "no encoder"), ("kill -9 $$", "H.264")],
)
def test_it_fails_the_trial_before_any_work(tmp_path, pretend, monkeypatch, trial, says):
    pretend("exit 1", trial)
    if "sleep" in trial:
        monkeypatch.setattr(mp4, "PATIENCE", 0.2)
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
    with pytest.raises(VideoError, match=r"a\.mp4: ffmpeg failed \(.*bin/ffmpeg: No such file"):
        write_video(tmp_path / "a.mp4", [SMALL] * 2)


def test_it_is_slow_but_works(tmp_path, pretend):
    """Frames that come late are the network's time, not ffmpeg's."""
    pretend(f'exec "{REAL}" "$@"')

    def frames():
        for _ in range(3):
            time.sleep(0.3)
            yield SMALL

    write_video(tmp_path / "a.mp4", frames())
    assert (tmp_path / "a.mp4").stat().st_size > 500


@pytest.mark.parametrize(
    ("number", "advice"), [(errno.EMFILE, "close other programs"), (errno.ENOEXEC, "pip install imageio-ffmpeg")]
)
def test_it_is_not_to_blame_for_what_the_system_lacks(pretend, monkeypatch, number, advice):
    def run(*words, **options):
        raise OSError(number, os.strerror(number))

    pretend("")
    monkeypatch.setattr(subprocess, "run", run)
    with pytest.raises(VideoError, match=f"{os.strerror(number)}.*: {advice}"):
        check_ffmpeg()
