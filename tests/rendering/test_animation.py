import numpy as np
import pytest
import torch

from sefa_plugin import factorize, load_network
from sefa_plugin.rendering.animation import motion, usual
from sefa_plugin.rendering.edits import edit_of
from sefa_plugin.rendering.look import Look
from sefa_plugin.rendering.scene import Scene


@pytest.fixture(scope="module")
def setting(golden):
    """A scene on three seeds, with two edits of W and one of Z."""
    G = load_network(golden("sg2ada-skip-64").pickle)
    scene = Scene(G, Look(trunc=0.7), [4, 9, 2])
    fine = factorize(G, "5-9")
    return scene, [edit_of(fine, 0, 3), edit_of(fine, -1, -2)], edit_of(factorize(G, space="z"), 1, 2)


def stills(scene, edits):
    return list(scene.one_by_one(scene.edited(who, edits) for who in range(len(scene))))


def test_into_the_edit_and_back(setting):
    scene, edits, _ = setting
    move = motion("edit", scene, edits, 6, "pingpong", "linear")
    assert len(move.line.order) == 6
    assert move.unchanged_rows == 5
    assert torch.equal(move.at(0), scene.ws)
    assert torch.allclose(move.at(0.5), (move.at(0) + move.at(1)) / 2, atol=1e-6)
    frames = list(move.frames(scene))
    assert [len(frame) for frame in frames] == [3] * 4
    for first, still in zip(frames[0], stills(scene, [])):
        assert (first == still).all()
    for last, still in zip(frames[-1], stills(scene, edits)):
        assert (last == still).all()
    assert move.caption(0) == "unedited"
    assert move.caption(0.5) == "5-9:0 +1.5   5-9:31 -1"


def test_edits_in_turn(setting):
    scene, edits, z = setting
    edits = [*edits, z]
    move = motion("sequence", scene, edits, 12, "closed", "sine")
    assert move.unchanged_rows == 0
    assert len(move.line.distances) == 12
    for count in range(4):
        held = torch.cat([scene.edited(who, edits[:count]) for who in range(3)])
        assert torch.equal(move.at(count), held)
    assert torch.equal(move.at(4), scene.ws)
    assert "z:1" not in move.caption(2)
    assert "z:1 +2" in move.caption(3)


@pytest.mark.parametrize("easing", ["linear", "sine", "cubic", "spherical"])
def test_a_walk_holds_the_edit(setting, easing):
    scene, edits, z = setting
    edits = [*edits, z]
    move = motion("walk", scene, edits, 9, "closed", easing)
    for who in range(3):
        assert torch.equal(move.at(who), scene.edited(who, edits))
    assert torch.equal(move.at(3), move.at(0))
    near = [move.at(place) for place in (3 - 1e-4, 1e-4)]
    assert torch.allclose(near[0], near[1], atol=1e-2)
    frames = list(move.frames(scene))
    assert [len(frame) for frame in frames] == [1] * 9
    for who, still in enumerate(stills(scene, edits)):
        assert (frames[3 * who][0] == still).all()
    assert (frames[1][0] != frames[0][0]).any()
    assert [move.caption(place) for place in (0, 0.6, 2.6)] == ["seed 4", "seed 9", "seed 4"]


def test_a_spherical_walk_goes_through_z(setting):
    scene, _, _ = setting
    at = motion("walk", scene, [], 6, "once", "spherical").at(0.5)
    z = scene.z[0] / scene.z[0].norm() + scene.z[1] / scene.z[1].norm()
    want = scene.G.mapping(z[None] * 5, None, truncation_psi=0.7)
    assert torch.allclose(at, want, atol=1e-5)
    straight = motion("walk", scene, [], 6, "once", "linear").at(0.5)
    assert not torch.allclose(at, straight, atol=1e-3)
    assert torch.allclose(straight, (scene.ws[:1] + scene.ws[1:2]) / 2, atol=1e-6)


def test_the_classes_of_a_walk(golden):
    """A class of its own for each seed is that of its key frame."""
    G = load_network(golden("sg2ada-cond-32").pickle)
    scene = Scene(G, Look(), [0, 1], draw_classes=True)
    assert not torch.equal(scene.c[0], scene.c[1])
    z = edit_of(factorize(G, space="z"), 0, 1.0)
    move = motion("walk", scene, [z], 4, "closed", "cubic")
    assert torch.equal(move.at(1), scene.edited(1, [z]))


def test_what_is_usual():
    assert usual("edit", 3, 5) == (60, "pingpong", "linear")
    assert usual("sequence", 3, 5) == (240, "closed", "linear")
    assert usual("walk", 3, 5) == (300, "closed", "cubic")


def test_what_cannot_move(setting, golden):
    scene, edits, z = setting
    alone = Scene(scene.G, Look(), [1])
    projected = Scene(scene.G, Look(), [], scene.ws[:2].numpy())
    for kind, where, what, easing, says in (
        ("fly", scene, edits, "linear", "edit, sequence, walk"),
        ("edit", scene, [], "linear", "no edits"),
        ("sequence", scene, edits, "spherical", "--animate walk"),
        ("walk", alone, edits, "linear", "two seeds or more"),
        ("walk", projected, edits, "spherical", "--projected-w has no z"),
        ("walk", projected, [z], "linear", "cannot edit --projected-w"),
    ):
        with pytest.raises(ValueError, match=says):
            motion(kind, where, what, 5, "closed", easing)
    walk = motion("walk", projected, edits, 4, "once", "cubic")
    assert np.array_equal(walk.at(1), projected.edited(1, edits))
