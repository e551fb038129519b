"""What scanners of pickles say of hostile and of honest files: ``python -m fuzz.compare``.

Scanners are commands, so that they can be installed elsewhere; one that is not there is said to be left out.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click

ROOT = Path(__file__).parent.parent
SECONDS = 60
_WORDS = {0: "clean", 1: "flagged"}
_CRASHES = (b"Traceback (most recent call last)", b"Error: unexpected ")  # Python's exit code for those is 1, too


@dataclass(frozen=True)
class Scanner:
    """A command that ends with 0 for a clean file and with 1 for one that is not."""

    name: str
    words: tuple[str, ...]

    def says(self, file: Path, folder: Path) -> str:
        """``clean``, ``flagged`` or ``failed`` (another exit code, a crash, or over a minute)."""
        words = [word.replace("FILE", str(file)) for word in self.words]
        try:
            done = subprocess.run(words, cwd=folder, capture_output=True, timeout=SECONDS)
        except subprocess.TimeoutExpired:
            return "failed"
        if done.returncode == 1 and any(crash in done.stderr for crash in _CRASHES):
            return "failed"
        return _WORDS.get(done.returncode, "failed")


def scanners(picklescan: str, fickling: str) -> Iterator[Scanner]:
    """Ours and the others; those that are not installed are said to be missing."""
    ours = "from sefa_plugin.commands.cli import sefa; sefa()"
    path = f"import sys; sys.path.insert(0, {str(ROOT)!r}); "
    yield Scanner("sefa info --audit", (sys.executable, "-c", path + ours, "info", "--audit", "FILE"))
    others = (
        ("picklescan", picklescan, ("-p", "FILE")),
        ("picklescan --strict", picklescan, ("--strict", "-p", "FILE")),
        ("fickling", fickling, ("--check-safety", "--json-output", "out.json", "FILE")),
    )
    for name, command, words in others:
        found = shutil.which(command)
        if found is None:
            click.echo(f"{name}: left out, {command} is not installed")
        else:
            yield Scanner(name, (found, *words))


def hostile_files(folder: Path) -> list[Path]:
    """The files of the tests' corpus whose payload is live: an unpickler runs it."""
    sys.path.append(str(ROOT / "tests" / "support"))
    from hostile import CORPUS

    return [case.write(folder) for case in CORPUS if case.armed]


def honest_files(folder: Path) -> list[Path]:
    """The bundled network, those that the official code has written, and the honest files that fuzzing starts from."""
    from .seeds import MAKERS

    golden = ROOT / "tests" / "golden"
    files = [ROOT / "sefa_plugin" / "data" / "demo.pkl", *sorted(golden.glob("*.pkl")), *sorted(golden.glob("*.pt"))]
    for kind, suffix in (("networks", ".pkl"), ("torch_zips", ".pt"), ("torch_legacies", ".pt")):
        for number, data in enumerate(MAKERS[kind]()):
            if b"class Generator" in data:
                continue  # source text of nobody's: rightly flagged
            files.append(folder / f"{kind}-{number}{suffix}")
            files[-1].write_bytes(data)
    return files


@click.command()
@click.option("--picklescan", default="picklescan", help="Its command.", show_default=True)
@click.option("--fickling", default="fickling", help="Its command.", show_default=True)
@click.option("--json", "path", type=click.Path(dir_okay=False), help="Write what each says of each file there.")
def main(picklescan: str, fickling: str, path: str | None) -> None:
    """Let every scanner look at every file, and count."""
    rows, told = [], {}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        kinds = {"hostile": hostile_files(folder), "honest": honest_files(folder)}
        for scanner in scanners(picklescan, fickling):
            counts = {}
            for kind, files in kinds.items():
                said = {file.name: scanner.says(file, folder) for file in files}
                told[f"{scanner.name}, {kind}"] = said
                counts[kind] = Counter(said.values())
            bad, good = counts["hostile"], counts["honest"]
            rows.append((scanner.name, bad["flagged"], bad["clean"], bad["failed"], good["flagged"], good["failed"]))
            click.echo(f"{scanner.name}: done", err=True)
    if path:
        Path(path).write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    number, others = len(kinds["hostile"]), len(kinds["honest"])
    click.echo(f"| | caught (of {number}) | missed | failed | false alarms (of {others}) | failed |")
    click.echo("|---|---|---|---|---|---|")
    for row in rows:
        click.echo("| " + " | ".join(map(str, row)) + " |")


if __name__ == "__main__":
    main()
