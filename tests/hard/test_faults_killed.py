"""Commands that are killed or interrupted at any moment: nothing half-written, and the same command again ends well.

``SEFA_KILLS=100 pytest tests/test_faults_killed.py`` strikes more often.
"""

from __future__ import annotations

import os
import signal
import tempfile

import pytest
from faults import Campaign, moments, warm

pytestmark = [pytest.mark.hard, pytest.mark.skipif(not hasattr(os, "fork"), reason="kills forked processes")]
KILLS = int(os.environ.get("SEFA_KILLS", "0"))
SMALL = ["--seeds", "0", "-K", "1", "--frames", "4", "--distance", "3", "--outdir", "out"]
COMMANDS = {
    "mp4": (["gen", *SMALL], 4),
    "png": (["gen", *SMALL, "--video", "png", "--layers", "2-4"], 2),
    "gif": (["render", *SMALL, "--video", "gif"], 1),
    "auto": (["sheet", *SMALL[:4], "--outdir", "out"], 1),
    "edit": (["edit", "--seeds", "0-1", "--edit", "0=2", "--outdir", "out"], 2),
    "plane": (["plane", "--across", "0=2", "--down", "1=2", "--seeds", "0", "--frames", "4", "--outdir", "out"], 1),
    "rescore": (["evaluate", "rescore", "--samples", "8", *SMALL[2:4], "--distance", "2", "--outdir", "out"], 1),
    "convert": (["convert", "--output", "out/net.safetensors", "--overwrite"], 1),
    "factorize": (["factorize", "--layers", "each", "--outdir", "out"], 1),
}
SCORER = """
def score(pictures):
    return {"red": pictures[..., 0].mean(axis=(1, 2)) / 255.0, "blue": pictures[..., 2].mean(axis=(1, 2)) / 255.0}
"""


@pytest.mark.parametrize("kind", COMMANDS)
def test_killed_and_run_again(golden, tmp_path, monkeypatch, kind):
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    words, count = COMMANDS[kind]
    words = [*words, "--network", str(golden("sg2ada-skip-64").pickle)]
    if kind == "rescore":
        (tmp_path / "colours.py").write_text(SCORER)
        words += ["--scorer", f"{tmp_path / 'colours.py'}:score"]
    monkeypatch.chdir(tmp_path)
    warm(words)
    campaign = Campaign.of(tmp_path / "undisturbed", words, temporary, twice=bool(KILLS))
    codes = []
    for index, moment in enumerate(moments(KILLS or count, seed=len(kind))):
        number = (signal.SIGKILL, signal.SIGINT, signal.SIGKILL, signal.SIGTERM)[index % 4]
        codes.append(campaign.strike(tmp_path / f"{index}", number, moment))
    assert not KILLS or set(codes) - {0}, "no process was struck while it worked"
    print(f"{kind}: {len(codes)} strikes in {campaign.seconds:.2f} s of work, exit codes {sorted(codes)}")
