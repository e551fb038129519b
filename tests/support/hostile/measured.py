"""What a command on a file takes, measured in a process of its own that the test starts under a limit of memory."""

from __future__ import annotations

import json
import sys
import time

from click.testing import CliRunner

from sefa_plugin.commands.cli import sefa


def data_bytes() -> int:
    """Private writable memory that is mapped now, which is what ``RLIMIT_DATA`` limits (Linux)."""
    with open("/proc/self/status", encoding="ascii") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmData"))


def peak_bytes() -> int:
    """The most memory that was resident since :func:`forget_peak` (Linux)."""
    with open("/proc/self/status", encoding="ascii") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))


def forget_peak() -> None:
    """Count from what is resident now."""
    with open("/proc/self/clear_refs", "w", encoding="ascii") as clear:
        clear.write("5")


def main() -> None:
    """Run each command that is given, as JSON, on standard input; one line of JSON for each, as soon as it ends."""
    limit, warm, commands = json.loads(sys.stdin.read())
    for words in warm:  # imports take memory, too
        CliRunner().invoke(sefa, words)
    import resource

    most = data_bytes() + limit
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))
    for words in commands:
        forget_peak()
        before, start = peak_bytes(), time.perf_counter()
        result = CliRunner().invoke(sefa, words)
        taken = {"seconds": time.perf_counter() - start, "bytes": peak_bytes() - before}
        print(json.dumps({"code": result.exit_code, "lines": result.stderr.splitlines(), **taken}), flush=True)


if __name__ == "__main__":
    main()
