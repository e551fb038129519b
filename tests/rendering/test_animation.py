import numpy as np
import pytest
import torch

from sefa_plugin import factorize, load_network
from sefa_plugin.rendering.animation import motion, usual
from sefa_plugin.rendering.edits import edit_of
from sefa_plugin.rendering.look import Look
from sefa_plugin.rendering.scene import Scene
from sefa_plugin.rendering.shards import Shard, View


@pytest.fixture(scope="module")
def setting(golden):
    """A scene on three seeds, with two edits of W and one of Z."""
    G = load_network(golden("sg2ada-skip-64").pickle)
    scene = Scene(G, View(Look(trunc=0.7), [4, 9, 2]))
    fine = factorize(G, "5-9")
    return scene, [edit_of(fine, 0, 3), edit_of(fine, -1, -2)], edit_of(factorize(G, space="z"), 1, 2)


def stills(scene, edits):
    step = tuple((place, 1.0) for place in range(len(edits)))
    return list(scene.pictures(Shard(tuple((float(who), step) for who in range(len(scene))), tuple(edits))))


def frames_of(scene, move):
    flat = list(scene.pictures(move.shard))
    return [flat[start : start + move.shard.row] for start in range(0, len(flat), move.shard.row)]


def ws_of(scene, move):
    """ws of the subjects by the positions of the distinct frames."""
    rows = torch.from_numpy(scene.latents(move.shard)).split(move.shard.row)
    return dict(zip(move.line.distances, rows))


def test_into_the_edit_and_back(setting):
    scene, edits, _ = setting
    move = motion("edit", scene.view, edits, 8, "pingpong", "linear")
    assert len(move.line.order) == 8
    assert move.line.distances == (0, 0.25, 0.5, 0.75, 1)
    assert move.shard.unchanged_rows == 5
    at = ws_of(scene, move)
    assert torch.equal(at[0], scene.ws)
    assert torch.allclose(at[0.5], (at[0] + at[1]) / 2, atol=1e-6)
    frames = frames_of(scene, move)
    assert [len(frame) for frame in frames] == [3] * 5
    for first, still in zip(frames[0], stills(scene, [])):
        assert (first == still).all()
    for last, still in zip(frames[-1], stills(scene, edits)):
        assert (last == still).all()
    assert move.captions[0] == "unedited"
    assert move.captions[2] == "5-9:0 +1.5   5-9:31 -1"


def test_edits_in_turn(setting):
    scene, edits, z = setting
    edits = [*edits, z]
    move = motion("sequence", scene.view, edits, 12, "closed", "sine")
    assert move.shard.unchanged_rows == 0
    assert len(move.line.distances) == 12
    at = ws_of(scene, move)
    for count in range(4):
        held = torch.cat([scene.edited(who, edits[:count]) for who in range(3)])
        assert torch.equal(at[count], held)
    captions = dict(zip(move.line.distances, move.captions))
    assert "z:1" not in captions[2]
    assert "z:1 +2" in captions[3]


@pytest.mark.parametrize("easing", ["linear", "sine", "cubic", "spherical"])
def test_a_walk_holds_the_edit(setting, easing):
    scene, edits, z = setting
    edits = [*edits, z]
    move = motion("walk", scene.view, edits, 9, "closed", easing)
    at = ws_of(scene, move)
    for who in range(3):
        assert torch.equal(at[who], scene.edited(who, edits))
    near = scene.latents(Shard(((3 - 1e-4, move.shard.shots[0][1]), (1e-4, move.shard.shots[0][1])), *edited(move)))
    assert np.allclose(near[0], near[1], atol=1e-2)
    frames = frames_of(scene, move)
    assert [len(frame) for frame in frames] == [1] * 9
    for who, still in enumerate(stills(scene, edits)):
        assert (frames[3 * who][0] == still).all()
    assert (frames[1][0] != frames[0][0]).any()
    assert [move.captions[place] for place in (0, 2, 8)] == ["seed 4", "seed 9", "seed 4"]


def edited(move):
    return move.shard.edits, 1, 1, move.shard.walk


def test_a_spherical_walk_goes_through_z(setting):
    scene, _, _ = setting

    def half_way(easing):
        move = motion("walk", scene.view, [], 9, "pingpong", easing)
        return ws_of(scene, move)[0.5]

    z = scene.z[0] / scene.z[0].norm() + scene.z[1] / scene.z[1].norm()
    want = scene.G.mapping(z[None] * 5, None, truncation_psi=0.7)
    assert torch.allclose(half_way("spherical"), want, atol=1e-5)
    straight = half_way("linear")
    assert not torch.allclose(half_way("spherical"), straight, atol=1e-3)
    assert torch.allclose(straight, (scene.ws[:1] + scene.ws[1:2]) / 2, atol=1e-6)


def test_the_classes_of_a_walk(golden):
    """A class of its own for each seed is that of its key frame."""
    G = load_network(golden("sg2ada-cond-32").pickle)
    scene = Scene(G, View(Look(), [0, 1], draws_classes=True))
    assert not torch.equal(scene.c[0], scene.c[1])
    z = edit_of(factorize(G, space="z"), 0, 1.0)
    move = motion("walk", scene.view, [z], 4, "closed", "cubic")
    assert torch.equal(ws_of(scene, move)[1], scene.edited(1, [z]))


def test_what_is_usual():
    assert usual("edit", 3, 5) == (60, "pingpong", "linear")
    assert usual("sequence", 3, 5) == (240, "closed", "linear")
    assert usual("walk", 3, 5) == (300, "closed", "cubic")


def test_what_cannot_move(setting, golden):
    scene, edits, z = setting
    alone = View(Look(), [1])
    projected = Scene(scene.G, View(Look(), [], scene.ws[:2].numpy()))
    for kind, where, what, easing, says in (
        ("fly", scene.view, edits, "linear", "edit, sequence, walk"),
        ("edit", scene.view, [], "linear", "no edits"),
        ("sequence", scene.view, edits, "spherical", "--animate walk"),
        ("walk", alone, edits, "linear", "type two or more"),
        ("walk", projected.view, edits, "spherical", "--projected-w has no z"),
        ("walk", projected.view, [z], "linear", "cannot edit projected ws"),
        ("edit", projected.view, [z], "linear", "cannot edit projected ws"),
    ):
        with pytest.raises(ValueError, match=says):
            motion(kind, where, what, 5, "closed", easing)
    walk = motion("walk", projected.view, edits, 4, "once", "cubic")
    assert torch.equal(ws_of(projected, walk)[1], projected.edited(1, edits))
