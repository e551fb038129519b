"""The commands ``run``, ``gpu`` and ``compare``."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from . import contest, gpu, jobs, machine, networks, regions, report

_MAKERS = "benchmarks.rendering:"
_NAMES = [*(case.name for case in networks.CASES), *jobs.JOBS]


@click.group()
def main() -> None:
    """Measure how fast pictures are made, and what is around them."""


@main.command()
@click.option("--case", "names", multiple=True, type=click.Choice(_NAMES))
@click.option("--official", type=click.Path(exists=True, file_okay=False), help="Folder that holds the checkouts.")
@click.option("--device", type=click.Choice(["cpu", "cuda"]), default="cpu")
@click.option("--isa", type=click.Choice(["native", "avx2"]), default="native", help="avx2: as on a laptop.")
@click.option("--repetitions", type=click.IntRange(1), default=5)
@click.option("-K", "--num-directions", type=int, help="Of first-sheet, whose own number takes some ten minutes.")
@click.option("--json", "path", type=click.Path(dir_okay=False), help="Also write all figures there.")
def run(
    names: tuple[str, ...],
    official: str | None,
    device: str,
    isa: str,
    repetitions: int,
    num_directions: int | None,
    path: Any,
) -> None:
    """Render random networks: ours, plain operators, and the official code with --official. Then the other jobs.

    The folder holds `stylegan2-ada-pytorch`, `stylegan3` and `sefa`, as git clones them. Jobs run on the CPU.
    """
    if isa == "avx2" and os.environ.get("SEFA_BENCH_ISA") != "avx2":  # libraries look once, when they are loaded
        again = {**os.environ, **machine.AVX2, "SEFA_BENCH_ISA": "avx2"}
        sys.exit(subprocess.run([sys.executable, "-m", "benchmarks", *sys.argv[1:]], env=again).returncode)
    from sefa_plugin.rendering.set_up import cpu_has_bfloat16
    from sefa_plugin.system.whole_files import whole_file

    precisions = ["float32"] + (["bfloat16"] if device == "cuda" or cpu_has_bfloat16() else [])
    rates = {dtype: machine.gemm_rate(dtype, device) for dtype in precisions}
    about = {**machine.describe(), "isa": isa, "device": device, "rates": rates}
    click.echo(f"{about['processor']}, {about['cores']} cores, {isa} ({about['instructions']}); torch {about['torch']}")
    click.echo(", ".join(f"{dtype} {rate / 1e9:.0f} GFLOP/s in matrix products" for dtype, rate in rates.items()))
    rows: list[dict[str, Any]] = []

    def keep(row: dict[str, Any], lines: Callable[[dict[str, Any]], list[str]]) -> None:
        rows.append(row)
        click.echo("\n".join(lines(row)))
        if path:
            with whole_file(path) as file:
                file.write_text(json.dumps({"machine": about, "rows": rows}, indent=1) + "\n", encoding="utf-8")

    for case in networks.CASES:
        if names and case.name not in names:
            continue
        results = contest.compete(_entries(case, precisions, official, device), repetitions)
        work = networks.convolution_work(networks.ours(case))
        row = report.row(case, results, work, rates)
        for precision in precisions:
            entry = contest.Entry("shares", "benchmarks.shares:of_ours", (case.name, precision, device))
            row["contestants"][f"ours {precision}"].update(report.parts(contest.compete([entry], 1)["shares"]))
        keep(row, report.lines)
    setting = jobs.Setting(repetitions, official, num_directions)
    for name, job in jobs.JOBS.items():
        if not names or name in names:
            keep(report.job_row(name, job(setting)), report.job_lines)


def _entries(case: networks.Case, precisions: list[str], official: str | None, device: str) -> list[contest.Entry]:
    made = []
    for precision in precisions:
        # On CUDA the network's own choice, float16, takes the place of bfloat16.
        made.append(contest.Entry(f"ours {precision}", f"{_MAKERS}our_pictures", (case.name, precision, device)))
    made.append(contest.Entry("plain", f"{_MAKERS}plain_pictures", (case.name, device)))
    if official:
        checkout = str(Path(official) / case.checkout)
        made.append(contest.Entry("official", f"{_MAKERS}official_pictures", (case.name, checkout, device)))
    return made


@main.command()
@click.argument("before", type=click.Path(exists=True, dir_okay=False))
@click.argument("after", type=click.Path(exists=True, dir_okay=False))
def compare(before: str, after: str) -> None:
    """Compare two files that `run --json` has written."""
    held = [json.loads(Path(name).read_text(encoding="utf-8")) for name in (before, after)]
    click.echo("\n".join(report.compare(*held)))


@main.command("gpu")
@click.option("--case", "names", multiple=True, type=click.Choice([case.name for case in networks.CASES]))
@click.option("--part", "parts", multiple=True, type=click.Choice(list(gpu.PARTS)))
@click.option("--official", type=click.Path(exists=True, file_okay=False), help="Folder that holds the checkouts.")
@click.option("--device", default="cuda", show_default=True, help="cpu tries the parts that need no GPU.")
@click.option("--minutes", type=float, default=9.0, show_default=True, help="Nothing is begun after that.")
@click.option("--json", "path", type=click.Path(dir_okay=False), default="gpu.json", show_default=True)
def on_gpu(
    names: tuple[str, ...], parts: tuple[str, ...], official: str | None, device: str, minutes: float, path: str
) -> None:
    """Measure what only a GPU shows, into one JSON, in under ten minutes; needs PyTorch and click alone.

    Rows against the official code without and with its plugins, float16 against float32, memory, the loop of frames
    with pinned copies, CUDA graphs, torch.compile.
    """
    reason = gpu.missing(device)
    if reason:
        raise click.ClickException(reason)
    cases = [case for case in networks.CASES if not names or case.name in names]
    gpu.measure(cases, parts or tuple(gpu.PARTS), official, device, 60 * minutes, path, click.echo)


@main.command("regions")
@click.option("--resefa", type=click.Path(exists=True, file_okay=False), help="A clone of zhujiapeng/resefa.")
@click.option("--samples", type=click.IntRange(0), default=100, show_default=True, help="0 leaves the comparison out.")
@click.option("--planted/--no-planted", default=True, help="Networks of 256 pixels with a planted local direction.")
@click.option("--family", "families", multiple=True, help="Only these, of stylegan2 and stylegan3.")
@click.option("--looked-at", type=click.IntRange(2), default=16, show_default=True, help="Samples of planted ones.")
def on_regions(resefa: str | None, samples: int, planted: bool, families: tuple[str, ...], looked_at: int) -> None:
    """Measure local directions: planted ones, and their leak on the bundled network beside ReSeFa's. Some minutes."""
    chosen = (families or ("stylegan2", "stylegan3")) if planted else ()
    regions.report(resefa, samples, chosen, looked_at, click.echo)


@main.command("batch")
@click.option("-K", "directions", type=click.IntRange(1), default=4, help="Directions of the bundled network.")
@click.option("--repetitions", type=click.IntRange(1), default=5)
def batch_(directions: int, repetitions: int) -> None:
    """What a job costs beside a plain run, in processor seconds; how fast finished shards are known."""
    from . import batch

    for line in batch.overhead(directions, repetitions):
        click.echo(line)
    for count in (100, 1_000, 10_000):
        click.echo(batch.resume(count))


@main.command("cluster")
@click.option("--rate", type=click.FloatRange(0, min_open=True), default=6.25, help="Pictures a second of a computer.")
def cluster_(rate: float) -> None:
    """What 10,000 networks x 100 directions x 1,000 seeds cost on 64 computers, and simulations; nothing is run."""
    from . import cluster

    for line in cluster.lines(rate):
        click.echo(line)


if __name__ == "__main__":
    main()
