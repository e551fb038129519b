"""SeFa as a command of a toolkit's checkout: what is recognised, written, kept, removed, and what the file does."""

import ast
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from places import NOTHING_EDITABLE, ROOT
from typed_commands import refused, sefa

import sefa_plugin
from sefa_plugin.commands import toolkit as module
from sefa_plugin.commands.toolkit import (
    LARGEST,
    NAME,
    RegisterError,
    find_toolkit,
    is_toolkit,
    register,
    sibling,
    signed,
    text_for,
    unregister,
    untouched,
)
from sefa_plugin.system import environment

PLACE = str(ROOT / "sefa_plugin")


def filled(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("raise SystemExit('the toolkit was imported')\n")
    return folder


CORE = ("dnnlib/__init__.py", "dnnlib/util.py", "torch_utils/__init__.py", "torch_utils/persistence.py")


@pytest.fixture
def toolkit(tmp_path):
    """A checkout as its folders are, with names that are in everybody's way."""
    names = ("legacy.py", "gen_images.py", "hooks/__init__.py", "third_party/__init__.py", "utils.py", "email.py")
    return filled(tmp_path / "söme toolkit's", *CORE, *names)


def git(folder, *words):
    command = ["git", "-c", "user.name=a", "-c", "user.email=a@b", "-c", "core.autocrlf=false", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout


def run(file, *words, before="", cwd=None, **environ):
    """Run a dropped file as Python would, seeing no editable install of ours, after the code ``before``."""
    code = (
        NOTHING_EDITABLE + f"sys.argv = {[str(file), *map(str, words)]!r}\n"
        f"sys.path[0] = {str(file.parent)!r}\n" + before + "\nimport runpy\n"
        f"runpy.run_path({str(file)!r}, run_name='__main__')"
    )
    environ = {**{k: v for k, v in os.environ.items() if k != "PYTHONPATH"}, **environ}
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=cwd or file.parent, env=environ
    )


def one_line(result, *says):
    assert result.returncode == 1, result
    assert result.stdout == ""
    assert re.fullmatch(r"Error: [^\n]+\n", result.stderr), result.stderr
    for text in says:
        assert text in result.stderr


# --- what is a toolkit ----------------------------------------------------------------------------


def test_a_toolkit_is_known_by_what_it_holds(tmp_path):
    assert is_toolkit(filled(tmp_path / "a", *CORE, "legacy.py"))
    assert is_toolkit(filled(tmp_path / "b", *CORE, "training/networks_stylegan2.py"))
    assert not is_toolkit(filled(tmp_path / "c", *CORE))  # our own third_party looks like this
    assert not is_toolkit(filled(tmp_path / "d", *CORE, "training/dataset.py"))
    assert not is_toolkit(filled(tmp_path / "e", *CORE[:2], "legacy.py"))
    assert not is_toolkit(filled(tmp_path / "f", *CORE[2:], "legacy.py"))
    with pytest.raises(RegisterError, match="no checkout"):
        find_toolkit(ROOT)


def test_the_folder_around_a_toolkit_will_do(tmp_path):
    filled(tmp_path, "README.md", "docs/x.md")
    inner = filled(tmp_path / "eg3d", *CORE, "legacy.py", "gen_samples.py")
    assert find_toolkit(tmp_path) == inner
    assert find_toolkit(inner) == inner
    filled(tmp_path / "other", *CORE, "legacy.py")
    with pytest.raises(RegisterError, match=r"several toolkits \(eg3d, other\)"):
        find_toolkit(tmp_path)
    filled(tmp_path, *CORE, "legacy.py")  # a toolkit that holds others is meant itself
    assert find_toolkit(tmp_path) == tmp_path


def test_what_is_no_toolkit_is_refused_in_a_line(tmp_path):
    filled(tmp_path, "a/b/dnnlib/util.py", "file.py")
    for command in ("register", "unregister"):
        refused(sefa(command, tmp_path), 1, str(tmp_path), "dnnlib/util.py", "torch_utils/persistence.py", "legacy.py")
        refused(sefa(command, tmp_path / "file.py"), 1, "is a file, and no folder")
        refused(sefa(command, tmp_path / "nothing"), 1, "no such folder")
    assert not list(tmp_path.rglob(NAME))


def test_the_toolkits_own_command_is_named(tmp_path):
    assert sibling(tmp_path / NAME) is None
    for name in ("gen_samples.py", "generate.py", "gen_images.py"):
        filled(tmp_path, name)
        assert sibling(tmp_path / NAME) == name


# --- writing and removing -------------------------------------------------------------------------


def test_one_untracked_file_and_none_after(toolkit):
    git(toolkit, "init", "-q")
    git(toolkit, "add", "-A")
    git(toolkit, "commit", "-qm", "theirs")
    for words in (("register", toolkit, "--dry-run"), ("unregister", toolkit, "--dry-run")):
        assert sefa(*words).exit_code == 0
        assert git(toolkit, "status", "--porcelain", "--ignored") == ""
    file = toolkit / NAME
    assert sefa("register", toolkit).stdout.splitlines()[0] == f"{file}: written"
    assert git(toolkit, "status", "--porcelain", "--ignored") == f"?? {NAME}\n"
    environ = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    subprocess.run([sys.executable, "-c", "import gen_sefa"], cwd=toolkit, check=True, env=environ)
    assert (toolkit / "__pycache__").is_dir()
    assert sefa("unregister", toolkit, "--dry-run").stdout == f"{file}: would be removed\n"
    assert file.exists()
    assert sefa("unregister", toolkit).stdout == f"{file}: removed\n"
    assert git(toolkit, "status", "--porcelain", "--ignored") == ""
    assert not (toolkit / "__pycache__").exists()
    assert sefa("unregister", toolkit).stdout == f"{file}: not there, nothing to remove\n"


def test_what_others_have_compiled_stays(toolkit):
    register(toolkit)
    filled(
        toolkit / "__pycache__", "legacy.cpython-311.pyc", "gen_sefa_more.cpython-311.pyc", "gen_sefa.cpython-39.pyc"
    )
    unregister(toolkit)
    left = sorted(path.name for path in (toolkit / "__pycache__").iterdir())
    assert left == ["gen_sefa_more.cpython-311.pyc", "legacy.cpython-311.pyc"]


def test_a_second_run_finds_it_there(toolkit):
    assert sefa("register", toolkit, "--dry-run").stdout == f"{toolkit / NAME}: would be written\n"
    assert register(toolkit) == (toolkit / NAME, "new")
    before = (toolkit / NAME).stat()
    assert before.st_mode & 0o777 == (toolkit / "legacy.py").stat().st_mode & 0o777
    assert register(toolkit) == (toolkit / NAME, "already there")
    assert sefa("register", toolkit).stdout.startswith(f"{toolkit / NAME}: already there\n")
    assert (toolkit / NAME).stat().st_mtime_ns == before.st_mtime_ns
    assert [path.name for path in toolkit.iterdir() if path.name.startswith((".", "gen_sefa"))] == [NAME]


def test_an_older_one_of_ours_is_brought_up_to_date(toolkit, monkeypatch):
    monkeypatch.setattr(module, "_BODY", "print('of old')\n")
    (toolkit / NAME).write_bytes(text_for("/elsewhere", "0.0.9"))
    monkeypatch.undo()
    assert sefa("register", toolkit, "--dry-run").stdout == f"{toolkit / NAME}: would be updated\n"
    assert "of old" in (toolkit / NAME).read_text()
    assert register(toolkit)[1] == "updated"
    assert (toolkit / NAME).read_bytes() == text_for(PLACE, sefa_plugin.__version__)
    (toolkit / NAME).write_bytes(text_for("/elsewhere", sefa_plugin.__version__))  # the same, registered elsewhere
    assert register(toolkit)[1] == "updated"


def test_line_ends_of_windows_are_no_change(toolkit):
    text = text_for(PLACE, sefa_plugin.__version__)
    (toolkit / NAME).write_bytes(text.replace(b"\n", b"\r\n"))
    assert register(toolkit)[1] == "already there"
    assert run(toolkit / NAME, "--version").returncode == 0
    assert unregister(toolkit)[1]
    assert not (toolkit / NAME).exists()


OURS = text_for(PLACE, sefa_plugin.__version__)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "was not written by"),
        (b"print('mine')\n", "was not written by"),
        (b"#!/usr/bin/env python\n" + OURS, "was not written by"),
        (OURS[: OURS.index(b"\n")], "was not written by"),  # cut off
        (OURS + b"# and mine\n", "was changed since"),
        (OURS[:-10], "was changed since"),
        (OURS.replace(b"SeFa needs", b"I need"), "was changed since"),
        (OURS + b"\n" * LARGEST, "was not written by"),
    ],
)
def test_a_file_of_somebody_else_is_left_alone(toolkit, content, says):
    (toolkit / NAME).write_bytes(content)
    for command in ("register", "unregister"):
        for more in ((), ("--dry-run",)):
            refused(sefa(command, toolkit, *more), 1, str(toolkit / NAME), says, "left alone")
    assert (toolkit / NAME).read_bytes() == content


