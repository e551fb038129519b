import numpy as np
import pytest
import torch
from made_directions import directions

from sefa_plugin.rendering.edits import Edit, edit, edit_of, edit_z, edited_rows, edited_z

WS = torch.randn(2, 4, 8, generator=torch.Generator().manual_seed(0))


def test_one_factorisation_gives_what_edit_gives_to_the_last_bit():
    held = directions(layers=(1, 3), names=("", "smile", *[""] * 6))
    made = [edit_of(held, 0, 2.5), edit_of(held, "smile", -1 / 3), edit_of(held, -1, 0.1)]
    assert [one.index for one in made] == [0, 1, 7]
    assert made[1].name == "smile"
    assert torch.equal(edited_rows(WS, made), edit(WS, held, {0: 2.5, "smile": -1 / 3, 7: 0.1}))
    assert torch.equal(edited_rows(WS, made, [2, 0, 0]), edit(WS, held, {0: 5}))


def test_groups_of_layers_add_up():
    coarse, fine = directions(layers=(0, 1)), directions(layers=(1, 3))
    made = edited_rows(WS, [edit_of(coarse, 0, 2), edit_of(fine, 1, 3)])
    step = [torch.from_numpy(vector) for vector in coarse.vectors[:2]]
    assert torch.allclose(made[:, 0], WS[:, 0] + 2 * step[0])
    assert torch.allclose(made[:, 1], WS[:, 1] + 2 * step[0] + 3 * step[1])
    assert torch.equal(made[:, 2], WS[:, 2])
    assert torch.allclose(made[:, 3], WS[:, 3] + 3 * step[1])


def test_a_row_of_its_own_for_each_layer():
    rows = np.random.RandomState(0).randn(2, 8)
    rows /= np.sqrt(np.square(rows).sum(axis=1).mean())
    made = edited_rows(WS, [Edit(rows, 2.0, (1, 3))])
    assert torch.allclose(made[:, [1, 3]], WS[:, [1, 3]] + 2 * torch.from_numpy(rows).float())
    with pytest.raises(ValueError, match="vectors for 2 rows, and changes 1"):
        Edit(rows, 2.0, (1,))


def test_edits_of_z():
    held, z = directions(space="z"), torch.randn(3, 8, dtype=torch.float64)
    made = [edit_of(held, 2, 1.5)]
    assert made[0].rows == ()
    assert torch.equal(edited_z(z, made), edit_z(z, held, {2: 1.5}))
    assert edited_z(z, made, [0]) is z  # the very same bits
    assert torch.equal(edited_rows(WS, made), WS)


def test_as_a_person_types_it():
    vector = np.eye(8)[0]
    assert Edit(vector, 2.5, (0,)).typed == "0=+2.5"
    assert Edit(vector, -1, (0,), name="smile", label="coarse").typed == "coarse:smile=-1"
    assert Edit(vector, 2, (0, 1, 5), label="all@0-1_5").typed == "0=+2@0-1,5"
    assert Edit(vector, 2, (0,), label="all-sharp").typed == "all-sharp:0=+2"
    assert Edit(vector, 2, (0,), label="coarse-in-0.1_0.2_0.3_0.4@4-7").typed == "coarse-in-0.1,0.2,0.3,0.4:0=+2@4-7"
    assert Edit(vector, 2, (3,), index=4, label="layer03").typed == "3:4=+2"
    assert Edit(vector, 2, (), space="z", label="z").typed == "z:0=+2"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"vector": np.ones(8)}, "unit length"),
        ({"vector": np.full(8, np.nan)}, "NaN"),
        ({"vector": np.ones((1, 1, 1))}, r"\[1, 1, 1\]"),
        ({"distance": float("inf")}, "distance is inf"),
        ({"rows": ()}, r"changes rows \[\]"),
        ({"rows": (2, 1)}, r"rows \[2, 1\]"),
        ({"rows": (-1,)}, r"rows \[-1\]"),
        ({"space": "z"}, "space 'z'"),
        ({"space": "x"}, "space 'x'"),
    ],
)
def test_edits_that_make_no_sense(change, says):
    with pytest.raises(ValueError, match=says):
        Edit(**{"vector": np.eye(8)[0], "distance": 1.0, "rows": (0,), **change})


def test_edits_that_do_not_fit():
    for one, says in ((Edit(np.eye(5)[0], 1.0, (0,)), "8 components"), (Edit(np.eye(8)[0], 1.0, (9,)), "row 9")):
        with pytest.raises(ValueError, match=says):
            edited_rows(WS, [one])
    with pytest.raises(ValueError, match="5 and 8"):
        edited_rows(WS, [Edit(np.eye(5)[0], 1.0, (0,)), Edit(np.eye(8)[0], 1.0, (0,))])
    with pytest.raises(ValueError, match="z has 8"):
        edited_z(torch.zeros(1, 8), [Edit(np.eye(5)[0], 1.0, (), space="z")])
