import subprocess
import sys

import pytest
from places import ROOT

from sefa_plugin import __version__


def program(code, before=""):
    """A program whose command is something else."""
    before += (
        f"import sys; sys.path.insert(0, {str(ROOT)!r})\nimport os, click, time\n"
        "from sefa_plugin import start\nfrom sefa_plugin.commands import cli\n"
        f"def work():\n    {code}\ncli.gen_sefa = click.command(cls=type(cli.gen_sefa))(work)\n"
    )
    words = [sys.executable, "-c", f"{before}sys.argv = ['gen_sefa.py']\nstart.gen_sefa()\n"]
    return subprocess.run(words, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize(
    ("code", "wanted"),
    [
        ("return 0", 0),
        ("raise click.UsageError('no')", 2),
        ("raise OSError('no')", 1),
        ("raise KeyboardInterrupt", 130),
        ("sys.exit(7)", 7),
        ("sys.exit('text')", 1),
    ],
)
def test_codes(code, wanted):
    assert program(code).returncode == wanted


def test_everything_is_done_and_said_before_the_end():
    """Threads, what others have registered, and text that is held back."""
    done = program(
        "import atexit, threading; print('held'); atexit.register(print, 'registered')\n"
        "    threading.Thread(target=lambda: (time.sleep(0.3), print('thread'))).start()"
    )
    assert (done.returncode, done.stdout.split(), done.stderr) == (0, ["held", "thread", "registered"], "")


@pytest.mark.parametrize(("name", "words"), [("click", ["--version"]), ("torch", ["--network", "demo"])])
def test_a_checkout_that_nobody_has_installed(tmp_path, name, words):
    """``pip install`` is for those who have not read it; the package that is looked for is not there at all."""
    hide = (
        "import sys\n"
        "class Hidden:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name.split('.')[0] == {name!r}:\n"
        "            raise ModuleNotFoundError(f'No module named {name!r}', name=name)\n"
        "sys.meta_path.insert(0, Hidden())\n"
        "from importlib import metadata, util\n"
        "version, find = metadata.version, util.find_spec\n"
        "def absent(asked):\n"
        f"    if asked == {name!r}: raise metadata.PackageNotFoundError(asked)\n"
        "    return version(asked)\n"
        "metadata.version = absent\n"
        f"util.find_spec = lambda asked, *more: None if asked == {name!r} else find(asked, *more)\n"
        f"sys.path.insert(0, {str(ROOT)!r}); sys.argv = ['gen_sefa.py', *{words!r}]\n"
        "from sefa_plugin import start; start.gen_sefa()\n"
    )
    done = subprocess.run([sys.executable, "-c", hide], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    line = done.stderr.strip().splitlines()[-1]
    assert done.returncode == 1 and "Traceback" not in done.stderr, done.stderr
    assert line.startswith(f"Error: {name}: missing or too old; run ") and f'-m pip install "{name}>=' in line


def test_every_way_to_start_runs_a_command():
    for name in ("gen_sefa", "sefa", "gen_sefa_of_checkout", "python_m"):
        code = f"import sys; from sefa_plugin import start; sys.argv = ['x', '--version']; start.{name}()"
        done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
        assert (done.returncode, done.stdout, done.stderr) == (0, f"sefa_plugin {__version__}\n", ""), name
