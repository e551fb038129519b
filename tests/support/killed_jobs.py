"""Jobs of two networks in processes that are killed, and what plain runs make of the same networks."""

import os
import shutil
import subprocess
import sys

import pytest
from places import ROOT

WORDS = ["--seeds", "0-1", "-K", "3", "--frames", "8"]
ENV = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}


def sefa_process(folder, *words, program=("-m", "sefa_plugin")):
    return subprocess.Popen(
        [sys.executable, *program, *words], cwd=folder, env=ENV, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )


def ended(process):
    _, text = process.communicate(timeout=300)
    assert process.returncode == 0, text.decode()


def content(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def plain_runs(golden, tmp_path_factory):
    """A folder with two networks, what plain runs make of them, and a copy of gen_sefa.py."""
    folder = tmp_path_factory.mktemp("killed")
    shutil.copy(golden("sg2-in-sg3-32").pickle, folder / "one.pkl")
    shutil.copy(golden("sg2ada-skip-64").pickle, folder / "two.pkl")
    shutil.copy(ROOT / "gen_sefa.py", folder)
    for name in ("one", "two"):
        words = ["--network", f"{name}.pkl", *WORDS, "--outdir", f"out/{name}"]
        ended(sefa_process(folder, *words, program=["gen_sefa.py"]))
    (folder / "out").rename(folder / "plain")
    return folder


@pytest.fixture
def there(plain_runs):
    """That folder, without a job."""
    shutil.rmtree(plain_runs / "out", ignore_errors=True)
    return plain_runs


def is_plain(folder):
    for name in ("one", "two"):
        made, plain = (content(folder / top / name) for top in ("out", "plain"))
        assert made.keys() == plain.keys(), sorted(made.keys() ^ plain.keys())
        different = [file for file in plain if made[file] != plain[file]]
        assert different == [], different
