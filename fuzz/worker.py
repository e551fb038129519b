"""One target under atheris (libFuzzer with coverage of Python code); started by ``python -m fuzz``, one process each.

``python -m fuzz.worker TARGET CORPUS FINDINGS SECONDS SEED``. What escapes a reader is written to FINDINGS, once for
each place it comes from, and fuzzing goes on; only a crash of the interpreter or a true hang ends it.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import resource
import sys
import time
import traceback
from pathlib import Path
from random import Random

import atheris

from . import mutations, targets

MAX_BYTES = 1 << 16  # of an input
MAX_SECONDS = 5.0  # of a processor, for one input
MAX_MEMORY = 512 << 20  # bytes above what is mapped when fuzzing starts
HANG = 60  # seconds after which the process is ended


def place_of(error: BaseException) -> str:
    """What tells findings apart: the exception, and the last line of our own that it went through."""
    frames = [
        f for f in traceback.extract_tb(error.__traceback__) if "sefa_plugin" in f.filename or "hooks" in f.filename
    ]
    if isinstance(error, targets.NotOneLine):
        return f"message-{type(error.__cause__).__name__}-{_raised(error.__cause__)}"
    last = frames[-1] if frames else traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}-{Path(last.filename).stem}-{last.name}-{last.lineno}"


def _raised(error: BaseException) -> str:
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{Path(frame.filename).stem}-{frame.lineno}"


class Findings:
    """Writes each kind of finding once."""

    def __init__(self, folder: Path, target: str) -> None:
        self.folder, self.target = folder, target
        self.seen: set[str] = set()

    def note(self, kind: str, data: bytes, text: str) -> None:
        """Keep the input, and what it did."""
        if kind in self.seen:
            return
        self.seen.add(kind)
        self.folder.mkdir(parents=True, exist_ok=True)
        stem = self.folder / f"{self.target}-{kind}"
        stem.with_suffix(".bin").write_bytes(data)
        stem.with_suffix(".json").write_text(json.dumps({"target": self.target, "kind": kind, "what": text}, indent=1))
        print(f"FINDING {self.target}: {kind}: {text.splitlines()[-1][:300]}", file=sys.stderr, flush=True)


def main() -> None:
    """Fuzz one target."""
    name, corpus, findings, seconds, seed = sys.argv[1:6]
    with atheris.instrument_imports(include=["sefa_plugin", "zipfile", "json.decoder", "json.scanner"]):
        for module in ("json.decoder", "zipfile", "sefa_plugin.reading.network_file"):
            importlib.import_module(module)
        target = targets.TARGETS[name]
        target.prepared()
    found = Findings(Path(findings), name)

    def one_input(data: bytes) -> None:
        start = time.process_time()
        try:
            target.check(data)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:
            found.note(place_of(error), data, "".join(traceback.format_exception(error))[-3000:])
        taken = time.process_time() - start
        if taken > MAX_SECONDS:
            found.note("slow-" + hashlib.sha256(data).hexdigest()[:8], data, f"{taken:.1f} s")

    def change(data: bytes, max_size: int, seed: int) -> bytes:
        rng = Random(seed)
        if rng.random() < 0.3:
            return atheris.Mutate(data, max_size)
        return mutations.mutated(data, rng)[:max_size]

    mapped = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    limits = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (mapped + MAX_MEMORY, limits[1]))
    flags = [
        f"-max_total_time={seconds}",
        f"-max_len={MAX_BYTES}",
        f"-timeout={HANG}",
        "-rss_limit_mb=0",
        f"-seed={seed}",
    ]
    flags += [
        "-print_final_stats=1",
        f"-artifact_prefix={findings}/{name}-",
        "-reload=0",
        "-detect_leaks=0",
        f"-report_slow_units={HANG}",
    ]
    atheris.Setup(["fuzz", *flags, corpus], one_input, custom_mutator=change)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
