"""The explorer: its widgets' models are set as a person's hand would, and its picture is what a session renders."""

import html
import io
import re
import shlex
import sys

import numpy as np
import pytest
from in_memory_networks import Plain
from PIL import Image
from typed_commands import sefa

import sefa_plugin
from sefa_plugin import Look, NetworkChoice, Session, explore, factorize, load_network
from sefa_plugin.rendering.edits import edit_of
from sefa_plugin.rendering.shards import Shard
from sefa_plugin.system.environment import MissingExtra


@pytest.fixture(scope="module")
def net(golden):
    pytest.importorskip("ipywidgets")
    return golden("sg2-in-sg3-32").pickle


def shown(explorer):
    """The picture that the explorer shows."""
    return np.asarray(Image.open(io.BytesIO(bytes(explorer.picture.value))))


def rendered(net, look, seed, edits):
    """What a session renders: of each (directions, number, distance) the sum."""
    session = Session.open(NetworkChoice(str(net)), warn=pytest.fail)
    made = tuple(edit_of(*edit) for edit in edits)
    scene = session.scene(session.view(look, [seed]))
    return next(scene.pictures(Shard(((0.0, tuple((place, 1.0) for place in range(len(made)))),), made)))


def command_of(explorer):
    return html.unescape(re.search(r">(.*)</textarea>", explorer.command.value)[1])


def test_the_picture_follows_the_controls(net, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    explorer = explore(net, seed=3)
    first = shown(explorer)
    assert first.shape == (384, 384, 3)  # twelve times as large, each pixel as it is
    assert np.array_equal(first[::12, ::12], rendered(net, Look(), 3, []))
    assert np.array_equal(first, first[::12, ::12].repeat(12, axis=0).repeat(12, axis=1))
    G = load_network(net)
    assert explorer.layers.options == ("all", "coarse", "middle", "fine")
    assert len(explorer.sliders) == 6 and all(slider.min < 0 < slider.max for slider in explorer.sliders)
    explorer.sliders[1].value = explorer.sliders[1].max
    all_of_it = (factorize(G), 1, explorer.sliders[1].max)
    assert not np.array_equal(shown(explorer), first)
    assert np.array_equal(shown(explorer)[::12, ::12], rendered(net, Look(), 3, [all_of_it]))
    explorer.layers.value = "middle"
    explorer.seed.value, explorer.trunc.value = 5, 0.7
    explorer.sliders[0].value = -0.5
    middle = (factorize(G, "middle"), 0, -0.5)
    assert np.array_equal(shown(explorer)[::12, ::12], rendered(net, Look(trunc=0.7), 5, [all_of_it, middle]))
    # The command and the recipe make the same picture.
    result = sefa(*shlex.split(command_of(explorer))[1:], "--outdir", "again")
    assert result.exit_code == 0, result.output
    assert np.array_equal(np.asarray(Image.open("again/seed0005.png")), shown(explorer)[::12, ::12])
    explorer.save.click()
    (saved,) = tmp_path.glob("*.json")
    assert f"sefa render --recipe {saved.name}" in explorer.widget.children[-1].value
    assert sefa("render", "--recipe", saved, "--outdir", "recipe").exit_code == 0
    assert np.array_equal(np.asarray(Image.open("recipe/seed0005.png")), shown(explorer)[::12, ::12])
    explorer.reset.click()
    assert {slider.value for slider in explorer.sliders} == {0.0} and "--edit" not in command_of(explorer)
    assert np.array_equal(shown(explorer)[::12, ::12], rendered(net, Look(trunc=0.7), 5, []))


def test_directions_that_are_given_keep_their_names_and_ranges(net):
    G = load_network(net)
    named = factorize(G, "coarse", num_directions=2).named(0, "a <pose>").with_range(0, 1.0, -2.5, 1.5)
    explorer = explore(G, named)
    first, second = explorer.sliders
    assert (first.description, first.min, first.max) == ("a <pose>", -2.5, 1.5)
    assert second.description == "direction 1" and second.min < second.max
    odd = explore(G, named.with_range(1, 1.0, -1.2345, 5.6)).sliders[1]  # 0 is a whole number of steps from its end
    assert (odd.min, odd.max, odd.step) == (-1.2, 5.6, 0.1)
    first.value = 1.0
    assert command_of(explorer).endswith("--edit coarse:0=+1")
    # Found another way than by a factorisation of this network, they are in no command.
    imported = sefa_plugin.Directions.of(named.vectors, [0, 0], named.layers, label="mine", origin="a file")
    assert explore(G, imported.with_range(0, 1.0, -1, 1).with_range(1, 1.0, -1, 1)).command.value == ""


def test_several_sets_are_groups_to_choose(net):
    G = load_network(net)
    explorer = explore(G, factorize(G, "coarse,fine", num_directions=1))
    assert explorer.layers.options == ("coarse", "fine")


def test_a_network_with_classes_has_a_box_for_them(golden, net):
    G = load_network(golden("sg2ada-cond-32").pickle)
    directions = factorize(G, num_directions=1).with_range(0, 1.0, -1, 1)
    explorer = explore(G, directions, look=Look(label=1))
    before = shown(explorer)
    assert explorer.label.layout.display is None and explorer.label.value == 1
    explorer.label.value = 0
    assert not np.array_equal(shown(explorer), before) and "--class=0" in command_of(explorer)
    assert explore(load_network(net), factorize(load_network(net), num_directions=1)).label.layout.display == "none"


def test_a_generator_in_memory(net):
    """Of a class of the script's own: there is a picture, and no command, since there is no file."""
    G = Plain(load_network(net))
    explorer = explore(G, seed=3)
    explorer.sliders[0].value = 0.5
    assert np.array_equal(shown(explorer)[::12, ::12], rendered(net, Look(), 3, [(factorize(G), 0, 0.5)]))
    assert explorer.command.value == "" and explorer.save.disabled


def test_without_ipywidgets_a_line_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    monkeypatch.setattr("sefa_plugin.system.environment.find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match="the explorer needs ipywidgets, which is not installed; type: .* install"):
        explore("demo")
