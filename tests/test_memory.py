"""Freed memory is kept by the commands' process, and by nobody else's."""

import subprocess
import sys

import pytest

from sefa_plugin import memory

SCRIPT = """
import resource, sys
from sefa_plugin.memory import keep_freed_memory
import torch
if sys.argv[1] == "keep":
    assert keep_freed_memory() in (True, False)
for number in range(30):
    if number == 20:  # glibc finds a place for such a block only after some attempts
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(4_000_000)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(mode):
    done = subprocess.run([sys.executable, "-c", SCRIPT, mode], capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="settles how glibc behaves")
def test_pages_are_not_asked_for_again():
    assert faults("keep") < faults("leave") / 4


def test_other_systems_and_libraries_are_left_alone(monkeypatch):
    class Other:
        def mallopt(self, *args):
            raise AssertionError("called")

    with monkeypatch.context() as patch:
        patch.setattr(memory.ctypes, "CDLL", lambda name: Other())
        assert not memory.keep_freed_memory()
    monkeypatch.setattr(memory.sys, "platform", "darwin")
    assert not memory.keep_freed_memory()
