import os
import signal
import subprocess
import sys
import threading
import time
import weakref

import click
import pytest
from places import ROOT

from sefa_plugin.commands.shell import Command
from sefa_plugin.system import interrupts, limits
from sefa_plugin.system.interrupts import Course, Interrupted, Terminated, handled, working

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
    [(signal.SIGINT, Interrupted), (signal.SIGTERM, Terminated), (signal.SIGHUP, Terminated)],
)
def test_a_signal_is_an_exception_while_a_command_works(number, error):
    with pytest.raises(error), working():
        send(number)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_whoever_catches_ctrl_c_catches_ours():
    with pytest.raises(KeyboardInterrupt), working():
        send()


def test_more_of_them_leave_the_cleaning_up_alone(monkeypatch):
    cleaned = []
    with pytest.raises(Interrupted), working():
        try:
            send()
        finally:
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGINT):
                send(number)
            cleaned.append(True)
    assert cleaned
    monkeypatch.setattr(interrupts, "IMPATIENCE", 0.05)
    with pytest.raises(Terminated), working():
        try:
            send()
        finally:
            time.sleep(0.06)
            send(signal.SIGTERM)  # it takes too long: whoever waits is heard again


def test_after_its_end_nothing_can_be_stopped():
    with working() as course:
        course.end()
        send()
        send(signal.SIGTERM)


def test_what_is_interrupted_may_fail_in_its_own_way(monkeypatch):
    course = Course()
    error = ImportError("numpy.core.multiarray failed to import")
    course.begin()
    with pytest.raises(Terminated):
        course(signal.SIGTERM, None)
    assert isinstance(course.end(error), Terminated)
    assert course.end(limits_error := limits.TimeIsUp()) is limits_error
    monkeypatch.setattr(interrupts, "IMPATIENCE", 0.01)
    time.sleep(0.02)
    assert course.end(error) is error
    assert course.end() is None


def test_a_signal_that_a_finaliser_swallows_comes_again(capsys):
    class Thing:
        pass

    with pytest.raises(Terminated), working():
        thing = Thing()
        reference = weakref.ref(thing, lambda _: send(signal.SIGTERM))
        del thing
        assert reference() is None  # it is gone, the callback has raised, and Python would have printed and forgotten
        time.sleep(5)
    assert capsys.readouterr().err == ""
    assert sys.unraisablehook is not None and not isinstance(getattr(sys.unraisablehook, "__self__", None), Course)


def test_the_time_is_up_in_a_finaliser():
    class Thing:
        pass

    try:
        with pytest.raises(limits.TimeIsUp), working():
            limits.start_clock(0.1)
            thing = Thing()
            reference = weakref.ref(thing, lambda _: time.sleep(0.3))
            del thing
            assert reference() is None
            time.sleep(3)
    finally:
        limits.lift()


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Put a module where it can be imported."""

    def put(text):
        (tmp_path / "slow_to_import.py").write_text(text)
        monkeypatch.syspath_prepend(str(tmp_path))
        monkeypatch.delitem(sys.modules, "slow_to_import", raising=False)

    yield put
    sys.modules.pop("slow_to_import", None)


def test_what_is_being_imported_is_imported_first(module):
    module("import os, signal, time\nos.kill(os.getpid(), signal.SIGTERM)\ntime.sleep(0.2)\ndone = True\n")
    with pytest.raises(Terminated), working():
        import slow_to_import

        time.sleep(5)
    assert slow_to_import.done


def test_an_import_that_takes_for_ever_is_not_waited_for(module, monkeypatch):
    monkeypatch.setattr(interrupts, "LONGEST_IMPORT", 0.2)
    module("import os, signal, time\nos.kill(os.getpid(), signal.SIGINT)\ntime.sleep(20)\n")
    begun = time.monotonic()
    with pytest.raises(Interrupted), working():
        import slow_to_import  # noqa: F401
    assert time.monotonic() - begun < 5


def test_the_time_is_up_during_an_import(module):
    module("import time\ntime.sleep(0.4)\ndone = True\n")
    try:
        with pytest.raises(limits.TimeIsUp), working():
            limits.start_clock(0.1)
            import slow_to_import

            time.sleep(3)
        assert slow_to_import.done
    finally:
        limits.lift()


def test_other_errors_of_finalisers_are_told_as_ever(monkeypatch):
    told = []
    monkeypatch.setattr(sys, "unraisablehook", lambda what: told.append(what.exc_type))

    class Thing:
        pass

    with working():
        thing = Thing()
        reference = weakref.ref(thing, lambda _: 1 / 0)
        del thing
        assert reference() is None
    assert told == [ZeroDivisionError]


def test_another_thread_and_others_handlers_are_left_alone():
    found = []

    def other():
        with working() as course:
            found.append(signal.getsignal(signal.SIGINT))
            course.end()

    thread = threading.Thread(target=other)
    thread.start()
    thread.join()
    assert found == [signal.default_int_handler]

    def mine(number, frame):
        found.append(number)

    signal.signal(signal.SIGTERM, mine)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with working():
        send(signal.SIGTERM)
        send(signal.SIGHUP)
    assert found[1:] == [signal.SIGTERM]
    with handled(mine, callable) as before:
        assert before == {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: mine}


def test_a_command_that_is_interrupted_says_one_line(capsys):
    @click.command(cls=Command)
    def works():
        try:
            send()
        finally:
            raise ValueError("half of something")

    with pytest.raises(SystemExit) as ending:
        works.main([])
    assert ending.value.code == 130
    assert capsys.readouterr().err.strip() == f"Error: {interrupts.STOPPED}"


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
AT_EXIT = """
import atexit, threading
def late(self=None):
    for _ in range(3):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.01)
class Late:
    __del__ = late
late.kept = Late()
atexit.register(late)
threading.Thread(target=lambda: (time.sleep(0.5), late())).start()
"""
NOTHING = """
import click
from sefa_plugin.commands import cli
cli.gen_sefa = click.command(cls=type(cli.gen_sefa))(lambda: None)
"""


def program(before, name="SIGINT", *words):
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
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    return done.returncode, done.stderr.strip()


@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 143)])
def test_signals_during_imports(name, code):
    assert program(AT_IMPORT, name) == (code, "Error: stopped before it began")


@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143)])
def test_signals_during_a_command(name, code):
    assert program(IN_COMMAND, name) == (code, f"Error: {interrupts.STOPPED}")


def test_impatience_at_the_end():
    assert program(IN_COMMAND + AT_EXIT) == (130, f"Error: {interrupts.STOPPED}")
    assert program(NOTHING + AT_EXIT) == (0, "")


@pytest.mark.parametrize("ends", ["None", "1 / 0"])
def test_signals_between_a_command_and_its_end(ends):
    late = f"""
import click
from sefa_plugin.commands import cli
from sefa_plugin.system.interrupts import Course
cli.gen_sefa = click.command(cls=type(cli.gen_sefa))(lambda: {ends})
end = Course.end
def struck(self, error=None):
    Course.end = end
    os.kill(os.getpid(), number)
Course.end = struck
"""
    assert program(late, "SIGTERM") == (143, f"Error: {interrupts.STOPPED}")


def test_the_whole_story_for_who_asks():
    code, told = program(IN_COMMAND, "SIGINT", "--debug")
    assert code not in (0, 130)
    assert "Traceback" in told and "in struck" in told and "Error: stopped" not in told
