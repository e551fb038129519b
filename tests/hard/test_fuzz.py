"""Every reader on changed copies of honest files; and what coverage-guided fuzzing (``python -m fuzz``) has found."""

from __future__ import annotations

import json
import pickle
import struct
import sys
import time
from functools import cache
from random import Random

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fuzz import __main__ as command
from fuzz import mutations, seeds
from fuzz.targets import NUM_WS, TARGETS, W_DIM, NotOneLine, Target


@cache
def honest(names):
    return list(seeds.made(names))


@pytest.mark.parametrize("name", TARGETS)
def test_honest_files_are_read_or_refused_in_one_line(name):
    for data in honest(TARGETS[name].seeds):
        TARGETS[name].check(data)


READ = {
    "inert_pickle",
    "torch_zip",
    "torch_legacy",
    "network",
    "converted",
    "archives",
    "arrays",
    "directions",
    "recipe",
    "latents",
}


@pytest.mark.parametrize("name", sorted(READ))
def test_seeds_are_honest(name):
    """A seed that is refused at once would lead nowhere."""
    reader, _ = TARGETS[name].prepared()
    for data in honest(TARGETS[name].seeds):
        reader(data)


@pytest.mark.parametrize("name", TARGETS)
@settings(max_examples=100, suppress_health_check=[HealthCheck.differing_executors])
@given(st.data())
def test_changed_files_are_read_or_refused_in_one_line(name, data):
    held = data.draw(st.sampled_from(honest(TARGETS[name].seeds)))
    rng = data.draw(st.randoms(use_true_random=False))
    for _ in range(data.draw(st.integers(1, 4))):
        held = mutations.mutated(held, rng)
    start = time.process_time()
    TARGETS[name].check(held)
    assert time.process_time() - start < 5


