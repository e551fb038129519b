"""``--help``, ``--quiet``, ``--json`` and completion in a shell."""

import json
import os
import re
import shlex
import subprocess
import sys

import click
import pytest
from places import ROOT
from typed_commands import digests, gen, sefa

from sefa_plugin.commands import cli, help

COMMANDS = {"gen-sefa": cli.gen_sefa} | {f"sefa {name}": one for name, one in cli.sefa.commands.items()}
COMMANDS |= {f"sefa evaluate {name}": one for name, one in cli.evaluate.commands.items()}
COMMANDS |= {f"sefa preset {name}": one for name, one in cli.preset.commands.items()}


def shown(called):
    program, *words = called.split()
    return (gen if program == "gen-sefa" else sefa)(*words, "--help").stdout


@pytest.mark.parametrize("called", COMMANDS)
def test_every_example_in_help_can_be_typed(called, monkeypatch, tmp_path):
    """Each command has one or more, which its options and those of the other commands parse."""
    monkeypatch.chdir(tmp_path)
    text = shown(called).partition("Examples:")[2].replace("\\\n", " ")
    lines = re.findall(r"^ *((?:sefa|gen-sefa|python gen_sefa\.py) .*|cd .*)$", text, re.MULTILINE)
    assert any(called.split()[-1] in line.replace("gen_sefa.py", "gen-sefa") for line in lines), "an example of its own"
    for line in lines:
        words = shlex.split(line.rpartition("&& ")[2], comments=True)
        command = cli.gen_sefa if words[0] != "sefa" else cli.sefa
        words = words[2 if words[0] == "python" else 1 :]
        while isinstance(command, click.Group):
            command = command.commands[words.pop(0)]
        command.make_context("x", words)


@pytest.mark.parametrize("called", [*COMMANDS, "sefa"])
def test_nothing_is_cut_off(called):
    text = shown(called)
    assert "..." not in text.replace("[ARGS]...", "")
    for name, command in getattr(COMMANDS.get(called, cli.sefa), "commands", {}).items():
        summary = help.summary(command.help)
        assert summary in " ".join(text.split()) and len(summary) > 20, name


@pytest.mark.parametrize("called", COMMANDS)
def test_every_option_has_a_heading(called):
    """Those without one are about how a command runs."""
    placed = {name for names in help.HEADINGS.values() for name in names}
    left = {one.name for one in COMMANDS[called].params if isinstance(one, click.Option)} - placed
    assert left <= {"device", "precision", "strict", "quiet", "debug", "version", "audit"}


def test_options_are_in_groups():
    headings = re.findall(r"^(\w+):$", shown("sefa render"), re.MULTILINE)
    assert headings == ["Network", "Recipe", "Directions", "Pictures", "Videos", "Output", "Running"]
    options = re.findall(r"^  (?:-\w, )?(--[\w-]+)", shown("sefa render"), re.MULTILINE)
    ctx = click.Context(cli.sefa.commands["render"])
    known = [name for one in ctx.command.get_params(ctx) for name in one.opts if name.startswith("--")]
    assert sorted(options) == sorted(known)
    assert re.findall(r"^(\w+):$", shown("sefa register"), re.MULTILINE) == ["Options"]


def test_help_imports_nothing_heavy():
    code = "import sys, sefa_plugin.commands.cli\nprint({'torch', 'numpy', 'PIL', 'ssl'} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=100)
    assert done.stdout == "set()\n", done.stderr


# --- --quiet ----------------------------------------------------------------------------------------


def test_quiet_prints_nothing_and_makes_the_same_files(golden, tmp_path, monkeypatch):
    net = golden("sg2-in-sg3-32").pickle
    small = ["--network", net, "--seeds", 0, "-K", 1, "--distance", 2, "--frames", 2, "--video", "gif"]
    small += ["--size", "native"]
    for name, more in (("loud", []), ("quiet", ["--quiet"])):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        result = gen(*small, "--outdir", "out", *more)
        assert result.exit_code == 0
        assert bool(result.output) == (not more)
    loud, quiet = (
        {path.relative_to(tmp_path / name): path.read_bytes() for path in (tmp_path / name).rglob("*.[gjs]*[gfs]")}
        for name in ("loud", "quiet")
    )
    assert len(loud) >= 4 and loud == quiet
    again = gen(*small, "--outdir", "out", "--quiet")
    assert again.output == "" and digests("out")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["sheet", "--class", "3", "--seeds", "0", "-K", "1", "--distance", "1"], "Warning: --class is ignored"),
        (["sheet", "--directions", "99"], "Error: direction 99"),
    ],
)
def test_quiet_keeps_warnings_and_errors(tmp_path, words, says):
    result = sefa(*words, "--network", "demo", "--outdir", tmp_path, "--quiet")
    assert result.stderr.startswith(says) and result.stderr.count("\n") == 1 and not result.stdout


