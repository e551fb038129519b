"""The commands `sefa studio` and `sefa study` in a process of their own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager

from places import ROOT


@contextmanager
def running(folder, *words, command="studio"):
    """Start one in a folder; gives the process, its address and its token once it is served, and ends it."""
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "sefa_plugin", command, "--no-browser", *map(str, words)]
    with open(folder / "studio.log", "w+") as log:
        process = subprocess.Popen(command, cwd=folder, env=environ, stdout=subprocess.PIPE, stderr=log, text=True)
        try:
            line = process.stdout.readline().strip()
            assert line, (folder / "studio.log").read_text()
            address, _, token = line.partition("/#token=")
            yield process, address, token
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
                end = time.monotonic() + 20
                while process.poll() is None and time.monotonic() < end:
                    time.sleep(0.05)
            if process.poll() is None:
                process.kill()
            process.wait()
            process.stdout.close()
