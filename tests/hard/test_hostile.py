"""No hostile file runs anything, takes long or much memory, leaves anything behind, or gets more than one line."""

from __future__ import annotations

import importlib
import itertools
import json
import os
import re
import subprocess
import sys
import time

import hostile
import pytest
from click.testing import CliRunner
from hostile.watch import Watch
from places import ROOT

from sefa_plugin.commands.cli import sefa
from sefa_plugin.hooks import all_hooks
from sefa_plugin.rendering.latent_files import LatentsError, load_projected_w

SECONDS = 5.0
MOST_BYTES = 400 << 20  # beyond what the program itself takes
BASE_BYTES, FACTOR = 16 << 20, 120
LIGHT = [case for case in hostile.CORPUS if not case.heavy]
HEAVY = [case for case in hostile.CORPUS if case.heavy]

# What is given to each reader; OUT is a folder that must stay empty.
COMMANDS = {
    "network": (
        ("info", "FILE"),
        ("convert", "--network", "FILE", "--output", "OUT/x.safetensors"),
        ("factorize", "--network", "FILE", "--outdir", "OUT"),
        ("sheet", "--network", "FILE", "--outdir", "OUT"),
    ),
    "import": (
        ("import", "FILE", "--layers", "0-3", "--output", "OUT/x.safetensors"),
        ("compare", "FILE", "FILE"),
    ),
    "directions": (
        ("name", "FILE"),
        ("export", "FILE", "--format", "npy", "--output", "OUT/x.npy"),
        ("compare", "FILE", "FILE"),
    ),
    "recipe": (("render", "--recipe", "FILE", "--outdir", "OUT"),),
    "latents": (("edit", "--network", "demo", "--edit", "0=1", "--projected-w", "FILE", "--outdir", "OUT"),),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("hostile")


@pytest.fixture(scope="module")
def watch(folder):
    """What a command imports of other packages is imported first, and the types of what it reads are compiled."""
    for path in sorted((ROOT / "sefa_plugin").glob("*.py")):
        if path.stem != "__main__":
            importlib.import_module(f"sefa_plugin.{path.stem}")
    all_hooks()
    for words in itertools.chain(*COMMANDS.values()):
        ended(words, folder / "missing", folder)
    of_types = ("recipe-of-list", "converted-of-list", "directions-label-upwards")
    for case in (case for case in LIGHT if case.name in of_types):
        ended(COMMANDS[case.reader][0], case.write(folder), folder)
    return Watch()


def typed(words, path, out):
    return [word.replace("FILE", str(path)).replace("OUT", str(out)) for word in words]


def ended(words, path, out):
    """Exit code, lines on standard error and what is on standard output, of a command on a file."""
    result = CliRunner().invoke(sefa, typed(words, path, out))
    return result.exit_code, result.stderr.splitlines(), result.stdout


def check_line(lines, case, path):
    lines = [line for line in lines if not line.startswith(("reading ", "demo: "))]  # before the file is refused
    assert len(lines) == 1, lines
    assert lines[0].startswith("Error: ") and len(lines[0]) < 700 + 2 * len(str(path)), lines
    assert lines[0].isprintable() and "unexpected" not in lines[0], lines
    assert case is None or re.search(case.says, lines[0]), (case.says, lines[0])


def test_there_are_many_and_each_has_a_name_of_its_own():
    names = [case.name for case in hostile.CORPUS]
    assert len(names) == len(set(names)) and len(names) > 200
    assert {case.reader for case in hostile.CORPUS} == set(COMMANDS)


@pytest.mark.parametrize("case", [case for case in LIGHT if case.reader != "latents"], ids=lambda case: case.name)
def test_a_command_says_one_line_and_does_nothing(case, folder, watch):
    path, out = case.write(folder), folder / "out"
    out.mkdir(exist_ok=True)
    for words in COMMANDS[case.reader]:
        start = time.perf_counter()
        with watch.nothing_run(outside=out):
            code, lines, printed = ended(words, path, out)
        assert time.perf_counter() - start < SECONDS
        assert (code, printed) == (1, "")
        check_line(lines, case, path)
        assert not case.canary(folder).exists() and not any(out.iterdir())


@pytest.mark.parametrize("case", [case for case in LIGHT if case.reader == "latents"], ids=lambda case: case.name)
def test_latents_are_refused_in_one_line(case, folder, watch):
    path = case.write(folder)
    with watch.nothing_run(outside=folder / "out"), pytest.raises(LatentsError, match=case.says) as caught:
        load_projected_w(path, 10, 64)
    assert str(caught.value).isprintable() and not case.canary(folder).exists()


@pytest.mark.skipif(os.name == "nt", reason="payloads are of POSIX shells")
def test_the_payloads_are_live(tmp_path):
    """What is said to be armed does leave its canary where Python's own unpickler reads it."""
    armed = [case for case in hostile.CORPUS if case.armed]
    for case in armed:
        case.write(tmp_path)
    support = str(ROOT / "tests" / "support")
    code = f"import sys; sys.path.insert(0, {support!r})\nfrom hostile.unsafe import unpickle_all\n"
    command = code + f"unpickle_all({str(tmp_path)!r})"
    subprocess.run([sys.executable, "-c", command], cwd=tmp_path, capture_output=True, timeout=100, check=True)
    assert len(armed) > 80
    assert [case.name for case in armed if not case.canary(tmp_path).exists()] == []


@pytest.mark.skipif(sys.platform != "linux", reason="memory is limited and measured as Linux does")
def test_floods_take_little_time_and_memory(tmp_path):
    """All in one process, under a limit of memory: one that crashed, or asked for more, would end the rest."""
    cases = [(case, case.write(tmp_path)) for case in HEAVY]
    out = tmp_path / "out"
    out.mkdir()
    commands = [[*typed(COMMANDS[case.reader][0], path, out)] for case, path in cases]
    warm = [typed(words[0], tmp_path / "missing", out) for words in COMMANDS.values()]
    found = subprocess.run(
        [sys.executable, "-m", "hostile.measured"],
        input=json.dumps([MOST_BYTES, warm, commands]),
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests" / "support")])},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=170,
    )
    results = [json.loads(line) for line in found.stdout.splitlines()]
    assert len(results) == len(cases), (cases[len(results)][0].name, found.returncode, found.stderr[-500:])
    for (case, path), result in zip(cases, results):
        print(
            f"{case.name:32} {path.stat().st_size:9} bytes {result['bytes'] / 2**20:5.0f} MB {result['seconds']:.2f} s"
        )
    for (case, path), result in zip(cases, results):
        assert result["code"] == 1, (case.name, result)
        check_line(result["lines"], case, path)
        assert result["seconds"] < SECONDS, case.name
        # As SECURITY.md says.
        assert result["bytes"] < BASE_BYTES + FACTOR * path.stat().st_size, (case.name, result)
    assert not any(out.iterdir())