def test_the_demo_command_of_this_repository_is_not_ours_to_remove():
    assert not signed((ROOT / NAME).read_bytes())
    assert signed(OURS)
    assert untouched(OURS)


def test_links_are_left_alone(toolkit, tmp_path):
    mine = tmp_path / "mine.py"
    mine.write_bytes(OURS)
    for target in (mine, tmp_path / "nowhere"):
        (toolkit / NAME).symlink_to(target)
        for command in ("register", "unregister"):
            refused(sefa(command, toolkit), 1, "is a link", "left alone")
        assert (toolkit / NAME).is_symlink()
        (toolkit / NAME).unlink()
    assert mine.read_bytes() == OURS
    assert not (tmp_path / "nowhere").exists()
    (toolkit / NAME).mkdir()
    refused(sefa("register", toolkit), 1, "no file", "left alone")
    (toolkit / NAME).rmdir()
    (tmp_path / "link").symlink_to(toolkit, target_is_directory=True)  # the checkout itself may be one
    assert register(tmp_path / "link")[1] == "new"
    assert (toolkit / NAME).read_bytes() == OURS


def test_a_folder_that_cannot_be_written_to(toolkit, monkeypatch):
    asked = []

    def access(path, mode):
        asked.append((path, mode))
        return False

    monkeypatch.setattr("sefa_plugin.commands.toolkit.os.access", access)  # root may write everywhere
    refused(sefa("register", toolkit), 1, str(toolkit), "cannot be written to")
    refused(sefa("register", toolkit, "--dry-run"), 1, "cannot be written to")
    assert asked == [(toolkit, os.W_OK | os.X_OK)] * 2
    monkeypatch.setattr("sefa_plugin.commands.toolkit.os.access", lambda path, mode: True)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("sefa_plugin.system.whole_files.os.replace", full)
    refused(sefa("register", toolkit), 1, str(toolkit / NAME), "cannot be written (No space left on device)")
    assert not [path for path in toolkit.iterdir() if "gen_sefa" in path.name]
    monkeypatch.undo()
    register(toolkit)
    monkeypatch.setattr(Path, "unlink", full)
    refused(sefa("unregister", toolkit), 1, str(toolkit / NAME), "cannot be removed (No space left on device)")


