"""``batch`` and ``merge``: runs of many networks, in parts, by several processes and computers."""

from __future__ import annotations

import glob
import os
import shlex
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..system.messages import readable
from . import options
from .evaluate import rescore, scorer_given, scorers_given
from .experiments import baselines, hierarchy, truth
from .files import Folder
from .given import Given, factorisation, look, network_choice, of_each_class, output_settings, wanted
from .given import seeds as seeds_of
from .main_job import gen_sefa
from .progress import reporter
from .shell import Command, explain, note, report, run_as, typed_command, usage, warn

if TYPE_CHECKING:
    from ..batch.job import Asked, Job, Request

SUFFIXES = (".pkl", ".pt", ".pth", ".safetensors", ".zip")
EVALUATIONS = {"rescore": rescore, "baselines": baselines, "hierarchy": hierarchy, "truth": truth}
# Parameters of a run that a job has once, or that have no meaning for several networks.
_NOT_OF_A_JOB = {
    *("network", "sha256", "outdir", "overwrite", "single_file", "debug", "quiet", "version", "help"),
    *("as_json", "also"),
}


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
@click.option(
    "--evaluate",
    type=click.Choice(list(EVALUATIONS)),
    help="Run that command of sefa evaluate instead, with its options.",
    metavar="|".join(EVALUATIONS),
)
@click.option("--engine", type=click.Choice(["local", "ray"]), default="local", help="Who makes the shards.")
@click.option("--ray-address", help="A cluster to use; auto for the one this computer is in.", metavar="auto|HOST:PORT")
@click.option("--status", is_flag=True, help="Print what is done, running and failed, and make nothing.")
@click.option("--retry-failed", is_flag=True, help="Make again what failed.")
@click.option("--dry-run", is_flag=True, help="Print shards, pictures, time and disk, and make nothing.")
@options.debug
@click.pass_context
def batch(ctx: click.Context, /, **given: Any) -> int:
    """Run gen_sefa.py, or an evaluation, on many networks, in parts that can be interrupted and shared.

    FILES are networks, a folder of them, a pattern in quotes, or a list of networks and options (.json, see
    docs/scaling.md). DIR/NETWORK gets what gen_sefa.py makes, and DIR/index.html shows all. The same command continues
    after an interruption, and works along where it is started several times, also on other computers that share DIR.
    Without FILES, the job of DIR is continued.

    \b
    Examples:
      sefa batch snapshots --outdir out --seeds 0-3 -K 10
      sefa batch a.pkl b.pkl --outdir out --workers 2
      sefa batch --outdir out --status
      sefa batch snapshots --outdir out --shard 0/8         # of an array of 8; then: sefa merge out
      sefa batch snapshots --outdir scores --evaluate rescore --scorer my_scorer.py:score --layers middle -K 8
    """
    folder = Path(given["outdir"])
    if given["ray_address"] and given["engine"] != "ray":
        raise click.UsageError("--ray-address is for --engine ray")
    if given["engine"] == "ray" and given["workers"] > 1:
        raise click.UsageError("--workers is for --engine local; Ray uses all processors of its cluster")
    if given["ray_address"]:
        from ..batch.cluster import check_reachable

        check_reachable(given["ray_address"])
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
    asked = partial(asked_by, job.program)
    with _others(folder, given["workers"] - 1, given["shard"]), reporter() as progress:
        if given["engine"] == "ray":
            from ..batch.cluster import work_by_ray

            work_by_ray(folder, job, blocks, asked, progress, warn, given["ray_address"])
        else:
            work(folder, job, blocks, asked, progress, warn)
    if given["shard"]:
        report(f"this share has {len(blocks)} shards of {len(job.blocks)}; when all are: sefa merge {folder}")
        return _failed(folder, job, {block.id for block in blocks})
    return _merge(folder, job, partial_too=True)


_OWN = {param.name for param in batch.params}


def _of_a_run(command: click.Command) -> dict[str, click.Option]:
    """The options of a plain run that a job may have, by their words."""
    found = [param for param in command.params if isinstance(param, click.Option)]
    return {word: param for param in found if param.name not in _NOT_OF_A_JOB for word in _words(param)}


