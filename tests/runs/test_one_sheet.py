"""The contact sheet of a generator in memory is the one that `sefa sheet` writes."""

import re

import numpy as np
import pytest
import torch
from in_memory_networks import Plain
from PIL import Image
from places import ROOT
from typed_commands import sefa

from sefa_plugin import Look, calibrate, contact_sheet, factorize, load_network


@pytest.fixture(scope="module")
def net(golden):
    return golden("sg2-in-sg3-32").pickle


def test_it_is_the_sheet_of_the_command(net, tmp_path):
    words = ("--seeds", "3", "--layers", "middle", "--directions", "1", "--trunc", "0.7", "--outdir", tmp_path)
    assert sefa("sheet", "--network", net, *words).exit_code == 0
    written = Image.open(tmp_path / "sheets" / "middle-dir01.jpg").convert("RGB")
    G = load_network(net)
    directions = factorize(G, "middle")
    made = contact_sheet(G, directions, 1, seeds=(3,), look=Look(trunc=0.7))
    assert made.size == written.size and np.array_equal(np.asarray(made), np.asarray(written))
    assert directions.ranges[1] is None  # what was given is unchanged
    for other in (directions.with_range(1, 1.0, -1.0, 1.0), calibrate(G, directions, [1])):  # of another truncation
        assert np.array_equal(contact_sheet(G, other, 1, seeds=(3,), look=Look(trunc=0.7)), np.asarray(made))


def test_ranges_and_names_of_the_directions_are_used(net):
    G = load_network(net)
    directions = calibrate(G, factorize(G, num_directions=3), [2], seeds=(0, 1, 2, 3, 4, 5, 6, 7)).named(2, "pose")
    made = contact_sheet(G, directions, "pose", seeds=(3,))
    low, high = directions.ranges[2]
    wider = directions.with_range(2, directions.sigmas[2], 3 * low, 3 * high)
    assert np.array_equal(np.asarray(made), np.asarray(contact_sheet(G, directions, 2, seeds=(3,))))
    assert not np.array_equal(np.asarray(made), np.asarray(contact_sheet(G, wider, 2, seeds=(3,))))
    assert not np.array_equal(np.asarray(made), np.asarray(contact_sheet(G, directions, 1, seeds=(3,))))
    with pytest.raises(ValueError, match="direction smile asked for"):
        contact_sheet(G, directions, "smile")


def test_a_generator_of_a_class_of_the_scripts_own(net):
    G = Plain(load_network(net))
    directions = calibrate(G, factorize(G, num_directions=2), [0], seeds=(0, 1))
    low, high = directions.ranges[0]
    assert low < 0 < high and directions.ranges[1] is None
    assert contact_sheet(G, directions, seeds=(0,), distance=(low, high)).width > 480


def test_the_example_of_the_documentation_prints_what_it_says(tmp_path, monkeypatch, capsys):
    text = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
    code, printed = re.search(r"```python\n(.*?)```\n\n```text\n(.*?)```", text, re.DOTALL).groups()
    monkeypatch.chdir(tmp_path)
    exec(compile(code.replace(", explore", ""), "docs/python.md", "exec"), {})
    assert capsys.readouterr().out == printed
    with Image.open("hair.jpg") as sheet:
        assert sheet.width > 900


def test_the_example_of_the_readme(tmp_path, monkeypatch):
    """As it stands, but for the explorer and with fewer directions of the bundled network."""
    text = (ROOT / "README.md").read_text(encoding="utf-8").partition("## From Python")[2]
    first, second = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    first = first.replace("ffhq.pkl", "demo").replace("num_directions=10", "num_directions=3")
    monkeypatch.chdir(tmp_path)
    held = {}
    exec(re.sub(r"explore\(.*", "", first), held)
    held |= {"z": torch.zeros(1, 64), "label": None, "noise_mode": "const"}
    exec(second, held)
    assert held["img"].shape == (1, 3, 64, 64) and (tmp_path / "direction2.jpg").is_file()
