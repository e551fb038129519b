import io
import os
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner
from places import ROOT

from sefa_plugin.commands.progress import Progress
from sefa_plugin.commands.shell import Command, explain, usage, warn
from sefa_plugin.system.messages import readable


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.2, "1 s"), (59, "59 s"), (100, "2 min"), (5400, "1 h 30 min"), (9000, "2 h 30 min")]
)
def test_durations_in_words(seconds, words):
    assert readable(seconds) == words


@pytest.mark.parametrize(
    ("error", "says", "code"),
    [
        (click.UsageError("bad"), "bad", 2),
        (KeyboardInterrupt(), "stopped", 130),
        (click.Abort(), "stopped", 130),
        (OSError(28, "No space left on device", "out/x.mp4"), "out/x.mp4: No space left on device", 1),
        (MemoryError(), "out of memory", 1),
        (RuntimeError("CUDA out of memory. Tried"), "out of memory", 1),
        (KeyError("x"), "unexpected KeyError", 1),
    ],
)
def test_every_end_has_its_line_and_code(error, says, code):
    line, found = explain(error)
    assert says in line
    assert found == code


def test_only_what_the_user_typed_is_a_usage_error():
    with pytest.raises(click.UsageError, match="typed"), usage():
        raise ValueError("typed")
    with pytest.raises(KeyError), usage():
        raise KeyError


@pytest.mark.parametrize(("words", "code"), [([], 1), (["--debug"], 1)])
def test_a_traceback_only_for_who_asks(words, code):
    @click.command(cls=Command)
    @click.option("--debug", is_flag=True)
    def fails(debug):
        raise RuntimeError("two\nlines")

    result = CliRunner().invoke(fails, words)
    assert result.exit_code == code
    if words:
        assert isinstance(result.exception, RuntimeError)
    else:
        assert result.stderr == "Error: unexpected RuntimeError: two lines (run it again with --debug to see where)\n"


def test_progress_says_what_is_to_come(capsys, monkeypatch):
    now = [1000.0]
    monkeypatch.setattr("sefa_plugin.commands.progress.time.monotonic", lambda: now[0])
    with Progress() as progress:
        progress.expect(61)
        progress.advance(1)  # after loading the network, which says nothing of the rest
        now[0] += 2
        progress.advance(1)
        progress.advance(0)
    assert capsys.readouterr().err == "61 pictures to render\nabout 2 min to go\n"


class Terminal(io.StringIO):
    def isatty(self):
        return True


def seconds_to_go(monkeypatch, total, durations, every=1):
    """What the bar shows, after each advance, of a run whose pictures take these times; None before it shows any."""
    now, shown = [1000.0], []
    monkeypatch.setattr("sefa_plugin.commands.progress.time.monotonic", lambda: now[0])
    monkeypatch.setattr("sefa_plugin.commands.progress.readable", lambda seconds: shown.append(seconds) or "x")
    monkeypatch.setattr(sys, "stderr", Terminal())
    with Progress() as progress:
        progress.expect(total)
        for start in range(0, total, every):
            now[0] += sum(durations[start : start + every])
            before = len(shown)
            progress.advance(min(every, total - start))
            shown[before:] = shown[-1:] if len(shown) > before else [None]
    return shown


def test_the_first_pictures_are_no_measure_of_the_others(monkeypatch):
    """Building and compiling take 60 s, the pictures 1 s each: never 60 s for the rest."""
    shown = seconds_to_go(monkeypatch, 40, [60.0] + [1.0] * 39)
    assert shown == [None, *(pytest.approx(left) for left in range(38, -1, -1))]


def test_estimates_follow_the_phase_of_a_run(monkeypatch):
    """Sheets of 1.4 s a picture, then videos of 1 s: within a factor of 1.5, and right once half of it is videos."""
    durations = [5.0] + [1.4] * 39 + [1.0] * 200
    shown = seconds_to_go(monkeypatch, 240, durations, every=2)
    truth = [sum(durations[2 * at + 2 :]) for at in range(120)]
    assert all(true / 1.5 <= left <= true * 1.5 for left, true in zip(shown[1:], truth[1:]))
    assert shown[40:] == pytest.approx(truth[40:], rel=0.01)