def _words(option: click.Option) -> list[str]:
    return [*option.opts, *option.secondary_opts]


def _add_options_of_runs() -> None:
    """Add the options of all runs to ``batch``; its help shows those of ``gen_sefa``."""
    known = _of_a_run(gen_sefa)
    batch.params += dict.fromkeys(known.values())
    for command in EVALUATIONS.values():
        for option in dict.fromkeys(_of_a_run(command).values()):
            if not known.keys() & _words(option):
                hidden = copy(option)
                hidden.hidden, hidden.required = True, False
                batch.params.append(hidden)
                known.update(dict.fromkeys(_words(option), hidden))


_add_options_of_runs()


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
            work(folder, job, left, partial(asked_by, job.program), progress, warn)
    merged = joined(folder, job, warn, partial_too)
    for place in merged.folders:
        report(f"  {place}")
    for line in merged.missing:
        warn(line)
    report(f"networks: {len(merged.folders)}, failures: {len(merged.missing)}. Look at {folder / 'index.html'}")
    return 1 if merged.missing else 0


def _failed(folder: Path, job: Job, ids: set[str]) -> int:
    from ..batch.running import Done

    done = Done(folder, job)
    return int(any(not done.has(block) or done.failed(block) for block in job.blocks if block.id in ids))


# --- the job ----------------------------------------------------------------------------------------


def _job(ctx: click.Context, given: Given, folder: Path) -> Job:
    """The job of the folder, made now where there is none."""
    from ..batch import job as jobs

    program, words = _program(given["evaluate"]), _words_of_a_run(ctx, given["evaluate"])
    there, requests = (folder / jobs.PLACE / jobs.NAME).exists(), _requests(given["files"], words)
    if there or not requests:
        job = jobs.load(folder)
        if requests:
            jobs.check_same(job, folder, requests, program, words)
        if given["retry_failed"] and any(network.problem for network in job.networks):
            job = jobs.make_job(job.requests, partial(asked_by, job.program), job.program, job.words, warn)
            jobs.save(job, folder, new=False)
        return job
    for request in {request.words: request for request in requests}.values():
        with usage():  # options that do not fit together are refused before networks are read
            asked_by(program, request.path, request.words or words)
    report(f"reading {len(requests)} networks", err=True)
    job = jobs.make_job(requests, partial(asked_by, program), program, words, warn)
    if not job.blocks:
        raise click.ClickException("none of these networks can be opened")
    if not given["dry_run"]:
        jobs.save(job, folder)
        job = jobs.load(folder)  # another process may have been first
    return job


def _words_of_a_run(ctx: click.Context, evaluate: str | None) -> list[str]:
    """The typed words that are options of a plain run.

    Raises:
        click.UsageError: one is an option of other runs.
    """
    own = _of_a_run(EVALUATIONS[evaluate] if evaluate else gen_sefa)
    found = list[str]()
    for param, whole in _by_option(ctx.find_root().meta["sefa_plugin.words"]):
        name = whole[0].partition("=")[0] if whole[0].startswith("--") else whole[0][:2]
        if name in own:
            found += whole
        elif param and param not in _OWN:
            of = f"--evaluate {evaluate}" if evaluate else "gen_sefa.py"
            has = next((one for one, command in EVALUATIONS.items() if name in _of_a_run(command)), None)
            instead = f"; it is one of --evaluate {has}" if has and not evaluate else ""
            raise click.UsageError(f"{name} is no option of {of}{instead}")
    return found


