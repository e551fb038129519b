"""The commands as people type them, in processes of their own: how long they take, and the memory they need."""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
_SEFA = ["-m", "sefa_plugin"]
UNEDITED = 3  # pictures of a run that are rendered before it tells how many are to come
STARTS = {"import click": ["-c", "import click"], "--help": [*_SEFA, "--help"], "info": [*_SEFA, "info", "demo"]}


def starts(folder: Path, repetitions: int) -> dict[str, dict[str, Any]]:
    """Time starts of Python that do little, in turn, with compiled modules as an installed copy has them.

    Raises:
        ValueError: one of them imports torch.
    """
    compiled = {**os.environ, "PYTHONPYCACHEPREFIX": str(folder)}
    compiled.pop("PYTHONDONTWRITEBYTECODE", None)
    for name, words in STARTS.items():
        done = _run([sys.executable, "-X", "importtime", *words], compiled, stderr=subprocess.PIPE)
        if re.search(r"\| *torch$", done.stderr, re.MULTILINE):
            raise ValueError(f"{name} imports torch")
    seconds: dict[str, list[float]] = {name: [] for name in STARTS}
    for _ in range(repetitions):
        for name, words in STARTS.items():
            begin = time.perf_counter()
            _run([sys.executable, *words], compiled)
            seconds[name].append(time.perf_counter() - begin)
    return {name: _about(taken) for name, taken in seconds.items()}


def _about(seconds: list[float], peak: int = 0) -> dict[str, Any]:
    return {"seconds": statistics.median(seconds), "repetitions": seconds, "peak_bytes": peak}


def _run(command: list[str], environment: Any = None, **more: Any) -> Any:
    return subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, check=True, text=True, **more)


def film(folder: Path, frames: int) -> dict[str, Any]:
    """Render a video of one direction and one seed of the bundled network: time and memory."""
    words = ["render", "--network", "demo", "--directions", "0", "--seeds", "0", "--distance", "3"]
    words += ["--frames", str(frames), "--outdir", str(folder / str(frames))]
    begin = time.perf_counter()
    with open(folder / f"{frames}.log", "w+") as log:
        process = subprocess.Popen([sys.executable, *_SEFA, *words], cwd=ROOT, stdout=log, stderr=log)
        peak = _peak(process)
        if process.returncode:
            raise ChildProcessError(f"sefa render: {_last(log)}")
    return _about([time.perf_counter() - begin], peak)


def whole_run(folder: Path, network: str, directions: int | None) -> dict[str, Any]:
    """Run ``gen_sefa.py`` on a network; the time to its first sheet and to its end, and how many pictures it made."""
    outdir = folder / "out"
    words = ["gen_sefa.py", "--network", network, "--outdir", str(outdir)]
    words += [] if directions is None else ["-K", str(directions)]
    first = None
    begin = time.perf_counter()
    with open(folder / "run.log", "w+") as log:
        process = subprocess.Popen([sys.executable, *words], cwd=ROOT, stdout=log, stderr=log)
        while first is None and process.poll() is None:
            time.sleep(0.05)
            if list(outdir.glob("sheets/*-dir*.jpg")):
                first = time.perf_counter() - begin
        peak = _peak(process)
        seconds = time.perf_counter() - begin
        if process.returncode or first is None:
            raise ChildProcessError(f"gen_sefa.py: {_last(log)}")
        log.seek(0)
        text = log.read()
    pictures = int(re.search(r"(\d+) pictures to render", text).group(1)) + UNEDITED
    return {**_about([seconds], peak), "first_sheet_seconds": first, "pictures": pictures}


def _peak(process: Any) -> int:
    """Wait for a process; the largest resident set, in bytes, of it and of those it waited for."""
    try:
        _, status, used = os.wait4(process.pid, 0)
    except (AttributeError, ChildProcessError):  # Windows; or it has been waited for
        process.wait()
        return 0
    process.returncode = os.waitstatus_to_exitcode(status)
    return used.ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _last(log: Any) -> str:
    log.seek(0)
    return (log.read().strip().splitlines() or ["no word"])[-1]