@pytest.mark.parametrize("name", TARGETS)
def test_cut_and_spliced_files(name):
    rng = Random(5)
    files = honest(TARGETS[name].seeds)
    for data in files[:6]:
        for place in {0, 1, len(data) - 1, *(rng.randrange(len(data)) for _ in range(5))}:
            TARGETS[name].check(data[:place])
            TARGETS[name].check(data[:place] + rng.choice(files)[place // 2 :])


# --- findings -------------------------------------------------------------------------------------


def npy(header):
    raw = header.encode("latin-1") + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(raw)) + raw + bytes(64)


def safetensors(kind, metadata):
    header = {"__metadata__": metadata, "directions": {"dtype": kind, "shape": [1], "data_offsets": [0, 4]}}
    raw = json.dumps(header, ensure_ascii=False).encode()
    return struct.pack("<Q", len(raw)) + raw + bytes(4)


FOUND = {
    "a type with control characters": ("arrays", npy("{'descr': '>\x87i2', 'fortran_order': False, 'shape': (2,), }")),
    "the same among latents": ("latents", npy("{'descr': '\x0c\x01<f4', 'fortran_order': False, 'shape': (2,), }")),
    "a shape with a line break": ("arrays", npy("{'descr': '<f4', 'fortran_order': False, 'shape': (\n, 1, 8), }")),
    "safetensors quotes the type": ("converted", safetensors("F\x002", {"sefa_network": "{}"})),
    "and among directions": ("directions", safetensors("\u202e64", {"format": "sefa_directions"})),
    "and among those of others": ("foreign", safetensors("\x1b[31m", {})),
    "a long selection of layers": ("typed", b"\x07" + b"x" * 30_000),
    "long seeds": ("typed", b"\x00" + b"1-" * 3_000),
}


def edit_records():
    """GANSpace's edits with something odd in one place."""
    honest = {"lat_comp": np.ones((1, W_DIM), "f4"), "latent_space": "W", "edit_start": 0, "edit_end": 2}
    odd = [
        ("edit_end", "\ud800"),
        ("edit_end", 0.5),
        ("latent_space", {}),
        ("name", np.ones(3)),
        ("edit_type", np.ones(3)),
    ]
    return [(f"{key} {value!r}", pickle.dumps({**honest, key: value})) for key, value in odd]


def test_what_was_found_is_refused_in_one_line():
    found = [(what, *held) for what, held in FOUND.items()]
    for what, name, data in [*found, *((what, "foreign", data) for what, data in edit_records())]:
        reader, allowed = TARGETS[name].prepared()
        with pytest.raises(allowed):
            reader(data)
        try:
            TARGETS[name].check(data)
        except NotOneLine as error:
            pytest.fail(f"{what}: {error}")


def test_tiny_and_huge_directions_come_to_unit_length(tmp_path):
    from sefa_plugin.directions.foreign_files import read_foreign
    from sefa_plugin.directions.importing import Target as Network
    from sefa_plugin.directions.importing import assemble

    for scale in (1e-300, 1e-30, 1.0, 1e37):
        for shape in ((2, W_DIM), (2, NUM_WS, W_DIM)):
            np.save(tmp_path / "d.npy", np.full(shape, scale))
            made, _ = assemble(read_foreign(tmp_path / "d.npy"), "d.npy", Network(), layers=f"0-{NUM_WS - 1}")
            np.testing.assert_allclose(made.vectors, W_DIM**-0.5, rtol=1e-6)


# --- the harness itself ---------------------------------------------------------------------------


def test_a_reader_that_fails_is_a_finding():
    class Refusal(Exception):
        pass

    def reader(data):
        raise {b"a": Refusal("one line"), b"b": Refusal("two\nlines"), b"c": KeyError("x")}[data[:1]]

    target = type("Fake", (Target,), {"prepared": lambda self: (reader, (Refusal,))})("fake", "", lambda: None, ())
    target.check(b"a")
    with pytest.raises(NotOneLine):
        target.check(b"b")
    with pytest.raises(KeyError):
        target.check(b"c")


def test_the_command_tries_findings_again_and_says_what_is_missing(tmp_path, monkeypatch):
    (tmp_path / "x").write_bytes(b"\x80\x04N.")
    result = CliRunner().invoke(command.main, ["--target", "inert_pickle", str(tmp_path / "x")])
    assert result.exit_code == 0 and "read or refused" in result.output
    assert CliRunner().invoke(command.main, [str(tmp_path / "x")]).exit_code == 2
    monkeypatch.setattr(command, "find_spec", lambda name: None)
    result = CliRunner().invoke(command.main, ["--seconds", "1"])
    assert result.exit_code == 1 and "pip install" in result.output


def test_scanners_that_are_not_installed_are_left_out(capsys):
    from fuzz.compare import scanners

    (ours,) = scanners("no-such-command-1", "no-such-command-2")
    assert "left out, no-such-command-1 is not installed" in capsys.readouterr().out
    assert ours.words[0] == sys.executable


def test_a_scanner_is_asked(tmp_path):
    from fuzz.compare import scanners

    (ours,) = scanners("no-such-command-1", "no-such-command-2")
    (tmp_path / "good.pkl").write_bytes(b"\x80\x04N.")
    (tmp_path / "bad.pkl").write_bytes(b"cos\nsystem\n.")
    assert ours.says(tmp_path / "good.pkl", tmp_path) == "clean"
    assert ours.says(tmp_path / "bad.pkl", tmp_path) == "flagged"


@pytest.mark.parametrize(
    ("program", "said"),
    [
        ("raise SystemExit(1)", "flagged"),
        ("raise KeyError('x')", "failed"),  # a traceback and, from Python, exit code 1
        ("import sys; sys.exit('Error: unexpected KeyError: x')", "failed"),
        ("raise SystemExit(2)", "failed"),
        ("import os; os.abort()", "failed"),
    ],
)
def test_a_scanner_that_crashes_has_flagged_nothing(tmp_path, program, said):
    from fuzz.compare import Scanner

    assert Scanner("other", (sys.executable, "-c", program, "FILE")).says(tmp_path / "x", tmp_path) == said
