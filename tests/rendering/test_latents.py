import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from made_directions import directions

from sefa_plugin.directions.directions import Directions
from sefa_plugin.rendering.edits import edit, edit_of, edit_z, edited_z, normalize_z
from sefa_plugin.rendering.latents import classes_from_seeds, labelled, z_from_seeds
from sefa_plugin.rendering.look import Look
from sefa_plugin.rendering.timelines import schedule, spread

# --- latents --------------------------------------------------------------------------------------


def test_a_seed_is_the_toolkits_latent():
    z = z_from_seeds([5, 0, 5], 16)
    assert z.dtype == torch.float64
    assert np.array_equal(z[:1], np.random.RandomState(5).randn(1, 16))
    assert np.array_equal(z[1:2], np.random.RandomState(0).randn(1, 16))
    assert torch.equal(z[0], z[2])  # one generator per seed, not one for all


def test_labels():
    assert labelled(2, 4, 3).tolist() == [[0, 0, 1, 0]] * 3
    assert labelled(None, 0, 3) is None
    with pytest.raises(ValueError, match="choose a class with --class 0-9"):
        labelled(None, 10, 1)
    for label in (10, -1):
        with pytest.raises(ValueError, match="classes 0-9"):
            labelled(label, 10, 1)
    assert labelled((0.5, 0.0, -1.5), 3, 2).tolist() == [[0.5, 0, -1.5]] * 2
    assert labelled(None, 0, 3) is None
    with pytest.raises(ValueError, match=r"a label of 3 numbers: this network's labels have 5 \(--class 0 is 1,0,0,0,"):
        labelled((1.0, 0.0, 0.0), 5, 1)
    with pytest.raises(ValueError, match="finite"):
        Look(label=(1.0, float("nan")))


# --- edits ----------------------------------------------------------------------------------------


def test_an_edit_moves_the_factorised_rows_along_the_unit_direction():
    held = directions(layers=(1, 3), names=["", "smile", *[""] * 6])
    ws = torch.randn(2, 5, 8)
    before = ws.clone()
    moved = edit(ws, held, {1: 2.5}) - ws
    assert torch.equal(ws, before)
    assert moved[:, [0, 2, 4]].abs().max() == 0
    for row in (1, 3):
        assert torch.allclose(moved[:, row], 2.5 * torch.from_numpy(held.vectors[1]), atol=1e-6)
        assert moved[0, row].norm().item() == pytest.approx(2.5, rel=1e-6)
    assert torch.equal(edit(ws, held, {"smile": 2.5}), edit(ws, held, {1: 2.5}))
    assert torch.equal(edit(ws[0], held, {1: 2.5}), edit(ws, held, {1: 2.5})[0])
    assert torch.equal(edit(ws, held, {1: 0}), ws)


def test_edits_add_up():
    held, ws = directions(), torch.zeros(1, 4, 8)
    both = edit(ws, held, {0: 1.5, 3: -2})
    assert torch.allclose(both, edit(edit(ws, held, {0: 1.5}), held, {3: -2}), atol=1e-6)


def test_rows_that_differ_from_layer_to_layer():
    rows = np.random.RandomState(0).randn(2, 2, 8)
    rows /= np.sqrt(np.square(rows).sum(axis=2).mean(axis=1))[:, None, None]
    held, ws = Directions.of(rows, np.zeros(2), (1, 3)), torch.randn(3, 5, 8)
    moved = edit(ws, held, {1: 2.0, 0: -1}) - ws
    assert torch.allclose(moved[:, [1, 3]], torch.from_numpy(2 * rows[1] - rows[0]).float(), atol=1e-5)
    assert moved[:, [0, 2, 4]].abs().max() == 0
    alike = np.tile(directions().vectors[:, None], (1, 2, 1))  # the same in every row: the usual edit
    assert torch.equal(edit(ws, Directions.of(alike, np.zeros(8), (1, 2)), {4: 3}), edit(ws, directions(), {4: 3}))


def test_edits_that_make_no_sense():
    ws = torch.zeros(1, 4, 8)
    with pytest.raises(ValueError, match="direction 8 asked for, there are 8"):
        edit(ws, directions(), {8: 1})
    with pytest.raises(ValueError, match="ws have 8 components, the directions 6"):
        edit(ws, directions(dim=6), {0: 1})
    with pytest.raises(ValueError, match="change row 4, ws has 0-3"):
        edit(ws, directions(layers=(3, 4)), {0: 1})
    with pytest.raises(ValueError, match="z has 8 components, the directions 6"):
        edit_z(torch.zeros(1, 8), directions(dim=6, space="z"), {0: 1})


