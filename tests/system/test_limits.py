import os
import subprocess
import sys
import time

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from places import ROOT

from sefa_plugin.commands.cli import gen_sefa, sefa
from sefa_plugin.commands.shell import explain
from sefa_plugin.system import limits

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="memory is limited on Linux only")


@pytest.fixture(autouse=True)
def lifted():
    yield
    limits.lift()


@pytest.mark.parametrize(
    ("typed", "seconds"), [("90", 90), ("90s", 90), ("5m", 300), ("1.5 h", 5400), ("2MIN", 120), ("0.01", 0.01)]
)
def test_times(typed, seconds):
    assert limits.parse_seconds(typed) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("typed", "amount"),
    [("2GB", 2 * 10**9), ("2g", 2 * 10**9), ("1.5GiB", 3 * 2**29), ("800M", 8 * 10**8), ("300000000", 3 * 10**8)],
)
def test_amounts_of_memory(typed, amount):
    assert limits.parse_bytes(typed) == amount


@given(st.text(max_size=20))
def test_any_text_is_an_amount_or_refused_in_one_line(text):
    for parse in (limits.parse_seconds, limits.parse_bytes):
        try:
            assert parse(text) > 0
        except ValueError as error:
            assert len(str(error).splitlines()) == 1


@pytest.mark.parametrize("typed", ["", "0", "-1", "1d", "11 days", "nan", "inf", "1e3", "999999999h"])
def test_no_times(typed):
    with pytest.raises(ValueError, match="expected a time"):
        limits.parse_seconds(typed)


@pytest.mark.parametrize("typed", ["", "0", "-2GB", "100MB", "2XB", "nan", "9" * 15 + "TB"])
def test_no_amounts_of_memory(typed):
    with pytest.raises(ValueError, match="memory|are needed"):
        limits.parse_bytes(typed)


def commands(group, above=()):
    for name, command in getattr(group, "commands", {}).items():
        if hasattr(command, "commands"):
            yield from commands(command, (*above, name))
        else:
            yield (*above, name), command


def test_every_command_has_both():
    found = [*commands(sefa), (("gen-sefa",), gen_sefa)]
    assert len(found) > 15
    for name, command in found:
        assert {"--timeout", "--max-memory"} <= {opt for param in command.params for opt in param.opts}, name


@pytest.mark.parametrize("words", [["--timeout", "soon"], ["--max-memory", "much"], ["--max-memory", "1MB"]])
def test_what_is_no_limit_is_told_before_the_file_is_opened(words):
    result = CliRunner().invoke(sefa, ["info", "missing.pkl", *words])
    assert result.exit_code == 2 and len(result.stderr.splitlines()) == 1
    assert words[0] in result.stderr


def test_time_ends_what_python_does_and_what_waits():
    for wait in (lambda: time.sleep(10), lambda: [None for _ in iter(int, 1)]):
        start = time.perf_counter()
        with pytest.raises(limits.TimeIsUp) as caught:
            limits.start_clock(0.1)
            wait()
        assert time.perf_counter() - start < 3
        assert explain(caught.value) == ("stopped after 0.1 s (--timeout); what is whole was kept", 1)
        limits.lift()


def test_limits_end_with_the_command(monkeypatch):
    """Programs call commands, and go on."""
    CliRunner().invoke(sefa, ["info", "missing.pkl", "--timeout", "0.2"])
    CliRunner().invoke(sefa, ["info", "--timeout", "0.2"])  # not even a command
    CliRunner().invoke(sefa, ["info", "missing.pkl", "--timeout", "0.2"], standalone_mode=False)
    time.sleep(0.5)
    assert limits.ended_by_time(KeyboardInterrupt()) == "" == limits.ended_by_memory(MemoryError())


def run(code, *words, **options):
    """A command in a process of its own, after some Python that changes what it does."""
    start = f"import sys, time\nfrom sefa_plugin.system import limits\n{code}\n"
    start += "from sefa_plugin.commands.cli import sefa\n"
    command = [sys.executable, "-c", f"{start}sefa({list(map(str, words))!r})"]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100, **options)
    return found.returncode, found.stderr.splitlines()


def test_a_command_that_is_too_slow_leaves_nothing_half_written(tmp_path):
    code, lines = run("", "render", "--network", "demo", "--seeds", "0-30", "--outdir", tmp_path, "--timeout", "4")
    assert (code, lines[-1]) == (1, "Error: stopped after 4 s (--timeout); what is whole was kept")
    assert not [path for path in tmp_path.rglob("*") if ".part-" in path.name]


# What a command would do: something that takes the exception for its own and goes on for ever, ...
STUBBORN = """
import sefa_plugin.networks.opening
from sefa_plugin.system.whole_files import whole_file

limits.GRACE = 0.3

def open_network(*args, **more):
    with whole_file(FILE) as part:
        part.write_bytes(b"half")
        while True:
            try:
                time.sleep(100)
            except BaseException:
                pass

sefa_plugin.networks.opening.open_network = open_network
"""
# ... and native code that lets no other thread run.
DEAF = """
import ctypes
import sefa_plugin.networks.opening

limits.GRACE = 0.3
sefa_plugin.networks.opening.open_network = lambda *args, **more: ctypes.PyDLL(None).pause()
"""


@pytest.mark.skipif(os.name == "nt", reason="the system's pause()")
def test_a_command_that_does_not_stop_is_ended(tmp_path):
    held = tmp_path / "out.bin"
    code, lines = run(STUBBORN.replace("FILE", repr(str(held))), "info", "x.pkl", "--timeout", "0.5")
    assert (code, [line for line in lines if line]) == (
        1,
        ["Error: stopped after 0.5 s (--timeout); what is whole was kept; it did not stop by itself"],
    )
    assert not any(tmp_path.iterdir())
    start = time.perf_counter()
    code, lines = run(DEAF, "info", "x.pkl", "--timeout", "0.5")
    assert (code, lines) == (1, []) and time.perf_counter() - start < 20


@LINUX
def test_too_little_memory_is_told_in_one_line(tmp_path):
    start = STUBBORN.partition("        while True")[0]
    end = "\nsefa_plugin.networks.opening.open_network = open_network"
    held = tmp_path / "out.bin"
    for what in ("torch.empty(10**9, dtype=torch.uint8)", "bytearray(10**9)"):
        code = f"import torch\n{start}        {what}{end}"
        found = run(code.replace("FILE", repr(str(held))), "info", "x.pkl", "--max-memory", "500MB")
        assert found == (1, ["Error: out of memory: --max-memory 500MB is not enough for this"])
        assert not any(tmp_path.iterdir())


@LINUX
def test_the_limit_of_memory_goes_again():
    import resource

    before = [resource.getrlimit(kind) for kind in (resource.RLIMIT_DATA, resource.RLIMIT_AS)]
    limits.limit_memory(300 * 10**6)
    assert limits._holds(10**9)  # new memory: what tests before have freed, the C library may still hold
    limits.lift()
    assert not limits._holds(10**9)
    assert [resource.getrlimit(kind) for kind in (resource.RLIMIT_DATA, resource.RLIMIT_AS)] == before


def test_where_memory_cannot_be_limited(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    result = CliRunner().invoke(sefa, ["info", "missing.pkl", "--max-memory", "2GB"])
    assert result.exit_code == 2 and "darwin has no limit of memory that holds" in result.stderr
