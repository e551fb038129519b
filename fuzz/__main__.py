"""``python -m fuzz --seconds N [--target NAME]``: every reader, coverage-guided; with FILES: findings once more."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import click

from .targets import TARGETS


@click.command()
@click.option("--seconds", type=click.IntRange(1), default=60, help="For each target.", show_default=True)
@click.option("--target", "names", multiple=True, type=click.Choice(list(TARGETS)), help="Only these.  [default: all]")
@click.option(
    "--work",
    type=click.Path(file_okay=False),
    default=".fuzz",
    help="Folder of corpora and findings.",
    show_default=True,
)
@click.option("--seed", type=click.IntRange(1), default=1, help="Of the random changes.", show_default=True)
@click.option("--fresh", is_flag=True, help="Forget what earlier runs have found interesting.")
@click.argument("files", nargs=-1, type=click.Path(exists=True, dir_okay=False))
def main(seconds: int, names: tuple[str, ...], work: str, seed: int, fresh: bool, files: tuple[str, ...]) -> None:
    """Fuzz the readers, or give FILES (findings) to the one reader named by --target once more.

    Exit code 1 where anything but a reader's own one-line refusal came out, it took more than 5 s, or too much memory.
    """
    if files:
        return _again(names, files)
    if find_spec("atheris") is None:
        raise click.ClickException("atheris is not installed: pip install -r fuzz/requirements.txt")
    folder, rows = Path(work), []
    for name in names or TARGETS:
        rows.append(_run(name, folder, seconds, seed, fresh))
        click.echo(_line(rows[-1]))
        (folder / "report.json").write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    total = sum(row["findings"] for row in rows)
    runs, spent = sum(row["executions"] for row in rows), sum(row["seconds"] for row in rows)
    click.echo(
        f"{runs} executions in {spent / 60:.0f} minutes, {total} findings"
        + (f" in {folder / 'findings'}" if total else "")
    )
    sys.exit(1 if total else 0)


def _run(name: str, folder: Path, seconds: int, seed: int, fresh: bool) -> dict:
    from .seeds import made

    corpus, findings = folder / "corpus" / name, folder / "findings"
    if fresh and corpus.exists():
        shutil.rmtree(corpus)
    corpus.mkdir(parents=True, exist_ok=True)
    findings.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate(made(TARGETS[name].seeds)):
        (corpus / f"seed-{number:02}").write_bytes(data)
    before = set(findings.glob(f"{name}-*"))
    start = time.monotonic()
    words = [name, str(corpus), str(findings), str(seconds), str(seed)]
    with open(folder / f"{name}.log", "wb") as log:
        code = subprocess.run([sys.executable, "-m", "fuzz.worker", *words], stdout=log, stderr=log).returncode
    text = (folder / f"{name}.log").read_text(encoding="utf-8", errors="replace")
    found = {path for path in set(findings.glob(f"{name}-*")) - before if path.suffix != ".json"}
    edges = re.findall(r"cov: (\d+)", text)
    runs = re.search(r"number_of_executed_units:\s*(\d+)", text)
    return {
        "target": name,
        "executions": int(runs[1]) if runs else 0,
        "edges": int(edges[-1]) if edges else 0,
        "corpus": len(list(corpus.iterdir())),
        "seconds": round(time.monotonic() - start),
        "findings": len(found) + (code != 0 and not found),
        "exit": code,
    }


def _line(row: dict) -> str:
    return (
        f"{row['target']:<14}{row['executions']:>9} executions {row['edges']:>6} edges {row['corpus']:>6} inputs kept "
        f"{row['seconds']:>5} s {row['findings']:>4} findings" + (f" (ended with {row['exit']})" if row["exit"] else "")
    )


def _again(names: tuple[str, ...], files: tuple[str, ...]) -> None:
    if len(names) != 1:
        raise click.UsageError("name the one reader with --target")
    for file in files:
        TARGETS[names[0]].check(Path(file).read_bytes())
        click.echo(f"{file}: read or refused in one line")


if __name__ == "__main__":
    main()