def test_it_can_be_removed_when_the_toolkit_is_gone(toolkit, tmp_path):
    register(toolkit)
    shutil.rmtree(toolkit / "dnnlib")
    assert unregister(toolkit)[1]
    inner = filled(tmp_path / "around" / "eg3d", *CORE, "legacy.py")
    register(inner)
    assert unregister(inner.parent) == (inner / NAME, True)


# --- the file that is dropped ---------------------------------------------------------------------


def test_it_parses_on_any_python():
    tree = ast.parse(OURS, feature_version=(3, 4))
    assert OURS.isascii()
    assert not [node for node in ast.walk(tree) if isinstance(node, (ast.JoinedStr, ast.AnnAssign, ast.NamedExpr))]
    top = [alias.name for node in tree.body if isinstance(node, ast.Import) for alias in node.names]
    assert top == ["os", "sys"]


@pytest.mark.parametrize(
    "place", ["C:\\new\\u0041", '/a b/it\'s "q"', "/söme/雪", "/odd\udcff", "/two\nlines", "{x}%s"]
)
def test_the_recorded_place_is_quoted(place):
    text = text_for(place, "1")
    assert untouched(text)
    values = [node.value.value for node in ast.parse(text).body if isinstance(node, ast.Assign)]
    assert values == [place]


