"""How the worker threads of a CPU wait for each other; to be settled before torch is imported."""

from __future__ import annotations

import os
import sys

# GNU OpenMP lets threads spin some 300,000 times before they sleep. On a machine that is busy with anything
# else they then spin against each other: with one of two cores taken, pictures take six times as long. After
# 5,000 turns the same pictures take 2 to 6 times less there, and 7 % more (20 % for tiny networks) where
# nothing else runs.
_SPINS = "5000"


def share_cores() -> None:
    """Keep torch fast on a busy machine, unless the user has settled how threads wait."""
    if "torch" in sys.modules or "OMP_WAIT_POLICY" in os.environ:
        return
    os.environ.setdefault("GOMP_SPINCOUNT", _SPINS)
