"""What is installed, and from what: pins, digests, a wheel that anybody can make again, no network at import."""

import ast
import configparser
import hashlib
import os
import re
import runpy
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import PurePosixPath

import pytest
from places import ROOT

BASE = {"torch", "numpy", "click", "imageio", "imageio-ffmpeg", "pillow", "safetensors"}
BASE |= {"scipy", "jinja2", "msgspec"}


def names(lines):
    """Names of packages, as indexes spell them."""
    found = (re.match(r"[A-Za-z0-9._-]+", line) for line in lines if line.strip() and not line.startswith("#"))
    return {re.sub(r"[-_.]+", "-", match[0]).lower() for match in found}


@pytest.fixture(scope="module")
def config():
    held = configparser.ConfigParser()
    held.read(ROOT / "setup.cfg", encoding="utf-8")
    return held


@pytest.fixture(scope="module")
def hashed():
    """Of every requirement of CI its line and its digests."""
    text = (ROOT / "ci-requirements.txt").read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return {line.split(" --hash=")[0].strip(): re.findall(r"--hash=(\S+)", line) for line in lines}


def test_the_base_install_is_ten_packages(config):
    assert names(config["options"]["install_requires"].splitlines()) == BASE


def test_every_file_that_ci_installs_has_a_digest(hashed):
    """Of all systems: more than one for what is compiled."""
    assert len(hashed) > 50
    for line, digests in hashed.items():
        assert re.match(r"[a-z0-9-]+==[\w.]+( ; .*)?$", line), line
        assert digests and all(re.fullmatch("sha256:[0-9a-f]{64}", digest) for digest in digests), line
    assert len(next(digests for line, digests in hashed.items() if line.startswith("numpy=="))) > 10
    assert "torch" not in names(hashed)  # its builds differ: it is installed by itself
    assert "://" not in (ROOT / "ci-requirements.txt").read_text(encoding="utf-8")


def test_digests_and_plain_pins_are_of_the_same_versions(config, hashed):
    pins = (ROOT / "constraints.txt").read_text(encoding="utf-8").split()
    versions = {line.split(" ;")[0] for line in hashed}
    assert set(pins) - versions == {pin for pin in pins if pin.startswith("torch==")} != set()
    wanted = names(
        [*config["options"]["install_requires"].splitlines(), *config["options.extras_require"]["test"].splitlines()]
    )
    assert wanted - names(hashed) == {"torch"}
    assert wanted <= names(pins)


NO_NETWORK = """
import importlib, pkgutil, sys

def refuse(event, args):
    if event.startswith(("socket.", "urllib.", "http.", "ftplib.", "smtplib.")) and event != "socket.__new__":
        if event not in ("socket.gethostname",):
            raise RuntimeError(f"{event} at import: {args!r:.80}")

sys.addaudithook(refuse)
import sefa_plugin, sefa_plugin.hooks, sefa_plugin.third_party
found = [module.name for module in pkgutil.walk_packages(sefa_plugin.__path__, "sefa_plugin.")]
for package in (sefa_plugin.hooks, sefa_plugin.third_party):
    found += [module.name for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")]
for name in sorted(set(found)):
    if not name.endswith("__main__"):
        importlib.import_module(name)
print(len(set(found)), *sorted(set(found)))
try:
    import socket
    socket.create_connection(("localhost", 9), 1)
except RuntimeError:
    print("guarded")
"""


@pytest.mark.hard  # seconds
def test_importing_asks_no_network():
    """Every module, with whatever it imports in turn."""
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", NO_NETWORK], cwd=ROOT, env=environ, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    lines = done.stdout.splitlines()
    modules = lines[0].split()
    assert int(modules[0]) > 100
    assert {
        "sefa_plugin.reading.download",
        "sefa_plugin.hooks.stylegan3",
        "sefa_plugin.evaluate.scorers.clip_scorer",
    } <= set(modules)
    assert "sefa_plugin.third_party.torch_utils.persistence" in modules
    assert lines[1] == "guarded"


