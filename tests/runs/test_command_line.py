"""The words of commands: portable paths, options that are replaced, and shells."""

import os
import shlex
import subprocess

import pytest

from sefa_plugin.runs import command_line
from sefa_plugin.runs.command_line import (
    comment,
    from_outputs,
    line,
    place_of,
    portable,
    portable_words,
    program_of,
    values_of,
    with_options,
)


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A current folder in somebody's home."""
    work = tmp_path / "home" / "me" / "work"
    work.mkdir(parents=True)
    monkeypatch.setenv("HOME", str(tmp_path / "home" / "me"))
    monkeypatch.chdir(work)
    return tmp_path


def test_paths_as_typed(here):
    for path in ("ffhq.pkl", "../nets/ffhq.pkl", "nets\\ffhq.pkl", "~/ffhq.pkl", "demo"):
        assert portable(path) == path


@pytest.mark.skipif(os.name == "nt", reason="folders of POSIX")
def test_absolute_paths_are_seen_from_here_and_name_no_home(here, monkeypatch):
    net = here / "home" / "me" / "nets" / "my net.pkl"
    assert portable(net) == "../nets/my net.pkl"
    assert portable(here / "srv" / "x.pkl") == "../../../srv/x.pkl"
    monkeypatch.chdir(here)
    assert portable(net) == "~/nets/my net.pkl"
    assert portable(here / "srv" / "x.pkl") == "srv/x.pkl"
    assert from_outputs(str(net), here / "home" / "me" / "out") == "../nets/my net.pkl"
    assert from_outputs("net.pkl", here / "out") == "net.pkl"


def test_words(here):
    words = ["sefa", "--network", f"{here}/x.pkl", f"--outdir={here}/out", f"onnx:{here}/a.onnx", "--distance=-3,3"]
    words += ["https://me:word@host/x.pkl?token=word", "--network=http://host/x.pkl?token", "onnx:b.onnx", "a.py:score"]
    want = ["sefa", "--network", "../../../x.pkl", "--outdir=../../../out", "onnx:../../../a.onnx", "--distance=-3,3"]
    want += [
        "https://<password>@host/x.pkl?<token>",
        "--network=http://host/x.pkl?<token>",
        "onnx:b.onnx",
        "a.py:score",
    ]
    assert portable_words(words) == [word.replace("/", os.sep) if ".." in word else word for word in want]


@pytest.mark.parametrize(
    ("words", "program"),
    [
        (["gen-sefa"], 1),
        (["sefa", "render", "--network", "x"], 2),
        (["python", "gen_sefa.py", "--network", "x"], 2),
        (["python3", "-m", "sefa_plugin", "evaluate", "truth", "--samples", "9"], 5),
        (["python", "-m", "sefa_plugin"], 3),
    ],
)
def test_programs(words, program):
    assert program_of(words) == words[:program]


def test_options_are_replaced_wherever_they_stand():
    words = [
        "sefa",
        "x",
        "--outdir",
        "--grid",
        "-K5",
        "--trunc",
        "0.7",
        "-K",
        "3",
        "--edit=0=1",
        "--grid",
        "--edit",
        "1=2",
    ]
    assert values_of(words, "--edit") == ["0=1", "1=2"]
    assert values_of(words, "--outdir") == ["--grid"]
    changes = {"--outdir": ["out"], "-K": [], "--edit": ["3=1", "-4"]}
    assert with_options(words, changes, ["--grid"]) == [
        *("sefa", "x", "--trunc", "0.7", "--outdir", "out", "--edit", "3=1", "--edit=-4")
    ]
    assert with_options([], changes) == []


NAMES = ["a b", "it's", 'say "x"', "$HOME", "`id`", "a;b&c|d", "*?[x]", "<token>", "#1", "~x", "é", "\\", "", "-x"]


@pytest.mark.skipif(os.name == "nt", reason="a shell of POSIX")
def test_a_posix_shell_gives_back_every_word(tmp_path):
    text = line(["printf", "%s\\n", *NAMES])
    done = subprocess.run(["sh", "-c", text], capture_output=True, check=True, cwd=tmp_path)
    assert done.stdout.decode().splitlines() == NAMES
    assert shlex.split(text)[2:] == NAMES


@pytest.mark.parametrize(
    ("word", "typed"),
    [
        ("ffhq.pkl", "ffhq.pkl"),
        ("C:\\nets\\ffhq.pkl", "C:\\nets\\ffhq.pkl"),
        ("my net.pkl", '"my net.pkl"'),
        ("0,1", '"0,1"'),
        ("C:\\my nets\\", '"C:\\my nets\\\\"'),
        ('a="b"', '"a=\\"b\\""'),
        ("http://h/x?<token>", '"http://h/x?<token>"'),
        ("", '""'),
    ],
)
def test_words_on_windows(word, typed):
    """For cmd and PowerShell: double quotes, also around commas."""
    assert command_line._for_windows(word) == typed


def test_what_cannot_be_typed_is_not_stored():
    assert line(["sefa", "a\nb"]) == line(["sefa", "\x1b"]) == line(["sefa", "x" * 30_000]) == ""
    assert comment("", "out") == ""


@pytest.mark.parametrize(
    ("outdir", "place"),
    [
        ("sefa-out/ffhq", "the folder that holds sefa-out/ffhq"),
        (".", "the folder of these outputs"),
        ("../out", "the folder from which ../out leads to these outputs"),
        ("~/out", "the folder from which ~/out leads to these outputs"),
    ],
)
def test_from_where_a_command_runs(outdir, place):
    assert place_of(outdir) == place
    first, second = comment("sefa demo", outdir).splitlines()
    assert first == "sefa demo"
    assert second.startswith(f"# run in {place}; sefa_plugin ")
