"""Changed network files: we read what Python's own unpickler makes of them, or refuse; in a process of their own."""

import json
import os
import subprocess
import sys

import pytest
from places import ROOT

SUPPORT = ROOT / "tests" / "support"


@pytest.mark.parametrize("seed", range(4))
def test_what_is_read_is_what_the_unpickler_makes_of_it(seed):
    """5,000 changes of instructions for each seed: about ten seconds."""
    done = subprocess.run(
        [sys.executable, "-m", "mutants", "5000", str(seed)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(SUPPORT)])},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    printed = json.loads(done.stdout)
    assert printed["found"] == []
    assert (
        printed["refused"] + printed["alike"] == 5000 and printed["alike"] > 100
    )  # some changes change nothing but values
