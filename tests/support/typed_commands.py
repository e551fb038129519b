"""Commands as they are typed, run in this process, and what they print and make."""

import re
import subprocess
from pathlib import Path

import imageio_ffmpeg
import numpy as np
from click.testing import CliRunner

from sefa_plugin.commands import cli


def invoke(command, *words):
    result = CliRunner().invoke(command, [str(word) for word in words])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def gen(*words):
    return invoke(cli.gen_sefa, *words)


def sefa(*words):
    return invoke(cli.sefa, *words)


def refused(result, code, *says):
    """One line that begins with Error, says these things, and nothing more."""
    assert result.exit_code == code, result.output
    errors = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
    assert len(errors) == 1, result.stderr
    assert "Traceback" not in result.output
    for text in says:
        assert text in errors[0]
    return errors[0]


def decode(path):
    """Frames of a video as RGB uint8, decoded by ffmpeg."""
    program = imageio_ffmpeg.get_ffmpeg_exe()
    seen = subprocess.run([program, "-i", str(path)], capture_output=True, text=True).stderr
    wide, high = map(int, re.search(r"Video: .*?, (\d+)x(\d+)", seen).groups())
    command = [program, "-v", "error", "-i", str(path), "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    raw = subprocess.run(command, capture_output=True, check=True).stdout
    return list(np.frombuffer(raw, np.uint8).reshape(-1, high, wide, 3))


def digests(folder):
    return {str(p.relative_to(folder)): p.stat().st_mtime_ns for p in Path(folder).rglob("*.*") if p.is_file()}
