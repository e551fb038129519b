import os
import shutil
import signal
import subprocess
import sys
import threading
import time

import click
import pytest
from places import ROOT

from sefa_plugin.commands.shell import Command, explain
from sefa_plugin.system import interrupts
from sefa_plugin.system.interrupts import STOPPED, Terminated, postponed, stoppable

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")


@pytest.fixture(autouse=True)
def defaults():
    """As in a program that was not told to ignore anything, which a shell's background jobs are."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def send(number=signal.SIGINT):
    os.kill(os.getpid(), number)


@pytest.mark.parametrize(
    ("number", "error"),
    [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, Terminated), (signal.SIGHUP, Terminated)],
)
def test_a_signal_is_an_exception_while_a_command_works(number, error):
    with pytest.raises(KeyboardInterrupt) as caught, stoppable():
        send(number)
    assert caught.type is error
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_a_second_sigterm_leaves_the_cleaning_up_alone(monkeypatch):
    """``timeout`` sends it to the command, and once more to its group."""
    cleaned = []
    with pytest.raises(Terminated), stoppable():
        try:
            send(signal.SIGTERM)
        finally:
            send(signal.SIGTERM)
            cleaned.append(True)
    assert cleaned
    monkeypatch.setattr(interrupts, "REPEATED", 0.05)
    with pytest.raises(Terminated), stoppable():
        try:
            send(signal.SIGTERM)
        except Terminated:
            time.sleep(0.06)
            send(signal.SIGTERM)  # the first one was lost


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_what_is_postponed_comes_at_the_end_of_the_block(number):
    done = []
    with pytest.raises(KeyboardInterrupt), stoppable():
        with postponed():
            send(number)
            done.append("within")
        done.append("after")
    assert done == ["within"]
    with pytest.raises(KeyboardInterrupt) as caught, stoppable(), postponed():
        send(number)
        raise OSError("the block's own")
    assert isinstance(caught.value.__context__, OSError)


def test_another_thread_and_others_handlers_are_left_alone():
    found = []

    def other():
        with stoppable(), postponed():
            found.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=other)
    thread.start()
    thread.join()
    assert found == [signal.default_int_handler]

    def mine(number, frame):
        found.append(number)

    signal.signal(signal.SIGTERM, mine)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with stoppable():
        send(signal.SIGTERM)
        send(signal.SIGHUP)
        with postponed():
            send(signal.SIGTERM)
            send(signal.SIGHUP)
            assert found[1:] == [signal.SIGTERM]
    assert found[1:] == [signal.SIGTERM, signal.SIGTERM]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_what_is_interrupted_may_fail_in_its_own_way(capsys, number, code):
    @click.command(cls=Command)
    def works():
        try:
            send(number)
        finally:
            raise ImportError("numpy.core.multiarray failed to import") from None

    with pytest.raises(SystemExit) as ending:
        works.main([])
    assert ending.value.code == code
    assert capsys.readouterr().err.strip() == f"Error: {STOPPED}"
    assert explain(ImportError("no signal came"))[1] == 1


# --- whole programs -------------------------------------------------------------------------------

AT_IMPORT = """
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "click":
            os.kill(os.getpid(), number)
sys.meta_path.insert(0, Finder())
"""
IN_COMMAND = """
import click
from sefa_plugin.commands import cli
@click.command(cls=type(cli.gen_sefa))
@click.option("--debug", is_flag=True)
def struck(debug):
    os.kill(os.getpid(), number)
    time.sleep(5)
cli.gen_sefa = struck
"""


def program(before, name="SIGINT", *words, under=()):
    code = (
        "import os, signal, sys, time\n"
        f"number = signal.{name}\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        f"sys.path.insert(0, {str(ROOT)!r})\n"
        f"{before}\n"
        "import runpy\n"
        f"sys.argv = ['gen_sefa.py', *{list(words)!r}]\n"
        f"runpy.run_path({str(ROOT / 'gen_sefa.py')!r}, run_name='__main__')\n"
    )
    done = subprocess.run([*under, sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    return done.returncode, done.stderr.strip()


@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 143)])
def test_signals_during_a_command(name, code):
    assert program(IN_COMMAND, name) == (code, f"Error: {STOPPED}")


def test_ctrl_c_during_imports():
    assert program(AT_IMPORT) == (130, "Error: stopped before it began")


def test_the_whole_story_for_who_asks():
    code, told = program(IN_COMMAND, "SIGINT", "--debug")
    assert code not in (0, 130)
    assert "Traceback" in told and "in struck" in told and "Error: stopped" not in told


@pytest.mark.skipif(shutil.which("timeout") is None, reason="GNU's coreutils have it")
def test_a_time_limit_of_the_system_stops_a_command(tmp_path):
    """As docs/security.md has it; what is half-written goes."""
    writing = f"""
import click
from sefa_plugin.commands import cli
from sefa_plugin.system.whole_files import whole_file
@click.command(cls=type(cli.gen_sefa))
def endless():
    with whole_file({str(tmp_path / "out.bin")!r}) as part:
        part.write_bytes(b"half")
        os.kill(os.getppid(), signal.SIGALRM)  # timeout's own clock, now
        time.sleep(50)
cli.gen_sefa = endless
"""
    assert program(writing, under=("timeout", "60")) == (124, f"Error: {STOPPED}")
    assert not any(tmp_path.iterdir())
