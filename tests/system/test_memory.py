"""Freed memory is kept by the commands' process, and by nobody else's."""

import subprocess
import sys

import pytest

from sefa_plugin.system import processor as memory

SCRIPT = """
import resource, sys
from sefa_plugin.system.processor import keep_freed_memory
import torch
if sys.argv[1] == "keep":
    keep_freed_memory()
# As layers do: one block is made while the last one is still needed.
for number in range(16):
    if number == 12:  # until then the heap finds its size
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    x = torch.ones(16_000_000)  # 64 MB, beyond what the heap takes by default
    x = x + 1
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(mode):
    done = subprocess.run([sys.executable, "-c", SCRIPT, mode], capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.hard  # seconds
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