def test_work_between_pictures_is_no_rate(monkeypatch):
    """Five sheets of 24 pictures, each with half a second of layout, then the frames of videos, all at one rate."""
    durations = [2.0] + [0.02] * 479
    for sheet in range(5):
        durations[24 * sheet + 23] += 0.5
    shown = seconds_to_go(monkeypatch, 480, durations, every=3)
    truth = [sum(durations[3 * at + 3 :]) for at in range(160)]
    seen = [(left, true) for left, true in zip(shown, truth) if left is not None and true > 1]
    assert len(seen) > 100 and all(true / 1.5 <= left <= true * 1.5 for left, true in seen)


def test_pictures_beyond_the_expected_ones_leave_nothing_to_go(monkeypatch):
    now = [0.0]
    monkeypatch.setattr("sefa_plugin.commands.progress.time.monotonic", lambda: now[0])
    monkeypatch.setattr(sys, "stderr", Terminal())
    with Progress() as progress:
        progress.expect(2)
        for _ in range(4):
            now[0] += 1
            progress.advance(1)
    assert sys.stderr.getvalue().count("1 s to go") >= 1 and "-" not in sys.stderr.getvalue().replace("--", "")


def test_no_line_tears_the_bar(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    now = iter(range(100))
    monkeypatch.setattr("sefa_plugin.commands.progress.time.monotonic", lambda: next(now))
    with Progress() as progress:
        progress.expect(4)
        for index in range(4):
            progress.advance(1)
            warn(f"warning {index}")
            progress.say(f"line {index}")
    shown = [line.rpartition("\r\x1b[K")[2] for line in sys.stderr.getvalue().split("\n")]
    lines = [text for index in range(4) for text in (f"Warning: warning {index}", f"line {index}")]
    assert [line for line in shown if "line" in line or "warning" in line] == lines


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="Linux has it")
@pytest.mark.parametrize("words", [["--help"], ["info", "demo"]])
def test_standard_output_that_is_full_is_named(words):
    with open("/dev/full", "w") as full:
        command = [sys.executable, "-m", "sefa_plugin", *words]
        done = subprocess.run(command, cwd=ROOT, stdout=full, stderr=subprocess.PIPE, text=True, timeout=100)
    assert (done.returncode, done.stderr) == (1, "Error: standard output: No space left on device\n")


@pytest.mark.skipif(os.name == "nt", reason="a folder in use cannot be removed there")
@pytest.mark.parametrize("words", [["info", "demo"], ["sheet", "--network", "demo", "--outdir", "/tmp/x"]])
def test_a_current_folder_that_is_gone(tmp_path, words):
    command = "mkdir gone; cd gone; rmdir ../gone; exec " + " ".join(
        [f'"{sys.executable}"', "-m", "sefa_plugin", *words]
    )
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(["sh", "-c", command], cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=100)
    said = "Error: the current folder is gone; change to one that is there\n"
    assert (done.returncode, done.stderr) == (1, said)


@pytest.mark.hard
@pytest.mark.skipif(os.name == "nt", reason="the shell's way to close streams")
def test_closed_streams_are_no_failure(tmp_path):
    words = "gen_sefa.py --network tests/golden/sg2-in-sg3-32.pkl --seeds 0 -K 1 --distance 1 --frames 2"
    words += f' --outdir "{tmp_path}"'
    command = f'exec "{sys.executable}" {words} <&- >&- 2>&-'
    assert subprocess.run(["sh", "-c", command], cwd=ROOT, timeout=100).returncode == 0
    assert {path.suffix for path in tmp_path.rglob("*.*")} == {".html", ".jpg", ".json", ".mp4", ".safetensors"}


@pytest.mark.skipif(os.name == "nt", reason="the shell's way to close streams")
def test_no_file_gets_the_number_of_a_closed_stream(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "import os, sys\n"
        f"sys.path.insert(0, {str(ROOT)!r})\n"
        "from sefa_plugin.commands.progress import Progress\n"
        "from sefa_plugin.commands.shell import Command\n"
        "def run():\n"
        "    with Progress() as bar:\n"
        "        bar.expect(2)\n"
        "        bar.say('words')\n"
        "    return os.open(os.devnull, os.O_RDONLY)\n"
        "Command('x', callback=run).main([])\n"
    )
    command = f'exec "{sys.executable}" "{script}" <&- >&- 2>&-'
    assert subprocess.run(["sh", "-c", command], timeout=100).returncode > 2