def test_quiet_keeps_what_was_asked_for(tmp_path):
    assert sefa("info", "demo", "--quiet").stdout == sefa("info", "demo").stdout
    factorize = ["factorize", "--network", "demo", "-K", 2, "--outdir", tmp_path, "--quiet"]
    assert sefa(*factorize).output == ""
    held = json.loads(sefa(*factorize, "--json").stdout)
    assert held[0]["label"] == "all" and len(held[0]["eigenvalues"]) == 2
    assert sefa("compare", tmp_path, tmp_path, "--quiet").stdout


# --- --json -----------------------------------------------------------------------------------------


def test_every_command_that_lists_has_json():
    listing = {"sefa info", "sefa factorize", "sefa compare", "sefa name"} | {
        called for called in COMMANDS if called.startswith("sefa evaluate ")
    }
    assert {
        called for called, one in COMMANDS.items() if any("--json" in param.opts for param in one.params)
    } == listing


def test_factorize_lists_its_sets(tmp_path):
    result = sefa("factorize", "--network", "demo", "--layers", "coarse,fine", "-K", 3, "--outdir", tmp_path, "--json")
    held = json.loads(result.stdout)
    assert [one["label"] for one in held] == ["coarse", "fine"]
    assert all(os.path.isfile(one["file"]) and len(one["eigenvalues"]) == len(one["names"]) == 3 for one in held)


HARD = pytest.mark.hard


@pytest.mark.parametrize(
    ("words", "key"),
    [
        (["rescore", "-K", "2", "--distance", "1"], None),
        pytest.param(["baselines", "--methods", "sefa,chance", "-K", "2", "--features", "none"], "rows", marks=HARD),
        pytest.param(["hierarchy", "-K", "1"], "rows", marks=HARD),
        pytest.param(["truth", "--variants", "0", "--sets", "2", "-K", "2"], "rows", marks=HARD),
        (["ganspace", "-K", "2", "--code-samples", "500"], "sigmas"),
    ],
    ids=lambda words: words[0] if isinstance(words, list) else "",
)
def test_experiments_print_one_value(tmp_path, golden, words, key):
    """On a network of 32 pixels, whose scores mean nothing."""
    small = [] if words[0] == "ganspace" else ["--samples", 4, "--scorer", "demo"]
    network = golden("sg2-in-sg3-32").pickle
    result = sefa("evaluate", *words, *small, "--network", network, "--outdir", tmp_path, "--json", "--quiet")
    assert result.exit_code == 0, result.output
    held = json.loads(result.stdout)
    if key is None:
        assert [one["label"] for one in held] == ["all"] and len(held[0]["directions"]) == 2
    else:
        assert held[key] and all(os.path.isfile(path) for path in held["files"])


# --- completion -------------------------------------------------------------------------------------


def complete(program, typed, last):
    """What click's own completion offers for the last word, as bash asks for it."""
    variable = f"_{program.upper().replace('-', '_')}_COMPLETE"
    words = [program, *typed, last]
    environ = {
        **os.environ,
        variable: "bash_complete",
        "COMP_WORDS": shlex.join(words),
        "COMP_CWORD": str(len(words) - 1),
    }
    entry = "gen_sefa" if program == "gen-sefa" else "sefa"
    code = f"import sys; sys.argv = [{program!r}]; from sefa_plugin.start import {entry}; {entry}()"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environ, capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize(
    ("program", "typed", "last", "offers"),
    [
        ("sefa", [], "fac", ["plain,factorize"]),
        ("sefa", ["evaluate"], "base", ["plain,baselines"]),
        ("sefa", ["render"], "--directions-", ["plain,--directions-file"]),
        ("gen-sefa", ["--video"], "g", ["plain,gif"]),
        ("gen-sefa", ["--network"], "ff", ["file,ff"]),
        ("gen-sefa", ["--outdir"], "o", ["dir,o"]),
        ("sefa", ["info"], "ff", ["file,ff"]),
    ],
)
def test_completion_of_click(program, typed, last, offers):
    assert complete(program, typed, last) == offers


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_completion_script_of_each_shell(shell):
    """As docs/tour.md has it."""
    environ = {**os.environ, "_SEFA_COMPLETE": f"{shell}_source"}
    code = "import sys; sys.argv = ['sefa']; from sefa_plugin.start import sefa; sefa()"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environ, capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0 and "_SEFA_COMPLETE" in done.stdout, done.stderr
    assert f"_SEFA_COMPLETE={shell}_source sefa" in (ROOT / "docs" / "tour.md").read_text(encoding="utf-8")
