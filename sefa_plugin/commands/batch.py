"""``batch`` and ``merge``: runs of many networks, in parts, by several processes and computers."""

from __future__ import annotations

import glob
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..system.messages import readable
from . import options
from .files import Folder
from .given import Given, factorisation, look, network_choice, of_each_class, output_settings, wanted
from .given import seeds as seeds_of
from .main_job import gen_sefa
from .progress import reporter
from .shell import Command, note, report, typed_command, usage, warn

if TYPE_CHECKING:
    from ..batch.job import Asked, Job

SUFFIXES = (".pkl", ".pt", ".pth", ".safetensors", ".zip")
# Parameters of gen_sefa that a job has once, or that have no meaning for several networks.
_NOT_OF_A_JOB = ("network", "sha256", "outdir", "overwrite", "single_file", "debug", "quiet", "version", "help")


def _share(text: str) -> tuple[int, int]:
    """Parse a share like ``0/2``."""
    place, _, count = text.partition("/")
    if not (place.isdigit() and count.isdigit() and int(place) < int(count)):
        raise ValueError(f"{text!r:.40}: expected a share like 0/4, counted from 0, the last one is 3/4")
    return int(place), int(count)


@click.command("batch", cls=Command)
@click.argument("files", nargs=-1, metavar="FILES")
@click.option(
    "--outdir", type=Folder(), required=True, help="Folder of the job; computers may share it.", metavar="DIR"
)
@click.option(
    "--shard",
    type=options.Parsed("share", _share),
    help="Make only a share, like 0/4; then sefa merge DIR.",
    metavar="I/N",
)
@options.whole("--workers", low=1, high=1024, default=1, help="Processes on this computer.")
@click.option("--status", is_flag=True, help="Print what is done, running and failed, and make nothing.")
@click.option("--retry-failed", is_flag=True, help="Make again what failed.")
@click.option("--dry-run", is_flag=True, help="Print shards, pictures, time and disk, and make nothing.")
@options.debug
@click.pass_context
def batch(ctx: click.Context, /, **given: Any) -> int:
    """Run gen_sefa.py on many networks, in parts that can be interrupted and shared.

    FILES are networks, a folder of them, or a pattern in quotes. DIR/NETWORK gets what gen_sefa.py makes, and
    DIR/index.html shows all. The same command continues after an interruption, and works along where it is started
    several times, also on other computers that share DIR. Without FILES, the job of DIR is continued.

    \b
    Examples:
      sefa batch snapshots --outdir out --seeds 0-3 -K 10
      sefa batch a.pkl b.pkl --outdir out --workers 2
      sefa batch --outdir out --status
      sefa batch snapshots --outdir out --shard 0/8         # of an array of 8; then: sefa merge out
    """
    folder = Path(given["outdir"])
    job = _job(ctx, given, folder)
    if given["dry_run"]:
        return _print_shards(job)
    if given["status"]:
        return _print_status(folder, job)
    from ..batch.job import check_versions
    from ..batch.running import forget_failed, work

    check_versions(job)
    blocks = job.share(*given["shard"]) if given["shard"] else list(job.blocks)
    if given["retry_failed"]:
        report(f"{forget_failed(folder, blocks)} failed shards are made again", err=True)
    cores = os.cpu_count() or 1
    if given["workers"] > 1 and "OMP_NUM_THREADS" not in os.environ:
        note(
            f"every process uses all cores; OMP_NUM_THREADS={max(1, cores // given['workers'])} before the command may "
            "be faster, and rounds like a plain run with that number of threads"
        )
    with _others(folder, given["workers"] - 1, given["shard"]), reporter() as progress:
        work(folder, job, blocks, partial(_asked, job.words), progress, warn)
    if given["shard"]:
        report(f"this share has {len(blocks)} shards of {len(job.blocks)}; when all are: sefa merge {folder}")
        return _failed(folder, job, {block.id for block in blocks})
    return _merge(folder, job, partial_too=True)


def _with_options_of_a_run(command: click.Command) -> None:
    """Add the options of ``gen_sefa`` to a command."""
    command.params += [param for param in gen_sefa.params if param.name not in _NOT_OF_A_JOB]


_with_options_of_a_run(batch)


@click.command("merge", cls=Command)
@click.argument("folder", type=Folder(there=True), metavar="DIR")
@click.option("--partial", is_flag=True, help="Merge what is there; the page and the last lines name the rest.")
@options.debug
def merge(folder: str, partial: bool, debug: bool) -> int:
    """Join the shards of a job, as `sefa batch` without --shard does at its end.

    Every file is checked by its digest. Missing shards and mixed versions are refused by name.

    \b
    Examples:
      sefa merge out
      sefa merge out --partial
    """
    from ..batch.job import load

    return _merge(Path(folder), load(folder), partial)


def _merge(folder: Path, job: Job, partial_too: bool) -> int:
    """Merge, and print what there is; returns the exit code.

    What is made from shards of several shares, and is in none of them, is made now.
    """
    from ..batch.merging import merge as joined
    from ..batch.running import Done, work

    done = Done(folder, job)
    left = [block for block in job.blocks if block.needs[1:] and not done.has(block) and done.ready(block)]
    if left:
        with reporter() as progress:
            work(folder, job, left, partial(_asked, job.words), progress, warn)
    merged = joined(folder, job, warn, partial_too)
    for place in merged.folders:
        report(f"  {place}")
    for line in merged.missing:
        warn(line)
    report(f"networks: {len(merged.folders)}, failures: {len(merged.missing)}. Look at {folder / 'index.html'}")
    return 1 if merged.missing else 0


