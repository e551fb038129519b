"""The jobs beside plain rendering, each a row with goals: reuse, loading, factorising, starting, memory, a run."""

from __future__ import annotations

import multiprocessing
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import commands, contest, networks, working

CONFIG_F = networks.Case("config-f", "stylegan2", 1024, {"conv_clamp": 256})
SMALL = networks.Case("256", "stylegan2", 256, {"channel_base": 16384, "conv_clamp": 256})


@dataclass(frozen=True)
class Setting:
    """How jobs are measured.

    Attributes:
        repetitions: of each contestant.
        official: the folder of the checkouts, if there is one.
        directions: of the whole run; None leaves the command its default.
        case: the network of all jobs.
        network: its file, where another one is to be used.
        frames: of the videos of ``reuse``, and of the two of ``video-memory``.
        previews: networks, pixels of their previews, and how many of them a second are wanted.
    """

    repetitions: int = 5
    official: str | None = None
    directions: int | None = None
    case: networks.Case = CONFIG_F
    network: str | None = None
    frames: tuple[int, int, int] = (12, 100, 10_000)
    previews: tuple[tuple[networks.Case, int, float], ...] = ((CONFIG_F, 256, 2), (SMALL, 128, 6))


@dataclass
class Judged:
    """What a job gave: contestants as a row of the JSON has them, and numbers beside their goals."""

    contestants: dict[str, dict[str, Any]]
    judged: list[dict[str, Any]] = field(default_factory=list)

    def judge(self, what: str, value: float, sense: str, goal: float) -> None:
        """Set a number beside its goal; ``sense`` is ``<=`` or ``>=``."""
        met = value <= goal if sense == "<=" else value >= goal
        self.judged.append({"what": what, "value": value, "sense": sense, "goal": goal, "met": met})

    def ratio(self, what: str, above: str, below: str, sense: str, goal: float, key: str = "seconds") -> None:
        """Set the ratio of two contestants beside its goal; nothing if one of them is missing or failed."""
        values = [self.contestants.get(name, {}).get(key) for name in (above, below)]
        if all(values):
            self.judge(what, values[0] / values[1], sense, goal)


def reuse(setting: Setting) -> Judged:
    """Edits of the last rows of ws, with and without reuse.

    Raises:
        ValueError: the pictures are not the same.
    """
    entries = [
        contest.Entry(name, "benchmarks.working:edited_frames", (setting.case, setting.frames[0], name == "reuse"))
        for name in ("reuse", "full")
    ]
    results = contest.compete(entries, setting.repetitions)
    made = Judged({name: result.as_dict() for name, result in results.items()})
    if results["reuse"].given != results["full"].given:
        raise ValueError("reuse: the pictures differ from those of full renders")
    made.ratio("full / reuse, time", "full", "reuse", ">=", 1.5)
    return made


def preview(setting: Setting) -> Judged:
    """What the studio shows while a slider moves: fewer pixels, and convolutions for previews."""
    made = Judged({})
    for case, pixels, goal in setting.previews:
        entries = [
            contest.Entry(f"{case.resolution} {name}", "benchmarks.working:preview", (case, *how))
            for name, how in (
                ("in full", (None, False)),
                (f"at {pixels}", (pixels, False)),
                (f"at {pixels}, quick", (pixels, True)),
            )
        ]
        results = contest.compete(entries, setting.repetitions)
        made.contestants.update({name: result.as_dict() for name, result in results.items()})
        full, small, quick = results
        made.ratio(f"{small} / quick, time", small, quick, ">=", 1.4)
        if not results[quick].error:
            made.judge(f"{quick}, pictures a second", 1 / results[quick].typical, ">=", goal)
    return made