def test_it_works_from_a_bare_checkout_and_imports_nothing_of_the_toolkit(toolkit, tmp_path):
    copy = tmp_path / "ünser copy"
    leave_out = shutil.ignore_patterns("data")
    shutil.copytree(ROOT / "sefa_plugin", copy / "sefa_plugin", ignore=leave_out)
    shutil.copytree(ROOT / "hooks", copy / "hooks", ignore=leave_out)
    shutil.copytree(ROOT / "third_party", copy / "third_party", ignore=leave_out)
    filled(copy, "demo/__init__.py", "numpy.py", "PIL.py")  # what lies beside the package must not be found either
    code = NOTHING_EDITABLE + (
        f"sys.path.append({str(copy)!r})\nfrom sefa_plugin.commands.toolkit import register; register({str(toolkit)!r})"
    )
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)
    assert ascii(str(copy / "sefa_plugin")) in (toolkit / NAME).read_text()
    network = ROOT / "tests" / "golden" / "sg2-in-sg3-32.pkl"
    words = ("--network", network, "--seeds=7", "--trunc=0.7", "--video", "none", "-K", "1", "--distance=1")
    words += ("--outdir", tmp_path / "o")
    mine = filled(tmp_path / "parent", "sefa_plugin/readme.txt")  # a mere folder of our name is not the package
    result = run(toolkit / NAME, *words, cwd=tmp_path, PYTHONPATH=os.pathsep.join([str(toolkit), str(mine)]))
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "o" / "sheets" / "all-dir00.jpg").is_file()
    link = tmp_path / "by link"
    link.symlink_to(toolkit, target_is_directory=True)
    assert run(link / NAME, "--version").returncode == 0
    shutil.rmtree(copy)
    result = run(toolkit / NAME, *words)
    one_line(result, "not installed", sys.executable, "pip install", "sefa register", "no longer in")


def test_an_installed_package_goes_first(toolkit, tmp_path):
    site = tmp_path / "site"
    filled(site, "sefa_plugin/__init__.py")
    (site / "sefa_plugin" / "__init__.py").write_text("print('the installed one')\n")
    (site / "sefa_plugin" / "start.py").write_text("def gen_sefa_of_checkout(): raise SystemExit('Error: stop')\n")
    register(toolkit)
    result = run(toolkit / NAME, PYTHONPATH=str(site))
    assert (result.stdout, result.stderr) == ("the installed one\n", "Error: stop\n")


def test_an_old_python_gets_a_line(toolkit):
    register(toolkit)
    for version in ((3, 8, 18), (3, 6, 9), (2, 7, 18)):
        result = run(toolkit / NAME, before=f"sys.version_info = {version}")
        one_line(result, "Python {}.{} ".format(*version), "3.9", "separate environment", "without this checkout")
    assert run(toolkit / NAME, "--version", before="sys.version_info = (3, 9, 0)").returncode == 0


def test_importing_it_does_nothing(toolkit):
    register(toolkit)
    code = "import sys, gen_sefa; print(sorted(n for n in sys.modules if n.startswith('sefa')), len(sys.path))"
    result = subprocess.run([sys.executable, "-B", "-c", code], cwd=toolkit, capture_output=True, text=True, check=True)
    assert result.stdout.startswith("[] ")


# --- the environment ------------------------------------------------------------------------------