def _failed(folder: Path, job: Job, ids: set[str]) -> int:
    from ..batch.shard import record_of

    records = [record_of(folder, block) for block in job.blocks if block.id in ids]
    return 1 if any(record is None or record.failed for record in records) else 0


# --- the job ----------------------------------------------------------------------------------------


def _job(ctx: click.Context, given: Given, folder: Path) -> Job:
    """The job of the folder, made now where there is none."""
    from ..batch import job as jobs

    words, there = _words_of_a_run(ctx), (folder / jobs.PLACE / jobs.NAME).exists()
    if there or not given["files"]:
        job = jobs.load(folder)
        if given["files"]:
            jobs.check_same(job, folder, _networks(given["files"]), words)
        if given["retry_failed"] and any(network.problem for network in job.networks):
            job = jobs.make_job(job.paths, partial(_asked, job.words), job.program, job.words, warn)
            jobs.save(job, folder, new=False)
        return job
    paths = _networks(given["files"])
    with usage():
        _asked(words, paths[0])  # options that do not fit together are refused before networks are read
    report(f"reading {len(paths)} networks", err=True)
    job = jobs.make_job(paths, partial(_asked, words), _program(), words, warn)
    if not given["dry_run"]:
        jobs.save(job, folder)
        job = jobs.load(folder)  # another process may have been first
    return job


def _words_of_a_run(ctx: click.Context) -> list[str]:
    """The typed words that are options of a plain run."""
    takers = {
        name: param
        for param in batch.params
        if isinstance(param, click.Option)
        for name in (*param.opts, *param.secondary_opts)
    }
    own = {param.name for param in gen_sefa.params if param.name not in _NOT_OF_A_JOB}
    words, found = iter(ctx.find_root().meta["sefa_plugin.words"]), list[str]()
    for word in words:
        name = word.partition("=")[0] if word.startswith("--") else word[:2]
        param = takers.get(name)
        if param is None:
            continue
        whole = [word] if param.is_flag or word != name else [word, next(words, "")]
        found += whole if param.name in own else []
    return found


def _program() -> list[str]:
    """How a plain run would be started that is started like this one."""
    command = typed_command()
    words = command[: len(command) - len(click.get_current_context().find_root().meta["sefa_plugin.words"])]
    if words == ["sefa"]:
        return ["gen-sefa"]
    return [*words[:1], "gen_sefa.py"]


def _networks(files: Sequence[str]) -> list[str]:
    """The networks that files, folders and patterns stand for, in the order of their names.

    Raises:
        click.ClickException: a folder or a pattern stands for none.
    """
    found: list[str] = []
    for file in files:
        some = [file]
        if os.path.isdir(file):
            some = sorted(str(path) for path in Path(file).rglob("*") if path.suffix in SUFFIXES)
        elif not os.path.exists(file) and any(letter in file for letter in "*?["):
            some = sorted(glob.glob(file, recursive=True))
        if not some:
            raise click.ClickException(f"{file}: no network there ({', '.join(SUFFIXES)})")
        found += some
    return list(dict.fromkeys(found))


def _asked(words: Sequence[str], path: str) -> Asked:
    """What the options of a run make of a network."""
    from ..batch.job import Asked

    with gen_sefa.make_context("gen-sefa", ["--network", path, *words], resilient_parsing=False) as ctx:
        given = ctx.params
    return Asked(
        choice=network_choice(given),
        factorisation=factorisation(given),
        wanted=wanted(given),
        output=output_settings(given, sheet=True),
        distance=given["distance"],
        seeds=tuple(seeds_of(given)),
        projected=given["projected_w"],
        looks={one.get("part", ""): look(one) for one in of_each_class(given)},
    )


# --- other processes --------------------------------------------------------------------------------


@contextmanager
def _others(folder: Path, count: int, shard: tuple[int, int] | None) -> Iterator[None]:
    """Further processes that make shards of the same job during the block."""
    words = [sys.executable, "-m", "sefa_plugin", "batch", "--outdir", str(folder), "--quiet"]
    words += ["--shard", "/".join(map(str, shard or (0, 1)))]
    above = str(Path(__file__).parents[2])
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, (above, os.environ.get("PYTHONPATH"))))}
    started = [subprocess.Popen(words, env=env) for _ in range(count)]
    for process in started:  # the claims of one that was killed are taken as soon as its end is noticed
        threading.Thread(target=process.wait, daemon=True).start()
    try:
        yield
        for process in started:
            process.wait()
    finally:
        for process in started:
            process.terminate()
            process.wait()


# --- what is printed --------------------------------------------------------------------------------


def _print_shards(job: Job) -> int:
    from ..batch.running import about

    for block in job.blocks:
        click.echo(f"{block.id}  {about(job, block)}: {block.pictures} pictures, about {readable(block.seconds)}")
    total = sum(block.seconds for block in job.blocks)
    pictures, size = sum(block.pictures for block in job.blocks), sum(block.size for block in job.blocks)
    click.echo(
        f"{len(job.blocks)} shards of {len(job.networks)} networks, {pictures} pictures, about {readable(total)} on "
        f"two processor cores, {size / 1e6:.3g} MB"
    )
    return 0


def _print_status(folder: Path, job: Job) -> int:
    from ..batch.running import state_of

    state = state_of(folder, job)
    for line in state.running:
        click.echo(f"running: {line}")
    for line in state.failed:
        click.echo(f"failed: {line}")
    click.echo(
        f"{state.done} shards of {len(job.blocks)} done, {len(state.running)} running, {state.waiting} waiting, "
        f"{len(state.failed)} failures; about {readable(state.left)} left on two processor cores"
    )
    return 1 if state.failed else 0