def load(setting: Setting) -> Judged:
    """``G_ema`` of a file with three networks; each load in a process that has imported all, and loaded nothing."""
    checkout = _checkout(setting, "stylegan2-ada-pytorch")
    with tempfile.TemporaryDirectory(prefix="sefa-bench-") as folder:
        path = _network(setting, folder)
        entries = [contest.Entry("ours", "benchmarks.working:our_load", (path,))]
        if checkout:
            entries.append(contest.Entry("official", "benchmarks.working:official_load", (path, checkout)))
        results = contest.compete_afresh(entries, setting.repetitions)
        size = Path(path).stat().st_size
    made = Judged({name: result.as_dict() for name, result in results.items()})
    for about in made.contestants.values():
        if "error" not in about:
            about["file_bytes"], about["added_bytes"] = size, about["peak_bytes"] - about["start_bytes"]
    made.ratio("ours / official, time", "ours", "official", "<=", 0.5)
    made.ratio("ours / official, peak above imports", "ours", "official", "<=", 0.5, "added_bytes")
    return made


def factorise(setting: Setting) -> Judged:
    """All layers together, each for itself, and the authors' code."""
    entries = [
        contest.Entry("all", "benchmarks.working:our_factorisation", (setting.case, "all")),
        contest.Entry("each", "benchmarks.working:our_factorisation", (setting.case, "each")),
    ]
    checkout = _checkout(setting, "sefa")
    if checkout:
        entries.append(contest.Entry("authors", "benchmarks.working:authors_factorisation", (setting.case, checkout)))
    results = contest.compete(entries, setting.repetitions)
    made = Judged({name: result.as_dict() for name, result in results.items()})
    made.ratio("authors / ours, time", "authors", "all", ">=", 3)
    made.ratio("each layer / all together, time", "each", "all", "<=", 6)
    return made


def start(setting: Setting) -> Judged:
    """The help, and a look into a small file, against importing click.

    Raises:
        ValueError: one of them imports torch.
    """
    with tempfile.TemporaryDirectory(prefix="sefa-bench-") as folder:
        made = Judged(commands.starts(Path(folder), setting.repetitions * 3))
    for name in ("--help", "info"):
        made.ratio(f"{name} / import click, time", name, "import click", "<=", 3)
    return made


def video_memory(setting: Setting) -> Judged:
    """A short and a long video of the bundled network, by the command."""
    with tempfile.TemporaryDirectory(prefix="sefa-bench-") as folder:
        made = Judged({f"{count} frames": commands.film(Path(folder), count) for count in setting.frames[1:]})
    short, long = made.contestants
    made.ratio("long / short, peak", long, short, "<=", 1.1, "peak_bytes")
    return made


def first_sheet(setting: Setting) -> Judged:
    """The command as people type it, on a large network, and one picture in a process of its own."""
    entry = contest.Entry("one picture", "benchmarks.rendering:our_pictures", (_rendered(setting), "float32", "cpu"))
    one = contest.compete([entry], setting.repetitions)["one picture"]
    with tempfile.TemporaryDirectory(prefix="sefa-bench-") as folder:
        whole = commands.whole_run(Path(folder), _network(setting, folder), setting.directions)
    made = Judged({"run": whole, "one picture": one.as_dict()})
    made.judge("first sheet, seconds", whole["first_sheet_seconds"], "<=", 30)
    made.judge("run / its distinct pictures, time", whole["seconds"] / (whole["pictures"] * one.typical), "<=", 1.3)
    return made


JOBS: dict[str, Callable[[Setting], Judged]] = {
    "reuse": reuse,
    "preview": preview,
    "load": load,
    "factorise": factorise,
    "start": start,
    "video-memory": video_memory,
    "first-sheet": first_sheet,
}


def _checkout(setting: Setting, name: str) -> str | None:
    return str(Path(setting.official) / name) if setting.official else None


def _rendered(setting: Setting) -> str:
    """The rendering row of the network."""
    return next(case.name for case in networks.CASES if (case.family, case.resolution) == ("stylegan2", 1024))


def _network(setting: Setting, folder: str) -> str:
    """The network's file, written by a process of its own: making it must not count for anybody."""
    if setting.network:
        return setting.network
    path = str(Path(folder) / "network.pkl")
    arguments = (path, setting.case, _checkout(setting, "stylegan2-ada-pytorch"))
    process = multiprocessing.get_context("spawn").Process(target=working.write_network, args=arguments)
    process.start()
    process.join()
    if process.exitcode:
        raise ChildProcessError("the network file could not be made")
    return path
