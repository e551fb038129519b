"""Shared parts of the tests: the golden numbers, and files made on the spot."""

from __future__ import annotations

import json
import os
import re
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from places import GOLDEN

from sefa_plugin.system.processor import share_cores

settings.register_profile("untimed", deadline=None)  # a busy machine is no failure
settings.load_profile("untimed")
share_cores()
# The tests' networks are so small that a second thread costs more than it brings: twice the time of a processor.
# What the tests start does the same. Where threads are the point, a test asks for its own.
os.environ.setdefault("OMP_NUM_THREADS", "1")


# What the imports of a test module name where it runs commands or starts processes.
PROCESSES = {"subprocess", "multiprocessing", "CliRunner", "sefa", "gen", "invoke"}
IMPORTS = re.compile(r"^(?:import|from .+ import) (\([^)]*\)|.*)", re.MULTILINE)
MARKED = re.compile(r"^pytestmark = pytest\.mark\.command$", re.MULTILINE)


@cache
def tier(path: Path) -> str:
    """The tier that a whole test module belongs to: ``hard``, ``command``, or quick, which has no mark."""
    if path.parent.name == "hard":
        return "hard"
    text = path.read_text(encoding="utf-8")
    starts = PROCESSES & set(re.findall(r"\w+", " ".join(IMPORTS.findall(text))))
    return "command" if path.parent.name in ("commands", "demo") or starts or MARKED.search(text) else ""


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Modules without a test that ``-m`` asks for are not even imported, which takes seconds in every process."""
    if collection_path.suffix != ".py":
        return None
    asked, whole = config.option.markexpr, tier(collection_path)
    left_out = whole in re.findall(r"not (\w+)", asked)
    if asked == "hard" and whole != "hard":
        left_out = "pytest.mark.hard" not in collection_path.read_text(encoding="utf-8")
    return left_out or None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Three tiers: ``hard``, ``command`` and, without a mark, quick (CONTRIBUTING.md)."""
    for item in items:
        if tier(item.path):
            item.add_marker(tier(item.path))


class Case:
    """One golden case: arrays, facts, and the weights by the toolkit's names."""

    def __init__(self, name: str) -> None:
        self.name = name
        with np.load(GOLDEN / f"{name}.npz", allow_pickle=False) as file:
            self.arrays = {key: file[key] for key in file.files}
        self.info = json.loads((GOLDEN / f"{name}.json").read_text())
        self.pickle = GOLDEN / f"{name}.pkl"

    def __getitem__(self, key: str) -> np.ndarray:
        return self.arrays[key]

    @property
    def state(self) -> dict[str, np.ndarray]:
        return {k.split("/", 1)[1]: v for k, v in self.arrays.items() if k.startswith(("param/", "buffer/"))}


@pytest.fixture(scope="session")
def golden():
    """Give golden cases by name, each read once."""
    held: dict[str, Case] = {}

    def get(name: str) -> Case:
        if name not in held:
            held[name] = Case(name)
        return held[name]

    return get


@pytest.fixture(scope="module")
def browser():
    """Debian's Chromium; skips the test where there is none."""
    from chromium import chromium

    with chromium() as opened:
        yield opened