def _by_option(typed: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """The name of the parameter of each option that was typed, and its words; '' and one word for what is none."""
    takers = {word: param for param in batch.params if isinstance(param, click.Option) for word in _words(param)}
    words = iter(typed)
    for word in words:
        name = word.partition("=")[0] if word.startswith("--") else word[:2]
        param = takers.get(name)
        value = [] if param is None or param.is_flag or word != name else [next(words, "")]
        yield (param.name if param and param.name else ""), [word, *value]


def _replaced(words: Sequence[str], own: Sequence[str]) -> tuple[str, ...]:
    """Options with those of one network, which replace the same options; () where it has none."""
    names = {name for name, _ in _by_option(own)}
    kept = [word for name, whole in _by_option(words) if name not in names for word in whole]
    return (*kept, *own) if own else ()


def _program(evaluate: str | None) -> list[str]:
    """How a plain run would be started that is started like this one."""
    command = typed_command()
    words = command[: len(command) - len(click.get_current_context().find_root().meta["sefa_plugin.words"])]
    if evaluate:
        return [*words, "evaluate", evaluate]
    return ["gen-sefa"] if words == ["sefa"] else [*words[:1], "gen_sefa.py"]


def _requests(files: Sequence[str], words: Sequence[str]) -> list[Request]:
    """The networks that files, folders, patterns and lists stand for, each in the order of their names.

    Raises:
        click.ClickException: a folder or a pattern stands for none, or a list is none.
    """
    from ..batch.job import Request, read_list

    found: list[Request] = []
    for file in files:
        if file.endswith(".json"):
            for entry in read_list(file):
                options = entry.options
                own = shlex.split(options) if isinstance(options, str) else options
                paths = _networks(entry.network)
                if entry.name and len(paths) > 1:
                    raise click.ClickException(f"{file}: {entry.network}: {len(paths)} networks cannot have one name")
                found += [Request(path, _replaced(words, own), entry.name) for path in paths]
        else:
            found += [Request(path) for path in _networks(file)]
    return list(dict.fromkeys(found))


def _networks(file: str) -> list[str]:
    some = [file]
    if os.path.isdir(file):
        some = sorted(str(path) for path in Path(file).rglob("*") if path.suffix in SUFFIXES)
    elif not os.path.exists(file) and any(letter in file for letter in "*?["):
        some = sorted(glob.glob(file, recursive=True))
    if not some:
        raise click.ClickException(f"{file}: no network there ({', '.join(SUFFIXES)})")
    return some


def asked_by(program: Sequence[str], path: str, words: Sequence[str]) -> Asked:
    """What a plain run makes of a network, by the words that start it and its options."""
    evaluate = program[-1] if "evaluate" in program else None
    command = EVALUATIONS[evaluate] if evaluate else gen_sefa
    with command.make_context(program[-1], ["--network", path, *words]) as ctx:
        given = ctx.params
        return _evaluated(program, command, given) if evaluate else _rendered(given)


def _rendered(given: Given) -> Asked:
    from ..batch.renders import Rendered

    return Rendered(
        choice=network_choice(given),
        factorisation=factorisation(given),
        wanted=wanted(given),
        output=output_settings(given, sheet=True),
        distance=given["distance"],
        seeds=tuple(seeds_of(given)),
        projected=given["projected_w"],
        looks={one.get("part", ""): look(one) for one in of_each_class(given)},
    )


def _evaluated(program: Sequence[str], command: click.Command, given: Given) -> Asked:
    from ..batch.job import BatchError
    from ..batch.scores import Evaluated, Rescored

    def run(words: Sequence[str]) -> None:
        try:
            run_as(program, command, words)
        except click.ClickException as error:
            raise BatchError(explain(error)[0]) from error

    scorers_given(given)  # missing ones are named before networks are read
    if command is rescore:
        asked = Rescored(
            factorisation=factorisation(given),
            wanted=wanted(given),
            distance=given["distance"],
            look=look(given),
            samples=given["samples"],
            first_seed=given["first_seed"],
            scorer=cache(partial(scorer_given, given)),
        )
        return Evaluated(network_choice(given), 0, run, asked)
    directions = 2 * (given["num_directions"] or 8) * given["samples"]  # as many as attributes, if not typed
    sets = {"baselines": 5, "hierarchy": 20, "truth": 17 * given.get("sets", 1)}[program[-1]]
    return Evaluated(network_choice(given), sets * directions, run)


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
        f"{len(state.failed)} failures"
        + (f"; about {readable(state.left)} left on two processor cores" if state.left else "")
    )
    return 1 if state.failed else 0