def installed(site, **versions):
    """A folder in which pip would find these versions."""
    for name, version in versions.items():
        (site / f"{name}-{version}.dist-info").mkdir(parents=True)
        (site / f"{name}-{version}.dist-info" / "METADATA").write_text(f"Name: {name}\nVersion: {version}\n")
    return str(site)


def test_the_needs_are_those_of_setup_cfg():
    wanted = re.search(r"install_requires =\n((?: +\S+\n)+)", (ROOT / "setup.cfg").read_text()).group(1).split()
    assert [f"{name}>={lowest}" for name, _, lowest in environment.NEEDED] == wanted
    lowest = re.search(r"python_requires = >=(\S+)", (ROOT / "setup.cfg").read_text()).group(1)
    assert ".".join(map(str, environment.PYTHON)) == lowest
    assert f"sys.version_info < {environment.PYTHON}:" in module._BODY


def test_this_environment_will_do():
    assert environment.too_old() is None
    assert environment.missing() is None


@pytest.mark.parametrize(
    ("version", "old"),
    [("1.8.1+cu111", True), ("1.9.0", False), ("1.9", False), ("1.10.0a0+git", False), ("0.4.1", True), ("x", False)],
)
def test_an_old_torch_is_refused_by_both(toolkit, tmp_path, monkeypatch, version, old):
    site = installed(tmp_path / "site", torch=version)
    monkeypatch.syspath_prepend(site)
    result = sefa("register", toolkit, "--dry-run")
    if old:
        refused(result, 1, f"torch {version} of {sys.executable}", "torch 1.9", "separate environment")
        (toolkit / NAME).write_bytes(OURS)
        one_line(run(toolkit / NAME, PYTHONPATH=site), f"torch {version}", "separate environment")
        assert environment.missing() is None
        assert sefa("unregister", toolkit).exit_code == 0  # which needs nothing
    else:
        assert result.exit_code == 0, result.stderr
        assert result.stderr == ""


def test_both_that_are_too_old_are_named(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(installed(tmp_path / "site", torch="1.7.0", numpy="1.19.5"))
    assert environment.too_old().startswith(f"torch 1.7.0 and numpy 1.19.5 of {sys.executable}: too old, SeFa needs")
    monkeypatch.setattr(environment.sys, "version_info", (3, 8, 1))
    assert environment.too_old().startswith("Python 3.8.1 of")


def test_what_is_missing_is_said_with_the_command_that_installs_it(toolkit, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(installed(tmp_path / "site", click="7.1.2"))
    monkeypatch.setattr(
        environment,
        "NEEDED",
        (*environment.NEEDED, ("sefa-nothing", "sefa_nothing", "2.0"), ("sefa-json", "json", "1.0")),
    )  # json is there, though pip knows nothing of it
    install = f'run "{sys.executable}" -m pip install "click>=8.0" "sefa-nothing>=2.0"'
    assert environment.missing() == f"click 7.1.2, sefa-nothing: missing or too old; {install}"
    assert environment.too_old() is None
    monkeypatch.setattr(environment, "KEPT", (*environment.KEPT, "sefa-nothing"))  # not there at all is not too old
    assert environment.too_old() is None
    assert environment.missing().endswith(install)
    result = sefa("register", toolkit)  # the checkout may have another environment
    assert result.exit_code == 0
    assert result.stderr.startswith("Warning: click 7.1.2, sefa-nothing: missing")
    one_line(run(toolkit / NAME, PYTHONPATH=str(tmp_path / "site")), "click 7.1.2", '-m pip install "click>=8.0"')


def test_torch_is_looked_up_without_being_imported():
    code = (
        "import sys; from sefa_plugin.system import environment as e; e.too_old(), e.missing();"
        "print('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True).stdout == "False\n"


def test_python_m_says_it_too():
    code = "import sys, runpy; sys.version_info = (3, 8, 1); runpy.run_module('sefa_plugin', run_name='__main__')"
    one_line(subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True), "Python 3.8.1 of")
