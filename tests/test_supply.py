"""What is installed, and from what: pins, digests, a wheel that anybody can make again, no network at import."""

import ast
import configparser
import hashlib
import os
import re
import shutil
import subprocess
import sys

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


def test_only_one_module_can_reach_the_network():
    """Of ours, by name: urllib and its kin are imported where files are fetched, and nowhere else."""
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
    assert found == {"sefa_plugin/reading/download.py"}


def tracked():
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("not a checkout")
    listed = subprocess.run(["git", "-C", ROOT, "ls-files", "-z"], check=True, capture_output=True).stdout
    return [os.fsdecode(name) for name in listed.split(b"\0") if name and (ROOT / os.fsdecode(name)).exists()]


@pytest.mark.hard
@pytest.mark.skipif(os.name == "nt", reason="has no umask")
def test_anybody_can_build_the_same_wheel_and_sdist(tmp_path):
    """From folders of other names, with other modes, beside other files, under another umask and hash seed."""
    pytest.importorskip("build")
    files = [name for name in tracked() if not name.startswith(("tests/golden/", "docs/images/"))]  # 20 MB
    made = {}
    for folder, umask, seed, mode in (("one", "022", "1", 0o644), ("the other", "077", "2", 0o600)):
        root = tmp_path / folder
        for name in files:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, root / name)
            (root / name).chmod(mode)
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