def test_z_is_normalised_before_the_step():
    z = torch.randn(3, 8, dtype=torch.float64) * 7
    held = directions(space="z")
    assert normalize_z(z).square().mean(dim=1).tolist() == pytest.approx([1, 1, 1])
    step = edit_z(z, held, {2: 3}) - z / z.square().mean(dim=1, keepdim=True).sqrt()
    assert torch.allclose(step, 3 * torch.from_numpy(held.vectors[2]).double().expand(3, -1), atol=1e-6)


def test_distance_0_through_z_is_the_unedited_latent_bit_for_bit():
    z, held = torch.randn(2, 8, dtype=torch.float64), directions(space="z")
    change = edit_of(held, 1, 1.0)
    assert edited_z(z, [change], [0.0]) is z
    assert torch.equal(edited_z(z, [change], [2.0]), edit_z(z, held, {1: 2.0}))


def test_a_vector_that_is_no_unit_vector_is_refused():
    held = Directions.of(directions().vectors * 1.1, np.ones(8), (1, 2))
    with pytest.raises(ValueError, match="not of unit length"):
        edit(torch.zeros(1, 4, 8), held, {0: 1.0})


# --- schedules ------------------------------------------------------------------------------------


def test_pingpong():
    assert schedule(-3, 3, 6).per_frame == [-3, 0, 1, 3, 1, 0]
    assert schedule(-2, 2, 8).per_frame == [-2, -1, 0, 1, 2, 1, 0, -1]
    assert schedule(-2, 2, 9).per_frame == [-2, -1, 0, 1, 2, 2, 1, 0, -1]
    assert schedule(-2, 2, 2).per_frame == [-2, 2]
    assert schedule(-2, 2, 3).per_frame == [-2, 2, 2]
    assert schedule(-2, 2, 1).per_frame == [0]
    assert schedule(1, 2, 1).per_frame == [1.5]


def test_once():
    assert schedule(-2, 2, 5, "once").per_frame == [-2, -1, 0, 1, 2]
    assert schedule(-2, 2, 2, "once").per_frame == [-2, 2]
    assert schedule(-2, 2, 1, "once").per_frame == [0]


def test_schedules_that_make_no_sense():
    with pytest.raises(ValueError, match="0 frames"):
        schedule(-1, 1, 0)
    with pytest.raises(ValueError, match="pingpong, once"):
        schedule(-1, 1, 4, "bounce")


ends = st.tuples(st.floats(-50, 50), st.floats(0.5, 100)).map(lambda pair: (pair[0], pair[0] + pair[1]))


@given(ends, st.integers(1, 200), st.sampled_from(["pingpong", "once"]))
def test_what_every_schedule_holds(ends, frames, loop):
    low, high = ends
    plan = schedule(low, high, frames, loop)
    steps = plan.distances
    assert len(plan.per_frame) == frames
    assert set(plan.order) == set(range(len(steps)))  # each distinct picture is rendered, once
    assert all(a < b for a, b in zip(steps, steps[1:]))
    assert all(abs(a - b) <= 1 for a, b in zip(plan.order, plan.order[1:]))  # no jump, at no frame
    if loop == "pingpong":
        assert len(steps) == (frames // 2 + 1 if frames > 1 else 1)
        assert plan.order[-1] <= 1  # the loop closes
    if low <= 0 <= high and len(steps) != 2:
        assert 0.0 in steps
    even = (high - low) / max(1, len(steps) - 1)
    wanted = [low + even * place for place in range(len(steps))]
    moved = [abs(a - b) for a, b in zip(steps, wanted)]
    if len(steps) > 1:
        assert sum(gap > 1e-9 for gap in moved) <= 1  # only the one that became 0
        assert max(moved) <= even / 2 + 1e-9


def test_the_step_nearest_0_becomes_0():
    assert spread(-3, 4, 5) == (-3, -1.25, 0.0, 2.25, 4)
    assert spread(-1, 5, 3) == (0.0, 2, 5)
    assert spread(1, 3, 3) == (1, 2, 3)
    assert spread(-1, 1, 2) == (-1, 1)


def test_the_classes_of_seeds_never_change():
    """A sheet that was made years ago shows the same classes today."""
    assert classes_from_seeds(range(10), 512, 10) == [4, 1, 7, 7, 3, 1, 4, 7, 2, 7]


def test_drawn_classes_belong_to_the_seed_and_come_evenly():
    classes = classes_from_seeds(range(600), 8, 3)
    assert classes_from_seeds([5, 2], 8, 3) == [classes[5], classes[2]]
    assert min(np.bincount(classes, minlength=3)) > 150
    generator = np.random.RandomState(7)  # z of the seed stays what it is
    assert (z_from_seeds([7], 8)[0].numpy() == generator.randn(8)).all()
    assert classes[7] == generator.randint(3)