def test_only_two_modules_can_reach_the_network():
    """Of ours, by name: urllib and its kin are where files are fetched, and where a cluster's address is tried."""
    kin = {"urllib.request", "http.client", "socket", "ssl", "requests", "ftplib", "smtplib", "aiohttp", "httpx"}
    found = set()
    for path in [*(ROOT / "sefa_plugin").rglob("*.py"), *(ROOT / "hooks").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported = {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                imported = {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
            else:
                continue
            if imported & kin:
                found.add(path.relative_to(ROOT).as_posix())
    assert found == {"sefa_plugin/reading/download.py", "sefa_plugin/batch/cluster.py"}


def tracked():
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("not a checkout")
    listed = subprocess.run(["git", "-C", ROOT, "ls-files", "-z"], check=True, capture_output=True).stdout
    return [os.fsdecode(name) for name in listed.split(b"\0") if name and (ROOT / os.fsdecode(name)).exists()]


@pytest.mark.hard
@pytest.mark.skipif(os.name == "nt", reason="has no umask")
def test_anybody_can_build_the_same_wheel_and_sdist(tmp_path):
    """From folders of other names, with other modes, beside other files, under another umask and hash seed; and from
    the sdist itself, which holds all that its own documents name."""
    pytest.importorskip("build")
    large = ("tests/golden/", "docs/images/")  # 20 MB
    files = [name for name in tracked() if not (name.startswith(large) and (ROOT / name).stat().st_size > 60_000)]
    made = {}
    for folder, umask, seed, mode in (("one", "022", "1", 0o644), ("the other", "077", "2", 0o600)):
        root = tmp_path / folder
        for name in files:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, root / name)
            (root / name).chmod(mode)
        published(root)
        subprocess.run(["git", "init", "-q"], cwd=root, check=True)
        subprocess.run(["git", "add", "-A", "-f"], cwd=root, check=True)
        (root / "sefa_plugin" / f"left_over_{seed}.py").write_text("")
        environ = {**os.environ, "SOURCE_DATE_EPOCH": "1700000000", "PYTHONHASHSEED": seed}
        command = f'umask {umask}; exec "{sys.executable}" .ci/dist.py out'
        done = subprocess.run(["sh", "-c", command], cwd=root, env=environ, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-2000:]
        made[folder] = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in (root / "out").iterdir()}
        told = [f"{digest}  {name}" for name, digest in sorted(made[folder].items())]
        assert sorted(done.stdout.splitlines()) == sorted(told)
    assert len(made["one"]) == 2
    assert made["one"] == made["the other"]
    (wheel,), (sdist,) = ((tmp_path / "one" / "out").glob(pattern) for pattern in ("*.whl", "*.tar.gz"))
    said = re.search(r"The wheel has ([\d.]+) MB", (ROOT / "README.md").read_text(encoding="utf-8"))[1]
    assert float(said) == pytest.approx(wheel.stat().st_size / 1e6, abs=0.1)
    with zipfile.ZipFile(wheel) as opened:
        (name,) = (name for name in opened.namelist() if name.endswith(".dist-info/METADATA"))
        about = opened.read(name).decode()
    assert "![Four vases" in about and f"]({ADDRESS}/raw/v0.1.0/docs/images/vases.gif)" in about
    assert f"Project-URL: Changelog, {ADDRESS}/blob/main/CHANGELOG.md" in about
    assert "Author: The sefa_plugin authors" in about
    with tarfile.open(sdist) as opened:
        opened.extractall(tmp_path)
    root = tmp_path / sdist.name[: -len(".tar.gz")]
    assert [name for name in files if not (root / name).is_file()] == []
    command = [sys.executable, ".ci/dist.py", tmp_path / "again"]
    subprocess.run(command, cwd=root, check=True, env={**os.environ, "SOURCE_DATE_EPOCH": ""}, capture_output=True)
    assert (tmp_path / "again" / wheel.name).read_bytes() == wheel.read_bytes()


ADDRESS = "https://code.example.org/somebody/sefa_plugin"


def published(root, address=ADDRESS):
    """Put an address in the place of the one that setup.cfg has, which is there alone and in full on every line."""
    text = (ROOT / "setup.cfg").read_text(encoding="utf-8")
    ours = re.search(r"^url = (https://\S+)$", text, re.M)[1]
    assert len(re.findall("https://", text)) == text.count(ours) == 4
    (root / "setup.cfg").write_text(text.replace(ours, address), encoding="utf-8")
    return ours


def test_nothing_is_built_for_release_before_its_address_is_set(tmp_path):
    (tmp_path / ".ci").mkdir()
    shutil.copyfile(ROOT / ".ci" / "dist.py", tmp_path / ".ci" / "dist.py")
    ours = published(tmp_path, "https://host.invalid/owner/sefa_plugin")
    command = [sys.executable, ".ci/dist.py", tmp_path / "out"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.strip() == (
        "setup.cfg holds the address host.invalid: set url and project_urls (see docs/releasing.md)"
    )
    assert not (tmp_path / "out").exists()
    here = "tests/test_supply.py"
    holding = [name for name in tracked() if name != here and ours.encode() in (ROOT / name).read_bytes()]
    assert holding == ["notebooks/first_edits.ipynb", "setup.cfg"]


def test_the_notebook_is_cloned_and_opened_from_the_address(config):
    """Colab opens it by the part of the address after the host; one command of docs/releasing.md sets all of them."""
    url, name = config["metadata"]["url"], "notebooks/first_edits.ipynb"
    notebook = (ROOT / name).read_text(encoding="utf-8")
    assert f'ADDRESS = \\"{url}\\"' in notebook
    assert f"(https://colab.research.google.com/github/{url.split('/', 3)[3]}/blob/main/{name})" in notebook
    (command,) = re.findall(r"sed -i '(.*)' \\\n\s+(\S+ \S+)\n", (ROOT / "docs" / "releasing.md").read_text("utf-8"))
    assert command[1].split() == ["setup.cfg", name]
    for step in command[0].split("; "):
        _, before, after, _ = step.split("|")
        assert "owner" in before and before.replace("host.invalid", "github.com").replace("owner", "YOU") == after


def test_links_of_the_readme_lead_to_the_version():
    absolute = runpy.run_path(str(ROOT / ".ci" / "dist.py"))["absolute"]
    text = "![a b](docs/x.jpg), [c](docs/y.md#z), [d](https://example.org/e), [f](#below)"
    assert absolute(text, ADDRESS, "1.2") == (
        f"![a b]({ADDRESS}/raw/v1.2/docs/x.jpg), [c]({ADDRESS}/blob/v1.2/docs/y.md#z), "
        "[d](https://example.org/e), [f](#below)"
    )
    whole = absolute((ROOT / "README.md").read_text(encoding="utf-8"), ADDRESS, "1.2")
    assert not re.search(r"\]\((?!https?://)", whole) and not re.search("<img|<a ", whole)
    assert absolute(whole, "https://other.example.org", "3") == whole  # an sdist's README is whole already


def test_what_documents_name_is_there():
    """Links, files, modules and make's targets; the sdist holds every tracked file (see above)."""
    files = set(tracked())
    folders = {parent.as_posix() for name in files for parent in PurePosixPath(name).parents} - {"."}
    tops = {name.split("/")[0] for name in files}
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    seen, missing = set(), []
    for document in sorted(name for name in files if name.endswith(".md") and not name.startswith("tests/")):
        text = (ROOT / document).read_text(encoding="utf-8")
        for link in re.findall(r"\]\((?!https?:|#)([^)#\s]+)", text):
            target = PurePosixPath(os.path.normpath(PurePosixPath(document).parent / link)).as_posix()
            missing += [(document, link)] if target not in files | folders else []
        code = " ".join(re.findall(r"`([^`\n]+)`", text) + re.findall(r"```\w*\n(.*?)```", text, re.S))
        for path in re.findall(r"(?<![\w./~-])([\w.-]+(?:/[\w.-]+)*/?)(?![\w*/{])", code):
            named = path.rstrip("/.")
            if named.split("/")[0] in tops and ("/" in path or "." in path):
                seen.add(named)
                missing += [(document, path)] if named not in files | folders else []
        for module in re.findall(r"python -m ((?:demo|benchmarks|fuzz|sefa_plugin)[\w.]*)", code):
            path = module.replace(".", "/")
            seen.add(module)
            missing += [(document, module)] if not {f"{path}.py", f"{path}/__main__.py"} & files else []
        for target in re.findall(r"(?<![\w-])make (\w+)", code):
            seen.add(f"make {target}")
            missing += [(document, f"make {target}")] if f"\n{target}:" not in makefile else []
    assert missing == []
    wanted = {".ci/size.py", ".ci/pin", "constraints.txt", "ci-requirements.txt", "make dist", "demo.paper", "hooks"}
    assert wanted <= seen


def test_counts_in_documents_are_those_of_setup_cfg(config):
    """``.ci/size.py`` follows the requirements; without torch they are those of setup.cfg and markupsafe, Jinja's."""
    words = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
    base = names(config["options"]["install_requires"].splitlines())
    readme, releasing = (
        " ".join((ROOT / name).read_text(encoding="utf-8").split()) for name in ("README.md", "docs/releasing.md")
    )
    assert f"the base install is {words[len(base)]} packages" in releasing
    beside = words[len(base - {"torch"} | {"markupsafe"})]
    assert f"sefa_plugin and the {beside} packages beside torch" in readme
    assert f"sefa_plugin and the {beside} packages beside torch" in releasing
    sums = [re.findall(r"([\d,]+) MB", text[text.index("The wheel has") :][:500]) for text in (readme, releasing)]
    assert sorted(sums[0]) == sorted(sums[1])  # both say the same
