"""Contestants that do the same work in turn, each in a process of its own, so that each has a memory peak of its own.

A contestant is made by a function of this package and called with the number of the repetition, from which it
draws inputs that it has not seen; what it gives back is not part of the time. Where drawing must not count either,
it has an attribute ``prepare``, which is called with the number, and gives what the contestant is then called with.
"""

from __future__ import annotations

import importlib
import multiprocessing
import os
import statistics
import time
from dataclasses import dataclass, field
from typing import Any

REST = 0.5  # seconds before each turn: threads of the one before go on spinning for a while, on the same cores
WARM_UP = 1  # repetitions that are not counted: compiling, first allocations


@dataclass(frozen=True)
class Entry:
    """Who takes part: ``module:function`` and its arguments, which give a function of the repetition's number."""

    name: str
    maker: str
    arguments: tuple[Any, ...] = ()


@dataclass
class Result:
    """Seconds of every counted repetition, and resident sets in bytes: the largest, and the one before the first.

    ``given`` holds what the repetitions gave back, where that was text.
    """

    seconds: list[float] = field(default_factory=list)
    peak_bytes: int = 0
    start_bytes: int = 0
    given: list[str] = field(default_factory=list)
    error: str = ""

    @property
    def typical(self) -> float:
        """The median of the repetitions."""
        return statistics.median(self.seconds)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        if self.error:
            return {"error": self.error}
        return {
            "seconds": self.typical,
            "repetitions": self.seconds,
            "peak_bytes": self.peak_bytes,
            "start_bytes": self.start_bytes,
        }


def compete(entries: list[Entry], repetitions: int, warm_up: int = WARM_UP) -> dict[str, Result]:
    """Let all entries take turns; one that fails is left out from there on, with its reason."""
    context = multiprocessing.get_context("spawn")
    results = {entry.name: Result() for entry in entries}
    workers = {}
    try:
        for entry in entries:
            here, there = context.Pipe()
            process = context.Process(target=_work, args=(there, entry), daemon=True)
            process.start()
            there.close()
            workers[entry.name] = (process, here)
            _ask(results[entry.name], here, None)
        for number in range(repetitions + warm_up):
            for name, (_, pipe) in workers.items():
                if results[name].error:
                    continue
                taken = _ask(results[name], pipe, number)
                if taken is not None and number >= warm_up:
                    results[name].seconds.append(taken)
    finally:
        for process, pipe in workers.values():
            pipe.close()
            process.join(10)
            process.kill()
    return results


def compete_afresh(entries: list[Entry], repetitions: int) -> dict[str, Result]:
    """As :func:`compete`, with a new process for each repetition, which has done nothing before."""
    results = {entry.name: Result() for entry in entries}
    for _ in range(repetitions):
        running = [entry for entry in entries if not results[entry.name].error]
        for name, result in compete(running, 1, warm_up=0).items():
            held = results[name]
            held.error = result.error
            held.seconds += result.seconds
            held.given += result.given
            held.peak_bytes = max(held.peak_bytes, result.peak_bytes)
            held.start_bytes = max(held.start_bytes, result.start_bytes)
    return results


def _ask(result: Result, pipe: Any, number: int | None) -> float | None:
    """One repetition of a worker; None asks whether it is ready."""
    try:
        if number is not None:
            pipe.send(number)
        kind, value, peak, given = pipe.recv()
    except (EOFError, BrokenPipeError):
        result.error = "its process ended (out of memory?)"
        return None
    result.peak_bytes = max(result.peak_bytes, peak)
    if kind == "error":
        result.error = value
        return None
    if kind == "ready":
        result.start_bytes = given
    elif isinstance(given, str):
        result.given.append(given)
    return value


def _work(pipe: Any, entry: Entry) -> None:
    from .machine import peak_memory, resident_memory

    try:
        module, _, function = entry.maker.partition(":")
        run = getattr(importlib.import_module(module), function)(*entry.arguments)
        prepare = getattr(run, "prepare", lambda number: number)
        pipe.send(("ready", 0.0, peak_memory(), resident_memory()))
        while True:
            inputs = prepare(pipe.recv())
            time.sleep(REST)
            start = time.perf_counter()
            given = run(inputs)
            taken = time.perf_counter() - start
            pipe.send(("done", taken, peak_memory(), given if isinstance(given, str) else None))
            del inputs, given
    except EOFError:
        return
    except Exception as error:  # told to the parent, which prints it in its place
        if os.environ.get("SEFA_BENCH_DEBUG"):
            raise
        pipe.send(("error", f"{type(error).__name__}: {error}", 0, None))
